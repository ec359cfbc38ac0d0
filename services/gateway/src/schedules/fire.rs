//! Submitting what is due. Every gateway looks; a row's lock says which of them submits, and the job and
//! the schedule's next time land in one transaction, so that a run happens once.

use std::time::Duration;

use domain::{ScheduleId, TenantId, Timestamp, hint::Hint, spec::TrainingDraft};
use store::{
    StoreError,
    cron::{self, Schedule},
    jobs::{self, NewJob, Submitted},
};
use tracing::warn;

use super::next_time;
use crate::{
    ApiError, App,
    jobs::{prepared, refused},
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
    let Some((schedule, last_ended)) = cron::take(&mut tx, id, now).await? else {
        return Ok(false);
    };
    // an expression that was accepted has a next time, as far as one can see ahead
    let next_at = next_time(&schedule.cron, now)?;
    if schedule.skip_overlap && !last_ended {
        let problem = "the job of the run before has not ended";
        cron::ran(&mut tx, id, (now, next_at), Err(problem)).await?;
        tx.commit().await?;
        return Ok(true);
    }
    let job = prepare(app, tenant, &schedule).await;
    let outcome = match job {
        Ok(job) => match jobs::submit(&mut tx, &job).await? {
            Submitted::Accepted => Ok(job.id),
            Submitted::Refused(refusal) => Err(refused(&job, refusal).detail),
            Submitted::UnknownDependency(on) | Submitted::ImpossibleDependency(on, _) => {
                Err(format!("{on} cannot be waited for any more"))
            }
        },
        // for a while nobody can say whether it would be accepted: it stays due
        Err(error) if error.code.status().is_server_error() => return Err(error),
        Err(error) => Err(error.detail),
    };
    let outcome = outcome.as_ref().copied().map_err(String::as_str);
    cron::ran(&mut tx, id, (now, next_at), outcome).await?;
    tx.commit().await?;
    Ok(true)
}

async fn prepare(app: &App, tenant: TenantId, schedule: &Schedule) -> Result<NewJob, ApiError> {
    let draft: TrainingDraft = serde_json::from_value(schedule.draft.clone())
        .map_err(|error| ApiError::field("spec", error.to_string()))?;
    prepared(app, (tenant, schedule.created_by), Duration::ZERO, draft).await
}
