//! What a tenant may store: what it sends is taken up to the last byte, and what its jobs have made is kept in any
//! case.

use actix_web::{http::Method, test::TestRequest};
use serde_json::json;
use store::{Service, storage};

use crate::{
    egress::limit,
    hand::{Hand, flowers, push},
    support::{Client, Reply, TestApp},
};

const REMEDY: &str = "delete versions of models, or results of jobs, that nobody needs, or ask the operator for more";

async fn send(client: &Client, bytes: usize) -> Reply {
    client.upload(Method::POST, "/v1/datasets/more/versions", "text/csv", vec![b'a'; bytes]).await
}

async fn commit(client: &Client, model: &str, path: &str, content: &str) -> Reply {
    let header = json!({ "key": "header", "value": { "summary": path } });
    let file = json!({ "key": "file", "value": { "path": path, "content": content } });
    let commit = TestRequest::post()
        .uri(&format!("/hub/api/models/acme/{model}/commit/main"))
        .insert_header(("content-type", "application/x-ndjson"))
        .set_payload(format!("{header}\n{file}\n"));
    client.send(commit).await
}

async fn batch(client: &Client, model: &str, bytes: u64) -> Reply {
    let object = json!({ "oid": "a".repeat(64), "size": bytes });
    let batch = TestRequest::post()
        .uri(&format!("/hub/acme/{model}.git/info/lfs/objects/batch"))
        .insert_header(("content-type", "application/vnd.git-lfs+json"))
        .set_payload(json!({ "objects": [object] }).to_string());
    client.send(batch).await.expect(200)
}

/// With `added`, where something was to be added.
fn beyond(added: &str, used: u64, limit: u64) -> String {
    format!(
        "with {added} the tenant's files would have {used} bytes of the {limit} that it may store \
         (`max_storage_bytes`); {REMEDY}"
    )
}

/// As the scheduler does once an hour.
async fn note(app: &TestApp) {
    let mut tx = app.state.store.acting_as(Service::Scheduler).begin().await.unwrap();
    storage::note(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

#[actix_web::test]
async fn what_a_job_has_trained_is_kept_and_then_nothing_more_is_taken() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let file = flowers(60);
    let data = file.len() as u64;
    hand.run(push(&acme.developer, "flowers", file).await).await;
    // the files do not fill it yet, and no model fits
    let most = data + 1;
    limit(&app, json!({ "max_storage_bytes": most })).await;
    let draft = json!({
        "dataset": "flowers", "target": "kind", "epochs": 1, "registered_model_name": "garden",
    });
    let job = acme.developer.post("/v1/jobs", draft.clone()).await.expect(202);
    let job = job.text("/id").to_owned();
    hand.run(job.parse().unwrap()).await;
    let done = acme.viewer.get(&format!("/v1/jobs/{job}")).await.expect(200);
    assert_eq!(
        (done.text("/status"), &done.json["published"]["version"]),
        ("succeeded", &json!(1))
    );
    // with its card, which it has once it has a manifest
    acme.viewer.get("/v1/models/acme/garden/versions/1/manifest").await.expect(200);
    let version = acme.viewer.get("/v1/models/acme/garden/versions/1").await.expect(200);
    let files = version.json["files"].as_array().unwrap();
    assert_eq!(files.len(), 5);
    let model: u64 = files.iter().map(|file| file["bytes"].as_u64().unwrap()).sum();
    let used = data + model;
    let weights = "/v1/models/acme/garden/versions/1/files/model.safetensors";
    acme.viewer.get(weights).await.expect(200);

    // whether the hour was noted before it or after it
    for _ in 0..2 {
        let refused = acme.developer.post("/v1/jobs", draft.clone()).await;
        assert_eq!(
            refused.expect_problem(403, "storage_full").text("/detail"),
            format!(
                "the tenant's files have {used} bytes of the {most} that it may store \
                 (`max_storage_bytes`), and no more jobs are taken; {REMEDY}"
            )
        );
        note(&app).await;
    }
    let refused = send(&acme.developer, 10).await.expect_problem(403, "storage_full");
    assert_eq!(refused.text("/detail"), beyond("this file", used + 10, most));
    let refused = commit(&acme.developer, "garden", "notes.txt", "seven..").await;
    let refused = refused.expect_problem(403, "storage_full");
    assert_eq!(refused.text("/detail"), beyond("this commit", used + 7, most));
    let version = "/v1/models/acme/garden/versions/1";
    let fork = json!({ "name": "meadow" });
    let refused = acme.developer.post(&format!("{version}/fork"), fork).await;
    let refused = refused.expect_problem(403, "storage_full");
    assert_eq!(refused.text("/detail"), beyond("this fork", used, most));
    acme.viewer.get("/v1/models/acme/meadow").await.expect_problem(404, "not_found");
    let again = acme.developer.post(&format!("{version}/reproduce"), json!({})).await;
    again.expect_problem(403, "storage_full");
    let large = batch(&acme.developer, "garden", 1_000).await;
    let told = &large.json["objects"][0];
    assert_eq!(
        (&told["error"]["code"], told["error"]["message"].as_str()),
        (&json!(403), Some(beyond("this file", used + 1_000, most).as_str()))
    );
    assert!(told.get("actions").is_none(), "nowhere to send it");
    let versions = acme.viewer.get("/v1/models/acme/garden/versions").await.expect(200);
    assert_eq!(versions.json["items"].as_array().unwrap().len(), 1);

    // what is deleted makes room
    acme.owner.delete("/v1/models/acme/garden/versions/1").await.expect(204);
    acme.developer.post("/v1/jobs", draft).await.expect(202);
    send(&acme.developer, 1).await.expect(201);
    send(&acme.developer, 2).await.expect_problem(403, "storage_full");
}

#[actix_web::test]
async fn what_several_versions_have_counts_once() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    acme.developer.post("/v1/models", json!({ "name": "notes" })).await.expect(201);
    limit(&app, json!({ "max_storage_bytes": 150 })).await;
    commit(&acme.developer, "notes", "a.txt", &"a".repeat(100)).await.expect(200);
    // the second has both files
    commit(&acme.developer, "notes", "b.txt", &"b".repeat(50)).await.expect(200);
    let second = acme.viewer.get("/v1/models/acme/notes/versions/2").await.expect(200);
    assert_eq!(second.json["files"].as_array().unwrap().len(), 2);
    let refused = commit(&acme.developer, "notes", "c.txt", "c").await;
    let refused = refused.expect_problem(403, "storage_full");
    assert_eq!(refused.text("/detail"), beyond("this commit", 151, 150));
    assert!(batch(&acme.developer, "notes", 1).await.json["objects"][0].get("error").is_some());
    note(&app).await;
    let usage = acme.viewer.get("/v1/usage?from=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z");
    let usage = usage.await;
    assert_eq!(usage.json["storage_byte_hours"], 150, "{}", usage.json);
}
