//! The one way a job's status changes: lock the row, let [`JobState::apply`] decide, write what it
//! says, and append the event. The database's CHECK constraints repeat the invariants.

use std::{num::NonZeroU32, time::Duration};

use domain::{
    JobId, Timestamp, WorkerId,
    job::{
        Attempt, Cause, JobEvent, JobState, JobStatus, Outcome, Refused, Report, RetryPolicy, Run,
        StopReason,
    },
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::json_column;
use crate::{StoreError, events};

struct Row {
    kind: String,
    status: String,
    attempt: i32,
    tries: i32,
    not_before: Timestamp,
    worker_id: Option<Uuid>,
    stop_reason: Option<String>,
    cause: Option<Value>,
    finished_at: Option<Timestamp>,
    now: Timestamp,
}

/// `Err` if the state machine refuses the event; nothing has changed then. `lease` is needed for
/// `Assigned` alone.
pub(crate) async fn transition(
    conn: &mut PgConnection,
    id: JobId,
    event: JobEvent,
    retry: &RetryPolicy,
    lease: Option<Duration>,
) -> Result<Result<JobState, Refused>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"select kind, status, attempt, tries, not_before, worker_id, stop_reason, cause, finished_at,
                  now() as "now!"
           from job where id = $1 for update"#,
        id.uuid(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(Err(Refused::Superseded)) };
    let (now, is_profile) = (row.now, row.kind == "profile");
    let before = state(id, row)?;
    let after = match before.clone().apply(event.clone(), retry, now) {
        Ok(after) => after,
        Err(refused) => return Ok(Err(refused)),
    };
    if after == before {
        return Ok(Ok(after));
    }
    write(conn, id, &after, cause_of(&event, &after), lease).await?;
    close_attempt(conn, &event, &before, &after).await?;
    if let (true, JobState::Finished { outcome, .. }) = (is_profile, &after) {
        settle_profile(conn, id, outcome).await?;
    }
    let (kind, data) = describe(&event, &after);
    events::append(conn, id, kind, data).await?;
    Ok(Ok(after))
}

fn state(id: JobId, row: Row) -> Result<JobState, StoreError> {
    let corrupt = |column, why: &str| StoreError::corrupt("job", column, format!("{why} in {id}"));
    let last_attempt = row.attempt.unsigned_abs();
    let tries = row.tries.unsigned_abs();
    let run = || {
        let number = NonZeroU32::new(last_attempt).ok_or_else(|| corrupt("attempt", "0"))?;
        let worker = row.worker_id.ok_or_else(|| corrupt("worker_id", "null"))?;
        let attempt = Attempt { job: id, number };
        Ok::<_, StoreError>(Run { attempt, worker: WorkerId::from_uuid(worker), tries })
    };
    let finished = |outcome| {
        let at = row.finished_at.ok_or_else(|| corrupt("finished_at", "null"))?;
        Ok::<_, StoreError>(JobState::Finished { outcome, at, last_attempt })
    };
    let status: JobStatus = row.status.parse().map_err(|why: String| corrupt("status", &why))?;
    match status {
        JobStatus::Queued => {
            Ok(JobState::Queued { not_before: row.not_before, tries, last_attempt })
        }
        JobStatus::Starting => Ok(JobState::Starting { run: run()? }),
        JobStatus::Running => Ok(JobState::Running { run: run()? }),
        JobStatus::Stopping => {
            let cancelled = row.stop_reason.as_deref() == Some("cancelled");
            let why = if cancelled { StopReason::Cancelled } else { StopReason::Preempted };
            Ok(JobState::Stopping { run: run()?, why })
        }
        JobStatus::Succeeded => finished(Outcome::Succeeded),
        JobStatus::Cancelled => finished(Outcome::Cancelled),
        JobStatus::Failed => {
            let cause = json_column(row.cause.clone(), "job", "cause")?
                .ok_or_else(|| corrupt("cause", "null"))?;
            finished(Outcome::Failed(cause))
        }
    }
}

/// The reason to keep with the job: of its final failure, or of the try that just failed.
fn cause_of(event: &JobEvent, after: &JobState) -> Option<Cause> {
    match (after, event) {
        (JobState::Finished { outcome: Outcome::Failed(cause), .. }, _) => Some(cause.clone()),
        (JobState::Queued { .. }, JobEvent::Reported { report: Report::Failed(cause), .. }) => {
            Some(cause.clone())
        }
        (JobState::Queued { .. }, JobEvent::LeaseLost { .. }) => {
            Some(Cause::retryable("lease_lost", "its worker stopped answering"))
        }
        _ => None,
    }
}

