//! Sessions: signing in, staying in, and being put out.

use actix_web::test::TestRequest;
use chrono::Duration;
use serde_json::{Value, json};
use store::signing::Purpose;

use crate::support::{PASSWORD, Reply, TestApp, masters};

async fn sign_in(app: &TestApp, email: &str, password: &str) -> Reply {
    let draft = json!({ "email": email, "password": password });
    app.nobody().post("/v1/auth/sign-in", draft).await
}

async fn refresh(app: &TestApp, token: &str) -> Reply {
    app.nobody().post("/v1/auth/refresh", json!({ "refresh_token": token })).await
}

#[actix_web::test]
async fn a_password_begins_a_session() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let session = sign_in(&app, "Developer@acme.example ", PASSWORD).await.expect(200);
    assert_eq!((session.text("/tenant"), session.text("/token_type")), ("acme", "Bearer"));
    let client = app.with_credential(session.text("/access_token"));
    let me = client.get("/v1/me").await.expect(200);
    assert_eq!((me.text("/role"), &me.json["scopes"]), ("developer", &Value::Null));
    // tokens of a session make no tokens of their own
    client.post("/v1/auth/token", json!({})).await.expect_problem(403, "forbidden");
    app.state.clock.advance(Duration::minutes(15));
    let reply = client.get("/v1/me").await.expect_problem(401, "unauthenticated");
    assert!(reply.text("/detail").contains("/v1/auth/refresh"), "{reply:?}");
}

/// Whether somebody has an account here is not for strangers to know.
#[actix_web::test]
async fn a_wrong_password_and_an_unknown_address_are_refused_alike() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let known = sign_in(&app, "developer@acme.example", "wrong").await;
    let unknown = sign_in(&app, "nobody@acme.example", PASSWORD).await;
    let known = known.expect_problem(401, "unauthenticated");
    assert_eq!(known.bytes, unknown.expect_problem(401, "unauthenticated").bytes);
}

#[actix_web::test]
async fn who_belongs_to_several_tenants_names_one() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let globex = app.tenant("globex").await;
    let invited = json!({ "email": "developer@acme.example", "role": "viewer" });
    let invited = globex.owner.post("/v1/invitations", invited).await.expect(201);
    let answer = json!({ "token": invited.text("/token"), "password": PASSWORD });
    app.nobody().post("/v1/invitations/accept", answer).await.expect(200);

    let reply = sign_in(&app, "developer@acme.example", PASSWORD).await;
    let reply = reply.expect_problem(422, "validation_failed");
    assert!(reply.text("/detail").contains("acme, globex"), "{reply:?}");
    for (tenant, status) in [("globex", 200), ("acme", 200), ("initech", 422)] {
        let draft = json!({
            "email": "developer@acme.example", "password": PASSWORD, "tenant": tenant,
        });
        app.nobody().post("/v1/auth/sign-in", draft).await.expect(status);
    }
    // who knows the address and not the password does not learn where they belong
    let reply = sign_in(&app, "developer@acme.example", "wrong").await;
    reply.expect_problem(401, "unauthenticated");
}

#[actix_web::test]
async fn a_refresh_token_is_good_for_one_use_and_a_second_one_ends_the_session() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let first = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    let second = refresh(&app, first.text("/refresh_token")).await.expect(200);
    assert_eq!(first.text("/session"), second.text("/session"));
    let client = app.with_credential(second.text("/access_token"));
    client.get("/v1/me").await.expect(200);

    // a thief, or the one it was stolen from: nobody can tell, and both are out
    let reply = refresh(&app, first.text("/refresh_token")).await;
    let reply = reply.expect_problem(401, "unauthenticated");
    assert!(reply.text("/detail").contains("used before"), "{reply:?}");
    client.get("/v1/me").await.expect_problem(401, "unauthenticated");
    refresh(&app, second.text("/refresh_token")).await.expect_problem(401, "unauthenticated");
}

