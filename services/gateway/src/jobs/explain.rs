//! Why a job waits, what is ahead of it, and when it starts: the scheduler's own decision, made again on
//! a picture of the job's pool.

use std::collections::BTreeSet;

use actix_web::{get, web};
use domain::{JobId, Resources, Timestamp, job::JobStatus, world::PlannedJob};
use planner::{Policy, Queue, Share};
use serde::Serialize;
use store::{
    Store,
    jobs::{self, Job},
    picture, pools,
};
use utoipa::ToSchema;

use super::{WaitReasonView, known_id, unknown};
use crate::{ApiError, App, Caller, auth::ReadJobs};

/// Of each tenant, so many of its first waiting jobs are looked at.
pub(crate) const EACH: i64 = 200;
/// Plans ahead, at most.
const HORIZON: usize = 2_000;
/// Where too few jobs have run to know better: from a tenth of `max_runtime` to all of it.
pub(super) const UNKNOWN_RATIOS: (f64, f64) = (0.1, 1.0);

#[derive(Serialize, ToSchema)]
pub struct ExplanationView {
    pub status: JobStatus,
    /// Absent if it does not wait.
    pub reason: Option<WaitReasonView>,
    /// Jobs of its own tenant that go first, and tenants whose turn comes before its tenant's.
    pub own_ahead: usize,
    pub tenants_ahead: usize,
    pub share: Option<ShareView>,
    /// Absent if that cannot be said: then the reason says what has to change first.
    pub starts: Option<Interval>,
}

/// How its tenant stands in the pool.
#[derive(Serialize, ToSchema)]
pub struct ShareView {
    pub pool: String,
    pub used: Resources,
    pub guaranteed: Resources,
    pub weight: u32,
    /// Dominant share of the pool: of what is used now, and averaged over the past.
    pub current: f64,
    pub average: f64,
    /// Both together over the weight: the smallest goes first. Absent for weight 0.
    pub score: Option<f64>,
    pub running: usize,
    pub waiting: usize,
}

impl ShareView {
    pub(crate) fn new(pool: String, share: Share) -> Self {
        Self {
            pool,
            used: share.used,
            guaranteed: share.quota.guaranteed,
            weight: share.quota.weight,
            current: share.current,
            average: share.average,
            score: share.score.is_finite().then_some(share.score),
            running: share.running,
            waiting: share.waiting,
        }
    }
}

/// If attempts take as short, or as long, as nearly all have taken, and nothing else is submitted.
#[derive(Serialize, ToSchema)]
pub struct Interval {
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// Why a job waits, what is ahead of it, and when it is expected to start.
#[utoipa::path(
    operation_id = "explain_job", tag = "jobs",
    params(("id" = JobId, Path)),
    responses((status = 200, body = ExplanationView)),
)]
#[get("/v1/jobs/{id}/explanation")]
pub(super) async fn explain(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    id: web::Path<String>,
) -> Result<web::Json<ExplanationView>, ApiError> {
    let id = known_id(&id)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let job = jobs::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    tx.commit().await?;
    Ok(web::Json(explained(&app.store, &job).await?))
}

/// The same for an operator, of any tenant's job; `None` if there is no such job.
pub async fn explain_any(
    store: &Store,
    id: JobId,
) -> Result<Option<(Job, ExplanationView)>, ApiError> {
    let mut tx = store.begin().await?;
    let tenant = jobs::tenant_of(&mut tx, id).await?;
    tx.commit().await?;
    let Some(tenant) = tenant else { return Ok(None) };
    let mut tx = store.begin_for(tenant).await?;
    let job = jobs::get(&mut tx, id).await?;
    tx.commit().await?;
    let Some(job) = job else { return Ok(None) };
    let explanation = explained(store, &job).await?;
    Ok(Some((job, explanation)))
}

async fn explained(store: &Store, job: &Job) -> Result<ExplanationView, ApiError> {
    let (id, status, pool_name) = (job.id, job.status, job.pool.clone());
    let tenant = job.tenant;
    let mut tx = store.begin().await?;
    let pool = pools::id_of(&mut tx, &pool_name).await?.ok_or_else(|| unknown(id))?;
    let (facts, now) = picture::of_pool(&mut tx, pool, EACH, Some(id)).await?;
    let ratios = picture::runtime_ratios(&mut tx, pool).await?.unwrap_or(UNKNOWN_RATIOS);
    tx.commit().await?;
    let view = web::block(move || {
        let mut queue = Queue::new(Policy::default(), now);
        queue.learn(facts);
        let share = queue.share(tenant, pool);
        let starts = forecast(&queue, id, ratios);
        // what the next plan starts does not wait any more; the others know by it what is reserved
        queue.plan(now);
        let explained = queue.explain(id);
        ExplanationView {
            status,
            own_ahead: explained.as_ref().map_or(0, |explained| explained.own_ahead),
            tenants_ahead: explained.as_ref().map_or(0, |explained| explained.tenants_ahead),
            reason: explained.map(|explained| WaitReasonView::from(explained.reason)),
            share: share.map(|share| ShareView::new(pool_name, share)),
            starts: starts.filter(|_| status == JobStatus::Queued),
        }
    });
    view.await.map_err(|error| ApiError::internal(&error))
}

pub(super) fn forecast(queue: &Queue, id: JobId, (short, long): (f64, f64)) -> Option<Interval> {
    let start = |ratio: f64| {
        let runtime =
            |_: JobId, job: &PlannedJob| (job.max_runtime_secs as f64 * ratio).ceil() as u64;
        queue.forecast(&BTreeSet::from([id]), &runtime, HORIZON).get(&id).copied()
    };
    let (one, other) = (start(short)?, start(long)?);
    Some(Interval { from: one.min(other), until: one.max(other) })
}
