//! Reading models and versions, and deciding who else may.

use actix_web::{get, patch, web};
use serde::Deserialize;
use store::models;
use utoipa::{IntoParams, ToSchema};

use super::{ModelVersionView, ModelView, Visibility, known_model, known_version};
use crate::{
    ApiError, App, Body, Caller, Code, Listing, Params,
    audit::Object,
    auth::{PublishModels, ReadModels},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// `public` lists every tenant's public models; without it, the tenant's own, public or not.
    #[param(inline)]
    visibility: Option<OnlyPublic>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OnlyPublic {
    Public,
}

/// List models.
#[utoipa::path(
    operation_id = "list_models",
    tag = "models",
    params(ListParams),
    responses((status = 200, body = Listing<ModelView>)),
)]
#[get("/v1/models")]
pub(super) async fn list(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    params: Params<ListParams>,
) -> Result<web::Json<Listing<ModelView>>, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = models::list(&mut tx, params.0.visibility.is_some()).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(ModelView::from).collect())))
}

/// Read a model.
#[utoipa::path(
    operation_id = "get_model",
    tag = "models",
    params(("tenant" = String, Path, description = "Who publishes it"), ("model" = String, Path)),
    responses((status = 200, body = ModelView)),
)]
#[get("/v1/models/{tenant}/{model}")]
pub(super) async fn get(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<ModelView>, ApiError> {
    let (tenant, name) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    tx.commit().await?;
    Ok(web::Json(model.into()))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelChange {
    visibility: Visibility,
}

/// Make a model public, or private again.
#[utoipa::path(
    operation_id = "update_model",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path)),
    request_body = ModelChange,
    responses((status = 200, body = ModelView)),
)]
#[patch("/v1/models/{tenant}/{model}")]
pub(super) async fn set_visibility(
    app: web::Data<App>,
    caller: Caller<PublishModels>,
    path: web::Path<(String, String)>,
    change: Body<ModelChange>,
) -> Result<web::Json<ModelView>, ApiError> {
    let (tenant, name) = path.into_inner();
    let is_public = change.0.visibility == Visibility::Public;
    let mut tx = caller.begin(&app).await?;
    let mut model = known_model(&mut tx, &tenant, &name).await?;
    if !models::set_public(&mut tx, model.id, is_public).await? {
        let why = format!("`{tenant}/{name}` is public, but only its own tenant may change it");
        return Err(ApiError::new(Code::Forbidden, why));
    }
    tx.done(Object::new("model", format!("{tenant}/{name}"))).await?;
    model.is_public = is_public;
    Ok(web::Json(model.into()))
}

/// List a model's versions, newest first.
#[utoipa::path(
    operation_id = "list_model_versions",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, body = Listing<ModelVersionView>)),
)]
#[get("/v1/models/{tenant}/{model}/versions")]
pub(super) async fn list_versions(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<Listing<ModelVersionView>>, ApiError> {
    let (tenant, name) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let found = models::versions(&mut tx, model.id, None).await?;
    tx.commit().await?;
    let view = |version| ModelVersionView::new(&model, version, caller.tenant());
    Ok(web::Json(Listing::whole(found.into_iter().map(view).collect())))
}

/// Read a version: its metrics, what it was trained on, and its files.
#[utoipa::path(
    operation_id = "get_model_version",
    tag = "models",
    params(
        ("tenant" = String, Path),
        ("model" = String, Path),
        ("version" = String, Path, description = "A number, or `latest`"),
    ),
    responses((status = 200, body = ModelVersionView)),
)]
#[get("/v1/models/{tenant}/{model}/versions/{version}")]
pub(super) async fn get_version(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String, String)>,
) -> Result<web::Json<ModelVersionView>, ApiError> {
    let (tenant, name, number) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let found = known_version(&mut tx, &model, &number).await?;
    tx.commit().await?;
    Ok(web::Json(ModelVersionView::new(&model, found, caller.tenant())))
}
