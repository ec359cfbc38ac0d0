//! Stopping a job, holding it, letting it go on.

use actix_web::{HttpResponse, http::Method, post, web};

use crate::{api::Route, failure::Failure, form::Sent, pages::see, visitor::Visitor};

#[post("/jobs/{id}/cancel")]
pub(super) async fn cancel(
    _sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    order(&visitor, &id, "cancel").await
}

#[post("/jobs/{id}/pause")]
pub(super) async fn pause(
    _sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    order(&visitor, &id, "pause").await
}

#[post("/jobs/{id}/resume")]
pub(super) async fn resume(
    _sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    order(&visitor, &id, "resume").await
}

async fn order(visitor: &Visitor, id: &str, what: &str) -> Result<HttpResponse, Failure> {
    visitor.api.order(Method::POST, &Route::of(["jobs", id, what])).await?;
    Ok(see(&format!("/console/jobs/{id}")))
}
