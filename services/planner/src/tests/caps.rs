//! Counts and costs that no room lifts: jobs at once, in a pool and under a key, and budgets.

use chrono::Duration;
use domain::{
    spend::{Budget, Prices, Spend},
    wait::WaitReason,
    world::{Concurrency, PlannedJob, Quota, TenantCaps},
};

use super::scene::*;

/// A CPU costs a credit for 100 s, which is as long as a plain job may run.
const PRICES: Prices = Prices { cpu_hour: 36_000_000, gib_hour: 0, accelerator_hour: 0 };

fn credits(n: u64) -> Spend {
    Spend { micro_credits: n * 1_000_000, accelerator_ms: 0 }
}

fn granted(n: u64, spent: Spend) -> TenantCaps {
    let granted = Spend { accelerator_ms: u64::MAX, ..credits(n) };
    TenantCaps { max_running: u32::MAX, budget: Budget { granted, spent } }
}

fn keyed(limit: u32) -> impl Fn(&mut PlannedJob) {
    move |job| job.concurrency = Some(Box::new(Concurrency { key: "gpu".into(), limit }))
}

#[test]
fn a_job_that_the_budget_may_not_cover_waits_until_others_have_cost_less() {
    let mut scene = Scene::new().worker(1, cpus(16));
    scene.set_prices(PRICES);
    scene.set_caps(1, granted(5, Spend::NONE));
    let mut scene = scene
        .waiting(1, 1, cpus(2))
        .waiting(2, 1, cpus(2))
        .waiting(3, 1, cpus(2))
        .waiting(4, 1, cpus(1));
    // the third could cost two of the one credit that is left; the fourth costs less
    assert_eq!(scene.started(), [1, 2, 4]);
    let left = Spend { accelerator_ms: u64::MAX, ..Spend::NONE };
    assert_eq!(scene.reason(3), WaitReason::Budget { needs: credits(2), left });
    // the first has run for half of the time that was reserved for it
    scene.pass(50);
    scene.set_job(1, None);
    scene.set_caps(1, granted(5, credits(1)));
    assert_eq!(scene.started(), Vec::<u128>::new());
    scene.set_job(2, None);
    scene.set_caps(1, granted(5, credits(2)));
    assert_eq!(scene.started(), [3]);
}

#[test]
fn what_is_reserved_follows_the_prices_at_the_start() {
    let mut scene = Scene::new().worker(1, cpus(16));
    scene.set_prices(PRICES);
    scene.set_caps(1, granted(3, Spend::NONE));
    let mut scene = scene.waiting(1, 1, cpus(2)).waiting(2, 1, cpus(2));
    assert_eq!(scene.started(), [1]);
    scene.set_prices(Prices { cpu_hour: PRICES.cpu_hour / 2, ..PRICES });
    assert_eq!(scene.started(), [2]);
}

#[test]
fn a_budget_that_is_lowered_stops_nothing_and_starts_nothing() {
    let mut scene = Scene::new().worker(1, cpus(16));
    scene.set_prices(PRICES);
    scene.set_caps(1, granted(9, Spend::NONE));
    let mut scene = scene.waiting(1, 1, cpus(2)).waiting(2, 1, cpus(16));
    assert_eq!(scene.started(), [1]);
    scene.set_caps(1, granted(1, Spend::NONE));
    assert_eq!(scene.commands(), []);
    let reason = scene.reason(2);
    assert!(matches!(reason, WaitReason::Budget { .. }), "{reason:?}");
}

#[test]
fn a_quota_says_how_many_run_at_once_in_its_pool() {
    let two = Quota { max_running: 2, ..Quota::default() };
    let mut scene = Scene::new().worker(1, cpus(8)).tenant(1, two).tenants([2]);
    for n in 1..=3 {
        scene = scene.waiting(n, 1, cpus(1)).waiting(10 + n, 2, cpus(1));
    }
    let mut started = scene.started();
    started.sort_unstable();
    assert_eq!(started, [1, 2, 11, 12, 13]);
    assert_eq!(scene.reason(3), WaitReason::MaxRunningJobsInPool { running: 2, limit: 2 });
    scene.set_job(1, None);
    assert_eq!(scene.started(), [3]);
}

#[test]
fn as_many_jobs_of_a_key_run_as_it_allows_the_first_ones_first() {
    let mut scene = Scene::new().worker(1, cpus(9)).tenants([1, 2]);
    for n in 1..=4 {
        scene = scene.waiting_as(n, 1, cpus(1), keyed(2));
    }
    // another tenant's key of the same name is another key
    let mut scene = scene.waiting_as(5, 2, cpus(1), keyed(1)).waiting(6, 1, cpus(1));
    let mut started = scene.started();
    started.sort_unstable();
    assert_eq!(started, [1, 2, 5, 6]);
    let busy = WaitReason::ConcurrencyKey { key: "gpu".into(), running: 2, limit: 2 };
    assert_eq!(scene.reason(3), busy);
    let mut scene = scene.waiting_as(7, 1, cpus(1), |job| {
        keyed(2)(job);
        job.priority = 1;
    });
    scene.set_job(2, None);
    assert_eq!(scene.started(), [7]);
    scene.set_job(1, None);
    scene.set_job(7, None);
    assert_eq!(scene.started(), [3, 4]);
}

#[test]
fn of_different_limits_under_a_key_the_smallest_holds() {
    let scene = Scene::new().worker(1, cpus(9)).tenants([1]);
    let scene = scene.waiting_as(1, 1, cpus(1), keyed(3)).waiting_as(2, 1, cpus(1), keyed(3));
    let mut scene = scene.waiting_as(3, 1, cpus(1), keyed(1));
    assert_eq!(scene.started(), [1]);
    scene.set_job(3, None);
    assert_eq!(scene.started(), [2]);
}

#[test]
fn a_job_of_a_key_that_may_not_begin_yet_takes_nobodys_place() {
    let scene = Scene::new().worker(1, cpus(9)).tenants([1]);
    let later = NOW + 60;
    let scene = scene.waiting_as(1, 1, cpus(1), |job| {
        keyed(1)(job);
        job.phase = domain::world::Phase::Waiting { not_before: at(later), last_attempt: 0 };
    });
    let mut scene = scene.waiting_as(2, 1, cpus(1), keyed(1));
    assert_eq!(scene.started(), [2]);
    scene.set_job(2, None);
    scene.now += Duration::seconds(60);
    assert_eq!(scene.started(), [1]);
}
