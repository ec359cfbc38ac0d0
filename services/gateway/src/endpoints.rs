//! Endpoints: a tenant's stable names for predictions. Each shares its calls out among versions by weight,
//! tries one in the shadow of the others, and goes back to an earlier split at once.

mod change;
mod draft;
mod predict;
mod read;
mod tallies;
mod warm;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{EndpointId, Timestamp, endpoint::Split};
use serde::Serialize;
use store::{
    TenantTx,
    endpoints::{self, Endpoint, EndpointTally, Target},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use utoipa::ToSchema;

use self::tallies::Tallies;
pub(crate) use self::{tallies::WRITE_EVERY, warm::LOOK_EVERY};
pub use self::{tallies::write_tallies, warm::warm};
use crate::{ApiError, ServiceConfig};

const SHADOWS_AT_ONCE: usize = 8;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(read::list)
        .service(read::get)
        .service(read::revisions)
        .service(change::put)
        .service(change::rollback)
        .service(change::remove)
        .service(predict::predict);
}

#[derive(Debug, Serialize, ToSchema)]
struct EndpointView {
    name: String,
    description: String,
    /// The split that is in force; also the answer's `ETag`.
    revision: u32,
    traffic: Vec<TargetView>,
    shadow: Option<ShadowView>,
    keep_warm: bool,
    max_concurrent: u32,
    requests_per_second: Option<u32>,
    url: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct TargetView {
    /// Publisher and name; null where its tenant shows it no more.
    model: Option<String>,
    version: u32,
    weight: u32,
    /// Of all calls.
    percent: f64,
    #[serde(flatten)]
    counted: CountedView,
}

#[derive(Debug, Serialize, ToSchema)]
struct ShadowView {
    /// Publisher and name; null where its tenant shows it no more.
    model: Option<String>,
    version: u32,
    /// Of the calls, how many it is given besides.
    percent: u32,
    /// Answers that were those of the version that answered the caller, of 1.
    agreement: Option<f64>,
    #[serde(flatten)]
    counted: CountedView,
}

/// Since the split came into force, but for the last second or two.
#[derive(Debug, Serialize, ToSchema)]
struct CountedView {
    requests: u64,
    /// Of the requests, those that our side could not answer.
    errors: u64,
    /// Rows that were answered.
    rows: u64,
    /// Of an answered request, in milliseconds; null where there was none.
    mean_latency_ms: Option<f64>,
}

impl From<EndpointTally> for CountedView {
    fn from(tally: EndpointTally) -> Self {
        let answered = tally.requests.saturating_sub(tally.errors);
        Self {
            requests: tally.requests,
            errors: tally.errors,
            rows: tally.rows,
            mean_latency_ms: (answered > 0).then(|| tally.micros as f64 / answered as f64 / 1e3),
        }
    }
}

/// The version that is meant, for people.
fn called(target: &Target) -> String {
    let model = target.name.as_deref().unwrap_or("a model that is shown no more");
    format!("version {} of `{model}`", target.version)
}

/// Those that answer with their split, and the shadow.
fn parts(targets: &[Target]) -> Result<(Vec<&Target>, Split, Option<&Target>), ApiError> {
    let (shadows, live): (Vec<_>, Vec<_>) = targets.iter().partition(|target| target.is_shadow);
    let split = Split::new(live.iter().map(|target| target.weight).collect());
    let split = split.map_err(|error| ApiError::internal(&error))?;
    Ok((live, split, shadows.first().copied()))
}

fn views(targets: &[Target]) -> Result<(Vec<TargetView>, Option<ShadowView>), ApiError> {
    let (live, split, shadow) = parts(targets)?;
    let traffic = live.into_iter().enumerate().map(|(place, target)| TargetView {
        model: target.name.clone(),
        version: target.version,
        weight: target.weight,
        percent: 100.0 * split.share(place),
        counted: target.tally.into(),
    });
    let shadow = shadow.map(|target| ShadowView {
        model: target.name.clone(),
        version: target.version,
        percent: target.weight,
        agreement: (target.tally.rows > 0)
            .then(|| target.tally.agreed as f64 / target.tally.rows as f64),
        counted: target.tally.into(),
    });
    Ok((traffic.collect(), shadow))
}

impl EndpointView {
    fn of(endpoint: Endpoint) -> Result<Self, ApiError> {
        let (traffic, shadow) = views(&endpoint.targets)?;
        let settings = endpoint.settings;
        Ok(Self {
            url: format!("/v1/endpoints/{}", endpoint.name),
            name: endpoint.name,
            description: settings.description,
            revision: endpoint.revision,
            traffic,
            shadow,
            keep_warm: settings.keep_warm,
            max_concurrent: settings.max_concurrent,
            requests_per_second: settings.per_second,
            created_at: endpoint.created_at,
        })
    }
}

async fn known(tx: &mut TenantTx<'_>, name: &str) -> Result<Endpoint, ApiError> {
    let unknown = || ApiError::not_found("endpoint", name);
    let known: domain::name::Name = name.parse().map_err(|_| unknown())?;
    endpoints::get(tx, known.as_str()).await?.ok_or_else(unknown)
}

/// What this process knows of the calls by endpoints.
#[derive(Debug)]
pub struct Endpoints {
    under_way: UnderWay,
    tallies: Tallies,
    /// How many shadows may be asked at once.
    shadows: Arc<Semaphore>,
}

impl Default for Endpoints {
    fn default() -> Self {
        let shadows = Arc::new(Semaphore::new(SHADOWS_AT_ONCE));
        Self { under_way: UnderWay::default(), tallies: Tallies::default(), shadows }
    }
}

impl Endpoints {
    fn shadow(&self) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.shadows).try_acquire_owned()
    }
}

/// How many calls of each endpoint are being answered by this process.
#[derive(Debug, Default)]
struct UnderWay(Mutex<HashMap<EndpointId, u32>>);

impl UnderWay {
    /// None where there are as many as may be.
    fn begin(&self, endpoint: EndpointId, most: u32) -> Option<Call<'_>> {
        let mut calls = self.calls();
        let count = calls.entry(endpoint).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Call { of: self, endpoint })
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<EndpointId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until it is dropped.
struct Call<'a> {
    of: &'a UnderWay,
    endpoint: EndpointId,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut calls = self.of.calls();
        if let Some(count) = calls.get_mut(&self.endpoint) {
            *count -= 1;
            if *count == 0 {
                calls.remove(&self.endpoint);
            }
        }
    }
}
