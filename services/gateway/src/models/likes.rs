//! What people like.

use actix_web::{delete, put, web};
use serde::Serialize;
use store::models;
use utoipa::ToSchema;

use super::known_model;
use crate::{ApiError, App, Caller, audit::Object, auth::ReadModels};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Likes {
    /// Of the model, now.
    likes: u64,
}

/// Like a model; whoever does so twice likes it once.
#[utoipa::path(
    operation_id = "like_model", tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, body = Likes)),
)]
#[put("/v1/models/{tenant}/{model}/like")]
pub(super) async fn like(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<Likes>, ApiError> {
    Ok(web::Json(Likes { likes: set(&app, &caller, &path, true).await? }))
}

/// Take a like back.
#[utoipa::path(
    operation_id = "unlike_model", tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, body = Likes)),
)]
#[delete("/v1/models/{tenant}/{model}/like")]
pub(super) async fn unlike(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<Likes>, ApiError> {
    Ok(web::Json(Likes { likes: set(&app, &caller, &path, false).await? }))
}

/// Of a model that the caller sees. How many like it is the platform's to count: its tenant has no part in it.
pub(crate) async fn set(
    app: &App,
    caller: &Caller<ReadModels>,
    (tenant, name): &(String, String),
    likes: bool,
) -> Result<u64, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, tenant, name).await?;
    tx.commit().await?;
    let mut tx = caller.begin_system(app).await?;
    let who = (caller.tenant(), caller.user());
    let likes = models::like(&mut tx, model.id, who, likes, app.clock.now()).await?;
    tx.done(Object::new("like", format!("{tenant}/{name}"))).await?;
    Ok(likes)
}
