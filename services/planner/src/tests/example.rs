//! The example of docs/SCHEDULING.md, step by step.

use domain::{
    wait::WaitReason,
    world::{Phase, PlannedJob},
};

use super::scene::*;

const ACME: u128 = 1;
const BETA: u128 = 2;
const GAMMA: u128 = 3;

fn submit(scene: Scene, jobs: impl IntoIterator<Item = u128>, tenant: u128, size: u64) -> Scene {
    jobs.into_iter().fold(scene, |scene, n| {
        scene.waiting_as(n, tenant, cpus(size), |job| job.max_runtime_secs = 36_000)
    })
}

/// Those that were asked to stop have stopped, and wait again.
fn stop(scene: &mut Scene, jobs: &[u128]) {
    for n in jobs {
        let job = scene.world.jobs[&job_id(*n)].clone();
        let phase = Phase::Waiting { not_before: scene.now, last_attempt: 1 };
        scene.set_job(*n, Some(PlannedJob { phase, ..job }));
    }
}

#[test]
fn three_tenants_share_sixteen_cpus() {
    let scene = Scene::new()
        .worker(1, cpus(8))
        .worker(2, cpus(8))
        .tenant(ACME, quota(8, 99, 1))
        .tenant(BETA, quota(4, 99, 1))
        .tenant(GAMMA, quota(0, 99, 2));

    // 1. nobody else wants anything: gamma borrows all of it
    let mut scene = submit(scene, 301..=320, GAMMA, 2);
    assert_eq!(scene.started(), (301..=308).collect::<Vec<_>>());

    // 2. ten minutes later acme wants its eight CPUs: two jobs of gamma's stop for each of acme's
    scene.pass(600);
    let mut scene = submit(scene, 101..=102, ACME, 4);
    let stopped = scene.stopped();
    assert_eq!(stopped.len(), 4);
    assert_eq!(scene.reason(101), WaitReason::Reclaiming { attempts: 2 });
    stop(&mut scene, &stopped);
    assert_eq!(scene.started(), [101, 102]);

    // 3. beta wants six: four are guaranteed to it, the rest it would have to borrow
    let mut scene = submit(scene, 201..=203, BETA, 2);
    let stopped = scene.stopped();
    assert_eq!(stopped.len(), 2);
    stop(&mut scene, &stopped);
    assert_eq!(scene.started(), [201, 202]);
    let WaitReason::Resources { used, guaranteed, .. } = scene.reason(203) else {
        panic!("{:?}", scene.reason(203));
    };
    assert_eq!((used, guaranteed), (cpus(4), cpus(4)));

    // 4. a job of acme's ends: what it leaves goes to gamma, whose score is the smaller one
    scene.set_job(101, None);
    let score = |tenant| scene.queue.share(tenant_id(tenant), pool_id(POOL)).unwrap().score;
    assert_eq!(format!("{:.2} {:.2}", score(BETA), score(GAMMA)), "0.25 0.18");
    let started = scene.started();
    assert_eq!(started.len(), 2);
    assert!(started.iter().all(|n| *n > 300), "{started:?}");
}
