//! What a worker reads and writes about its attempts. Every write carries the attempt's number and
//! matches nothing once the attempt has been superseded: that is an answer, not an error.

mod assigned;
mod record;

use std::{collections::BTreeMap, num::NonZeroU32};

use domain::{
    JobId, WorkerId,
    job::{Attempt, JobEvent, JobState, Refused, Report, RetryPolicy, StopReason},
};
use serde_json::json;

use crate::{
    StoreError, SystemTx, Tx,
    changes::{self, Change},
    events,
    jobs::transition::{Told, number, transition, transition_all},
};

pub use assigned::{Asks, Assignment, Checkpoint, Sides, Stored, assigned_to};
pub use record::record;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    Continue,
    Stop(StopReason),
    /// The attempt is no longer this worker's: kill the child, report nothing.
    Superseded,
}

/// What an attempt says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The child is up.
    Started {
        resumed_from_step: Option<u64>,
    },
    Ended(Report),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    Recorded,
    Superseded,
}

/// Says that the worker is alive, which renews its lease and so that of all its attempts; and its
/// [`progress`].
pub async fn heartbeat(
    tx: &mut SystemTx<'_>,
    worker: WorkerId,
    running: &[(Attempt, Option<u64>)],
) -> Result<Vec<Directive>, StoreError> {
    sqlx::query!("update worker set heartbeat_at = now() where id = $1", worker.uuid())
        .execute(tx.conn())
        .await?;
    progress(tx, worker, running).await
}

/// How far `running` are; the answer has one directive for each, in order. How far an attempt is, the worker
/// of its rank 0 knows alone. Locks only rows that it changes, in the order of ids, as every bulk writer does.
pub async fn progress(
    tx: &mut SystemTx<'_>,
    worker: WorkerId,
    running: &[(Attempt, Option<u64>)],
) -> Result<Vec<Directive>, StoreError> {
    if running.is_empty() {
        return Ok(Vec::new());
    }
    let jobs: Vec<_> = running.iter().map(|(attempt, _)| attempt.job.uuid()).collect();
    let numbers: Vec<_> = running.iter().map(|(attempt, _)| number(*attempt)).collect();
    let steps: Vec<i64> = running
        .iter()
        .map(|(_, step)| step.map_or(-1, |s| i64::try_from(s).unwrap_or(i64::MAX)))
        .collect();
    let rows = sqlx::query!(
        r#"with beat as (
             select * from unnest($2::uuid[], $3::int[], $4::bigint[])
                 with ordinality as b (job_id, number, step, place)
         ), further as (
             select j.id, b.step
             from job j join beat b on b.job_id = j.id and b.number = j.attempt
             where j.worker_id = $1 and j.status in ('starting', 'running', 'stopping')
               and b.step >= 0 and j.step is distinct from b.step
             order by j.id
             for update of j
         ), advanced as (
             update job j set step = f.step from further f where j.id = f.id
         )
         select j.id is not null as "mine!", j.stop_reason as "stop_reason?"
         from beat b
         left join job j on j.id = b.job_id and j.attempt = b.number
             and j.status in ('starting', 'running', 'stopping')
             and (j.worker_id = $1 or j.workers > 1 and exists (
                 select from seat s
                 where s.job_id = b.job_id and s.number = b.number and s.worker_id = $1
                   and s.left_at is null))
         order by b.place"#,
        worker.uuid(),
        &jobs,
        &numbers,
        &steps,
    )
    .fetch_all(tx.conn())
    .await?;
    let directive = rows.into_iter().map(|row| match (row.mine, row.stop_reason.as_deref()) {
        (false, _) => Directive::Superseded,
        (true, None) => Directive::Continue,
        (true, Some("cancelled")) => Directive::Stop(StopReason::Cancelled),
        (true, Some("paused")) => Directive::Stop(StopReason::Paused),
        (true, Some(_)) => Directive::Stop(StopReason::Preempted),
    });
    Ok(directive.collect())
}

