//! Getting a guarantee back from borrowers.

use chrono::Duration;
use domain::{
    wait::WaitReason,
    world::{Command, Phase, PreemptReason},
};

use super::scene::*;

/// Tenant 1 is guaranteed 2 of 4 CPUs; tenant 2 borrows all four with two jobs.
fn borrowed() -> Scene {
    Scene::new()
        .tenant(1, quota(2, 99, 1))
        .tenant(2, quota(0, 99, 1))
        .worker(1, cpus(4))
        .live(1, 2, 1, cpus(2))
        .live(2, 2, 1, cpus(2))
}

#[test]
fn the_borrower_that_loses_least_is_stopped() {
    let scene = borrowed();
    let saved = scene.now - Duration::seconds(5);
    let mut scene = scene.live_as(2, 2, 1, cpus(2), |live| live.saved_at = saved);
    scene = scene.waiting(3, 1, cpus(2));
    let why = PreemptReason::Reclaimed { for_job: job_id(3) };
    assert_eq!(scene.commands(), [Command::Preempt { attempt: attempt(2, 1), why }]);
    assert_eq!(scene.reason(3), WaitReason::Reclaiming { attempts: 1 });
    // asked once, and waited for
    assert_eq!(scene.commands(), []);
}

#[test]
fn what_was_freed_goes_to_whom_it_was_freed_for() {
    let mut scene = borrowed().waiting(3, 1, cpus(2)).waiting(4, 2, cpus(1));
    let victims = scene.stopped();
    assert_eq!(victims.len(), 1);
    // a small job of the borrower would fit before the claimant does
    let victim = victims[0];
    let mut back = scene.world.jobs[&job_id(victim)].clone();
    back.phase = Phase::Waiting { not_before: at(0), last_attempt: 1 };
    scene.set_job(victim, Some(back));
    assert_eq!(scene.started(), [3]);
    // no ping-pong: what was stopped does not claim its place back
    assert_eq!(scene.commands(), []);
}

#[test]
fn a_minimum_runtime_is_protected() {
    let scene = borrowed();
    let young = scene.now - Duration::seconds(58);
    let mut scene = scene
        .live_as(1, 2, 1, cpus(2), |live| live.started_at = young)
        .live_as(2, 2, 1, cpus(2), |live| live.started_at = young)
        .waiting(3, 1, cpus(2));
    assert_eq!(scene.stopped(), []);
    scene.pass(1);
    let old = scene.now - Duration::seconds(60);
    let mut scene = scene.live_as(1, 2, 1, cpus(2), |live| live.started_at = old);
    assert_eq!(scene.stopped(), [1]);
}

#[test]
fn time_alone_ends_the_protection() {
    let scene = borrowed();
    let young = scene.now - Duration::seconds(30);
    let mut scene = scene
        .live_as(1, 2, 1, cpus(2), |live| live.started_at = young)
        .live_as(2, 2, 1, cpus(2), |live| live.started_at = young)
        .waiting(3, 1, cpus(2));
    assert_eq!(scene.stopped(), []);
    scene.pass(30);
    assert_eq!(scene.stopped().len(), 1);
}

#[test]
fn nobody_is_stopped_where_it_would_not_help() {
    // each worker has one CPU that is lent; the claimant needs two on one
    let mut scene = Scene::new()
        .tenant(1, quota(2, 99, 1))
        .tenant(2, quota(1, 99, 1))
        .tenant(3, quota(1, 99, 1))
        .worker(1, cpus(2))
        .worker(2, cpus(2))
        .live(1, 2, 1, cpus(1))
        .live(2, 2, 2, cpus(1))
        .live(3, 3, 1, cpus(1))
        .live(4, 3, 2, cpus(1))
        .waiting(5, 1, cpus(2));
    // tenants 2 and 3 borrow one CPU each: one of each could stop on one worker
    let stopped = scene.stopped();
    assert_eq!(stopped.len(), 2);
    let mut scene = Scene::new()
        .tenant(1, quota(2, 99, 1))
        .tenant(2, quota(1, 99, 1))
        .worker(1, cpus(2))
        .worker(2, cpus(2))
        .live(1, 2, 1, cpus(1))
        .live(2, 2, 2, cpus(1))
        .tenant(3, quota(2, 99, 1))
        .live(3, 3, 1, cpus(1))
        .live(4, 3, 2, cpus(1))
        .waiting(5, 1, cpus(2));
    assert_eq!(scene.stopped(), []);
}

#[test]
fn a_borrower_is_never_stopped_for_another() {
    let mut scene = borrowed().waiting(3, 1, cpus(3));
    assert_eq!(scene.stopped(), []);
    assert!(matches!(scene.reason(3), WaitReason::Resources { .. }));
}

#[test]
fn nobody_is_stopped_for_a_job_that_starts_within_the_grace_anyway() {
    let scene = borrowed();
    let soon = scene.now + Duration::seconds(60);
    let mut scene =
        scene.live_as(1, 2, 1, cpus(2), |live| live.deadline = soon).waiting(3, 1, cpus(2));
    assert_eq!(scene.stopped(), []);
}

#[test]
fn a_claim_ends_with_its_job() {
    let mut scene = borrowed().waiting(3, 1, cpus(2));
    let victim = scene.stopped()[0];
    scene.set_job(3, None);
    scene.set_job(victim, None);
    let mut scene = scene.waiting(4, 2, cpus(2));
    assert_eq!(scene.started(), [4]);
}

#[test]
fn within_a_cohort_its_members_give_back_to_each_other_first() {
    let member = |guaranteed| domain::world::Quota {
        cohort: Some("labs".into()),
        ..quota(guaranteed, 99, 1)
    };
    // there is room on the worker, but not in the cohort
    let mut scene = Scene::new()
        .tenant(1, member(2))
        .tenant(2, member(2))
        .worker(1, cpus(9))
        .live(1, 2, 1, cpus(2))
        .live(2, 2, 1, cpus(2))
        .live(3, 9, 1, cpus(1))
        .waiting(4, 1, cpus(2));
    assert_eq!(scene.stopped().len(), 1);
}
