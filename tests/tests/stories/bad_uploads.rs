//! Files that cannot be used: the upload is kept, and whoever asks is told what is wrong with it.

use std::io::Write;

use e2e::{Client, Platform};
use flate2::{Compression, write::GzEncoder};
use reqwest::StatusCode;
use serde_json::json;

use crate::outcome::published;

fn truncated_gzip() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    writeln!(encoder, "x,y").unwrap();
    for n in 0..5_000_u32 {
        writeln!(encoder, "{n},{}", n.wrapping_mul(2_654_435_761)).unwrap();
    }
    let mut whole = encoder.finish().unwrap();
    whole.truncate(whole.len() / 2);
    whole
}

fn large_cell() -> Vec<u8> {
    let mut csv = b"x,y\n1,2\n".to_vec();
    csv.resize(csv.len() + (10 << 20), b'a');
    csv.extend(b",3\n");
    csv
}

/// The version's profile names the cause, a submission repeats it, and the bytes are still there.
async fn is_refused(client: &Client, dataset: &str, bytes: Vec<u8>, cause: &str) {
    let version = client.push(dataset, bytes.clone()).await;
    assert_eq!(version["profile"]["state"], "invalid", "{version}");
    assert_eq!(version["profile"]["cause"]["code"], cause, "{version}");
    let message = version["profile"]["cause"]["message"].as_str().unwrap();
    let refused = client.post("/v1/jobs", &json!({"dataset": dataset, "target": "y"})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["code"], "dataset_invalid");
    assert_eq!(refused.body["errors"][0]["field"], "dataset");
    assert!(refused.body["detail"].as_str().unwrap().contains(message), "{}", refused.body);
    let content = format!("/v1/datasets/{dataset}/versions/1/content");
    assert!(client.download(&content).await == bytes, "the bytes of {dataset} changed");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_kept_and_its_cause_told() {
    let platform = Platform::start().await;
    let client = platform.operator.tenant("acme").await;
    let cases = [
        ("ragged", b"x,y\n1,2\n1,2,3\n4,5\n".to_vec(), "ragged_row"),
        ("latin1", b"x,y\n1,caf\xe9\n".to_vec(), "invalid_utf8"),
        ("large-cell", large_cell(), "cell_too_large"),
        ("header-only", b"x,y\n".to_vec(), "no_rows"),
        ("cut", truncated_gzip(), "truncated_file"),
    ];
    for (dataset, bytes, cause) in cases {
        is_refused(&client, dataset, bytes, cause).await;
    }
}

/// The file can be read, and used without the column.
#[tokio::test]
async fn infinite_values_are_told_by_column() {
    let platform = Platform::start().await;
    let client = platform.operator.tenant("acme").await;
    let mut csv = "x,z,y\n".to_owned();
    for n in 0..20_u32 {
        let x = if n == 7 { "inf".to_owned() } else { n.to_string() };
        csv.push_str(&format!("{x},{},{}\n", n % 3, if n % 2 == 0 { "a" } else { "b" }));
    }
    let version = client.push_csv("heights", &csv).await;
    assert_eq!(version["profile"]["columns"][0]["infinite"], 1);
    let mut draft = json!({"dataset": "heights", "target": "y", "epochs": 1, "batch_size": 4, "features": ["x", "z"]});
    let refused = client.post("/v1/jobs", &draft).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    let errors = refused.body["errors"].to_string();
    assert!(errors.contains("`x`") && errors.contains("inf"), "{errors}");
    draft["features"] = json!(["z"]);
    published(&client, &client.submit(&draft).await).await;
}
