//! What a worker reads and writes about its attempts. Every write carries the attempt's number and
//! matches nothing once the attempt has been superseded: that is an answer, not an error.

use std::num::NonZeroU32;

use domain::{
    JobId, Resources, TenantId, WorkerId,
    child::{self, DataFile},
    job::{Attempt, JobEvent, JobKind, JobState, Refused, Report, RetryPolicy, StopReason},
    spec::TrainingSpec,
};
use serde_json::json;

use crate::{
    StoreError, SystemTx, Tx,
    changes::{self, Change},
    datasets::digest,
    events,
    jobs::{
        json_column,
        transition::{number, transition},
    },
};

/// Everything a worker needs to run an attempt, wherever it is.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub attempt: Attempt,
    pub tenant: TenantId,
    pub kind: JobKind,
    pub spec: Option<TrainingSpec>,
    pub data: DataFile,
    pub resources: Resources,
    pub checkpoint: Option<Checkpoint>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where its bytes are in the object store.
    pub path: String,
    pub step: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    Continue,
    Stop(StopReason),
    /// The attempt is no longer this worker's: kill the child, report nothing.
    Superseded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    Recorded,
    Superseded,
}

/// Attempts given to this worker that it has not started.
pub async fn assigned_to(
    tx: &mut SystemTx<'_>,
    worker: WorkerId,
) -> Result<Vec<Assignment>, StoreError> {
    sqlx::query!(
        "select j.id, j.attempt, j.tenant_id, j.kind, j.spec, j.cpu_milli, j.memory_bytes,
                j.accelerator_milli, j.checkpoint_path, j.checkpoint_step, v.sha256, v.bytes, v.format, v.compression
         from attempt a
         join job j on j.id = a.job_id and j.attempt = a.number
         join dataset_version v on v.dataset_id = j.dataset_id and v.number = j.dataset_version
         where a.worker_id = $1 and a.ended_at is null and a.started_at is null
         order by j.id",
        worker.uuid(),
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        let bad = |column| move |why: String| StoreError::corrupt("dataset_version", column, why);
        let number = NonZeroU32::new(row.attempt.unsigned_abs())
            .ok_or_else(|| StoreError::corrupt("job", "attempt", "0 while live"))?;
        Ok(Assignment {
            attempt: Attempt { job: JobId::from_uuid(row.id), number },
            tenant: TenantId::from_uuid(row.tenant_id),
            kind: if row.kind == "train" { JobKind::Train } else { JobKind::Profile },
            spec: json_column(row.spec, "job", "spec")?,
            data: DataFile {
                format: row.format.parse().map_err(bad("format"))?,
                compression: row.compression.parse().map_err(bad("compression"))?,
                sha256: digest(&row.sha256, "dataset_version", "sha256")?,
                bytes: row.bytes.unsigned_abs(),
            },
            resources: Resources {
                cpu_milli: row.cpu_milli.unsigned_abs().into(),
                memory_bytes: row.memory_bytes.unsigned_abs(),
                accelerator_milli: row.accelerator_milli.unsigned_abs().into(),
            },
            checkpoint: row
                .checkpoint_path
                .zip(row.checkpoint_step)
                .map(|(path, step)| Checkpoint { path, step: step.unsigned_abs() }),
        })
    })
    .collect()
}

/// Says that the worker is alive, which renews its lease and so that of all its attempts, and how far
/// `running` are; the answer has one directive for each, in order. Locks rows in the order of ids, as
/// every bulk writer does.
pub async fn heartbeat(
    tx: &mut SystemTx<'_>,
    worker: WorkerId,
    running: &[(Attempt, Option<u64>)],
) -> Result<Vec<Directive>, StoreError> {
    sqlx::query!("update worker set heartbeat_at = now() where id = $1", worker.uuid())
        .execute(tx.conn())
        .await?;
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
         ), mine as (
             select j.id, b.step, j.stop_reason, b.place
             from job j join beat b on b.job_id = j.id and b.number = j.attempt
             where j.worker_id = $1 and j.status in ('starting', 'running', 'stopping')
             order by j.id
             for update of j
         ), advanced as (
             update job j set step = m.step
             from mine m where j.id = m.id and m.step >= 0 and j.step is distinct from m.step
         )
         select m.id is not null as "mine!", m.stop_reason
         from beat b left join mine m on m.place = b.place
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

