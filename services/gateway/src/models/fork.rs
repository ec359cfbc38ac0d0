//! A fork: a model of one's own that begins as somebody's version, under the licence that this has.

use actix_web::{HttpResponse, post, web};
use domain::{
    TenantId,
    name::{Name, NameError},
    registry::{Licence, SourceKind, VersionState},
};
use serde::Deserialize;
use store::{
    TenantTx,
    models::{self, Change, Creation, Model, ModelVersion, NewVersion},
};
use utoipa::ToSchema;

use super::{
    ModelVersionView, aliases::own_model, change::looks_like, known_model, known_version, sealed,
};
use crate::{
    ApiError, App, Body, Caller, Code, audit::Object, auth::WriteModels, storage::check_room,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFork {
    /// Of the new model, in the caller's tenant.
    #[schema(value_type = Name)]
    name: String,
}

/// Fork a version: a new model of the caller's tenant begins with its files.
#[utoipa::path(
    operation_id = "fork_model_version",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    request_body = NewFork,
    responses(
        (status = 201, body = ModelVersionView),
        (status = 409, description = "The name is taken, or looks like one that is; or the version was yanked"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[post("/v1/models/{tenant}/{model}/versions/{version}/fork")]
pub(super) async fn fork(
    app: web::Data<App>,
    caller: Caller<WriteModels>,
    path: web::Path<(String, String, String)>,
    new: Body<NewFork>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let fork: Name =
        new.0.name.parse().map_err(|why: NameError| ApiError::field("name", why.to_string()))?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let version = known_version(&mut tx, &model, &named).await?;
    tx.commit().await?;
    let licence = licence_to_build_upon(&model, &version, caller.tenant())?;
    // the fork's manifest will name it as its base
    let version = sealed(&app, version).await?;
    for file in &version.files {
        app.blobs.copy(version.tenant, caller.tenant(), file.sha256).await?;
    }
    let home = caller.tenant_slug();
    let mut tx = caller.begin(&app).await?;
    let number = add(&mut tx, &fork, (model, licence), version).await?;
    let made = own_model(&mut tx, home, fork.as_str()).await?;
    let added = known_version(&mut tx, &made, &number.to_string()).await?;
    tx.done(Object::new("model version", format!("{home}/{fork}:{number}"))).await?;
    Ok(HttpResponse::Created().json(ModelVersionView::new(&made, added, Some(caller.tenant()))))
}

/// The licence under which what is built upon a version stands.
pub(crate) fn licence_to_build_upon(
    model: &Model,
    version: &ModelVersion,
    by: TenantId,
) -> Result<Option<Licence>, ApiError> {
    let name = format!("{}/{}:{}", model.tenant_slug, model.name, version.number);
    if version.state == VersionState::Yanked {
        let why = format!("`{name}` was yanked: {}", version.reason);
        return Err(ApiError::new(Code::Conflict, why));
    }
    // one that was published before its model had a licence is under the one that it has now
    let licence = version.licence.or(model.licence);
    if model.tenant == by {
        return Ok(licence);
    }
    let publisher = &model.tenant_slug;
    let why = match licence {
        Some(licence) if licence.allows_derivatives() => return Ok(Some(licence)),
        Some(licence) => format!(
            "`{name}` is under {licence}, which forbids derivatives; ask {publisher} for another licence"
        ),
        None => format!("`{name}` has no licence; ask {publisher} for one"),
    };
    Err(ApiError::new(Code::Forbidden, why))
}

async fn add(
    tx: &mut TenantTx<'_>,
    name: &Name,
    (from, licence): (Model, Option<Licence>),
    version: ModelVersion,
) -> Result<u32, ApiError> {
    let id = match models::create(tx, name).await? {
        Creation::Created(id) => id,
        Creation::Exists(_) => {
            let why = format!("there is a model `{name}` already; choose another name");
            return Err(ApiError::new(Code::Conflict, why));
        }
        Creation::LooksLike(other) => return Err(looks_like(name, &other)),
    };
    let change = Change {
        description: Some(from.description),
        card: Some(from.card),
        licence,
        ..Change::default()
    };
    models::update(tx, id, change).await?;
    let new = NewVersion {
        kind: SourceKind::Copied,
        state: VersionState::Published,
        files: version.files,
        made: version.made,
        base: Some((version.model, version.number)),
    };
    let number = models::add_version(tx, id, &new).await?;
    check_room(tx, "this fork").await?;
    Ok(number)
}
