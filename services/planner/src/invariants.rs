//! What must hold of every plan, as plain functions that the tests and the simulator share. Each counts
//! on its own, from a plain [`World`] and the plan alone, so that it cannot repeat a mistake of the
//! planner's.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, PoolId, Resources, TenantId, Timestamp, WorkerId,
    spend::{Prices, Spend},
    world::{
        Command, Devices, Live, Phase, PlannedJob, PreemptReason, Quota, Seat, Stopping,
        TenantCaps, WorkerState, WorkerView,
    },
};

use crate::{Plan, Policy, after, seconds};

/// The same picture as a queue's, as plain facts.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub tenants: BTreeMap<TenantId, TenantCaps>,
    pub prices: BTreeMap<PoolId, Prices>,
    pub quotas: BTreeMap<(TenantId, PoolId), Quota>,
    pub workers: BTreeMap<WorkerId, WorkerView>,
    pub jobs: BTreeMap<JobId, PlannedJob>,
}

pub type Checked = Result<(), String>;

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Everything at once, for the world before a plan and the plan.
pub fn all(before: &World, policy: &Policy, now: Timestamp, plan: &Plan) -> Checked {
    starts_are_possible(before, now, plan)?;
    stops_are_allowed(before, policy, now, plan)?;
    let mut after = before.clone();
    after.carry_out(plan, now);
    let started = started(plan);
    no_worker_over_capacity(&after, &started)?;
    no_tenant_over_its_caps(&after, now, &started)?;
    no_cohort_over_its_part(&after, &started)?;
    reclaiming_helps(&after, plan)?;
    nothing_is_left_idle(&after, now, plan)
}

fn started(plan: &Plan) -> BTreeSet<JobId> {
    let starts = plan.commands.iter().filter(|c| matches!(c, Command::Start { .. }));
    starts.map(|command| command.attempt().job).collect()
}

impl World {
    pub fn carry_out(&mut self, plan: &Plan, now: Timestamp) {
        for command in &plan.commands {
            let Some(job) = self.jobs.get_mut(&command.attempt().job) else { continue };
            let max_runtime = job.max_runtime_secs;
            match (command.clone(), &mut job.phase) {
                (Command::Start { attempt, seats, rate }, phase) => {
                    *phase = Phase::Live(Box::new(Live {
                        attempt,
                        seats,
                        started_at: now,
                        deadline: after(now, max_runtime),
                        saved_at: now,
                        rate,
                        stopping: None,
                    }));
                }
                (Command::Preempt { why, .. }, Phase::Live(live)) => {
                    live.stopping = Some(Stopping { for_job: why.for_job() });
                }
                _ => {}
            }
        }
    }

    fn live(&self) -> impl Iterator<Item = (JobId, &PlannedJob, &Live)> {
        self.jobs.iter().filter_map(|(id, job)| Some((*id, job, job.live()?)))
    }

    fn caps(&self, tenant: TenantId) -> TenantCaps {
        self.tenants.get(&tenant).copied().unwrap_or_default()
    }

    fn cost(&self, job: &PlannedJob) -> Spend {
        let prices = self.prices.get(&job.pool).copied().unwrap_or_default();
        prices.rate(&together(job)).over_secs(job.max_runtime_secs)
    }

    /// What the tenant has spent and what its live attempts may still cost.
    fn committed(&self, tenant: TenantId) -> Spend {
        let own = self.live().filter(|(_, job, _)| job.tenant == tenant);
        own.fold(self.caps(tenant).budget.spent, |sum, (_, job, live)| {
            sum.plus(live.rate.over_secs(job.max_runtime_secs))
        })
    }

    /// Whether the tenant's counts and costs are within its caps, with `more` such jobs.
    fn within_caps(&self, job: &PlannedJob, now: Timestamp, more: usize) -> bool {
        let running = |of: &dyn Fn(&PlannedJob) -> bool| {
            let own = self.live().filter(|(_, other, _)| other.tenant == job.tenant && of(other));
            own.count() + more
        };
        let (caps, quota) = (self.caps(job.tenant), self.quota(job.tenant, job.pool));
        let within_key = job.concurrency.as_ref().is_none_or(|own| {
            let same = |other: &PlannedJob| {
                other.concurrency.as_ref().is_some_and(|key| key.key == own.key)
            };
            let counted = self.jobs.values().filter(|other| other.tenant == job.tenant);
            let counted = counted.filter(|other| same(other) && other.may_run_at(now));
            let limits = counted.filter_map(|other| other.concurrency.as_ref().map(|of| of.limit));
            running(&same) <= limits.min().unwrap_or(0) as usize
        });
        let cost = if more == 0 { Spend::NONE } else { self.cost(job) };
        within_key
            && running(&|_| true) <= caps.max_running as usize
            && running(&|other| other.pool == job.pool) <= quota.max_running as usize
            && self.committed(job.tenant).plus(cost).within(&caps.budget.granted)
    }

