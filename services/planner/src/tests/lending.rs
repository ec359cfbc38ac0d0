//! Guarantees, limits and cohorts.

use domain::{resources::ResourceName, wait::WaitReason, world::Quota};

use super::scene::*;

#[test]
fn a_guarantee_goes_before_a_smaller_share() {
    // tenant 1 uses 2 of its 4 guaranteed CPUs already; tenant 2 has none and uses nothing
    let mut scene = Scene::new()
        .tenant(1, quota(4, 99, 1))
        .tenant(2, quota(0, 99, 1))
        .worker(1, cpus(3))
        .live(1, 1, 1, cpus(2))
        .waiting(2, 2, cpus(1))
        .waiting(3, 1, cpus(1));
    assert_eq!(scene.started(), [3]);
}

#[test]
fn idle_capacity_is_lent_up_to_the_limit() {
    let mut scene = Scene::new().tenant(1, quota(1, 3, 1)).worker(1, cpus(8));
    for n in 1..=4 {
        scene = scene.waiting(n, 1, cpus(1));
    }
    assert_eq!(scene.started(), [1, 2, 3]);
    let reason = WaitReason::QuotaLimit {
        resource: ResourceName::CpuMilli,
        needs: 1_000,
        used: 3_000,
        limit: 3_000,
    };
    assert_eq!(scene.reason(4), reason);
    assert_eq!(
        reason.to_string(),
        "needs 1 CPUs; the tenant uses 3 CPUs of the 3 CPUs that its quota allows in this pool"
    );
}

fn in_cohort(name: &str, guaranteed: u64) -> Quota {
    Quota { cohort: Some(name.into()), ..quota(guaranteed, 99, 1) }
}

#[test]
fn a_cohort_lends_among_its_members_and_to_nobody_else() {
    let mut scene = Scene::new()
        .tenant(1, in_cohort("labs", 2))
        .tenant(2, in_cohort("labs", 2))
        .tenants([3])
        .worker(1, cpus(8));
    for n in 1..=6 {
        scene = scene.waiting(n, 1, cpus(1)).waiting(10 + n, 3, cpus(1));
    }
    // four for the cohort, all to its only asking member, and four for the rest
    let mut started = scene.started();
    started.sort_unstable();
    assert_eq!(started, [1, 2, 3, 4, 11, 12, 13, 14]);
    let WaitReason::CohortLimit { used: 4_000, limit: 4_000, .. } = scene.reason(5) else {
        panic!("{:?}", scene.reason(5));
    };
}

#[test]
fn without_cohorts_what_runs_on_a_cordoned_worker_keeps_nobody_from_another() {
    let mut scene = Scene::new()
        .tenants([1])
        .worker(1, cpus(8))
        .worker(2, cpus(8))
        .live(1, 1, 1, cpus(8))
        .waiting(2, 1, cpus(8));
    scene.set_worker(1, cpus(8), domain::world::WorkerState::Cordoned);
    assert_eq!(scene.started(), [2]);
}

#[test]
fn a_tenant_that_joins_a_cohort_takes_what_it_uses_with_it() {
    let mut scene = Scene::new().tenants([1]).worker(1, cpus(4)).live(1, 1, 1, cpus(2));
    scene.set_quota(1, in_cohort("labs", 3));
    let mut scene = scene.waiting(2, 1, cpus(1)).waiting(3, 1, cpus(1));
    assert_eq!(scene.started(), [2]);
}

#[test]
fn accelerators_are_whole_or_parts_of_one() {
    let gpu = |milli| domain::Resources { accelerator_milli: milli, ..cpus(1) };
    let mut scene = Scene::new()
        .tenants([1])
        .worker(1, domain::Resources { accelerator_milli: 2_000, ..cpus(16) });
    scene = scene
        .waiting(1, 1, gpu(600))
        .waiting(2, 1, gpu(300))
        .waiting(3, 1, gpu(600))
        // 0.4 and 0.1 of two devices are left: half of one is nowhere
        .waiting(4, 1, gpu(500))
        .waiting(5, 1, gpu(400));
    let mut started = scene.started();
    started.sort_unstable();
    assert_eq!(started, [1, 2, 3, 5]);
    let scene = scene.waiting(6, 1, gpu(2_001));
    assert!(matches!(scene.reason(6), WaitReason::TooLarge { .. }));
}
