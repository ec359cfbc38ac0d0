//! Jobs of several workers: one attempt on many machines, each seat of which is taken until its process
//! has ended.

use domain::{
    JobId, Resources, WorkerId,
    job::{Attempt, Cause, JobStatus, Report, StopReason},
    resources::ResourceName,
    spend::{Prices, Spend},
    world::{Command, Devices, Quota, WorkerState, WorkerView},
};
use store::{
    Service,
    attempts::{self, Directive, Recorded},
    budgets,
    changes::{Change, Cursor},
    invariants,
    jobs::{self, NewJob, Refusal, Submitted},
    pools, schedule, usage, workers,
};

use crate::support::{RESOURCES, World, attempt, new_job, news, next, retry, start, start_on};

async fn submit(world: &World, workers: u32) -> JobId {
    let mut tx = world.begin_for(&world.acme).await;
    let job = NewJob { workers, ..new_job(&world.acme) };
    assert_eq!(jobs::submit(&mut tx, &job).await.unwrap(), Submitted::Accepted);
    tx.commit().await.unwrap();
    job.id
}

/// The first attempt of a job of two workers, on the world's and on another.
async fn started(world: &World, other: WorkerId) -> Attempt {
    let first = world.running_on(&world.acme, &[world.worker, other]).await;
    assert_eq!(taken(world, first, 1).await, Recorded::Recorded);
    first
}

