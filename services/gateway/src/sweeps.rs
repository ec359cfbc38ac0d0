//! Sweeps: one specification at many points, a few of them at a time.

mod points;

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, get, http::header, post, web};
use domain::{
    FieldErrors, JobId, SweepId, Timestamp,
    hint::Hint,
    job::{JobEvent, JobStatus},
    spec::TrainingDraft,
    world::Concurrency,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{
    PageRequest,
    jobs::{
        self, NewJob,
        sweeps::{self, NewSweep, Sweep},
    },
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use self::points::Point;
use crate::{
    ApiError, App, Body, Caller, Listing, PageParams, Params,
    audit::Object,
    auth::{ReadJobs, SubmitJobs},
    datasets::patience,
    jobs::{PROFILE_PATIENCE, Prepared, accepted_or, find_pools},
    page::after_cursor,
    people::check_label,
};

const MAX_PARALLELISM: i64 = 10_000;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(submit).service(list).service(get).service(cancel).service(pause).service(resume);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SweepDraft {
    /// What all points have in common.
    spec: TrainingDraft,
    /// Values of fields, named with points (`optimizer.learning_rate`): every combination is a job.
    #[schema(value_type = Option<Object>)]
    parameters: Option<BTreeMap<String, Vec<Value>>>,
    /// Or the combinations one by one.
    #[schema(value_type = Option<Vec<Object>>)]
    points: Option<Vec<Point>>,
    /// How many run at once; all that find room if absent.
    parallelism: Option<i64>,
    /// Of the specification, by which the best one is found; `val_loss` if absent.
    metric: Option<String>,
    /// Whether more of it is better; less if absent.
    maximize: Option<bool>,
    name: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct SweepView {
    id: SweepId,
    name: String,
    parallelism: u32,
    metric: String,
    maximize: bool,
    /// How many of its jobs are in each state.
    jobs: BTreeMap<&'static str, u64>,
    /// All of its jobs have ended.
    ended: bool,
    best: Option<BestView>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Of the jobs that succeeded, the one whose metric has reached the best value.
#[derive(Serialize, ToSchema)]
struct BestView {
    job: JobId,
    #[schema(value_type = Object)]
    point: Value,
    value: f64,
}

impl From<Sweep> for SweepView {
    fn from(sweep: Sweep) -> Self {
        Self {
            id: sweep.id,
            name: sweep.name,
            parallelism: sweep.parallelism,
            metric: sweep.metric,
            maximize: !sweep.minimize,
            ended: sweep.jobs.keys().all(|status: &JobStatus| status.is_final()),
            jobs: sweep.jobs.iter().map(|(status, count)| (status.as_str(), *count)).collect(),
            best: sweep.best.map(|best| BestView {
                job: best.job,
                point: best.point,
                value: best.value,
            }),
            created_at: sweep.created_at,
        }
    }
}

/// Train one specification at many points.
///
/// Each point is a job of its own, listed by `GET /v1/jobs?sweep=…`; at most `parallelism` of them run at
/// once. All of them are accepted, or none.
#[utoipa::path(
    operation_id = "submit_sweep", tag = "sweeps",
    request_body = SweepDraft,
    responses(
        (status = 202, body = SweepView),
        (status = 409, description = "The dataset is still being profiled, or the model's name looks like another's"),
    ),
)]
#[post("/v1/sweeps")]
async fn submit(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    request: HttpRequest,
    Body(draft): Body<SweepDraft>,
) -> Result<HttpResponse, ApiError> {
    let patience = patience(request.headers(), PROFILE_PATIENCE);
    let sweep = checked(&draft, &caller)?;
    let points = points::of(draft.parameters.as_ref(), draft.points.as_deref())?;
    let data = Prepared::new(&app, caller.tenant(), patience, &draft.spec).await?;
    let mut jobs = Vec::with_capacity(points.len());
    for (n, point) in points.into_iter().enumerate() {
        jobs.push(one(&app, &caller, &data, &sweep, &draft.spec, n, point)?);
    }
    find_pools(&app, caller.tenant(), &mut jobs).await?;

    let mut tx = caller.begin(&app).await?;
    sweeps::insert(&mut tx, &sweep).await?;
    accepted_or(&jobs[0], jobs::submit_all(&mut tx, &jobs).await?)?;
    let made = sweeps::get(&mut tx, sweep.id).await?.ok_or_else(|| unknown(sweep.id))?;
    tx.done(Object::new("sweep", sweep.id)).await?;
    app.bus.publish(Hint::Queue);
    let location = (header::LOCATION, format!("/v1/sweeps/{}", sweep.id));
    Ok(HttpResponse::Accepted().insert_header(location).json(SweepView::from(made)))
}

fn checked(draft: &SweepDraft, caller: &Caller<SubmitJobs>) -> Result<NewSweep, ApiError> {
    let mut errors = FieldErrors::default();
    let parallelism = draft.parallelism.unwrap_or(MAX_PARALLELISM);
    if !(1..=MAX_PARALLELISM).contains(&parallelism) {
        errors.add("parallelism", format!("`{parallelism}`: use 1 to {MAX_PARALLELISM}"));
    }
    if draft.spec.concurrency.is_some() {
        let why = "the jobs of a sweep share a key of their own; use `parallelism`";
        errors.add("spec.concurrency", why);
    }
    let name = draft.name.clone().unwrap_or_else(|| format!("sweep {}", draft.spec.dataset));
    check_label(&mut errors, "name", &name);
    let metric = draft.metric.clone().unwrap_or_else(|| "val_loss".to_owned());
    check_label(&mut errors, "metric", &metric);
    errors.into_result(())?;
    Ok(NewSweep {
        id: SweepId::generate(),
        name,
        submitted_by: caller.user(),
        parallelism: u32::try_from(parallelism).unwrap_or(1),
        metric,
        minimize: !draft.maximize.unwrap_or(false),
    })
}

/// The job of one point.
fn one(
    app: &App,
    caller: &Caller<SubmitJobs>,
    data: &Prepared,
    sweep: &NewSweep,
    spec: &TrainingDraft,
    n: usize,
    point: Point,
) -> Result<NewJob, ApiError> {
    let within = |error: ApiError| ApiError {
        detail: format!("point {n}: {}", error.detail),
        errors: error
            .errors
            .into_iter()
            .map(|mut error| {
                error.field = format!("points[{n}].{}", error.field);
                error
            })
            .collect(),
        ..error
    };
    let mut draft = points::apply(spec, &point).map_err(within)?;
    draft.name = Some(format!("{} {}", sweep.name.chars().take(90).collect::<String>(), n + 1));
    let job = data.job(app, caller.user(), draft).map_err(within)?;
    let concurrency = Concurrency { key: sweep.id.to_string(), limit: sweep.parallelism };
    let point = (sweep.id, Value::Object(point));
    Ok(NewJob { concurrency: Some(concurrency), point: Some(point), ..job })
}

/// The tenant's sweeps, newest first.
#[utoipa::path(
    operation_id = "list_sweeps", tag = "sweeps",
    params(PageParams),
    responses((status = 200, body = Listing<SweepView>)),
)]
#[get("/v1/sweeps")]
async fn list(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    params: Params<PageParams>,
) -> Result<web::Json<Listing<SweepView>>, ApiError> {
    let before: Option<SweepId> = after_cursor(params.0.cursor)?;
    let page = PageRequest::new(before.map(SweepId::uuid), params.0.limit);
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = sweeps::list(&mut tx, page).await?;
    tx.commit().await?;
    let next = found.items.last().filter(|_| found.has_more).map(|sweep| sweep.id.to_string());
    let items = found.items.into_iter().map(SweepView::from).collect();
    Ok(web::Json(Listing { items, next }))
}

