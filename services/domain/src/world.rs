//! What the scheduler sees and what it decides: pools with their workers, quotas, jobs that wait or
//! hold a place, and the commands that a plan consists of. Why a job waits is in [`crate::wait`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{JobId, PoolId, Resources, TenantId, Timestamp, WorkerId, job::Attempt};

/// What a tenant may use of a pool (Kueue: nominal quota, borrowing limit, fair-sharing weight).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// What it gets back from borrowers whenever it needs it.
    pub guaranteed: Resources,
    /// What it never uses more than, guaranteed and borrowed together.
    pub limit: Resources,
    /// Its part of what is lent, against the weights of the others. Of weight 0 it gets only what
    /// nobody else wants.
    pub weight: u32,
    /// Tenants that lend to each other and to nobody else. Those without one share what is left.
    pub cohort: Option<String>,
}

impl Default for Quota {
    /// Nothing guaranteed, no limit, weight 1.
    fn default() -> Self {
        Self { guaranteed: Resources::NONE, limit: Resources::UNLIMITED, weight: 1, cohort: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    Up,
    /// Keeps what it runs and is given nothing new.
    Cordoned,
    /// As cordoned, and what it runs moves elsewhere.
    Draining,
    /// It has left, was replaced by a newer process, or has been silent for longer than its lease:
    /// what it ran is lost.
    Gone,
}

impl WorkerState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Gone => "gone",
        }
    }
}

impl std::str::FromStr for WorkerState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Up, Self::Cordoned, Self::Draining, Self::Gone]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| {
                format!("`{text}` is not a worker's state; use up, cordoned, draining or gone")
            })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerView {
    pub pool: PoolId,
    /// Accelerators in whole ones: 1,000 each.
    pub capacity: Resources,
    pub state: WorkerState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    pub tenant: TenantId,
    pub pool: PoolId,
    /// Higher goes first, within its tenant.
    pub priority: i32,
    pub created_at: Timestamp,
    pub needs: Resources,
    pub max_runtime_secs: u64,
    pub phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Waiting { not_before: Timestamp, last_attempt: u32 },
    Live(Live),
}

/// An attempt that holds its resources on a worker until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    pub attempt: Attempt,
    pub worker: WorkerId,
    pub devices: Devices,
    pub started_at: Timestamp,
    /// `started_at` and the job's `max_runtime`.
    pub deadline: Timestamp,
    /// What it did until then is kept if it is stopped: its newest checkpoint, or its start.
    pub saved_at: Timestamp,
    pub stopping: Option<Stopping>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopping {
    /// The job that is to have its room, if it is preempted for one.
    pub for_job: Option<JobId>,
}

/// Accelerators of one worker, as a set of their numbers. A job that needs less than a whole one
/// holds its part of a single one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Devices(pub u64);

impl Devices {
    /// The most that a worker is counted with.
    pub const MOST: usize = 64;

    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..Self::MOST).filter(move |n| self.0 & (1 << n) != 0)
    }
}

impl FromIterator<usize> for Devices {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        Self(numbers.into_iter().filter(|n| *n < Self::MOST).fold(0, |set, n| set | 1 << n))
    }
}

/// How some things are now; `None` is what has ended, or is gone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// How many jobs of a tenant may hold a worker at once.
    pub tenants: Vec<(TenantId, Option<u32>)>,
    pub quotas: Vec<(TenantId, PoolId, Option<Quota>)>,
    pub workers: Vec<(WorkerId, Option<WorkerView>)>,
    pub jobs: Vec<(JobId, Option<PlannedJob>)>,
    /// Each tenant's decayed share of a pool.
    pub averages: Vec<(TenantId, PoolId, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Start {
        attempt: Attempt,
        worker: WorkerId,
        devices: Devices,
    },
    /// Stop it after a checkpoint; the job goes back to the queue.
    Preempt {
        attempt: Attempt,
        why: PreemptReason,
    },
    /// Its worker is gone.
    Lose {
        attempt: Attempt,
    },
    /// It ran longer than its `max_runtime`.
    TimeOut {
        attempt: Attempt,
    },
}

impl Command {
    pub const fn attempt(&self) -> Attempt {
        match self {
            Self::Start { attempt, .. }
            | Self::Preempt { attempt, .. }
            | Self::Lose { attempt }
            | Self::TimeOut { attempt } => *attempt,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreemptReason {
    /// It runs on what is guaranteed to another tenant, whose job needs it now.
    Reclaimed { for_job: JobId },
    /// Its tenant's limit was lowered below what it uses.
    OverLimit,
    /// Its worker is being drained.
    Drained,
}

impl PreemptReason {
    pub const fn for_job(self) -> Option<JobId> {
        match self {
            Self::Reclaimed { for_job } => Some(for_job),
            Self::OverLimit | Self::Drained => None,
        }
    }
}

impl fmt::Display for PreemptReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reclaimed { for_job } => {
                write!(f, "it ran on borrowed resources, which {for_job} has a guarantee to")
            }
            Self::OverLimit => f.write_str("its tenant's limit was lowered below what it uses"),
            Self::Drained => f.write_str("its worker is being drained"),
        }
    }
}
