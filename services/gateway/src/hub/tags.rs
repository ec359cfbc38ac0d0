//! Tags of a repository: aliases.

use actix_web::{HttpResponse, delete, post, web};
use domain::registry::Alias;
use serde::Deserialize;
use store::models::{self, SetAlias};
use utoipa::ToSchema;

use super::{Known, at, error::HubError};
use crate::{ApiError, App, Body, Code, audit::Object, auth::WriteModels, models::own_model};

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct HubNewTag {
    #[schema(value_type = Alias)]
    tag: String,
}

/// Tag a revision.
#[utoipa::path(
    operation_id = "hub_create_tag", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path), ("revision" = String, Path)),
    request_body = HubNewTag,
    responses(
        (status = 200, description = "It is tagged"),
        (status = 409, description = "There is such a tag already"),
    ),
)]
#[post("/hub/api/models/{tenant}/{model}/tag/{revision}")]
pub(super) async fn create(
    app: web::Data<App>,
    caller: Known<WriteModels>,
    path: web::Path<(String, String, String)>,
    new: Body<HubNewTag>,
) -> Result<HttpResponse, HubError> {
    let (tenant, name, revision) = path.into_inner();
    let alias: Alias = new
        .0
        .tag
        .parse()
        .map_err(|why: domain::registry::AliasError| HubError::bad(format!("tag: {why}")))?;
    let mut tx = app.store.begin_for(caller.0.tenant()).await?;
    let model = own_model(&mut tx, &tenant, &name).await.map_err(HubError::of_repository)?;
    let version = at(&app, tx, &model, &revision).await?;
    let mut tx = caller.0.begin(&app).await?;
    let known = models::aliases(&mut *tx, model.id).await?;
    if known.iter().any(|named| named.alias == alias.as_str()) {
        let why = format!("there is a tag `{alias}` already; delete it first");
        return Err(ApiError::new(Code::Conflict, why).into());
    }
    match models::set_alias(&mut tx, model.id, &alias, version.number).await? {
        SetAlias::Set => {}
        SetAlias::NoVersion => {
            return Err(HubError::revision(ApiError::not_found("revision", revision)));
        }
        SetAlias::TooMany => {
            return Err(HubError::bad(format!("a model has at most {} tags", Alias::MOST)));
        }
    }
    tx.done(Object::new("model alias", format!("{tenant}/{name}@{alias}"))).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({})))
}

/// Delete a tag; the version stays.
#[utoipa::path(
    operation_id = "hub_delete_tag", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path), ("revision" = String, Path, description = "The tag")),
    responses((status = 200, description = "It is gone")),
)]
#[delete("/hub/api/models/{tenant}/{model}/tag/{revision}")]
pub(super) async fn remove(
    app: web::Data<App>,
    caller: Known<WriteModels>,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, HubError> {
    let (tenant, name, tag) = path.into_inner();
    let unknown = || HubError::revision(ApiError::not_found("tag", &tag));
    let mut tx = caller.0.begin(&app).await?;
    let model = own_model(&mut tx, &tenant, &name).await.map_err(HubError::of_repository)?;
    let alias: Alias = tag.parse().map_err(|_| unknown())?;
    if !models::remove_alias(&mut tx, model.id, &alias).await? {
        return Err(unknown());
    }
    tx.done(Object::new("model alias", format!("{tenant}/{name}@{alias}"))).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({})))
}
