//! Files pushed in pieces: what has come stays, each piece counts once, and every way in which one can be wrong.

use std::time::Duration;

use actix_web::{http::Method, test::TestRequest};
use serde_json::{Value, json};

use crate::{
    egress::limit,
    hand::digest,
    support::{Client, Reply, TestApp},
};

/// The least that a piece may have, but for the last.
const MIB: usize = 1 << 20;

fn file(bytes: usize) -> Vec<u8> {
    b"n,m\n1,2\n".iter().copied().cycle().take(bytes).collect()
}

fn draft(bytes: usize) -> Value {
    json!({"dataset": "rows", "format": "csv", "bytes": bytes, "fingerprint": "rows.csv 1 2"})
}

async fn begun(client: &Client, bytes: usize) -> String {
    client.post("/v1/uploads", draft(bytes)).await.expect(201).text("/id").to_owned()
}

async fn send(client: &Client, id: &str, at: usize, piece: &[u8]) -> Reply {
    let request = TestRequest::patch()
        .uri(&format!("/v1/uploads/{id}"))
        .insert_header(("content-type", "application/octet-stream"))
        .insert_header(("upload-offset", at.to_string()))
        .set_payload(piece.to_vec());
    client.send(request).await
}

async fn finish(client: &Client, id: &str) -> Reply {
    client.post(&format!("/v1/uploads/{id}/version"), json!({})).await
}

/// Pieces that are stored for acme's uploads.
fn pieces(app: &TestApp) -> usize {
    app.count_stored("pieces")
}

#[actix_web::test]
async fn a_file_that_comes_in_pieces_is_a_version_as_if_it_had_come_at_once() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let file = file(2 * MIB + 10);
    let made = acme.developer.post("/v1/uploads", draft(file.len())).await.expect(201);
    let id = made.text("/id").to_owned();
    assert_eq!(made.header("location"), Some(format!("/v1/uploads/{id}").as_str()));
    assert_eq!((&made.json["received"], &made.json["compression"]), (&json!(0), &json!("none")));
    for (at, end) in [(0, MIB), (MIB, 2 * MIB), (2 * MIB, file.len())] {
        // whoever comes again with the same file is told how far it is
        let again = acme.owner.post("/v1/uploads", draft(file.len())).await.expect(200);
        assert_eq!((again.text("/id"), &again.json["received"]), (id.as_str(), &json!(at)));
        finish(&acme.developer, &id).await.expect_problem(409, "wrong_offset");
        let sent = send(&acme.developer, &id, at, &file[at..end]).await.expect(200);
        assert_eq!(sent.json["received"], end);
    }
    let list = acme.viewer.get("/v1/uploads").await.expect(200);
    assert_eq!(list.json["items"][0]["received"], file.len());
    assert_eq!(pieces(&app), 3);

    let version = finish(&acme.developer, &id).await.expect(201);
    assert_eq!(version.header("location"), Some("/v1/datasets/rows/versions/1"));
    assert_eq!(version.json["sha256"], digest(&file));
    assert_eq!(version.json["bytes"], file.len());
    acme.developer.get(&format!("/v1/jobs/{}", version.text("/profile_job"))).await.expect(200);
    let content = acme.viewer.get("/v1/datasets/rows/versions/1/content").await.expect(200);
    assert!(content.bytes == file);
    assert_eq!(pieces(&app), 0);
    // its answer may have been lost
    let again = finish(&acme.developer, &id).await.expect(200);
    assert_eq!(again.json["version"], 1);
    let known = acme.viewer.get(&format!("/v1/uploads/{id}")).await.expect(200);
    assert_eq!(known.json["version"], 1);
    assert_eq!(acme.viewer.get("/v1/uploads").await.expect(200).json["items"], json!([]));
    let late = send(&acme.developer, &id, file.len(), b"").await;
    assert!(late.expect_problem(409, "wrong_offset").text("/detail").contains("version 1"));

    // the same bytes once more are the version that has them
    let id = begun(&acme.developer, file.len()).await;
    send(&acme.developer, &id, 0, &file).await.expect(200);
    assert_eq!(finish(&acme.developer, &id).await.expect(200).json["version"], 1);
}