    fn quota(&self, tenant: TenantId, pool: PoolId) -> Quota {
        self.quotas.get(&(tenant, pool)).cloned().unwrap_or_default()
    }

    fn used_by(&self, tenant: TenantId, pool: PoolId) -> Resources {
        let own = self.live().filter(|(_, job, _)| job.tenant == tenant && job.pool == pool);
        own.fold(Resources::NONE, |sum, (_, job, _)| sum.plus(together(job)))
    }

    fn capacity(&self, pool: PoolId) -> Resources {
        let there = self.workers.values();
        let there = there.filter(|w| w.pool == pool && w.state != WorkerState::Gone);
        there.fold(Resources::NONE, |sum, worker| sum.plus(worker.capacity))
    }

    /// What the tenants of a cohort use, and what they may use.
    fn cohort(&self, pool: PoolId, name: Option<&str>) -> (Resources, Resources) {
        let used = self.live().filter(|(_, job, _)| {
            job.pool == pool && self.quota(job.tenant, pool).cohort.as_deref() == name
        });
        let used = used.fold(Resources::NONE, |sum, (_, job, _)| sum.plus(together(job)));
        let quotas = self.quotas.iter().filter(|((_, of), _)| *of == pool).map(|(_, quota)| quota);
        let guaranteed = |quota: &&Quota| match name {
            Some(_) => quota.cohort.as_deref() == name,
            None => quota.cohort.is_some(),
        };
        let sum = quotas.filter(guaranteed).fold(Resources::NONE, |s, q| s.plus(q.guaranteed));
        let allowed = match name {
            Some(_) => sum,
            None if sum == Resources::NONE => Resources::UNLIMITED,
            None => self.capacity(pool).minus(sum),
        };
        (used, allowed)
    }

    /// What is free of a worker and of each of its accelerators, if `without` have gone.
    fn free(&self, id: WorkerId, without: impl Fn(&Live) -> bool) -> Option<(Resources, Vec<u64>)> {
        let worker = self.workers.get(&id)?;
        let count = (worker.capacity.accelerator_milli / 1_000).min(Devices::MOST as u64);
        let (mut free, mut devices) = (worker.capacity, vec![1_000_u64; count as usize]);
        let staying = self.live().filter(|(.., live)| !without(live));
        let live = staying
            .flat_map(|(_, job, live)| live.seats.on(id).map(|seat| (job.needs, seat.devices)));
        for (needs, held) in live.chain(worker.leftover.iter().copied()) {
            free = free.minus(needs);
            for n in held.iter() {
                let part = needs.accelerator_milli.min(1_000);
                // an accelerator that the worker had once
                if let Some(device) = devices.get_mut(n) {
                    *device = device.saturating_sub(part);
                }
            }
        }
        Some((free, devices))
    }

    /// Whether as many of the job's workers fit as it has.
    fn fits(&self, job: &PlannedJob, without: impl Fn(&Live) -> bool + Copy) -> bool {
        let open = self.workers.iter();
        let open = open.filter(|(_, w)| w.pool == job.pool && w.state == WorkerState::Up);
        let rooms = open.filter_map(|(id, _)| self.free(*id, without));
        let sum: u64 = rooms.map(|(free, devices)| how_many(&job.needs, &free, &devices)).sum();
        sum >= job.workers.into()
    }
}

/// What the job's workers need together.
fn together(job: &PlannedJob) -> Resources {
    (0..job.workers).fold(Resources::NONE, |sum, _| sum.plus(job.needs))
}

/// So many such workers fit into what is free of a machine and of each of its accelerators.
fn how_many(needs: &Resources, free: &Resources, devices: &[u64]) -> u64 {
    let by_cpu = free.cpu_milli.checked_div(needs.cpu_milli).unwrap_or(u64::MAX);
    let by_memory = free.memory_bytes.checked_div(needs.memory_bytes).unwrap_or(u64::MAX);
    let whole = devices.iter().filter(|free| **free == 1_000).count() as u64;
    let by_accelerators = match needs.accelerator_milli {
        0 => u64::MAX,
        part if part <= 1_000 => devices.iter().map(|free| free / part).sum(),
        more => whole / more.div_ceil(1_000),
    };
    by_cpu.min(by_memory).min(by_accelerators).min(64)
}

