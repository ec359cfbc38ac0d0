//! The one way a job's status changes: lock the rows, let [`JobState::apply`] decide for each, write
//! what it says with the events that tell of it, and note the change for the scheduler. Any number of
//! jobs go together, in a fixed number of statements. The database's CHECK constraints repeat the
//! invariants.

use std::collections::BTreeMap;

use domain::{
    JobId, Timestamp,
    job::{Attempt, Cause, JobEvent, JobState, Outcome, Refused, Report, RetryPolicy, StopReason},
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    dependencies, ledger,
    locked::{lock, state},
};
use crate::{
    StoreError, amounts,
    changes::{Change, note},
};

/// Who tells. The scheduler knows what it has assigned; everything else it has to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told {
    /// As of the time of its plan.
    ByScheduler {
        now: Timestamp,
    },
    ByOthers,
}

/// One event of one job; see [`transition_all`].
pub(crate) async fn transition(
    conn: &mut PgConnection,
    id: JobId,
    event: JobEvent,
    retry: &RetryPolicy,
) -> Result<Result<JobState, Refused>, StoreError> {
    let mut outcomes = transition_all(conn, vec![(id, event)], retry, Told::ByOthers).await?;
    Ok(outcomes.pop().map_or(Err(Refused::Superseded), |(_, outcome)| outcome))
}

type Outcomes = Vec<(JobId, Result<JobState, Refused>)>;

/// For each event, in the order of the jobs' ids, the new state, or `Err` if the state machine refuses
/// it: nothing of that job has changed then. Each job is to be named once.
pub(crate) async fn transition_all(
    conn: &mut PgConnection,
    events: Vec<(JobId, JobEvent)>,
    retry: &RetryPolicy,
    told: Told,
) -> Result<Outcomes, StoreError> {
    let mut outcomes = None;
    let (mut events, mut told) = (events, told);
    // a job that has ended may end those that waited for it, and they others
    while !events.is_empty() {
        let (done, dependents) = one_round(conn, events, retry, told).await?;
        outcomes.get_or_insert(done);
        (events, told) = (dependents, Told::ByOthers);
    }
    Ok(outcomes.unwrap_or_default())
}

/// The outcomes, and what follows for jobs that waited for those that have ended.
async fn one_round(
    conn: &mut PgConnection,
    events: Vec<(JobId, JobEvent)>,
    retry: &RetryPolicy,
    told: Told,
) -> Result<(Outcomes, Vec<(JobId, JobEvent)>), StoreError> {
    let events: BTreeMap<JobId, JobEvent> = events.into_iter().collect();
    let mut rows = lock(conn, events.keys().map(|id| id.uuid()).collect()).await?;
    let (mut outcomes, mut steps) = (Vec::new(), Vec::new());
    for (id, event) in events {
        let Some(row) = rows.remove(&id.uuid()) else {
            outcomes.push((id, Err(Refused::Superseded)));
            continue;
        };
        let now = match told {
            Told::ByScheduler { now } => now,
            Told::ByOthers => row.now,
        };
        let is_profile = row.kind == "profile";
        let before = state(id, row)?;
        let outcome = before.clone().apply(event.clone(), retry, now);
        if let Ok(after) = &outcome
            && *after != before
        {
            steps.push(Step { id, is_profile, now, event, before, after: after.clone() });
        }
        outcomes.push((id, outcome));
    }
    let mut dependents = Vec::new();
    if !steps.is_empty() {
        // before the job forgets what its attempt cost
        ledger::close(conn, &steps).await?;
        write(conn, &steps).await?;
        ledger::open(conn, &steps).await?;
        settle_profiles(conn, &steps).await?;
        let changes: Vec<_> =
            steps.iter().filter(|step| step.is_news()).map(|step| Change::Job(step.id)).collect();
        note(conn, &changes).await?;
        let ended = steps.iter().filter(|step| matches!(step.after, JobState::Finished { .. }));
        let ended: Vec<_> = ended.map(|step| step.id).collect();
        dependents = dependencies::settle(conn, &ended).await?;
    }
    Ok((outcomes, dependents))
}

/// One job's way from a state to the next.
pub(super) struct Step {
    id: JobId,
    is_profile: bool,
    pub now: Timestamp,
    pub event: JobEvent,
    before: JobState,
    after: JobState,
}

