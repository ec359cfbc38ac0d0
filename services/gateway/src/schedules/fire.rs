//! Submitting what is due. Every gateway looks; a row's lock says which of them submits, and the job and
//! the schedule's next time land in one transaction, so that a run happens once.

use std::time::Duration;

use domain::{
    JobId, ScheduleId, TenantId, Timestamp, audit::Entry, hint::Hint, spec::TrainingDraft,
};
use store::{
    StoreError, TenantTx, audit,
    cron::{self, Schedule},
    jobs::{self, NewJob},
};
use tracing::warn;

use super::next_time;
use crate::{
    ApiError, App,
    jobs::{accepted_or, prepared},
};

/// Looked at in one go.
const BATCH: i64 = 100;

/// Submits the runs whose time has come; how many schedules that was.
pub async fn fire_due(app: &App) -> Result<usize, StoreError> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let due = cron::due(&mut tx, now, BATCH).await?;
    tx.commit().await?;
    let mut fired = 0;
    for (tenant, id) in due {
        match fire(app, tenant, id, now).await {
            Ok(did) => fired += usize::from(did),
            Err(error) => warn!(schedule.id = %id, %error, "a scheduled run was not submitted yet"),
        }
    }
    if fired > 0 {
        app.bus.publish(Hint::Queue);
    }
    Ok(fired)
}

/// False if another process did it.
async fn fire(
    app: &App,
    tenant: TenantId,
    id: ScheduleId,
    now: Timestamp,
) -> Result<bool, ApiError> {
    let mut tx = app.store.begin_for(tenant).await?;
    let schedule = cron::get(&mut tx, id).await?;
    tx.commit().await?;
    let Some(schedule) = schedule else { return Ok(false) };
    // an expression that was accepted has a next time, as far as one can see ahead
    let next_at = next_time(&schedule.cron, now)?;
    let prepared = prepare(app, tenant, &schedule).await;

    let mut tx = app.store.begin_for(tenant).await?;
    let Some(last_ended) = cron::take(&mut tx, id, now).await? else { return Ok(false) };
    let outcome = if schedule.skip_overlap && !last_ended {
        Err("the job of the run before has not ended".to_owned())
    } else {
        match submit(&mut tx, prepared).await {
            Ok(job) => Ok(job),
            // for a while nobody can say whether it would be accepted: it stays due
            Err(error) if error.code.status().is_server_error() => return Err(error),
            Err(error) => Err(error.detail),
        }
    };
    if let Ok(job) = outcome {
        audit::append(&mut tx, Some(tenant), &fired(&schedule, job)).await?;
    }
    let outcome = outcome.as_ref().copied().map_err(String::as_str);
    cron::ran(&mut tx, id, (now, next_at), outcome).await?;
    tx.commit().await?;
    Ok(true)
}

/// For the audit log: nobody asked for it now, but whoever made the schedule did.
fn fired(schedule: &Schedule, job: JobId) -> Entry {
    let fired = Entry::done("fire_schedule", "job", job);
    Entry { user: Some(schedule.created_by), ..fired }
}

async fn prepare(app: &App, tenant: TenantId, schedule: &Schedule) -> Result<NewJob, ApiError> {
    let draft: TrainingDraft = serde_json::from_value(schedule.draft.clone())
        .map_err(|error| ApiError::field("spec", error.to_string()))?;
    prepared(app, (tenant, schedule.created_by), Duration::ZERO, draft).await
}

async fn submit(
    tx: &mut TenantTx<'_>,
    prepared: Result<NewJob, ApiError>,
) -> Result<JobId, ApiError> {
    let job = prepared?;
    accepted_or(&job, jobs::submit(tx, &job).await?)?;
    Ok(job.id)
}
