//! Reading jobs, what they measured and said, and asking one to end.

use std::collections::BTreeMap;

use actix_web::{get, post, web};
use domain::{
    JobId, SweepId, Timestamp,
    hint::Hint,
    job::{JobKind, JobStatus, Refused},
};
use serde::{Deserialize, Serialize};
use store::{
    PageRequest, TenantTx, events,
    jobs::{self, Job, JobFilter},
};
use utoipa::{IntoParams, ToSchema};

use super::{JobView, known_id, unknown};
use crate::{
    ApiError, App, Caller, Code, Listing, Params,
    audit::{Act, Object},
    auth::{ReadJobs, SubmitJobs, Unknown},
    page::after_cursor,
};

const DEFAULT_LOG_LINES: u32 = 200;
const MAX_LOG_LINES: u32 = 5_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    status: Option<JobStatus>,
    kind: Option<JobKind>,
    /// The jobs of this sweep alone.
    sweep: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// The most items to answer, 50 if absent, at most 200.
    limit: Option<u32>,
}

/// List the tenant's jobs, newest first.
#[utoipa::path(
    operation_id = "list_jobs",
    tag = "jobs",
    params(ListParams),
    responses((status = 200, body = Listing<JobView>)),
)]
#[get("/v1/jobs")]
pub(super) async fn list(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    params: Params<ListParams>,
) -> Result<web::Json<Listing<JobView>>, ApiError> {
    let params = params.0;
    let before: Option<JobId> = after_cursor(params.cursor)?;
    let page = PageRequest::new(before.map(JobId::uuid), params.limit);
    let sweep = params.sweep.map(|id| id.parse::<SweepId>()).transpose();
    let sweep = sweep.map_err(|error| ApiError::field("sweep", error.to_string()))?;
    let filter = JobFilter { status: params.status, kind: params.kind, sweep };
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = jobs::list(&mut tx, &filter, page).await?;
    tx.commit().await?;
    let next = found.items.last().filter(|_| found.has_more).map(|job| job.id.to_string());
    let brief = |job| JobView { spec: None, ..JobView::new(job, caller.tenant_slug()) };
    Ok(web::Json(Listing { items: found.items.into_iter().map(brief).collect(), next }))
}

/// Read a job.
#[utoipa::path(
    operation_id = "get_job",
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses((status = 200, body = JobView)),
)]
#[get("/v1/jobs/{id}")]
pub(super) async fn get(
    app: web::Data<App>,
    caller: Unknown<ReadJobs>,
    id: web::Path<String>,
) -> Result<web::Json<JobView>, ApiError> {
    let wanted: Option<JobId> = id.parse().ok();
    let (caller, job) = caller.read(&app, wanted.as_ref()).await?;
    let job = job.ok_or_else(|| unknown(id))?;
    Ok(web::Json(JobView::new(job, caller.tenant_slug())))
}

/// Ask a job to end.
///
/// A waiting job ends at once, a running one within moments. Asking again, or after the end, changes
/// nothing.
#[utoipa::path(
    operation_id = "cancel_job",
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses(
        (status = 200, body = JobView),
        (status = 409, description = "A profile job that has not ended"),
    ),
)]
#[post("/v1/jobs/{id}/cancel")]
pub(super) async fn cancel(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    id: web::Path<String>,
) -> Result<web::Json<JobView>, ApiError> {
    let id = known_id(&id)?;
    let mut tx = caller.begin(&app).await?;
    let job = jobs::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    if job.kind == JobKind::Profile && !job.status.is_final() {
        let why = "a profile job is short, and without it the dataset's version could not be used; \
                   it cannot be cancelled";
        return Err(ApiError::new(Code::Conflict, why));
    }
    let job = jobs::cancel(&mut tx, id, &app.config.retry).await?.ok_or_else(|| unknown(id))?;
    tx.done(Object::new("job", id)).await?;
    if let Some(worker) = job.worker {
        app.bus.publish(Hint::Worker(worker));
    }
    app.bus.publish(Hint::Queue);
    app.bus.publish(Hint::Job(id));
    Ok(web::Json(JobView::new(job, caller.tenant_slug())))
}

