//! Workers, as operators see them.

use actix_web::{get, web};
use domain::{Timestamp, WorkerId, spec::Resources};
use serde::Serialize;
use store::workers::{self, Worker};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{ApiError, App, Caller, Listing, auth::ReadWorkers};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list);
}

#[derive(Serialize, ToSchema)]
struct WorkerView {
    id: WorkerId,
    name: String,
    capacity: Resources,
    /// `up`, `draining` or `gone`.
    state: String,
    running_jobs: i64,
    #[schema(value_type = String, format = DateTime)]
    registered_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    heartbeat_at: Timestamp,
}

impl From<Worker> for WorkerView {
    fn from(worker: Worker) -> Self {
        let Worker { id, name, capacity, state, registered_at, heartbeat_at, running } = worker;
        Self { id, name, capacity, state, running_jobs: running, registered_at, heartbeat_at }
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
