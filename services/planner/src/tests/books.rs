//! Saying how things are, in any order and more than once.

use domain::world::WorkerState;

use super::scene::*;
use crate::Queue;

#[test]
fn a_worker_may_be_told_after_what_runs_on_it() {
    let mut scene = Scene::new().tenants([1]).live(1, 1, 1, cpus(3)).waiting(2, 1, cpus(2));
    scene.set_worker(1, cpus(4), WorkerState::Up);
    assert_eq!(scene.commands(), []);
    scene.set_job(1, None);
    assert_eq!(scene.started(), [2]);
}

#[test]
fn a_tenant_may_be_told_after_its_jobs() {
    let mut scene = Scene::new().worker(1, cpus(4)).live(1, 1, 1, cpus(1)).waiting(2, 1, cpus(1));
    scene.set_tenant(1, 1);
    assert_eq!(scene.commands(), []);
    scene.set_tenant(1, 2);
    assert_eq!(scene.started(), [2]);
}

#[test]
fn saying_the_same_again_changes_nothing() {
    let mut scene = Scene::new().tenants([1]).worker(1, cpus(4)).live(1, 1, 1, cpus(3));
    for _ in 0..3 {
        let job = scene.world.jobs[&job_id(1)].clone();
        scene.set_job(1, Some(job));
        scene.set_worker(1, cpus(4), WorkerState::Up);
    }
    let mut scene = scene.waiting(2, 1, cpus(1)).waiting(3, 1, cpus(1));
    assert_eq!(scene.started(), [2]);
}

#[test]
fn numbers_at_their_ends_do_no_harm() {
    let most = domain::Resources::UNLIMITED;
    let mut scene = Scene::new().tenants([1]).worker(1, most).worker(2, most);
    for n in 1..=9 {
        scene = scene.waiting_as(n, 1, most, |job| {
            job.max_runtime_secs = u64::MAX;
            job.priority = i32::MIN;
        });
    }
    // so large is no job, and no worker holds a second one
    let plan = scene.queue.plan(scene.now);
    assert!(plan.commands.len() <= 2, "{plan:?}");
    scene.queue.set_quota(
        tenant_id(1),
        pool_id(POOL),
        Some(domain::world::Quota {
            guaranteed: most,
            limit: domain::Resources::NONE,
            weight: u32::MAX,
            cohort: Some(String::new()),
            ..domain::world::Quota::default()
        }),
    );
    scene.queue.plan(domain::Timestamp::MAX_UTC);
}

#[test]
fn an_average_outlives_its_queue() {
    let mut scene = Scene::new().tenants([1, 2]).worker(1, cpus(2)).live(1, 1, 1, cpus(2));
    scene.pass(3_600);
    scene.set_job(1, None);
    let averages: Vec<_> = scene.queue.averages().collect();
    let (tenant, pool, average) = averages[0];
    // half of what it would be in the end, after one half-life
    assert!((average - 0.5).abs() < 1e-9, "{averages:?}");
    let mut later = Queue::new(scene.policy.clone(), scene.now);
    later.set_average(tenant, pool, average);
    assert_eq!(later.averages().collect::<Vec<_>>(), averages[..1]);
}