impl Step {
    /// Whether the scheduler does not know it, and decides by it.
    const fn is_news(&self) -> bool {
        !matches!(self.event, JobEvent::Assigned { .. } | JobEvent::Started { .. })
    }

    /// The attempt that has ended, with its outcome.
    pub(super) fn ended(&self) -> Option<(Attempt, &'static str, Option<&Cause>)> {
        let (Some(run), None) = (self.before.run(), self.after.run()) else { return None };
        let (outcome, cause) = match &self.event {
            JobEvent::Reported { report: Report::Succeeded, .. } => ("succeeded", None),
            JobEvent::Reported { report: Report::Failed(cause), .. } => ("failed", Some(cause)),
            JobEvent::Reported { report: Report::Stopped, .. } => ("stopped", None),
            _ => ("lost", None),
        };
        Some((run.attempt, outcome, cause))
    }

    /// What the platform takes away, it pays for: work since the newest checkpoint of an attempt that
    /// was preempted, or whose worker was lost.
    pub(super) const fn tenant_pays_all(&self) -> bool {
        let preempted =
            matches!(self.before, JobState::Stopping { why: StopReason::Preempted, .. });
        match &self.event {
            JobEvent::Reported { report: Report::Stopped, .. } => !preempted,
            JobEvent::LeaseLost { .. } => false,
            _ => true,
        }
    }

    /// The reason to keep with the job: of its final failure, or of the try that just failed.
    fn cause(&self) -> Option<Cause> {
        match (&self.after, &self.event) {
            (JobState::Finished { outcome: Outcome::Failed(cause), .. }, _) => Some(cause.clone()),
            (
                JobState::Queued { .. } | JobState::Paused { .. },
                JobEvent::Reported { report: Report::Failed(cause), .. },
            ) => Some(cause.clone()),
            (JobState::Queued { .. } | JobState::Paused { .. }, JobEvent::LeaseLost { .. }) => {
                Some(Cause::retryable("lease_lost", "its worker stopped answering"))
            }
            _ => None,
        }
    }
}

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
        Ok(())
    }
}

/// The new states and, numbered on under the same locks, the events that tell of them.
async fn write(conn: &mut PgConnection, steps: &[Step]) -> Result<(), StoreError> {
    let mut new = Columns::default();
    steps.iter().try_for_each(|step| new.push(step))?;
    sqlx::query!(
        "with new as (
             select * from unnest($1::uuid[], $2::text[], $3::int[], $4::uuid[], $5::timestamptz[],
                 $6::bigint[], $7::timestamptz[], $8::int[], $9::timestamptz[], $10::text[],
                 $11::uuid[], $12::jsonb[], $13::text[], $14::jsonb[], $15::bigint[], $16::bigint[])
                 as n (id, status, attempt, worker_id, assigned_at, devices, not_before, tries,
                       finished_at, stop_reason, preempted_for, cause, kind, data,
                       rate_micro_credits, rate_accelerator_milli)
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
             from new n where j.id = n.id
             returning j.id, j.tenant_id, j.last_event, n.kind, n.data
         )
         insert into job_event (job_id, number, tenant_id, kind, data)
         select id, last_event, tenant_id, kind, data from written",
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
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) fn number(attempt: Attempt) -> i32 {
    i32::try_from(attempt.number.get()).unwrap_or(i32::MAX)
}

/// A profile job that ended badly leaves its cause as the version's problem.
async fn settle_profiles(conn: &mut PgConnection, steps: &[Step]) -> Result<(), StoreError> {
    for step in steps.iter().filter(|step| step.is_profile) {
        let cause = match &step.after {
            JobState::Finished { outcome: Outcome::Failed(cause), .. } => cause.clone(),
            JobState::Finished { outcome: Outcome::Cancelled, .. } => {
                Cause::fatal("cancelled", "its profile job was cancelled")
            }
            _ => continue,
        };
        let cause = serde_json::to_value(cause)
            .map_err(|why| StoreError::corrupt("dataset_version", "problem", why))?;
        sqlx::query!(
            "update dataset_version v set problem = $2
             from job j
             where j.id = $1 and v.dataset_id = j.dataset_id and v.number = j.dataset_version
               and v.profile is null",
            step.id.uuid(),
            cause,
        )
        .execute(&mut *conn)
        .await?;
    }
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
