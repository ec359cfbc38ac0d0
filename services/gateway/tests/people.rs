//! The people of a tenant: how they come, what they may be made, and how they go.

use chrono::Duration;
use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, Reply, TestApp, TestTenant};

async fn invite(by: &Client, email: &str, role: &str) -> Reply {
    by.post("/v1/invitations", json!({ "email": email, "role": role })).await
}

fn answer(token: &str) -> Value {
    json!({ "token": token, "name": "Eve", "password": PASSWORD })
}

const ACCEPT: &str = "/v1/invitations/accept";

#[actix_web::test]
async fn an_invitation_is_good_for_one_person_once() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let invited = invite(&acme.admin, "Eve@acme.example", "developer").await.expect(201);
    let token = invited.text("/token").to_owned();
    let open = acme.owner.get("/v1/invitations").await.expect(200);
    assert_eq!(open.text("/items/0/email"), "eve@acme.example");
    assert!(!format!("{open:?}").contains(&token), "shown once");

    let accepted = app.nobody().post(ACCEPT, answer(&token)).await.expect(200);
    assert_eq!(accepted.text("/tenant"), "acme");
    let eve = app.with_credential(accepted.text("/access_token"));
    let me = eve.get("/v1/me").await.expect(200);
    assert_eq!((me.text("/role"), me.text("/email")), ("developer", "eve@acme.example"));

    app.nobody().post(ACCEPT, answer(&token)).await.expect_problem(401, "unauthenticated");
    let open = acme.owner.get("/v1/invitations").await.expect(200);
    assert_eq!(open.json["items"], json!([]));
}

#[actix_web::test]
async fn an_invitation_ends_when_it_is_taken_back_or_a_week_old() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let revoked = invite(&acme.owner, "eve@acme.example", "viewer").await.expect(201);
    let path = format!("/v1/invitations/{}", revoked.text("/id"));
    acme.owner.delete(&path).await.expect(204);
    let late = invite(&acme.owner, "eve@acme.example", "viewer").await.expect(201);
    app.state.clock.advance(Duration::days(7));
    for token in [revoked.text("/token"), late.text("/token")] {
        let reply = app.nobody().post(ACCEPT, answer(token)).await;
        let reply = reply.expect_problem(401, "unauthenticated");
        assert!(reply.text("/detail").contains("ask for another"), "{reply:?}");
    }
}

#[actix_web::test]
async fn every_wrong_field_of_an_invitation_and_of_its_answer_is_named() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let reply = invite(&acme.owner, "eve at acme", "operator").await;
    assert_eq!(reply.expect_problem(422, "validation_failed").fields(), ["email", "role"]);
    // an address that looks like a service account's
    let reply = invite(&acme.owner, "bot@acme.service", "viewer").await;
    assert_eq!(reply.expect_problem(422, "validation_failed").fields(), ["email"]);
    let reply = invite(&acme.owner, "eve@acme.example", "queen").await;
    let reply = reply.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["role"]);
    assert!(reply.text("/detail").contains("`owner`"), "{reply:?}");

    let invited = invite(&acme.owner, "eve@acme.example", "viewer").await.expect(201);
    let draft = json!({ "token": invited.text("/token"), "name": " ", "password": "short" });
    let reply = app.nobody().post(ACCEPT, draft).await.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["name", "password"]);
    // and it is still good
    app.nobody().post(ACCEPT, answer(invited.text("/token"))).await.expect(200);
}

/// Globex' owner has the token, and so must not come by an account that acme knows.
#[actix_web::test]
async fn somebody_who_is_known_shows_who_they_are() {
    let app = TestApp::new().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let invited = invite(&globex.owner, "developer@acme.example", "admin").await.expect(201);
    let token = invited.text("/token").to_owned();
    let thief = json!({ "token": token, "name": "Eve", "password": "one that the thief likes" });
    let reply = app.nobody().post(ACCEPT, thief).await.expect_problem(401, "unauthenticated");
    assert!(reply.text("/detail").contains("is known here"), "{reply:?}");
    let key_alone = json!({ "token": token });
    globex.owner.post(ACCEPT, key_alone.clone()).await.expect_problem(401, "unauthenticated");

    let accepted = acme.developer.post(ACCEPT, key_alone).await.expect(200);
    let there = app.with_credential(accepted.text("/access_token"));
    let (here, there) = (acme.developer.get("/v1/me").await, there.get("/v1/me").await);
    assert_eq!((here.text("/tenant"), here.text("/role")), ("acme", "developer"));
    assert_eq!((there.text("/tenant"), there.text("/role")), ("globex", "admin"));
    assert_eq!(here.text("/id"), there.text("/id"));
    // with their password it works as well, but they are in already
    let again = invite(&globex.owner, "developer@acme.example", "viewer").await.expect(201);
    let reply = app.nobody().post(ACCEPT, answer(again.text("/token"))).await;
    reply.expect_problem(409, "conflict");
}

async fn set_role(by: &Client, of: &str, role: &str) -> Reply {
    by.patch(&format!("/v1/users/{of}"), json!({ "role": role })).await
}

