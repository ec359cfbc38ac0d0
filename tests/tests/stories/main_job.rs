//! The main job: data in, a prediction out.

use std::env;

use domain::Digest;
use e2e::{Client, Platform, breast_cancer};
use serde_json::{Map, Value, json};

use crate::outcome::published;

const MIN_VAL_ACCURACY: f64 = 0.9;

#[tokio::test]
async fn data_becomes_a_model_that_answers() {
    // as in an installation with several gateways, where there is a Redis
    let platform = Platform::start_with(env::var(testkit::REDIS_VARIABLE).ok()).await;
    let client = platform.operator.tenant("acme").await;
    let (csv, draft) = breast_cancer();

    let version = client.push_csv("breast-cancer", &csv).await;
    assert_eq!(version["version"], 1);
    assert_eq!(version["sha256"], Digest::of(csv.as_bytes()).to_string().as_str());
    let profile = &version["profile"];
    assert_eq!((&profile["rows"], &profile["duplicate_rows"]), (&json!(569), &json!(0)));
    assert_eq!(profile["columns"].as_array().unwrap().len(), 32);
    let target = &profile["columns"][1];
    assert_eq!(target["values"][0], json!({"value": "B", "rows": 357}));

    let job = client.submit(&draft).await;
    published(&client, &job).await;
    told_in_order(&client, &job).await;
    let view = client.job(&job).await;
    assert_eq!(
        (&view["attempt"], &view["tries"], &view["cause"]),
        (&json!(1), &json!(0), &Value::Null)
    );
    assert_eq!(view["spec"]["task"], "binary_classification");
    assert_eq!(view["progress"]["step"], view["progress"]["total_steps"]);
    let logs = client.get(&format!("/v1/jobs/{job}/logs")).await.ok();
    assert!(!logs["items"].as_array().unwrap().is_empty());

    let url = view["published"]["url"].as_str().unwrap();
    let model = client.get(url).await.ok();
    let accuracy = model["metrics"]["val_accuracy"].as_f64().unwrap();
    assert!(accuracy >= MIN_VAL_ACCURACY, "{model}");
    let trained_on = json!({"dataset": "breast-cancer", "version": 1, "sha256": version["sha256"]});
    assert_eq!((&model["trained_on"], &model["job"]), (&trained_on, &json!(job)));
    assert_eq!(model["spec"], view["spec"]);
    answers(&client, &csv).await;
}

async fn told_in_order(client: &Client, job: &str) {
    let events = client.events(job).await;
    let mut kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    kinds.retain(|kind| *kind != "checkpoint");
    let mut expected = vec!["queued", "starting", "running", "training"];
    expected.extend(["epoch"; 15]);
    expected.push("succeeded");
    assert_eq!(kinds, expected);
    let metrics = client.metrics(job).await;
    for name in ["loss", "val_loss", "accuracy", "val_accuracy"] {
        assert!(metrics.contains(name), "{name} is missing in {metrics:?}");
        let epochs = events.iter().filter(|event| event.data["metrics"][name].is_number());
        assert_eq!(epochs.count(), 15, "{name}");
    }
}

/// Of the first rows of the file, most must be recognised.
async fn answers(client: &Client, csv: &str) {
    let mut lines = csv.lines();
    let header: Vec<_> = lines.next().unwrap().split(',').collect();
    let mut right = 0;
    for line in lines.take(10) {
        let cells: Vec<_> = line.split(',').collect();
        let row: Map<String, Value> = header
            .iter()
            .zip(&cells)
            .filter(|(name, _)| **name != "diagnosis" && **name != "id")
            .map(|(name, cell)| ((*name).to_owned(), json!(cell.parse::<f64>().unwrap())))
            .collect();
        let answer = client.predict("breast-cancer", &Value::Object(row)).await;
        let sum: f64 =
            answer["probabilities"].as_object().unwrap().values().filter_map(Value::as_f64).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{answer}");
        right += usize::from(answer["class"] == cells[1]);
    }
    assert!(right >= 8, "{right} of 10");
}
