//! Jobs that wait for others, for a time, or for their owner.

use domain::{
    JobId,
    job::{Attempt, Cause, JobStatus, Report},
    spec::AfterCondition::{self, Any, Failure, Success},
};
use store::{
    Service,
    jobs::{self, NewJob, Refusal, Submitted},
    schedule,
};

use crate::support::{World, attempt, new_job, retry, start};

async fn try_after(world: &World, after: &[(JobId, AfterCondition)]) -> (JobId, Submitted) {
    let job = NewJob { after: after.to_vec(), ..new_job(&world.acme) };
    let mut tx = world.begin_for(&world.acme).await;
    let submitted = jobs::submit(&mut tx, &job).await.unwrap();
    tx.commit().await.unwrap();
    (job.id, submitted)
}

async fn after(world: &World, after: &[(JobId, AfterCondition)]) -> JobId {
    let (id, submitted) = try_after(world, after).await;
    assert_eq!(submitted, Submitted::Accepted);
    id
}

/// Whether the scheduler sees it.
async fn is_in_the_queue(world: &World, id: JobId) -> bool {
    let mut tx = world.begin_as(Service::Scheduler).await;
    let facts = schedule::look_at_jobs(&mut tx, &[id]).await.unwrap();
    facts[0].1.is_some()
}

async fn fail(world: &World, attempt: Attempt) {
    world.report(attempt, Report::Failed(Cause::fatal("bad", "bad"))).await.unwrap();
}

#[tokio::test]
async fn a_job_waits_until_all_that_it_names_have_ended_as_it_asks() {
    let world = World::create().await;
    let (one, two) = (world.running(&world.acme).await, world.running(&world.acme).await);
    let waiting = after(&world, &[(one.job, Success), (two.job, Failure)]).await;
    let job = world.job(&world.acme, waiting).await;
    assert_eq!(
        job.wait_reason.unwrap().to_string(),
        format!("waits for {}, {} to end", one.job, two.job)
    );
    assert!(!is_in_the_queue(&world, waiting).await);
    world.report(one, Report::Succeeded).await.unwrap();
    assert!(!is_in_the_queue(&world, waiting).await);
    fail(&world, two).await;
    assert!(is_in_the_queue(&world, waiting).await);
    assert_eq!(world.job(&world.acme, waiting).await.wait_reason, None);
    // what has ended as it asks is not waited for
    let third = after(&world, &[(one.job, Success), (two.job, Any)]).await;
    assert!(is_in_the_queue(&world, third).await);
}

#[tokio::test]
async fn what_can_never_start_fails_and_those_that_wait_for_it_hear_so() {
    let world = World::create().await;
    let first = world.running(&world.acme).await;
    let second = after(&world, &[(first.job, Success)]).await;
    let third = after(&world, &[(second, Success)]).await;
    let cleanup = after(&world, &[(third, Failure)]).await;
    fail(&world, first).await;
    for id in [second, third] {
        let job = world.job(&world.acme, id).await;
        assert_eq!(job.status, JobStatus::Failed);
        assert_eq!(job.cause.unwrap().code, "dependency_never_met");
    }
    let cause = world.job(&world.acme, second).await.cause.unwrap();
    assert!(cause.message.contains(&first.job.to_string()), "{}", cause.message);
    assert!(is_in_the_queue(&world, cleanup).await);
}

#[tokio::test]
async fn of_two_that_end_at_once_the_later_one_sees_both() {
    let world = World::create().await;
    for _ in 0..10 {
        let (one, two) = (world.running(&world.acme).await, world.running(&world.acme).await);
        let waiting = after(&world, &[(one.job, Success), (two.job, Success)]).await;
        let (a, b) = tokio::join!(
            world.report(one, Report::Succeeded),
            world.report(two, Report::Succeeded)
        );
        assert!(a.is_ok() && b.is_ok());
        assert!(is_in_the_queue(&world, waiting).await);
        world.cancel(&world.acme, waiting).await;
    }
}

#[tokio::test]
async fn one_that_ends_while_another_is_submitted_is_not_waited_for_in_vain() {
    let world = World::create().await;
    for _ in 0..10 {
        let first = world.running(&world.acme).await;
        let on = [(first.job, Success)];
        let (ended, (waiting, submitted)) =
            tokio::join!(world.report(first, Report::Succeeded), try_after(&world, &on));
        assert!(ended.is_ok());
        assert_eq!(submitted, Submitted::Accepted);
        assert!(is_in_the_queue(&world, waiting).await);
        world.cancel(&world.acme, waiting).await;
    }
}

