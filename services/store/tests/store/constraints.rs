//! The database repeats the state machine's invariants: even its owner cannot write a job that makes
//! no sense.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::Service;

use crate::support::{World, artifact, retry};

async fn violated(connection: &mut PgConnection, statement: &str) -> Option<String> {
    let error = sqlx::query(AssertSqlSafe(statement)).execute(connection).await.err()?;
    let constraint = error.as_database_error().and_then(|error| error.constraint());
    Some(constraint.map_or_else(|| error.to_string(), str::to_owned))
}

#[tokio::test]
async fn a_job_that_makes_no_sense_cannot_be_written() {
    let world = World::create().await;
    let waiting = world.submit(&world.acme).await.uuid();
    let running = world.running(&world.acme).await;
    let live = running.job.uuid();
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let cases = [
        ("live_has_a_worker", format!("update job set status = 'running' where id = '{waiting}'")),
        ("live_has_a_worker", format!("update job set status = 'queued' where id = '{live}'")),
        ("live_has_a_worker", format!("update job set saved_at = null where id = '{live}'")),
        ("live_has_a_worker", format!("update job set worker_id = null where id = '{live}'")),
        (
            "stopping_has_a_reason",
            format!("update job set status = 'stopping' where id = '{live}'"),
        ),
        (
            "stopping_has_a_reason",
            format!("update job set stop_reason = 'cancelled' where id = '{live}'"),
        ),
        ("final_has_a_time", format!("update job set status = 'cancelled' where id = '{waiting}'")),
        ("final_has_a_time", format!("update job set finished_at = now() where id = '{waiting}'")),
        (
            "failed_has_a_cause",
            format!("update job set status = 'failed', finished_at = now() where id = '{waiting}'"),
        ),
        ("spec_for_training", format!("update job set spec = null where id = '{waiting}'")),
        ("spec_for_training", format!("update job set kind = 'profile' where id = '{waiting}'")),
        ("job_status_check", format!("update job set status = 'lost' where id = '{waiting}'")),
        (
            "one_live_attempt",
            format!(
                "insert into attempt (job_id, number, tenant_id, worker_id)
                 select job_id, 2, tenant_id, worker_id from attempt where job_id = '{live}'"
            ),
        ),
        ("attempt_check", format!("update attempt set ended_at = now() where job_id = '{live}'")),
    ];
    for (constraint, statement) in cases {
        let violated = violated(&mut owner, &statement).await;
        assert_eq!(violated.as_deref(), Some(constraint), "{statement}");
    }
}

#[tokio::test]
async fn a_second_version_of_one_job_cannot_be_written() {
    let world = World::create().await;
    let attempt = world.running(&world.acme).await;
    let mut tx = world.begin_as(Service::Worker).await;
    store::models::publish(&mut tx, attempt, &artifact("weights")).await.unwrap();
    store::attempts::report(&mut tx, attempt, domain::job::Report::Succeeded, &retry())
        .await
        .unwrap()
        .unwrap();
    tx.commit().await.unwrap();
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let again = "insert into model_version
                 select (jsonb_populate_record(v, '{\"number\": 2}')).* from model_version v";
    let violated = violated(&mut owner, again).await;
    assert_eq!(violated.as_deref(), Some("model_version_job_id_key"));
}

#[tokio::test]
async fn a_version_has_a_profile_or_a_problem() {
    let world = World::create().await;
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let both = "update dataset_version set profile = '{}', problem = '{}'";
    assert!(violated(&mut owner, both).await.is_some());
}
