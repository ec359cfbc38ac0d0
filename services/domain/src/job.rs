//! A job's life. [`JobState::apply`] is the only place that says which step may follow which; the
//! store runs it under the job's row lock, and the scheduler's simulation runs the same function.
//!
//! ```text
//! queued -> starting -> running -> succeeded | failed | cancelled
//!   |          \___________\____-> stopping -> queued (preempted) | paused | cancelled
//! paused (and back to queued)
//! a lost lease or a retryable failure goes back to queued while tries remain
//! ```

mod remedy;
#[cfg(test)]
mod tests;

use std::{fmt, num::NonZeroU32};

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::{JobId, Timestamp, WorkerId, spend::Rate, world::Seats};

/// The fence: every write of a run carries it, and matches nothing once a later attempt exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    pub job: JobId,
    pub number: NonZeroU32,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.job, self.number)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Makes the profile of a dataset version.
    Profile,
    /// Trains a model and publishes it.
    Train,
    /// Judges two models on the same rows.
    Evaluate,
    /// Asks a model about all rows of a dataset's version.
    Predict,
    /// Measures what a model's features are worth to it.
    Importance,
}

/// Why something ended or failed, in words that a person can act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Cause {
    /// Stable, for programs: `loss_not_finite`, `lease_lost`, `out_of_memory`, …
    pub code: String,
    pub message: String,
    /// Whether another try may end differently.
    pub retryable: bool,
}

impl Cause {
    pub fn fatal(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: false }
    }

    pub fn retryable(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: true }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The client asked; the job ends.
    Cancelled,
    /// The client asked; the job waits, with its checkpoint, until the client wants it to go on.
    Paused,
    /// It makes room, or its worker is going away; the job goes back to the queue with its checkpoint.
    Preempted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// `tries` counts the attempts that failed or were lost; being preempted costs none.
    Queued {
        not_before: Timestamp,
        tries: u32,
        last_attempt: u32,
    },
    /// As queued, but its owner holds it.
    Paused {
        tries: u32,
        last_attempt: u32,
    },
    Starting {
        run: Run,
    },
    Running {
        run: Run,
    },
    Stopping {
        run: Run,
        why: StopReason,
    },
    Finished {
        outcome: Outcome,
        at: Timestamp,
        last_attempt: u32,
    },
}

/// One live attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub attempt: Attempt,
    /// Of rank 0.
    pub worker: WorkerId,
    pub tries: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    Failed(Cause),
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// The scheduler placed it.
    Assigned {
        attempt: Attempt,
        seats: Seats,
        rate: Rate,
    },
    /// The worker's child is up.
    Started {
        attempt: Attempt,
    },
    CancelAsked,
    PauseAsked,
    ResumeAsked,
    /// A job that it waits for has ended otherwise than it wants: it will never start.
    NeverReady {
        cause: Cause,
    },
    /// The scheduler or the worker wants it moved, maybe to make room for another job.
    PreemptAsked {
        attempt: Attempt,
        for_job: Option<JobId>,
    },
    Reported {
        attempt: Attempt,
        report: Report,
    },
    LeaseLost {
        attempt: Attempt,
    },
}

/// How an attempt ended, as its worker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    Succeeded,
    Failed(Cause),
    /// Stopped on request, after a checkpoint where one was possible.
    Stopped,
}

#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// The most failed or lost attempts of one job.
    pub max_tries: u32,
    /// Before the second try; doubles with each further one.
    pub backoff: Duration,
    pub max_backoff: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_tries: 5, backoff: Duration::seconds(2), max_backoff: Duration::minutes(5) }
    }
}

