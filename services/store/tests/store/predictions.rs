//! What was asked of models, as several gateways write it down.

use chrono::{DateTime, TimeDelta};
use domain::{ModelId, TenantId};
use store::{
    Service,
    predictions::{self, Predicted, Record},
};

use crate::support::World;

async fn add(world: &World, all: &[Record]) {
    let mut tx = world.begin_as(Service::Gateway).await;
    predictions::add(&mut tx, all).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_record_counts_once_and_in_its_tenants_period() {
    let world = World::create().await;
    let (acme, globex) = (world.acme.id, world.tenant("globex").await.id);
    let at = |secs| DateTime::UNIX_EPOCH + TimeDelta::seconds(secs);
    let asked = Predicted { requests: 1, rows: 20, tokens: 300, micros: 4_000 };
    let record = |who, secs| Record::new(who, (ModelId::generate(), 1), at(secs), asked);
    let first = [record(acme, 10), record(acme, 19), record(acme, 20), record(globex, 10)];
    add(&world, &first).await;
    // once more, with one that is new
    add(&world, &[&first[..], &[record(acme, 11)]].concat()).await;
    let sum = async |who: TenantId, from, until| {
        let mut tx = world.begin_as(Service::Gateway).await;
        predictions::between(&mut tx, who, (at(from), at(until))).await.unwrap()
    };
    let three = asked.plus(asked).plus(asked);
    assert_eq!(sum(acme, 10, 20).await, three);
    assert_eq!(sum(acme, 0, 10).await, Predicted::default());
    assert_eq!(sum(globex, 0, 100).await, asked);
}
