//! What was refused: attempts to change something without the right to it, or with a credential that
//! was good once. Each in a transaction of its own, since the attempt had none, and no more of them in
//! time than fit on a disk.

use std::{num::NonZeroU32, time::Duration};

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
    web,
};
use boot::rates::Rate;
use domain::{RequestId, TenantId};
use metrics::counter;
use store::{StoreError, audit};
use tracing::warn;

use super::{Actor, Object, Origin, entry};
use crate::{ApiError, App, Code, auth, hub::HubError};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Of each tenant, and of those of whom nobody knows who they are together: so many, and one more each
/// second.
const REFUSALS: NonZeroU32 = NonZeroU32::new(60).expect("60 is not zero");
const MAX_PATH_CHARS: usize = 200;
const UNWRITTEN: &str = "audit_refusals_unwritten_total";

/// Around every request: gives it an id, and writes down what was refused.
pub(crate) async fn watch(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = RequestId::generate();
    req.extensions_mut().insert(id);
    let mut response = next.call(req).await?;
    let refusal = response.response().error().and_then(told);
    if let Some(code) = refusal.map(|error| error.code) {
        refused(response.request(), code).await;
    }
    let id = HeaderValue::from_str(&id.to_string()).expect("an id is letters and digits");
    response.headers_mut().insert(REQUEST_ID, id);
    Ok(response)
}

fn told(error: &Error) -> Option<&ApiError> {
    error.as_error().or_else(|| error.as_error().map(HubError::as_api))
}

async fn refused(req: &HttpRequest, code: Code) {
    if !matches!(code, Code::Unauthenticated | Code::Forbidden | Code::NotFound) {
        return;
    }
    let Some(app) = req.app_data::<web::Data<App>>() else { return };
    if let Err(error) = write(app, req, code).await {
        let error = &error as &dyn std::error::Error;
        warn!(error, code = code.as_str(), path = req.path(), "a refusal was not written down");
    }
}

async fn write(app: &App, req: &HttpRequest, code: Code) -> Result<(), StoreError> {
    let origin = Origin::of(req);
    let mut actor = req.extensions().get::<Actor>().cloned();
    if actor.is_none() && code != Code::NotFound {
        actor = auth::known(app, req).await?;
    }
    // reading is not told of, but with a key that has been taken away
    if !origin.changes && (code != Code::Unauthenticated || actor.is_none()) {
        return Ok(());
    }
    let tenant = actor.as_ref().and_then(|actor| actor.tenant);
    if !is_among_the_first(app, tenant).await {
        counter!(UNWRITTEN).increment(1);
        return Ok(());
    }
    let path: String = req.path().chars().take(MAX_PATH_CHARS).collect();
    let entry = entry(actor.as_ref(), &origin, Object::new("path", path), code.as_str());
    let mut tx = app.store.begin().await?;
    audit::append(&mut tx, tenant, &entry).await?;
    tx.commit().await
}

async fn is_among_the_first(app: &App, tenant: Option<TenantId>) -> bool {
    let whose = tenant.map_or("nobody".to_owned(), |tenant| tenant.to_string());
    let rate = Rate::new(REFUSALS, Duration::from_secs(1));
    let buckets = app.rates.take(&[(format!("refusals:{whose}"), rate)], app.clock.now()).await;
    buckets.iter().all(|bucket| bucket.is_allowed())
}
