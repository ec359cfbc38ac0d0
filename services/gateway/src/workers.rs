//! Workers, as operators see them.

use actix_web::{get, patch, web};
use domain::{Resources, Timestamp, WorkerId, hint::Hint, world::WorkerState};
use serde::{Deserialize, Serialize};
use store::workers::{self, Worker};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Body, Caller, Listing,
    audit::Object,
    auth::{ManageWorkers, ReadWorkers},
};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(change);
}

#[derive(Serialize, ToSchema)]
struct WorkerView {
    id: WorkerId,
    name: String,
    pool: String,
    capacity: Resources,
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
        let Worker { id, name, pool, capacity, state, registered_at, heartbeat_at, running } =
            worker;
        let running_jobs = running;
        Self { id, name, pool, capacity, state, running_jobs, registered_at, heartbeat_at }
    }
}

/// Workers that are there, and those that left within the last day.
#[utoipa::path(
    operation_id = "list_workers", tag = "workers",
    responses((status = 200, body = Listing<WorkerView>)),
)]
#[get("/v1/workers")]
async fn list(
    app: web::Data<App>,
    _caller: Caller<ReadWorkers>,
) -> Result<web::Json<Listing<WorkerView>>, ApiError> {
    let mut tx = app.store.begin().await?;
    let found = workers::list(&mut tx).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(WorkerView::from).collect())))
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