/// Attempts, with the rank, that this worker was given and has begun, of which it knows nothing any more.
/// Seats of attempts that have ended are among them: they are to be left.
pub async fn forgotten(
    tx: &mut SystemTx<'_>,
    worker: WorkerId,
    known: &[(Attempt, u32)],
) -> Result<Vec<(Attempt, u32)>, StoreError> {
    let rows = sqlx::query!(
        r#"select job_id as "job_id!", number as "number!", 0 as "rank!" from attempt
           where worker_id = $1 and ended_at is null and started_at is not null
           union
           select s.job_id, s.number, s.rank from seat s join attempt a using (job_id, number)
           where s.worker_id = $1 and s.left_at is null
             and (s.started_at is not null or a.ended_at is not null)"#,
        worker.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let attempt = rows.into_iter().filter_map(|row| {
        let number = NonZeroU32::new(row.number.unsigned_abs())?;
        Some((Attempt { job: JobId::from_uuid(row.job_id), number }, row.rank.unsigned_abs()))
    });
    Ok(attempt.filter(|rank| !known.contains(rank)).collect())
}

/// The process of a rank beside 0 is up. `Superseded` says: do not run it.
pub async fn taken(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    rank: u32,
) -> Result<Recorded, StoreError> {
    let taken = sqlx::query!(
        "update seat s set started_at = coalesce(s.started_at, now())
         from job j
         where s.job_id = $1 and s.number = $2 and s.rank = $3 and s.left_at is null
           and j.id = s.job_id and j.attempt = s.number
           and j.status in ('starting', 'running', 'stopping')",
        attempt.job.uuid(),
        number(attempt),
        i32::try_from(rank).unwrap_or(i32::MAX),
    )
    .execute(tx.conn())
    .await?;
    Ok(if taken.rows_affected() > 0 { Recorded::Recorded } else { Recorded::Superseded })
}

/// The process of a gang's rank has ended, whether its attempt has or not: its room is free as soon as
/// both have. Of an attempt of one worker there is nothing to leave.
pub async fn leave(tx: &mut SystemTx<'_>, attempt: Attempt, rank: u32) -> Result<(), StoreError> {
    let worker = sqlx::query_scalar!(
        "update seat set left_at = now()
         where job_id = $1 and number = $2 and rank = $3 and left_at is null
         returning worker_id",
        attempt.job.uuid(),
        number(attempt),
        i32::try_from(rank).unwrap_or(i32::MAX),
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(worker) = worker {
        changes::note(tx.conn(), &[Change::Worker(WorkerId::from_uuid(worker))]).await?;
    }
    Ok(())
}

/// What many attempts say of themselves, each job named once; for each, in the same order, the job's new
/// state or why the word does not count. For a success that publishes something see [`report`].
pub async fn tell(
    tx: &mut SystemTx<'_>,
    words: &[(Attempt, Word)],
    retry: &RetryPolicy,
) -> Result<Vec<Result<JobState, Refused>>, StoreError> {
    let events = words.iter().map(|(attempt, word)| (attempt.job, event_of(*attempt, word)));
    let outcomes = transition_all(tx.conn(), events.collect(), retry, Told::ByOthers).await?;
    let mut outcomes: BTreeMap<_, _> = outcomes.into_iter().collect();
    let outcomes: Vec<_> = words
        .iter()
        .map(|(attempt, _)| outcomes.remove(&attempt.job).unwrap_or(Err(Refused::Superseded)))
        .collect();
    let (mut jobs, mut numbers, mut steps) = (vec![], vec![], vec![]);
    for ((attempt, word), outcome) in words.iter().zip(&outcomes) {
        if let (Word::Started { resumed_from_step }, Ok(_)) = (word, outcome) {
            jobs.push(attempt.job.uuid());
            numbers.push(number(*attempt));
            steps.push(resumed_from_step.map(|step| i64::try_from(step).unwrap_or(i64::MAX)));
        }
    }
    if !jobs.is_empty() {
        sqlx::query!(
            "update attempt a set started_at = now(), resumed_from_step = s.step
             from unnest($1::uuid[], $2::int[], $3::bigint[]) as s (job_id, number, step)
             where a.job_id = s.job_id and a.number = s.number",
            &jobs,
            &numbers,
            &steps as _,
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(outcomes)
}

fn event_of(attempt: Attempt, word: &Word) -> JobEvent {
    match word {
        Word::Started { .. } => JobEvent::Started { attempt },
        Word::Ended(report) => JobEvent::Reported { attempt, report: report.clone() },
    }
}

/// One attempt has started: see [`tell`]. `Superseded` says: do not run it.
pub async fn started(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    resumed_from_step: Option<u64>,
    retry: &RetryPolicy,
) -> Result<Recorded, StoreError> {
    let outcomes = tell(tx, &[(attempt, Word::Started { resumed_from_step })], retry).await?;
    Ok(match outcomes[..] {
        [Ok(_)] => Recorded::Recorded,
        _ => Recorded::Superseded,
    })
}

/// The checkpoint's bytes are stored: the next attempt continues from it. Answers with the one that
/// it replaces, whose bytes may go once this is committed.
pub async fn checkpointed(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    checkpoint: &Checkpoint,
) -> Result<(Recorded, Option<String>), StoreError> {
    let earlier = sqlx::query_scalar!(
        "select checkpoint_path from job
         where id = $1 and attempt = $2 and status in ('starting', 'running', 'stopping')
         for update",
        attempt.job.uuid(),
        number(attempt),
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(earlier) = earlier else { return Ok((Recorded::Superseded, None)) };
    let step = i64::try_from(checkpoint.step).unwrap_or(i64::MAX);
    sqlx::query!(
        "update job set checkpoint_path = $2, checkpoint_step = $3, saved_at = now() where id = $1",
        attempt.job.uuid(),
        checkpoint.path,
        step,
    )
    .execute(tx.conn())
    .await?;
    // what would be lost by stopping it is less now
    changes::note(tx.conn(), &[Change::Job(attempt.job)]).await?;
    let data = json!({"attempt": attempt.number, "step": checkpoint.step});
    events::append(tx.conn(), attempt.job, "checkpoint", data).await?;
    Ok((Recorded::Recorded, earlier.filter(|path| *path != checkpoint.path)))
}

/// How the attempt ended. For a success, call it in the transaction that also publishes or sets the
/// profile: a stale attempt then leaves nothing behind.
pub async fn report(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    report: Report,
    retry: &RetryPolicy,
) -> Result<Result<JobState, Refused>, StoreError> {
    let event = JobEvent::Reported { attempt, report };
    transition(tx.conn(), attempt.job, event, retry).await
}

/// The worker is leaving and wants its attempt moved to another.
pub async fn ask_to_move(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    retry: &RetryPolicy,
) -> Result<(), StoreError> {
    let event = JobEvent::PreemptAsked { attempt, for_job: None };
    let _refused_if_over = transition(tx.conn(), attempt.job, event, retry).await?;
    Ok(())
}
