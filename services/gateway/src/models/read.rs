//! Finding models, and reading what is said of one.

use actix_web::{get, web};
use serde::Deserialize;
use store::models;
use utoipa::{IntoParams, ToSchema};

use super::{ModelDetail, ModelView, detail, known_model};
use crate::{ApiError, App, Caller, Listing, Params, auth::ReadModels};

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
    responses((status = 200, body = ModelDetail)),
)]
#[get("/v1/models/{tenant}/{model}")]
pub(super) async fn get(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<ModelDetail>, ApiError> {
    let (tenant, name) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    tx.commit().await?;
    let is_own = model.tenant == caller.tenant();
    Ok(web::Json(detail(&app, model, is_own).await?))
}
