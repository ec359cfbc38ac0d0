//! The Open Inference Protocol, version 2, as KServe and Triton define it and Triton's clients speak it, on the
//! registry's own models: a model is called `tenant/model`, a version by its number, an alias or a revision. With
//! Triton's extensions for binary tensors, classification, statistics and a model's configuration.
//!
//! Requests become rows and answers tensors ([`tensor`], [`request`], [`columns`], [`answer`]: plain functions); what is
//! in between is what the API's own predictions do.

mod answer;
mod columns;
mod infer;
mod model;
mod request;
mod server;
mod tensor;

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{CONTENT_TYPE, HeaderValue},
    middleware::Next,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{ApiError, Code, Problem, ServiceConfig};

/// Everything below it, and it.
const PREFIX: &str = "/v2";

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(server::live)
        .service(server::ready)
        .service(server::metadata)
        .service(model::metadata)
        .service(model::metadata_at)
        .service(model::ready)
        .service(model::ready_at)
        .service(model::configuration)
        .service(model::configuration_at)
        .service(model::stats)
        .service(model::stats_at)
        .service(infer::infer)
        .service(infer::infer_at);
}

/// What stands in the body of an answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InferenceError {
    error: String,
}

pub(crate) fn is_below(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn bad(why: impl Into<String>) -> ApiError {
    ApiError::new(Code::BadRequest, why)
}

/// Around every request: whatever refused it, the protocol's clients read the reason where they look for it.
pub(crate) async fn in_its_words(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_ours = is_below(req.path());
    let response = next.call(req).await?;
    if !is_ours || response.status().is_success() {
        return Ok(response.map_into_left_body());
    }
    let told = response.map_body(|head, body| match body.try_into_bytes() {
        Ok(problem) => {
            let json = HeaderValue::from_static("application/json");
            head.headers_mut().insert(CONTENT_TYPE, json);
            BoxBody::new(words(&problem))
        }
        Err(body) => body.boxed(),
    });
    Ok(told.map_into_right_body())
}

fn words(problem: &[u8]) -> String {
    let error = match serde_json::from_slice::<Problem>(problem) {
        Ok(problem) if problem.errors.len() > 1 => {
            let errors = problem.errors.iter();
            let errors = errors.map(|error| format!("{}: {}", error.field, error.message));
            errors.collect::<Vec<_>>().join("; ")
        }
        Ok(problem) => problem.detail,
        Err(_) => String::from_utf8_lossy(problem).into_owned(),
    };
    serde_json::json!(InferenceError { error }).to_string()
}
