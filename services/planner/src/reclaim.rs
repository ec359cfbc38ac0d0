//! Getting a guarantee back: which borrowers' attempts are stopped for a job that is within what is
//! guaranteed to its tenant and finds no room.
//!
//! Only tenants that use more than their guarantee lose anything, and only for as long as they do. What
//! is stopped is the set, on one worker, that loses the least work since its checkpoints, and for a job
//! of several workers one such set after another; nothing is stopped unless the whole job starts by it.
//! A stopped job is never within its tenant's guarantee at that moment, so it cannot claim its place
//! back: there is no ping-pong.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, Resources, TenantId, Timestamp, WorkerId,
    world::{Live, Seats},
};

use crate::{
    pool::Sight,
    reserve::reserve,
    room::{Found, Room},
    seconds,
    shape::Shape,
};

/// The work that stopping an attempt loses: seconds since its checkpoint, times its dominant share,
/// in millionths so that it can be compared exactly.
pub fn loss(live: &Live, total: &Resources, whole: &Resources, now: Timestamp) -> u64 {
    (seconds(live.saved_at, now) * total.dominant_share(whole) * 1e6) as u64
}

#[derive(Debug, Clone)]
struct Victim {
    loss: u64,
    job: JobId,
    tenant: TenantId,
    total: Resources,
    each: Resources,
    seats: Seats,
}

impl Victim {
    /// Gives back what it holds on a worker.
    fn leave(&self, worker: WorkerId, room: &mut Room) {
        self.seats.on(worker).for_each(|seat| room.give(&self.each, seat.devices));
    }

    fn stay(&self, worker: WorkerId, room: &mut Room) {
        self.seats.on(worker).for_each(|seat| room.take(&self.each, seat.devices));
    }
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
                let total = planned.total();
                victims.push(Victim {
                    loss: loss(live, &total, &whole, view.now),
                    job: *job,
                    tenant,
                    total,
                    each: planned.needs,
                    seats: live.seats.clone(),
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
    pub workers: BTreeSet<WorkerId>,
    pub victims: Vec<JobId>,
}

pub fn reclaim(
    sight: Sight,
    Victims(victims): &Victims,
    id: JobId,
    shape: &Shape,
    cohort: usize,
) -> Option<Reclaim> {
    if victims.is_empty() || starts_soon(sight, id, shape, cohort) {
        return None;
    }
    let missing = Missing { sight, each: &shape.each, cohort, victims };
    let found = sight.pool.rooms.find(id, shape, Timestamp::MAX_UTC, None);
    let (workers, chosen) = match found {
        Found::At(seats) => {
            let workers = seats.iter().map(|seat| seat.worker).collect();
            (workers, missing.top_up(shape.workers, Vec::new())?)
        }
        _ => missing.one_by_one(shape)?,
    };
    Some(Reclaim { workers, victims: chosen.iter().map(|victim| victim.job).collect() })
}

/// Waiting is as good as stopping somebody who may take as long to end.
fn starts_soon(sight: Sight, id: JobId, shape: &Shape, cohort: usize) -> bool {
    let view = sight.view;
    let soon = view.now.checked_add_signed(view.policy.grace).unwrap_or(Timestamp::MAX_UTC);
    shape.total().within(&sight.pool.headroom(cohort))
        && reserve(sight, id, shape).is_some_and(|reserved| reserved.from <= soon)
}

struct Missing<'a> {
    sight: Sight<'a>,
    /// Of each worker of the job.
    each: &'a Resources,
    cohort: usize,
    victims: &'a [Victim],
}

/// For one more worker of the job.
struct Step<'a> {
    worker: WorkerId,
    chosen: Vec<&'a Victim>,
}

impl<'a> Missing<'a> {
    /// Those of the job's workers that have room take it; then, for each of the others, the cheapest set
    /// on one worker is stopped.
    fn one_by_one(&self, shape: &Shape) -> Option<(BTreeSet<WorkerId>, Vec<&'a Victim>)> {
        let (mut rooms, mut workers, mut placed) = (BTreeMap::new(), BTreeSet::new(), 0);
        let on = self.by_worker();
        for (worker, room) in self.sight.pool.rooms.open() {
            if room.kept_for.is_some() {
                continue;
            }
            let spots = room.spots(self.each, shape.count() - placed);
            placed += spots.len();
            if !spots.is_empty() {
                workers.insert(worker);
            }
            if on.contains_key(&worker) {
                let mut room = room.clone();
                spots.into_iter().for_each(|devices| room.take(self.each, devices));
                rooms.insert(worker, room);
            }
        }
        let mut chosen = Vec::new();
        for placed in placed..shape.count() {
            let step = self.cheapest(&on, &rooms, &chosen, placed as u32 + 1)?;
            for victim in &step.chosen[chosen.len()..] {
                for worker in victim.seats.iter().map(|seat| seat.worker).collect::<BTreeSet<_>>() {
                    if let Some(room) = rooms.get_mut(&worker) {
                        victim.leave(worker, room);
                    }
                }
            }
            let room = rooms.get_mut(&step.worker)?;
            let devices = room.spot(self.each)?;
            room.take(self.each, devices);
            workers.insert(step.worker);
            chosen = step.chosen;
        }
        Some((workers, chosen))
    }