impl RetryPolicy {
    fn delay(&self, tries: u32) -> Duration {
        let doublings = tries.saturating_sub(1).min(20);
        let doubled = self.backoff.checked_mul(1 << doublings).unwrap_or(self.max_backoff);
        doubled.min(self.max_backoff)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The event speaks for an attempt that is not the current one: it changes nothing.
    #[error("the attempt has been superseded")]
    Superseded,
    #[error("the job has already finished")]
    Finished,
    #[error("the job is not in a state for this")]
    NotNow,
}

impl JobState {
    pub fn run(&self) -> Option<&Run> {
        match self {
            Self::Starting { run } | Self::Running { run } | Self::Stopping { run, .. } => {
                Some(run)
            }
            Self::Queued { .. } | Self::Paused { .. } | Self::Finished { .. } => None,
        }
    }

    pub fn apply(
        self,
        event: JobEvent,
        retry: &RetryPolicy,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        match event {
            JobEvent::Assigned { attempt, seats, .. } => {
                self.assign(attempt, seats.first().worker, now)
            }
            JobEvent::Started { attempt } => match self.current(attempt)? {
                (run, None) => Ok(Self::Running { run }),
                (run, Some(why)) => Ok(Self::Stopping { run, why }),
            },
            JobEvent::CancelAsked => self.cancel(now),
            JobEvent::PauseAsked => self.pause(),
            JobEvent::ResumeAsked => self.resume(now),
            JobEvent::NeverReady { cause } => self.give_up(cause, now),
            JobEvent::PreemptAsked { attempt, .. } => match self.current(attempt)? {
                (run, None) => Ok(Self::Stopping { run, why: StopReason::Preempted }),
                (run, Some(why)) => Ok(Self::Stopping { run, why }),
            },
            JobEvent::Reported { attempt, report } => {
                let (run, stopping) = self.current(attempt)?;
                Ok(ended(run, stopping, report, retry, now))
            }
            JobEvent::LeaseLost { attempt } => {
                let (run, stopping) = self.current(attempt)?;
                let cause = Cause::retryable(
                    "lease_lost",
                    "its worker stopped answering; another attempt resumes from the last checkpoint",
                );
                Ok(ended(run, stopping, Report::Failed(cause), retry, now))
            }
        }
    }

    fn assign(self, attempt: Attempt, worker: WorkerId, now: Timestamp) -> Result<Self, Refused> {
        match self {
            Self::Queued { not_before, tries, last_attempt } => {
                if Some(attempt.number.get()) != last_attempt.checked_add(1) {
                    return Err(Refused::Superseded);
                }
                if not_before > now {
                    return Err(Refused::NotNow);
                }
                Ok(Self::Starting { run: Run { attempt, worker, tries } })
            }
            Self::Finished { .. } => Err(Refused::Finished),
            _ => Err(Refused::NotNow),
        }
    }

    fn cancel(self, now: Timestamp) -> Result<Self, Refused> {
        match self {
            Self::Queued { last_attempt, .. } | Self::Paused { last_attempt, .. } => {
                Ok(Self::Finished { outcome: Outcome::Cancelled, at: now, last_attempt })
            }
            Self::Starting { run } | Self::Running { run } | Self::Stopping { run, .. } => {
                Ok(Self::Stopping { run, why: StopReason::Cancelled })
            }
            Self::Finished { .. } => Err(Refused::Finished),
        }
    }

    /// A job that is being cancelled stays so.
    fn pause(self) -> Result<Self, Refused> {
        match self {
            Self::Queued { tries, last_attempt, .. } => Ok(Self::Paused { tries, last_attempt }),
            Self::Starting { run }
            | Self::Running { run }
            | Self::Stopping { run, why: StopReason::Preempted } => {
                Ok(Self::Stopping { run, why: StopReason::Paused })
            }
            Self::Paused { .. } | Self::Stopping { .. } => Ok(self),
            Self::Finished { .. } => Err(Refused::Finished),
        }
    }

    /// One that is still stopping goes back to the queue once it has stopped.
    fn resume(self, now: Timestamp) -> Result<Self, Refused> {
        match self {
            Self::Paused { tries, last_attempt } => {
                Ok(Self::Queued { not_before: now, tries, last_attempt })
            }
            Self::Stopping { run, why: StopReason::Paused } => {
                Ok(Self::Stopping { run, why: StopReason::Preempted })
            }
            Self::Finished { .. } => Err(Refused::Finished),
            _ => Ok(self),
        }
    }

