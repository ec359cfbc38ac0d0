//! The scheduler's decision, one pure function: [`plan`] looks at a bounded picture of the world and
//! says which attempts end, which jobs start where, and why every other job waits. No I/O, no clock
//! and no chance: the same input gives the same plan, and the simulation runs what production runs.
//!
//! `reclaim` says which live attempts are over, `order` whose turn it is, `place` where a job fits.
//! A plan never spends what it only expects to become free, so it may safely be carried out in part:
//! what an ended attempt held is given away by the next plan.

pub mod invariants;
mod order;
mod place;
mod reclaim;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, num::NonZeroU32};

use domain::{
    JobId, Timestamp, WorkerId,
    job::Attempt,
    world::{Command, Phase, Plan, PlannedJob, WaitReason, World},
};

use order::{Turn, Turns};
use place::Rooms;

#[derive(Debug, Clone)]
pub struct Policy {
    /// The most jobs that one plan starts: it bounds the transaction that carries the plan out.
    pub max_starts_per_plan: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { max_starts_per_plan: 256 }
    }
}

pub fn plan(world: &World, policy: &Policy, now: Timestamp) -> Plan {
    let mut rooms = Rooms::of(world);
    let commands = reclaim::ended(world, now);
    let mut plan = Plan { commands, waiting: out_of_turn(world, &rooms, now) };
    let mut turns = Turns::of(world, &plan.waiting);
    let mut starts_left = policy.max_starts_per_plan;
    while let Some(turn) = turns.next() {
        match decide(&turn, &rooms, starts_left) {
            Ok(worker) => {
                rooms.take(worker, turn.resources);
                turns.started(turn.tenant);
                starts_left -= 1;
                plan.commands.push(Command::Start { attempt: turn.attempt(), worker });
            }
            Err(reason) => {
                plan.waiting.insert(turn.job, reason);
            }
        }
    }
    plan
}

/// The waiting jobs that cannot start whoever's turn it is. They take no part in the order, so that
/// one of them never costs or gains its tenant a turn.
fn out_of_turn(world: &World, rooms: &Rooms, now: Timestamp) -> BTreeMap<JobId, WaitReason> {
    let reason = |job: &PlannedJob| match job.phase {
        Phase::Live { .. } => None,
        Phase::Waiting { not_before: until, .. } if until > now => {
            Some(WaitReason::BeginTime { until })
        }
        Phase::Waiting { .. } => rooms.could_hold(job.resources).err(),
    };
    world.jobs.iter().filter_map(|(id, job)| Some((*id, reason(job)?))).collect()
}

/// Where the job whose turn it is starts, or why it waits all the same.
fn decide(turn: &Turn, rooms: &Rooms, starts_left: usize) -> Result<WorkerId, WaitReason> {
    if turn.running >= turn.max_running {
        let (running, limit) = (turn.running, turn.max_running);
        return Err(WaitReason::MaxRunningJobs { running, limit });
    }
    let worker = rooms.find(turn.resources)?;
    if starts_left == 0 { Err(WaitReason::NextPlan) } else { Ok(worker) }
}

impl Turn {
    /// The number saturates: a job that has used every number is refused by its own state.
    fn attempt(&self) -> Attempt {
        Attempt { job: self.job, number: NonZeroU32::MIN.saturating_add(self.last_attempt) }
    }
}
