//! What is in use on each worker, counted from its live attempts each time that somebody asks.

use std::collections::BTreeMap;

use domain::{
    Resources, WorkerId,
    job::Report,
    world::{Command, PreemptReason, WorkerState},
};
use store::{
    Page, Service, attempts, pools,
    workers::{self, Load, NewWorker, Worker},
};

use crate::support::{RESOURCES, World, next};

async fn page(world: &World, after: Option<WorkerId>, limit: i64) -> Page<Worker> {
    let mut tx = world.begin_as(Service::Gateway).await;
    workers::list(&mut tx, after, limit).await.unwrap()
}

async fn used(world: &World) -> BTreeMap<WorkerId, (i64, Resources)> {
    let page = page(world, None, workers::MOST).await;
    page.items.into_iter().map(|worker| (worker.id, (worker.running, worker.used))).collect()
}

async fn load(world: &World) -> Load {
    let mut tx = world.begin_as(Service::Gateway).await;
    workers::loads(&mut tx).await.unwrap().into_iter().find(|load| load.pool == "default").unwrap()
}

async fn register(world: &World, name: &str, capacity: Resources) -> WorkerId {
    let id = WorkerId::generate();
    let mut tx = world.begin_as(Service::Worker).await;
    let new = NewWorker { id, name, pool: "default", capacity };
    workers::register(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn what_a_worker_has_in_use_is_what_its_live_attempts_asked_for() {
    let world = World::create().await;
    let (two, idle) = (world.worker("two").await, world.worker("idle").await);
    let none = (0, Resources::default());
    let of = |n: u32| (i64::from(n), RESOURCES.times(n));
    let all = |one, two_| BTreeMap::from([(world.worker, one), (two, two_), (idle, none)]);
    assert_eq!(used(&world).await, all(none, none));
    let alone = world.running(&world.acme).await;
    let gang = world.running_on(&world.acme, &[world.worker, two, two]).await;
    assert_eq!(used(&world).await, all(of(2), of(2)));
    let mut tx = world.begin_as(Service::Gateway).await;
    let pool = pools::list(&mut tx).await.unwrap().into_iter().find(|pool| pool.name == "default");
    assert_eq!(pool.unwrap().used, RESOURCES.times(4), "as the pool counts it");

    // asked to stop it still runs; stopped it uses nothing, and its next attempt does where that is
    let why = PreemptReason::Drained;
    world.command(Command::Preempt { attempt: alone, why }).await;
    assert_eq!(used(&world).await, all(of(2), of(2)));
    world.report(alone, Report::Stopped).await.unwrap();
    assert_eq!(used(&world).await, all(of(1), of(2)));
    world.start(next(alone)).await;
    assert_eq!(used(&world).await, all(of(2), of(2)));
    world.report(next(alone), Report::Succeeded).await.unwrap();

    // of a gang that was lost, each rank takes its place until its process has ended
    world.command(Command::Lose { attempt: gang }).await;
    assert_eq!(used(&world).await, all(of(1), of(2)));
    for (rank, left) in [(2, all(of(1), of(1))), (0, all(none, of(1))), (1, all(none, none))] {
        let mut tx = world.begin_as(Service::Worker).await;
        attempts::leave(&mut tx, gang, rank).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(used(&world).await, left, "without rank {rank}");
    }
}

#[tokio::test]
async fn workers_are_listed_page_by_page_in_one_order() {
    let world = World::create().await;
    for name in ["c", "a", "b"] {
        world.worker(name).await;
    }
    let gone = world.worker("gone").await;
    let mut tx = world.begin_as(Service::Gateway).await;
    assert!(workers::set_state(&mut tx, gone, WorkerState::Gone).await.unwrap());
    tx.commit().await.unwrap();
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = page(&world, after, 2).await;
        assert!(page.items.len() <= 2);
        after = page.items.last().map(|worker| worker.id);
        names.extend(page.items.into_iter().map(|worker| worker.name));
        if !page.has_more {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c", "gone", "one"]);
    let nobody = page(&world, Some(WorkerId::generate()), 2).await;
    assert!(nobody.items.is_empty());
}

#[tokio::test]
async fn how_full_a_pool_is_goes_by_what_each_worker_has_least_left_of() {
    let world = World::create().await;
    let by = |cpus: u64, gib: u64| Resources::cpu(1_000 * cpus, gib << 30);
    // a quarter of its memory, and less of the rest
    let memory = register(&world, "memory", by(16, 4)).await;
    let cpus = register(&world, "cpus", by(2, 64)).await;
    let accelerated = Resources { accelerator_milli: 1_000, ..by(64, 64) };
    register(&world, "idle", accelerated).await;
    for worker in [world.worker, memory, cpus] {
        world.running_on(&world.acme, &[worker]).await;
    }
    let mut tx = world.begin_as(Service::Gateway).await;
    workers::set_state(&mut tx, cpus, WorkerState::Cordoned).await.unwrap();
    workers::set_state(&mut tx, memory, WorkerState::Draining).await.unwrap();
    tx.commit().await.unwrap();
    let expected = Load {
        pool: "default".to_owned(),
        tenths: vec![1, 0, 1, 0, 0, 1, 0, 0, 0, 1],
        idle: 1,
        cordoned: 1,
        draining: 1,
    };
    assert_eq!(load(&world).await, expected);
    // who is gone is not among them
    let mut tx = world.begin_as(Service::Gateway).await;
    workers::set_state(&mut tx, cpus, WorkerState::Gone).await.unwrap();
    tx.commit().await.unwrap();
    let tenths = vec![1, 0, 1, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(load(&world).await, Load { tenths, cordoned: 0, ..expected });
}
