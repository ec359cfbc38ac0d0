//! Room that is being made: a job within its tenant's guarantee has a claim while borrowers stop for it.

use std::collections::BTreeSet;

use domain::{
    JobId, Resources, WorkerId,
    world::{PlannedJob, Seats},
};

use crate::pool::Pool;

/// A job within its tenant's guarantee, for which borrowers are stopping.
#[derive(Debug, Clone)]
pub struct Claim {
    pub total: Resources,
    pub cohort: usize,
    pub victims: BTreeSet<JobId>,
    /// Kept for it until it has started.
    pub workers: BTreeSet<WorkerId>,
}

impl Pool {
    /// `victim` is stopping for the job `id`: nobody else gets the workers of its `seats` meanwhile.
    pub fn claim(&mut self, id: JobId, job: &PlannedJob, victim: JobId, seats: &Seats) {
        let Some(account) = self.accounts.get(&job.tenant) else { return };
        let (cohort, cohorts) = (account.cohort, &mut self.cohorts);
        let claim = self.claims.entry(id).or_insert_with(|| {
            let total = job.total();
            cohorts[cohort].claimed = cohorts[cohort].claimed.plus(total);
            let (victims, workers) = Default::default();
            Claim { total, cohort, victims, workers }
        });
        claim.victims.insert(victim);
        seats.iter().for_each(|seat| self.keep(id, seat.worker));
    }

    /// Keeps `worker` for a job that has a claim, unless it is kept for another.
    pub fn keep(&mut self, id: JobId, worker: WorkerId) {
        if let Some(claim) = self.claims.get_mut(&id)
            && self.rooms.get(worker).is_some_and(|room| room.kept_for.is_none_or(|job| job == id))
        {
            claim.workers.insert(worker);
            self.rooms.change(worker, |room| room.kept_for = Some(id));
        }
    }

    pub fn drop_claim(&mut self, id: JobId) {
        let Some(claim) = self.claims.remove(&id) else { return };
        let cohort = &mut self.cohorts[claim.cohort];
        cohort.claimed = cohort.claimed.minus(claim.total);
        for worker in claim.workers {
            self.rooms.change(worker, |room| room.kept_for = None);
        }
    }
}
