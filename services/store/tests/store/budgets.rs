//! What attempts cost, and that budgets grow by just that.

use chrono::Duration;
use domain::{
    JobId,
    job::{Attempt, Cause, Report},
    resources::Resources,
    spend::{Budget, Rate, Spend},
    world::{Command, Devices, PreemptReason, Seats},
};
use store::{
    Service,
    attempts::{self, Checkpoint},
    budgets,
    jobs::{self, NewJob, Submitted},
    leader::Held,
    schedule::{self, Applied},
    storage,
    usage::{self, AttemptRecord},
};

use crate::support::{World, attempt, held, new_job, next, retry};

const RATE: Rate = Rate { micro_credits_per_hour: 7_654_321, accelerator_milli: 500 };
/// As `new_job` has it.
const MAX_RUNTIME_SECS: u64 = 600;

/// A job's next attempt, given to a worker so many seconds ago.
async fn started_ago(world: &World, attempt: Attempt, seconds: i64) {
    let start =
        Command::Start { attempt, seats: Seats::one(world.worker, Devices::default()), rate: RATE };
    let applied = as_of(world, start, seconds).await;
    assert_eq!(applied.skipped, []);
}

async fn as_of(world: &World, command: Command, seconds_ago: i64) -> Applied {
    let mut tx = world.begin_as(Service::Scheduler).await;
    let lead = world.lead(&mut tx).await;
    let held = held(&mut tx, &lead).await.expect("the lead is ours");
    let then = Held { now: held.now - Duration::seconds(seconds_ago) };
    let applied = schedule::apply(&mut tx, then, &[command], &retry(), &[]).await.unwrap();
    tx.commit().await.unwrap();
    applied
}

