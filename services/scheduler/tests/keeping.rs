//! What a leader writes down of how pools are shared, at moments that are passed in.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use chrono::TimeDelta;
use domain::{Resources, spec::DEFAULT_POOL_ID, world::Quota};
use scheduler::{Config, tick};
use store::{
    Service, Store, pools,
    sharing::{self, Had, Period},
};
use testkit::TestDb;
use uuid::Uuid;

#[path = "support/mod.rs"]
mod support;

use support::{Tenant, register, submit};

#[tokio::test]
async fn what_is_borrowed_is_told_from_what_is_guaranteed() {
    let db = TestDb::create().await;
    let store = Store::connect(&db.url(), 4, Service::Scheduler).unwrap();
    let config = Config::default();
    let (holder, mut lead) = (Uuid::now_v7(), None);
    let (acme, globex) =
        (Tenant::create(&store, "acme", 5).await, Tenant::create(&store, "globex", 5).await);
    register(&store, "first", 4).await;
    let mut tx = store.acting_as(Service::Gateway).begin().await.unwrap();
    let quota = Quota { guaranteed: Resources::cpu(2_000, 4 << 30), ..Quota::default() };
    assert!(pools::set_quota(&mut tx, acme.id, "default", &quota).await.unwrap());
    tx.commit().await.unwrap();
    for _ in 0..3 {
        submit(&store, &acme, 1).await;
    }
    submit(&store, &globex, 1).await;
    tick(&store, holder, &config, &mut lead).await.unwrap().expect("it leads");

    let lead = lead.as_mut().unwrap();
    let begun = chrono::DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    for minute in 0..3 {
        let mut tx = store.begin().await.unwrap();
        lead.keep(&mut tx, begun + TimeDelta::minutes(minute)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let period = Period { from: begun, until: begun + TimeDelta::hours(1), minutes: 1, tenants: 8 };
    let mut tx = store.acting_as(Service::Gateway).begin().await.unwrap();
    let steps = sharing::history(&mut tx, DEFAULT_POOL_ID, &period).await.unwrap();
    drop(tx);
    assert_eq!(steps.len(), 3);
    let had = |guaranteed, borrowed| Had {
        guaranteed: Resources::cpu(guaranteed, 0),
        borrowed: Resources::cpu(borrowed, 0),
    };
    for step in steps {
        assert_eq!(step.capacity.cpu_milli, 4_000);
        assert_eq!(step.all, had(2_000, 2_000));
        assert_eq!(step.tenants["acme"], had(2_000, 1_000));
        assert_eq!(step.tenants["globex"], had(0, 1_000));
    }
    store.close().await;
}
