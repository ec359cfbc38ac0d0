//! What is known of jobs and tenants, whatever pool they are in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    JobId, TenantId, Timestamp,
    world::{PlannedJob, WorkerState},
};

#[derive(Debug, Clone, Default)]
pub struct Books {
    pub jobs: HashMap<JobId, PlannedJob>,
    pub tenants: BTreeMap<TenantId, Tenant>,
    /// Waiting jobs that may not start yet, by when they may.
    pub begins: BTreeSet<(Timestamp, JobId)>,
    /// Live ones that are not stopping, by when they must have ended.
    pub deadlines: BTreeSet<(Timestamp, JobId)>,
    /// Live ones whose worker is gone.
    pub lost: BTreeSet<JobId>,
    /// Live ones whose worker is being drained.
    pub moving: BTreeSet<JobId>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Tenant {
    pub max_running: u32,
    pub live: u32,
}

impl Books {
    pub fn is_full(&self, tenant: TenantId) -> bool {
        self.places_left(tenant) == 0
    }

    /// How many more jobs it may run. A tenant that is not known may run nothing.
    pub fn places_left(&self, tenant: TenantId) -> u32 {
        let tenant = self.tenants.get(&tenant).copied().unwrap_or_default();
        tenant.max_running.saturating_sub(tenant.live)
    }

    /// What the state of its worker means to a live attempt; `None`: the worker is not known.
    pub fn watch(&mut self, id: JobId, worker: Option<WorkerState>) {
        self.lost.remove(&id);
        self.moving.remove(&id);
        match worker {
            None | Some(WorkerState::Gone) => self.lost.insert(id),
            Some(WorkerState::Draining) => self.moving.insert(id),
            Some(WorkerState::Up | WorkerState::Cordoned) => false,
        };
    }
}
