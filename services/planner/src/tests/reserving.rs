//! Room promised to a large job, and who may go before it.

use chrono::Duration;
use domain::wait::WaitReason;

use super::scene::*;

/// Two of four CPUs are taken for another 200 s, two for another hour; tenant 1 waits with a job of
/// three.
fn promised() -> Scene {
    let scene = Scene::new().tenants([1, 2]).worker(1, cpus(4));
    let (soon, late) = (scene.now + Duration::seconds(200), scene.now + Duration::hours(1));
    scene
        .live_as(1, 2, 1, cpus(1), |live| live.deadline = soon)
        .live_as(2, 2, 1, cpus(1), |live| live.deadline = late)
        .waiting(3, 1, cpus(3))
}

#[test]
fn a_small_job_goes_before_if_it_ends_in_time() {
    let mut scene = promised()
        .waiting_as(4, 2, cpus(1), |job| job.max_runtime_secs = 201)
        .waiting_as(5, 2, cpus(1), |job| job.max_runtime_secs = 200);
    assert_eq!(scene.started(), [5]);
    let from = scene.now + Duration::seconds(200);
    assert_eq!(scene.reason(4), WaitReason::Reserved { for_job: job_id(3), from });
    assert!(matches!(scene.reason(3), WaitReason::Resources { .. }));
}

#[test]
fn or_if_it_leaves_enough() {
    let scene = Scene::new().tenants([1, 2]).worker(1, cpus(5));
    let soon = scene.now + Duration::seconds(200);
    let mut scene = scene
        .live_as(1, 2, 1, cpus(3), |live| live.deadline = soon)
        .waiting(3, 1, cpus(3))
        .waiting_as(4, 2, cpus(1), |job| job.max_runtime_secs = 9_999)
        .waiting_as(5, 2, cpus(1), |job| job.max_runtime_secs = 9_999)
        .waiting_as(6, 2, cpus(1), |job| job.max_runtime_secs = 9_999);
    // five CPUs, less three for the promised job: two may stay longer, if there is room for them now
    assert_eq!(scene.started(), [4, 5]);
}

#[test]
fn the_promise_is_kept_however_many_small_jobs_come() {
    let mut scene = promised();
    for round in 0..20 {
        for n in 0..4 {
            let (id, max) = (100 + round * 4 + n, 10 + 60 * (n as u64));
            scene = scene.waiting_as(id, 2, cpus(1), |job| job.max_runtime_secs = max);
        }
        scene.started();
        scene.pass(10);
        let over: Vec<_> = scene
            .world
            .jobs
            .iter()
            .filter(|(_, job)| job.live().is_some_and(|live| live.deadline <= scene.now))
            .map(|(id, _)| id.uuid().as_u128())
            .collect();
        over.into_iter().for_each(|n| scene.set_job(n, None));
    }
    assert!(scene.started().contains(&3), "200 s have passed");
}

#[test]
fn a_tenants_small_job_does_not_take_the_last_place_from_its_own_large_one() {
    let mut scene = promised();
    scene.set_tenant(1, 1);
    let mut scene = scene.waiting_as(4, 1, cpus(1), |job| job.max_runtime_secs = 201).waiting_as(
        5,
        1,
        cpus(1),
        |job| job.max_runtime_secs = 200,
    );
    assert_eq!(scene.started(), [5]);
}

#[test]
fn a_job_that_no_worker_could_hold_holds_nobody_up() {
    let mut scene = promised().waiting_as(4, 1, cpus(9), |job| job.priority = 9);
    let mut scene = {
        scene.set_job(3, None);
        scene.waiting(5, 2, cpus(2))
    };
    assert_eq!(scene.started(), [5]);
    assert!(matches!(scene.reason(4), WaitReason::TooLarge { .. }));
}
