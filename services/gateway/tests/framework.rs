//! What the framework itself would refuse: every refusal is a problem that says what would be right.

use actix_web::{http::Method, test::TestRequest};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Client, Reply, Served, TestApp};

async fn post_text(client: &Client, text: impl Into<Vec<u8>>) -> Reply {
    client.upload(Method::POST, "/v1/tenants", "application/json", text.into()).await
}

#[actix_web::test]
async fn what_is_not_json_is_refused_with_the_place() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let deep = format!("{{\"slug\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, says) in [
        ("".as_bytes().to_vec(), "EOF"),
        ("{\"slug\": ".into(), "EOF"),
        ("{'slug': 1}".into(), "line 1"),
        ("{\"slug\": NaN}".into(), "line 1"),
        (b"{\"slug\": \"\xff\"}".to_vec(), "line 1"),
        (deep.into_bytes(), "recursion"),
    ] {
        let reply = post_text(&operator, body).await.expect_problem(400, "invalid_json");
        assert!(reply.text("/detail").contains(says), "{reply:?}");
    }
}

#[actix_web::test]
async fn json_of_another_shape_is_refused_with_the_field() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    let owner = json!({ "email": "ada@acme.example" });
    for (body, field, says) in [
        (json!([1, 2]), "body", "object"),
        (json!({ "slug": "acme", "name": "Acme" }), "owner", "missing field"),
        (json!({ "slug": 7, "name": "Acme", "owner": owner }), "slug", "expected a string"),
        (json!({ "slug": "a", "name": "A", "owner": {} }), "owner.email", "missing field"),
        (json!({ "slug": "a", "name": "A", "owner": { "mail": 1 } }), "owner.mail", "`email`"),
        (json!({ "slug": "a", "name": "A", "owner": owner, "x": 1 }), "x", "expected one of"),
    ] {
        let reply = operator.post("/v1/tenants", body).await;
        let reply = reply.expect_problem(422, "validation_failed");
        assert_eq!(reply.fields(), [field], "{reply:?}");
        assert!(reply.text("/errors/0/message").contains(says), "{reply:?}");
    }
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_refused_with_the_limit() {
    let app = TestApp::with(|config| config.max_json_bytes = 1_000).await;
    let body = json!({ "slug": "x".repeat(2_000) }).to_string();
    let reply = post_text(&app.operator().await, body).await;
    let reply = reply.expect_problem(413, "payload_too_large");
    assert!(reply.text("/detail").contains("1000"), "{reply:?}");
}

#[actix_web::test]
async fn another_content_type_is_refused_with_the_right_one() {
    let app = TestApp::new().await;
    let operator = app.operator().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let reply = operator.upload(Method::POST, "/v1/tenants", content_type, "{}").await;
        let reply = reply.expect_problem(415, "unsupported_media_type");
        assert!(reply.text("/detail").contains("application/json"), "{reply:?}");
    }
    let reply = operator.send(TestRequest::post().uri("/v1/tenants").set_payload("{}")).await;
    reply.expect_problem(415, "unsupported_media_type");
    let request = TestRequest::post().uri("/v1/tenants").set_json(json!({}));
    let reply = operator.send(request.insert_header(("content-encoding", "gzip"))).await;
    reply.expect_problem(415, "unsupported_media_type");
    let charset = "application/json; charset=utf-8";
    let reply = operator.upload(Method::POST, "/v1/tenants", charset, "{}").await;
    reply.expect_problem(422, "validation_failed");
}

#[actix_web::test]
async fn a_path_that_is_not_there_and_a_method_that_it_does_not_take() {
    let app = TestApp::new().await;
    for path in ["/", "/v1", "/v1/nothing", "/v1/tenants/a/b/c", "/v1/../etc/passwd", "/%00"] {
        app.nobody().get(path).await.expect_problem(404, "not_found");
    }
    for (method, path, allow) in [
        (Method::PUT, "/v1/tenants", "GET, POST"),
        (Method::PUT, "/v1/tenants/acme", "GET, PATCH, DELETE"),
        (Method::GET, "/v1/auth/token", "POST"),
        (Method::TRACE, "/healthz", "GET"),
    ] {
        let reply = app.nobody().send(TestRequest::default().method(method).uri(path)).await;
        let reply = reply.expect_problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{reply:?}");
    }
}

#[actix_web::test]
async fn an_id_of_another_kind_is_nothing() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    for id in ["7", "job_7", &acme.developer_id.to_string()] {
        let reply = acme.owner.delete(&format!("/v1/keys/{id}")).await;
        let reply = reply.expect_problem(404, "not_found");
        assert!(reply.text("/detail").contains("key_"), "{reply:?}");
    }
}

#[actix_web::test]
async fn a_query_parameter_that_cannot_be_read_is_named() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let reply = acme.owner.get("/v1/jobs?limit=many").await.expect_problem(400, "bad_request");
    assert_eq!(reply.fields(), ["limit"]);
    assert!(reply.text("/detail").contains("many"), "{reply:?}");
}

#[actix_web::test]
async fn health_and_readiness() {
    let app = TestApp::new().await;
    app.nobody().get("/healthz").await.expect(200);
    app.nobody().get("/readyz").await.expect(200);
    app.nobody().get("/metrics").await.expect(200);
    app.state.store.close().await;
    app.nobody().get("/healthz").await.expect(200);
    let reply = app.nobody().get("/readyz").await.expect_problem(503, "unavailable");
    assert!(reply.header("retry-after").is_some());
    // what it says to a client holds nothing of the database's own words
    let reply = app.with_credential("a.b.c").get("/v1/me").await;
    reply.expect_problem(401, "unauthenticated");
}

#[actix_web::test]
async fn without_the_database_requests_are_asked_to_come_back() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    app.state.store.close().await;
    let reply = acme.owner.get("/v1/users").await.expect_problem(503, "unavailable");
    assert_eq!(reply.header("retry-after"), Some("2"));
}

#[actix_web::test]
async fn requests_are_measured_by_route_and_status() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    acme.developer.get("/v1/keys").await.expect(200);
    app.nobody().get("/v1/keys").await.expect(401);
    app.nobody().get("/v1/nothing/at/all").await.expect(404);
    let metrics = app.nobody().get("/metrics").await.expect(200);
    let text = String::from_utf8_lossy(&metrics.bytes);
    for line in [
        r#"http_requests_total{method="GET",route="/v1/keys",status="200"} 1"#,
        r#"http_requests_total{method="GET",route="/v1/keys",status="401"} 1"#,
        r#"http_requests_total{method="GET",route="none",status="404"} 1"#,
        r#"http_request_duration_seconds_bucket{method="GET",route="/v1/keys",status="200",le="30"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[actix_web::test]
async fn it_serves_on_a_socket_and_leaves_when_asked() {
    let served = Served::start().await;
    let address = served.address;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /healthz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    served.end().await;
    TcpStream::connect(address).await.unwrap_err();
}
