//! Tenants, as the operator sees them.

use serde_json::json;

use crate::{hand::Hand, support::TestApp};

#[actix_web::test]
async fn a_tenant_begins_with_an_owner_whose_key_is_shown_once() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let draft = json!({
        "slug": "acme", "name": "Acme Ltd", "owner": { "email": "ada@acme.example", "name": "Ada" },
    });
    let made = operator.post("/v1/tenants", draft.clone()).await.expect(201);
    assert_eq!(made.header("location"), Some("/v1/tenants/acme"));
    let secret = made.text("/api_key/secret").to_owned();
    assert!(secret.starts_with(made.text("/api_key/prefix")), "{made:?}");
    app.with_credential(&secret).get("/v1/users").await.expect(200);

    let read = operator.get("/v1/tenants/acme").await.expect(200);
    assert_eq!(read.json, made.json["tenant"]);
    assert!(!format!("{read:?}").contains(&secret));
    let again = operator.post("/v1/tenants", draft).await.expect_problem(409, "conflict");
    assert!(again.text("/detail").contains("acme"), "{again:?}");
}

#[actix_web::test]
async fn every_wrong_field_of_a_tenant_is_named() {
    let app = TestApp::new().await;
    let draft = json!({ "slug": "Ac me", "name": "", "owner": { "email": "ada", "name": "" } });
    let reply = app.operator().await.post("/v1/tenants", draft).await;
    let reply = reply.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["slug", "name", "owner.email", "owner.name"]);
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
    let _hand = Hand::hire(&app).await;
    let workers = app.operator().await.get("/v1/workers").await.expect(200);
    assert_eq!(workers.text("/items/0/state"), "up");
    assert_eq!(workers.json["items"][0]["running_jobs"], 0);
}
