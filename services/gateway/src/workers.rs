//! Workers, as operators see them.

use actix_web::{get, patch, web};
use domain::{Resources, Timestamp, WorkerId, hint::Hint, world::WorkerState};
use serde::{Deserialize, Serialize};
use store::workers::{self, Load, Worker};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Body, Caller, Listing, Params, after_cursor,
    audit::Object,
    auth::{ManageWorkers, ReadWorkers},
};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(load).service(change);
}

#[derive(Serialize, ToSchema)]
struct WorkerView {
    id: WorkerId,
    name: String,
    pool: String,
    /// The kind that it has, if it has any.
    accelerator: Option<String>,
    capacity: Resources,
    /// By live attempts, and by what is left of others until their processes have ended.
    used: Resources,
    /// `up`, `cordoned`, `draining` or `gone`.
    state: String,
    running_jobs: i64,
    #[schema(value_type = String, format = DateTime)]
    registered_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    heartbeat_at: Timestamp,
}

impl From<Worker> for WorkerView {
    fn from(worker: Worker) -> Self {
        Self {
            id: worker.id,
            name: worker.name,
            pool: worker.pool,
            accelerator: worker.accelerator,
            capacity: worker.capacity,
            used: worker.used,
            state: worker.state,
            running_jobs: worker.running,
            registered_at: worker.registered_at,
            heartbeat_at: worker.heartbeat_at,
        }
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WorkerParams {
    /// `next` of the page before.
    cursor: Option<String>,
    /// The most items to answer; 1,000 if absent, and at most.
    limit: Option<u32>,
}

/// Workers that are there, and those that left within the last day, by pool and name, with what is in use on each.
#[utoipa::path(
    operation_id = "list_workers", tag = "workers",
    params(WorkerParams),
    responses((status = 200, body = Listing<WorkerView>)),
)]
#[get("/v1/workers")]
async fn list(
    app: web::Data<App>,
    _caller: Caller<ReadWorkers>,
    params: Params<WorkerParams>,
) -> Result<web::Json<Listing<WorkerView>>, ApiError> {
    let WorkerParams { cursor, limit } = params.0;
    let after: Option<WorkerId> = after_cursor(cursor)?;
    let mut tx = app.store.begin().await?;
    let page = workers::list(&mut tx, after, limit.map_or(workers::MOST, i64::from)).await?;
    tx.commit().await?;
    let last = page.items.last().filter(|_| page.has_more).map(|worker| worker.id.to_string());
    let items = page.items.into_iter().map(WorkerView::from).collect();
    Ok(web::Json(Listing { items, next: last }))
}

#[derive(Serialize, ToSchema)]
struct LoadView {
    pool: String,
    /// How many workers are how full, by tenths of the resource that each has least left of: the first less than a
    /// tenth, the last nine tenths and more.
    tenths: Vec<i64>,
    /// Workers with nothing to do; among the first tenth.
    idle: i64,
    cordoned: i64,
    draining: i64,
}

impl From<Load> for LoadView {
    fn from(Load { pool, tenths, idle, cordoned, draining }: Load) -> Self {
        Self { pool, tenths, idle, cordoned, draining }
    }
}

/// How full the workers of every pool are.
#[utoipa::path(
    operation_id = "get_worker_load", tag = "workers",
    responses((status = 200, body = Listing<LoadView>)),
)]
#[get("/v1/workers/load")]
async fn load(
    app: web::Data<App>,
    _caller: Caller<ReadWorkers>,
) -> Result<web::Json<Listing<LoadView>>, ApiError> {
    let mut tx = app.store.begin().await?;
    let found = workers::loads(&mut tx).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(LoadView::from).collect())))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WorkerChange {
    state: WantedState,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WantedState {
    /// Takes new work.
    Up,
    /// Keeps what it runs and is given nothing new.
    Cordoned,
    /// As cordoned, and what it runs moves elsewhere, after a checkpoint.
    Draining,
    /// Removed: what it runs is taken back at once. Its process registers anew if it still is there.
    Gone,
}

/// Cordon, drain or remove a worker, or let it work again.
#[utoipa::path(
    operation_id = "change_worker", tag = "workers",
    params(("id" = WorkerId, Path)),
    request_body = WorkerChange,
    responses((status = 204)),
)]
#[patch("/v1/workers/{id}")]
async fn change(
    app: web::Data<App>,
    caller: Caller<ManageWorkers>,
    id: web::Path<String>,
    Body(wanted): Body<WorkerChange>,
) -> Result<actix_web::HttpResponse, ApiError> {
    let unknown = || ApiError::not_found("worker", &id);
    let worker: WorkerId = id.parse().map_err(|_| unknown())?;
    let state = match wanted.state {
        WantedState::Up => WorkerState::Up,
        WantedState::Cordoned => WorkerState::Cordoned,
        WantedState::Draining => WorkerState::Draining,
        WantedState::Gone => WorkerState::Gone,
    };
    let mut tx = caller.begin_system(&app).await?;
    if !workers::set_state(&mut tx, worker, state).await? {
        return Err(unknown());
    }
    tx.done(Object::new("worker", worker)).await?;
    app.bus.publish(Hint::Queue);
    Ok(actix_web::HttpResponse::NoContent().finish())
}
