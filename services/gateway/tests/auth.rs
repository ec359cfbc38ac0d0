//! Credentials: which are accepted, and that taking one away works at once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Duration;
use gateway::ApiSecret;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::{
    hand::{flowers, push},
    support::{Client, TestApp},
};

async fn token(of: &Client) -> String {
    let reply = of.post("/v1/auth/token", json!({})).await.expect(200);
    assert_eq!((reply.text("/token_type"), &reply.json["expires_in"]), ("Bearer", &json!(900)));
    reply.text("/access_token").to_owned()
}

#[actix_web::test]
async fn a_key_and_its_token_say_who_one_is() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let with_token = app.with_credential(&token(&acme.owner).await);
    for client in [&acme.owner, &with_token] {
        let me = client.get("/v1/me").await.expect(200);
        assert_eq!(me.text("/role"), "owner");
        assert_eq!(me.text("/tenant"), "acme");
        assert_eq!(me.text("/email"), "owner@acme.example");
    }
    let operator = app.operator().await.get("/v1/me").await.expect(200);
    assert_eq!((operator.text("/role"), &operator.json["tenant"]), ("operator", &Value::Null));
}

#[actix_web::test]
async fn what_is_not_a_credential_is_refused_with_the_way_to_do_it() {
    let app = TestApp::new().await;
    let key = app.tenant("acme").await.owner.credential().to_owned();
    let another = ApiSecret::generate().unwrap().reveal().to_owned();
    let other = if &key[20..21] == "x" { "y" } else { "x" };
    let mistyped = format!("{}{other}{}", &key[..20], &key[21..]);
    let cut = &key[..key.len() - 1];
    for (credential, says) in [
        (mistyped.as_str(), "mistyped"),
        (cut, "mistyped"),
        (another.as_str(), "unknown"),
        ("cup_", "mistyped"),
        ("", "Bearer"),
        ("not.a.token", "not a token of this platform"),
        ("🦀", "Bearer"),
    ] {
        let reply = app.with_credential(credential).get("/v1/me").await;
        let reply = reply.expect_problem(401, "unauthenticated");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        assert!(reply.text("/detail").contains(says), "{credential}: {reply:?}");
    }
    app.nobody().get("/v1/me").await.expect_problem(401, "unauthenticated");
}

#[actix_web::test]
async fn an_expired_key_is_refused() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    // the test's clock stands in the past of the database's: accepted here, over there
    let draft = json!({ "name": "short", "expires_at": "2026-01-01T00:00:01Z" });
    let made = acme.developer.post("/v1/keys", draft).await.expect(201);
    let client = app.with_credential(made.text("/secret"));
    let reply = client.get("/v1/me").await.expect_problem(401, "unauthenticated");
    assert!(reply.text("/detail").contains("expired"), "{reply:?}");
}

#[actix_web::test]
async fn revoking_a_key_ends_it_and_its_tokens_at_once() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let made = acme.developer.post("/v1/keys", json!({ "name": "laptop" })).await.expect(201);
    let laptop = app.with_credential(made.text("/secret"));
    let with_token = app.with_credential(&token(&laptop).await);
    with_token.get("/v1/me").await.expect(200);

    acme.owner.delete(&format!("/v1/keys/{}", made.text("/id"))).await.expect(204);

    laptop.get("/v1/me").await.expect_problem(401, "unauthenticated");
    with_token.get("/v1/me").await.expect_problem(401, "unauthenticated");
    acme.developer.get("/v1/me").await.expect(200);
}