#[actix_web::test]
async fn of_two_refreshes_at_once_one_counts() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let session = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    let token = session.text("/refresh_token");
    let (one, other) = futures::join!(refresh(&app, token), refresh(&app, token));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

#[actix_web::test]
async fn a_session_lasts_as_long_as_it_is_refreshed_and_no_longer_than_ninety_days() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let idle = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    let mut token = idle.text("/refresh_token").to_owned();
    for _ in 0..6 {
        app.state.clock.advance(Duration::days(13));
        token = refresh(&app, &token).await.expect(200).text("/refresh_token").to_owned();
    }
    app.state.clock.advance(Duration::days(11));
    token = refresh(&app, &token).await.expect(200).text("/refresh_token").to_owned();
    app.state.clock.advance(Duration::days(2));
    refresh(&app, &token).await.expect_problem(401, "unauthenticated");

    let idle = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    app.state.clock.advance(Duration::days(14));
    refresh(&app, idle.text("/refresh_token")).await.expect_problem(401, "unauthenticated");
}

#[actix_web::test]
async fn sessions_are_listed_and_ended_by_whose_they_are() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let agent = TestRequest::post()
        .uri("/v1/auth/sign-in")
        .peer_addr("203.0.113.7:5000".parse().unwrap())
        .insert_header(("user-agent", "a browser"))
        .set_json(json!({ "email": "developer@acme.example", "password": PASSWORD }));
    let laptop = app.nobody().send(agent).await.expect(200);
    let laptop = app.with_credential(laptop.text("/access_token"));
    let phone = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    let phone_id = phone.text("/session").to_owned();
    let phone = app.with_credential(phone.text("/access_token"));

    let sessions = laptop.get("/v1/auth/sessions").await.expect(200);
    let items = sessions.json["items"].as_array().unwrap();
    // the first is that of accepting the invitation
    assert_eq!(items.len(), 3, "{sessions:?}");
    let current: Vec<_> = items.iter().filter(|item| item["current"] == true).collect();
    assert_eq!((&current[0]["address"], current.len()), (&json!("203.0.113.7"), 1));
    assert_eq!(current[0]["user_agent"], "a browser");

    let path = format!("/v1/auth/sessions/{phone_id}");
    acme.owner.delete(&path).await.expect_problem(404, "not_found");
    phone.get("/v1/me").await.expect(200);
    laptop.delete(&path).await.expect(204);
    phone.get("/v1/me").await.expect_problem(401, "unauthenticated");
    laptop.post("/v1/auth/sign-out", json!({})).await.expect(204);
    laptop.get("/v1/me").await.expect_problem(401, "unauthenticated");
    acme.developer.post("/v1/auth/sign-out", json!({})).await.expect_problem(409, "conflict");
}

#[actix_web::test]
async fn another_password_ends_the_other_sessions() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let other = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    let this = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    let this = app.with_credential(this.text("/access_token"));
    let change = |current: &str, new: &str| json!({ "current": current, "new": new });
    let next = "another one that is long";
    for (draft, field) in [
        (change("wrong", next), "current"),
        (change(PASSWORD, "short"), "new"),
        (change(PASSWORD, "developer@acme.example"), "new"),
    ] {
        let reply = this.post("/v1/auth/password", draft).await;
        assert_eq!(reply.expect_problem(422, "validation_failed").fields(), [field]);
    }
    this.post("/v1/auth/password", change(PASSWORD, next)).await.expect(204);
    this.get("/v1/me").await.expect(200);
    refresh(&app, other.text("/refresh_token")).await.expect_problem(401, "unauthenticated");
    sign_in(&app, "developer@acme.example", PASSWORD).await.expect(401);
    sign_in(&app, "developer@acme.example", next).await.expect(200);
}

