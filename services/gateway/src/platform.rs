//! For machines that look after this one: health, metrics, and the API's own description.

use actix_web::{HttpResponse, get, http::header, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{ApiError, App};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(healthz).service(readyz).service(metrics).service(document);
    cfg.map(|cfg| {
        let page = SwaggerUi::new("/docs/{file:.*}").config(Config::from("/openapi.json"));
        cfg.service(web::redirect("/docs", "/docs/")).service(page)
    });
}

#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`
    status: &'static str,
}

const OK: Health = Health { status: "ok" };

/// Whether this process answers.
#[utoipa::path(
    operation_id = "get_health", tag = "platform", security(()),
    responses((status = 200, body = Health)),
)]
#[get("/healthz")]
async fn healthz() -> web::Json<Health> {
    web::Json(OK)
}

/// Whether this process can serve: database and object store answer.
#[utoipa::path(
    operation_id = "get_readiness", tag = "platform", security(()),
    responses(
        (status = 200, body = Health),
        (status = 503, description = "The database or the object store does not answer"),
    ),
)]
#[get("/readyz")]
async fn readyz(app: web::Data<App>) -> Result<web::Json<Health>, ApiError> {
    check(&app).await?;
    Ok(web::Json(OK))
}

pub(crate) async fn check(app: &App) -> Result<(), ApiError> {
    let database = app.store.check().await;
    database.map_err(|error| ApiError::unavailable(&error, "the database"))?;
    let bytes = app.blobs.check().await;
    bytes.map_err(|error| ApiError::unavailable(&error, "the object store"))
}

/// Metrics in Prometheus' text format.
#[utoipa::path(
    operation_id = "get_metrics", tag = "platform", security(()),
    responses((status = 200, body = String, content_type = "text/plain")),
)]
#[get("/metrics")]
async fn metrics(app: web::Data<App>) -> HttpResponse {
    let mut text = app.metrics.as_ref().map(|handle| handle.render()).unwrap_or_default();
    text.push_str(&app.predictor.measured());
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(text)
}

/// This description.
#[utoipa::path(
    operation_id = "get_openapi", tag = "platform", security(()),
    responses((status = 200, body = serde_json::Value)),
)]
#[get("/openapi.json")]
async fn document(document: web::Data<utoipa::openapi::OpenApi>) -> HttpResponse {
    HttpResponse::Ok().json(document.get_ref())
}
