//! A worker: an agent that takes attempts from the scheduler, and the process that it starts for each.
//!
//! The agent ([`run`]) holds the connections and never reads a tenant's data; the child ([`child`])
//! reads it, and holds nothing but one folder. Whatever happens to a child ends one attempt. What the
//! agent writes carries the attempt's number, so that an agent that was cut off changes nothing once
//! its attempt has been given to another.

mod agent;
mod asks;
mod attempt;
mod bounds;
mod checkpoints;
pub mod child;
mod decide;
mod events;
mod finish;
mod patience;
mod process;
mod reports;
mod rounds;
mod work;

use std::{path::PathBuf, sync::Arc, time::Duration};

use boot::bus::Bus;
use domain::{Resources, dataset::ReadLimits, job::RetryPolicy};
use registry::Blobs;
use reports::Reports;
use store::Store;

pub use agent::{run, run_with};
pub use work::Work;

/// The longest line that an agent takes from a child: the profile of a very wide file.
pub(crate) const MAX_EVENT_BYTES: usize = 32 << 20;
/// Longer lines of a job's log are cut.
pub(crate) const MAX_LINE_BYTES: usize = 4 << 10;

/// Records of a table that memory does not hold: 8 bytes for each cell, of which 8 GiB of text have one in
/// two bytes at most; once for the training rows and once for those of a test.
pub const SCRATCH_BYTES: u64 = 64 << 30;

const LEASE: Duration = Duration::from_secs(15);

#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// One process at a time speaks under a name.
    pub name: String,
    /// The pool that it joins.
    pub pool: String,
    pub capacity: Resources,
    /// A folder of its own: no other agent uses it at the same time.
    pub scratch: PathBuf,
    /// What the files of an attempt may take there, besides what it was given and what its memory
    /// accounts for.
    pub scratch_bytes: u64,
    /// The program that is started with `train --scratch …`.
    pub child_program: PathBuf,
    /// How long an attempt stays this worker's without a heartbeat.
    pub lease: Duration,
    pub heartbeat: Duration,
    pub retry: RetryPolicy,
    pub read_limits: ReadLimits,
}

impl AgentConfig {
    pub fn new(
        name: impl Into<String>,
        capacity: Resources,
        scratch: impl Into<PathBuf>,
        child_program: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            pool: "default".to_owned(),
            capacity,
            scratch: scratch.into(),
            scratch_bytes: SCRATCH_BYTES,
            child_program: child_program.into(),
            lease: LEASE,
            heartbeat: LEASE / 3,
            retry: RetryPolicy::default(),
            read_limits: ReadLimits::default(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("the scratch folder {path} cannot be used: {source}")]
    Scratch { path: PathBuf, source: std::io::Error },
    #[error("another process works under the name `{name}`; give each worker a name of its own")]
    Replaced { name: String },
    #[error("there is no pool `{pool}`; an operator makes it with POST /v1/pools")]
    NoSuchPool { pool: String },
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// What every part of an agent works with.
pub(crate) struct Context {
    pub config: AgentConfig,
    pub store: Store,
    pub blobs: Blobs,
    pub bus: Bus,
    pub reports: Reports,
}

pub(crate) type SharedContext = Arc<Context>;

/// The CPUs that an attempt may keep busy: those it was granted, but no more than this process, and so
/// its child, may run on by its affinity and its control group's quota. A pool of more threads would
/// only make them wait for each other.
pub(crate) fn threads(resources: Resources) -> u64 {
    let granted = resources.cpu_milli.div_ceil(1_000).max(1);
    let usable = std::thread::available_parallelism();
    usable.map_or(granted, |usable| granted.min(usable.get() as u64))
}
