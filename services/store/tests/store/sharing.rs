//! How pools were shared over time: written once a minute, merged with age and forgotten in the end, with averages
//! that stay what they were.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use domain::{Resources, TenantId, Timestamp, spec::DEFAULT_POOL_ID};
use store::{
    Service, Store,
    sharing::{self, Had, Moment, Period, Step},
};

use crate::support::{Tenant, World};

fn minute(n: i64) -> Timestamp {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(n)
}

fn had(guaranteed: u64, borrowed: u64) -> Had {
    Had { guaranteed: Resources::cpu(guaranteed, 0), borrowed: Resources::cpu(borrowed, 0) }
}

struct Pool<'a> {
    store: Store,
    world: &'a World,
}

impl Pool<'_> {
    async fn note(&self, now: Timestamp, tenants: &[(&Tenant, Had)]) {
        let tenants = tenants.iter().map(|(tenant, had)| (tenant.id, *had)).collect();
        self.note_all(now, tenants).await;
    }

    async fn note_all(&self, now: Timestamp, tenants: Vec<(TenantId, Had)>) {
        let moment = Moment { capacity: Resources::cpu(8_000, 1), tenants };
        let mut tx = self.store.begin().await.unwrap();
        sharing::note(&mut tx, now, &[(DEFAULT_POOL_ID, moment)]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn thin(&self, now: Timestamp) {
        let mut tx = self.store.begin().await.unwrap();
        sharing::thin(&mut tx, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn read(&self, from: Timestamp, until: Timestamp, minutes: i32) -> Vec<Step> {
        let period = Period { from, until, minutes, tenants: 2 };
        let mut tx = self.world.begin_as(Service::Gateway).await;
        let steps = sharing::history(&mut tx, DEFAULT_POOL_ID, &period).await.unwrap();
        tx.commit().await.unwrap();
        steps
    }

    /// Rows of both tables.
    async fn rows(&self) -> (i64, i64) {
        let mut tx = self.world.owner.begin().await.unwrap();
        let count =
            "select (select count(*) from pool_history), (select count(*) from share_history)";
        sqlx::query_as(count).fetch_one(store::Tx::conn(&mut tx)).await.unwrap()
    }
}

async fn pool(world: &World) -> Pool<'_> {
    Pool { store: world.store.acting_as(Service::Scheduler), world }
}

#[tokio::test]
async fn a_minute_is_written_once_and_read_back_as_an_average() {
    let world = World::create().await;
    let (acme, globex) = (world.acme.clone(), world.tenant("globex").await);
    let pool = pool(&world).await;
    pool.note(minute(0), &[(&acme, had(2_000, 0)), (&globex, had(0, 500))]).await;
    // another leader, in the same minute
    pool.note(minute(0) + TimeDelta::seconds(40), &[(&acme, had(9, 9))]).await;
    pool.note(minute(1), &[(&acme, had(2_000, 3_000))]).await;
    let steps = pool.read(minute(0), minute(10), 1).await;
    assert_eq!(steps.iter().map(|step| step.at).collect::<Vec<_>>(), [minute(0), minute(1)]);
    assert_eq!(steps[0].capacity.cpu_milli, 8_000);
    assert_eq!(steps[0].all, had(2_000, 500));
    let tenants = [("acme".to_owned(), had(2_000, 0)), ("globex".to_owned(), had(0, 500))];
    assert_eq!(steps[0].tenants, BTreeMap::from(tenants));
    // over both: who had nothing in one of them has half
    let steps = pool.read(minute(0), minute(10), 10).await;
    assert_eq!((steps.len(), steps[0].all), (1, had(2_000, 1_750)));
    assert_eq!(steps[0].tenants["globex"], had(0, 250));
    assert_eq!(pool.read(minute(2), minute(10), 10).await, []);
}

#[tokio::test]
async fn what_is_old_is_merged_without_a_change_and_goes_in_the_end() {
    let world = World::create().await;
    let acme = world.acme.clone();
    let pool = pool(&world).await;
    for n in 0..120 {
        pool.note(minute(n), &[(&acme, had(1_000, 10 * n.unsigned_abs()))]).await;
    }
    let before = pool.read(minute(0), minute(120), 60).await;
    assert_eq!(
        before.iter().map(|step| step.all).collect::<Vec<_>>(),
        [had(1_000, 295), had(1_000, 895)]
    );
    let day = TimeDelta::hours(24);
    // only whole ten minutes
    pool.thin(minute(75) + day).await;
    assert_eq!(pool.rows().await, (7 + 50, 7 + 50));
    pool.thin(minute(75) + day).await;
    assert_eq!(pool.read(minute(0), minute(120), 60).await, before);
    assert_eq!(pool.read(minute(0), minute(60), 10).await[1].all, had(1_000, 145));
    pool.thin(minute(0) + TimeDelta::days(8)).await;
    assert_eq!(pool.rows().await, (2, 2));
    assert_eq!(pool.read(minute(0), minute(120), 60).await, before);
    pool.thin(minute(60) + sharing::KEPT).await;
    assert_eq!(pool.rows().await, (1, 1));
    pool.thin(minute(61) + sharing::KEPT).await;
    assert_eq!(pool.rows().await, (0, 0));
}

#[tokio::test]
async fn of_very_many_tenants_the_greatest_have_rows_and_all_are_counted() {
    let world = World::create().await;
    let (acme, globex) = (world.acme.clone(), world.tenant("globex").await);
    let pool = pool(&world).await;
    let mut all: Vec<_> = (0..60).map(|n| (TenantId::generate(), had(0, 100 + n))).collect();
    all.push((acme.id, had(5_000, 0)));
    all.push((globex.id, had(0, 1)));
    pool.note_all(minute(0), all).await;
    let steps = pool.read(minute(0), minute(1), 1).await;
    let sum: u64 = (100..160).sum();
    assert_eq!(steps[0].all, had(5_000, sum + 1));
    // the others are gone, or not among the greatest
    assert_eq!(steps[0].tenants, BTreeMap::from([("acme".to_owned(), had(5_000, 0))]));
    assert_eq!(pool.rows().await, (1, 1));
}
