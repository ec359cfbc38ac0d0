//! Around every page: what the browser is told of it, and that a form comes from a page of ours.

use actix_web::{
    Error, HttpMessage, HttpRequest, ResponseError,
    body::{BoxBody, MessageBody},
    cookie::Cookie,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use url::Url;

use crate::{failure::Failure, session};

/// Everything that a page needs is ours and stands in a file.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);
const FETCH_SITE: &str = "sec-fetch-site";
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A cookie that the answer to this request brings.
pub(crate) struct SetCookie(pub Cookie<'static>);

pub(crate) async fn watch(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = if is_from_here(request.request()) {
        next.call(request).await?.map_into_boxed_body()
    } else {
        let refusal = not_from_here().error_response();
        request.into_response(refusal)
    };
    let cookie = response.request().extensions_mut().remove::<SetCookie>();
    let is_over = is_signed_out(&response);
    let cookie = match cookie {
        Some(SetCookie(cookie)) => Some(cookie),
        None => is_over.then(|| session::ended(response.request())),
    };
    if let Some(cookie) = cookie {
        let value = HeaderValue::try_from(cookie.to_string());
        let value = value.map_err(|error| Failure::broken(&error))?;
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    tell(response.headers_mut());
    Ok(response)
}

/// A session that is over is forgotten.
fn is_signed_out(response: &ServiceResponse<BoxBody>) -> bool {
    let error = response.response().error().and_then(|error| error.as_error::<Failure>());
    matches!(error, Some(Failure::SignedOut { .. }))
        && session::Session::of(response.request()).is_some()
}

/// What a page says of itself stays, as a file that is handed through does.
fn tell(headers: &mut HeaderMap) {
    let no_store = HeaderValue::from_static("no-store");
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, no_store),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (OPENER, HeaderValue::from_static("same-origin")),
        (RESOURCE, HeaderValue::from_static("same-origin")),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
}

/// Whether a request that may change something was made by a page of this host, as browsers tell.
fn is_from_here(request: &HttpRequest) -> bool {
    let said = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    if request.method().is_safe() {
        return true;
    }
    if let Some(site) = said(FETCH_SITE) {
        return site == "same-origin";
    }
    // browsers from before they told: they name the page's host
    let Some(origin) = said("origin") else { return true };
    let origin = Url::parse(origin).ok();
    let host = origin
        .as_ref()
        .map(|origin| origin[url::Position::BeforeHost..url::Position::AfterPort].to_owned());
    host.is_some_and(|host| said("host") == Some(&host))
}

pub(crate) fn not_from_here() -> Failure {
    let detail = "The form did not come from a page of this session. Open the page again and send it from there.";
    Failure::of(StatusCode::FORBIDDEN, "Not taken", detail)
}
