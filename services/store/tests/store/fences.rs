//! Every write of an attempt carries its number and matches nothing once the attempt has been
//! superseded: a worker that was taken for dead may come back and say what it likes.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    child::Event as Said,
    job::{Attempt, Cause, JobStatus, Refused, Report, StopReason},
    world::Command,
};
use store::{
    Service,
    attempts::{self, Checkpoint, Directive, Recorded, Word},
    models, workers,
};

use crate::support::{LEASE, World, artifact, attempt, next, retry, start};

fn checkpoint(path: &str, step: u64) -> Checkpoint {
    Checkpoint { path: path.to_owned(), step }
}

async fn directives(world: &World, running: &[(Attempt, Option<u64>)]) -> Vec<Directive> {
    let mut tx = world.begin_as(Service::Worker).await;
    let answer = attempts::heartbeat(&mut tx, world.worker, running).await.unwrap();
    tx.commit().await.unwrap();
    answer
}

#[tokio::test]
async fn a_superseded_attempt_leaves_no_trace() {
    let world = World::create().await;
    let stale = world.running(&world.acme).await;
    let current = world.superseded(stale).await;
    let before = world.job(&world.acme, stale.job).await;
    let events = world.events(&world.acme, stale.job).await.len();

    let metrics = BTreeMap::from([("loss".to_owned(), 1.0)]);
    let said = [Said::Epoch { epoch: 1, step: 1, metrics }, Said::Log { line: "late".to_owned() }];
    let mut tx = world.begin_as(Service::Worker).await;
    assert_eq!(attempts::record(&mut tx, stale, &said, 0).await.unwrap(), Recorded::Superseded);
    let late = checkpoint("late", 99);
    assert_eq!(
        attempts::checkpointed(&mut tx, stale, &late).await.unwrap(),
        (Recorded::Superseded, None)
    );
    assert_eq!(
        attempts::started(&mut tx, stale, Some(5), &retry()).await.unwrap(),
        Recorded::Superseded
    );
    attempts::ask_to_move(&mut tx, stale, &retry()).await.unwrap();
    tx.commit().await.unwrap();
    let failed = Report::Failed(Cause::fatal("late", "too late"));
    for report in [Report::Succeeded, Report::Stopped, failed] {
        assert_eq!(world.report(stale, report).await, Err(Refused::Superseded));
    }
    assert_eq!(directives(&world, &[(stale, Some(99))]).await, [Directive::Superseded]);
    // nor does the scheduler's late word about it count
    assert_eq!(world.command(Command::Lose { attempt: stale }).await.skipped, [stale.job]);
    assert_eq!(world.command(Command::TimeOut { attempt: stale }).await.skipped, [stale.job]);

    let after = world.job(&world.acme, stale.job).await;
    assert_eq!((after.status, after.step), (JobStatus::Running, before.step));
    assert_eq!((after.attempt, after.tries), (2, 1));
    assert_eq!(after.last_event, before.last_event);
    assert_eq!(world.events(&world.acme, stale.job).await.len(), events);
    assert!(world.report(current, Report::Succeeded).await.is_ok());
}

#[tokio::test]
async fn a_superseded_attempts_publication_is_rolled_back_with_its_report() {
    let world = World::create().await;
    let stale = world.running(&world.acme).await;
    let current = world.superseded(stale).await;
    let mut tx = world.begin_as(Service::Worker).await;
    models::publish(&mut tx, stale, &artifact("stale")).await.unwrap();
    let refused = attempts::report(&mut tx, stale, Report::Succeeded, &retry()).await.unwrap();
    assert_eq!(refused, Err(Refused::Superseded));
    drop(tx);
    assert_eq!(world.job(&world.acme, stale.job).await.published, None);

    let mut tx = world.begin_as(Service::Worker).await;
    models::publish(&mut tx, current, &artifact("current")).await.unwrap();
    let told = attempts::report(&mut tx, current, Report::Succeeded, &retry()).await.unwrap();
    assert!(told.is_ok());
    tx.commit().await.unwrap();
    let published = world.job(&world.acme, stale.job).await.published;
    assert_eq!(published, Some(("flowers".to_owned(), 1)));
}