#[tokio::test]
async fn what_is_not_there_or_has_ended_otherwise_is_refused() {
    let world = World::create().await;
    let nobody = JobId::generate();
    assert_eq!(try_after(&world, &[(nobody, Any)]).await.1, Submitted::UnknownDependency(nobody));
    let first = world.running(&world.acme).await;
    fail(&world, first).await;
    let refused = Submitted::ImpossibleDependency(first.job, JobStatus::Failed);
    assert_eq!(try_after(&world, &[(first.job, Success)]).await.1, refused);
    // another tenant's job is not there
    let globex = world.tenant("globex").await;
    let theirs = world.submit(&globex).await;
    assert_eq!(try_after(&world, &[(theirs, Any)]).await.1, Submitted::UnknownDependency(theirs));
}

#[tokio::test]
async fn a_job_that_waits_for_others_can_be_cancelled_and_paused() {
    let world = World::create().await;
    let first = world.running(&world.acme).await;
    let paused = after(&world, &[(first.job, Success)]).await;
    let cancelled = after(&world, &[(first.job, Success)]).await;
    assert_eq!(world.cancel(&world.acme, cancelled).await.status, JobStatus::Cancelled);
    pause(&world, paused).await;
    world.report(first, Report::Succeeded).await.unwrap();
    assert_eq!(world.status(&world.acme, paused).await, JobStatus::Paused);
    assert!(!is_in_the_queue(&world, paused).await);
    resume(&world, paused).await;
    assert!(is_in_the_queue(&world, paused).await);
}

async fn pause(world: &World, id: JobId) {
    let mut tx = world.begin_for(&world.acme).await;
    jobs::pause(&mut tx, id, &retry()).await.unwrap().unwrap().unwrap();
    tx.commit().await.unwrap();
}

async fn resume(world: &World, id: JobId) {
    let mut tx = world.begin_for(&world.acme).await;
    jobs::resume(&mut tx, id, &retry()).await.unwrap().unwrap().unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_paused_job_is_held_and_goes_on_under_its_next_number() {
    let world = World::create().await;
    let first = world.running(&world.acme).await;
    pause(&world, first.job).await;
    assert_eq!(world.status(&world.acme, first.job).await, JobStatus::Stopping);
    world.report(first, Report::Stopped).await.unwrap();
    assert_eq!(world.status(&world.acme, first.job).await, JobStatus::Paused);
    let second = attempt(first.job, 2);
    assert_eq!(world.command(start(second, world.worker)).await.skipped, [first.job]);
    resume(&world, first.job).await;
    world.start(second).await;
    world.report(second, Report::Succeeded).await.unwrap();
    let mut tx = world.begin_for(&world.acme).await;
    assert!(jobs::pause(&mut tx, first.job, &retry()).await.unwrap().unwrap().is_err());
    drop(tx);
    let events = world.events(&world.acme, first.job).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    let told = [
        "queued",
        "starting",
        "running",
        "stopping",
        "paused",
        "requeued",
        "starting",
        "running",
        "succeeded",
    ];
    assert_eq!(kinds, told);
}

#[tokio::test]
async fn a_paused_job_counts_as_a_waiting_one() {
    let world = World::create().await;
    world.limit_queue(&world.acme, 1).await;
    let held = world.submit(&world.acme).await;
    pause(&world, held).await;
    assert_eq!(
        world.try_submit(&world.acme).await.1,
        Submitted::Refused(Refusal::QueueFull { limit: 1 })
    );
}

#[tokio::test]
async fn a_job_may_ask_to_start_later() {
    let world = World::create().await;
    let mut tx = world.begin_as(Service::Scheduler).await;
    let later = schedule::time(&mut tx).await.unwrap() + chrono::Duration::hours(1);
    drop(tx);
    let job = NewJob { not_before: Some(later), ..new_job(&world.acme) };
    let mut tx = world.begin_for(&world.acme).await;
    assert_eq!(jobs::submit(&mut tx, &job).await.unwrap(), Submitted::Accepted);
    tx.commit().await.unwrap();
    assert_eq!(world.command(start(attempt(job.id, 1), world.worker)).await.skipped, [job.id]);
}
