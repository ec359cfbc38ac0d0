//! Hard caps at submission, budgets and usage, as the operator sets and the tenant sees them.

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::{
    hand::{Hand, flowers, push},
    support::{Client, Reply, TestApp, TestTenant},
};

/// The database's clock is not the application's.
const ALL: &str = "from=2020-01-01T00:00:00Z&until=2200-01-01T00:00:00Z";

struct Stage {
    app: TestApp,
    acme: TestTenant,
    operator: Client,
    hand: Hand,
}

async fn prepared() -> Stage {
    let app = TestApp::new().await;
    let (acme, operator) = (app.tenant("acme").await, app.operator().await);
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    Stage { app, acme, operator, hand }
}

fn draft() -> Value {
    json!({"dataset": "flowers", "target": "kind", "epochs": 1, "max_runtime": 360,
           "resources": {"cpu_milli": 1_000, "memory_bytes": 1_073_741_824}})
}

async fn put(client: &Client, path: &str, body: Value) -> Reply {
    client.send(TestRequest::put().uri(path).set_json(body)).await
}

async fn submit(stage: &Stage) -> Reply {
    stage.acme.developer.post("/v1/jobs", draft()).await
}

#[actix_web::test]
async fn a_hard_cap_says_which_one_it_is() {
    let stage = prepared().await;
    let quota = "/v1/tenants/acme/quotas/default";
    let caps = json!({"max_queued": 1, "max_running": 5, "max_job": {"cpu_milli": 1_000}});
    let set = put(&stage.operator, quota, caps).await.expect(200);
    assert_eq!(set.json["max_queued"], 1);
    assert_eq!(set.json["max_running"], 5);
    let max_job = json!({"cpu_milli": 1_000, "memory_bytes": null, "accelerator_milli": null});
    assert_eq!(set.json["max_job"], max_job);

    let mut large = draft();
    large["resources"]["cpu_milli"] = json!(2_000);
    let refused = stage.acme.developer.post("/v1/jobs", large.clone()).await;
    let refused = refused.expect_problem(403, "quota_exceeded");
    assert_eq!(refused.fields(), ["resources.cpu_milli"]);
    assert!(refused.text("/detail").contains("max_job"), "{refused:?}");
    let foreseen = stage.acme.developer.post("/v1/jobs/dry-run", large).await.expect(200);
    assert_eq!(foreseen.json["accepted"], false);
    assert_eq!(foreseen.text("/refusal"), refused.text("/detail"));

    submit(&stage).await.expect(202);
    let full = submit(&stage).await.expect_problem(429, "queue_full");
    assert!(full.text("/detail").contains("`max_queued`"), "{full:?}");
    assert!(full.header("retry-after").is_some());
    let wrong = json!({"max_queued": -1, "max_running": 1e12 as i64, "max_job": {"cpu_milli": -5}});
    let wrong = put(&stage.operator, quota, wrong).await.expect_problem(422, "validation_failed");
    let mut fields = wrong.fields();
    fields.sort_unstable();
    assert_eq!(fields, ["max_job.cpu_milli", "max_queued", "max_running"]);
}

#[actix_web::test]
async fn a_budget_is_set_reserved_and_spent() {
    let stage = prepared().await;
    let prices = json!({"prices": {"cpu_hour": 10, "gib_hour": 0.5}});
    stage.operator.patch("/v1/pools/default", prices.clone()).await.expect(200);
    stage.operator.patch("/v1/pools/none", prices).await.expect_problem(404, "not_found");
    let bad = json!({"prices": {"cpu_hour": -1}});
    let bad = stage.operator.patch("/v1/pools/default", bad).await;
    assert_eq!(bad.expect_problem(422, "validation_failed").fields(), ["prices.cpu_hour"]);

    let budget = "/v1/tenants/acme/budget";
    stage.operator.get(budget).await.expect_problem(404, "not_found");
    let set = put(&stage.operator, budget, json!({"credits": 1})).await.expect(200);
    assert_eq!(set.json["granted"], json!({"credits": 1.0, "accelerator_hours": null}));
    // a tenth of an hour of one CPU and one GiB
    let foreseen = stage.acme.developer.post("/v1/jobs/dry-run", draft()).await.expect(200);
    assert_eq!(foreseen.json["costs_at_most"]["credits"], 1.05);
    let refused = submit(&stage).await.expect_problem(403, "budget_exceeded");
    assert!(refused.text("/detail").contains("1.05 credits"), "{refused:?}");
    put(&stage.operator, budget, json!({"credits": 2})).await.expect(200);
    let job = submit(&stage).await.expect(202).text("/id").to_owned();
    stage.hand.run(job.parse().unwrap()).await;
    let usage = stage.acme.developer.get(&format!("/v1/usage?{ALL}")).await.expect(200);
    let by_outcome = usage.json["attempts"].as_array().unwrap();
    // the profile and the training
    assert_eq!(by_outcome.len(), 1, "{usage:?}");
    assert_eq!(
        (&by_outcome[0]["pool"], &by_outcome[0]["attempts"]),
        (&json!("default"), &json!(2))
    );
    assert_eq!(usage.json["budget"]["granted"]["credits"], 2.0);
    let seen = stage.operator.get(&format!("/v1/tenants/acme/usage?{ALL}")).await.expect(200);
    assert_eq!(seen.json["attempts"], usage.json["attempts"]);
    let attempts = stage.acme.developer.get(&format!("/v1/jobs/{job}/attempts")).await.expect(200);
    assert_eq!(attempts.json["items"][0]["outcome"], "succeeded");
    let used = &attempts.json["items"][0]["used"];
    assert_eq!(used["paid_millis"], used["millis"]);
    assert_eq!(used["resources"]["cpu_milli"], 1_000);
    stage.operator.delete(budget).await.expect(204);
    stage.operator.delete(budget).await.expect_problem(404, "not_found");
    drop(stage.app);
}

#[actix_web::test]
async fn a_period_is_checked() {
    let stage = prepared().await;
    let period = "from=2030-01-02T00:00:00Z&until=2030-01-01T00:00:00Z";
    let bad = stage.acme.developer.get(&format!("/v1/usage?{period}")).await;
    assert_eq!(bad.expect_problem(422, "validation_failed").fields(), ["from"]);
    let future = "/v1/usage?from=2030-01-01T00:00:00Z&until=2030-01-02T00:00:00Z";
    let none = stage.acme.developer.get(future).await.expect(200);
    assert_eq!(none.json["attempts"], json!([]));
}

#[actix_web::test]
async fn a_concurrency_key_is_kept_with_its_job() {
    let stage = prepared().await;
    let mut keyed = draft();
    keyed["concurrency"] = json!({"key": "nightly"});
    let made = stage.acme.developer.post("/v1/jobs", keyed.clone()).await.expect(202);
    assert_eq!(made.json["concurrency"], json!({"key": "nightly", "limit": 1}));
    keyed["concurrency"] = json!({"key": "", "limit": 0});
    let bad = stage.acme.developer.post("/v1/jobs", keyed).await;
    let bad = bad.expect_problem(422, "validation_failed");
    assert_eq!(bad.fields(), ["concurrency.key", "concurrency.limit"]);
}
