//! Jobs of several workers: all of them start, or none.

use chrono::Duration;
use domain::{
    Resources, Timestamp, WorkerId,
    resources::ResourceName,
    spend::{Budget, Prices, Spend},
    wait::WaitReason,
    world::{Command, Devices, PreemptReason, Quota, TenantCaps, WorkerState, WorkerView},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::scene::*;

fn workers(command: &Command) -> Vec<WorkerId> {
    let Command::Start { seats, .. } = command else { panic!("{command:?} starts nothing") };
    seats.iter().map(|seat| seat.worker).collect()
}

#[test]
fn all_workers_start_or_none_and_several_may_be_on_one_machine() {
    let mut scene = Scene::new()
        .tenants([1])
        .worker(1, cpus(4))
        .worker(2, cpus(4))
        .live(1, 1, 1, cpus(3))
        .gang(2, 1, 3, cpus(2));
    assert_eq!(scene.commands(), []);
    let (needs, used, guaranteed) = (cpus(2), cpus(3), Resources::NONE);
    let waits = WaitReason::GangResources { needs, workers: 3, free: 2, used, guaranteed };
    assert_eq!(scene.reason(2), waits);
    assert_eq!(
        waits.to_string(),
        "needs room for 3 workers of 2 CPUs and 2048 MiB each at once, and there is room for 2 \
         (the tenant uses 3 CPUs and 3072 MiB, guaranteed are 0 CPUs and 0 MiB)"
    );
    scene.set_job(1, None);
    let commands = scene.commands();
    // both have as much free: the one with the lower id is filled first
    assert_eq!(workers(&commands[0]), [worker_id(1), worker_id(1), worker_id(2)]);
    // what is left of the second is given to others
    let mut scene = scene.waiting(3, 1, cpus(2)).waiting(4, 1, cpus(1));
    assert_eq!(scene.started(), [3]);
}

#[test]
fn each_worker_of_a_job_has_accelerators_of_its_own() {
    let gpu = |milli, cores| Resources { accelerator_milli: milli, ..cpus(cores) };
    let scene = Scene::new().tenants([1]).worker(1, gpu(2_000, 9)).worker(2, gpu(2_000, 9));
    let mut scene = scene.gang(1, 1, 3, gpu(600, 1)).gang(2, 1, 2, gpu(1_000, 1));
    let commands = scene.commands();
    let [Command::Start { seats, .. }] = &commands[..] else { panic!("{commands:?}") };
    let held: Vec<_> = seats.iter().map(|seat| (seat.worker, seat.devices)).collect();
    let (one, two) = (worker_id(1), worker_id(2));
    assert_eq!(held, [(one, Devices(1)), (one, Devices(2)), (two, Devices(1))]);
}

#[test]
fn quotas_counts_and_budgets_know_all_of_its_workers() {
    let scene = Scene::new().tenant(1, quota(0, 5, 1)).worker(1, cpus(16));
    let mut scene = scene.gang(1, 1, 3, cpus(2)).gang(2, 1, 2, cpus(2)).waiting(3, 1, cpus(1));
    assert_eq!(scene.started(), [2, 3]);
    let (resource, needs, used, limit) = (ResourceName::CpuMilli, 6_000, 5_000, 5_000);
    assert_eq!(scene.reason(1), WaitReason::QuotaLimit { resource, needs, used, limit });
    // as a running job it is one
    scene.set_quota(1, Quota { max_running: 3, ..Quota::default() });
    assert_eq!(scene.started(), [1]);
    assert_eq!(scene.queue.share(tenant_id(1), pool_id(POOL)).unwrap().used, cpus(11));

    let mut scene = Scene::new().worker(1, cpus(16));
    scene.set_prices(Prices { cpu_hour: 36_000_000, gib_hour: 0, accelerator_hour: 0 });
    let credits = |n: u64| Spend { micro_credits: n * 1_000_000, accelerator_ms: u64::MAX };
    let budget = Budget { granted: credits(5), spent: Spend::NONE };
    scene.set_caps(1, TenantCaps { max_running: 9, budget });
    let mut scene = scene.gang(1, 1, 3, cpus(2)).gang(2, 1, 2, cpus(2));
    assert_eq!(scene.started(), [2]);
    assert!(
        matches!(scene.reason(1), WaitReason::Budget { needs, .. } if needs.micro_credits == 6_000_000)
    );
}

/// Four machines of two CPUs, busy for 100, 200, 300 and 400 s; a job of three such waits.
fn promised() -> Scene {
    let mut scene = Scene::new().tenants([1, 2]);
    for n in 1..=4 {
        let end = scene.now + Duration::seconds(100 * n as i64);
        scene = scene.worker(n, cpus(3)).live_as(n, 2, n, cpus(2), |live| live.deadline = end);
    }
    scene.gang(9, 1, 3, cpus(3))
}

#[test]
fn the_time_is_promised_from_which_all_of_its_workers_fit() {
    let mut scene = promised();
    let from = scene.now + Duration::seconds(300);
    for n in 0..4 {
        scene = scene.waiting_as(10 + n, 2, cpus(1), |job| job.max_runtime_secs = 301);
    }
    // the machine that is busy for longest is not promised, and takes one
    let commands = scene.commands();
    assert_eq!(workers(&commands[0]), [worker_id(4)]);
    assert_eq!(commands.len(), 1);
    assert_eq!(scene.reason(11), WaitReason::Reserved { for_job: job_id(9), from });
    let mut scene = scene.waiting_as(20, 2, cpus(1), |job| job.max_runtime_secs = 300);
    assert_eq!(scene.started(), [20]);
}

#[test]
fn it_starts_when_that_was_promised_however_many_small_jobs_come() {
    let mut scene = promised();
    for round in 0..30 {
        for n in 0..4 {
            let (id, max) = (100 + round * 4 + n, 10 + 110 * (n as u64));
            scene = scene.waiting_as(id, 2, cpus(1), |job| job.max_runtime_secs = max);
        }
        scene.started();
        scene.pass(10);
        end_what_is_over(&mut scene);
    }
    assert!(scene.started().contains(&9), "300 s have passed");
}

fn end_what_is_over(scene: &mut Scene) {
    let jobs = scene.world.jobs.iter();
    let over = jobs.filter(|(_, job)| job.live().is_some_and(|live| live.deadline <= scene.now));
    let over: Vec<_> = over.map(|(id, _)| id.uuid().as_u128()).collect();
    over.into_iter().for_each(|n| scene.set_job(n, None));
}

/// Machines with something on each, and a job of several workers ahead of whatever comes.
fn any_promise(rng: &mut ChaCha8Rng) -> Scene {
    let mut scene = Scene::new().tenants([1]);
    let machines = rng.random_range(2..6);
    for n in 0..machines {
        let (whole, busy) = (cpus(rng.random_range(4..9)), cpus(rng.random_range(1..5)));
        let end = scene.now + Duration::seconds(rng.random_range(20..300));
        scene = scene.worker(n, whole).live_as(n, 1, n, busy, |live| live.deadline = end);
    }
    let workers = rng.random_range(2..=u32::try_from(machines).unwrap());
    scene.waiting_as(1_000, 1, cpus(4), |job| (job.workers, job.priority) = (workers, 9))
}

#[test]
fn from_no_seed_does_anything_that_comes_later_make_it_later() {
    let mut promises = 0;
    for seed in 0..1_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut scene, mut promised) = (any_promise(&mut rng), Timestamp::MAX_UTC);
        for step in 0..300 {
            for n in 0..rng.random_range(0..4) {
                let (id, needs) = (2_000 + step * 10 + n, cpus(rng.random_range(1..4)));
                let (workers, max) = (rng.random_range(1..4), rng.random_range(1..200));
                scene = scene.waiting_as(id, 1, needs, |job| {
                    (job.workers, job.max_runtime_secs) = (workers, max);
                });
            }
            if scene.started().contains(&1_000) {
                break;
            }
            assert!(scene.now < promised, "seed {seed}: it was to start at {promised}");
            let reserved = scene.queue.pools[&pool_id(POOL)].reserved.clone().unwrap();
            assert_eq!(reserved.job, job_id(1_000), "seed {seed}");
            assert!(reserved.from <= promised, "seed {seed}: {} after {promised}", reserved.from);
            (promised, promises) = (reserved.from, promises + 1);
            scene.pass(rng.random_range(1..20));
            end_what_is_over(&mut scene);
        }
        assert!(scene.world.jobs[&job_id(1_000)].live().is_some(), "seed {seed}: it never started");
    }
    assert!(promises > 1_000, "{promises}");
}

