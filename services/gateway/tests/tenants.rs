//! Tenants, as the operator sees them.

use domain::job::JobStatus;
use serde_json::json;

use crate::{
    hand::{Hand, flowers, push},
    support::TestApp,
};

#[actix_web::test]
async fn a_tenant_begins_with_an_invitation_to_its_owner() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let draft =
        json!({ "slug": "acme", "name": "Acme Ltd", "owner": { "email": "Ada@Acme.example" } });
    let made = operator.post("/v1/tenants", draft.clone()).await.expect(201);
    assert_eq!(made.header("location"), Some("/v1/tenants/acme"));
    let token = made.text("/invitation/token").to_owned();
    let (owner, _) = app.accept(&token).await;
    let me = owner.get("/v1/me").await.expect(200);
    assert_eq!((me.text("/role"), me.text("/email")), ("owner", "ada@acme.example"));

    let read = operator.get("/v1/tenants/acme").await.expect(200);
    assert_eq!(read.json, made.json["tenant"]);
    assert!(!format!("{read:?}").contains(&token));
    let again = operator.post("/v1/tenants", draft).await.expect_problem(409, "conflict");
    assert!(again.text("/detail").contains("acme"), "{again:?}");
}

#[actix_web::test]
async fn every_wrong_field_of_a_tenant_is_named() {
    let app = TestApp::new().await;
    let draft = json!({ "slug": "Ac me", "name": "", "owner": { "email": "ada" } });
    let reply = app.operator().await.post("/v1/tenants", draft).await;
    let reply = reply.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["slug", "name", "owner.email"]);
}

#[actix_web::test]
async fn limits_change_one_by_one_and_within_bounds() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    app.tenant("acme").await;
    let before = operator.get("/v1/tenants/acme").await.expect(200);
    let change = json!({ "limits": { "max_running_jobs": 7 } });
    let after = operator.patch("/v1/tenants/acme", change).await.expect(200);
    assert_eq!(after.json["limits"]["max_running_jobs"], 7);
    assert_eq!(
        after.json["limits"]["max_storage_bytes"],
        before.json["limits"]["max_storage_bytes"],
    );
    let wrong =
        json!({ "limits": { "max_running_jobs": -1, "max_queued_jobs": 10_000_000_000_u64 } });
    let reply = operator.patch("/v1/tenants/acme", wrong).await;
    let reply = reply.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["limits.max_running_jobs", "limits.max_queued_jobs"]);
    let nobody = json!({ "limits": {} });
    operator.patch("/v1/tenants/none", nobody).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn the_operator_sees_the_workers() {
    let app = TestApp::new().await;
    let hand = Hand::hire(&app).await;
    let operator = app.operator().await;
    let workers = operator.get("/v1/workers").await.expect(200);
    assert_eq!(workers.text("/items/0/state"), "up");
    assert_eq!(workers.json["items"][0]["running_jobs"], 0);
    assert_eq!(workers.json["items"][0]["used"]["cpu_milli"], 0);
    let acme = app.tenant("acme").await;
    let job = push(&acme.developer, "rows", "a,b\n1,2\n").await;
    hand.start(job).await;
    let workers = operator.get("/v1/workers?limit=1").await.expect(200);
    let worker = &workers.json["items"][0];
    let pool = &operator.get("/v1/pools").await.expect(200).json["items"][0];
    assert_eq!((&worker["running_jobs"], &worker["used"]), (&json!(1), &pool["used"]));
    assert!(worker["used"]["cpu_milli"].as_u64() > Some(0), "{worker}");
    assert_eq!((&worker["accelerator"], &workers.json["next"]), (&json!(null), &json!(null)));
    operator.get("/v1/workers?cursor=x").await.expect_problem(422, "validation_failed");
    let load = operator.get("/v1/workers/load").await.expect(200);
    let expected = json!({"pool": "default", "tenths": [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], "idle": 0, "cordoned": 0, "draining": 0});
    assert_eq!(load.json["items"], json!([expected]));
}

#[actix_web::test]
async fn a_closed_tenant_runs_nothing_more_and_keeps_what_it_has() {
    let app = TestApp::new().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let (operator, hand) = (app.operator().await, Hand::hire(&app).await);
    for tenant in [&acme, &globex] {
        hand.run(push(&tenant.developer, "flowers", flowers(60)).await).await;
    }
    let draft = json!({"dataset": "flowers", "target": "kind"});
    let nightly = json!({"name": "nightly", "cron": "@daily", "spec": draft});
    acme.developer.post("/v1/schedules", nightly).await.expect(201);
    let mut jobs = Vec::new();
    for client in [&acme.developer, &acme.developer, &globex.developer] {
        jobs.push(client.post("/v1/jobs", draft.clone()).await.expect(202).text("/id").to_owned());
    }
    hand.start(jobs[0].parse().unwrap()).await;

    operator.delete("/v1/tenants/acme").await.expect(204);
    operator.delete("/v1/tenants/acme").await.expect(204);
    operator.delete("/v1/tenants/none").await.expect_problem(404, "not_found");
    acme.developer.get("/v1/jobs").await.expect_problem(401, "unauthenticated");
    let status = async |id: &str| {
        let found = gateway::explain_any(&app.state.store, id.parse().unwrap()).await.unwrap();
        found.unwrap().0.status
    };
    assert_eq!(status(&jobs[0]).await, JobStatus::Stopping);
    assert_eq!(status(&jobs[1]).await, JobStatus::Cancelled);
    app.state.clock.advance(chrono::Duration::hours(25));
    assert_eq!(gateway::fire_due(&app.state).await.unwrap(), 0);
    let read = operator.get("/v1/tenants/acme").await.expect(200);
    assert!(read.json["closed_at"].is_string(), "{read:?}");
    let other = globex.developer.get(&format!("/v1/jobs/{}", jobs[2])).await.expect(200);
    assert_eq!(other.text("/status"), "queued");
}

#[actix_web::test]
async fn a_tenant_that_is_erased_leaves_noise() {
    let app = TestApp::new().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    for client in [&acme.developer, &globex.developer] {
        push(client, "d", "a,b\n1,2\n").await;
    }
    let operator = app.operator().await;
    let unknown = operator.delete("/v1/tenants/acme?erase=maybe").await;
    unknown.expect_problem(400, "bad_request");
    operator.delete("/v1/tenants/acme?erase=true").await.expect(204);
    globex.developer.get("/v1/datasets/d/versions/1/content").await.expect(200);
    // whoever had the key for a moment forgets it; another process never gets it
    let mut tx = app.state.store.begin().await.unwrap();
    let id = store::tenants::by_slug(&mut tx, "acme").await.unwrap().unwrap().id;
    let kept = store::tenant_keys::get(&mut tx, id).await.unwrap();
    assert_eq!(kept, store::tenant_keys::Kept::Destroyed);
}
