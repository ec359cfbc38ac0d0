//! Serving replicas come, are heard, fall silent and leave.

use std::time::Duration;

use domain::ReplicaId;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{
    Service,
    replicas::{self, Secret},
    tenant_keys::WrappedKey,
};

use crate::support::World;

const SILENCE: Duration = Duration::from_secs(5);

async fn register(world: &World, url: &str, secret: Secret) -> ReplicaId {
    let id = ReplicaId::generate();
    let mut tx = world.begin_as(Service::Serving).await;
    replicas::register(&mut tx, id, url, &secret).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn live(world: &World) -> Vec<replicas::Replica> {
    let mut tx = world.begin_as(Service::Gateway).await;
    replicas::live(&mut tx, SILENCE).await.unwrap()
}

async fn beat(world: &World, id: ReplicaId) -> bool {
    let mut tx = world.begin_as(Service::Serving).await;
    let heard = replicas::beat(&mut tx, id, false).await.unwrap();
    tx.commit().await.unwrap();
    heard
}

/// As if it had been heard so long ago, or had yet to be.
async fn heard(world: &World, id: ReplicaId, when: &str) {
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let set = format!(
        "update serving_replica set heartbeat_at = now() {when} where id = '{}'",
        id.uuid()
    );
    sqlx::query(AssertSqlSafe(set)).execute(&mut owner).await.unwrap();
}

fn plain() -> Secret {
    Secret::Plain(vec![7; 32])
}

#[tokio::test]
async fn gateways_find_those_that_are_heard() {
    let world = World::create().await;
    let wrapped = || WrappedKey { master: "one".to_owned(), bytes: vec![1, 2] };
    let first = register(&world, "http://a", Secret::Wrapped(wrapped())).await;
    let second = register(&world, "http://b", plain()).await;
    let found = live(&world).await;
    let names: Vec<_> = found.iter().map(|one| (one.id, one.url.as_str())).collect();
    assert_eq!(names, [(first, "http://a"), (second, "http://b")]);
    assert!(matches!(&found[0].secret, Secret::Wrapped(key) if *key == wrapped()));
    assert!(matches!(&found[1].secret, Secret::Plain(bytes) if bytes == &[7; 32]));

    for when in ["- interval '6 s'", "+ interval '1 h'"] {
        heard(&world, first, when).await;
        assert_eq!(live(&world).await.len(), 1, "{when}");
        assert!(beat(&world, first).await);
        assert_eq!(live(&world).await.len(), 2);
    }
    let mut tx = world.begin_as(Service::Serving).await;
    assert!(replicas::beat(&mut tx, second, true).await.unwrap());
    tx.commit().await.unwrap();
    let leaving: Vec<_> = live(&world).await.iter().map(|one| one.leaving).collect();
    assert_eq!(leaving, [false, true]);
    let mut tx = world.begin_as(Service::Serving).await;
    replicas::remove(&mut tx, second).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!beat(&world, second).await);
    assert_eq!(live(&world).await.len(), 1);
}

#[tokio::test]
async fn who_comes_takes_the_address_and_clears_away_the_dead() {
    let world = World::create().await;
    let old = register(&world, "http://a", plain()).await;
    let dead = register(&world, "http://b", plain()).await;
    heard(&world, dead, "- interval '61 min'").await;
    let new = register(&world, "http://a", plain()).await;
    let found: Vec<_> = live(&world).await.into_iter().map(|one| one.id).collect();
    assert_eq!(found, [new]);
    assert!(!beat(&world, old).await && !beat(&world, dead).await);
}
