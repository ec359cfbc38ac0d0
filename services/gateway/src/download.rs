//! Sending stored content: streamed under its digest, which is also its ETag, so that a client that
//! has it already is spared the bytes, and one that has a part of it gets the rest.

use std::ops::Range;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    body::{BodyStream, SizedStream},
    http::{
        Method, StatusCode,
        header::{
            self, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE,
            ETAG, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
        },
    },
    web::Bytes,
};
use domain::{Digest, TenantId, registry::VersionFile};
use futures::{TryStreamExt, stream};
use registry::BlobError;
use tracing::error;
use utoipa::ToSchema;

use crate::{ApiError, App, Code};

/// A file's content, as the API's description has it.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct FileBytes(#[expect(dead_code, reason = "only described")] Vec<u8>);

/// A file of unknown size counts as so many bytes until they are sent: those are small.
const SOME_BYTES: u64 = 1;

pub(crate) struct File {
    /// Whose bytes they are.
    pub owner: TenantId,
    pub sha256: Digest,
    pub bytes: Option<u64>,
    /// What a browser saves it as.
    pub name: String,
    pub media_type: &'static str,
}

impl File {
    /// A file of a model's version.
    pub fn of_version(owner: TenantId, file: &VersionFile) -> Self {
        Self {
            owner,
            sha256: file.sha256,
            // of what an older release has published it is written down a moment later
            bytes: Some(file.bytes).filter(|bytes| *bytes > 0),
            name: file.path.file_name().to_owned(),
            media_type: media_type(file.path.as_str()),
        }
    }
}

/// Nothing that a browser would run.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("json") => "application/json",
        Some("md" | "txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

pub(crate) async fn send(
    app: &App,
    request: &HttpRequest,
    // who is sent it
    to: TenantId,
    file: File,
) -> Result<HttpResponse, ApiError> {
    let etag = format!("\"{}\"", file.sha256);
    if has_already(request, &etag) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, etag)).finish());
    }
    let part = match file.bytes.map(|bytes| (bytes, wanted(request, &etag, bytes))) {
        Some((bytes, Wanted::Nothing)) => return Ok(beyond(bytes)),
        Some((bytes, Wanted::Part(part))) => Some((part, bytes)),
        Some((_, Wanted::All)) | None => None,
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((ETAG, etag))
        .insert_header((CONTENT_TYPE, file.media_type))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.name)))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if let Some((part, bytes)) = part {
        let download = app.egress.take(app, to, part.end - part.start).await?;
        let stream = app.blobs.read_range(file.owner, file.sha256, part.clone()).await?;
        let stream = download.of(stream);
        let range = format!("bytes {}-{}/{bytes}", part.start, part.end - 1);
        response.status(StatusCode::PARTIAL_CONTENT).insert_header((CONTENT_RANGE, range));
        return Ok(response.body(SizedStream::new(part.end - part.start, stream)));
    }
    if let (&Method::HEAD, Some(bytes)) = (request.method(), file.bytes) {
        response.insert_header((ACCEPT_RANGES, "bytes"));
        return Ok(
            response.body(SizedStream::new(bytes, stream::empty::<Result<Bytes, BlobError>>()))
        );
    }
    let download = app.egress.take(app, to, file.bytes.unwrap_or(SOME_BYTES)).await?;
    let stream = download.of(app.blobs.read(file.owner, file.sha256).await?);
    let stream = stream.inspect_err(|error| error!(%error, "a download broke off"));
    Ok(match file.bytes {
        Some(bytes) => {
            response.insert_header((ACCEPT_RANGES, "bytes"));
            response.body(SizedStream::new(bytes, stream))
        }
        None => response.body(BodyStream::new(stream)),
    })
}

/// Of a file, by RFC 9110, part 14.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    /// Beyond its end.
    Nothing,
}

/// One part; who asks for several, or for what nobody understands, gets the whole.
fn wanted(request: &HttpRequest, etag: &str, bytes: u64) -> Wanted {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let same = text(IF_RANGE).is_none_or(|given| given == etag);
    let range = text(RANGE).filter(|_| same).and_then(|range| range.parse::<header::Range>().ok());
    let Some(header::Range::Bytes(specs)) = range else { return Wanted::All };
    let [spec] = specs.as_slice() else { return Wanted::All };
    match spec.to_satisfiable_range(bytes) {
        Some((first, last)) => Wanted::Part(first..last + 1),
        None => Wanted::Nothing,
    }
}

fn beyond(bytes: u64) -> HttpResponse {
    let detail = format!("the file has {bytes} bytes; ask for some of them");
    let mut response = ApiError::new(Code::RangeNotSatisfiable, detail).error_response();
    if let Ok(range) = HeaderValue::from_str(&format!("bytes */{bytes}")) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

fn has_already(request: &HttpRequest, etag: &str) -> bool {
    let given = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    })
}
