//! What no row names goes, after it has lain aside; what a row names by then is put back.

use std::time::Duration;

use actix_web::web::Bytes;
use domain::{Digest, TenantId, Timestamp};
use registry::Cleared;
use serde_json::json;

use crate::{
    hand::digest,
    models::published,
    support::{TestApp, TestTenant},
};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const HOUR: Duration = Duration::from_secs(3_600);

/// Long after whatever a test stores.
fn later() -> Timestamp {
    "2126-01-01T00:00:00Z".parse().unwrap()
}

async fn clear(app: &TestApp, tenant: TenantId, at: Timestamp) -> Cleared {
    app.state.blobs.clear(&app.state.store, tenant, at, DAY).await.unwrap()
}

/// Of acme.
async fn id(app: &TestApp) -> TenantId {
    let mut tx = app.state.store.begin().await.unwrap();
    let tenant = store::tenants::by_slug(&mut tx, "acme").await.unwrap();
    tenant.expect("it is there").id
}

async fn orphan(app: &TestApp, tenant: TenantId, content: &'static str) -> Digest {
    let content = Bytes::from_static(content.as_bytes());
    app.state.blobs.put_bytes(tenant, content).await.unwrap().sha256
}

async fn commit(tenant: &TestTenant, repository: &str, content: &str) {
    let body = format!(
        "{}\n{}\n",
        json!({"key": "header", "value": {"summary": "more"}}),
        json!({"key": "file", "value": {"path": "notes.txt", "content": content}}),
    );
    let request = actix_web::test::TestRequest::post()
        .uri(&format!("/hub/api/models/acme/{repository}/commit/main"))
        .insert_header(("content-type", "application/x-ndjson"))
        .set_payload(body);
    tenant.developer.send(request).await.expect(200);
}

#[actix_web::test]
async fn what_nobody_names_is_set_aside_and_then_deleted_and_nothing_else_is_touched() {
    let (app, acme, _) = published().await;
    let (tenant, blobs) = (id(&app).await, &app.state.blobs);
    let nobodys = orphan(&app, tenant, "refused").await;
    // what has just come may be named in a moment
    let soon = app.state.clock.now() + HOUR;
    assert_eq!(clear(&app, tenant, soon).await, Cleared::default());
    let set_aside = Cleared { set_aside: 1, ..Cleared::default() };
    assert_eq!(clear(&app, tenant, later()).await, set_aside);
    assert_eq!(clear(&app, tenant, later() + 23 * HOUR).await, Cleared::default());
    // whoever has found it there still reads it
    assert_eq!(blobs.read_whole(tenant, nobodys).await.unwrap(), Bytes::from("refused"));
    let deleted = clear(&app, tenant, later() + DAY).await;
    assert_eq!((deleted.deleted, deleted.put_back), (1, 0));
    assert!(deleted.deleted_bytes >= 7, "{deleted:?}");
    blobs.read_whole(tenant, nobodys).await.unwrap_err();
    let version = acme.viewer.get("/v1/models/acme/garden/versions/1").await.expect(200);
    for file in version.json["files"].as_array().unwrap() {
        let got = acme.viewer.get(file["url"].as_str().unwrap()).await.expect(200);
        assert_eq!(digest(&got.bytes), file["sha256"]);
    }
    let data = acme.viewer.get("/v1/datasets/flowers/versions/1").await.expect(200);
    let data = data.text("/sha256").parse().unwrap();
    blobs.read_whole(tenant, data).await.unwrap();
}

#[actix_web::test]
async fn a_deleted_versions_files_go_but_for_those_that_another_has() {
    let (app, acme, _) = published().await;
    let tenant = id(&app).await;
    let path = "/v1/models/acme/garden/versions/1";
    acme.developer.post(&format!("{path}/fork"), json!({"name": "meadow"})).await.expect(201);
    let forked = acme.viewer.get("/v1/models/acme/meadow/versions/1").await.expect(200);
    acme.owner.delete(path).await.expect(204);
    assert_eq!(clear(&app, tenant, later()).await, Cleared::default());
    acme.owner.delete("/v1/models/acme/meadow/versions/1").await.expect(204);
    let files = forked.json["files"].as_array().unwrap().len() as u64;
    assert_eq!(clear(&app, tenant, later()).await.set_aside, files);
    assert_eq!(clear(&app, tenant, later() + DAY).await.deleted, files);
}

#[actix_web::test]
async fn what_is_named_after_all_is_put_back() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let tenant = id(&app).await;
    acme.developer.post("/v1/models", json!({"name": "notes"})).await.expect(201);
    let found = orphan(&app, tenant, "hello").await;
    assert_eq!(clear(&app, tenant, later()).await.set_aside, 1);
    // stored again while it lies aside, and named
    commit(&acme, "notes", "hello").await;
    let read = acme.viewer.get("/hub/acme/notes/resolve/main/notes.txt").await.expect(200);
    assert_eq!(digest(&read.bytes), found.to_string());
    let done = clear(&app, tenant, later() + DAY).await;
    assert_eq!((done.put_back, done.deleted), (1, 0));
    assert_eq!(clear(&app, tenant, later() + 2 * DAY).await, Cleared::default());
    acme.viewer.get("/hub/acme/notes/resolve/main/notes.txt").await.expect(200);
}

#[actix_web::test]
async fn whoever_publishes_while_it_is_cleared_loses_nothing() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let tenant = id(&app).await;
    let blobs = &app.state.blobs;
    let names: Vec<String> = (0..8).map(|n| format!("notes{}", (b'p' + n) as char)).collect();
    for name in &names {
        acme.developer.post("/v1/models", json!({"name": name})).await.expect(201);
    }
    let shared = orphan(&app, tenant, "hello").await;
    let passes = async {
        for hour in 0..12_u32 {
            clear(&app, tenant, later() + hour * HOUR).await;
        }
    };
    let publish = async |name: &String| commit(&acme, name, "hello").await;
    let publishes = futures::future::join_all(names.iter().map(publish));
    futures::future::join(passes, publishes).await;
    assert_eq!(blobs.read_whole(tenant, shared).await.unwrap(), Bytes::from("hello"));
    for day in 1..4_u32 {
        clear(&app, tenant, later() + day * DAY).await;
        assert_eq!(blobs.read_whole(tenant, shared).await.unwrap(), Bytes::from("hello"));
    }
    for name in &names {
        acme.viewer.get(&format!("/hub/acme/{name}/resolve/main/notes.txt")).await.expect(200);
    }
}
