//! What a tenant may download: to the last byte, and what it is told at the end of it.

use actix_web::{body::MessageBody, http::Method, test::TestRequest};
use chrono::TimeDelta;
use gateway::Egress;
use serde_json::json;
use store::{Service, Store};

use crate::support::{Client, Reply, TestApp, TestTenant};

const CONTENT: &str = "/v1/datasets/hundred/versions/1/content";

/// A tenant with a file of a hundred bytes, that may download two and a half of them in a month.
async fn prepared(app: &TestApp) -> TestTenant {
    let acme = app.tenant("acme").await;
    let path = "/v1/datasets/hundred/versions";
    acme.developer.upload(Method::POST, path, "text/csv", vec![b'a'; 100]).await.expect(201);
    limit(app, json!({ "max_egress_bytes": 250 })).await;
    acme
}

pub async fn limit(app: &TestApp, limits: serde_json::Value) {
    let change = json!({ "limits": limits });
    let changed = app.operator().await.patch("/v1/tenants/acme", change).await.expect(200);
    for (name, value) in limits.as_object().unwrap() {
        assert_eq!(&changed.json["limits"][name], value);
    }
}

async fn part(client: &Client, range: &str) -> Reply {
    client.send(TestRequest::get().uri(CONTENT).insert_header(("range", range))).await
}

#[actix_web::test]
async fn downloads_end_at_the_months_last_byte() {
    let app = TestApp::new().await;
    let acme = prepared(&app).await;
    acme.developer.get(CONTENT).await.expect(200);
    acme.viewer.get(CONTENT).await.expect(200);
    let refused = acme.developer.get(CONTENT).await.expect_problem(429, "egress_exceeded");
    assert_eq!(
        refused.text("/detail"),
        "these 100 bytes, with the 200 that the tenant has downloaded this month, are more than the 250 that it \
         may (`max_egress_bytes`); come again from 2026-02-01T00:00:00Z on, or ask the operator for more"
    );
    let until_february = TimeDelta::days(31).num_seconds() + 1;
    assert_eq!(refused.header("retry-after"), Some(until_february.to_string().as_str()));
    // what is left may be had, and what the client has already costs nothing
    let half = part(&acme.developer, "bytes=0-49").await.expect(206);
    assert_eq!(half.bytes.len(), 50);
    part(&acme.developer, "bytes=0-0").await.expect_problem(429, "egress_exceeded");
    let etag = half.header("etag").unwrap().to_owned();
    let again = TestRequest::get().uri(CONTENT).insert_header(("if-none-match", etag));
    acme.developer.send(again).await.expect(304);

    // the same once it has been written; in February it begins anew
    app.state.egress.write(&app.state.store).await.unwrap();
    part(&acme.developer, "bytes=0-0").await.expect_problem(429, "egress_exceeded");
    let january = json!({ "bytes": 250, "limit": 250, "resets_at": "2026-02-01T00:00:00Z" });
    let usage = "/v1/usage?from=2026-01-01T00:00:00Z&until=2026-01-01T01:00:00Z";
    let seen = acme.viewer.get(usage).await.expect(200);
    assert_eq!(
        (&seen.json["egress_bytes"], &seen.json["egress_this_month"]),
        (&json!(250), &january)
    );
    app.state.clock.advance(TimeDelta::days(31));
    acme.developer.get(CONTENT).await.expect(200);
    let seen = acme.viewer.get("/v1/usage").await.expect(200);
    assert_eq!(seen.json["egress_this_month"]["resets_at"], "2026-03-01T00:00:00Z");
}

#[actix_web::test]
async fn who_breaks_off_is_counted_for_what_was_sent() {
    let app = TestApp::new().await;
    let acme = prepared(&app).await;
    for _ in 0..3 {
        // nothing has been read of it
        let begun = acme.developer.open(TestRequest::get().uri(CONTENT)).await;
        assert_eq!(begun.status(), 200);
        drop(begun);
    }
    let mut counted = acme.developer.open(TestRequest::get().uri(CONTENT)).await.into_body();
    let two = acme.developer.open(TestRequest::get().uri(CONTENT)).await.into_body();
    // both are counted whole from their beginning on
    part(&acme.developer, "bytes=0-50").await.expect_problem(429, "egress_exceeded");
    let first = std::future::poll_fn(|cx| std::pin::Pin::new(&mut counted).poll_next(cx)).await;
    assert_eq!(first.unwrap().unwrap().len(), 100);
    drop(counted);
    drop(two);
    app.state.egress.write(&app.state.store).await.unwrap();
    let seen = acme.viewer.get("/v1/usage").await.expect(200);
    assert_eq!(seen.json["egress_this_month"]["bytes"], 100);
}

#[actix_web::test]
async fn another_gateways_downloads_count_once_they_are_written() {
    let app = TestApp::new().await;
    let acme = prepared(&app).await;
    acme.developer.get(CONTENT).await.expect(200);
    // a database that is away takes nothing, and loses nothing
    let nowhere =
        Store::connect("postgres://nobody@127.0.0.1:1/none", 1, Service::Gateway).unwrap();
    app.state.egress.write(&nowhere).await.unwrap_err();
    acme.developer.get(CONTENT).await.expect(200);
    acme.developer.get(CONTENT).await.expect_problem(429, "egress_exceeded");
    for _ in 0..2 {
        app.state.egress.write(&app.state.store).await.unwrap();
    }
    // a process that has counted nothing itself
    Egress::default().write(&app.state.store).await.unwrap();
    let seen = acme.viewer.get("/v1/usage").await.expect(200);
    assert_eq!(seen.json["egress_this_month"]["bytes"], 200);
}
