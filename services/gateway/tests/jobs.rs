//! Jobs through the API: submitting, reading, cancelling, and every way in which a draft can be wrong.

use actix_web::test::TestRequest;
use domain::{JobId, child::Event, job::Cause, wait::WaitReason};
use serde_json::{Value, json};
use store::tenants::{self, TenantLimits};

use crate::{
    hand::{Hand, flowers, push},
    support::{Client, Reply, TestApp, TestTenant},
};

fn draft() -> Value {
    json!({"dataset": "flowers", "target": "kind", "epochs": 2})
}

/// An application with a tenant that has a profiled dataset, `flowers`.
async fn prepared() -> (TestApp, TestTenant, Hand) {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    (app, acme, hand)
}

async fn submit(client: &Client, draft: Value) -> Reply {
    client.post("/v1/jobs", draft).await
}

async fn submit_with_key(client: &Client, key: &str, draft: &Value) -> Reply {
    let request = TestRequest::post().uri("/v1/jobs").insert_header(("idempotency-key", key));
    client.send(request.set_json(draft)).await
}

fn id(reply: &Reply) -> JobId {
    reply.text("/id").parse().unwrap()
}

#[actix_web::test]
async fn a_short_draft_becomes_a_job_with_every_default_filled_in() {
    let (_app, acme, _hand) = prepared().await;
    let made = submit(&acme.developer, draft()).await.expect(202);
    let path = format!("/v1/jobs/{}", id(&made));
    assert_eq!(made.header("location"), Some(path.as_str()));
    assert_eq!((made.text("/status"), made.text("/kind")), ("queued", "train"));
    assert_eq!(made.json["spec"]["task"], "binary_classification");
    assert_eq!(made.json["spec"]["classes"], json!(["iris", "rose"]));
    assert_eq!(made.json["spec"]["batch_size"], 32);
    assert_eq!(made.json["dataset"], json!({"name": "flowers", "version": 1}));
    let read = acme.developer.get(&path).await.expect(200);
    assert_eq!(read.json, made.json);
    let metrics = acme.developer.get(&format!("{path}/metrics")).await.expect(200);
    assert_eq!(metrics.json, json!({"series": {}}));
}

#[actix_web::test]
async fn jobs_are_listed_in_pages_and_by_kind_and_status() {
    let (_app, acme, _hand) = prepared().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.insert(0, id(&submit(&acme.developer, draft()).await.expect(202)).to_string());
    }
    let ids = |page: &Reply| -> Vec<String> {
        let items = page.json["items"].as_array().unwrap().iter();
        items.map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = acme.developer.get("/v1/jobs?kind=train&limit=2").await.expect(200);
    assert_eq!(ids(&first), made[..2]);
    assert_eq!(first.json["items"][0]["spec"], json!(null));
    let next = format!("/v1/jobs?kind=train&limit=2&cursor={}", first.text("/next"));
    let second = acme.developer.get(&next).await.expect(200);
    assert_eq!((ids(&second), &second.json["next"]), (made[2..].to_vec(), &json!(null)));
    let done = acme.developer.get("/v1/jobs?status=succeeded").await.expect(200);
    assert_eq!(done.json["items"][0]["kind"], "profile");
    acme.developer.get("/v1/jobs?status=asleep").await.expect_problem(400, "bad_request");
    let bad =
        acme.developer.get("/v1/jobs?cursor=xyz").await.expect_problem(422, "validation_failed");
    assert_eq!(bad.fields(), ["cursor"]);
}

