//! Which live attempts are over: those whose worker is gone or whose lease ran out are lost, those
//! past their deadline have used up their time.

use domain::{
    Timestamp,
    world::{Command, Phase, World},
};

pub fn ended(world: &World, now: Timestamp) -> Vec<Command> {
    world.jobs.values().filter_map(|job| end(world, &job.phase, now)).collect()
}

fn end(world: &World, phase: &Phase, now: Timestamp) -> Option<Command> {
    let Phase::Live { attempt, worker, lease_until, deadline, stopping } = phase else {
        return None;
    };
    let lost = world.workers.get(worker).is_none_or(|worker| worker.gone) || *lease_until < now;
    // An attempt that is already stopping ends by itself or with its lease.
    let late = *deadline < now && !stopping;
    match (lost, late) {
        (true, _) => Some(Command::Reclaim { attempt: *attempt }),
        (false, true) => Some(Command::TimeOut { attempt: *attempt }),
        (false, false) => None,
    }
}