async fn taken(world: &World, attempt: Attempt, rank: u32) -> Recorded {
    let mut tx = world.begin_as(Service::Worker).await;
    let taken = attempts::taken(&mut tx, attempt, rank).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

async fn leave(world: &World, attempt: Attempt, rank: u32) {
    let mut tx = world.begin_as(Service::Worker).await;
    attempts::leave(&mut tx, attempt, rank).await.unwrap();
    tx.commit().await.unwrap();
}

async fn given(world: &World, worker: WorkerId) -> Vec<(Attempt, u32)> {
    let mut tx = world.begin_as(Service::Worker).await;
    let given = attempts::assigned_to(&mut tx, worker, None).await.unwrap();
    assert!(given.iter().all(|one| one.resources == RESOURCES));
    given.into_iter().map(|one| (one.attempt, one.rank)).collect()
}

async fn directive(
    world: &World,
    worker: WorkerId,
    attempt: Attempt,
    step: Option<u64>,
) -> Directive {
    let mut tx = world.begin_as(Service::Worker).await;
    let answer = attempts::heartbeat(&mut tx, worker, &[(attempt, step)]).await.unwrap();
    tx.commit().await.unwrap();
    answer[0]
}

async fn leftover(world: &World, worker: WorkerId) -> Vec<(Resources, Devices)> {
    let mut tx = world.begin_as(Service::Scheduler).await;
    let facts = schedule::look(&mut tx, &[Change::Worker(worker)]).await.unwrap();
    let [(_, Some(WorkerView { leftover, .. }))] = &facts.workers[..] else { panic!("{facts:?}") };
    leftover.clone()
}

#[tokio::test]
async fn every_rank_is_given_to_its_worker_once() {
    let world = World::create().await;
    let (two, idle) = (world.worker("two").await, world.worker("idle").await);
    let first = attempt(submit(&world, 3).await, 1);
    world.command(start_on(first, &[world.worker, two, two])).await;
    assert_eq!(given(&world, world.worker).await, [(first, 0)]);
    assert_eq!(given(&world, two).await, [(first, 1), (first, 2)]);
    assert_eq!(given(&world, idle).await, []);
    assert_eq!(world.started(first).await, Recorded::Recorded);
    assert_eq!(taken(&world, first, 2).await, Recorded::Recorded);
    assert_eq!(given(&world, world.worker).await, []);
    assert_eq!(given(&world, two).await, [(first, 1)]);

    let mut tx = world.begin_as(Service::Scheduler).await;
    let facts = schedule::look(&mut tx, &[Change::Job(first.job)]).await.unwrap();
    let live = facts.jobs[0].1.as_ref().unwrap().live().unwrap();
    let on: Vec<_> = live.seats.iter().map(|seat| seat.worker).collect();
    assert_eq!(on, [world.worker, two, two]);
    let mut tx = world.begin_as(Service::Gateway).await;
    let workers = workers::list(&mut tx, None, workers::MOST).await.unwrap().items;
    let running = |id| workers.iter().find(|worker| worker.id == id).unwrap().running;
    assert_eq!([world.worker, two, idle].map(running), [1, 2, 0]);
    assert_eq!(pools::list(&mut tx).await.unwrap()[0].used, RESOURCES.times(3));
}

#[tokio::test]
async fn every_worker_of_an_attempt_hears_what_is_asked_of_it() {
    let world = World::create().await;
    let (two, idle) = (world.worker("two").await, world.worker("idle").await);
    let first = started(&world, two).await;
    assert_eq!(directive(&world, world.worker, first, Some(3)).await, Directive::Continue);
    assert_eq!(directive(&world, two, first, Some(9)).await, Directive::Continue);
    assert_eq!(world.job(&world.acme, first.job).await.step, Some(3), "as rank 0 says");
    assert_eq!(directive(&world, idle, first, None).await, Directive::Superseded);
    world.cancel(&world.acme, first.job).await;
    let stop = Directive::Stop(StopReason::Cancelled);
    assert_eq!(directive(&world, world.worker, first, None).await, stop);
    assert_eq!(directive(&world, two, first, None).await, stop);
    world.report(first, Report::Stopped).await.unwrap();
    assert_eq!(directive(&world, two, first, None).await, Directive::Superseded);
    assert_eq!(taken(&world, first, 1).await, Recorded::Superseded);
}

#[tokio::test]
async fn a_seat_is_taken_until_its_process_has_ended() {
    let world = World::create().await;
    let (two, three) = (world.worker("two").await, world.worker("three").await);
    let first = started(&world, two).await;
    assert_eq!(leftover(&world, two).await, [], "it is the live attempt's");
    let mut tx = world.begin_as(Service::Scheduler).await;
    let mut cursor = Cursor::at_present(&mut tx).await.unwrap();
    drop(tx);

    // the second worker is gone, and with it the attempt
    let mut tx = world.begin_as(Service::Gateway).await;
    workers::set_state(&mut tx, two, WorkerState::Gone).await.unwrap();
    tx.commit().await.unwrap();
    world.command(Command::Lose { attempt: first }).await;
    let job = world.job(&world.acme, first.job).await;
    assert_eq!((job.status, job.tries), (JobStatus::Queued, 1));
    // who hears of the end hears of what is left
    let facts = news(&world, &mut cursor).await.facts;
    assert_eq!(facts.workers.len(), 2);
    let known = facts.workers.iter().find(|(id, _)| *id == world.worker).unwrap();
    let still_there = vec![(RESOURCES, Devices::default())];
    assert_eq!(known.1.as_ref().unwrap().leftover, still_there);
    assert!(facts.workers.contains(&(two, None)));

    // the next attempt runs elsewhere meanwhile
    let second = next(first);
    let four = world.worker("four").await;
    assert_eq!(world.command(start_on(second, &[three, four])).await.skipped, []);
    assert_eq!(leftover(&world, world.worker).await, still_there);
    leave(&world, first, 1).await;
    assert_eq!(leftover(&world, world.worker).await, still_there, "another rank's");
    leave(&world, first, 0).await;
    let changes = news(&world, &mut cursor).await.changes;
    assert!(changes.contains(&Change::Worker(world.worker)), "{changes:?}");
    assert_eq!(leftover(&world, world.worker).await, []);
    let mut tx = world.begin_as_owner().await;
    assert_eq!(invariants::violations(&mut tx, retry().max_tries).await.unwrap(), []);
}

#[tokio::test]
async fn a_seat_that_was_given_away_too_early_is_found() {
    let world = World::create().await;
    let two = world.worker("two").await;
    let first = started(&world, two).await;
    let failed = Cause::retryable("child_crashed", "a rank has crashed");
    world.report(first, Report::Failed(failed)).await.unwrap();
    leave(&world, first, 0).await;
    let other = attempt(world.submit(&world.acme).await, 1);
    world.command(start(other, two)).await;
    let mut tx = world.begin_as_owner().await;
    let found = invariants::violations(&mut tx, retry().max_tries).await.unwrap();
    let rules: Vec<_> = found.iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, ["a worker is given no more than it has"], "{found:?}");
}

