//! What must hold of every plan, as plain functions that the tests share. Each counts on its own,
//! from the world and the plan alone, so that it cannot repeat a mistake of the planner.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, TenantId, Timestamp, WorkerId,
    job::Attempt,
    spec::Resources,
    world::{Command, Phase, Plan, WaitReason, World},
};

use crate::{Policy, place::fits, plan};

pub type Checked = Result<(), String>;

/// Everything at once, for a world and the plan that was made of it.
pub fn all(world: &World, policy: &Policy, now: Timestamp, made: &Plan) -> Checked {
    no_worker_over_capacity(world, made)?;
    no_tenant_over_limit(world, made)?;
    one_start_per_job(made)?;
    numbers_only_grow(world, made)?;
    every_waiting_job_answered(world, made)?;
    reasons_are_true(made)?;
    same_input_same_plan(world, policy, now, made)?;
    settles(world, policy, now, made)
}

fn starts(plan: &Plan) -> impl Iterator<Item = (Attempt, WorkerId)> {
    plan.commands.iter().filter_map(|command| match command {
        Command::Start { attempt, worker } => Some((*attempt, *worker)),
        Command::Reclaim { .. } | Command::TimeOut { .. } => None,
    })
}

fn ends(plan: &Plan) -> impl Iterator<Item = Attempt> {
    plan.commands.iter().filter_map(|command| match command {
        Command::Reclaim { attempt } | Command::TimeOut { attempt } => Some(*attempt),
        Command::Start { .. } => None,
    })
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// A worker that is given work takes it, and has room for it beside all that is live on it.
pub fn no_worker_over_capacity(world: &World, plan: &Plan) -> Checked {
    let mut held: BTreeMap<WorkerId, (u64, u128)> = BTreeMap::new();
    let mut hold = |worker, resources: Resources| {
        let sum = held.entry(worker).or_default();
        sum.0 += u64::from(resources.cpu_milli);
        sum.1 += u128::from(resources.memory_bytes);
    };
    for job in world.jobs.values() {
        if let Phase::Live { worker, .. } = job.phase {
            hold(worker, job.resources);
        }
    }
    for (attempt, worker) in starts(plan) {
        let job = world.jobs.get(&attempt.job).ok_or(format!("{attempt}: no such job"))?;
        hold(worker, job.resources);
    }
    for (attempt, worker) in starts(plan) {
        let view = world.workers.get(&worker).ok_or(format!("{attempt}: no {worker}"))?;
        ensure(view.accepts && !view.gone, || format!("{attempt} on {worker}, which takes none"))?;
        let (cpu, memory) = held[&worker];
        // A worker may have shrunk below what it runs; then only a job that needs none of that fits.
        let needs = world.jobs.get(&attempt.job).map(|job| job.resources);
        let none = |of: fn(Resources) -> u64| needs.is_some_and(|needs| of(needs) == 0);
        let within = (cpu <= u64::from(view.capacity.cpu_milli)
            || none(|needs| needs.cpu_milli.into()))
            && (memory <= u128::from(view.capacity.memory_bytes)
                || none(|needs| needs.memory_bytes));
        ensure(within, || format!("{worker} over capacity: {cpu} mCPU, {memory} bytes"))?;
    }
    Ok(())
}

/// A tenant whose job is started stays within its limit, counting all that is live.
pub fn no_tenant_over_limit(world: &World, plan: &Plan) -> Checked {
    let mut running: BTreeMap<TenantId, u64> = BTreeMap::new();
    let started: BTreeSet<JobId> = starts(plan).map(|(attempt, _)| attempt.job).collect();
    for (id, job) in &world.jobs {
        if matches!(job.phase, Phase::Live { .. }) || started.contains(id) {
            *running.entry(job.tenant).or_default() += 1;
        }
    }
    for job in started.iter().filter_map(|id| world.jobs.get(id)) {
        let limit = world.tenants.get(&job.tenant).map_or(0, |share| u64::from(share.max_running));
        let running = running[&job.tenant];
        ensure(running <= limit, || format!("{}: {running} run of {limit}", job.tenant))?;
    }
    Ok(())
}

pub fn one_start_per_job(plan: &Plan) -> Checked {
    let mut seen = BTreeSet::new();
    starts(plan).try_for_each(|(attempt, _)| {
        ensure(seen.insert(attempt.job), || format!("{} started twice", attempt.job))
    })
}

/// A start carries the number after the job's last one; an end names the live attempt.
pub fn numbers_only_grow(world: &World, plan: &Plan) -> Checked {
    for (attempt, _) in starts(plan) {
        let next = world.jobs.get(&attempt.job).and_then(|job| match job.phase {
            Phase::Waiting { last_attempt, .. } => Some(last_attempt.saturating_add(1)),
            Phase::Live { .. } => None,
        });
        ensure(next == Some(attempt.number.get()), || format!("{attempt} is not {next:?}"))?;
    }
    for attempt in ends(plan) {
        let live = world.jobs.get(&attempt.job).is_some_and(
            |job| matches!(job.phase, Phase::Live { attempt: live, .. } if live == attempt),
        );
        ensure(live, || format!("{attempt} ended, but is not live"))?;
    }
    Ok(())
}

/// Each waiting job has a start or a reason, not both, and no other job has either.
pub fn every_waiting_job_answered(world: &World, plan: &Plan) -> Checked {
    let started: BTreeSet<JobId> = starts(plan).map(|(attempt, _)| attempt.job).collect();
    for (id, job) in &world.jobs {
        let answers =
            usize::from(started.contains(id)) + usize::from(plan.waiting.contains_key(id));
        let due = usize::from(matches!(job.phase, Phase::Waiting { .. }));
        ensure(answers == due, || format!("{id}: {answers} answers where {due} are due"))?;
    }
    let unknown = plan.waiting.keys().find(|id| !world.jobs.contains_key(id));
    ensure(unknown.is_none(), || format!("a reason for {unknown:?}, which is not there"))
}

/// A reason's own numbers bear it out.
pub fn reasons_are_true(plan: &Plan) -> Checked {
    plan.waiting.iter().try_for_each(|(id, reason)| {
        let holds = match *reason {
            WaitReason::MaxRunningJobs { running, limit } => running >= limit,
            WaitReason::Resources { needs, largest_free: room }
            | WaitReason::TooLarge { needs, largest: room } => !fits(needs, room),
            WaitReason::BeginTime { .. } | WaitReason::NoWorkers | WaitReason::NextPlan => true,
        };
        ensure(holds, || format!("{id} waits for no reason: {reason:?}"))
    })
}

pub fn same_input_same_plan(
    world: &World,
    policy: &Policy,
    now: Timestamp,
    made: &Plan,
) -> Checked {
    ensure(plan(world, policy, now) == *made, || "the same input gave another plan".into())
}

/// Planning again plans nothing new: once a plan is carried out, nothing ends twice, and nothing
/// more starts unless the plan ended something (which makes room) or was cut at its limit.
pub fn settles(world: &World, policy: &Policy, now: Timestamp, made: &Plan) -> Checked {
    let after = carried_out(world, made);
    let again = plan(&after, policy, now);
    let ended = ends(&again).next();
    ensure(ended.is_none(), || {
        format!("{ended:?} is still to end after the plan was carried out")
    })?;
    let goes_on = ends(made).next().is_some() || starts(made).count() == policy.max_starts_per_plan;
    let more = again.commands.first();
    ensure(goes_on || more.is_none(), || format!("a second plan has more to do: {more:?}"))?;
    if goes_on && more.is_some() { settles(&after, policy, now, &again) } else { Ok(()) }
}

/// The world once the plan is carried out at the same moment. Ended attempts take their jobs out
/// of the picture: whether those come back is for their own state to say.
pub fn carried_out(world: &World, plan: &Plan) -> World {
    let mut after = world.clone();
    for attempt in ends(plan) {
        after.jobs.remove(&attempt.job);
    }
    for (attempt, worker) in starts(plan) {
        if let Some(job) = after.jobs.get_mut(&attempt.job) {
            let (lease_until, deadline) = (Timestamp::MAX_UTC, Timestamp::MAX_UTC);
            job.phase = Phase::Live { attempt, worker, lease_until, deadline, stopping: false };
        }
    }
    after
}