#[actix_web::test]
async fn a_password_that_was_forgotten_is_chosen_anew_once() {
    use gateway::auth::{OfReset, Secret};

    let app = TestApp::new().await;
    app.tenant("acme").await;
    let before = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    // as `cupola admin reset-password` does
    let token = Secret::<OfReset>::generate().unwrap();
    let until = app.state.clock.now() + Duration::days(1);
    let mut tx = app.state.store.begin().await.unwrap();
    let sha256 = token.sha256();
    let email = "developer@acme.example";
    assert!(store::people::allow_reset(&mut tx, email, sha256, until).await.unwrap());
    tx.commit().await.unwrap();

    let next = "another one that is long";
    let draft = json!({ "reset_token": token.reveal(), "new": next });
    app.nobody().post("/v1/auth/password/reset", draft.clone()).await.expect(204);
    sign_in(&app, email, next).await.expect(200);
    refresh(&app, before.text("/refresh_token")).await.expect_problem(401, "unauthenticated");
    let again = app.nobody().post("/v1/auth/password/reset", draft).await;
    again.expect_problem(401, "unauthenticated");
}

#[actix_web::test]
async fn closing_a_tenant_ends_its_sessions() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let session = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    let client = app.with_credential(session.text("/access_token"));
    app.operator().await.delete("/v1/tenants/acme").await.expect(204);
    client.get("/v1/me").await.expect_problem(401, "unauthenticated");
    refresh(&app, session.text("/refresh_token")).await.expect_problem(401, "unauthenticated");
    let reply = sign_in(&app, "developer@acme.example", PASSWORD).await;
    reply.expect_problem(403, "forbidden");
}

#[actix_web::test]
async fn signing_keys_change_without_anybody_noticing() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let kids = async || {
        let keys = app.nobody().get("/.well-known/jwks.json").await.expect(200);
        let keys = keys.json["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = kids().await;
    let old = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    let old_client = app.with_credential(old.text("/access_token"));
    // the first key is as old as the database says, which is later than the test's clock
    app.state.clock.advance(Duration::days(365 * 50));
    let old = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    let old_kid = jsonwebtoken::decode_header(old.text("/access_token")).unwrap().kid.unwrap();
    old_client.get("/v1/me").await.expect(401);
    let old_client = app.with_credential(old.text("/access_token"));

    let now = app.state.clock.now();
    let new_kid = gateway::auth::rotate(&app.state.store, None, Purpose::Token, now).await.unwrap();
    app.state.signer.tend(now).await.unwrap();
    assert_eq!(kids().await, [new_kid.as_str(), first[0].as_str()], "published at once");
    let kid_of_next = async || {
        let next = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
        jsonwebtoken::decode_header(next.text("/access_token")).unwrap().kid.unwrap()
    };
    assert_eq!(kid_of_next().await, old_kid, "and signs once it is known");
    app.state.clock.advance(Duration::minutes(5));
    assert_eq!(kid_of_next().await, new_kid);
    old_client.get("/v1/me").await.expect(200);

    // the last token of the old key has expired
    app.state.clock.advance(Duration::minutes(15) + Duration::seconds(1));
    app.state.signer.tend(app.state.clock.now()).await.unwrap();
    assert_eq!(kids().await, [new_kid]);
}

/// A gateway that was started before the key meets a token of one that was started after.
#[actix_web::test]
async fn a_key_that_another_gateway_has_made_is_looked_up() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    app.state.clock.advance(Duration::days(365 * 50));
    let now = app.state.clock.now();
    gateway::auth::rotate(&app.state.store, None, Purpose::Token, now - Duration::minutes(10))
        .await
        .unwrap();
    let url = &app.state.config.public_url;
    let other = gateway::Signer::load(&app.state.store, Some(masters()), url).await.unwrap();
    let session = sign_in(&app, "developer@acme.example", PASSWORD).await.expect(200);
    let claims = app.state.signer.verify(session.text("/access_token"), now).await.unwrap();
    let theirs = other.sign(claims.sub, claims.by, now).unwrap().token;
    app.with_credential(&theirs).get("/v1/me").await.expect(200);
}
