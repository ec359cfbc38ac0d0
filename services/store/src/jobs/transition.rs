//! The one way a job's status changes: lock the rows, let [`JobState::apply`] decide for each, write
//! what it says with the events that tell of it, and note the change for the scheduler. Any number of
//! jobs go together, in a fixed number of statements. The database's CHECK constraints repeat the
//! invariants.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, Timestamp,
    job::{Attempt, Cause, JobEvent, JobState, Outcome, Refused, Report, RetryPolicy, StopReason},
};
use sqlx::PgConnection;

use super::{
    dependencies, ledger,
    locked::{Known, lock},
    write::write,
};
use crate::{
    StoreError,
    changes::{Change, note},
};

/// Who tells. The scheduler knows what it has assigned; everything else it has to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told<'a> {
    /// As of the time of its plan, whose commit carries these hints.
    ByScheduler {
        now: Timestamp,
        hints: &'a [String],
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
    told: Told<'_>,
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
    told: Told<'_>,
) -> Result<(Outcomes, Vec<(JobId, JobEvent)>), StoreError> {
    let events: BTreeMap<JobId, JobEvent> = events.into_iter().collect();
    let mut known = match told {
        Told::ByScheduler { now, .. } => match waiting(&events, now) {
            Some(waiting) => waiting,
            None => lock(conn, &events, Some(now)).await?,
        },
        Told::ByOthers => lock(conn, &events, None).await?,
    };
    let (mut outcomes, mut steps) = (Vec::new(), Vec::new());
    for (id, event) in events {
        let Some(Known { before, is_profile, now }) = known.remove(&id) else {
            outcomes.push((id, Err(Refused::Superseded)));
            continue;
        };
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
        let hints = if let Told::ByScheduler { hints, .. } = told { hints } else { &[] };
        let written = write(conn, &steps, hints).await?;
        let (steps, missed) =
            steps.into_iter().partition::<Vec<_>, _>(|step| written.contains(&step.id));
        let missed: BTreeSet<_> = missed.into_iter().map(|step| step.id).collect();
        for (_, outcome) in outcomes.iter_mut().filter(|(id, _)| missed.contains(id)) {
            *outcome = Err(Refused::Superseded);
        }
        ledger::open_seats(conn, &steps).await?;
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

/// If all that is told is which waiting jobs start: their states as far as it says, without asking for them.
/// Whether they are so is looked at where it is written, which spares a plan that lets jobs start a round
/// trip. `None` if something else is told: what several statements lock, they lock in one order.
fn waiting(events: &BTreeMap<JobId, JobEvent>, now: Timestamp) -> Option<BTreeMap<JobId, Known>> {
    let known = events.iter().map(|(id, event)| match event {
        JobEvent::Assigned { attempt, .. } => {
            let last_attempt = attempt.number.get() - 1;
            let before = JobState::Queued { not_before: now, tries: 0, last_attempt };
            Some((*id, Known { before, is_profile: false, now }))
        }
        _ => None,
    });
    known.collect()
}

/// One job's way from a state to the next.
pub(super) struct Step {
    pub id: JobId,
    is_profile: bool,
    pub now: Timestamp,
    pub event: JobEvent,
    pub before: JobState,
    pub after: JobState,
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
    pub(super) fn cause(&self) -> Option<Cause> {
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
