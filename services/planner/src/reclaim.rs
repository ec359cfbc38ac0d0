//! Getting a guarantee back: which borrowers' attempts are stopped for a job that is within what is
//! guaranteed to its tenant and finds no room.
//!
//! Only tenants that use more than their guarantee lose anything, and only for as long as they do. What
//! is stopped is the set, on one worker, that loses the least work since its checkpoints; nothing is
//! stopped unless the job starts by it. A stopped job is never within its tenant's guarantee at that
//! moment, so it cannot claim its place back: there is no ping-pong.

use std::collections::BTreeMap;

use domain::{
    JobId, Resources, TenantId, Timestamp, WorkerId,
    world::{Devices, Live},
};

use crate::{
    pool::Sight,
    reserve::reserve,
    room::{Found, Room},
    seconds,
};

/// The work that stopping an attempt loses: seconds since its checkpoint, times its dominant share,
/// in millionths so that it can be compared exactly.
pub fn loss(live: &Live, needs: &Resources, whole: &Resources, now: Timestamp) -> u64 {
    (seconds(live.saved_at, now) * needs.dominant_share(whole) * 1e6) as u64
}

#[derive(Debug, Clone)]
struct Victim {
    loss: u64,
    job: JobId,
    tenant: TenantId,
    worker: WorkerId,
    needs: Resources,
    devices: Devices,
}

/// What may be stopped in a cohort, the smallest loss first. It is found once in a plan.
#[derive(Debug, Default)]
pub struct Victims(Vec<Victim>);

impl Victims {
    pub fn of(sight: Sight, cohort: usize) -> Self {
        let Sight { pool, books, view } = sight;
        let whole = pool.rooms.capacity();
        let borrowers = pool.cohorts[cohort].borrowers.iter();
        let accounts = borrowers.filter_map(|tenant| Some((*tenant, pool.accounts.get(tenant)?)));
        let mut victims = Vec::new();
        for (tenant, account) in accounts {
            for job in &account.live {
                let Some(planned) = books.jobs.get(job) else { continue };
                let Some(live) = planned.live().filter(|live| live.stopping.is_none()) else {
                    continue;
                };
                if view.now - live.started_at < view.policy.min_runtime {
                    continue;
                }
                victims.push(Victim {
                    loss: loss(live, &planned.needs, &whole, view.now),
                    job: *job,
                    tenant,
                    worker: live.worker,
                    needs: planned.needs,
                    devices: live.devices,
                });
            }
        }
        victims.sort_by_key(|victim| (victim.loss, victim.job));
        Self(victims)
    }

    /// These have been asked to stop.
    pub fn remove(&mut self, jobs: &[JobId]) {
        self.0.retain(|victim| !jobs.contains(&victim.job));
    }
}

/// Where the job will start, and what is stopped for it.
pub struct Reclaim {
    pub worker: WorkerId,
    pub victims: Vec<JobId>,
}

pub fn reclaim(
    sight: Sight,
    Victims(victims): &Victims,
    id: JobId,
    needs: &Resources,
    cohort: usize,
) -> Option<Reclaim> {
    if victims.is_empty() || starts_soon(sight, id, needs, cohort) {
        return None;
    }
    let missing = Missing { sight, needs, cohort };
    let rooms = &sight.pool.rooms;
    if let Found::At(worker, _) = rooms.find(id, needs, Timestamp::MAX_UTC, None) {
        let chosen = missing.top_up(victims, Vec::new())?;
        return Some(Reclaim { worker, victims: chosen.iter().map(|v| v.job).collect() });
    }
    let mut on: BTreeMap<WorkerId, Vec<&Victim>> = BTreeMap::new();
    for victim in victims {
        on.entry(victim.worker).or_default().push(victim);
    }
    let options = on.into_iter().filter_map(|(worker, on_it)| {
        let room = rooms.get(worker).filter(|room| room.accepts() && room.kept_for.is_none())?;
        let chosen = missing.top_up(victims, missing.make_room(room, &on_it)?)?;
        let cost: u64 = chosen.iter().map(|v| v.loss).sum();
        Some((cost, chosen.len(), worker, chosen))
    });
    let (.., worker, chosen) =
        options.min_by_key(|(cost, count, worker, _)| (*cost, *count, *worker))?;
    Some(Reclaim { worker, victims: chosen.iter().map(|v| v.job).collect() })
}

/// Waiting is as good as stopping somebody who may take as long to end.
fn starts_soon(sight: Sight, id: JobId, needs: &Resources, cohort: usize) -> bool {
    let view = sight.view;
    let soon = view.now.checked_add_signed(view.policy.grace).unwrap_or(Timestamp::MAX_UTC);
    needs.within(&sight.pool.headroom(cohort))
        && reserve(sight, id, needs).is_some_and(|reserved| reserved.from <= soon)
}

struct Missing<'a> {
    sight: Sight<'a>,
    needs: &'a Resources,
    cohort: usize,
}

impl<'a> Missing<'a> {
    /// Whether the tenant of `victim` still borrows once `chosen` have stopped.
    fn still_borrows(&self, victim: &Victim, chosen: &[&Victim]) -> bool {
        let Some(account) = self.sight.pool.accounts.get(&victim.tenant) else { return false };
        let gone = chosen.iter().filter(|other| other.tenant == victim.tenant);
        let staying = account.used.minus(account.leaving);
        let left = gone.fold(staying, |left, other| left.minus(other.needs));
        !left.within(&account.quota.guaranteed)
    }

    /// Of those on a worker, the cheapest that let the job fit.
    fn make_room(&self, room: &Room, victims: &[&'a Victim]) -> Option<Vec<&'a Victim>> {
        let most = victims.iter().fold(room.free(), |sum, victim| sum.plus(victim.needs));
        if !self.needs.within(&most) {
            return None;
        }
        let (mut room, mut chosen) = (room.clone(), Vec::new());
        for victim in victims.iter().copied() {
            if room.spot(self.needs).is_some() {
                break;
            }
            if self.still_borrows(victim, &chosen) {
                room.give(&victim.needs, victim.devices);
                chosen.push(victim);
            }
        }
        room.spot(self.needs)?;
        // those whose room turned out not to be needed, the dearest first
        for n in (0..chosen.len()).rev() {
            let victim: &Victim = chosen[n];
            let mut without = room.clone();
            without.take(&victim.needs, victim.devices);
            if without.spot(self.needs).is_some() {
                room = without;
                chosen.remove(n);
            }
        }
        Some(chosen)
    }

    /// More of them, until the cohort has as much to give as the job needs.
    fn top_up(
        &self,
        victims: &'a [Victim],
        mut chosen: Vec<&'a Victim>,
    ) -> Option<Vec<&'a Victim>> {
        let freed = chosen.iter().fold(Resources::NONE, |sum, victim| sum.plus(victim.needs));
        let cohort = &self.sight.pool.cohorts[self.cohort];
        let allowed = self.sight.pool.allowed(self.cohort);
        let mut used = cohort.used.plus(cohort.claimed).minus(freed).plus(*self.needs);
        for victim in victims {
            let Some(beyond) = used.first_beyond(&allowed) else { break };
            let taken = chosen.iter().any(|other| other.job == victim.job);
            if !taken && victim.needs.get(beyond) > 0 && self.still_borrows(victim, &chosen) {
                used = used.minus(victim.needs);
                chosen.push(victim);
            }
        }
        used.within(&allowed).then_some(chosen)
    }
}