#[tokio::test]
async fn nothing_is_heard_after_the_end() {
    let world = World::create().await;
    let ended = world.running(&world.acme).await;
    world.report(ended, Report::Succeeded).await.unwrap();
    assert_eq!(world.report(ended, Report::Succeeded).await, Err(Refused::Finished));
    assert_eq!(world.command(Command::Lose { attempt: ended }).await.skipped, [ended.job]);
    let again = start(next(ended), world.worker);
    assert_eq!(world.command(again).await.skipped, [ended.job]);
    let mut tx = world.begin_as(Service::Worker).await;
    let late = checkpoint("late", 1);
    let answer = attempts::checkpointed(&mut tx, ended, &late).await.unwrap();
    assert_eq!(answer, (Recorded::Superseded, None));
    drop(tx);
    let job = world.cancel(&world.acme, ended.job).await;
    assert_eq!(job.status, JobStatus::Succeeded);
}

#[tokio::test]
async fn a_heartbeat_says_of_each_attempt_what_to_do_in_order() {
    let world = World::create().await;
    let going_on = world.running(&world.acme).await;
    let cancelled = world.running(&world.acme).await;
    let moved = world.running(&world.acme).await;
    let lost = world.running(&world.acme).await;
    world.cancel(&world.acme, cancelled.job).await;
    let mut tx = world.begin_as(Service::Worker).await;
    attempts::ask_to_move(&mut tx, moved, &retry()).await.unwrap();
    tx.commit().await.unwrap();
    world.command(Command::Lose { attempt: lost }).await;
    let unknown = attempt(domain::JobId::generate(), 1);

    let running = [unknown, lost, moved, cancelled, going_on].map(|attempt| (attempt, Some(7)));
    let expected = [
        Directive::Superseded,
        Directive::Superseded,
        Directive::Stop(StopReason::Preempted),
        Directive::Stop(StopReason::Cancelled),
        Directive::Continue,
    ];
    assert_eq!(directives(&world, &running).await, expected);
    assert_eq!(world.job(&world.acme, going_on.job).await.step, Some(7));
    assert_eq!(directives(&world, &[(going_on, None)]).await, [Directive::Continue]);
    assert_eq!(world.job(&world.acme, going_on.job).await.step, Some(7), "no step, no change");
    assert_eq!(directives(&world, &[]).await, []);

    // an attempt answers to its own worker alone
    let other = world.worker("two").await;
    let mut tx = world.begin_as(Service::Worker).await;
    let answer = attempts::heartbeat(&mut tx, other, &[(going_on, Some(9))]).await.unwrap();
    assert_eq!(answer, [Directive::Superseded]);
}

#[tokio::test]
async fn a_heartbeat_renews_the_lease_from_now() {
    let world = World::create().await;
    let running = world.running(&world.acme).await;
    let mut tx = world.begin_as(Service::Worker).await;
    attempts::heartbeat(&mut tx, world.worker, &[(running, None)]).await.unwrap();
    tx.commit().await.unwrap();
    // the lease is the worker's: heard a moment ago, it is not silent for long
    let mut tx = world.begin_as(Service::Scheduler).await;
    assert_eq!(workers::bury_silent(&mut tx, LEASE).await.unwrap(), []);
    assert_eq!(workers::bury_silent(&mut tx, Duration::ZERO).await.unwrap(), [world.worker]);
}

