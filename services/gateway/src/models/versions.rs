//! A model's versions: reading them, and saying what each is still good for.

use std::mem;

use actix_web::{HttpResponse, delete, get, patch, web};
use domain::{
    FieldErrors,
    registry::{Manifest, VersionState},
};
use serde::{Deserialize, Serialize};
use store::{
    TenantTx,
    models::{self, Model, ModelVersion},
};
use utoipa::ToSchema;

use super::{ModelVersionView, known_model, known_version, sealing::sealed, shown, shown_version};
use crate::{
    ApiError, App, Body, Caller, Code, Listing, PageParams, Params,
    audit::Object,
    auth::{PublishModels, ReadModels, Reader},
    page::after_cursor,
};

const MAX_REASON_CHARS: usize = 500;

/// List a model's versions, newest first.
#[utoipa::path(
    operation_id = "list_model_versions",
    tag = "models",
    security((), ("bearer" = [])),
    params(("tenant" = String, Path), ("model" = String, Path), PageParams),
    responses((status = 200, body = Listing<ModelVersionView>)),
)]
#[get("/v1/models/{tenant}/{model}/versions")]
pub(super) async fn list_versions(
    app: web::Data<App>,
    reader: Reader,
    path: web::Path<(String, String)>,
    page: Params<PageParams>,
) -> Result<web::Json<Listing<ModelVersionView>>, ApiError> {
    let (tenant, name) = path.into_inner();
    let before: Option<u32> = after_cursor(page.0.cursor)?;
    let mut tx = reader.begin(&app).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let found = models::versions(&mut tx, model.id, before, page.0.limit).await?;
    tx.commit().await?;
    let last = found.items.last().map(|version| version.number.to_string());
    let next = last.filter(|_| found.has_more);
    let view = |version| ModelVersionView::new(&model, shown(&reader, version), reader.tenant());
    Ok(web::Json(Listing { items: found.items.into_iter().map(view).collect(), next }))
}

/// Read a version: its metrics, what it was made from, and its files.
#[utoipa::path(
    operation_id = "get_model_version",
    tag = "models",
    security((), ("bearer" = [])),
    params(
        ("tenant" = String, Path),
        ("model" = String, Path),
        ("version" = String, Path, description = "A number, an alias, a revision, or `latest`"),
    ),
    responses((status = 200, body = ModelVersionView), (status = 410, description = "The version was deleted")),
)]
#[get("/v1/models/{tenant}/{model}/versions/{version}")]
pub(super) async fn get_version(
    app: web::Data<App>,
    reader: Reader,
    path: web::Path<(String, String, String)>,
) -> Result<web::Json<ModelVersionView>, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let mut tx = reader.begin(&app).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let mut found = shown_version(&mut tx, &reader, &model, &named).await?;
    tx.commit().await?;
    let made = found.made.as_mut();
    let evaluations = made.map(|made| mem::take(&mut made.config.evaluations)).unwrap_or_default();
    let view = ModelVersionView::new(&model, found, reader.tenant());
    Ok(web::Json(ModelVersionView { evaluations, ..view }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ManifestView {
    manifest: Manifest,
    /// The manifest with its signature, a JWS in its compact form.
    jws: String,
}

/// Read a version's signed manifest: its files by digest, and what it was made from.
#[utoipa::path(
    operation_id = "get_model_manifest",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = ManifestView), (status = 410, description = "The version was deleted")),
)]
#[get("/v1/models/{tenant}/{model}/versions/{version}/manifest")]
pub(super) async fn manifest(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String, String)>,
) -> Result<web::Json<ManifestView>, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let found = known_version(&mut tx, &model, &named).await?;
    tx.commit().await?;
    let (_, jws) = sealed(&app, found).await?.sealed.ok_or_else(not_yet)?;
    let verified = crate::auth::verify_manifest(&jws, &app.signer.manifest_keys());
    let (manifest, _) = verified.map_err(|error| ApiError::internal(&error))?;
    Ok(web::Json(ManifestView { manifest, jws }))
}