    /// A victim with several seats on a worker is there once.
    fn by_worker(&self) -> BTreeMap<WorkerId, Vec<&'a Victim>> {
        let mut on: BTreeMap<WorkerId, Vec<&Victim>> = BTreeMap::new();
        for victim in self.victims {
            for seat in victim.seats.iter() {
                let on_it = on.entry(seat.worker).or_default();
                if on_it.last().is_none_or(|last| last.job != victim.job) {
                    on_it.push(victim);
                }
            }
        }
        on
    }

    /// What is stopped for one more of the job's workers, `placed` with it, after `before`.
    fn cheapest(
        &self,
        on: &BTreeMap<WorkerId, Vec<&'a Victim>>,
        rooms: &BTreeMap<WorkerId, Room>,
        before: &[&'a Victim],
        placed: u32,
    ) -> Option<Step<'a>> {
        let options = on.iter().filter_map(|(&worker, on_it)| {
            let chosen = self.make_room(worker, rooms.get(&worker)?, on_it, before)?;
            let chosen = self.top_up(placed, chosen)?;
            let cost: u64 = chosen.iter().map(|v| v.loss).sum();
            Some((cost, chosen.len(), worker, chosen))
        });
        let (.., worker, chosen) =
            options.min_by_key(|(cost, count, worker, _)| (*cost, *count, *worker))?;
        Some(Step { worker, chosen })
    }

    /// Whether the tenant of `victim` still borrows once `chosen` have stopped.
    fn still_borrows(&self, victim: &Victim, chosen: &[&Victim]) -> bool {
        let Some(account) = self.sight.pool.accounts.get(&victim.tenant) else { return false };
        let gone = chosen.iter().filter(|other| other.tenant == victim.tenant);
        let staying = account.used.minus(account.leaving);
        let left = gone.fold(staying, |left, other| left.minus(other.total));
        !left.within(&account.quota.guaranteed)
    }

    /// After `before`, of those on a worker the cheapest that let one more of the job's workers fit.
    fn make_room(
        &self,
        worker: WorkerId,
        room: &Room,
        victims: &[&'a Victim],
        before: &[&'a Victim],
    ) -> Option<Vec<&'a Victim>> {
        let (mut room, mut chosen) = (room.clone(), before.to_vec());
        let able = || victims.iter().filter(|v| before.iter().all(|other| other.job != v.job));
        let held = able().flat_map(|victim| victim.seats.on(worker).map(|_| victim.each));
        if !self.each.within(&held.fold(room.free(), Resources::plus)) {
            return None;
        }
        for victim in able().copied() {
            if room.spot(self.each).is_some() {
                break;
            }
            if self.still_borrows(victim, &chosen) {
                victim.leave(worker, &mut room);
                chosen.push(victim);
            }
        }
        room.spot(self.each)?;
        // those whose room turned out not to be needed, the dearest first
        for n in (before.len()..chosen.len()).rev() {
            let mut without = room.clone();
            chosen[n].stay(worker, &mut without);
            if without.spot(self.each).is_some() {
                room = without;
                chosen.remove(n);
            }
        }
        Some(chosen)
    }

    /// More of them, until the cohort has as much to give as so many of the job's workers need.
    fn top_up(&self, placed: u32, mut chosen: Vec<&'a Victim>) -> Option<Vec<&'a Victim>> {
        let freed = chosen.iter().fold(Resources::NONE, |sum, victim| sum.plus(victim.total));
        let cohort = &self.sight.pool.cohorts[self.cohort];
        let allowed = self.sight.pool.allowed(self.cohort);
        let needed = self.each.times(placed);
        let mut used = cohort.used.plus(cohort.claimed).minus(freed).plus(needed);
        for victim in self.victims {
            let Some(beyond) = used.first_beyond(&allowed) else { break };
            let taken = chosen.iter().any(|other| other.job == victim.job);
            if !taken && victim.total.get(beyond) > 0 && self.still_borrows(victim, &chosen) {
                used = used.minus(victim.total);
                chosen.push(victim);
            }
        }
        used.within(&allowed).then_some(chosen)
    }
}