    fn give_up(self, cause: Cause, now: Timestamp) -> Result<Self, Refused> {
        match self {
            Self::Queued { last_attempt, .. } | Self::Paused { last_attempt, .. } => {
                Ok(Self::Finished { outcome: Outcome::Failed(cause), at: now, last_attempt })
            }
            Self::Finished { .. } => Err(Refused::Finished),
            _ => Err(Refused::NotNow),
        }
    }

    /// The live run if `attempt` is it, with the reason if it is being stopped.
    fn current(self, attempt: Attempt) -> Result<(Run, Option<StopReason>), Refused> {
        let (run, why) = match self {
            Self::Starting { run } | Self::Running { run } => (run, None),
            Self::Stopping { run, why } => (run, Some(why)),
            Self::Queued { .. } | Self::Paused { .. } => return Err(Refused::Superseded),
            Self::Finished { .. } => return Err(Refused::Finished),
        };
        if run.attempt == attempt { Ok((run, why)) } else { Err(Refused::Superseded) }
    }
}

/// What follows the end of a run. A success counts even if a stop was on its way: nothing that was
/// finished is thrown away.
fn ended(
    run: Run,
    stopping: Option<StopReason>,
    report: Report,
    retry: &RetryPolicy,
    now: Timestamp,
) -> JobState {
    let last_attempt = run.attempt.number.get();
    let finish = |outcome| JobState::Finished { outcome, at: now, last_attempt };
    match (report, stopping) {
        (Report::Succeeded, _) => finish(Outcome::Succeeded),
        (Report::Stopped | Report::Failed(_), Some(StopReason::Cancelled)) => {
            finish(Outcome::Cancelled)
        }
        (Report::Stopped, Some(StopReason::Paused)) => {
            JobState::Paused { tries: run.tries, last_attempt }
        }
        (Report::Stopped, _) => {
            JobState::Queued { not_before: now, tries: run.tries, last_attempt }
        }
        (Report::Failed(cause), _) => {
            let tries = run.tries.saturating_add(1);
            if !cause.retryable {
                return finish(Outcome::Failed(cause));
            }
            if tries >= retry.max_tries {
                let message = format!("{} (given up after {tries} tries)", cause.message);
                return finish(Outcome::Failed(Cause { message, ..cause }));
            }
            if stopping == Some(StopReason::Paused) {
                return JobState::Paused { tries, last_attempt };
            }
            let not_before =
                now.checked_add_signed(retry.delay(tries)).unwrap_or(Timestamp::MAX_UTC);
            JobState::Queued { not_before, tries, last_attempt }
        }
    }
}

/// The word for a state, as the API and the database spell it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    Queued,
    /// Its owner holds it.
    Paused,
    Starting,
    Running,
    Stopping,
    Succeeded,
    Failed,
    Cancelled,
}

impl JobStatus {
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Paused,
        Self::Starting,
        Self::Running,
        Self::Stopping,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Paused => "paused",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl std::str::FromStr for JobStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a job's state; use queued, paused, starting, running, stopping, succeeded, failed or cancelled"))
    }
}

impl JobState {
    pub const fn status(&self) -> JobStatus {
        match self {
            Self::Queued { .. } => JobStatus::Queued,
            Self::Paused { .. } => JobStatus::Paused,
            Self::Starting { .. } => JobStatus::Starting,
            Self::Running { .. } => JobStatus::Running,
            Self::Stopping { .. } => JobStatus::Stopping,
            Self::Finished { outcome: Outcome::Succeeded, .. } => JobStatus::Succeeded,
            Self::Finished { outcome: Outcome::Failed(_), .. } => JobStatus::Failed,
            Self::Finished { outcome: Outcome::Cancelled, .. } => JobStatus::Cancelled,
        }
    }
}
