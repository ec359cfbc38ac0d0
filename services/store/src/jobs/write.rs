//! Jobs' new states on their way to the database: one statement, however many they are.

use std::collections::BTreeSet;

use domain::{
    JobId, Timestamp,
    job::{JobEvent, JobState, Outcome, Report, StopReason},
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::transition::{Step, number};
use crate::{StoreError, amounts, hints};

/// The columns of a job's new state, one list each.
#[derive(Default)]
struct Columns {
    id: Vec<Uuid>,
    status: Vec<String>,
    attempt: Vec<Option<i32>>,
    worker: Vec<Option<Uuid>>,
    assigned_at: Vec<Option<Timestamp>>,
    devices: Vec<Option<i64>>,
    rate_credits: Vec<Option<i64>>,
    rate_accelerators: Vec<Option<i64>>,
    not_before: Vec<Option<Timestamp>>,
    tries: Vec<Option<i32>>,
    finished_at: Vec<Option<Timestamp>>,
    stop: Vec<Option<String>>,
    preempted_for: Vec<Option<Uuid>>,
    cause: Vec<Option<Value>>,
    kind: Vec<String>,
    data: Vec<Value>,
    /// 1: it has.
    ended: Vec<i32>,
    /// 1: it is live now; -1: it is not any more.
    live: Vec<i32>,
}

impl Columns {
    fn push(&mut self, step: &Step) -> Result<(), StoreError> {
        let run = step.after.run();
        let (mut not_before, mut tries, mut finished_at, mut stop) = (None, None, None, None);
        match &step.after {
            JobState::Queued { not_before: at, tries: n, .. } => {
                not_before = Some(*at);
                tries = Some(i32::try_from(*n).unwrap_or(i32::MAX));
            }
            JobState::Paused { tries: n, .. } => {
                tries = Some(i32::try_from(*n).unwrap_or(i32::MAX));
            }
            JobState::Finished { at, .. } => finished_at = Some(*at),
            JobState::Stopping { why: StopReason::Cancelled, .. } => stop = Some("cancelled"),
            JobState::Stopping { why: StopReason::Preempted, .. } => stop = Some("preempted"),
            JobState::Stopping { why: StopReason::Paused, .. } => stop = Some("paused"),
            JobState::Starting { .. } | JobState::Running { .. } => {}
        }
        let (assigned, devices, rate) = match step.event {
            JobEvent::Assigned { ref seats, rate, .. } => {
                let devices = seats.first().devices;
                (Some(step.now), Some(devices.0.cast_signed()), Some(rate))
            }
            _ => (None, None, None),
        };
        let preempted_for = match step.event {
            JobEvent::PreemptAsked { for_job, .. } => for_job.map(JobId::uuid),
            _ => None,
        };
        let cause = step.cause().map(serde_json::to_value).transpose();
        let (kind, data) = describe(&step.event, &step.after);
        self.id.push(step.id.uuid());
        self.status.push(step.after.status().as_str().to_owned());
        self.attempt.push(run.map(|run| number(run.attempt)));
        self.worker.push(run.map(|run| run.worker.uuid()));
        self.assigned_at.push(assigned);
        self.devices.push(devices);
        self.rate_credits.push(rate.map(|rate| amounts::big(rate.micro_credits_per_hour)));
        self.rate_accelerators.push(rate.map(|rate| amounts::big(rate.accelerator_milli)));
        self.not_before.push(not_before);
        self.tries.push(tries);
        self.finished_at.push(finished_at);
        self.stop.push(stop.map(str::to_owned));
        self.preempted_for.push(preempted_for);
        self.cause.push(cause.map_err(|why| StoreError::corrupt("job", "cause", why))?);
        self.kind.push(kind.to_owned());
        self.data.push(data);
        self.ended.push(i32::from(matches!(step.after, JobState::Finished { .. })));
        self.live.push(i32::from(run.is_some()) - i32::from(step.before.run().is_some()));
        Ok(())
    }
}

/// The new states and, numbered on under the same locks, the events that tell of them; the rows of attempts
/// that begin with them; and hints, sent with the commit. Which jobs it has written: all but those that were
/// to start and do not wait for that attempt.
pub(super) async fn write(
    conn: &mut PgConnection,
    steps: &[Step],
    messages: &[String],
) -> Result<BTreeSet<JobId>, StoreError> {
    let mut new = Columns::default();
    steps.iter().try_for_each(|step| new.push(step))?;
    let written = sqlx::query_scalar!(
        r#"with new as (
             select * from unnest($1::uuid[], $2::text[], $3::int[], $4::uuid[], $5::timestamptz[],
                 $6::bigint[], $7::timestamptz[], $8::int[], $9::timestamptz[], $10::text[],
                 $11::uuid[], $12::jsonb[], $13::text[], $14::jsonb[], $15::bigint[], $16::bigint[],
                 $19::int[], $20::int[])
                 as n (id, status, attempt, worker_id, assigned_at, devices, not_before, tries,
                       finished_at, stop_reason, preempted_for, cause, kind, data,
                       rate_micro_credits, rate_accelerator_milli, ended, live)
         ), free as (
             -- `JobState::apply` of what is assigned, where the state was not asked for before
             select n.* from new n join job j on j.id = n.id
             where n.assigned_at is null
                or j.status = 'queued' and j.attempt = n.attempt - 1 and j.not_before <= n.assigned_at
             order by j.id
             for update of j
         ), written as (
             update job j set
                 status = n.status,
                 attempt = coalesce(n.attempt, j.attempt),
                 worker_id = n.worker_id,
                 -- a new assignment starts the clock of max_runtime; a live one keeps it
                 assigned_at = case when n.worker_id is null then null
                                    else coalesce(n.assigned_at, j.assigned_at) end,
                 saved_at = case when n.worker_id is null then null
                                 else coalesce(n.assigned_at, j.saved_at) end,
                 deadline = case when n.worker_id is null then null
                                 else coalesce(n.assigned_at + make_interval(secs => j.max_runtime),
                                               j.deadline) end,
                 devices = case when n.worker_id is null then 0
                                else coalesce(n.devices, j.devices) end,
                 rate_micro_credits = case when n.worker_id is null then 0
                     else coalesce(n.rate_micro_credits, j.rate_micro_credits) end,
                 rate_accelerator_milli = case when n.worker_id is null then 0
                     else coalesce(n.rate_accelerator_milli, j.rate_accelerator_milli) end,
                 not_before = coalesce(n.not_before, j.not_before),
                 tries = coalesce(n.tries, j.tries),
                 finished_at = n.finished_at,
                 stop_reason = n.stop_reason,
                 preempted_for = case when n.worker_id is null then null
                                      else coalesce(n.preempted_for, j.preempted_for) end,
                 cause = case when n.status = 'succeeded' then null
                              else coalesce(n.cause, j.cause) end,
                 wait_reason = null,
                 started_at = case when n.status = 'running' then coalesce(j.started_at, now())
                                   else j.started_at end,
                 last_event = j.last_event + 1
             from free n where j.id = n.id
             returning j.id, j.tenant_id, j.last_event, n.kind, n.data, j.attempt, j.worker_id, n.assigned_at,
                       j.kind <> 'profile' as waited, n.ended, n.live
         ), opened as (
             insert into attempt (job_id, number, tenant_id, worker_id, assigned_at)
             select id, attempt, tenant_id, worker_id, assigned_at from written
             where assigned_at is not null
         ), told as (
             insert into job_event (job_id, number, tenant_id, kind, data)
             select id, last_event, tenant_id, kind, data from written
         ), noted as (
             -- by which a tenant's next submission knows how many wait
             insert into queue_change (tenant_id, ended, live)
             select tenant_id, sum(ended), sum(live) from written where waited
             group by tenant_id having sum(ended) <> 0 or sum(live) <> 0
         ), hinted as (
             select pg_notify($17, message) from unnest($18::text[]) message
         )
         select id as "id!" from written where (select count(*) from hinted) >= 0"#,
        &new.id,
        &new.status,
        &new.attempt as _,
        &new.worker as _,
        &new.assigned_at as _,
        &new.devices as _,
        &new.not_before as _,
        &new.tries as _,
        &new.finished_at as _,
        &new.stop as _,
        &new.preempted_for as _,
        &new.cause as _,
        &new.kind,
        &new.data,
        &new.rate_credits as _,
        &new.rate_accelerators as _,
        hints::CHANNEL,
        messages,
        &new.ended,
        &new.live,
    )
    .fetch_all(conn)
    .await?;
    Ok(written.into_iter().map(JobId::from_uuid).collect())
}

