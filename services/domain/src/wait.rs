//! Why a job waits, with the numbers, in the words of Slurm's reason codes where it has them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{JobId, Resources, Timestamp, resources::ResourceName, spend::Spend};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum WaitReason {
    /// Slurm: BeginTime. The pause after a failed attempt, or a start that was asked for later.
    BeginTime {
        #[schema(value_type = String, format = DateTime)]
        until: Timestamp,
    },
    /// Slurm: Dependency. Jobs that have to end first, as it was submitted.
    Dependency { on: Vec<JobId> },
    /// Slurm: AssocMaxJobsLimit.
    MaxRunningJobs { running: u32, limit: u32 },
    /// The same, of its quota in the pool.
    MaxRunningJobsInPool { running: u32, limit: u32 },
    /// As many jobs with its concurrency key run as may.
    ConcurrencyKey { key: String, running: u32, limit: u32 },
    /// Slurm: AssocGrpBillingMinutes. It could cost more than its tenant has left beside what its live
    /// attempts may still cost.
    Budget { needs: Spend, left: Spend },
    /// Slurm: AssocGrpCpuLimit and its kin. The tenant's quota in the pool ends here.
    QuotaLimit { resource: ResourceName, needs: u64, used: u64, limit: u64 },
    /// The tenants of its cohort together use what is theirs.
    CohortLimit { resource: ResourceName, needs: u64, used: u64, limit: u64 },
    /// Slurm: Resources. Some worker is large enough, but its room is taken.
    Resources { needs: Resources, largest_free: Resources, used: Resources, guaranteed: Resources },
    /// The same, of a job of several workers: there is room for `free` of them.
    GangResources {
        needs: Resources,
        workers: u32,
        free: u32,
        used: Resources,
        guaranteed: Resources,
    },
    /// Borrowers are stopping to give back what is guaranteed to this job's tenant.
    Reclaiming { attempts: u32 },
    /// Slurm: Priority. The room is kept for a job that is ahead and would start later otherwise.
    Reserved {
        for_job: JobId,
        #[schema(value_type = String, format = DateTime)]
        from: Timestamp,
    },
    /// No worker that is up is large enough.
    TooLarge { needs: Resources, largest: Resources },
    /// The workers that are up would hold `most` of the job's if nothing else ran.
    GangTooLarge { needs: Resources, workers: u32, most: u32 },
    /// No worker of its pool is up.
    NoWorkers,
    /// It has room; a plan starts a bounded number of jobs, and the next one goes on from here.
    NextPlan,
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeginTime { until } => {
                write!(f, "does not start before {}", until.format("%FT%TZ"))
            }
            Self::Dependency { on } => {
                let on: Vec<_> = on.iter().map(JobId::to_string).collect();
                write!(f, "waits for {} to end", on.join(", "))
            }
            Self::MaxRunningJobs { running, limit } => {
                write!(f, "the tenant runs {running} of its {limit} jobs at once")
            }
            Self::MaxRunningJobsInPool { running, limit } => {
                write!(f, "the tenant runs {running} of its {limit} jobs at once in this pool")
            }
            Self::ConcurrencyKey { key, running, limit } => {
                write!(f, "{running} jobs with the concurrency key `{key}` run, of {limit} at once")
            }
            Self::Budget { needs, left } => write!(
                f,
                "it may cost {needs}; of the tenant's budget {left} are left that no running job \
                 may need; a shorter `max_runtime` costs less"
            ),
            Self::QuotaLimit { resource, needs, used, limit } => write!(
                f,
                "needs {}; the tenant uses {} of the {} that its quota allows in this pool",
                Amount(*resource, *needs),
                Amount(*resource, *used),
                Amount(*resource, *limit)
            ),
            Self::CohortLimit { resource, needs, used, limit } => write!(
                f,
                "needs {}; the tenants of its cohort use {} of their {} and have no more to lend",
                Amount(*resource, *needs),
                Amount(*resource, *used),
                Amount(*resource, *limit)
            ),
            Self::Resources { needs, largest_free, used, guaranteed } => write!(
                f,
                "needs {needs}; the most that a worker has free is {largest_free} \
                 (the tenant uses {used}, guaranteed are {guaranteed})"
            ),
            Self::GangResources { needs, workers, free, used, guaranteed } => write!(
                f,
                "needs room for {workers} workers of {needs} each at once, and there is room for \
                 {free} (the tenant uses {used}, guaranteed are {guaranteed})"
            ),
            Self::Reclaiming { attempts } => write!(
                f,
                "starts as soon as {attempts} borrowers have stopped: it is within what is \
                 guaranteed to its tenant"
            ),
            Self::Reserved { for_job, from } => write!(
                f,
                "there is room, but it is kept for {for_job}, which is ahead and starts at {} at \
                 the latest; a shorter `max_runtime` may let it start before",
                from.format("%FT%TZ")
            ),
            Self::TooLarge { needs, largest } => {
                write!(f, "needs {needs}; the largest worker that is up has {largest}")
            }
            Self::GangTooLarge { needs, workers, most } => write!(
                f,
                "needs room for {workers} workers of {needs} each at once; with nothing else running \
                 the pool's workers that are up have room for {most}: fewer or smaller workers would fit"
            ),
            Self::NoWorkers => f.write_str("no worker of its pool is up"),
            Self::NextPlan => f.write_str("about to start: its turn comes within moments"),
        }
    }
}

/// So much of one resource, in the unit that people say.
struct Amount(ResourceName, u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, n) = *self;
        match name {
            ResourceName::CpuMilli => write!(f, "{} CPUs", n as f64 / 1_000.0),
            ResourceName::MemoryBytes => write!(f, "{} MiB", n >> 20),
            ResourceName::AcceleratorMilli => write!(f, "{} accelerators", n as f64 / 1_000.0),
        }
    }
}