fn not_yet() -> ApiError {
    ApiError::new(Code::Unavailable, "the version has no manifest yet; try again in a moment")
        .retry_after(1)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionChange {
    state: VersionState,
    /// For people; needed for `yanked`.
    reason: Option<String>,
}

/// Publish a draft, deprecate a version, or yank it.
#[utoipa::path(
    operation_id = "update_model_version",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    request_body = VersionChange,
    responses(
        (status = 200, body = ModelVersionView),
        (status = 409, description = "Not from the state that it is in"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[patch("/v1/models/{tenant}/{model}/versions/{version}")]
pub(super) async fn update_version(
    app: web::Data<App>,
    caller: Caller<PublishModels>,
    path: web::Path<(String, String, String)>,
    change: Body<VersionChange>,
) -> Result<web::Json<ModelVersionView>, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let VersionChange { state, reason } = change.0;
    let reason = checked(state, reason)?;
    let mut tx = caller.begin(&app).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let mut version = known_version(&mut tx, &model, &named).await?;
    set_state(&mut tx, &model, &version, state, &reason).await?;
    tx.done(object(&model, &version)).await?;
    (version.state, version.reason) = (state, reason);
    Ok(web::Json(ModelVersionView::new(&model, version, Some(caller.tenant()))))
}

/// Delete a version. Its number is not given again; who has it downloaded already keeps it.
#[utoipa::path(
    operation_id = "delete_model_version",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "An alias stands for it"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[delete("/v1/models/{tenant}/{model}/versions/{version}")]
pub(super) async fn delete_version(
    app: web::Data<App>,
    caller: Caller<PublishModels>,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let mut tx = caller.begin(&app).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let version = known_version(&mut tx, &model, &named).await?;
    set_state(&mut tx, &model, &version, VersionState::Deleted, "").await?;
    tx.done(object(&model, &version)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn checked(state: VersionState, reason: Option<String>) -> Result<String, FieldErrors> {
    if state == VersionState::Deleted {
        return Err(FieldErrors::one("state", "is not set: delete the version instead"));
    }
    let reason = reason.unwrap_or_default().trim().to_owned();
    if state == VersionState::Yanked && reason.is_empty() {
        let why = "is missing; say why nobody should use the version any more";
        return Err(FieldErrors::one("reason", why));
    }
    if reason.chars().count() > MAX_REASON_CHARS {
        let why = format!("has more than {MAX_REASON_CHARS} characters; link to the rest");
        return Err(FieldErrors::one("reason", why));
    }
    Ok(reason)
}

async fn set_state(
    tx: &mut TenantTx<'_>,
    model: &Model,
    version: &ModelVersion,
    to: VersionState,
    reason: &str,
) -> Result<(), ApiError> {
    let from = version.state;
    let name = format!("{}/{}", model.tenant_slug, model.name);
    if model.tenant != tx.tenant() {
        let why = format!("`{name}` is another tenant's, and only its own may change it");
        return Err(ApiError::new(Code::Forbidden, why));
    }
    if !from.may_become(to) {
        let why = format!(
            "version {} is {}, and cannot become {}",
            version.number,
            from.as_str(),
            to.as_str()
        );
        return Err(ApiError::new(Code::Conflict, why));
    }
    if to == VersionState::Deleted {
        let aliases = models::aliases(tx, model.id).await?;
        let still = aliases.into_iter().find(|named| named.number == version.number);
        if let Some(still) = still {
            let why = format!(
                "version {} is what `{}` stands for; move the alias to another version, or remove it",
                version.number, still.alias
            );
            return Err(ApiError::new(Code::Conflict, why));
        }
    }
    if !models::set_state(tx, (model.id, version.number), from, to, reason).await? {
        let why = format!("version {} was changed at this moment; look again", version.number);
        return Err(ApiError::new(Code::Conflict, why));
    }
    Ok(())
}

fn object(model: &Model, version: &ModelVersion) -> Object {
    let name = format!("{}/{}:{}", model.tenant_slug, model.name, version.number);
    Object::new("model version", name)
}
