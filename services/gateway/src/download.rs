//! Sending stored content: streamed under its digest, which is also its ETag, so that a client that
//! has it already is spared the bytes.

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodyStream, SizedStream},
    http::header::{
        CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use domain::{Digest, TenantId};

use crate::{ApiError, App};

pub(crate) struct File {
    /// Whose bytes they are.
    pub owner: TenantId,
    pub sha256: Digest,
    pub bytes: Option<u64>,
    /// What a browser saves it as.
    pub name: String,
    pub media_type: &'static str,
}

pub(crate) async fn send(
    app: &App,
    request: &HttpRequest,
    file: File,
) -> Result<HttpResponse, ApiError> {
    let etag = format!("\"{}\"", file.sha256);
    if has_already(request, &etag) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, etag)).finish());
    }
    let stream = app.blobs.read(file.owner, file.sha256).await?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((ETAG, etag))
        .insert_header((CONTENT_TYPE, file.media_type))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.name)))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    Ok(match file.bytes {
        Some(bytes) => response.body(SizedStream::new(bytes, stream)),
        None => response.body(BodyStream::new(stream)),
    })
}

fn has_already(request: &HttpRequest, etag: &str) -> bool {
    let given = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    })
}
