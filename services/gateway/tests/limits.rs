//! How often and how slowly one may ask.

use std::{num::NonZeroU32, time::Duration};

use actix_web::{
    FromRequest,
    dev::Payload,
    error::PayloadError,
    test::TestRequest,
    web::{self, Bytes},
};
use boot::rates::Rate;
use futures::{
    StreamExt,
    future::{Either, select},
    stream,
};
use gateway::{Body, Code};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Client, PASSWORD, Reply, TestApp};

fn rate(holds: u32) -> Rate {
    Rate::new(NonZeroU32::new(holds).unwrap(), Duration::from_secs(10))
}

async fn from(client: &Client, address: &str, path: &str) -> Reply {
    let peer = format!("{address}:5000").parse().unwrap();
    client.send(TestRequest::get().uri(path).peer_addr(peer)).await
}

#[actix_web::test]
async fn an_address_has_so_many_requests_and_hears_when_to_come_again() {
    let app = TestApp::with(|config| config.rates.address = rate(2)).await;
    let nobody = app.nobody();
    let ask = async |address: &str| from(&nobody, address, "/.well-known/jwks.json").await;
    let first = ask("203.0.113.7").await.expect(200);
    assert_eq!(first.header("ratelimit-policy"), Some(r#""address";q=2;w=20"#));
    assert_eq!(first.header("ratelimit"), Some(r#""address";r=1;t=10"#));
    ask("203.0.113.7").await.expect(200);
    let refused = ask("203.0.113.7").await.expect_problem(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("10"));
    assert!(refused.text("/detail").contains("from this address"), "{refused:?}");
    ask("203.0.113.8").await.expect(200);
    // who looks after this machine is never told to come again
    for _ in 0..3 {
        from(&nobody, "203.0.113.7", "/readyz").await.expect(200);
    }
    app.state.clock.advance(chrono::Duration::seconds(10));
    ask("203.0.113.7").await.expect(200);
}

#[actix_web::test]
async fn a_key_has_its_own_requests_and_its_tenant_all_together() {
    let app = TestApp::with(|config| {
        config.rates.credential = rate(10);
        config.rates.tenant = rate(12);
    })
    .await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    // which has taken some
    app.state.clock.advance(chrono::Duration::hours(1));
    let mut left = Vec::new();
    for _ in 0..10 {
        let reply = acme.developer.get("/v1/me").await.expect(200);
        left.push(reply.header("ratelimit").unwrap().to_owned());
    }
    assert_eq!(left[8..], [r#""key";r=1;t=90"#, r#""key";r=0;t=100"#]);
    let refused = acme.developer.get("/v1/me").await.expect_problem(429, "rate_limited");
    assert!(refused.text("/detail").contains("by this API key"), "{refused:?}");
    acme.owner.get("/v1/me").await.expect(200);
    acme.owner.get("/v1/me").await.expect(200);
    let refused = acme.owner.get("/v1/me").await.expect_problem(429, "rate_limited");
    assert!(refused.text("/detail").contains("of this tenant"), "{refused:?}");
    globex.owner.get("/v1/me").await.expect(200);
}

/// A body that nobody read would end the connection.
#[actix_web::test]
async fn who_is_refused_asks_again_by_the_same_connection() {
    let app = TestApp::new().await;
    let served = app.served().await;
    let mut connection = TcpStream::connect(served.address).await.unwrap();
    for key in ["nobody", &"x".repeat(40)] {
        let body = json!({"row": {"text": "x".repeat(15_000)}}).to_string();
        let request = format!(
            "POST /v1/models/acme/flowers/predict HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0, "it hung up");
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    drop(connection);
    served.end().await;
}

#[actix_web::test]
async fn guesses_at_a_password_become_slow() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let guess = async |email: &str, password: &str, address: &str| {
        let ask = TestRequest::post().uri("/v1/auth/sign-in");
        let ask = ask.peer_addr(format!("{address}:5000").parse().unwrap());
        app.nobody().send(ask.set_json(json!({ "email": email, "password": password }))).await
    };
    let owner = "owner@acme.example";
    for _ in 0..10 {
        guess(owner, "wrong", "203.0.113.7").await.expect_problem(401, "unauthenticated");
    }
    // the right one does not count either, or a guess would show itself
    let refused = guess(owner, PASSWORD, "203.0.113.7").await;
    let refused = refused.expect_problem(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("30"));
    // she is not locked out by somebody elsewhere, nor is her neighbour
    guess(owner, PASSWORD, "198.51.100.2").await.expect(200);
    guess("admin@acme.example", PASSWORD, "203.0.113.7").await.expect(200);
    app.state.clock.advance(chrono::Duration::seconds(30));
    guess(owner, PASSWORD, "203.0.113.7").await.expect(200);
    // many addresses together do not get further
    let mut refused = 0;
    for n in 0..40 {
        refused += u32::from(guess(owner, "wrong", &format!("192.0.2.{n}")).await.status == 429);
    }
    assert!(refused >= 8, "{refused}");
}

#[actix_web::test]
async fn a_process_answers_so_many_at_once() {
    let app = TestApp::with(|config| config.rates.at_once = 0).await;
    let refused = app.nobody().get("/v1/me").await.expect_problem(503, "unavailable");
    assert_eq!(refused.header("retry-after"), Some("1"));
    app.nobody().get("/healthz").await.expect(200);
}

#[actix_web::test]
async fn a_tenant_has_so_many_answered_at_once_and_no_others_wait_for_it() {
    let app = TestApp::with(|config| config.rates.tenant_at_once = 1).await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let mut hints = app.state.bus.subscribe();
    let push = TestRequest::post()
        .uri("/v1/datasets/flowers/versions")
        .insert_header(("content-type", "text/csv"))
        // nobody makes the profile
        .insert_header(("prefer", "wait=60"))
        .set_payload("a,b\n1,2\n");
    let pushing = Box::pin(acme.developer.send(push));
    let Either::Left((_, pushing)) = select(Box::pin(hints.recv()), pushing).await else {
        panic!("it waits for the profile")
    };
    let refused = acme.viewer.get("/v1/me").await.expect_problem(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(
        refused.text("/detail"),
        "as many requests of this tenant are being answered as may be at once, 1; come again in a moment"
    );
    globex.viewer.get("/v1/me").await.expect(200);
    drop(pushing);
    acme.viewer.get("/v1/me").await.expect(200);
}

/// Some bytes, and then a silence without an end.
fn stalling() -> Payload {
    let start = stream::iter([Ok::<_, PayloadError>(Bytes::from_static(b"{\"a\": "))]);
    Payload::Stream { payload: start.chain(stream::pending()).boxed_local() }
}

#[actix_web::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let app = TestApp::with(|config| config.body_within = Duration::from_millis(20)).await;
    let request = TestRequest::post()
        .insert_header(("content-type", "application/json"))
        .app_data(app.state.clone())
        .to_http_request();
    let error = Body::<Value>::from_request(&request, &mut stalling()).await.unwrap_err();
    assert_eq!((error.code, error.code.status().as_u16()), (Code::TooSlow, 408));

    let payload = web::Payload::from_request(&request, &mut stalling()).await.unwrap();
    let mut upload = gateway::in_time(payload, app.state.config.body_within);
    assert!(upload.next().await.unwrap().is_ok());
    let error = upload.next().await.unwrap().unwrap_err();
    assert!(matches!(error, PayloadError::Io(_)), "{error:?}");
}