/// Tenant 1 is guaranteed four CPUs; tenant 2 borrows all of two machines.
fn borrowed() -> Scene {
    let scene = Scene::new().tenant(1, quota(4, 99, 1)).tenant(2, quota(0, 99, 1));
    let scene = scene.worker(1, cpus(4)).worker(2, cpus(4));
    let saved = scene.now - Duration::seconds(5);
    let mut scene = scene.live(1, 2, 1, cpus(2)).live(2, 2, 1, cpus(2));
    for n in [3, 4] {
        scene = scene.live_as(n, 2, 2, cpus(2), |live| live.saved_at = saved);
    }
    scene
}

#[test]
fn for_each_worker_the_cheapest_borrowers_are_stopped() {
    // both of the job's workers come to the machine whose jobs have saved their work
    let mut scene = borrowed().gang(9, 1, 2, cpus(2));
    assert_eq!(scene.stopped(), [3, 4]);
    assert_eq!(scene.reason(9), WaitReason::Reclaiming { attempts: 2 });
    let mut scene = scene.waiting(10, 2, cpus(1));
    scene.set_job(3, None);
    // half of it is free, and is kept
    assert_eq!(scene.commands(), []);
    scene.set_job(4, None);
    assert_eq!(scene.started(), [9]);
}

#[test]
fn nobody_is_stopped_if_not_the_whole_job_starts_by_it() {
    // tenant 3 has a guarantee to the second machine: one worker of the job would have room at most
    let scene = Scene::new()
        .tenant(1, quota(8, 99, 1))
        .tenant(2, quota(0, 99, 1))
        .tenant(3, quota(4, 99, 1))
        .worker(1, cpus(4))
        .worker(2, cpus(4))
        .live(1, 2, 1, cpus(4))
        .live(2, 3, 2, cpus(4));
    let mut scene = scene.gang(9, 1, 2, cpus(4));
    assert_eq!(scene.stopped(), []);
    scene.set_quota(3, quota(0, 99, 1));
    scene.pass(2);
    assert_eq!(scene.stopped().len(), 2);
}

