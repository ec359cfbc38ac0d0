//! What would become of a job, before it is submitted: whether it would be taken, when it would start,
//! what it could use at most, and what would let it start sooner.

use actix_web::web;
use domain::{
    Resources, TenantId, Timestamp,
    spec::TrainingSpec,
    world::{Phase, PlannedJob},
};
use planner::{Policy, Queue};
use serde::Serialize;
use store::{
    jobs::{self, NewJob},
    picture,
};
use utoipa::ToSchema;

use super::{
    WaitReasonView,
    explain::{EACH, Interval, UNKNOWN_RATIOS, forecast},
    refusal::refused,
};
use crate::{ApiError, App, usage::SpendView};

/// A change is worth saying if the job starts by so many seconds sooner.
const WORTH_SAYING_SECS: i64 = 10;
/// What is left to a job whose estimate was optimistic.
const MARGIN: f64 = 3.0;
const LEAST_RUNTIME_SECS: u64 = 60;

/// Nothing was submitted.
#[derive(Serialize, ToSchema)]
pub(crate) struct DryRunView {
    /// With every default filled in; absent of a job that trains nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<TrainingSpec>,
    /// Whether the submission would be accepted now.
    pub accepted: bool,
    /// Which cap refuses it, and what helps.
    pub refusal: Option<String>,
    /// Why it would wait; absent if it would start at once.
    pub reason: Option<WaitReasonView>,
    /// Absent if that cannot be said: then the reason says what has to change first.
    pub starts: Option<Interval>,
    pub uses_at_most: Usage,
    pub costs_at_most: SpendView,
    /// Changes to the specification with which it would start sooner.
    pub sooner: Vec<Suggestion>,
}

/// All of its workers together, if it runs for all of its `max_runtime`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Usage {
    pub cpu_seconds: f64,
    pub memory_gib_seconds: f64,
    pub accelerator_seconds: f64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Suggestion {
    pub field: String,
    pub value: u64,
    pub starts: Interval,
}

pub(crate) async fn foresee(
    app: &App,
    tenant: TenantId,
    mut job: NewJob,
) -> Result<DryRunView, ApiError> {
    let mut tx = app.store.begin_for(tenant).await?;
    let refusal = jobs::refusal(&mut tx, &job).await?.map(|r| refused(&job, r).detail);
    tx.commit().await?;
    let spec = job.spec.take();
    let mut tx = app.store.begin().await?;
    let (facts, now) = picture::of_pool(&mut tx, job.pool, EACH, None).await?;
    let ratios = picture::runtime_ratios(&mut tx, job.pool).await?.unwrap_or(UNKNOWN_RATIOS);
    tx.commit().await?;
    let view = web::block(move || {
        let mut queue = Queue::new(Policy::default(), now);
        queue.learn(facts);
        let asked = planned(tenant, &job, now);
        let starts = start_of(&queue, &job, asked.clone(), ratios);
        let sooner = suggestions(&queue, &job, &asked, spec.as_ref(), starts.as_ref(), ratios);
        queue.set_job(job.id, Some(asked.clone()));
        queue.plan(now);
        DryRunView {
            accepted: refusal.is_none(),
            refusal,
            reason: queue.explain(job.id).map(|explained| explained.reason.into()),
            starts,
            uses_at_most: usage(&asked.total(), job.max_runtime),
            costs_at_most: queue.cost(&asked).into(),
            sooner,
            spec,
        }
    });
    view.await.map_err(|error| ApiError::internal(&error))
}

fn planned(tenant: TenantId, job: &NewJob, now: Timestamp) -> PlannedJob {
    PlannedJob {
        tenant,
        pool: job.pool,
        priority: job.priority,
        created_at: now,
        needs: job.resources,
        workers: job.workers,
        max_runtime_secs: job.max_runtime,
        concurrency: job.concurrency.clone().map(Box::new),
        phase: Phase::Waiting { not_before: now, last_attempt: 0 },
    }
}

fn start_of(
    queue: &Queue,
    job: &NewJob,
    planned: PlannedJob,
    ratios: (f64, f64),
) -> Option<Interval> {
    let mut queue = queue.clone();
    queue.set_job(job.id, Some(planned));
    forecast(&queue, job.id, ratios)
}

fn usage(total: &Resources, seconds: u64) -> Usage {
    let seconds = seconds as f64;
    Usage {
        cpu_seconds: total.cpu_milli as f64 / 1e3 * seconds,
        memory_gib_seconds: total.memory_bytes as f64 / f64::from(1 << 30) * seconds,
        accelerator_seconds: total.accelerator_milli as f64 / 1e3 * seconds,
    }
}

/// Smaller jobs that the specification can still be trained as.
fn smaller(asked: &PlannedJob, spec: &TrainingSpec) -> Vec<(&'static str, u64, PlannedJob)> {
    let mut changes = Vec::new();
    let runtime = (spec.estimate.seconds * MARGIN).ceil() as u64;
    let runtime = runtime.max(LEAST_RUNTIME_SECS);
    if runtime < asked.max_runtime_secs {
        changes.push((
            "max_runtime",
            runtime,
            PlannedJob { max_runtime_secs: runtime, ..asked.clone() },
        ));
    }
    let memory = spec.estimate.memory_bytes.saturating_mul(2).max(64 << 20);
    if memory < asked.needs.memory_bytes {
        let needs = Resources { memory_bytes: memory, ..asked.needs };
        changes.push(("resources.memory_bytes", memory, PlannedJob { needs, ..asked.clone() }));
    }
    let cpus = (asked.needs.cpu_milli / 2).next_multiple_of(500);
    if cpus > 0 && cpus < asked.needs.cpu_milli {
        let needs = Resources { cpu_milli: cpus, ..asked.needs };
        changes.push(("resources.cpu_milli", cpus, PlannedJob { needs, ..asked.clone() }));
    }
    changes
}

fn suggestions(
    queue: &Queue,
    job: &NewJob,
    asked: &PlannedJob,
    spec: Option<&TrainingSpec>,
    starts: Option<&Interval>,
    ratios: (f64, f64),
) -> Vec<Suggestion> {
    let soon_enough = |other: &Interval| {
        starts.is_none_or(|now| (now.until - other.until).num_seconds() >= WORTH_SAYING_SECS)
    };
    spec.map(|spec| smaller(asked, spec))
        .into_iter()
        .flatten()
        .filter_map(|(field, value, planned)| {
            let starts = start_of(queue, job, planned, ratios).filter(soon_enough)?;
            Some(Suggestion { field: field.to_owned(), value, starts })
        })
        .collect()
}