/// A job that waits and whose time has come, once, under its next number, with all of its workers, in
/// its own pool.
fn starts_are_possible(world: &World, now: Timestamp, plan: &Plan) -> Checked {
    let mut seen = BTreeSet::new();
    for command in &plan.commands {
        let Command::Start { attempt, seats, .. } = command else { continue };
        ensure(seen.insert(attempt.job), || format!("{} started twice", attempt.job))?;
        let job = world.jobs.get(&attempt.job).ok_or(format!("{attempt}: no such job"))?;
        let Phase::Waiting { not_before, last_attempt } = job.phase else {
            return Err(format!("{attempt} does not wait"));
        };
        ensure(not_before <= now, || format!("{attempt} before its time"))?;
        let next = last_attempt.saturating_add(1);
        ensure(attempt.number.get() == next, || format!("{attempt} after {last_attempt}"))?;
        let (has, wants) = (seats.len(), job.workers as usize);
        ensure(has == wants, || format!("{attempt} has {has} of {wants} workers"))?;
        for worker in seats.iter().map(|seat| seat.worker) {
            let place = world.workers.get(&worker).ok_or(format!("{attempt}: no {worker}"))?;
            let takes = place.state == WorkerState::Up && place.pool == job.pool;
            ensure(takes, || format!("{attempt} on {worker}, which takes none of its pool"))?;
        }
    }
    Ok(())
}

/// Only live attempts that are not stopping yet, once each; for another job only borrowers, after
/// their minimum runtime, for a job within its guarantee.
fn stops_are_allowed(world: &World, policy: &Policy, now: Timestamp, plan: &Plan) -> Checked {
    let mut left: BTreeMap<(TenantId, PoolId), Resources> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for command in &plan.commands {
        let Command::Preempt { attempt, why } = command else { continue };
        ensure(seen.insert(attempt.job), || format!("{} stopped twice", attempt.job))?;
        let live = world.live().find(|(id, ..)| *id == attempt.job);
        let (_, job, live) = live.ok_or(format!("{attempt} is not live"))?;
        ensure(live.attempt == *attempt, || format!("{attempt} is another attempt"))?;
        ensure(live.stopping.is_none(), || format!("{attempt} stops already"))?;
        let PreemptReason::Reclaimed { for_job } = why else { continue };
        let ran = seconds(live.started_at, now);
        let minimum = policy.min_runtime.num_milliseconds() as f64 / 1_000.0;
        ensure(ran >= minimum, || format!("{attempt} stopped after {ran} s"))?;
        let account = (job.tenant, job.pool);
        let used = left.entry(account).or_insert_with(|| world.used_by(job.tenant, job.pool));
        let guaranteed = world.quota(job.tenant, job.pool).guaranteed;
        ensure(!used.within(&guaranteed), || format!("{attempt} does not borrow"))?;
        *used = used.minus(together(job));
        let claimant = world.jobs.get(for_job).ok_or(format!("{for_job}: no such job"))?;
        ensure(claimant.tenant != job.tenant, || format!("{attempt} stopped for its own tenant"))?;
        let with = world.used_by(claimant.tenant, claimant.pool).plus(together(claimant));
        let guarantee = world.quota(claimant.tenant, claimant.pool).guaranteed;
        ensure(with.within(&guarantee), || format!("{for_job} is beyond its guarantee"))?;
    }
    Ok(())
}

/// What one worker of a job holds somewhere.
struct Held {
    job: JobId,
    worker: WorkerId,
    needs: Resources,
    devices: Devices,
}

fn no_worker_over_capacity(world: &World, started: &BTreeSet<JobId>) -> Checked {
    let live = world.live().flat_map(|(id, job, live)| {
        let held = |seat: &Seat| (id, seat.worker, job.needs, seat.devices);
        live.seats.iter().map(held).collect::<Vec<_>>()
    });
    let left = world.workers.iter().flat_map(|(worker, view)| {
        view.leftover.iter().map(|(needs, devices)| (JobId::NIL, *worker, *needs, *devices))
    });
    let held = live.chain(left);
    let held: Vec<_> =
        held.map(|(job, worker, needs, devices)| Held { job, worker, needs, devices }).collect();
    for Held { job: id, worker, needs, devices } in held.iter().filter(|h| started.contains(&h.job))
    {
        let Some(view) = world.workers.get(worker) else { continue };
        let on = || held.iter().filter(|other| other.worker == *worker);
        let used = on().fold(Resources::NONE, |sum, other| sum.plus(other.needs));
        // a worker may have shrunk below what it runs; then only a job that needs none of that fits
        let over = used.minus(view.capacity);
        ensure(over.least(*needs) == Resources::NONE, || format!("{id}: {used} on its worker"))?;
        let part = needs.accelerator_milli.min(1_000);
        let count = devices.iter().count() as u64;
        ensure(count == needs.accelerator_milli.div_ceil(1_000), || {
            format!("{id}: {count} devices")
        })?;
        for n in devices.iter() {
            let sharing = on().filter(|other| other.devices.iter().any(|m| m == n));
            let taken: u64 = sharing.map(|other| other.needs.accelerator_milli.min(1_000)).sum();
            ensure(part == 0 || taken <= 1_000, || format!("{id}: {taken} of device {n}"))?;
        }
    }
    Ok(())
}

