//! Events are numbered without gaps, whoever writes beside whom.

use std::collections::BTreeMap;

use domain::{
    child::Event as Said,
    job::{JobStatus, Report},
};
use store::{
    Service,
    attempts::{self, Checkpoint, Recorded},
};

use crate::support::World;

const WRITERS: u64 = 16;

fn epoch(step: u64) -> Said {
    let metrics = BTreeMap::from([("loss".to_owned(), step as f64)]);
    Said::Epoch { epoch: 1, step, metrics }
}

#[tokio::test]
async fn numbers_have_no_gaps_and_become_visible_in_order() {
    let world = World::create().await;
    let attempt = world.running(&world.acme).await;
    let write = async |writer: u64| {
        let mut tx = world.begin_as(Service::Worker).await;
        let said = [epoch(2 * writer), epoch(2 * writer + 1)];
        let recorded = attempts::record(&mut tx, attempt, &said, 0).await.unwrap();
        assert_eq!(recorded, Recorded::Recorded);
        // half of the writers change their mind: what they took is given back
        if writer.is_multiple_of(2) {
            tx.commit().await.unwrap();
        }
    };
    let read = async || {
        let seen = world.events(&world.acme, attempt.job).await;
        let numbers: Vec<_> = seen.iter().map(|event| event.number).collect();
        assert_eq!(numbers, (1..=seen.len() as u64).collect::<Vec<_>>(), "a gap was visible");
    };
    tokio::join!(
        futures::future::join_all((0..WRITERS).map(write)),
        futures::future::join_all((0..WRITERS).map(async |_| {
            for _ in 0..4 {
                read().await;
            }
        })),
    );
    read().await;
    let job = world.job(&world.acme, attempt.job).await;
    // queued, starting, running, and two of each writer that committed
    assert_eq!(job.last_event, 3 + WRITERS);
}

#[tokio::test]
async fn a_reader_goes_on_after_the_last_event_it_saw() {
    let world = World::create().await;
    let attempt = world.running(&world.acme).await;
    let mut tx = world.begin_for(&world.acme).await;
    let first = store::events::after(&mut tx, attempt.job, 0, 2).await.unwrap();
    let rest = store::events::after(&mut tx, attempt.job, 2, 100).await.unwrap();
    let kinds: Vec<_> = first.iter().chain(&rest).map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["queued", "starting", "running"]);
    assert!(store::events::after(&mut tx, attempt.job, 3, 100).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_an_attempt_says_is_kept_and_repeating_it_changes_nothing() {
    let world = World::create().await;
    let attempt = world.running(&world.acme).await;
    let started =
        Said::Started { total_steps: 40, epochs: 1, parameters: 2, resumed_from_step: None };
    let line = |text: &str| Said::Log { line: text.to_owned() };
    let said = [started, line("hello\0"), epoch(10), line("bye")];
    for _ in 0..2 {
        let mut tx = world.begin_as(Service::Worker).await;
        attempts::record(&mut tx, attempt, &said, 5).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = world.begin_for(&world.acme).await;
    let points = store::events::metrics(&mut tx, attempt.job).await.unwrap();
    let points: Vec<_> = points.iter().map(|p| (p.name.as_str(), p.step, p.value)).collect();
    assert_eq!(points, [("loss", 10, 10.0)]);
    let lines = store::events::logs(&mut tx, attempt.job, 10).await.unwrap();
    let lines: Vec<_> = lines.iter().map(|l| (l.line_no, l.line.as_str())).collect();
    assert_eq!(lines, [(5, "hello\u{fffd}"), (6, "bye")]);
    let last = store::events::logs(&mut tx, attempt.job, 1).await.unwrap();
    assert_eq!(last[0].line, "bye");
    drop(tx);
    assert_eq!(world.job(&world.acme, attempt.job).await.total_steps, Some(40));
}

#[tokio::test]
async fn a_whole_life_is_told_in_order() {
    let world = World::create().await;
    let attempt = world.running(&world.acme).await;
    let mut tx = world.begin_as(Service::Worker).await;
    let checkpoint = Checkpoint { path: "a".to_owned(), step: 10 };
    attempts::checkpointed(&mut tx, attempt, &checkpoint).await.unwrap();
    tx.commit().await.unwrap();
    let second = world.superseded(attempt).await;
    world.report(second, Report::Succeeded).await.unwrap();
    let events = world.events(&world.acme, attempt.job).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "queued",
            "starting",
            "running",
            "checkpoint",
            "requeued",
            "starting",
            "running",
            "succeeded"
        ]
    );
    assert_eq!(events[4].data["cause"]["code"], "lease_lost");
    assert_eq!(world.status(&world.acme, attempt.job).await, JobStatus::Succeeded);
}
