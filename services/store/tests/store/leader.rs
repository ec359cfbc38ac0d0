//! Who leads: one at a time, and one that was paused past its lease finds out before it writes.

use std::time::Duration;

use domain::job::JobStatus;
use sqlx::{Connection, PgConnection};
use store::{
    Service,
    leader::{self, LeaderLease},
    schedule, workers,
};
use uuid::Uuid;

use crate::support::{LEASE, World, attempt, held, retry, start};

async fn acquire(world: &World, holder: Uuid, lease: Duration) -> Option<LeaderLease> {
    let mut tx = world.begin_as(Service::Scheduler).await;
    let lead = leader::acquire(&mut tx, "scheduler", holder, lease).await.unwrap();
    tx.commit().await.unwrap();
    lead
}

async fn still_held(world: &World, lead: &LeaderLease) -> bool {
    let mut tx = world.begin_as(Service::Scheduler).await;
    held(&mut tx, lead).await.is_some()
}

#[tokio::test]
async fn many_want_the_lead_and_one_gets_it() {
    let world = World::create().await;
    let holders: Vec<_> = (1..=20).map(Uuid::from_u128).collect();
    let fight = holders.iter().map(|holder| acquire(&world, *holder, LEASE));
    let leads: Vec<_> = futures::future::join_all(fight).await.into_iter().flatten().collect();
    assert_eq!(leads.len(), 1);
    assert!(still_held(&world, &leads[0]).await);
}

#[tokio::test]
async fn renewing_keeps_the_lead_and_its_term() {
    let world = World::create().await;
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let lead = acquire(&world, one, LEASE).await;
    assert!(lead.is_some());
    assert_eq!(acquire(&world, one, LEASE).await, lead);
    assert_eq!(acquire(&world, other, LEASE).await, None);
}

#[tokio::test]
async fn a_leader_that_was_paused_past_its_lease_changes_nothing() {
    let world = World::create().await;
    let job = world.submit(&world.acme).await;
    let (paused, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    // its lease runs out as it is given: what a pause looks like from outside
    let lost = acquire(&world, paused, Duration::ZERO).await.unwrap();
    let lead = acquire(&world, other, LEASE).await.expect("the lease has run out");
    assert!(!still_held(&world, &lost).await);
    assert!(still_held(&world, &lead).await);

    let plan = [start(attempt(job, 1), world.worker)];
    let mut tx = world.begin_as(Service::Scheduler).await;
    assert!(held(&mut tx, &lost).await.is_none(), "without which no plan is applied");
    tx.commit().await.unwrap();
    assert_eq!(world.status(&world.acme, job).await, JobStatus::Queued);
    assert_eq!(acquire(&world, paused, LEASE).await, None, "it waits like everybody");

    let mut tx = world.begin_as(Service::Scheduler).await;
    let lead = held(&mut tx, &lead).await.expect("the lead is ours");
    let applied = schedule::apply(&mut tx, lead, &plan, &retry(), &[]).await.unwrap();
    assert_eq!(applied.changed, [job]);
    tx.commit().await.unwrap();
    assert_eq!(world.status(&world.acme, job).await, JobStatus::Starting);
}

#[tokio::test]
async fn nobody_takes_the_lead_while_its_holder_is_writing() {
    let world = World::create().await;
    let lead = acquire(&world, Uuid::from_u128(1), Duration::ZERO).await.unwrap();
    let mut writing = world.begin_as(Service::Scheduler).await;
    assert!(held(&mut writing, &lead).await.is_some());
    let (order, taken) = (std::cell::RefCell::new(Vec::new()), Uuid::from_u128(2));
    tokio::join!(
        async {
            assert!(acquire(&world, taken, LEASE).await.is_some());
            order.borrow_mut().push("taken");
        },
        async {
            // a round trip, in which the other one's statement reaches the lock
            assert!(held(&mut writing, &lead).await.is_some());
            order.borrow_mut().push("written");
            writing.commit().await.unwrap();
        },
    );
    assert_eq!(order.into_inner(), ["written", "taken"]);
}

#[tokio::test]
async fn letting_go_hands_the_lead_over_at_once() {
    let world = World::create().await;
    let lead = acquire(&world, Uuid::from_u128(1), LEASE).await.unwrap();
    let mut tx = world.begin_as(Service::Scheduler).await;
    leader::release(&mut tx, &lead).await.unwrap();
    tx.commit().await.unwrap();
    assert!(acquire(&world, Uuid::from_u128(2), LEASE).await.is_some());
}

/// The database's clock has gone back by an hour: what was given before lasts for an hour more.
async fn clock_went_back(world: &World) {
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let an_hour_ahead = "update leader set until = until + interval '1 hour'";
    sqlx::query(an_hour_ahead).execute(&mut owner).await.unwrap();
    let an_hour_ahead = "update worker set heartbeat_at = heartbeat_at + interval '1 hour'";
    sqlx::query(an_hour_ahead).execute(&mut owner).await.unwrap();
}

#[tokio::test]
async fn a_lease_from_before_the_clock_went_back_keeps_nobody_from_leading() {
    let world = World::create().await;
    let dead = acquire(&world, Uuid::from_u128(1), LEASE).await.unwrap();
    clock_went_back(&world).await;
    let next = acquire(&world, Uuid::from_u128(2), LEASE).await.expect("the lead is free");
    assert!(still_held(&world, &next).await && !still_held(&world, &dead).await);
    assert_eq!(acquire(&world, Uuid::from_u128(1), LEASE).await, None);
}

#[tokio::test]
async fn a_heartbeat_from_before_the_clock_went_back_counts_from_now_on() {
    let world = World::create().await;
    clock_went_back(&world).await;
    let mut tx = world.begin_as(Service::Scheduler).await;
    assert_eq!(workers::bury_silent(&mut tx, LEASE).await.unwrap(), []);
    // silent since, however short that is
    assert_eq!(workers::bury_silent(&mut tx, Duration::ZERO).await.unwrap(), []);
    tx.commit().await.unwrap();
    let mut tx = world.begin_as(Service::Scheduler).await;
    assert_eq!(workers::bury_silent(&mut tx, Duration::ZERO).await.unwrap(), [world.worker]);
}