fn no_tenant_over_its_caps(world: &World, now: Timestamp, started: &BTreeSet<JobId>) -> Checked {
    for job in started.iter().filter_map(|id| world.jobs.get(id)) {
        ensure(world.within_caps(job, now, 0), || format!("{}: over its caps", job.tenant))?;
        let (used, limit) =
            (world.used_by(job.tenant, job.pool), world.quota(job.tenant, job.pool).limit);
        ensure(used.within(&limit), || format!("{}: {used} of {limit}", job.tenant))?;
    }
    Ok(())
}

fn no_cohort_over_its_part(world: &World, started: &BTreeSet<JobId>) -> Checked {
    for job in started.iter().filter_map(|id| world.jobs.get(id)) {
        let name = world.quota(job.tenant, job.pool).cohort;
        let (used, allowed) = world.cohort(job.pool, name.as_deref());
        let over = used.minus(allowed).least(together(job));
        ensure(over == Resources::NONE, || format!("cohort {name:?}: {used} of {allowed}"))?;
    }
    Ok(())
}

/// Nobody is stopped for a job that does not start by it.
fn reclaiming_helps(world: &World, plan: &Plan) -> Checked {
    for command in &plan.commands {
        let Command::Preempt { why: PreemptReason::Reclaimed { for_job }, .. } = command else {
            continue;
        };
        let Some(job) = world.jobs.get(for_job) else { continue };
        let fits = world.fits(job, |live| live.stopping.is_some());
        ensure(fits, || format!("{for_job} does not fit though others stop for it"))?;
    }
    Ok(())
}

/// Whoever may start and has room has started, unless somebody ahead has the room promised.
fn nothing_is_left_idle(world: &World, now: Timestamp, plan: &Plan) -> Checked {
    if plan.more {
        return Ok(());
    }
    let due = |job: &&PlannedJob| job.live().is_none() && job.may_run_at(now);
    // of the jobs that cost too much, a plan asks a bounded number
    let spent = |tenant: TenantId| {
        let left = world.caps(tenant).budget.granted;
        let own = world.jobs.values().filter(|job| job.tenant == tenant).filter(due);
        let mut costs = own.map(|job| world.committed(tenant).plus(world.cost(job)));
        costs.any(|sum| !sum.within(&left))
    };
    let able = |job: &&PlannedJob| {
        let quota = world.quota(job.tenant, job.pool);
        let within = world.used_by(job.tenant, job.pool).plus(together(job)).within(&quota.limit);
        due(job) && world.within_caps(job, now, 1) && within && !spent(job.tenant)
    };
    let short = |job: &PlannedJob| {
        let quota = world.quota(job.tenant, job.pool);
        let (used, allowed) = world.cohort(job.pool, quota.cohort.as_deref());
        !used.plus(together(job)).within(&allowed)
    };
    let mut empty = World { workers: world.workers.clone(), ..World::default() };
    empty.workers.values_mut().for_each(|worker| worker.leftover.clear());
    let pools: BTreeSet<_> = world.jobs.values().map(|job| job.pool).collect();
    for pool in pools {
        let able: Vec<_> = world.jobs.values().filter(|j| j.pool == pool).filter(able).collect();
        let kept = world.live().any(|(_, job, live)| job.pool == pool && live.stopping.is_some());
        // whoever is promised room may have become unable to use it in the same plan
        let blocked = world
            .jobs
            .values()
            .filter(|job| job.pool == pool)
            .filter(due)
            .any(|job| short(job) || !world.fits(job, |_| false) && empty.fits(job, |_| false));
        if !kept && !blocked {
            let idle = able.iter().find(|job| world.fits(job, |_| false));
            ensure(idle.is_none(), || format!("room for {idle:?}, and it waits"))?;
        }
    }
    Ok(())
}