/// Hold a job until it is resumed.
///
/// A waiting job does not start; a running one stops after a checkpoint, from which it goes on. Asking
/// again changes nothing; a job that has ended answers 409.
#[utoipa::path(
    operation_id = "pause_job",
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses(
        (status = 200, body = JobView),
        (status = 409, description = "The job has ended"),
    ),
)]
#[post("/v1/jobs/{id}/pause")]
pub(super) async fn pause(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    id: web::Path<String>,
) -> Result<web::Json<JobView>, ApiError> {
    let id = known_id(&id)?;
    let mut tx = caller.begin(&app).await?;
    let asked = jobs::pause(&mut tx, id, &app.config.retry).await?;
    told(&app, &caller, tx, id, asked).await
}

/// Let a paused job go on.
#[utoipa::path(
    operation_id = "resume_job",
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses(
        (status = 200, body = JobView),
        (status = 409, description = "The job has ended"),
    ),
)]
#[post("/v1/jobs/{id}/resume")]
pub(super) async fn resume(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    id: web::Path<String>,
) -> Result<web::Json<JobView>, ApiError> {
    let id = known_id(&id)?;
    let mut tx = caller.begin(&app).await?;
    let asked = jobs::resume(&mut tx, id, &app.config.retry).await?;
    told(&app, &caller, tx, id, asked).await
}

async fn told(
    app: &App,
    caller: &Caller<SubmitJobs>,
    tx: Act<TenantTx<'_>>,
    id: JobId,
    asked: Option<Result<Job, Refused>>,
) -> Result<web::Json<JobView>, ApiError> {
    let job = asked.ok_or_else(|| unknown(id))?.map_err(|_| {
        ApiError::new(Code::Conflict, format!("{id} has ended; submit its specification again"))
    })?;
    tx.done(Object::new("job", id)).await?;
    if let Some(worker) = job.worker {
        app.bus.publish(Hint::Worker(worker));
    }
    app.bus.publish(Hint::Queue);
    app.bus.publish(Hint::Job(id));
    Ok(web::Json(JobView::new(job, caller.tenant_slug())))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MetricsView {
    /// By the metric's name, in the order of steps.
    series: BTreeMap<String, Vec<MetricPoint>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct MetricPoint {
    step: u64,
    epoch: u32,
    /// Null where the training computed no finite number.
    #[schema(value_type = Option<f64>)]
    value: f64,
}

/// Read what a job has measured, as time series.
#[utoipa::path(
    operation_id = "get_job_metrics",
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses((status = 200, body = MetricsView)),
)]
#[get("/v1/jobs/{id}/metrics")]
pub(super) async fn metrics(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    id: web::Path<String>,
) -> Result<web::Json<MetricsView>, ApiError> {
    let id = known_id(&id)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    jobs::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    let points = events::metrics(&mut tx, id).await?;
    tx.commit().await?;
    let mut series: BTreeMap<String, Vec<MetricPoint>> = BTreeMap::new();
    for point in points {
        let events::Point { name, step, epoch, value, .. } = point;
        series.entry(name).or_default().push(MetricPoint { step, epoch, value });
    }
    Ok(web::Json(MetricsView { series }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LogParams {
    /// The most lines to answer, the last ones; 200 if absent, at most 5,000.
    limit: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LogLineView {
    attempt: u32,
    /// Counted from the attempt's start.
    line: u64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    text: String,
}

/// Read the last lines that a job has written.
#[utoipa::path(
    operation_id = "get_job_logs",
    tag = "jobs",
    params(("id" = JobId, Path), LogParams),
    responses((status = 200, body = Listing<LogLineView>)),
)]
#[get("/v1/jobs/{id}/logs")]
pub(super) async fn logs(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    id: web::Path<String>,
    params: Params<LogParams>,
) -> Result<web::Json<Listing<LogLineView>>, ApiError> {
    let id = known_id(&id)?;
    let limit = params.0.limit.unwrap_or(DEFAULT_LOG_LINES).clamp(1, MAX_LOG_LINES);
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    jobs::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    let lines = events::logs(&mut tx, id, limit).await?;
    tx.commit().await?;
    let view = |line: events::LogLine| LogLineView {
        attempt: line.attempt,
        line: line.line_no,
        at: line.at,
        text: line.line,
    };
    Ok(web::Json(Listing::whole(lines.into_iter().map(view).collect())))
}