#[test]
fn one_that_is_stopped_makes_room_wherever_it_ran() {
    let mut scene = Scene::new()
        .tenant(1, quota(8, 99, 1))
        .tenant(2, quota(0, 99, 1))
        .worker(1, cpus(4))
        .worker(2, cpus(4))
        .live_gang(1, 2, &[1, 2], cpus(2))
        .live(2, 2, 1, cpus(2))
        .live(3, 2, 2, cpus(2));
    scene = scene.gang(9, 1, 2, cpus(2));
    let why = PreemptReason::Reclaimed { for_job: job_id(9) };
    // two small ones lose as much together, but they are two
    assert_eq!(scene.stopped().len(), 2);
    let mut scene = Scene::new()
        .tenant(1, quota(8, 99, 1))
        .tenant(2, quota(0, 99, 1))
        .worker(1, cpus(4))
        .worker(2, cpus(4))
        .live_gang(1, 2, &[1, 2], cpus(4))
        .gang(9, 1, 2, cpus(3));
    assert_eq!(scene.commands(), [Command::Preempt { attempt: attempt(1, 1), why }]);
    scene.set_job(1, None);
    assert_eq!(scene.started(), [9]);
}

#[test]
fn the_worst_of_its_workers_decides() {
    let scene = || {
        let scene = Scene::new().tenants([1]).worker(1, cpus(2)).worker(2, cpus(2));
        scene.worker(3, cpus(2)).live_gang(1, 1, &[1, 2, 3], cpus(2))
    };
    let mut one = scene();
    one.set_worker(3, cpus(2), WorkerState::Draining);
    let why = PreemptReason::Drained;
    assert_eq!(one.commands(), [Command::Preempt { attempt: attempt(1, 1), why }]);
    assert_eq!(one.commands(), []);
    let mut two = scene();
    two.set_worker(2, cpus(2), WorkerState::Gone);
    two.set_worker(3, cpus(2), WorkerState::Draining);
    assert_eq!(two.commands(), [Command::Lose { attempt: attempt(1, 1) }]);
    // once the attempt has ended, what is up has room again
    two.set_job(1, None);
    let mut two = two.waiting(2, 1, cpus(2));
    assert_eq!(two.started(), [2]);
}

