//! Tensors in, tensors out.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName},
    post, web,
};

use super::{
    answer::write,
    bad,
    columns::rows,
    request::{InferenceRequest, Question},
};
use crate::{
    ApiError, App, Caller, Code,
    auth::Predict,
    body::Whole,
    models::{By, asked, meter, named, runnable, told},
};

const JSON_BYTES: HeaderName = HeaderName::from_static("inference-header-content-length");

/// Predict with the newest version that is published.
///
/// One input for each column of the model, with a value for each row. `Inference-Header-Content-Length` says how many
/// bytes of the body are JSON, where tensors follow as bytes; the answer's says it of the answer.
#[utoipa::path(
    operation_id = "infer_v2", tag = "inference",
    params(("tenant" = String, Path), ("model" = String, Path)),
    request_body = InferenceRequest,
    responses(
        (status = 200, body = serde_json::Value),
        (status = 409, description = "The version's files are no model that can be run here"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[post("/v2/models/{tenant}/{model}/infer")]
pub(super) async fn infer(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    body: Whole,
) -> Result<HttpResponse, ApiError> {
    let (tenant, model) = path.into_inner();
    answered(&app, &caller, [&tenant, &model, "latest"], &request, &body.0).await
}

/// Predict with a version.
#[utoipa::path(
    operation_id = "infer_v2_at", tag = "inference",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    request_body = InferenceRequest,
    responses(
        (status = 200, body = serde_json::Value),
        (status = 409, description = "The version's files are no model that can be run here"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[post("/v2/models/{tenant}/{model}/versions/{version}/infer")]
pub(super) async fn infer_at(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String, String)>,
    request: HttpRequest,
    body: Whole,
) -> Result<HttpResponse, ApiError> {
    let (tenant, model, version) = path.into_inner();
    answered(&app, &caller, [&tenant, &model, &version], &request, &body.0).await
}

async fn answered(
    app: &web::Data<App>,
    caller: &Caller<Predict>,
    [tenant, model, version]: [&str; 3],
    request: &HttpRequest,
    body: &[u8],
) -> Result<HttpResponse, ApiError> {
    let json_bytes = json_bytes(request)?;
    let named = named(app, caller, (tenant, model), version).await?;
    let config = runnable(&named)?;
    let mut question = Question::read(body, json_bytes)?;
    let rows = rows(config, std::mem::take(&mut question.inputs))?;
    let by = By::of(caller);
    let answered = app.predictor.predict(asked(&by, &named), rows).await.map_err(told)?;
    meter(app, &by, &named, &answered);
    let name = (named.name.as_str(), named.version.number);
    let (body, json_bytes) = write(name, &question, config, &answered.predictions)?;
    let mut response = HttpResponse::Ok();
    match json_bytes {
        Some(bytes) => response
            .insert_header((CONTENT_TYPE, "application/octet-stream"))
            .insert_header((JSON_BYTES, bytes)),
        None => response.insert_header((CONTENT_TYPE, "application/json")),
    };
    Ok(response.body(body))
}

/// Of the body, those that are JSON.
fn json_bytes(request: &HttpRequest) -> Result<Option<usize>, ApiError> {
    let coding = request.headers().get(CONTENT_ENCODING);
    if coding.is_some_and(|coding| coding != "identity") {
        let why = "tensors are taken as they are; send them without Content-Encoding";
        return Err(ApiError::new(Code::UnsupportedMediaType, why));
    }
    let Some(bytes) = request.headers().get(JSON_BYTES) else { return Ok(None) };
    let bytes = bytes.to_str().ok().and_then(|bytes| bytes.trim().parse().ok());
    let why = "Inference-Header-Content-Length is no number of bytes";
    bytes.map(Some).ok_or_else(|| bad(why))
}
