//! The Open Inference Protocol: as Triton's client from PyPI speaks it, and what its users send wrongly. What the client
//! is asked to do and what it must find stands in `tests/clients/oip_infer.py`.

use std::{path::Path, process::Stdio};

use actix_web::test::TestRequest;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    models::published,
    support::{Client, Reply, TestApp, without_rates},
};

const INFER: &str = "/v2/models/acme/garden/infer";

#[actix_web::test]
async fn the_client_asks_and_is_answered() {
    let Some(python) = testkit::python_with_clients() else { return };
    let (app, acme, _) = published().await;
    let zeta = app.tenant("zeta").await;
    let served = app.served().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/oip_infer.py");
    let run = Command::new(python)
        .arg(Path::new(script))
        .env_clear()
        .env("SERVER", served.address.to_string())
        .env("OWNER", acme.developer.credential())
        .env("OTHER", zeta.developer.credential())
        .stdin(Stdio::null())
        .output();
    let output = run.await.expect("the script starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{errors}", String::from_utf8_lossy(&output.stdout));
    served.end().await;
}

fn input(name: &str, datatype: &str, data: Value) -> Value {
    let rows = data.as_array().map_or(0, Vec::len);
    json!({"name": name, "datatype": datatype, "shape": [rows], "data": data})
}

fn garden(colour: Value) -> Value {
    let rows = colour.as_array().map_or(0, Vec::len);
    json!({"inputs": [
        input("length", "INT32", json!(vec![5; rows])),
        input("width", "FP64", json!(vec![0.5; rows])),
        input("colour", "BYTES", colour),
    ]})
}

/// What it was refused with, in the protocol's shape.
async fn refused(client: &Client, body: Value, status: u16) -> String {
    wrong(client.post(INFER, body).await, status)
}

fn wrong(reply: Reply, status: u16) -> String {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let fields = reply.json.as_object().unwrap();
    assert_eq!(fields.len(), 1, "{reply:?}");
    reply.text("/error").to_owned()
}

#[actix_web::test]
async fn what_the_api_answers_is_answered_in_tensors() {
    let (_app, acme, _) = published().await;
    let row = json!({"row": {"length": 5, "width": 0.5, "colour": "red"}});
    let plain = acme.developer.post("/v1/models/acme/garden/predict", row).await.expect(200);
    let answer = acme.developer.post(INFER, garden(json!(["red", "red"]))).await.expect(200);
    assert_eq!((answer.text("/model_name"), answer.text("/model_version")), ("acme/garden", "1"));
    assert_eq!(answer.json["outputs"][0]["data"], json!(["rose", "rose"]));
    let probabilities = answer.json["outputs"][1]["data"].as_array().unwrap();
    let of_rose = plain.json["predictions"][0]["probabilities"]["rose"].as_f64().unwrap();
    assert!((probabilities[3].as_f64().unwrap() - of_rose).abs() < 1e-6, "{answer:?}");
    assert_eq!(answer.json["outputs"][1]["shape"], json!([2, 2]));
}

#[actix_web::test]
async fn what_is_wrong_is_said_where_the_client_looks_for_it() {
    let (app, acme, _) = published().await;
    let ask = async |body| refused(&acme.developer, body, 400).await;
    let mut missing = garden(json!(["red"]));
    missing["inputs"].as_array_mut().unwrap().remove(1);
    assert_eq!(
        ask(missing).await,
        "input `width` is missing; give it as FP64, a value for each row"
    );
    let mut extra = garden(json!(["red"]));
    extra["inputs"].as_array_mut().unwrap().push(input("age", "FP64", json!([1])));
    assert_eq!(ask(extra).await, "the model has no input `age`; it has length, width, colour");
    let mut uneven = garden(json!(["red"]));
    uneven["inputs"][1] = input("width", "FP64", json!([1, 2]));
    assert!(ask(uneven).await.contains("input `width` has 2 rows where others have 1"));
    let mut flood = garden(json!(["red"]));
    flood["inputs"][0] = input("length", "INT32", json!(vec![1; 10_001]));
    assert_eq!(ask(flood).await, "the inputs have 10001 rows; send from 1 to 10000 at once");
    assert!(ask(garden(json!([]))).await.contains("the inputs have 0 rows"));
    let mut unwanted = garden(json!(["red"]));
    unwanted["outputs"] = json!([{"name": "logits"}]);
    assert_eq!(
        ask(unwanted).await,
        "the answer has no output `logits`; it has label, probabilities"
    );

    // errors of the rows name the column and the row
    let mut wordy = garden(json!(["red", "blue"]));
    wordy["inputs"][0] = input("length", "BYTES", json!(["5", "long"]));
    let why = refused(&acme.developer, wordy, 422).await;
    assert!(why.contains("rows[1].length: "), "{why}");

    let nobody = app.nobody().post(INFER, json!({})).await;
    assert!(wrong(nobody, 401).contains("Authorization"));
    let nothing = acme.developer.post("/v2/models/acme/nothing/infer", json!({})).await;
    assert_eq!(wrong(nothing, 404), "there is no model `acme/nothing`");
    assert!(wrong(acme.developer.get("/v2/nothing").await, 404).contains("/v2/nothing"));
    assert!(wrong(acme.developer.get(INFER).await, 405).contains("it takes POST"));
    let length = TestRequest::post().uri(INFER).set_payload("{}");
    let length = length.insert_header(("inference-header-content-length", "3"));
    let why = wrong(acme.developer.send(length).await, 400);
    assert_eq!(why, "the JSON is said to have 3 bytes, and the body has 2");
    let packed = TestRequest::post().uri(INFER).insert_header(("content-encoding", "gzip"));
    wrong(acme.developer.send(packed.set_payload("{}")).await, 415);
}

#[actix_web::test]
async fn who_asks_too_often_is_told_in_the_same_words() {
    let app = TestApp::with(|config| {
        without_rates(config);
        config.rates.at_once = 0;
    })
    .await;
    let told = wrong(app.nobody().get("/v2/health/live").await, 503);
    assert!(told.contains("come again"), "{told}");
}
