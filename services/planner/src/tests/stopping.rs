//! What must end, and what a worker's state means.

use chrono::Duration;
use domain::{
    wait::WaitReason,
    world::{Command, Phase, PreemptReason, Stopping, WorkerState},
};

use super::scene::*;

#[test]
fn an_attempt_is_lost_with_its_worker_and_its_room_is_not_given_away_meanwhile() {
    let mut scene = Scene::new()
        .tenants([1])
        .worker(1, cpus(1))
        .live(1, 1, 1, cpus(1))
        .live(2, 1, 7, cpus(1))
        .waiting(3, 1, cpus(1));
    assert_eq!(scene.commands(), [Command::Lose { attempt: attempt(2, 1) }]);
    scene.set_job(2, None);
    scene.set_worker(1, cpus(1), WorkerState::Gone);
    assert_eq!(scene.commands(), [Command::Lose { attempt: attempt(1, 1) }]);
    assert_eq!(scene.reason(3), WaitReason::NoWorkers);
}

#[test]
fn an_attempt_has_until_its_deadline_and_a_stopping_one_until_it_stops() {
    let scene = Scene::new().tenants([1]).worker(1, cpus(4));
    let (now, stopping) = (scene.now, Some(Stopping { for_job: None }));
    let mut scene = scene
        .live_as(1, 1, 1, cpus(1), |live| live.deadline = now)
        .live_as(2, 1, 1, cpus(1), |live| live.deadline = now - Duration::seconds(1))
        .live_as(3, 1, 1, cpus(1), |live| {
            (live.deadline, live.stopping) = (now - Duration::seconds(1), stopping);
        });
    assert_eq!(scene.commands(), [Command::TimeOut { attempt: attempt(2, 1) }]);
}

#[test]
fn a_job_waits_for_its_time() {
    let scene = Scene::new().tenants([1]).worker(1, cpus(4));
    let until = scene.now + Duration::seconds(5);
    let mut scene = scene.waiting_as(1, 1, cpus(1), |job| {
        job.phase = Phase::Waiting { not_before: until, last_attempt: 0 };
    });
    assert_eq!(scene.commands(), []);
    assert_eq!(scene.reason(1), WaitReason::BeginTime { until });
    assert_eq!(scene.queue.next_time(), Some(until));
    scene.pass(5);
    assert_eq!(scene.started(), [1]);
}

#[test]
fn a_cordoned_worker_keeps_what_it_runs_and_a_draining_one_does_not() {
    let mut scene =
        Scene::new().tenants([1]).worker(1, cpus(4)).live(1, 1, 1, cpus(1)).waiting(2, 1, cpus(1));
    scene.set_worker(1, cpus(4), WorkerState::Cordoned);
    assert_eq!(scene.commands(), []);
    scene.set_worker(1, cpus(4), WorkerState::Draining);
    let why = PreemptReason::Drained;
    assert_eq!(scene.commands(), [Command::Preempt { attempt: attempt(1, 1), why }]);
    assert_eq!(scene.commands(), []);
    scene.set_worker(1, cpus(4), WorkerState::Up);
    assert_eq!(scene.started(), [2]);
}

#[test]
fn a_limit_lowered_below_what_runs_stops_the_cheapest() {
    let scene = Scene::new().tenant(1, quota(0, 9, 1)).worker(1, cpus(4));
    let saved = scene.now - Duration::seconds(1);
    let mut scene = scene
        .live(1, 1, 1, cpus(1))
        .live_as(2, 1, 1, cpus(1), |live| live.saved_at = saved)
        .live(3, 1, 1, cpus(1));
    assert_eq!(scene.commands(), []);
    scene.set_quota(1, quota(0, 1, 1));
    assert_eq!(scene.stopped(), [2, 1]);
    assert_eq!(scene.commands(), []);
}

#[test]
fn a_worker_that_shrank_or_grew_is_counted_anew() {
    let mut scene =
        Scene::new().tenants([1]).worker(1, cpus(4)).live(1, 1, 1, cpus(3)).waiting(2, 1, cpus(2));
    assert_eq!(scene.commands(), []);
    scene.set_worker(1, cpus(2), WorkerState::Up);
    assert_eq!(scene.commands(), []);
    scene.set_worker(1, cpus(5), WorkerState::Up);
    assert_eq!(scene.started(), [2]);
}
