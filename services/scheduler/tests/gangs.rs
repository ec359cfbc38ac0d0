//! A job of several workers through the scheduler: all of them start or none, and what one of them
//! leaves behind holds its room until it has gone.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use domain::{
    JobId, WorkerId,
    job::{Attempt, JobStatus, Report},
    world::WorkerState,
};
use scheduler::{Config, Lead, tick};
use sqlx::{Connection, PgConnection};
use store::{Service, Store, attempts, jobs, schedule::Applied, workers};
use testkit::TestDb;
use uuid::Uuid;

#[path = "support/mod.rs"]
mod support;

use support::{Tenant, register, submit};

struct World {
    db: TestDb,
    store: Store,
    acme: Tenant,
    holder: Uuid,
    lead: Option<Lead>,
}

impl World {
    async fn create() -> Self {
        let db = TestDb::create().await;
        let store = Store::connect(&db.url(), 4, Service::Scheduler).unwrap();
        let acme = Tenant::create(&store, "acme", 5).await;
        let mut world = Self { db, store, acme, holder: Uuid::now_v7(), lead: None };
        assert_eq!(world.tick().await.changed, []);
        world
    }

    /// Of two workers, each on a machine of its own.
    async fn with_a_gang() -> (Self, [WorkerId; 2], JobId) {
        let mut world = Self::create().await;
        let one = register(&world.store, "one", 1).await;
        let two = register(&world.store, "two", 1).await;
        let job = submit(&world.store, &world.acme, 2).await;
        world.tick().await;
        (world, [one, two], job)
    }

    async fn tick(&mut self) -> Applied {
        self.tick_by(&Config::default()).await
    }

    async fn tick_by(&mut self, config: &Config) -> Applied {
        let done = tick(&self.store, self.holder, config, &mut self.lead).await.unwrap();
        done.expect("nobody else leads").1
    }

    /// Of all machines this one alone is silent for longer than its lease.
    async fn silence(&mut self, worker: WorkerId) -> Applied {
        let mut owner = PgConnection::connect(&self.db.owner_url()).await.unwrap();
        let heard =
            "update worker set heartbeat_at = case when id = $1 then now() - interval '1 hour'
                                                           else now() + interval '1 hour' end";
        sqlx::query(heard).bind(worker.uuid()).execute(&mut owner).await.unwrap();
        owner.close().await.unwrap();
        self.tick_by(&Config { attempt_lease: Duration::ZERO, ..Config::default() }).await
    }

    async fn given(&self, worker: WorkerId) -> Vec<(Attempt, u32)> {
        let mut tx = self.store.acting_as(Service::Worker).begin().await.unwrap();
        let given = attempts::assigned_to(&mut tx, worker, None).await.unwrap();
        given.into_iter().map(|one| (one.attempt, one.rank)).collect()
    }

    async fn job(&self, id: JobId) -> jobs::Job {
        let mut tx = self.store.begin_for(self.acme.id).await.unwrap();
        jobs::get(&mut tx, id).await.unwrap().unwrap()
    }

    async fn set_state(&self, worker: WorkerId, state: WorkerState) {
        let mut tx = self.store.acting_as(Service::Worker).begin().await.unwrap();
        assert!(workers::set_state(&mut tx, worker, state).await.unwrap());
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn all_workers_start_at_once_or_none_does() {
    let mut world = World::create().await;
    let one = register(&world.store, "one", 1).await;
    let job = submit(&world.store, &world.acme, 2).await;
    assert_eq!(world.tick().await.changed, []);
    assert_eq!(world.given(one).await, []);
    let two = register(&world.store, "two", 1).await;
    let applied = world.tick().await;
    assert_eq!(applied.changed, [job]);
    // both are told to look
    assert_eq!(BTreeSet::from_iter(applied.workers), BTreeSet::from([one, two]));
    let (given, other) = (world.given(one).await, world.given(two).await);
    let ranks: BTreeSet<_> = given.iter().chain(&other).map(|(_, rank)| *rank).collect();
    assert_eq!((given.len(), other.len(), ranks), (1, 1, BTreeSet::from([0, 1])));
    world.store.close().await;
}

#[tokio::test]
async fn what_survives_a_lost_attempt_holds_its_room_until_it_has_left() {
    let (mut world, [one, two], job) = World::with_a_gang().await;
    let (attempt, rank) = world.given(one).await[0];

    let applied = world.silence(two).await;
    assert_eq!(applied.changed, [job]);
    assert!(applied.workers.contains(&one), "it is told to end what it runs");
    let lost = world.job(job).await;
    assert_eq!((lost.status, lost.tries, lost.attempt), (JobStatus::Queued, 1, 1));
    // of another job one worker would have room, were it not for what is left of the first
    let other = submit(&world.store, &world.acme, 1).await;
    assert_eq!(world.tick().await.changed, []);
    world.lead = None;
    assert_eq!(world.tick().await.changed, [], "a new leader knows it as well");
    let mut tx = world.store.acting_as(Service::Worker).begin().await.unwrap();
    attempts::leave(&mut tx, attempt, rank).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.tick().await.changed, [other]);
    assert_eq!(world.given(one).await.len(), 1);
    assert_eq!(world.job(job).await.tries, 1);
    world.store.close().await;
}

#[tokio::test]
async fn one_draining_worker_moves_the_whole_job() {
    let (mut world, [one, two], job) = World::with_a_gang().await;
    world.set_state(two, WorkerState::Draining).await;
    let applied = world.tick().await;
    assert_eq!(applied.changed, [job]);
    assert_eq!(BTreeSet::from_iter(applied.workers), BTreeSet::from([one, two]));
    assert_eq!(world.job(job).await.status, JobStatus::Stopping);
    world.store.close().await;
}

#[tokio::test]
async fn what_is_asked_of_one_worker_is_told_to_all() {
    let (mut world, [one, two], job) = World::with_a_gang().await;
    assert_eq!(world.tick().await.workers, []);
    let retry = Config::default().retry;
    let mut tx = world.store.begin_for(world.acme.id).await.unwrap();
    jobs::cancel(&mut tx, job, &retry).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let both = BTreeSet::from([one, two]);
    assert_eq!(BTreeSet::from_iter(world.tick().await.workers), both);
    let mut tx = world.store.acting_as(Service::Worker).begin().await.unwrap();
    let attempt = Attempt { job, number: NonZeroU32::MIN };
    attempts::report(&mut tx, attempt, Report::Stopped, &retry).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(BTreeSet::from_iter(world.tick().await.workers), both);
    world.store.close().await;
}