/// A job that may have waited since before its attempt began.
async fn submitted_before(world: &World, seconds: i64) -> JobId {
    let mut tx = world.begin_as(Service::Scheduler).await;
    let now = schedule::time(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let job = NewJob { not_before: Some(now - Duration::seconds(seconds)), ..new_job(&world.acme) };
    let mut tx = world.begin_for(&world.acme).await;
    assert_eq!(jobs::submit(&mut tx, &job).await.unwrap(), Submitted::Accepted);
    tx.commit().await.unwrap();
    job.id
}

async fn records(world: &World, job: JobId) -> Vec<AttemptRecord> {
    let mut tx = world.begin_for(&world.acme).await;
    usage::of_job(&mut tx, world.acme.id, job).await.unwrap()
}

async fn spent(world: &World) -> Spend {
    let mut tx = world.begin_for(&world.acme).await;
    budgets::get(&mut tx, world.acme.id).await.unwrap().unwrap().0.spent
}

async fn grant(world: &World, granted: Spend) {
    let mut tx = world.begin_as(Service::Gateway).await;
    budgets::grant(&mut tx, world.acme.id, &granted).await.unwrap();
    tx.commit().await.unwrap();
}

async fn checkpoint(world: &World, attempt: Attempt) {
    let checkpoint = Checkpoint { path: "somewhere".to_owned(), step: 7 };
    let mut tx = world.begin_as(Service::Worker).await;
    attempts::checkpointed(&mut tx, attempt, &checkpoint).await.unwrap();
    tx.commit().await.unwrap();
}

/// What the one attempt of a job that has ended cost: all of it, as its row says.
fn cost(record: &AttemptRecord) -> Spend {
    let used = record.used.unwrap();
    let lived = (record.ended_at.unwrap() - record.assigned_at).num_milliseconds();
    let lived = lived.unsigned_abs().min(MAX_RUNTIME_SECS * 1_000);
    assert!(used.millis.abs_diff(lived) <= 1, "{record:?}");
    assert!(used.paid_millis <= used.millis, "{record:?}");
    assert_eq!(used.cost, RATE.over_millis(used.paid_millis));
    used.cost
}

#[tokio::test]
async fn a_tenant_pays_for_what_it_ran_to_the_last_unit() {
    let world = World::create().await;
    grant(&world, Spend::UNLIMITED).await;
    let mut sum = Spend::NONE;
    for (seconds, report) in [
        (90, Report::Succeeded),
        (1, Report::Failed(Cause::fatal("loss_not_finite", "the loss is not a number"))),
        (100_000, Report::Succeeded),
    ] {
        let first = attempt(submitted_before(&world, seconds).await, 1);
        started_ago(&world, first, seconds).await;
        world.started(first).await;
        world.report(first, report).await.unwrap();
        let [record] = &records(&world, first.job).await[..] else { panic!("one attempt") };
        let used = record.used.unwrap();
        assert_eq!(used.paid_millis, used.millis);
        assert_eq!(used.resources, Resources::cpu(1_000, 1 << 30));
        sum = sum.plus(cost(record));
        assert_eq!(spent(&world).await, sum);
    }
    // what ran beyond its `max_runtime` is the platform's
    let longest = RATE.over_secs(MAX_RUNTIME_SECS);
    assert!(sum.minus(longest).micro_credits < longest.micro_credits);
}

#[tokio::test]
async fn the_platform_pays_for_the_work_that_it_takes_away() {
    let world = World::create().await;
    grant(&world, Spend::UNLIMITED).await;
    let first = attempt(submitted_before(&world, 600).await, 1);
    started_ago(&world, first, 600).await;
    world.started(first).await;
    // lost without a checkpoint: nothing of it is left
    world.command(Command::Lose { attempt: first }).await;
    let second = next(first);
    started_ago(&world, second, 0).await;
    world.started(second).await;
    checkpoint(&world, second).await;
    world.command(Command::Preempt { attempt: second, why: PreemptReason::Drained }).await;
    world.report(second, Report::Stopped).await.unwrap();
    let found = records(&world, first.job).await;
    assert_eq!(found.len(), 2);
    let (lost, stopped) = (found[0].used.unwrap(), found[1].used.unwrap());
    assert_eq!((lost.paid_millis, lost.cost), (0, Spend::NONE));
    assert!(lost.millis >= 600_000);
    assert!(stopped.paid_millis <= stopped.millis);
    assert_eq!(spent(&world).await, cost(&found[0]).plus(cost(&found[1])));
}

#[tokio::test]
async fn one_that_cancels_pays_for_what_ran() {
    let world = World::create().await;
    grant(&world, Spend::UNLIMITED).await;
    let first = attempt(submitted_before(&world, 60).await, 1);
    started_ago(&world, first, 60).await;
    world.started(first).await;
    world.cancel(&world.acme, first.job).await;
    world.report(first, Report::Stopped).await.unwrap();
    let used = records(&world, first.job).await[0].used.unwrap();
    assert!(used.paid_millis >= 60_000);
    assert_eq!(spent(&world).await, used.cost);
    // a report that comes again, or late, costs nothing
    assert!(world.report(first, Report::Succeeded).await.is_err());
    assert_eq!(spent(&world).await, used.cost);
}

#[tokio::test]
async fn what_live_attempts_may_cost_is_reserved() {
    let world = World::create().await;
    let granted = Spend { micro_credits: 50_000_000, accelerator_ms: u64::MAX };
    grant(&world, granted).await;
    let first = attempt(submitted_before(&world, 1).await, 1);
    started_ago(&world, first, 1).await;
    let mut tx = world.begin_for(&world.acme).await;
    let reserved = budgets::reserved(&mut tx, world.acme.id).await.unwrap();
    assert_eq!(reserved, RATE.over_secs(MAX_RUNTIME_SECS));
    drop(tx);
    // the scheduler hears of it
    let mut tx = world.begin_as(Service::Scheduler).await;
    let (facts, ..) = schedule::load(&mut tx).await.unwrap();
    let (_, caps) = facts.tenants.iter().find(|(id, _)| *id == world.acme.id).unwrap();
    assert_eq!(caps.unwrap().budget, Budget { granted, spent: Spend::NONE });
    let (_, job) = facts.jobs.iter().find(|(id, _)| *id == first.job).unwrap();
    assert_eq!(job.as_ref().unwrap().live().unwrap().rate, RATE);
}

#[tokio::test]
async fn usage_of_a_period_is_the_sum_of_its_attempts() {
    let world = World::create().await;
    let globex = world.tenant("globex").await;
    let mut whole = Spend::NONE;
    let (mut millis, mut cpu_ms) = (0, 0);
    for seconds in [3, 17, 4_000] {
        let first = attempt(submitted_before(&world, seconds).await, 1);
        started_ago(&world, first, seconds).await;
        world.started(first).await;
        world.report(first, Report::Succeeded).await.unwrap();
        let used = records(&world, first.job).await[0].used.unwrap();
        whole = whole.plus(used.cost);
        millis += used.millis;
        cpu_ms += used.resources.cpu_milli * used.millis / 1_000;
    }
    let mut tx = world.begin_as(Service::Scheduler).await;
    let now = schedule::time(&mut tx).await.unwrap();
    let mut tx = world.begin_as(Service::Gateway).await;
    let (from, until) = (now - Duration::hours(1), now + Duration::hours(1));
    let sums = usage::of_tenant(&mut tx, world.acme.id, from, until).await.unwrap();
    let [sum] = &sums[..] else { panic!("one pool, one outcome: {sums:?}") };
    assert_eq!((sum.attempts, sum.cpu_ms, sum.paid), (3, cpu_ms, whole));
    assert_eq!(sum.memory_mib_ms, 1_024 * millis);
    assert!(usage::of_tenant(&mut tx, globex.id, from, until).await.unwrap().is_empty());
    let later = until + Duration::hours(1);
    assert!(usage::of_tenant(&mut tx, world.acme.id, until, later).await.unwrap().is_empty());
    // files: as this hour's, however often they are looked at
    let before = now - Duration::hours(2);
    for _ in 0..2 {
        let mut noting = world.begin_as(Service::Scheduler).await;
        storage::note(&mut noting).await.unwrap();
        noting.commit().await.unwrap();
        assert_eq!(usage::storage(&mut tx, world.acme.id, before, until).await.unwrap(), 100);
    }
}