/// Attempts that this worker was given and has begun, of which it knows nothing any more.
pub async fn forgotten(
    tx: &mut SystemTx<'_>,
    worker: WorkerId,
    known: &[Attempt],
) -> Result<Vec<Attempt>, StoreError> {
    let rows = sqlx::query!(
        "select job_id, number from attempt
         where worker_id = $1 and ended_at is null and started_at is not null",
        worker.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let attempt = rows.into_iter().filter_map(|row| {
        let number = NonZeroU32::new(row.number.unsigned_abs())?;
        Some(Attempt { job: JobId::from_uuid(row.job_id), number })
    });
    Ok(attempt.filter(|attempt| !known.contains(attempt)).collect())
}

/// The child is up. `Superseded` says: do not run it.
pub async fn started(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    resumed_from_step: Option<u64>,
    retry: &RetryPolicy,
) -> Result<Recorded, StoreError> {
    let event = JobEvent::Started { attempt };
    if transition(tx.conn(), attempt.job, event, retry).await?.is_err() {
        return Ok(Recorded::Superseded);
    }
    sqlx::query!(
        "update attempt set started_at = now(), resumed_from_step = $3
         where job_id = $1 and number = $2",
        attempt.job.uuid(),
        number(attempt),
        resumed_from_step.map(|s| i64::try_from(s).unwrap_or(i64::MAX)),
    )
    .execute(tx.conn())
    .await?;
    Ok(Recorded::Recorded)
}

/// Locks the job's row if `attempt` is still its live one.
async fn hold(tx: &mut SystemTx<'_>, attempt: Attempt) -> Result<Recorded, StoreError> {
    let held = sqlx::query_scalar!(
        "select id from job
         where id = $1 and attempt = $2 and status in ('starting', 'running', 'stopping')
         for update",
        attempt.job.uuid(),
        number(attempt),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(if held.is_some() { Recorded::Recorded } else { Recorded::Superseded })
}

/// What the child has said, in order: metrics, log lines, and an event for each epoch.
/// `first_line` numbers the log lines of this batch.
pub async fn record(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    said: &[child::Event],
    first_line: u64,
) -> Result<Recorded, StoreError> {
    if hold(tx, attempt).await? == Recorded::Superseded {
        return Ok(Recorded::Superseded);
    }
    let mut line_no = first_line;
    for event in said {
        match event {
            child::Event::Started { total_steps, epochs, parameters, resumed_from_step } => {
                set_total_steps(tx, attempt, *total_steps).await?;
                let data = json!({"attempt": attempt.number, "total_steps": total_steps,
                    "epochs": epochs, "parameters": parameters,
                    "resumed_from_step": resumed_from_step});
                events::append(tx.conn(), attempt.job, "training", data).await?;
            }
            child::Event::Epoch { epoch, step, metrics } => {
                add_metrics(tx, attempt, *epoch, *step, metrics).await?;
                let data = json!({"attempt": attempt.number, "epoch": epoch, "step": step,
                    "metrics": metrics});
                events::append(tx.conn(), attempt.job, "epoch", data).await?;
            }
            child::Event::Log { line } => {
                add_line(tx, attempt, line_no, line).await?;
                line_no += 1;
            }
            child::Event::Step { step, epoch, loss, kept: true } => {
                let point = [("batch_loss".to_owned(), *loss)].into();
                add_metrics(tx, attempt, *epoch, *step, &point).await?;
            }
            // other steps are carried by the heartbeat, a checkpoint and the end by calls of their own
            child::Event::Step { .. }
            | child::Event::Checkpoint { .. }
            | child::Event::Profiled { .. }
            | child::Event::Trained { .. }
            | child::Event::Stopped { .. }
            | child::Event::Failed { .. } => {}
        }
    }
    Ok(Recorded::Recorded)
}

async fn set_total_steps(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    total: u64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update job set total_steps = $2 where id = $1",
        attempt.job.uuid(),
        i64::try_from(total).unwrap_or(i64::MAX),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Repeated steps of a resumed attempt have the same values: the later write wins.
async fn add_metrics(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    epoch: u32,
    step: u64,
    metrics: &std::collections::BTreeMap<String, f64>,
) -> Result<(), StoreError> {
    let names: Vec<String> = metrics.keys().cloned().collect();
    let values: Vec<f64> = metrics.values().copied().collect();
    sqlx::query!(
        "insert into job_metric (job_id, name, step, tenant_id, epoch, value)
         select j.id, m.name, $2, j.tenant_id, $3, m.value
         from job j, unnest($4::text[], $5::float8[]) as m (name, value)
         where j.id = $1
         on conflict (job_id, name, step) do update set value = excluded.value, at = now()",
        attempt.job.uuid(),
        i64::try_from(step).unwrap_or(i64::MAX),
        i32::try_from(epoch).unwrap_or(i32::MAX),
        &names,
        &values,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn add_line(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    line_no: u64,
    line: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into job_log (job_id, attempt, line_no, tenant_id, line)
         select id, $2, $3, tenant_id, $4 from job where id = $1
         on conflict do nothing",
        attempt.job.uuid(),
        number(attempt),
        i64::try_from(line_no).unwrap_or(i64::MAX),
        // text in Postgres holds no NUL
        line.replace('\0', "\u{fffd}"),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
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