#[tokio::test]
async fn a_worker_finds_its_work_with_the_newest_checkpoint() {
    let world = World::create().await;
    let first = world.running(&world.acme).await;
    let mut tx = world.begin_as(Service::Worker).await;
    let outcome = attempts::checkpointed(&mut tx, first, &checkpoint("a", 10)).await.unwrap();
    assert_eq!(outcome, (Recorded::Recorded, None));
    let outcome = attempts::checkpointed(&mut tx, first, &checkpoint("b", 20)).await.unwrap();
    assert_eq!(outcome, (Recorded::Recorded, Some("a".to_owned())));
    tx.commit().await.unwrap();
    let mut tx = world.begin_as(Service::Worker).await;
    let work = attempts::assigned_to(&mut tx, world.worker, None).await.unwrap();
    assert!(work.is_empty(), "it has started already");
    drop(tx);

    world.command(Command::Lose { attempt: first }).await;
    let second = next(first);
    world.command(start(second, world.worker)).await;
    let mut tx = world.begin_as(Service::Worker).await;
    let work = attempts::assigned_to(&mut tx, world.worker, None).await.unwrap();
    assert_eq!(work.len(), 1);
    assert_eq!((work[0].attempt, work[0].tenant), (second, world.acme.id));
    assert_eq!(work[0].checkpoint, Some(checkpoint("b", 20)));
}

#[tokio::test]
async fn a_worker_that_hangs_in_the_middle_of_a_write_holds_nobody_up() {
    let world = World::create().await;
    let stale = world.running(&world.acme).await;
    let mut hanging = world.begin_as(Service::Worker).await;
    let line = [Said::Log { line: "half said".to_owned() }];
    attempts::record(&mut hanging, stale, &line, 0).await.unwrap();
    // the transaction stays open and holds the job's row; nobody waits for it for ever
    let current = world.superseded(stale).await;
    let error = hanging.commit().await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    world.report(current, Report::Succeeded).await.unwrap();
    let mut tx = world.begin_for(&world.acme).await;
    assert!(store::events::logs(&mut tx, stale.job, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_many_attempts_say_counts_for_each_by_itself() {
    let world = World::create().await;
    let (ended, stale) = (world.running(&world.acme).await, world.running(&world.acme).await);
    let current = world.superseded(stale).await;
    let given = attempt(world.submit(&world.acme).await, 1);
    assert_eq!(world.command(start(given, world.worker)).await.skipped, []);
    let unknown = attempt(domain::JobId::generate(), 1);

    let words = [
        (ended, Word::Ended(Report::Succeeded)),
        (stale, Word::Ended(Report::Succeeded)),
        (unknown, Word::Ended(Report::Stopped)),
        (given, Word::Started { resumed_from_step: Some(7) }),
    ];
    let mut tx = world.begin_as(Service::Worker).await;
    let answers = attempts::tell(&mut tx, &words, &retry()).await.unwrap();
    tx.commit().await.unwrap();
    let statuses: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().map(domain::job::JobState::status)).collect();
    assert_eq!(
        statuses,
        [
            Ok(JobStatus::Succeeded),
            Err(&Refused::Superseded),
            Err(&Refused::Superseded),
            Ok(JobStatus::Running)
        ]
    );
    assert_eq!(world.status(&world.acme, current.job).await, JobStatus::Running);
    // one that was given and has started is not to be started again
    let mut tx = world.begin_as(Service::Worker).await;
    assert!(attempts::assigned_to(&mut tx, world.worker, None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_worker_finds_what_it_was_given_since_a_time() {
    let world = World::create().await;
    let given = attempt(world.submit(&world.acme).await, 1);
    assert_eq!(world.command(start(given, world.worker)).await.skipped, []);
    let mut tx = world.begin_as(Service::Worker).await;
    let all = attempts::assigned_to(&mut tx, world.worker, None).await.unwrap();
    let at = all[0].assigned_at;
    assert_eq!(all[0].attempt, given);
    let since = attempts::assigned_to(&mut tx, world.worker, Some(at)).await.unwrap();
    assert_eq!(since.len(), 1);
    let later = Some(at + Duration::from_secs(1));
    assert!(attempts::assigned_to(&mut tx, world.worker, later).await.unwrap().is_empty());
}
