//! What the API answers, handed through to a browser that cannot send a token by itself: "as JSON", files
//! to download, a job's events. Reading only.

use actix_web::{
    HttpRequest, HttpResponse,
    dev::Payload,
    get,
    http::{
        Method,
        header::{
            self, ACCEPT, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue,
            RANGE,
        },
    },
    web,
};

use crate::{api::Route, failure::Failure, visitor::Visitor};

/// Somebody else may have written it: it runs nothing here and loads nothing.
const NOTHING_RUNS: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(events).service(anything);
}

#[get("/jobs/{id}/events")]
async fn events(
    visitor: Visitor,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let route = Route::of(["jobs", &id, "events"]);
    hand(&visitor, route.path(), &request, &[LAST_EVENT_ID]).await
}

#[get("/api/v1/{path:.*}")]
async fn anything(visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Failure> {
    let asked = request.uri().path_and_query().map_or("", |path| path.as_str());
    let path = asked.trim_start_matches("/console/api");
    let conditions = [RANGE, header::IF_RANGE, header::IF_NONE_MATCH, ACCEPT];
    let mut answer = hand(&visitor, path, &request, &conditions).await?;
    let is_json = answer.headers().get(header::CONTENT_TYPE);
    let is_json = is_json.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, NOTHING_RUNS);
    if !is_json && !headers.contains_key(CONTENT_DISPOSITION) {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    Ok(answer)
}

async fn hand(
    visitor: &Visitor,
    path: &str,
    request: &HttpRequest,
    headers: &[HeaderName],
) -> Result<HttpResponse, Failure> {
    let mut question = visitor.api.question(Method::GET, path, Payload::None)?;
    for name in headers {
        if let Some(value) = request.headers().get(name) {
            question.headers_mut().insert(name.clone(), value.clone());
        }
    }
    visitor.api.open(question).await
}
