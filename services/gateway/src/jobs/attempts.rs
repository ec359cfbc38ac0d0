//! A job's attempts: where each ran, how it ended and what it used.

use actix_web::{get, web};
use domain::{JobId, Resources, Timestamp, WorkerId};
use serde::Serialize;
use store::{
    jobs,
    usage::{self, AttemptRecord, Used},
};
use utoipa::ToSchema;

use super::{known_id, unknown};
use crate::{ApiError, App, Caller, Listing, auth::ReadJobs, cause::CauseView, usage::SpendView};

#[derive(Serialize, ToSchema)]
struct AttemptView {
    number: u32,
    /// Of several, the first.
    worker: WorkerId,
    workers: u32,
    #[schema(value_type = String, format = DateTime)]
    assigned_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// `succeeded`, `failed`, `stopped` or `lost`; absent while it is live.
    outcome: Option<String>,
    cause: Option<CauseView>,
    /// The checkpoint that it went on from.
    resumed_from_step: Option<u64>,
    /// Absent while it is live.
    used: Option<UsedView>,
}

#[derive(Serialize, ToSchema)]
struct UsedView {
    /// By all of its workers together.
    resources: Resources,
    /// From being assigned to its end, but at most `max_runtime`.
    millis: u64,
    /// Of these, what the tenant pays for.
    paid_millis: u64,
    cost: SpendView,
}

impl From<Used> for UsedView {
    fn from(used: Used) -> Self {
        let Used { resources, millis, paid_millis, cost } = used;
        Self { resources, millis, paid_millis, cost: cost.into() }
    }
}

impl From<AttemptRecord> for AttemptView {
    fn from(record: AttemptRecord) -> Self {
        Self {
            number: record.number,
            worker: record.worker,
            workers: record.workers,
            assigned_at: record.assigned_at,
            started_at: record.started_at,
            ended_at: record.ended_at,
            outcome: record.outcome,
            cause: record.cause.map(CauseView::from),
            resumed_from_step: record.resumed_from_step,
            used: record.used.map(UsedView::from),
        }
    }
}

/// A job's attempts, in order, with what each used and cost.
#[utoipa::path(
    operation_id = "list_attempts", tag = "jobs",
    params(("id" = JobId, Path)),
    responses((status = 200, body = Listing<AttemptView>)),
)]
#[get("/v1/jobs/{id}/attempts")]
pub(super) async fn attempts(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    id: web::Path<String>,
) -> Result<web::Json<Listing<AttemptView>>, ApiError> {
    let id = known_id(&id)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    jobs::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    let found = usage::of_job(&mut tx, caller.tenant(), id).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(AttemptView::from).collect())))
}
