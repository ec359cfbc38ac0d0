//! Sweeps and schedules: many jobs from one request, and jobs from the clock.

use chrono::Duration;
use domain::{JobId, child::Event};
use serde_json::{Value, json};

use crate::{
    hand::{Hand, flowers, push},
    support::{Client, Reply, TestApp, TestTenant},
};

async fn prepared() -> (TestApp, TestTenant, Hand) {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    (app, acme, hand)
}

fn spec() -> Value {
    json!({"dataset": "flowers", "target": "kind", "epochs": 2})
}

async fn jobs_of(client: &Client, sweep: &str) -> Vec<Value> {
    let list = client.get(&format!("/v1/jobs?sweep={sweep}&limit=200")).await.expect(200);
    let mut jobs = list.json["items"].as_array().unwrap().clone();
    jobs.reverse();
    jobs
}

#[actix_web::test]
async fn a_sweep_is_a_job_for_each_point() {
    let (_app, acme, hand) = prepared().await;
    let draft = json!({
        "spec": spec(), "name": "rates", "parallelism": 2,
        "parameters": {"batch_size": [8, 16], "optimizer": [
            {"type": "Adam", "learning_rate": 0.01}, {"type": "SGD", "learning_rate": 0.1}]},
        "metric": "val_accuracy", "maximize": true,
    });
    let made = acme.developer.post("/v1/sweeps", draft).await.expect(202);
    let id = made.text("/id").to_owned();
    assert_eq!(made.header("location"), Some(format!("/v1/sweeps/{id}").as_str()));
    assert_eq!(made.json["jobs"], json!({"queued": 4}));
    assert_eq!((&made.json["ended"], &made.json["best"]), (&json!(false), &Value::Null));
    let jobs = jobs_of(&acme.developer, &id).await;
    let names: Vec<_> = jobs.iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["rates 1", "rates 2", "rates 3", "rates 4"]);
    assert_eq!(jobs[2]["sweep"]["id"], id);
    assert_eq!(jobs[2]["sweep"]["point"]["batch_size"], 16);
    assert_eq!(jobs[2]["concurrency"], json!({"key": id, "limit": 2}));
    let job: JobId = jobs[2]["id"].as_str().unwrap().parse().unwrap();
    let one = acme.developer.get(&format!("/v1/jobs/{job}")).await.expect(200);
    assert_eq!(one.json["spec"]["batch_size"], 16);

    for (n, accuracy) in [(0, 0.5), (2, 0.75)] {
        let job: JobId = jobs[n]["id"].as_str().unwrap().parse().unwrap();
        let given = hand.start(job).await;
        let metrics = [("val_accuracy".to_owned(), accuracy)].into();
        hand.say(given.attempt, &[Event::Epoch { epoch: 1, step: 1, metrics }]).await;
        hand.succeed(given.attempt).await;
    }
    let now = acme.developer.get(&format!("/v1/sweeps/{id}")).await.expect(200);
    assert_eq!(now.json["jobs"], json!({"queued": 2, "succeeded": 2}));
    assert_eq!(now.json["best"]["job"], job.to_string());
    assert_eq!(
        (&now.json["best"]["value"], &now.json["best"]["point"]["batch_size"]),
        (&json!(0.75), &json!(16))
    );

    let paused =
        acme.developer.post(&format!("/v1/sweeps/{id}/pause"), json!({})).await.expect(200);
    assert_eq!(paused.json["jobs"], json!({"paused": 2, "succeeded": 2}));
    let again =
        acme.developer.post(&format!("/v1/sweeps/{id}/resume"), json!({})).await.expect(200);
    assert_eq!(again.json["jobs"], json!({"queued": 2, "succeeded": 2}));
    let ended =
        acme.developer.post(&format!("/v1/sweeps/{id}/cancel"), json!({})).await.expect(200);
    assert_eq!(ended.json["jobs"], json!({"cancelled": 2, "succeeded": 2}));
    assert_eq!(ended.json["ended"], true);
    let listed = acme.developer.get("/v1/sweeps").await.expect(200);
    assert_eq!(listed.json["items"], json!([ended.json]));
}

#[actix_web::test]
async fn a_sweep_is_accepted_whole_or_not_at_all() {
    let (app, acme, _hand) = prepared().await;
    let operator = app.operator().await;
    let change = json!({"limits": {"max_queued_jobs": 3}});
    operator.patch("/v1/tenants/acme", change).await.expect(200);
    let draft = |epochs: Value| json!({"spec": spec(), "parameters": {"epochs": epochs}});
    let full = acme.developer.post("/v1/sweeps", draft(json!([1, 2, 3, 4]))).await;
    full.expect_problem(429, "queue_full");
    assert_eq!(acme.developer.get("/v1/sweeps").await.expect(200).json["items"], json!([]));
    let none = acme.developer.get("/v1/jobs?kind=train").await.expect(200);
    assert_eq!(none.json["items"], json!([]));
    acme.developer.post("/v1/sweeps", draft(json!([1, 2, 3]))).await.expect(202);
}

async fn refused(client: &Client, draft: Value) -> Reply {
    client.post("/v1/sweeps", draft).await.expect_problem(422, "validation_failed")
}