#[actix_web::test]
async fn a_piece_goes_on_where_the_upload_stands_and_nowhere_else() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let file = file(2 * MIB);
    let id = begun(&acme.developer, file.len()).await;
    let ahead = send(&acme.developer, &id, MIB, &file[MIB..]).await;
    let ahead = ahead.expect_problem(409, "wrong_offset");
    assert!(ahead.text("/detail").contains("0 bytes have come"), "{ahead:?}");
    send(&acme.developer, &id, 0, &file[..MIB]).await.expect(200);
    send(&acme.developer, &id, 0, &file[..MIB]).await.expect_problem(409, "wrong_offset");
    let small = send(&acme.developer, &id, MIB, &file[MIB..MIB + 7]).await;
    assert_eq!(small.expect_problem(422, "validation_failed").fields(), ["body"]);
    let beyond = send(&acme.developer, &id, MIB, &file).await;
    beyond.expect_problem(413, "payload_too_large");
    let path = format!("/v1/uploads/{id}");
    let bare = |request: TestRequest| acme.developer.send(request.uri(&path).set_payload("x"));
    let bytes = ("content-type", "application/octet-stream");
    bare(TestRequest::patch().insert_header(bytes)).await.expect_problem(400, "bad_request");
    for offset in ["", "-1", "1.5", "99999999999999999999"] {
        let request = TestRequest::patch().insert_header(("upload-offset", offset));
        bare(request.insert_header(bytes)).await.expect_problem(400, "bad_request");
    }
    let kind = TestRequest::patch()
        .insert_header(("upload-offset", MIB.to_string()))
        .insert_header(("content-type", "text/csv"));
    bare(kind).await.expect_problem(415, "unsupported_media_type");
    // none of it counts, nor stays
    let now = acme.developer.get(&path).await.expect(200);
    assert_eq!(now.json["received"], MIB);
    assert_eq!(pieces(&app), 1);
    let half = file[MIB..].to_vec();
    let both = [send(&acme.developer, &id, MIB, &half), send(&acme.owner, &id, MIB, &half)];
    let mut answers = futures::future::join_all(both).await;
    answers.sort_by_key(|answer| answer.status);
    assert_eq!((answers[0].status, answers[1].status), (200, 409));
    assert_eq!(pieces(&app), 2);
    finish(&acme.developer, &id).await.expect(201);
}

#[actix_web::test]
async fn what_is_begun_is_checked_all_at_once() {
    let app = TestApp::with(|config| config.max_upload_bytes = 100).await;
    let acme = app.tenant("acme").await;
    let wrong = json!({"dataset": "No!", "format": "csv", "bytes": 0, "fingerprint": ""});
    let wrong = acme.developer.post("/v1/uploads", wrong).await;
    let wrong = wrong.expect_problem(422, "validation_failed");
    assert_eq!(wrong.fields(), ["dataset", "bytes", "fingerprint"]);
    let mut odd = draft(10);
    odd["format"] = json!("xml");
    acme.developer.post("/v1/uploads", odd).await.expect_problem(422, "validation_failed");
    let large = acme.developer.post("/v1/uploads", draft(101)).await;
    large.expect_problem(413, "payload_too_large");
    acme.viewer.post("/v1/uploads", draft(10)).await.expect_problem(403, "forbidden");
    assert_eq!(acme.viewer.get("/v1/uploads").await.expect(200).json["items"], json!([]));
}

#[actix_web::test]
async fn other_content_than_was_begun_with_never_becomes_a_version() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let (right, other) = (file(100), vec![b'x'; 100]);
    // what does not begin as its format does
    let id = begun(&acme.developer, 100).await;
    let zip = [b"PK\x03\x04".as_slice(), &[0; 96]].concat();
    let refused = send(&acme.developer, &id, 0, &zip).await;
    assert!(refused.expect_problem(422, "validation_failed").text("/detail").contains("zip"));
    // another file of that name is another upload
    let mut changed = draft(100);
    changed["fingerprint"] = json!("rows.csv 1 3");
    let apart = acme.developer.post("/v1/uploads", changed).await.expect(201);
    assert_ne!(apart.text("/id"), id);

    let mut said = draft(100);
    said["sha256"] = digest(&right).into();
    acme.developer.post("/v1/uploads", said.clone()).await.expect_problem(409, "conflict");
    acme.developer.delete(&format!("/v1/uploads/{id}")).await.expect(204);
    let id = acme.developer.post("/v1/uploads", said.clone()).await.expect(201);
    let id = id.text("/id").to_owned();
    send(&acme.developer, &id, 0, &other).await.expect(200);
    let refused = finish(&acme.developer, &id).await.expect_problem(422, "validation_failed");
    assert_eq!(refused.fields(), ["sha256"]);
    acme.developer.get(&format!("/v1/uploads/{id}")).await.expect_problem(404, "not_found");
    acme.developer.get("/v1/datasets/rows").await.expect_problem(404, "not_found");
    assert_eq!(pieces(&app), 0);
    let id = acme.developer.post("/v1/uploads", said).await.expect(201).text("/id").to_owned();
    send(&acme.developer, &id, 0, &right).await.expect(200);
    finish(&acme.developer, &id).await.expect(201);
}