/// The event's name and what a client is told with it.
fn describe(event: &JobEvent, after: &JobState) -> (&'static str, Value) {
    let attempt = after.run().map(|run| run.attempt.number);
    match after {
        JobState::Queued { not_before, tries, .. } => {
            let why = match event {
                JobEvent::Reported { report: Report::Failed(cause), .. } => json!(cause),
                JobEvent::LeaseLost { .. } => json!({"code": "lease_lost"}),
                JobEvent::ResumeAsked => json!({"code": "resumed"}),
                _ => json!({"code": "preempted"}),
            };
            ("requeued", json!({"not_before": not_before, "tries": tries, "cause": why}))
        }
        JobState::Paused { .. } => ("paused", json!({})),
        JobState::Starting { run } => {
            ("starting", json!({"attempt": attempt, "worker": run.worker}))
        }
        JobState::Running { .. } => ("running", json!({"attempt": attempt})),
        JobState::Stopping { why, .. } => match event {
            JobEvent::PreemptAsked { for_job: Some(job), .. } => {
                ("stopping", json!({"attempt": attempt, "reason": why, "for_job": job}))
            }
            _ => ("stopping", json!({"attempt": attempt, "reason": why})),
        },
        JobState::Finished { outcome: Outcome::Succeeded, .. } => ("succeeded", json!({})),
        JobState::Finished { outcome: Outcome::Cancelled, .. } => ("cancelled", json!({})),
        JobState::Finished { outcome: Outcome::Failed(cause), .. } => {
            ("failed", json!({"cause": cause}))
        }
    }
}
