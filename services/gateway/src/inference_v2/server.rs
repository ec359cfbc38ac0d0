//! The server by itself.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{ApiError, App, Caller, auth::Predict, platform::check};

#[derive(Serialize, ToSchema)]
struct InferenceServer {
    name: &'static str,
    version: &'static str,
    extensions: [&'static str; 4],
}

/// Whether this process answers.
#[utoipa::path(
    operation_id = "get_live_v2", tag = "inference", security(()), responses((status = 200)),
)]
#[get("/v2/health/live")]
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// Whether this process can serve: database and object store answer.
#[utoipa::path(
    operation_id = "get_ready_v2", tag = "inference", security(()),
    responses((status = 200), (status = 503, description = "The database or the object store does not answer")),
)]
#[get("/v2/health/ready")]
pub(super) async fn ready(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    check(&app).await?;
    Ok(HttpResponse::Ok().finish())
}

/// What this server is, and what it can do beyond the protocol.
#[utoipa::path(
    operation_id = "get_server_v2", tag = "inference",
    responses((status = 200, body = InferenceServer)),
)]
#[get("/v2")]
pub(super) async fn metadata(_caller: Caller<Predict>) -> HttpResponse {
    HttpResponse::Ok().json(InferenceServer {
        name: "cupola",
        version: env!("CARGO_PKG_VERSION"),
        extensions: ["binary_tensor_data", "classification", "statistics", "model_configuration"],
    })
}