#[actix_web::test]
async fn what_is_wrong_at_a_point_is_said_with_the_point() {
    let (_app, acme, _hand) = prepared().await;
    let draft = json!({"spec": spec(), "points": [{"epochs": 1}, {"epochs": 0, "batch_size": -1}]});
    let wrong = refused(&acme.developer, draft).await;
    let mut fields = wrong.fields();
    fields.sort_unstable();
    assert_eq!(fields, ["points[1].batch_size", "points[1].epochs"]);
    let many: Vec<_> = (0..1_000).collect();
    let million = json!({"spec": spec(), "parameters": {"epochs": many, "seed": many}});
    assert_eq!(refused(&acme.developer, million).await.fields(), ["parameters"]);
    let data = json!({"spec": spec(), "parameters": {"dataset": ["flowers", "trees"]}});
    assert_eq!(refused(&acme.developer, data).await.fields(), ["parameters"]);
    let mut keyed = json!({"spec": spec(), "parameters": {"epochs": [1]}, "parallelism": 0});
    keyed["spec"]["concurrency"] = json!({"key": "mine"});
    assert_eq!(refused(&acme.developer, keyed).await.fields(), ["parallelism", "spec.concurrency"]);
}

fn nightly() -> Value {
    json!({"name": "nightly", "cron": "30 2 * * *", "spec": spec()})
}

/// The clock of a test stands at the first of January, midnight.
#[actix_web::test]
async fn a_schedule_submits_once_whenever_its_time_comes() {
    let (app, acme, hand) = prepared().await;
    let made = acme.developer.post("/v1/schedules", nightly()).await.expect(201);
    let path = format!("/v1/schedules/{}", made.text("/id"));
    assert_eq!(made.text("/next_at"), "2026-01-01T02:30:00Z");
    assert_eq!(made.json["spec"], spec());
    acme.developer.post("/v1/schedules", nightly()).await.expect_problem(409, "conflict");
    assert_eq!(gateway::fire_due(&app.state).await.unwrap(), 0);

    // three nights have passed unseen: one run makes up for them, whoever looks first
    app.state.clock.advance(Duration::hours(60));
    let both = tokio::join!(gateway::fire_due(&app.state), gateway::fire_due(&app.state));
    assert_eq!(both.0.unwrap() + both.1.unwrap(), 1);
    let ran = acme.developer.get(&path).await.expect(200);
    assert_eq!(ran.text("/next_at"), "2026-01-04T02:30:00Z");
    assert_eq!(ran.json["problem"], Value::Null);
    let jobs = acme.developer.get("/v1/jobs?kind=train").await.expect(200);
    assert_eq!(jobs.json["items"].as_array().unwrap().len(), 1);
    assert_eq!(jobs.text("/items/0/id"), ran.text("/last_job"));
    hand.start(ran.text("/last_job").parse().unwrap()).await;

    acme.developer.post(&format!("{path}/pause"), json!({})).await.expect(200);
    app.state.clock.advance(Duration::hours(24));
    assert_eq!(gateway::fire_due(&app.state).await.unwrap(), 0);
    let on = acme.developer.post(&format!("{path}/resume"), json!({})).await.expect(200);
    assert_eq!(on.text("/next_at"), "2026-01-05T02:30:00Z");
    acme.developer.delete(&path).await.expect(204);
    acme.developer.delete(&path).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn a_run_that_cannot_be_submitted_says_why_and_the_next_one_is_tried() {
    let (app, acme, _hand) = prepared().await;
    let mut skipping = nightly();
    skipping["overlap"] = json!("skip");
    let path = format!(
        "/v1/schedules/{}",
        acme.developer.post("/v1/schedules", skipping).await.text("/id")
    );
    app.state.clock.advance(Duration::hours(3));
    assert_eq!(gateway::fire_due(&app.state).await.unwrap(), 1);
    app.state.clock.advance(Duration::hours(24));
    assert_eq!(gateway::fire_due(&app.state).await.unwrap(), 1);
    let skipped = acme.developer.get(&path).await.expect(200);
    assert!(skipped.text("/problem").contains("has not ended"), "{skipped:?}");
    let first = skipped.text("/last_job");
    acme.developer.post(&format!("/v1/jobs/{first}/cancel"), json!({})).await.expect(200);
    let change = json!({"limits": {"max_queued_jobs": 0}});
    app.operator().await.patch("/v1/tenants/acme", change).await.expect(200);
    app.state.clock.advance(Duration::hours(24));
    assert_eq!(gateway::fire_due(&app.state).await.unwrap(), 1);
    let full = acme.developer.get(&path).await.expect(200);
    assert!(full.text("/problem").contains("max_queued_jobs"), "{full:?}");
    assert_eq!(full.text("/next_at"), "2026-01-04T02:30:00Z");
}

#[actix_web::test]
async fn a_schedule_that_would_never_run_is_refused() {
    let (_app, acme, _hand) = prepared().await;
    for cron in ["0 0 30 2 *", "0 0 0 1 1 * 2020", "tomorrow"] {
        let mut draft = nightly();
        draft["cron"] = json!(cron);
        let refused = acme.developer.post("/v1/schedules", draft).await;
        assert_eq!(refused.expect_problem(422, "validation_failed").fields(), ["cron"], "{cron}");
    }
    let mut draft = nightly();
    draft["spec"]["target"] = json!("height of the moon");
    let refused = acme.developer.post("/v1/schedules", draft).await;
    assert_eq!(refused.expect_problem(422, "validation_failed").fields(), ["target"]);
}
