//! A gateway that has serving replicas answers as one that has none.

use actix_web::test::TestRequest;
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    hand::{Hand, flowers, push},
    models::{published, train},
    predictions::speaking,
    support::{Client, TestApp},
};

const GARDEN: &str = "/v1/models/acme/garden/predict";
const PARROT: &str = "/v1/models/acme/parrot/predict";

fn row(length: f64) -> Value {
    json!({"length": length, "width": 0.1 + 0.2, "colour": "red"})
}

/// Status and body of each; of a stream its text.
async fn answers(client: &Client, questions: &[(&str, Value)]) -> Vec<(u16, String)> {
    let mut answers = vec![];
    for (path, body) in questions {
        let reply = client.send(TestRequest::post().uri(path).set_json(body)).await;
        answers.push((reply.status, String::from_utf8(reply.bytes.to_vec()).unwrap()));
    }
    answers
}

#[actix_web::test]
async fn answers_and_errors_are_those_of_the_gateway_itself() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    for epochs in [1, 40] {
        train(&hand, &acme, epochs).await;
    }
    let mut rows: Vec<Value> = (0..600).map(|n| row(f64::from(n) / 7.0)).collect();
    let many = json!({ "rows": rows });
    rows[400] = json!({"length": [1], "width": true});
    let column = |name: &str, data: Value| json!({"name": name, "datatype": "FP64", "shape": [2], "data": data});
    let colour =
        json!({"name": "colour", "datatype": "BYTES", "shape": [2], "data": ["red", "blue"]});
    let inputs = json!([
        column("length", json!([5.1, 1.0 / 3.0])),
        column("width", json!([0.3, 2])),
        colour
    ]);
    let damaged = format!("{GARDEN}?version=1");
    let questions = [
        (GARDEN, json!({"row": row(5.0)})),
        (GARDEN, json!({"row": row(5.0), "top_k": 1})),
        (GARDEN, many),
        (GARDEN, json!({ "rows": rows })),
        (GARDEN, json!({"row": {}})),
        ("/v2/models/acme/garden/infer", json!({ "inputs": inputs })),
        (&*damaged, json!({"row": row(5.0)})),
    ];
    let version = acme.developer.get("/v1/models/acme/garden/versions/1").await.expect(200);
    let weights = version.json["files"].as_array().unwrap().iter();
    let weights = weights.filter(|file| file["name"] == "model.safetensors");
    let weights = weights.map(|file| file["sha256"].as_str().unwrap()).next().unwrap();
    app.damage(weights);
    let alone = answers(&acme.developer, &questions).await;
    let statuses: Vec<_> = alone.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 200, 200, 422, 422, 200, 500]);

    let replica = app.replica().await;
    let before = requests(&app.state.predictor.measured(), "answered");
    assert_eq!(answers(&acme.developer, &questions).await, alone);
    assert_eq!(requests(&app.state.predictor.measured(), "answered"), before, "of its own");
    let counts = replica.predictor.loaded()[0].stats.counts();
    // and some of those that came beside a wrong one
    assert!(counts.callers["acme"].rows >= 1 + 1 + 600 + 2, "{counts:?}");
}

/// What the gateway's own predictor has answered.
fn requests(metrics: &str, outcome: &str) -> Vec<String> {
    let ours = |line: &&str| line.starts_with("predict_requests_total") && line.contains(outcome);
    metrics.lines().filter(ours).map(str::to_owned).collect()
}

#[actix_web::test]
async fn texts_come_through_piece_by_piece() {
    let app = TestApp::new().await;
    let acme = speaking(&app).await;
    let row = json!({"prompt": "hello wor", "max_tokens": 30, "temperature": 0.7});
    let questions = [
        (PARROT, json!({"row": row, "stream": true})),
        (PARROT, json!({ "row": row })),
        (PARROT, json!({"row": {"prompt": "", "max_tokens": 0}, "stream": true})),
    ];
    let alone = answers(&acme.developer, &questions).await;
    assert_eq!(alone.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [200, 200, 422]);
    assert!(alone[0].1.matches("data: ").count() > 10, "{}", alone[0].1);
    let replica = app.replica().await;
    assert_eq!(answers(&acme.developer, &questions).await, alone);
    assert_eq!(replica.predictor.loaded()[0].stats.counts().answered.count, 2);
}