#[actix_web::test]
async fn a_repeated_submission_finds_the_first_ones_job() {
    let (_app, acme, _hand) = prepared().await;
    let first = submit_with_key(&acme.developer, "monday", &draft()).await.expect(202);
    assert_eq!(first.header("idempotency-replayed"), None);
    // other spacing, same request
    let again = submit_with_key(&acme.owner, "monday", &draft()).await.expect(202);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(id(&again), id(&first));
    let other = json!({"dataset": "flowers", "target": "kind", "epochs": 3});
    let refused = submit_with_key(&acme.developer, "monday", &other).await;
    let refused = refused.expect_problem(422, "idempotency_mismatch");
    assert_eq!(refused.fields(), ["Idempotency-Key"]);
    submit_with_key(&acme.developer, &"k".repeat(256), &other)
        .await
        .expect_problem(422, "validation_failed");
    let jobs = acme.developer.get("/v1/jobs?kind=train").await.expect(200);
    assert_eq!(jobs.json["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn two_submissions_at_once_with_one_key_make_one_job() {
    let (_app, acme, _hand) = prepared().await;
    let body = draft();
    let (a, b) = futures::join!(
        submit_with_key(&acme.developer, "tuesday", &body),
        submit_with_key(&acme.developer, "tuesday", &body),
    );
    assert_eq!(id(&a.expect(202)), id(&b.expect(202)));
    let jobs = acme.developer.get("/v1/jobs?kind=train").await.expect(200);
    assert_eq!(jobs.json["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn every_wrong_field_is_named() {
    let (_app, acme, hand) = prepared().await;
    let same = flowers(60).replace("rose", "iris");
    hand.run(push(&acme.developer, "same", same).await).await;
    let layers = |layer: Value| {
        json!({"dataset": "flowers", "target": "kind",
            "model": {"layers": [layer, {"type": "Dense", "units": 1, "activation": "sigmoid"}]}})
    };
    let with = |field: &str, value: Value| {
        let mut draft = draft();
        draft[field] = value;
        draft
    };
    let cases: Vec<(Value, Vec<&str>)> = vec![
        (with("dataset", json!("nothing")), vec!["dataset"]),
        (with("dataset", json!("No Name\0!")), vec!["dataset"]),
        (with("version", json!(7)), vec!["version"]),
        (with("version", json!(-7)), vec!["version"]),
        (with("target", json!("weight")), vec!["target"]),
        (json!({"dataset": "flowers"}), vec!["target"]),
        (json!({"dataset": "same", "target": "kind"}), vec!["target"]),
        (with("epoch", json!(3)), vec!["epoch"]),
        (layers(json!({"type": "Convolution", "units": 3})), vec!["model.layers[0].type"]),
        (layers(json!({"type": "Dense", "units": 0})), vec!["model.layers[0].units"]),
        (layers(json!({"type": "Dense", "units": 1_000_000_000})), vec!["model.layers[0].units"]),
        (with("batch_size", json!(1_000)), vec!["batch_size"]),
        (
            with("optimizer", json!({"type": "Adam", "learning_rate": -1.0})),
            vec!["optimizer.learning_rate"],
        ),
        (with("priority", json!(1_000)), vec!["priority"]),
        (with("name", json!("two\nlines\0")), vec!["name"]),
        (
            json!({"dataset": "flowers", "target": "kind", "name": "", "epochs": 0, "batch_size": -1}),
            vec!["name", "batch_size", "epochs"],
        ),
    ];
    for (draft, fields) in cases {
        let refused = submit(&acme.developer, draft.clone()).await;
        let refused = refused.expect_problem(422, "validation_failed");
        // an unknown variant is reported at the value that holds it
        let named = refused.fields();
        let agrees = named.len() == fields.len()
            && named.iter().zip(&fields).all(|(named, field)| field.starts_with(named));
        assert!(agrees, "{draft} should name {fields:?}, and names {named:?}");
    }
    let jobs = acme.developer.get("/v1/jobs?kind=train").await.expect(200);
    assert_eq!(jobs.json["items"], json!([]));
}

#[actix_web::test]
async fn a_submission_waits_for_the_profile_or_is_told_to_come_back() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let profile = push(&acme.developer, "flowers", flowers(60)).await;
    let hurried = TestRequest::post().uri("/v1/jobs").insert_header(("prefer", "wait=0"));
    let refused = acme.developer.send(hurried.set_json(draft())).await;
    let refused = refused.expect_problem(409, "dataset_not_ready");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    let (made, ()) = futures::join!(submit(&acme.developer, draft()), hand.run(profile));
    made.expect(202);
}

#[actix_web::test]
async fn a_full_queue_refuses_and_says_when_to_try_again() {
    let (app, acme, _hand) = prepared().await;
    let mut tx = app.state.store.begin().await.unwrap();
    let limits = TenantLimits {
        max_running_jobs: 1,
        max_queued_jobs: 1,
        max_storage_bytes: 1 << 20,
        max_egress_bytes: 1 << 30,
    };
    tenants::set_limits(&mut tx, "acme", &limits).await.unwrap();
    tx.commit().await.unwrap();
    let first = submit_with_key(&acme.developer, "one", &draft()).await.expect(202);
    let refused = submit_with_key(&acme.developer, "two", &draft()).await;
    let refused = refused.expect_problem(429, "queue_full");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    // the refused request's key is free for the next try
    acme.developer.post(&format!("/v1/jobs/{}/cancel", id(&first)), json!({})).await.expect(200);
    let second = submit_with_key(&acme.developer, "two", &draft()).await.expect(202);
    assert_eq!(second.header("idempotency-replayed"), None);
}

#[actix_web::test]
async fn cancelling_ends_a_waiting_job_and_stops_a_running_one() {
    let (_app, acme, hand) = prepared().await;
    let cancel = async |job: JobId| {
        let path = format!("/v1/jobs/{job}/cancel");
        acme.developer.post(&path, json!({})).await.expect(200).text("/status").to_owned()
    };
    let waiting = id(&submit(&acme.developer, draft()).await);
    assert_eq!(cancel(waiting).await, "cancelled");
    assert_eq!(cancel(waiting).await, "cancelled");
    let running = id(&submit(&acme.developer, draft()).await);
    let given = hand.start(running).await;
    assert_eq!(cancel(running).await, "stopping");
    assert_eq!(cancel(running).await, "stopping");
    hand.succeed(given.attempt).await;
    assert_eq!(cancel(running).await, "succeeded", "what was finished is not thrown away");
    let unknown = format!("/v1/jobs/{}/cancel", JobId::generate());
    acme.developer.post(&unknown, json!({})).await.expect_problem(404, "not_found");
    acme.developer.post("/v1/jobs/job_1/cancel", json!({})).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn a_profile_job_cannot_be_cancelled() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let profile = push(&acme.developer, "flowers", flowers(60)).await;
    let refused = acme.developer.post(&format!("/v1/jobs/{profile}/cancel"), json!({})).await;
    refused.expect_problem(409, "conflict");
}

#[actix_web::test]
async fn a_waiting_job_says_why() {
    let (_app, acme, hand) = prepared().await;
    let job = id(&submit(&acme.developer, draft()).await);
    hand.explain(job, WaitReason::MaxRunningJobs { running: 4, limit: 4 }).await;
    let read = acme.developer.get(&format!("/v1/jobs/{job}")).await.expect(200);
    let reason = json!({"code": "max_running_jobs", "running": 4, "limit": 4,
        "message": "the tenant runs 4 of its 4 jobs at once"});
    assert_eq!(read.json["wait_reason"], reason);
}

#[actix_web::test]
async fn a_failed_job_keeps_its_metrics_and_lines_and_says_why() {
    let (_app, acme, hand) = prepared().await;
    let job = id(&submit(&acme.developer, draft()).await);
    let given = hand.start(job).await;
    let started =
        Event::Started { total_steps: 4, epochs: 2, parameters: 9, resumed_from_step: None };
    let epoch = |epoch: u32, loss: f64| Event::Epoch {
        epoch,
        step: u64::from(epoch) * 2,
        metrics: [("loss".to_owned(), loss)].into(),
    };
    let line = Event::Log { line: "a NUL \0 in a line".into() };
    hand.say(given.attempt, &[started, epoch(1, 0.5), line, epoch(2, f64::NAN)]).await;
    let path = format!("/v1/jobs/{job}");
    let running = acme.developer.get(&path).await.expect(200);
    assert_eq!(running.json["progress"], json!({"step": 0, "total_steps": 4}));
    let why = "loss became NaN at step 3; lower the learning rate";
    hand.fail(given.attempt, Cause::fatal("loss_not_finite", why)).await;

    let failed = acme.developer.get(&path).await.expect(200);
    assert_eq!((failed.text("/status"), failed.text("/cause/message")), ("failed", why));
    let metrics = acme.developer.get(&format!("{path}/metrics")).await.expect(200);
    let loss =
        json!([{"step": 2, "epoch": 1, "value": 0.5}, {"step": 4, "epoch": 2, "value": null}]);
    assert_eq!(metrics.json["series"]["loss"], loss);
    let logs = acme.developer.get(&format!("{path}/logs")).await.expect(200);
    assert_eq!(logs.text("/items/0/text"), "a NUL \u{fffd} in a line");
}

#[actix_web::test]
async fn another_tenants_job_looks_like_one_that_does_not_exist() {
    let (app, acme, _hand) = prepared().await;
    let zeta = app.tenant("zeta").await;
    let job = id(&submit(&acme.developer, draft()).await);
    for rest in ["", "/events", "/metrics", "/logs"] {
        let theirs = zeta.developer.get(&format!("/v1/jobs/{job}{rest}")).await;
        let theirs = theirs.expect_problem(404, "not_found");
        let other = JobId::generate();
        let none = zeta.developer.get(&format!("/v1/jobs/{other}{rest}")).await;
        let none =
            String::from_utf8_lossy(&none.bytes).replace(&other.to_string(), &job.to_string());
        assert_eq!(String::from_utf8_lossy(&theirs.bytes), none);
    }
    zeta.developer
        .post(&format!("/v1/jobs/{job}/cancel"), json!({}))
        .await
        .expect_problem(404, "not_found");
    // not even its dataset
    let refused = submit(&zeta.developer, draft()).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.fields(), ["dataset"]);
}
