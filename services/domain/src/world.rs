//! What the scheduler sees and what it decides: pools with their workers, quotas, jobs that wait or
//! hold a place, and the commands that a plan consists of. Why a job waits is in [`crate::wait`].

use std::{fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    JobId, PoolId, Resources, TenantId, Timestamp, WorkerId,
    job::Attempt,
    spend::{Budget, Prices, Rate, Spend},
};

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
    /// How many jobs run here at once; a further one waits.
    pub max_running: u32,
    /// How many jobs wait here; a further one is refused.
    pub max_queued: u32,
    /// The most that one job may ask for; a larger one is refused.
    pub max_job: Resources,
}

impl Default for Quota {
    /// Nothing guaranteed, no limit, weight 1.
    fn default() -> Self {
        Self {
            guaranteed: Resources::NONE,
            limit: Resources::UNLIMITED,
            weight: 1,
            cohort: None,
            max_running: u32::MAX,
            max_queued: u32::MAX,
            max_job: Resources::UNLIMITED,
        }
    }
}

/// What a tenant may run in all pools together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantCaps {
    pub max_running: u32,
    pub budget: Budget,
}

impl TenantCaps {
    /// So many jobs at once, at any cost.
    pub fn running(max_running: u32) -> Self {
        Self { max_running, budget: Budget::default() }
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
    /// Held by processes here whose attempt has ended and that have not been seen to end themselves.
    pub leftover: Vec<(Resources, Devices)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    pub tenant: TenantId,
    pub pool: PoolId,
    /// Higher goes first, within its tenant.
    pub priority: i32,
    pub created_at: Timestamp,
    /// Of each of its workers.
    pub needs: Resources,
    /// As many start together, or none.
    pub workers: u32,
    pub max_runtime_secs: u64,
    pub concurrency: Option<Box<Concurrency>>,
    pub phase: Phase,
}

/// Of its tenant's jobs with this key, so many run at once, in all pools together. Of different limits
/// under one key the smallest holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Concurrency {
    pub key: String,
    pub limit: u32,
}

impl PlannedJob {
    pub fn live(&self) -> Option<&Live> {
        match &self.phase {
            Phase::Live(live) => Some(live),
            Phase::Waiting { .. } => None,
        }
    }

    /// What all of its workers need together.
    pub fn total(&self) -> Resources {
        self.needs.times(self.workers)
    }

    /// It is live, or waits for nothing but its turn.
    pub fn may_run_at(&self, now: Timestamp) -> bool {
        match &self.phase {
            Phase::Live(_) => true,
            Phase::Waiting { not_before, .. } => *not_before <= now,
        }
    }

    /// What its attempt costs at most.
    pub fn reserved(&self, rate: Rate) -> Spend {
        rate.over_secs(self.max_runtime_secs)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    Waiting {
        not_before: Timestamp,
        last_attempt: u32,
    },
    /// Beside the job, so that one that waits takes little room: there may be a million of them.
    Live(Box<Live>),
}

/// An attempt that holds its resources on its workers until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub attempt: Attempt,
    pub seats: Seats,
    pub started_at: Timestamp,
    /// `started_at` and the job's `max_runtime`.
    pub deadline: Timestamp,
    /// What it did until then is kept if it is stopped: its newest checkpoint, or its start.
    pub saved_at: Timestamp,
    pub rate: Rate,
    pub stopping: Option<Stopping>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopping {
    /// The job that is to have its room, if it is preempted for one.
    pub for_job: Option<JobId>,
}

/// Where one of an attempt's workers runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    pub worker: WorkerId,
    pub devices: Devices,
}

/// One for each of an attempt's workers, in the order of their ranks: never none, and several may be on
/// one worker process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats(Arc<[Seat]>);

impl Seats {
    /// `None` of no seats.
    pub fn new(seats: Vec<Seat>) -> Option<Self> {
        (!seats.is_empty()).then(|| Self(seats.into()))
    }

    pub fn one(worker: WorkerId, devices: Devices) -> Self {
        Self(Arc::new([Seat { worker, devices }]))
    }

    /// Of rank 0, which speaks for the attempt.
    pub fn first(&self) -> Seat {
        self.0[0]
    }

    pub fn on(&self, worker: WorkerId) -> impl Iterator<Item = Seat> {
        self.0.iter().copied().filter(move |seat| seat.worker == worker)
    }
}

impl Deref for Seats {
    type Target = [Seat];

    fn deref(&self) -> &[Seat] {
        &self.0
    }
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
    pub tenants: Vec<(TenantId, Option<TenantCaps>)>,
    pub prices: Vec<(PoolId, Prices)>,
    pub quotas: Vec<(TenantId, PoolId, Option<Quota>)>,
    pub workers: Vec<(WorkerId, Option<WorkerView>)>,
    pub jobs: Vec<(JobId, Option<PlannedJob>)>,
    /// Each tenant's decayed share of a pool.
    pub averages: Vec<(TenantId, PoolId, f64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Start {
        attempt: Attempt,
        seats: Seats,
        rate: Rate,
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