#[actix_web::test]
async fn who_leaves_in_the_middle_of_a_text_ends_it_there_too() {
    let app = TestApp::new().await;
    let acme = speaking(&app).await;
    let replica = app.replica().await;
    let row = json!({"prompt": "hello", "max_tokens": 4096, "temperature": 0});
    let leave = |_| async {
        let asked = TestRequest::post().uri(PARROT).set_json(json!({"row": row, "stream": true}));
        let answer = acme.developer.open(asked).await;
        assert_eq!(answer.status().as_u16(), 200);
    };
    // one thread generates: each has its turn in time because those before it have ended
    join_all((0..40).map(leave)).await;
    let next = json!({"row": {"prompt": "hello", "max_tokens": 2}});
    acme.developer.post(PARROT, next).await.expect(200);
    assert_eq!(replica.predictor.loaded()[0].stats.counts().answered.count, 41);
}

#[actix_web::test]
async fn what_it_has_done_is_told_and_metered_where_it_is_asked() {
    let (app, acme, _) = published().await;
    let replica = app.replica().await;
    acme.developer.post(GARDEN, json!({"rows": [row(1.0), row(2.0)]})).await.expect(200);
    let stats = acme.developer.get("/v2/models/acme/garden/stats").await.expect(200);
    assert_eq!(stats.json["model_stats"][0]["inference_count"], 2);
    assert!(app.state.predictor.loaded().is_empty(), "the gateway has no model of its own");
    let metrics = app.nobody().get("/metrics").await.expect(200);
    let metrics = String::from_utf8(metrics.bytes.to_vec()).unwrap();
    let line = format!(
        r#"serving_replica_requests_total{{replica="http://{}",outcome="answered"}} 2"#,
        replica.address
    );
    assert!(metrics.contains(&line), "{metrics}");
    let now = app.state.clock.now();
    app.state.metered.write(&app.state.store, now).await.unwrap();
    app.state.clock.advance(TimeDelta::seconds(1));
    let usage = acme.viewer.get("/v1/usage").await.expect(200);
    assert_eq!(usage.json["predictions"]["rows"], 2);
}

#[actix_web::test]
async fn an_endpoints_versions_are_loaded_where_they_are_asked() {
    let (app, acme, _) = published().await;
    let replica = app.replica().await;
    let traffic = json!([{"model": "acme/garden", "version": "1", "weight": 1}]);
    let endpoint = TestRequest::put().uri("/v1/endpoints/live");
    let endpoint = endpoint.set_json(json!({"traffic": traffic, "keep_warm": true}));
    acme.developer.send(endpoint).await.expect(200);
    assert_eq!(replica.predictor.loaded().len(), 1);
    assert!(app.state.predictor.loaded().is_empty());
}

#[actix_web::test]
async fn strangers_are_refused() {
    let app = TestApp::new().await;
    let replica = app.replica().await;
    let status = async |path: &str, credential: &str| {
        let mut socket = TcpStream::connect(replica.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: replica\r\nConnection: close\r\n{credential}Content-Length: 0\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    let wrong = format!("Authorization: Bearer {}\r\n", "0".repeat(64));
    for path in ["predict", "generate", "warm", "counts", "anything"] {
        let path = format!("/serving/{path}");
        assert_eq!(status(&path, "").await, 401, "{path}");
        assert_eq!(status(&path, &wrong).await, 401, "{path}");
    }
    assert_eq!(status("/other", "").await, 404);
}
