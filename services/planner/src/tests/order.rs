//! Whose turn it is.

use super::scene::*;
use crate::{Order, Policy};

#[test]
fn an_empty_world_needs_nothing() {
    assert_eq!(Scene::new().plan(), crate::Plan::default());
}

#[test]
fn within_a_tenant_priority_goes_before_age_and_age_before_id() {
    let mut scene = Scene::new()
        .tenants([1])
        .worker(1, cpus(3))
        .waiting(3, 1, cpus(1))
        .waiting(2, 1, cpus(1))
        .waiting_as(4, 1, cpus(1), |job| job.created_at = at(2))
        .waiting_as(9, 1, cpus(1), |job| job.priority = 1);
    assert_eq!(scene.started(), [9, 2, 4]);
}

#[test]
fn equal_tenants_take_turns_whoever_has_queued_more() {
    let mut scene = Scene::new().tenants([1, 2]).worker(1, cpus(4));
    for n in 1..=6 {
        scene = scene.waiting(n, 1, cpus(1));
    }
    let mut scene = scene.waiting(7, 2, cpus(1)).waiting(8, 2, cpus(1));
    assert_eq!(scene.started(), [1, 7, 2, 8]);
}

#[test]
fn twice_the_weight_gets_twice_as_much() {
    let mut scene =
        Scene::new().tenant(1, quota(0, 99, 2)).tenant(2, quota(0, 99, 1)).worker(1, cpus(6));
    for n in 1..=6 {
        scene = scene.waiting(n, 1, cpus(1)).waiting(10 + n, 2, cpus(1));
    }
    let started = scene.started();
    assert_eq!(started.iter().filter(|n| **n < 10).count(), 4, "{started:?}");
}

#[test]
fn weight_zero_gets_what_nobody_else_wants() {
    let mut scene = Scene::new()
        .tenant(1, quota(0, 99, 0))
        .tenant(2, quota(0, 99, 1))
        .worker(1, cpus(3))
        .waiting(1, 1, cpus(1))
        .waiting(2, 1, cpus(1))
        .waiting(3, 2, cpus(1))
        .waiting(4, 2, cpus(1));
    assert_eq!(scene.started(), [3, 4, 1]);
}

#[test]
fn dominant_shares_are_equalised_over_different_resources() {
    // the example of the paper that defines it: 9 CPUs and 18 GB, A needs <1, 4>, B needs <3, 1>
    let mut scene = Scene::new().tenants([1, 2]);
    scene.set_worker(1, domain::Resources::cpu(9_000, 18 << 30), domain::world::WorkerState::Up);
    for n in 1..=9 {
        scene = scene.waiting(n, 1, domain::Resources::cpu(1_000, 4 << 30)).waiting(
            10 + n,
            2,
            domain::Resources::cpu(3_000, 1 << 30),
        );
    }
    let started = scene.started();
    assert_eq!(started.iter().filter(|n| **n < 10).count(), 3);
    assert_eq!(started.iter().filter(|n| **n > 10).count(), 2);
}

#[test]
fn what_was_used_before_counts_and_is_forgotten_by_and_by() {
    let mut scene = Scene::new().tenants([1, 2]).worker(1, cpus(2)).live(1, 1, 1, cpus(2));
    scene.pass(3_600);
    scene.set_job(1, None);
    let mut scene =
        scene
            .waiting(2, 1, cpus(2))
            .waiting(3, 2, cpus(2))
            .waiting_as(4, 1, cpus(2), |job| job.created_at = at(0));
    // the younger job of the tenant that has used nothing goes before the older one of the other
    assert_eq!(scene.started(), [3]);
    scene.set_job(3, None);
    scene.pass(40 * 3_600);
    assert_eq!(scene.started(), [4]);
}

#[test]
fn no_tenant_runs_more_jobs_than_it_may() {
    let mut scene = Scene::new().worker(1, cpus(9)).waiting(1, 1, cpus(1)).waiting(2, 1, cpus(1));
    scene.set_tenant(1, 1);
    assert_eq!(scene.started(), [1]);
    let reason = domain::wait::WaitReason::MaxRunningJobs { running: 1, limit: 1 };
    assert_eq!(scene.reason(2), reason);
    scene.set_tenant(1, 2);
    assert_eq!(scene.started(), [2]);
}

#[test]
fn a_tenant_that_is_gone_starts_nothing() {
    let mut scene = Scene::new().worker(1, cpus(9)).waiting(1, 1, cpus(1));
    assert_eq!(scene.started(), []);
}

#[test]
fn one_plan_starts_so_many_and_the_next_goes_on() {
    let policy = Policy { max_starts_per_plan: 2, ..Policy::default() };
    let mut scene = Scene::with(policy).tenants([1]).worker(1, cpus(9));
    for n in 1..=3 {
        scene = scene.waiting(n, 1, cpus(1));
    }
    let plan = scene.plan();
    assert_eq!((plan.commands.len(), plan.more), (2, true));
    assert_eq!(scene.reason(3), domain::wait::WaitReason::NextPlan);
    assert_eq!(scene.started(), [3]);
}

fn by(order: Order) -> Scene {
    Scene::with(Policy { order, ..Policy::default() }).tenants([1, 2]).worker(1, cpus(2))
}

#[test]
fn in_order_of_age_nobody_goes_before_a_job_that_finds_no_room() {
    let mut scene = by(Order::Fifo)
        .waiting(1, 1, cpus(1))
        .waiting_as(2, 1, cpus(2), |job| job.priority = 5)
        .waiting(3, 2, cpus(1));
    assert_eq!(scene.started(), [1]);
}

#[test]
fn in_strict_order_of_priority_it_counts_across_tenants() {
    let mut scene = by(Order::Priority)
        .waiting(1, 1, cpus(1))
        .waiting_as(2, 1, cpus(1), |job| job.priority = 3)
        .waiting_as(3, 2, cpus(1), |job| job.priority = 5);
    assert_eq!(scene.started(), [3, 2]);
}

#[test]
fn round_robin_starts_one_of_each_whatever_its_size() {
    let mut scene = by(Order::RoundRobin)
        .waiting(1, 1, domain::Resources::cpu(100, 1))
        .waiting(2, 1, domain::Resources::cpu(100, 1))
        .waiting(3, 2, cpus(1))
        .waiting(4, 2, domain::Resources::cpu(100, 1));
    assert_eq!(scene.started(), [1, 3, 2, 4]);
}
