//! Chaos: the platform as real processes, real jobs of several tenants, and by a seeded schedule
//! everything that the world does to processes. Afterwards the database is asked whether anything was
//! lost, done twice, or let past a cap.
//!
//! What is done, and when, is decided beforehand and by counting jobs that have ended ([`schedule`],
//! [`orders`]); what has to hold is judged afterwards ([`judge`], [`store::invariants`]). A seed repeats
//! the schedule; how the processes interleave is the machine's.

mod judge;
mod load;
mod look;
mod orders;
mod poison;
mod report;
mod schedule;
mod trouble;
mod world;

use std::{convert::Infallible, time::Duration};

use domain::job::RetryPolicy;
use store::invariants;
use tokio::{sync::watch, time::timeout};

pub use report::Report;

use load::Load;
use look::Look;
use report::Tally;
use schedule::Schedule;
use world::World;

use crate::{wait::WITHIN, wait_until};

/// How much, for how long, and by which dice.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub seed: u64,
    pub jobs: usize,
    /// Over which the submissions are spread; none at all if zero.
    pub minutes: f64,
}

/// Everything from the first process to the verdict.
///
/// # Panics
/// If the platform cannot be set up, or a process does not come back.
pub async fn run(options: &Options) -> Report {
    let (mut world, tenants) = World::start().await;
    let tally = Tally::default();
    let load = Load::new(options, &tenants, &tally);
    let schedule = Schedule::new(options.seed, options.jobs, world::WORKERS);
    let stuck = play(&mut world, &load, schedule, &tally).await;

    let mut tx = world.look.store.begin().await.unwrap();
    let max_tries = RetryPolicy::default().max_tries;
    let mut violations = invariants::violations(&mut tx, max_tries).await.unwrap();
    let ledger = load.into_ledger();
    violations.extend(judge::violations(&ledger, &invariants::trainings(&mut tx).await.unwrap()));
    let peaks = invariants::peaks(&mut tx).await.unwrap();
    let counts = invariants::counts(&mut tx).await.unwrap();
    drop(tx);
    let logs = (!violations.is_empty()).then(|| world.ground.dir.keep());
    Report { options: *options, tally: tally.into_counts(), counts, peaks, violations, stuck, logs }
}

/// Until every job has ended, or nothing moves any more: true then.
async fn play(world: &mut World, load: &Load<'_>, schedule: Schedule, tally: &Tally) -> bool {
    let (ended_sender, ended) = watch::channel(0);
    let World { ground, operator, gateway, redis, schedulers, workers, look } = world;
    let (ground, look, operator) = (&*ground, &*look, &*operator);
    let mut on_workers =
        trouble::Workers { ground, look, workers, load, tally, ended: ended.clone() };
    let mut on_schedulers = trouble::Schedulers { look, schedulers, tally, ended: ended.clone() };
    let mut on_backing =
        trouble::Backing { ground, operator, gateway, redis, tally, ended: ended.clone() };
    let everything = async {
        tokio::join!(
            load.submit_all(),
            on_workers.follow(&schedule.workers),
            on_schedulers.follow(&schedule.schedulers),
            on_backing.follow(&schedule.backing),
        );
        // the faults are over: what is left ends by itself
        wait_for_the_rest(look, ended).await
    };
    tokio::select! {
        stuck = everything => stuck,
        never = report_progress(look, ended_sender) => match never {},
        never = poison::kill_children(ground.dir.path(), load, tally) => match never {},
    }
}

/// Tells everybody how many jobs have ended.
async fn report_progress(look: &Look, ended: watch::Sender<u64>) -> Infallible {
    loop {
        if let Some((_, now)) = look.progress().await {
            ended.send_if_modified(|known| std::mem::replace(known, now) != now);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Whether none of the jobs that are left ended for long.
async fn wait_for_the_rest(look: &Look, mut ended: watch::Receiver<u64>) -> bool {
    let all = wait_until("the number of jobs", async || look.progress().await).await.0;
    while *ended.borrow_and_update() < all {
        if timeout(WITHIN, ended.changed()).await.is_err() {
            return true;
        }
    }
    false
}