#[tokio::test]
async fn a_worker_gives_up_the_ranks_that_it_knows_nothing_of() {
    let world = World::create().await;
    let two = world.worker("two").await;
    let first = started(&world, two).await;
    let forgotten = async |known: &[(Attempt, u32)]| {
        let mut tx = world.begin_as(Service::Worker).await;
        attempts::forgotten(&mut tx, two, known).await.unwrap()
    };
    assert_eq!(forgotten(&[(first, 1)]).await, []);
    assert_eq!(forgotten(&[(first, 0)]).await, [(first, 1)]);
    // one that has not begun is not forgotten; once its attempt has ended its seat is to be left
    let other = attempt(submit(&world, 2).await, 1);
    world.command(start_on(other, &[world.worker, two])).await;
    assert_eq!(forgotten(&[(first, 1)]).await, []);
    world.command(Command::Lose { attempt: other }).await;
    assert_eq!(forgotten(&[(first, 1)]).await, [(other, 1)]);
}

#[tokio::test]
async fn all_workers_are_metered_to_the_last_unit() {
    let world = World::create().await;
    let mut tx = world.begin_as(Service::Gateway).await;
    budgets::grant(&mut tx, world.acme.id, &Spend::UNLIMITED).await.unwrap();
    tx.commit().await.unwrap();
    let two = world.worker("two").await;
    let first = attempt(submit(&world, 2).await, 1);
    let Command::Start { attempt, seats, .. } = start_on(first, &[world.worker, two]) else {
        unreachable!("it says start");
    };
    let rate = Prices { cpu_hour: 3_600, ..Prices::default() }.rate(&RESOURCES.times(2));
    world.command(Command::Start { attempt, seats, rate }).await;
    world.report(first, Report::Succeeded).await.unwrap();

    let mut tx = world.begin_for(&world.acme).await;
    let records = usage::of_job(&mut tx, world.acme.id, first.job).await.unwrap();
    let used = records[0].used.unwrap();
    assert_eq!((records[0].workers, used.resources), (2, RESOURCES.times(2)));
    assert_eq!(used.cost, rate.over_millis(used.paid_millis));
    let (budget, _) = budgets::get(&mut tx, world.acme.id).await.unwrap().unwrap();
    assert_eq!(budget.spent, used.cost);
    let from = records[0].assigned_at;
    let until = from + chrono::Duration::days(1);
    let sums = usage::of_tenant(&mut tx, world.acme.id, from, until).await.unwrap();
    assert_eq!((sums.len(), sums[0].attempts), (1, 1));
    assert_eq!(sums[0].cpu_ms, 2 * used.millis);
    assert_eq!(sums[0].memory_mib_ms, 2 * 1_024 * used.millis);
    assert_eq!(sums[0].paid, used.cost);
}

#[tokio::test]
async fn the_size_of_a_job_is_that_of_all_its_workers() {
    let world = World::create().await;
    let max_job = RESOURCES.times(2);
    let mut tx = world.begin_as(Service::Gateway).await;
    let quota = Quota { max_job, ..Quota::default() };
    assert!(pools::set_quota(&mut tx, world.acme.id, "default", &quota).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = world.begin_for(&world.acme).await;
    let job = |workers| NewJob { workers, ..new_job(&world.acme) };
    assert_eq!(jobs::submit(&mut tx, &job(2)).await.unwrap(), Submitted::Accepted);
    let (resource, asked, most) = (ResourceName::CpuMilli, 3_000, 2_000);
    let refused = Submitted::Refused(Refusal::TooLarge { resource, asked, most });
    assert_eq!(jobs::submit(&mut tx, &job(3)).await.unwrap(), refused);
}