/// Where the credential is looked up on the way to what is asked for.
#[actix_web::test]
async fn what_is_read_by_itself_is_shown_to_whom_it_is_anywhere() {
    let app = TestApp::new().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    push(&acme.developer, "flowers", flowers(20)).await;
    let (path, key) = ("/v1/datasets/flowers", json!({ "name": "laptop" }));
    let made = acme.developer.post("/v1/keys", key).await.expect(201);
    let laptop = app.with_credential(made.text("/secret"));
    let with_token = app.with_credential(&token(&laptop).await);
    for client in [&acme.viewer, &laptop, &with_token] {
        assert_eq!(client.get(path).await.expect(200).text("/name"), "flowers");
    }
    globex.owner.get(path).await.expect_problem(404, "not_found");
    app.nobody().get(path).await.expect_problem(401, "unauthenticated");
    app.nobody().get("/v1/datasets/No%20Name").await.expect_problem(401, "unauthenticated");
    laptop.get("/v1/datasets/No%20Name").await.expect_problem(404, "not_found");
    let held = [
        json!({ "name": "jobs", "scopes": ["jobs:read"] }),
        json!({ "name": "elsewhere", "allowed_addresses": ["203.0.113.7"] }),
    ];
    for draft in held {
        let made = acme.developer.post("/v1/keys", draft).await.expect(201);
        let held = app.with_credential(made.text("/secret"));
        held.get(path).await.expect_problem(403, "forbidden");
    }

    acme.owner.delete(&format!("/v1/keys/{}", made.text("/id"))).await.expect(204);
    for client in [&laptop, &with_token] {
        client.get(path).await.expect_problem(401, "unauthenticated");
    }
    acme.owner.delete(&format!("/v1/users/{}", acme.developer_id)).await.expect(204);
    acme.developer.get(path).await.expect_problem(401, "unauthenticated");
    acme.viewer.get(path).await.expect(200);
}

#[actix_web::test]
async fn a_token_lasts_fifteen_minutes_and_cannot_renew_itself() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let with_token = app.with_credential(&token(&acme.developer).await);
    with_token.post("/v1/auth/token", json!({})).await.expect_problem(403, "forbidden");
    app.state.clock.advance(Duration::seconds(899));
    with_token.get("/v1/me").await.expect(200);
    app.state.clock.advance(Duration::seconds(1));
    let reply = with_token.get("/v1/me").await.expect_problem(401, "unauthenticated");
    assert!(reply.text("/detail").contains("expired"), "{reply:?}");
}

#[actix_web::test]
async fn forged_tokens_are_refused() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let real = token(&acme.owner).await;
    let [header, claims, signature] = real.split('.').collect::<Vec<_>>()[..] else {
        panic!("{real} has not three parts")
    };
    let read = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let write = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());

    let mut later = read(claims);
    later["exp"] = json!(99_999_999_999_i64);
    let mut unsigned = read(header);
    unsigned["alg"] = json!("none");
    // the public key, used as the secret of a symmetric signature
    let public = app.nobody().get("/.well-known/jwks.json").await.expect(200);
    let mut symmetric = Header::new(Algorithm::HS256);
    symmetric.kid = Some(public.text("/keys/0/kid").to_owned());
    let secret = EncodingKey::from_secret(public.text("/keys/0/x").as_bytes());
    let confused = jsonwebtoken::encode(&symmetric, &read(claims), &secret).unwrap();

    for forged in [
        format!("{header}.{}.{signature}", write(&later)),
        format!("{}.{claims}.", write(&unsigned)),
        format!("{}.{claims}.{signature}", write(&unsigned)),
        confused,
    ] {
        let reply = app.with_credential(&forged).get("/v1/me").await;
        reply.expect_problem(401, "unauthenticated");
    }
    app.with_credential(&real).get("/v1/me").await.expect(200);
}

#[actix_web::test]
async fn a_token_of_another_installation_is_refused() {
    let (here, there) = (TestApp::new().await, TestApp::new().await);
    let foreign = token(&there.tenant("acme").await.owner).await;
    here.with_credential(&foreign).get("/v1/me").await.expect_problem(401, "unauthenticated");
}

#[actix_web::test]
async fn the_published_keys_show_nothing_private() {
    let app = TestApp::new().await;
    let keys = app.nobody().get("/.well-known/jwks.json").await.expect(200);
    let key = keys.json["keys"][0].as_object().unwrap();
    let mut names: Vec<_> = key.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
}

#[actix_web::test]
async fn a_removed_person_is_locked_out_at_once() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let with_token = app.with_credential(&token(&acme.developer).await);
    acme.owner.delete(&format!("/v1/users/{}", acme.developer_id)).await.expect(204);
    acme.developer.get("/v1/me").await.expect_problem(401, "unauthenticated");
    with_token.get("/v1/me").await.expect_problem(401, "unauthenticated");
}
