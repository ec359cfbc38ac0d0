//! What is replayed: tenants with their quotas, workers, and jobs in the order of their submission.

mod generate;
mod kueue;
mod openb;
mod setup;

use std::path::Path;

use anyhow::{Context, Result, bail};
use chrono::DateTime;
use domain::{JobId, PoolId, Resources, TenantId, Timestamp, WorkerId, world::Quota};
use uuid::Uuid;

pub use generate::Generate;
pub use kueue::Kueue;
pub use setup::{QuotaSetup, Setup};

#[derive(Debug, Clone, Default)]
pub struct Workload {
    pub tenants: Vec<Tenant>,
    pub workers: Vec<Resources>,
    /// In the order of their submission.
    pub jobs: Vec<Job>,
}

#[derive(Debug, Clone)]
pub struct Tenant {
    pub name: String,
    pub quota: Quota,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Job {
    /// Milliseconds from the beginning.
    pub submitted: i64,
    pub tenant: usize,
    pub priority: i32,
    /// Of each of its workers.
    pub needs: Resources,
    pub workers: u32,
    /// Milliseconds of work.
    pub runtime: i64,
    pub max_runtime_secs: u64,
}

impl Job {
    pub fn total(&self) -> Resources {
        self.needs.times(self.workers)
    }
}

pub const POOL: PoolId = PoolId::from_uuid(Uuid::from_u128(1));

pub fn at(milliseconds: i64) -> Timestamp {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or(Timestamp::MAX_UTC)
}

fn number(n: usize) -> Uuid {
    Uuid::from_u128(n as u128 + 1)
}

pub fn job_id(n: usize) -> JobId {
    JobId::from_uuid(number(n))
}

pub fn tenant_id(n: usize) -> TenantId {
    TenantId::from_uuid(number(n))
}

pub fn worker_id(n: usize) -> WorkerId {
    WorkerId::from_uuid(number(n))
}

/// The job's place in the workload.
pub fn place(id: JobId) -> usize {
    usize::try_from(id.uuid().as_u128()).map_or(usize::MAX, |n| n.wrapping_sub(1))
}

/// Reads a trace by what it is: a table of tasks (`.csv`, `.csv.gz`) in the columns of the openb
/// trace, with its nodes beside it; or a description of a made one (`.json`).
pub fn read(trace: &Path, nodes: Option<&Path>, setup: &Setup) -> Result<Workload> {
    let name = trace.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut workload = if name.ends_with(".json") {
        let text = std::fs::read_to_string(trace)
            .with_context(|| format!("the trace {} cannot be read", trace.display()))?;
        made(&text).with_context(|| format!("the trace {}", trace.display()))?
    } else if name.ends_with(".csv") || name.ends_with(".csv.gz") {
        openb::read(trace, nodes, setup)?
    } else {
        bail!(
            "the trace `{}` is neither a table (.csv, .csv.gz) nor a description (.json)",
            trace.display()
        );
    };
    setup.adjust(&mut workload)?;
    workload.jobs.sort_by_key(|job| job.submitted);
    Ok(workload)
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Made {
    Generate(Generate),
    Kueue(Kueue),
}

fn made(text: &str) -> Result<Workload> {
    match serde_json::from_str(text)? {
        Made::Generate(generate) => generate.workload(),
        Made::Kueue(kueue) => kueue.workload(),
    }
}
