//! From a name to a version that answers, and its errors in the client's words: what predictions of every protocol have
//! in common.

use std::sync::Arc;

use actix_web::web;
use domain::{RequestId, TenantId, model::ModelConfig};
use serving::{Answered, Asked, Elsewhere, Full, LoadError, PredictError, Source};
use tracing::debug;

use super::{known_model, known_version};
use crate::{ApiError, App, Caller, Code, auth::Predict, metered::Predicted, recent::Named};

const RETRY_SECS: u32 = 1;

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct By {
    tenant: TenantId,
    slug: String,
    request: Option<RequestId>,
}

impl By {
    pub fn of(caller: &Caller<Predict>) -> Self {
        let (tenant, slug) = (caller.tenant(), caller.tenant_slug().to_owned());
        Self { tenant, slug, request: caller.request_id() }
    }
}

/// The version that the caller names, as it was within the last second.
pub(crate) async fn named(
    app: &web::Data<App>,
    caller: &Caller<Predict>,
    (tenant, model): (&str, &str),
    version: &str,
) -> Result<Arc<Named>, ApiError> {
    let (reader, now) = (caller.tenant(), app.clock.now());
    let key = (reader, format!("{tenant}/{model}/{version}"));
    let ask = || {
        let (app, version) = (app.clone(), version.to_owned());
        let (tenant, name) = (tenant.to_owned(), model.to_owned());
        async move {
            let mut tx = app.store.begin_for(reader).await?;
            let model = known_model(&mut tx, &tenant, &name).await?;
            let version = known_version(&mut tx, &model, &version).await?;
            tx.commit().await?;
            let (name, version) = (format!("{tenant}/{name}"), Arc::new(version));
            Ok(Arc::new(Named { name, model: model.id, version }))
        }
    };
    app.recent.versions.get(key, now, ask).await
}

/// What the version predicts with.
pub(crate) fn runnable(named: &Named) -> Result<&ModelConfig, ApiError> {
    let made = named.version.made.as_ref();
    made.map(|made| &made.config).ok_or_else(|| not_loaded(&LoadError::NotOurs))
}

pub(crate) fn asked<'a>(by: &'a By, named: &'a Named) -> Asked<'a> {
    let version = Source::from(&*named.version);
    let (tenant, caller, model) = (by.tenant, &*by.slug, &*named.name);
    Asked { tenant, caller, model, version, explain: None }
}

/// Counts what was answered, for whoever called and for the model.
pub(crate) fn meter(app: &App, by: &By, named: &Named, answered: &Answered) {
    let Answered { predictions, batch_rows, waited, took } = answered;
    let (model, version) = (named.name.as_str(), named.version.number);
    let (request, rows) = (by.request, predictions.len());
    debug!(?request, model, version, rows, batch_rows, ?waited, ?took, "predicted");
    // of a pass that others share, its part
    let share = rows as f64 / (*batch_rows).max(1) as f64;
    let predicted = Predicted {
        requests: 1,
        rows: rows as u64,
        tokens: answered.tokens(),
        micros: took.mul_f64(share.min(1.0)).as_micros() as u64,
    };
    app.metered.count((by.tenant, named.model, version), predicted);
    app.counts.predicted(named.model, rows as u64);
}

pub(crate) fn told(error: PredictError) -> ApiError {
    match error {
        PredictError::Rows(errors) => errors.into(),
        PredictError::Load(error) => not_loaded(&error),
        PredictError::Full(full) => {
            let (code, why) = match full {
                Full::OfTenant(most) => (
                    Code::RateLimited,
                    format!("{most} requests of this tenant wait for the version"),
                ),
                Full::OfVersion(most) => {
                    (Code::Unavailable, format!("{most} requests wait for the version"))
                }
            };
            let detail = format!("{why} already, as many as may; come again in a moment");
            ApiError::new(code, detail).retry_after(RETRY_SECS)
        }
        PredictError::Late(within) => {
            let detail = format!(
                "the request's turn did not come within {within:?}, and it was not computed; come again in a \
                 moment, or send less at once"
            );
            ApiError::new(Code::Unavailable, detail).retry_after(RETRY_SECS)
        }
        PredictError::Loading(within) => {
            let detail = format!(
                "the version was not loaded within {within:?}; it goes on being loaded: come again"
            );
            ApiError::new(Code::Unavailable, detail).retry_after(RETRY_SECS)
        }
        error @ PredictError::Broken => ApiError::internal(&error),
        PredictError::Unreached => {
            let why = "what was to answer went away before it was done; come again in a moment";
            ApiError::new(Code::Unavailable, why).retry_after(RETRY_SECS)
        }
    }
}

pub(super) fn not_ours() -> ApiError {
    let why = "the version's files are no model that can be run here; download them instead";
    ApiError::new(Code::Conflict, why)
}

fn not_loaded(error: &LoadError) -> ApiError {
    match error {
        LoadError::Blobs(error) => error.into(),
        LoadError::NotOurs => not_ours(),
        LoadError::TooLarge { .. } => ApiError::new(Code::Unavailable, error.to_string()),
        LoadError::Crowded => {
            ApiError::new(Code::Unavailable, error.to_string()).retry_after(RETRY_SECS)
        }
        error @ (LoadError::Engine(_) | LoadError::Broken(_)) => ApiError::internal(error),
        // as the errors that they were there
        LoadError::Elsewhere(error) => match error {
            Elsewhere::KeyDestroyed(why) => ApiError::new(Code::NotFound, why),
            Elsewhere::Database(_) => ApiError::unavailable(error, "the database"),
            Elsewhere::ObjectStore(_) => ApiError::unavailable(error, "the object store"),
            Elsewhere::Other(_) => ApiError::internal(error),
        },
    }
}
