//! The people of a tenant and their keys.

use serde_json::json;

use crate::support::{Reply, TestApp};

#[actix_web::test]
async fn an_owner_adds_a_person_whose_first_key_works() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let draft = json!({ "email": "eve@acme.example", "name": "Eve", "role": "owner" });
    let added = acme.owner.post("/v1/users", draft.clone()).await.expect(201);
    let eve = app.with_credential(added.text("/api_key/secret"));
    assert_eq!(eve.get("/v1/me").await.expect(200).text("/role"), "owner");
    let people = acme.owner.get("/v1/users").await.expect(200);
    assert_eq!(people.json["items"].as_array().unwrap().len(), 3, "{people:?}");
    acme.owner.post("/v1/users", draft).await.expect_problem(409, "conflict");
}

#[actix_web::test]
async fn every_wrong_field_of_a_person_is_named() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let draft = json!({ "email": "eve at acme", "name": " ", "role": "operator" });
    let reply = acme.owner.post("/v1/users", draft).await;
    let reply = reply.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["email", "name", "role"]);
    let draft = json!({ "email": "eve@acme.example", "name": "Eve", "role": "queen" });
    let reply = acme.owner.post("/v1/users", draft).await;
    let reply = reply.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["role"]);
    assert!(reply.text("/detail").contains("`owner`"), "{reply:?}");
}

#[actix_web::test]
async fn the_last_owner_stays() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let path = format!("/v1/users/{}", acme.owner_id);
    acme.owner.delete(&path).await.expect_problem(409, "conflict");
    acme.owner.get("/v1/me").await.expect(200);
}

#[actix_web::test]
async fn a_person_of_two_tenants_has_a_key_for_each() {
    let app = TestApp::new().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let draft = json!({ "email": "member@acme.example", "name": "Max", "role": "owner" });
    let added = globex.owner.post("/v1/users", draft).await.expect(201);
    assert_eq!(added.text("/id"), acme.member_id.to_string());
    let there = app.with_credential(added.text("/api_key/secret"));
    let (here, there) = (acme.member.get("/v1/me").await, there.get("/v1/me").await);
    assert_eq!((here.text("/tenant"), here.text("/role")), ("acme", "member"));
    assert_eq!((there.text("/tenant"), there.text("/role")), ("globex", "owner"));
}

#[actix_web::test]
async fn members_see_and_revoke_their_own_keys_and_owners_all() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let count = |reply: Reply| reply.json["items"].as_array().unwrap().len();
    assert_eq!(count(acme.member.get("/v1/keys").await.expect(200)), 1);
    let all = acme.owner.get("/v1/keys").await.expect(200);
    assert!(!format!("{all:?}").contains("secret"), "{all:?}");
    assert_eq!(count(all), 2);
    let made = acme.owner.post("/v1/keys", json!({ "name": "mine" })).await.expect(201);
    let path = format!("/v1/keys/{}", made.text("/id"));
    acme.member.delete(&path).await.expect_problem(404, "not_found");
    acme.owner.delete(&path).await.expect(204);
    // saying it twice is no mistake
    acme.owner.delete(&path).await.expect(204);
}

#[actix_web::test]
async fn a_key_needs_a_name_and_a_future() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let draft = json!({ "name": "x".repeat(101), "expires_at": "2020-01-01T00:00:00Z" });
    let reply = acme.member.post("/v1/keys", draft).await;
    let reply = reply.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["name", "expires_at"]);
}
