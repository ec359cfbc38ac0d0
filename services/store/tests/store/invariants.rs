//! What the store has written keeps every invariant, and whatever is made wrong by hand is found.

use domain::job::{JobStatus, Report};
use sqlx::AssertSqlSafe;
use store::{
    Service, SystemTx, Tx,
    invariants::{self, Peak},
    jobs::{self, NewJob},
};

use crate::support::{World, artifact, new_job, retry};

/// A job that was published, one that was lost and runs again, and one that waits for it.
async fn history() -> World {
    let world = World::create().await;
    let done = world.running(&world.acme).await;
    let mut tx = world.begin_as(Service::Worker).await;
    store::models::publish(&mut tx, done, &artifact("weights")).await.unwrap();
    store::attempts::report(&mut tx, done, Report::Succeeded, &retry()).await.unwrap().unwrap();
    tx.commit().await.unwrap();

    let lost = world.running(&world.acme).await;
    world.superseded(lost).await;
    let mut tx = world.begin_for(&world.acme).await;
    let after = vec![(lost.job, domain::spec::AfterCondition::Success)];
    let waiting = NewJob { after, ..new_job(&world.acme) };
    jobs::submit(&mut tx, &waiting).await.unwrap();
    tx.commit().await.unwrap();
    world
}

async fn execute(tx: &mut SystemTx<'_>, statement: &str) {
    sqlx::query(AssertSqlSafe(statement)).execute(tx.conn()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_wrong_with_what_was_written_in_order() {
    let world = history().await;
    let mut tx = world.begin_as_owner().await;
    assert_eq!(invariants::violations(&mut tx, retry().max_tries).await.unwrap(), []);
    let peak = Peak { tenant: "acme".to_owned(), most: 1, max_running_jobs: 2 };
    assert_eq!(invariants::peaks(&mut tx).await.unwrap(), [peak]);
    assert_eq!(invariants::progress(&mut tx).await.unwrap(), (3, 1));

    let counts = invariants::counts(&mut tx).await.unwrap();
    let attempts: Vec<_> =
        counts.attempts.iter().map(|(outcome, _, count)| (outcome.as_str(), *count)).collect();
    assert_eq!(attempts, [("live", 1), ("lost", 1), ("succeeded", 1)]);
    assert_eq!((counts.requeued, counts.versions, counts.terms), (1, 1, 1));

    let trainings = invariants::trainings(&mut tx).await.unwrap();
    let of = |status| trainings.iter().filter(|training| training.status == status).count();
    assert_eq!(
        [JobStatus::Succeeded, JobStatus::Running, JobStatus::Queued].map(of),
        [1, 1, 1],
        "{trainings:?}"
    );
    assert_eq!(trainings.iter().filter(|training| training.weights.is_some()).count(), 1);
}

const BROKEN: &[(&str, &str)] = &[
    ("a tenant runs no more jobs than it may", "update tenant set max_running_jobs = 0"),
    (
        "a tenant uses no more of a pool than its limit",
        "insert into quota (tenant_id, pool_id, limit_cpu_milli)
         select t.id, p.id, 999 from tenant t, pool p",
    ),
    ("a worker is given no more than it has", "update worker set cpu_milli = 999"),
    (
        "a job's attempts follow one another",
        "update attempt set ended_at = ended_at + interval '1 hour' where outcome = 'lost'",
    ),
    (
        "a job's attempts follow one another",
        "update job set attempt = 2 where status = 'succeeded'",
    ),
    (
        "a live job has one live attempt, any other none",
        "update attempt set ended_at = now(), outcome = 'lost' where ended_at is null",
    ),
    ("a training publishes once, with its success", "delete from model_version"),
    ("a training publishes once, with its success", "update model_version set attempt = 2"),
    (
        "a training publishes once, with its success",
        "update attempt set outcome = 'succeeded' where outcome = 'lost'",
    ),
    (
        "a job ends once, and its events have no gap",
        "insert into job_event (job_id, number, tenant_id, kind, data)
         select job_id, number + 1, tenant_id, kind, data from job_event where kind = 'succeeded'",
    ),
    (
        "a job ends once, and its events have no gap",
        "update job_event set number = number + 1 where kind = 'succeeded'",
    ),
    (
        "a job is tried again, but not without end",
        "update job set status = 'failed', finished_at = now(), worker_id = null,
             cause = '{\"code\": \"lease_lost\", \"message\": \"\", \"retryable\": true}'
         where status = 'running'",
    ),
    (
        "a job starts after those it waits for",
        "insert into attempt (job_id, number, tenant_id, worker_id)
         select j.id, 1, j.tenant_id, w.id from job j, worker w where j.blocked",
    ),
];

#[tokio::test]
async fn whatever_is_made_wrong_by_hand_is_found() {
    let world = history().await;
    for (rule, statement) in BROKEN {
        let mut tx = world.begin_as_owner().await;
        execute(&mut tx, statement).await;
        let found = invariants::violations(&mut tx, retry().max_tries).await.unwrap();
        assert!(found.iter().any(|it| it.rule == *rule), "{rule}: {statement}: {found:?}");
    }
    let mut tx = world.begin_as_owner().await;
    assert_eq!(invariants::violations(&mut tx, retry().max_tries).await.unwrap(), []);
}
