//! Requests' content, parsed so that an error names the field: [`Body`] for JSON, [`Params`] for the
//! query string. Syntax first (400), shape second (422).

use std::{io, time::Duration};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::header,
    middleware::Next,
    web::{self, BytesMut},
};
use domain::{FieldError, FieldErrors};
use futures::{
    FutureExt, Stream, StreamExt,
    future::{LocalBoxFuture, Ready, ready},
    stream,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use url::form_urlencoded;

use crate::{ApiError, App, Code};

/// So much is read before it is known who asks.
const SMALL_BYTES: usize = 16 << 10;

/// A JSON object of the type that the route documents.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// Content as it comes, of a media type that is not asked for.
#[derive(Debug)]
pub(crate) struct Whole(pub BytesMut);

/// The query string.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let allowed = check_media_type(req);
        let whole = Whole::from_request(req, payload);
        async move {
            allowed?;
            parse(&whole.await?.0).map(Self)
        }
        .boxed_local()
    }
}

impl FromRequest for Whole {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let app = web::Data::<App>::extract(req);
        let payload = payload.take();
        async move {
            let app = app.await.map_err(|_| no_state())?;
            collect(payload, &app, app.config.max_json_bytes).await.map(Self)
        }
        .boxed_local()
    }
}

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(req.query_string()))
    }
}

impl<T: DeserializeOwned> Params<T> {
    /// # Errors
    /// A problem that names the parameter that is not as it should be.
    pub fn read(query: &str) -> Result<Self, ApiError> {
        parse_query(query).map(Self)
    }
}

/// Around every request: a small body is read before it is looked at who asks, since a connection is closed whose
/// request was answered with its body unread, and who is refused often would connect as often.
pub(crate) async fn read_small(
    mut req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if is_small(&req) {
        let app = req.app_data::<web::Data<App>>().cloned().ok_or_else(no_state)?;
        let body = collect(req.take_payload(), &app, SMALL_BYTES).await?;
        req.set_payload(body.freeze().into());
    }
    next.call(req).await
}

/// As it says itself. Who waits to be told to go on is told so by the handler.
fn is_small(req: &ServiceRequest) -> bool {
    let header = |name| req.headers().get(name).and_then(|value| value.to_str().ok());
    let bytes = header(header::CONTENT_LENGTH).and_then(|bytes| bytes.parse::<usize>().ok());
    bytes.is_some_and(|bytes| (1..=SMALL_BYTES).contains(&bytes))
        && header(header::EXPECT).is_none()
}

/// A client that keeps a connection and sends nothing does not keep what waits for it. An upload may itself
/// take as long as it has to.
pub fn in_time(
    payload: web::Payload,
    within: Duration,
) -> impl Stream<Item = Result<web::Bytes, PayloadError>> + Unpin {
    let next = move |mut payload: web::Payload| async move {
        let silence = || PayloadError::Io(io::ErrorKind::TimedOut.into());
        let chunk = timeout(within, payload.next()).await;
        let chunk = chunk.unwrap_or_else(|_| Some(Err(silence())))?;
        Some((chunk, payload))
    };
    // who has read it to its end may ask again
    stream::unfold(payload, next).fuse().boxed_local()
}

/// Why an upload has no end.
pub(crate) fn broke_off(error: &PayloadError, within: Duration) -> ApiError {
    match error {
        PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut => too_slow(within),
        error => {
            let detail = format!("the upload broke off ({error}); send it again");
            ApiError::new(Code::BadRequest, detail)
        }
    }
}

fn too_slow(within: Duration) -> ApiError {
    let detail = format!("nothing more came within {within:?}; send it again");
    ApiError::new(Code::TooSlow, detail)
}

pub(crate) fn no_state() -> ApiError {
    ApiError::new(Code::Internal, "the gateway was put together without its state")
}

fn check_media_type(req: &HttpRequest) -> Result<(), ApiError> {
    let header = |name| req.headers().get(name).and_then(|value| value.to_str().ok());
    let content_type = header(header::CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence != "application/json" {
        let shown: String = content_type.chars().take(80).collect();
        let detail = format!("Content-Type is `{shown}`; send `application/json`");
        return Err(ApiError::new(Code::UnsupportedMediaType, detail));
    }
    match header(header::CONTENT_ENCODING) {
        None | Some("identity") => Ok(()),
        Some(_) => Err(ApiError::new(
            Code::UnsupportedMediaType,
            "JSON is taken as it is; send it without Content-Encoding",
        )),
    }
}

/// All of it, in time.
async fn collect(payload: Payload, app: &App, limit: usize) -> Result<BytesMut, ApiError> {
    let within = app.config.body_within;
    let whole = timeout(within, collect_up_to(limit, payload)).await;
    whole.map_err(|_| too_slow(within))?
}

async fn collect_up_to(limit: usize, mut payload: Payload) -> Result<BytesMut, ApiError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            ApiError::new(Code::BadRequest, format!("the body broke off: {error}"))
        })?;
        if bytes.len() + chunk.len() > limit {
            let detail = format!("the body has more than {limit} bytes, the most that is taken");
            return Err(ApiError::new(Code::PayloadTooLarge, detail));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // a value first: this is where nesting has its limit and where NaN is no number
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        ApiError::new(Code::InvalidJson, format!("the body is not valid JSON: {error}"))
    })?;
    if !value.is_object() {
        return Err(ApiError::field("body", "must be a JSON object, as in {\"name\": …}"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        FieldErrors(vec![field_error(&path, error.inner().to_string())]).into()
    })
}

fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let pairs = || form_urlencoded::parse(query.as_bytes());
    serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs())).map_err(
        |error| {
            let mut wrong = field_error(&error.path().to_string(), error.inner().to_string());
            if let Some((_, value)) = pairs().find(|(name, _)| *name == wrong.field) {
                let value: String = value.chars().take(80).collect();
                wrong.message = format!("`{value}` is not valid here: {}", wrong.message);
            }
            let detail = format!("query parameter `{}`: {}", wrong.field, wrong.message);
            ApiError { errors: vec![wrong], ..ApiError::new(Code::BadRequest, detail) }
        },
    )
}

/// serde reports a missing or unknown field at its parent and names it in the message only.
fn field_error(path: &str, message: String) -> FieldError {
    let named = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start))
        .and_then(|rest| rest.split('`').next())
        .map(str::to_owned);
    let parent = if path == "." { "" } else { path };
    let field = match named {
        Some(name) if parent.is_empty() => name,
        Some(name) if parent == name || parent.ends_with(&format!(".{name}")) => parent.to_owned(),
        Some(name) => format!("{parent}.{name}"),
        None if parent.is_empty() => "body".to_owned(),
        None => parent.to_owned(),
    };
    FieldError { field, message }
}