#[actix_web::test]
async fn another_tenants_upload_looks_like_one_that_does_not_exist() {
    let app = TestApp::new().await;
    let (acme, zeta) = (app.tenant("acme").await, app.tenant("zeta").await);
    let id = begun(&acme.developer, 100).await;
    let theirs = begun(&zeta.developer, 100).await;
    assert_ne!(id, theirs, "the same file of another tenant");
    send(&acme.developer, &id, 0, &file(100)).await.expect(200);
    let none = domain::UploadId::generate().to_string();
    for id in [&id, &none, &"x".to_owned()] {
        let path = format!("/v1/uploads/{id}");
        zeta.developer.get(&path).await.expect_problem(404, "not_found");
        send(&zeta.developer, id, 0, &file(100)).await.expect_problem(404, "not_found");
        finish(&zeta.developer, id).await.expect_problem(404, "not_found");
        zeta.developer.delete(&path).await.expect_problem(404, "not_found");
    }
    let list = zeta.developer.get("/v1/uploads").await.expect(200);
    assert_eq!(list.json["items"].as_array().unwrap().len(), 1);
    assert_eq!(list.text("/items/0/id"), theirs);
    finish(&acme.developer, &id).await.expect(201);
}

#[actix_web::test]
async fn what_is_on_its_way_takes_room_until_it_is_given_up() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    limit(&app, json!({ "max_storage_bytes": 150 })).await;
    let id = begun(&acme.developer, 100).await;
    let mut more = draft(60);
    more["dataset"] = json!("more");
    let full = acme.developer.post("/v1/uploads", more.clone()).await;
    full.expect_problem(403, "storage_full");
    let path = "/v1/datasets/more/versions";
    let pushed = || acme.developer.upload(Method::POST, path, "text/csv", vec![b'a'; 60]);
    pushed().await.expect_problem(403, "storage_full");
    // the file itself is not counted twice
    send(&acme.developer, &id, 0, &file(100)).await.expect(200);
    finish(&acme.developer, &id).await.expect(201);
    acme.developer.post("/v1/uploads", more).await.expect_problem(403, "storage_full");
    let mut small = draft(50);
    small["dataset"] = json!("small");
    let small = acme.developer.post("/v1/uploads", small).await.expect(201);
    send(&acme.developer, small.text("/id"), 0, &file(50)).await.expect(200);
    // what it may store has become less meanwhile
    limit(&app, json!({ "max_storage_bytes": 120 })).await;
    finish(&acme.developer, small.text("/id")).await.expect_problem(403, "storage_full");
    acme.developer.get("/v1/datasets/small").await.expect_problem(404, "not_found");
    acme.developer.delete(&format!("/v1/uploads/{}", small.text("/id"))).await.expect(204);
    assert_eq!(pieces(&app), 0);
}

#[actix_web::test]
async fn so_many_are_on_their_way_and_no_more() {
    let app = TestApp::with(crate::support::without_rates).await;
    let acme = app.tenant("acme").await;
    let begin = async |n: usize| {
        let mut draft = draft(1);
        draft["fingerprint"] = json!(n.to_string());
        acme.developer.post("/v1/uploads", draft).await
    };
    for n in 0..100 {
        begin(n).await.expect(201);
    }
    let refused = begin(100).await.expect_problem(409, "conflict");
    assert!(refused.text("/detail").contains("give up"), "{refused:?}");
    let first = begin(0).await.expect(200);
    acme.developer.delete(&format!("/v1/uploads/{}", first.text("/id"))).await.expect(204);
    begin(100).await.expect(201);
}

#[actix_web::test]
async fn what_nobody_goes_on_with_is_cleared_away() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let day = Duration::from_secs(24 * 3_600);
    let file = file(MIB + 1);
    let id = begun(&acme.developer, file.len()).await;
    let sent = send(&acme.developer, &id, 0, &file[..MIB]).await.expect(200);
    let until: domain::Timestamp = sent.text("/expires_at").parse().unwrap();
    let tenant =
        acme.owner.get("/v1/audit/head").await.expect(200).text("/tenant").parse().unwrap();
    let clear = |at| app.state.blobs.clear(&app.state.store, tenant, at, day);
    clear(until - chrono::TimeDelta::minutes(1)).await.unwrap();
    assert_eq!(pieces(&app), 1, "it may still go on");
    clear(until).await.unwrap();
    acme.developer.get(&format!("/v1/uploads/{id}")).await.expect_problem(404, "not_found");
    send(&acme.developer, &id, MIB, &file[MIB..]).await.expect_problem(404, "not_found");
    let anew = acme.developer.post("/v1/uploads", draft(file.len())).await.expect(201);
    assert_eq!(anew.json["received"], 0);
    // its piece has the time of the file system, which is another
    let cleared = clear("2126-01-01T00:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!((cleared.deleted, pieces(&app)), (1, 0));
}