/// One sweep: how its jobs stand, and the best of them.
#[utoipa::path(
    operation_id = "get_sweep", tag = "sweeps",
    params(("sweep" = SweepId, Path)),
    responses((status = 200, body = SweepView)),
)]
#[get("/v1/sweeps/{sweep}")]
async fn get(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    id: web::Path<String>,
) -> Result<web::Json<SweepView>, ApiError> {
    let id = known_id(&id)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let sweep = sweeps::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    tx.commit().await?;
    Ok(web::Json(sweep.into()))
}

/// Ask all of a sweep's jobs to end.
#[utoipa::path(
    operation_id = "cancel_sweep", tag = "sweeps",
    params(("sweep" = SweepId, Path)),
    responses((status = 200, body = SweepView)),
)]
#[post("/v1/sweeps/{sweep}/cancel")]
async fn cancel(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    id: web::Path<String>,
) -> Result<web::Json<SweepView>, ApiError> {
    ask(&app, &caller, &id, &JobEvent::CancelAsked).await
}

/// Hold all of a sweep's jobs that have not ended; what runs stops after a checkpoint.
#[utoipa::path(
    operation_id = "pause_sweep", tag = "sweeps",
    params(("sweep" = SweepId, Path)),
    responses((status = 200, body = SweepView)),
)]
#[post("/v1/sweeps/{sweep}/pause")]
async fn pause(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    id: web::Path<String>,
) -> Result<web::Json<SweepView>, ApiError> {
    ask(&app, &caller, &id, &JobEvent::PauseAsked).await
}

/// Let a sweep's paused jobs go on.
#[utoipa::path(
    operation_id = "resume_sweep", tag = "sweeps",
    params(("sweep" = SweepId, Path)),
    responses((status = 200, body = SweepView)),
)]
#[post("/v1/sweeps/{sweep}/resume")]
async fn resume(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    id: web::Path<String>,
) -> Result<web::Json<SweepView>, ApiError> {
    ask(&app, &caller, &id, &JobEvent::ResumeAsked).await
}

async fn ask(
    app: &App,
    caller: &Caller<SubmitJobs>,
    id: &str,
    event: &JobEvent,
) -> Result<web::Json<SweepView>, ApiError> {
    let id = known_id(id)?;
    let mut tx = caller.begin(app).await?;
    sweeps::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    let asked = sweeps::ask(&mut tx, id, event, &app.config.retry).await?;
    let sweep = sweeps::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    tx.done(Object::new("sweep", id)).await?;
    app.bus.publish(Hint::Queue);
    for job in asked {
        app.bus.publish(Hint::Job(job));
    }
    Ok(web::Json(sweep.into()))
}

fn known_id(text: &str) -> Result<SweepId, ApiError> {
    ApiError::known_id("sweep", text)
}

fn unknown(id: impl std::fmt::Display) -> ApiError {
    ApiError::not_found("sweep", id)
}
