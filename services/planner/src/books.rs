//! What is known of jobs and tenants, whatever pool they are in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    JobId, TenantId, Timestamp,
    spend::Spend,
    world::{PlannedJob, TenantCaps, WorkerState},
};

use crate::keys::Keys;

#[derive(Debug, Clone, Default)]
pub struct Books {
    pub jobs: HashMap<JobId, PlannedJob>,
    pub tenants: BTreeMap<TenantId, Tenant>,
    pub keys: Keys,
    /// Waiting jobs that may not start yet, by when they may.
    pub begins: BTreeSet<(Timestamp, JobId)>,
    /// Live ones that are not stopping, by when they must have ended.
    pub deadlines: BTreeSet<(Timestamp, JobId)>,
    /// Live ones of which a worker is gone.
    pub lost: BTreeSet<JobId>,
    /// Live ones of which a worker is being drained.
    pub moving: BTreeSet<JobId>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Tenant {
    pub caps: TenantCaps,
    pub live: u32,
    /// What its live attempts may cost.
    pub reserved: Spend,
}

impl Tenant {
    /// One more attempt is live.
    pub fn add(&mut self, reserved: Spend) {
        self.live = self.live.saturating_add(1);
        self.reserved = self.reserved.plus(reserved);
    }

    pub fn remove(&mut self, reserved: Spend) {
        self.live = self.live.saturating_sub(1);
        self.reserved = self.reserved.minus(reserved);
    }

    /// What is left of its budget for more attempts.
    pub fn left(&self) -> Spend {
        self.caps.budget.left(self.reserved)
    }
}

impl Books {
    /// A tenant that is not known may run nothing.
    pub fn tenant(&self, id: TenantId) -> Tenant {
        self.tenants.get(&id).copied().unwrap_or_default()
    }

    pub fn is_full(&self, tenant: TenantId) -> bool {
        self.places_left(tenant) == 0
    }

    /// How many more jobs it may run.
    pub fn places_left(&self, tenant: TenantId) -> u32 {
        let tenant = self.tenant(tenant);
        tenant.caps.max_running.saturating_sub(tenant.live)
    }

    /// What the states of its workers mean to a live attempt, the worst above all; `None`: one that is
    /// not known.
    pub fn watch(&mut self, id: JobId, workers: impl Iterator<Item = Option<WorkerState>>) {
        self.lost.remove(&id);
        self.moving.remove(&id);
        let (mut lost, mut moving) = (false, false);
        for state in workers {
            match state {
                None | Some(WorkerState::Gone) => lost = true,
                Some(WorkerState::Draining) => moving = true,
                Some(WorkerState::Up | WorkerState::Cordoned) => {}
            }
        }
        if lost {
            self.lost.insert(id);
        } else if moving {
            self.moving.insert(id);
        }
    }
}
