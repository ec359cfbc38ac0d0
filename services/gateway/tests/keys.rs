//! API keys: whose they are, what they are held to, and how they are replaced.

use actix_web::test::TestRequest;
use chrono::Duration;
use serde_json::json;

use crate::support::{Client, Reply, TestApp};

async fn from(client: &Client, address: &str) -> Reply {
    let peer = format!("{address}:5000").parse().unwrap();
    client.send(TestRequest::get().uri("/v1/me").peer_addr(peer)).await
}

#[actix_web::test]
async fn people_see_and_revoke_their_own_keys_and_those_who_run_the_tenant_all() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let count = |reply: Reply| reply.json["items"].as_array().unwrap().len();
    assert_eq!(count(acme.developer.get("/v1/keys").await.expect(200)), 1);
    let all = acme.owner.get("/v1/keys").await.expect(200);
    assert!(!format!("{all:?}").contains("secret"), "{all:?}");
    assert_eq!(count(all), 4);
    let made = acme.owner.post("/v1/keys", json!({ "name": "mine" })).await.expect(201);
    let path = format!("/v1/keys/{}", made.text("/id"));
    acme.developer.delete(&path).await.expect_problem(404, "not_found");
    acme.owner.delete(&path).await.expect(204);
    // saying it twice is no mistake
    acme.owner.delete(&path).await.expect(204);
}

#[actix_web::test]
async fn every_wrong_field_of_a_key_is_named() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let draft = json!({
        "name": "x".repeat(101), "expires_at": "2020-01-01T00:00:00Z",
        "scopes": ["jobs:read", "jobs"], "allowed_addresses": ["10.0.0.0/8", "10.0.0.0/33", "here"],
    });
    let reply = acme.developer.post("/v1/keys", draft).await;
    let reply = reply.expect_problem(422, "validation_failed");
    let wrong = ["name", "expires_at", "scopes[1]", "allowed_addresses[1]", "allowed_addresses[2]"];
    assert_eq!(reply.fields(), wrong);
    assert!(format!("{reply:?}").contains("jobs:submit"), "the scopes that there are: {reply:?}");
}

#[actix_web::test]
async fn a_key_does_what_its_scopes_say_and_its_role_allows() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let draft = json!({ "name": "ci", "scopes": ["jobs:read", "people:manage"] });
    let made = acme.developer.post("/v1/keys", draft).await.expect(201);
    let ci = app.with_credential(made.text("/secret"));
    let me = ci.get("/v1/me").await.expect(200);
    assert_eq!(me.json["scopes"], json!(["jobs:read", "people:manage"]));
    ci.get("/v1/jobs").await.expect(200);
    let reply = ci.get("/v1/datasets").await.expect_problem(403, "forbidden");
    assert!(reply.text("/detail").contains("`datasets:read`"), "{reply:?}");
    // a scope adds nothing to a role
    ci.get("/v1/users").await.expect_problem(403, "forbidden");
    // and what the key may not do, its token may not either
    let token = ci.post("/v1/auth/token", json!({})).await.expect(200);
    let token = app.with_credential(token.text("/access_token"));
    token.get("/v1/datasets").await.expect_problem(403, "forbidden");
    token.get("/v1/jobs").await.expect(200);
}

#[actix_web::test]
async fn a_key_that_is_held_to_something_makes_no_other() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    for (n, terms) in [
        json!({ "scopes": ["keys:manage"] }),
        json!({ "allowed_addresses": ["203.0.113.7"] }),
        json!({ "expires_at": "2099-01-01T00:00:00Z" }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut draft = terms;
        draft["name"] = json!(format!("held {n}"));
        let made = acme.developer.post("/v1/keys", draft).await.expect(201);
        let held = app.with_credential(made.text("/secret"));
        let peer = "203.0.113.7:5000".parse().unwrap();
        let ask = TestRequest::post().uri("/v1/keys").peer_addr(peer);
        let reply = held.send(ask.set_json(json!({ "name": "free" }))).await;
        let reply = reply.expect_problem(403, "forbidden");
        assert!(reply.text("/detail").contains("makes no other key"), "{reply:?}");
    }
}

#[actix_web::test]
async fn a_key_works_from_its_networks_alone() {
    let app = TestApp::with(|config| {
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let acme = app.tenant("acme").await;
    let draft = json!({ "name": "office", "allowed_addresses": ["203.0.113.7/24", "2001:db8::1"] });
    let made = acme.developer.post("/v1/keys", draft).await.expect(201);
    let listed = acme.developer.get("/v1/keys").await.expect(200);
    assert_eq!(
        listed.json["items"][0]["allowed_addresses"],
        json!(["203.0.113.0/24", "2001:db8::1/128"])
    );
    let office = app.with_credential(made.text("/secret"));
    from(&office, "203.0.113.200").await.expect(200);
    from(&office, "[2001:db8::1]").await.expect(200);
    let reply = from(&office, "203.0.114.1").await.expect_problem(403, "forbidden");
    assert!(reply.text("/detail").contains("203.0.114.1"), "{reply:?}");
    office.get("/v1/me").await.expect_problem(403, "forbidden");

    // a proxy is believed, a client that plays one is not
    let forwarded = |peer: &str, said: &str| {
        let request = TestRequest::get().uri("/v1/me").peer_addr(peer.parse().unwrap());
        office.send(request.insert_header(("x-forwarded-for", said.to_owned())))
    };
    forwarded("10.1.1.1:80", "203.0.113.9").await.expect(200);
    forwarded("10.1.1.1:80", "203.0.113.9, 198.51.100.1").await.expect(403);
    forwarded("198.51.100.1:80", "203.0.113.9").await.expect(403);
}

#[actix_web::test]
async fn a_key_is_replaced_while_the_old_one_goes_on_for_a_while() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let draft = json!({ "name": "ci", "scopes": ["jobs:read", "keys:manage"] });
    let made = acme.developer.post("/v1/keys", draft).await.expect(201);
    let old = app.with_credential(made.text("/secret"));
    let path = format!("/v1/keys/{}/rotate", made.text("/id"));
    // a program replaces the key that it runs by, though it could not make another
    let longest = json!({ "overlap_seconds": 2_592_001 });
    let reply = old.post(&path, longest).await.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["overlap_seconds"]);
    let reply = old.post(&path, json!({})).await.expect(201);
    let new = app.with_credential(reply.text("/secret"));
    assert_eq!(
        new.get("/v1/me").await.expect(200).json["scopes"],
        json!(["keys:manage", "jobs:read"])
    );
    let listed = acme.developer.get("/v1/keys").await.expect(200);
    let expires = |at: usize| listed.json["items"][at]["expires_at"].clone();
    assert!(expires(0).is_null());
    // by the test's clock, which stands in the past of the database's
    let tomorrow = app.state.clock.now() + Duration::days(1);
    assert_eq!(serde_json::from_value::<domain::Timestamp>(expires(1)).unwrap(), tomorrow);
    // that of a person is replaced by nobody else, who would see it
    let reply = acme.owner.post(&path, json!({})).await.expect_problem(422, "validation_failed");
    assert_eq!(reply.fields(), ["user"]);
}
