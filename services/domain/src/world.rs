//! What the scheduler sees and what it decides: a bounded picture of the world, and a plan of
//! commands with a reason for every job that waits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{JobId, TenantId, Timestamp, WorkerId, job::Attempt, spec::Resources};

#[derive(Debug, Clone, Default)]
pub struct World {
    pub tenants: BTreeMap<TenantId, TenantShare>,
    /// Live and waiting jobs; the waiting ones bounded to the first of each tenant.
    pub jobs: BTreeMap<JobId, PlannedJob>,
    pub workers: BTreeMap<WorkerId, WorkerView>,
}

#[derive(Debug, Clone)]
pub struct TenantShare {
    pub slug: String,
    /// The most jobs of this tenant that hold a worker at once.
    pub max_running: u32,
}

#[derive(Debug, Clone)]
pub struct PlannedJob {
    pub tenant: TenantId,
    pub priority: i32,
    pub created_at: Timestamp,
    pub resources: Resources,
    pub phase: Phase,
}

#[derive(Debug, Clone)]
pub enum Phase {
    Waiting {
        not_before: Timestamp,
        last_attempt: u32,
    },
    /// Holds its resources on a worker until the attempt ends or its lease does.
    Live {
        attempt: Attempt,
        worker: WorkerId,
        lease_until: Timestamp,
        deadline: Timestamp,
        stopping: bool,
    },
}

#[derive(Debug, Clone)]
pub struct WorkerView {
    pub capacity: Resources,
    /// Whether it may be given new work: it answers, and is not draining.
    pub accepts: bool,
    /// It has left or was replaced by a newer process: what it ran is lost at once.
    pub gone: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Start {
        attempt: Attempt,
        worker: WorkerId,
    },
    /// Its lease ran out or its worker is gone.
    Reclaim {
        attempt: Attempt,
    },
    /// It ran longer than its `max_runtime`.
    TimeOut {
        attempt: Attempt,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub commands: Vec<Command>,
    pub waiting: BTreeMap<JobId, WaitReason>,
}

/// Why a job waits, with the numbers (Slurm's reason codes where it has them).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum WaitReason {
    /// Slurm: BeginTime. The pause after a failed attempt.
    BeginTime {
        #[schema(value_type = String, format = DateTime)]
        until: Timestamp,
    },
    /// Slurm: AssocMaxJobsLimit.
    MaxRunningJobs {
        running: u32,
        limit: u32,
    },
    /// Slurm: Resources. Some worker is large enough, but its room is taken.
    Resources {
        needs: Resources,
        largest_free: Resources,
    },
    /// No worker that is up is large enough.
    TooLarge {
        needs: Resources,
        largest: Resources,
    },
    NoWorkers,
    /// It has room; one plan starts a bounded number of jobs, and the next plan goes on from here.
    NextPlan,
}

impl std::fmt::Display for WaitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BeginTime { until } => {
                write!(f, "pausing after a failed attempt, until {}", until.format("%FT%TZ"))
            }
            Self::MaxRunningJobs { running, limit } => {
                write!(f, "the tenant runs {running} of its {limit} jobs at once")
            }
            Self::Resources { needs, largest_free } => write!(
                f,
                "needs {}; the most that a worker has free is {}",
                Amount(needs),
                Amount(largest_free)
            ),
            Self::TooLarge { needs, largest } => write!(
                f,
                "needs {}; the largest worker that is up has {}",
                Amount(needs),
                Amount(largest)
            ),
            Self::NoWorkers => f.write_str("no worker is up"),
            Self::NextPlan => f.write_str("about to start: its turn comes within moments"),
        }
    }
}

struct Amount<'a>(&'a Resources);

impl std::fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cpus = f64::from(self.0.cpu_milli) / 1_000.0;
        write!(f, "{cpus} CPUs and {} MiB", self.0.memory_bytes >> 20)
    }
}
