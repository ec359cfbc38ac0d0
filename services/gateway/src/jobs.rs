//! Jobs: submitting a training, and following it to its end.

mod attempts;
mod base;
mod dry_run;
mod events;
mod explain;
mod prepare;
mod read;
mod refusal;
mod result;
mod submit;

use domain::{
    JobId, Resources, SweepId, Timestamp, WorkerId,
    job::{JobKind, JobStatus},
    spec::TrainingSpec,
    wait::WaitReason,
};
use serde::Serialize;
use store::jobs::Job;
use utoipa::ToSchema;

pub(crate) use self::{
    base::again as base_again,
    dry_run::{DryRunView, foresee},
    explain::{EACH, ShareView},
    prepare::{PROFILE_PATIENCE, Prepared, find_pools, prepared, resolve},
    refusal::accepted_or,
    submit::start,
};
pub use self::{
    explain::{ExplanationView, explain_any},
    result::BatchView,
};
use crate::{ApiError, ServiceConfig, cause::CauseView};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(submit::submit)
        .service(submit::dry_run)
        .service(read::list)
        .service(read::get)
        .service(read::cancel)
        .service(read::pause)
        .service(read::resume)
        .service(explain::explain)
        .service(attempts::attempts)
        .service(events::follow)
        .service(read::metrics)
        .service(read::logs)
        .service(result::download)
        .service(result::remove);
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    pub id: JobId,
    pub kind: JobKind,
    pub name: String,
    pub status: JobStatus,
    pub dataset: JobDataset,
    pub priority: i32,
    pub pool: String,
    /// Of each of its workers.
    pub resources: Resources,
    pub workers: u32,
    pub concurrency: Option<ConcurrencyView>,
    /// Its sweep, and the values that differ from the sweep's specification.
    pub sweep: Option<SweepPoint>,
    /// Seconds that one attempt may run.
    pub max_runtime: u64,
    /// Absent until the first attempt knows how much there is to do.
    pub progress: Option<JobProgress>,
    /// Attempts so far, the live one included.
    pub attempt: u32,
    /// Of these, the ones that failed or were lost.
    pub tries: u32,
    /// Where it runs at the moment.
    pub worker: Option<WorkerId>,
    /// Why it failed, or why its last try did.
    pub cause: Option<CauseView>,
    /// Why it waits, as of the scheduler's last look.
    pub wait_reason: Option<WaitReasonView>,
    /// With every default filled in; not in lists, and a profile job has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<TrainingSpec>,
    pub published: Option<Published>,
    /// What it asks a model about its dataset, of a `predict` job.
    pub prediction: Option<BatchView>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

/// Of the tenant's jobs with this key, so many run at once.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConcurrencyView {
    pub key: String,
    pub limit: u32,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SweepPoint {
    pub id: SweepId,
    #[schema(value_type = Object)]
    pub point: serde_json::Value,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JobDataset {
    pub name: String,
    pub version: u32,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JobProgress {
    pub step: u64,
    pub total_steps: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct WaitReasonView {
    #[serde(flatten)]
    pub reason: WaitReason,
    /// The same in words.
    pub message: String,
}

impl From<WaitReason> for WaitReasonView {
    fn from(reason: WaitReason) -> Self {
        Self { message: reason.to_string(), reason }
    }
}

/// What a succeeded training left behind.
#[derive(Debug, Serialize, ToSchema)]
pub struct Published {
    pub model: String,
    pub version: u32,
    pub url: String,
}

impl JobView {
    /// `tenant` is the job's own, as it stands in URLs.
    pub fn new(job: Job, tenant: &str) -> Self {
        let published = job.published.map(|(model, version)| {
            let url = format!("/v1/models/{tenant}/{model}/versions/{version}");
            Published { model, version, url }
        });
        Self {
            id: job.id,
            kind: job.kind,
            name: job.name,
            status: job.status,
            dataset: JobDataset { name: job.dataset_name, version: job.dataset_version },
            priority: job.priority,
            pool: job.pool,
            resources: job.resources,
            workers: job.workers,
            concurrency: job.concurrency.map(|of| ConcurrencyView { key: of.key, limit: of.limit }),
            sweep: job.point.map(|(id, point)| SweepPoint { id, point }),
            max_runtime: job.max_runtime,
            progress: job.total_steps.map(|total_steps| JobProgress {
                // heartbeats carry the step, and a short job ends between two of them
                step: match job.status {
                    JobStatus::Succeeded => total_steps,
                    _ => job.step.unwrap_or(0),
                },
                total_steps,
            }),
            attempt: job.attempt,
            tries: job.tries,
            worker: job.worker,
            cause: job.cause.map(CauseView::from),
            wait_reason: job.wait_reason.map(WaitReasonView::from),
            spec: job.spec,
            published,
            prediction: job.inquired.and_then(|inquired| BatchView::of(job.id, inquired)),
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}

fn known_id(text: &str) -> Result<JobId, ApiError> {
    ApiError::known_id("job", text)
}

fn unknown(id: impl std::fmt::Display) -> ApiError {
    ApiError::not_found("job", id)
}