#[actix_web::test]
async fn a_role_counts_from_the_next_request_on() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let developer = acme.developer_id.to_string();
    acme.developer.get("/v1/users").await.expect_problem(403, "forbidden");
    set_role(&acme.admin, &developer, "admin").await.expect(204);
    let users = acme.developer.get("/v1/users").await.expect(200);
    assert_eq!(users.json["items"].as_array().unwrap().len(), 4, "{users:?}");
    set_role(&acme.owner, &developer, "viewer").await.expect(204);
    acme.developer.get("/v1/users").await.expect_problem(403, "forbidden");
}

#[actix_web::test]
async fn an_admin_makes_no_owner_and_unmakes_none() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let (owner, developer) = (acme.owner_id.to_string(), acme.developer_id.to_string());
    for reply in [
        invite(&acme.admin, "eve@acme.example", "owner").await,
        set_role(&acme.admin, &developer, "owner").await,
        set_role(&acme.admin, &owner, "viewer").await,
        acme.admin.delete(&format!("/v1/users/{owner}")).await,
    ] {
        let reply = reply.expect_problem(403, "forbidden");
        assert!(reply.text("/detail").starts_with("owner may"), "{reply:?}");
    }
    set_role(&acme.admin, &developer, "operator").await.expect_problem(403, "forbidden");
}

#[actix_web::test]
async fn the_last_owner_stays() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let owner = acme.owner_id.to_string();
    let path = format!("/v1/users/{owner}");
    acme.owner.delete(&path).await.expect_problem(409, "conflict");
    set_role(&acme.owner, &owner, "admin").await.expect_problem(409, "conflict");
    acme.owner.get("/v1/users").await.expect(200);
    set_role(&acme.owner, &acme.developer_id.to_string(), "owner").await.expect(204);
    acme.owner.delete(&path).await.expect(204);
    acme.owner.get("/v1/me").await.expect_problem(401, "unauthenticated");
}

async fn service_account(acme: &TestTenant, app: &TestApp) -> (Client, String) {
    let draft = json!({ "name": "bot", "role": "developer" });
    let added = acme.admin.post("/v1/service-accounts", draft).await.expect(201);
    assert_eq!(added.text("/email"), "bot@acme.service");
    let id = added.text("/id").to_owned();
    let key = json!({ "name": "ci", "user": id });
    let key = acme.admin.post("/v1/keys", key).await.expect(201);
    (app.with_credential(key.text("/secret")), id)
}

#[actix_web::test]
async fn a_service_account_works_by_keys_alone() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let (bot, id) = service_account(&acme, &app).await;
    let me = bot.get("/v1/me").await.expect(200);
    assert_eq!((me.text("/role"), me.text("/email")), ("developer", "bot@acme.service"));
    let sign_in = json!({ "email": "bot@acme.service", "password": "" });
    app.nobody().post("/v1/auth/sign-in", sign_in).await.expect_problem(401, "unauthenticated");
    // a developer does not make keys for it, and nobody makes one for a person
    let key = json!({ "name": "mine", "user": id });
    acme.developer.post("/v1/keys", key).await.expect_problem(404, "not_found");
    let key = json!({ "name": "hers", "user": acme.developer_id });
    let reply = acme.owner.post("/v1/keys", key).await.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["user"]);

    acme.admin.delete(&format!("/v1/users/{id}")).await.expect(204);
    bot.get("/v1/me").await.expect_problem(401, "unauthenticated");
    let draft = json!({ "name": "bot", "role": "operator" });
    let reply = acme.admin.post("/v1/service-accounts", draft).await;
    assert_eq!(reply.expect_problem(422, "validation_failed").fields(), ["role"]);
}

#[actix_web::test]
async fn operators_invite_operators_and_auditors_who_look_and_change_nothing() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let draft = json!({ "email": "ann@platform.example", "role": "auditor" });
    let invited = operator.post("/v1/platform/invitations", draft).await.expect(201);
    let accepted = app.nobody().post(ACCEPT, answer(invited.text("/token"))).await.expect(200);
    assert_eq!(accepted.json["tenant"], Value::Null);
    let ann = app.with_credential(accepted.text("/access_token"));
    ann.get("/v1/tenants").await.expect(200);
    ann.get("/v1/jobs").await.expect_problem(403, "forbidden");
    let change = json!({ "limits": { "max_running_jobs": 3 } });
    ann.patch("/v1/tenants/acme", change).await.expect_problem(403, "forbidden");
    let draft = json!({ "email": "eve@acme.example", "role": "owner" });
    let reply = operator.post("/v1/platform/invitations", draft).await;
    assert_eq!(reply.expect_problem(422, "validation_failed").fields(), ["role"]);

    let users = operator.get("/v1/platform/users").await.expect(200);
    assert_eq!(users.json["items"].as_array().unwrap().len(), 2, "{users:?}");
    let me = operator.get("/v1/me").await.expect(200);
    let own = format!("/v1/platform/users/{}", me.text("/id"));
    operator.delete(&own).await.expect_problem(409, "conflict");
    let id = ann.get("/v1/me").await.expect(200).text("/id").to_owned();
    operator.delete(&format!("/v1/platform/users/{id}")).await.expect(204);
    ann.get("/v1/me").await.expect_problem(401, "unauthenticated");
}
