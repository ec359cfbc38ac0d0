//! Several schedulers, one leader: who does not lead does nothing, and the lead can be taken over.

use std::time::Duration;

use scheduler::{Config, tick};
use store::{Service, Store, changes::Cursor, leader, schedule};
use testkit::TestDb;
use uuid::Uuid;

#[tokio::test]
async fn one_leads_and_the_next_takes_over_when_it_steps_down() {
    let db = TestDb::create().await;
    let store = Store::connect(&db.url(), 4, Service::Scheduler).unwrap();
    let config = Config::default();
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());

    let (mut one, mut two) = (None, None);
    tick(&store, first, &config, &mut one).await.unwrap().expect("nobody else leads");
    let lease = one.as_ref().expect("it leads").lease.clone();
    let other = tick(&store, second, &config, &mut two).await.unwrap();
    assert!(other.is_none() && two.is_none(), "somebody leads already");
    tick(&store, first, &config, &mut one).await.unwrap().expect("it leads still");
    assert_eq!(one.as_ref().expect("it leads").lease, lease, "renewing keeps the term");

    let mut tx = store.begin().await.unwrap();
    leader::release(&mut tx, &lease).await.unwrap();
    tx.commit().await.unwrap();
    tick(&store, second, &config, &mut two).await.unwrap().expect("the lead is free");
    assert_ne!(two.expect("it leads").lease, lease, "a new leader has a new term");
    assert!(tick(&store, first, &config, &mut one).await.unwrap().is_none());
    assert!(one.is_none(), "what it knew is forgotten");
    store.close().await;
}

#[tokio::test]
async fn a_leader_that_slept_past_its_lease_finds_its_term_over() {
    let db = TestDb::create().await;
    let store = Store::connect(&db.url(), 4, Service::Scheduler).unwrap();
    let (sleeper, next) = (Uuid::now_v7(), Uuid::now_v7());
    // a lease of no length is over at once: as if it had slept
    let config = Config { leader_lease: Duration::ZERO, ..Config::default() };
    let mut tx = store.begin().await.unwrap();
    let old =
        leader::acquire(&mut tx, "scheduler", sleeper, Duration::ZERO).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    tick(&store, next, &config, &mut None).await.unwrap().expect("the lease is over");

    let mut tx = store.begin().await.unwrap();
    let news = schedule::follow(&mut tx, &old, &mut Cursor::default()).await.unwrap();
    assert!(news.is_none(), "nothing can be applied in a term that is over");
    drop(tx);
    store.close().await;
}
