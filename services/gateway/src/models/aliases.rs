//! Names of versions that move: `champion`, `staging`.

use actix_web::{HttpResponse, delete, get, put, web};
use domain::{Timestamp, registry::Alias};
use serde::{Deserialize, Serialize};
use store::{
    TenantTx,
    models::{self, Model, Named, SetAlias},
};
use utoipa::ToSchema;

use super::known_model;
use crate::{
    ApiError, App, Body, Caller, Code, Listing,
    audit::Object,
    auth::{Reader, WriteModels},
};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AliasView {
    alias: String,
    version: u32,
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
}

impl From<Named> for AliasView {
    fn from(named: Named) -> Self {
        Self { alias: named.alias, version: named.number, changed_at: named.changed_at }
    }
}

/// List a model's aliases.
#[utoipa::path(
    operation_id = "list_model_aliases",
    tag = "models",
    security((), ("bearer" = [])),
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, body = Listing<AliasView>)),
)]
#[get("/v1/models/{tenant}/{model}/aliases")]
pub(super) async fn list_aliases(
    app: web::Data<App>,
    reader: Reader,
    path: web::Path<(String, String)>,
) -> Result<web::Json<Listing<AliasView>>, ApiError> {
    let (tenant, name) = path.into_inner();
    let mut tx = reader.begin(&app).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let found = models::aliases(&mut tx, model.id).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(AliasView::from).collect())))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AliasTarget {
    version: u32,
}

/// Give a version a name, or move the name to it.
#[utoipa::path(
    operation_id = "set_model_alias",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), ("alias" = String, Path)),
    request_body = AliasTarget,
    responses(
        (status = 204, description = "The alias stands for the version"),
        (status = 409, description = "The model has as many as it may"),
    ),
)]
#[put("/v1/models/{tenant}/{model}/aliases/{alias}")]
pub(super) async fn set_alias(
    app: web::Data<App>,
    caller: Caller<WriteModels>,
    path: web::Path<(String, String, String)>,
    target: Body<AliasTarget>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, name, alias) = path.into_inner();
    let alias: Alias = alias
        .parse()
        .map_err(|why: domain::registry::AliasError| ApiError::field("alias", why.to_string()))?;
    let mut tx = caller.begin(&app).await?;
    let model = own_model(&mut tx, &tenant, &name).await?;
    let number = target.0.version;
    match models::set_alias(&mut tx, model.id, &alias, number).await? {
        SetAlias::Set => {}
        SetAlias::NoVersion => {
            let why = format!("`{tenant}/{name}` has no version {number}");
            return Err(ApiError::field("version", why));
        }
        SetAlias::TooMany => {
            let why = format!(
                "`{tenant}/{name}` has {} aliases, which is the most; remove one first",
                Alias::MOST
            );
            return Err(ApiError::new(Code::Conflict, why));
        }
    }
    tx.done(Object::new("model alias", format!("{tenant}/{name}@{alias}"))).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Remove an alias; the version stays.
#[utoipa::path(
    operation_id = "remove_model_alias",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), ("alias" = String, Path)),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/v1/models/{tenant}/{model}/aliases/{alias}")]
pub(super) async fn remove_alias(
    app: web::Data<App>,
    caller: Caller<WriteModels>,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, name, text) = path.into_inner();
    let unknown = || ApiError::not_found("alias", format!("{tenant}/{name}@{text}"));
    let mut tx = caller.begin(&app).await?;
    let model = own_model(&mut tx, &tenant, &name).await?;
    let alias: Alias = text.parse().map_err(|_| unknown())?;
    if !models::remove_alias(&mut tx, model.id, &alias).await? {
        return Err(unknown());
    }
    tx.done(Object::new("model alias", format!("{tenant}/{name}@{alias}"))).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The model that a URL names, if it is the caller's own.
pub(crate) async fn own_model(
    tx: &mut TenantTx<'_>,
    tenant: &str,
    name: &str,
) -> Result<Model, ApiError> {
    let model = known_model(tx, tenant, name).await?;
    if model.tenant == tx.tenant() {
        return Ok(model);
    }
    let why = format!("`{tenant}/{name}` can be seen, but only its own tenant may change it");
    Err(ApiError::new(Code::Forbidden, why))
}