async fn write(
    conn: &mut PgConnection,
    id: JobId,
    after: &JobState,
    cause: Option<Cause>,
    lease: Option<Duration>,
) -> Result<(), StoreError> {
    let run = after.run();
    let (mut not_before, mut tries, mut finished_at, mut stop) = (None, None, None, None);
    match after {
        JobState::Queued { not_before: at, tries: n, .. } => {
            not_before = Some(*at);
            tries = Some(*n);
        }
        JobState::Finished { at, .. } => finished_at = Some(*at),
        JobState::Stopping { why: StopReason::Cancelled, .. } => stop = Some("cancelled"),
        JobState::Stopping { why: StopReason::Preempted, .. } => stop = Some("preempted"),
        JobState::Starting { .. } | JobState::Running { .. } => {}
    }
    let cause = cause
        .map(serde_json::to_value)
        .transpose()
        .map_err(|why| StoreError::corrupt("job", "cause", why))?;
    sqlx::query!(
        "update job set
             status = $2,
             attempt = coalesce($3, attempt),
             worker_id = $4,
             -- a new assignment starts a lease and the clock of max_runtime; a live one keeps both
             lease_until = case when $4::uuid is null then null
                                else coalesce(lease_until, now() + make_interval(secs => $5)) end,
             deadline = case when $4::uuid is null then null
                             else coalesce(deadline, now() + make_interval(secs => max_runtime)) end,
             not_before = coalesce($6, not_before),
             tries = coalesce($7, tries),
             finished_at = $8,
             stop_reason = $9,
             cause = case when $2 = 'succeeded' then null else coalesce($10, cause) end,
             wait_reason = null,
             started_at = case when $2 = 'running' then coalesce(started_at, now()) else started_at end
         where id = $1",
        id.uuid(),
        after.status().as_str(),
        run.map(|run| number(run.attempt)),
        run.map(|run| run.worker.uuid()),
        lease.map(|lease| lease.as_secs_f64()),
        not_before,
        tries.map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
        finished_at,
        stop,
        cause,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) fn number(attempt: Attempt) -> i32 {
    i32::try_from(attempt.number.get()).unwrap_or(i32::MAX)
}

/// The attempt's own row: begun when assigned, ended with the run.
async fn close_attempt(
    conn: &mut PgConnection,
    event: &JobEvent,
    before: &JobState,
    after: &JobState,
) -> Result<(), StoreError> {
    if let JobEvent::Assigned { attempt, worker } = event {
        sqlx::query!(
            "insert into attempt (job_id, number, tenant_id, worker_id)
             select id, $2, tenant_id, $3 from job where id = $1",
            attempt.job.uuid(),
            number(*attempt),
            worker.uuid(),
        )
        .execute(&mut *conn)
        .await?;
    }
    let (Some(run), None) = (before.run(), after.run()) else { return Ok(()) };
    let (outcome, cause) = match event {
        JobEvent::Reported { report: Report::Succeeded, .. } => ("succeeded", None),
        JobEvent::Reported { report: Report::Failed(cause), .. } => ("failed", Some(cause)),
        JobEvent::Reported { report: Report::Stopped, .. } => ("stopped", None),
        _ => ("lost", None),
    };
    let cause = cause
        .map(serde_json::to_value)
        .transpose()
        .map_err(|why| StoreError::corrupt("attempt", "cause", why))?;
    sqlx::query!(
        "update attempt set ended_at = now(), outcome = $3, cause = $4
         where job_id = $1 and number = $2",
        run.attempt.job.uuid(),
        number(run.attempt),
        outcome,
        cause,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A profile job that ended badly leaves its cause as the version's problem.
async fn settle_profile(
    conn: &mut PgConnection,
    id: JobId,
    outcome: &Outcome,
) -> Result<(), StoreError> {
    let cause = match outcome {
        Outcome::Succeeded => return Ok(()),
        Outcome::Failed(cause) => cause.clone(),
        Outcome::Cancelled => Cause::fatal("cancelled", "its profile job was cancelled"),
    };
    let cause = serde_json::to_value(cause)
        .map_err(|why| StoreError::corrupt("dataset_version", "problem", why))?;
    sqlx::query!(
        "update dataset_version v set problem = $2
         from job j
         where j.id = $1 and v.dataset_id = j.dataset_id and v.number = j.dataset_version
           and v.profile is null",
        id.uuid(),
        cause,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The event's name and what a client is told with it.
fn describe(event: &JobEvent, after: &JobState) -> (&'static str, Value) {
    let attempt = after.run().map(|run| run.attempt.number);
    match after {
        JobState::Queued { not_before, tries, .. } => {
            let why = match event {
                JobEvent::Reported { report: Report::Failed(cause), .. } => json!(cause),
                JobEvent::LeaseLost { .. } => json!({"code": "lease_lost"}),
                _ => json!({"code": "preempted"}),
            };
            ("requeued", json!({"not_before": not_before, "tries": tries, "cause": why}))
        }
        JobState::Starting { run } => {
            ("starting", json!({"attempt": attempt, "worker": run.worker}))
        }
        JobState::Running { .. } => ("running", json!({"attempt": attempt})),
        JobState::Stopping { why, .. } => ("stopping", json!({"attempt": attempt, "reason": why})),
        JobState::Finished { outcome: Outcome::Succeeded, .. } => ("succeeded", json!({})),
        JobState::Finished { outcome: Outcome::Cancelled, .. } => ("cancelled", json!({})),
        JobState::Finished { outcome: Outcome::Failed(cause), .. } => {
            ("failed", json!({"cause": cause}))
        }
    }
}