#[test]
fn one_that_is_larger_than_its_pool_says_so_and_holds_nobody_up() {
    let mut scene = Scene::new()
        .tenants([1, 2])
        .worker(1, cpus(4))
        .worker(2, cpus(4))
        .live(1, 2, 1, cpus(4))
        .waiting_as(2, 1, cpus(3), |job| (job.workers, job.priority) = (3, 9))
        .waiting(3, 1, cpus(4));
    assert_eq!(scene.started(), [3]);
    let reason = WaitReason::GangTooLarge { needs: cpus(3), workers: 3, most: 2 };
    assert_eq!(scene.reason(2), reason);
    assert!(reason.to_string().contains("room for 2: fewer or smaller"), "{reason}");
    assert!(scene.queue.pools[&pool_id(POOL)].reserved.is_none());
    // nor in a cohort, though that has as much
    let labs = || Quota { cohort: Some("labs".into()), ..quota(9, 99, 1) };
    let mut scene = Scene::new().tenant(1, labs()).worker(1, cpus(4)).worker(2, cpus(4));
    scene = scene.live_gang(1, 1, &[1, 2], cpus(2)).live(2, 1, 1, cpus(1));
    scene = scene.waiting_as(3, 1, cpus(3), |job| (job.workers, job.priority) = (3, 9));
    let mut scene = scene.waiting_as(4, 1, cpus(1), |job| job.max_runtime_secs = 99_999);
    assert_eq!(scene.started(), [4]);
    assert!(scene.queue.pools[&pool_id(POOL)].held.is_empty());
}

#[test]
fn what_is_left_of_an_ended_attempt_has_its_room_until_it_leaves() {
    let (pool, state) = (pool_id(POOL), WorkerState::Up);
    let view = |leftover| WorkerView { pool, capacity: cpus(4), state, leftover };
    let mut scene = Scene::new().tenants([1, 2]).worker(1, cpus(4));
    scene.set_view(1, view(vec![(cpus(3), Devices::default())]));
    let mut scene = scene
        .waiting(1, 1, cpus(2))
        .waiting_as(2, 2, cpus(1), |job| job.max_runtime_secs = 61)
        .waiting_as(3, 2, cpus(1), |job| job.max_runtime_secs = 9_999);
    // nobody is asked to stop, and the first has it within the grace
    assert_eq!(scene.started(), [2]);
    let promised = scene.queue.pools[&pool_id(POOL)].reserved.clone().unwrap();
    assert_eq!((promised.job, promised.from), (job_id(1), scene.now + Duration::seconds(60)));
    scene.set_view(1, view(Vec::new()));
    assert_eq!(scene.started(), [1, 3]);
}
