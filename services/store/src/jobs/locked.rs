//! Jobs' rows, locked, and the states that they hold.

use std::{collections::BTreeMap, num::NonZeroU32};

use domain::{
    JobId, Timestamp, WorkerId,
    job::{Attempt, JobEvent, JobState, JobStatus, Outcome, Run, StopReason},
};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::json_column;
use crate::StoreError;

/// A job's state, and at which time it is decided about.
pub(super) struct Known {
    pub before: JobState,
    pub is_profile: bool,
    pub now: Timestamp,
}

struct Row {
    id: Uuid,
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

/// Those that are named, as of `now` or of the transaction's time. In the order of ids, as every bulk writer
/// does, so that none waits for another in a circle.
pub(super) async fn lock(
    conn: &mut PgConnection,
    events: &BTreeMap<JobId, JobEvent>,
    now: Option<Timestamp>,
) -> Result<BTreeMap<JobId, Known>, StoreError> {
    let ids: Vec<_> = events.keys().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"select id, kind, status, attempt, tries, not_before, worker_id, stop_reason, cause,
                  finished_at, now() as "now!"
           from job where id = any($1) order by id for update"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let known = rows.into_iter().map(|row| {
        let (id, now) = (JobId::from_uuid(row.id), now.unwrap_or(row.now));
        let is_profile = row.kind == "profile";
        Ok((id, Known { before: state(id, row)?, is_profile, now }))
    });
    known.collect()
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
        JobStatus::Paused => Ok(JobState::Paused { tries, last_attempt }),
        JobStatus::Starting => Ok(JobState::Starting { run: run()? }),
        JobStatus::Running => Ok(JobState::Running { run: run()? }),
        JobStatus::Stopping => {
            let why = match row.stop_reason.as_deref() {
                Some("cancelled") => StopReason::Cancelled,
                Some("paused") => StopReason::Paused,
                _ => StopReason::Preempted,
            };
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
