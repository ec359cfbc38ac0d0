//! What has changed reaches the scheduler once and whole, in whatever order transactions end.

use domain::{JobId, WorkerId, world::WorkerState};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{
    Service,
    changes::{Change, Cursor},
    jobs, schedule, workers,
};

use crate::support::{World, new_job, news};

async fn begin(world: &World) -> Cursor {
    let mut tx = world.begin_as(Service::Scheduler).await;
    let (.., cursor) = schedule::load(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    cursor
}

async fn read(world: &World, cursor: &mut Cursor) -> Vec<Change> {
    news(world, cursor).await.changes
}

#[tokio::test]
async fn a_change_is_read_once() {
    let world = World::create().await;
    let mut cursor = begin(&world).await;
    assert_eq!(read(&world, &mut cursor).await, []);
    let job = world.submit(&world.acme).await;
    assert_eq!(read(&world, &mut cursor).await, [Change::Job(job)]);
    assert_eq!(read(&world, &mut cursor).await, []);
    // what the scheduler itself has assigned is no news to it, and neither is that it started
    let attempt = world.running(&world.acme).await;
    assert_eq!(read(&world, &mut cursor).await, [Change::Job(attempt.job)]);
    world.cancel(&world.acme, attempt.job).await;
    assert_eq!(read(&world, &mut cursor).await, [Change::Job(attempt.job)]);
}

#[tokio::test]
async fn none_is_missed_though_an_older_transaction_ends_later() {
    let world = World::create().await;
    let mut cursor = begin(&world).await;
    let (mut older, slow) = (world.begin_for(&world.acme).await, new_job(&world.acme));
    jobs::submit(&mut older, &new_job_without_limit(&slow)).await.unwrap();
    let quick = {
        let mut tx = world.begin_as(Service::Gateway).await;
        assert!(workers::set_state(&mut tx, world.worker, WorkerState::Cordoned).await.unwrap());
        tx.commit().await.unwrap();
        Change::Worker(world.worker)
    };
    for _ in 0..3 {
        let seen = read(&world, &mut cursor).await;
        assert!(seen == [quick] || seen.is_empty(), "{seen:?}");
    }
    older.commit().await.unwrap();
    assert_eq!(read(&world, &mut cursor).await, [Change::Job(slow.id)]);
    assert_eq!(read(&world, &mut cursor).await, []);
}

/// A profile job: its submission takes no lock that another one would wait for.
fn new_job_without_limit(job: &jobs::NewJob) -> jobs::NewJob {
    jobs::NewJob { spec: None, ..job.clone() }
}

#[tokio::test]
async fn what_was_rolled_back_is_never_read() {
    let world = World::create().await;
    let mut cursor = begin(&world).await;
    let mut tx = world.begin_for(&world.acme).await;
    jobs::submit(&mut tx, &new_job(&world.acme)).await.unwrap();
    drop(tx);
    assert_eq!(read(&world, &mut cursor).await, []);
}

/// A note in the part that is emptied next.
async fn note_long_ago(world: &World) {
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    sqlx::query(AssertSqlSafe(format!(
        "insert into change (part, kind, id)
         values (((extract(epoch from now())::bigint / 60 + 2) % 4)::smallint, 'job', '{}')",
        JobId::generate().uuid()
    )))
    .execute(&mut owner)
    .await
    .unwrap();
}

async fn truncate(world: &World, cursor: &Cursor) -> bool {
    let mut tx = world.begin_as(Service::Scheduler).await;
    let done = cursor.truncate(&mut tx).await.unwrap();
    if done {
        tx.commit().await.unwrap();
    }
    done
}

async fn notes(world: &World) -> i64 {
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    sqlx::query_scalar("select count(*) from change").fetch_one(&mut owner).await.unwrap()
}

#[tokio::test]
async fn old_notes_go_once_they_have_been_read_and_nobody_looks_at_them() {
    let world = World::create().await;
    let mut cursor = begin(&world).await;
    let before = notes(&world).await;
    note_long_ago(&world).await;
    assert!(!truncate(&world, &cursor).await, "it has not been read");
    assert_eq!(read(&world, &mut cursor).await.len(), 1);
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let mut reader = owner.begin().await.unwrap();
    sqlx::query("select count(*) from change").fetch_one(&mut *reader).await.unwrap();
    assert!(!truncate(&world, &cursor).await, "somebody looks at it");
    reader.rollback().await.unwrap();
    assert!(truncate(&world, &cursor).await);
    assert_eq!(notes(&world).await, before);
}

#[tokio::test]
async fn a_worker_that_is_gone_is_known_as_gone() {
    let world = World::create().await;
    let mut cursor = begin(&world).await;
    let mut tx = world.begin_as(Service::Gateway).await;
    assert!(workers::set_state(&mut tx, world.worker, WorkerState::Gone).await.unwrap());
    assert!(!workers::set_state(&mut tx, WorkerId::generate(), WorkerState::Up).await.unwrap());
    tx.commit().await.unwrap();
    let facts = news(&world, &mut cursor).await.facts;
    assert!(facts.workers.contains(&(world.worker, None)), "{facts:?}");
}
