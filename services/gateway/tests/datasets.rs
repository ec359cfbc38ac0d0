//! Datasets through the API: pushing, reading back, and every way in which a file can be wrong.

use std::io::Write;

use actix_web::{HttpServer, http::Method, test::TestRequest};
use domain::hint::Hint;
use serde_json::json;
use store::tenants::{self, TenantLimits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    hand::{Hand, digest, flowers, push},
    support::{Client, Reply, TestApp},
};

const PATH: &str = "/v1/datasets/flowers/versions";

async fn send(client: &Client, path: &str, content_type: &str, bytes: &[u8]) -> Reply {
    client.upload(Method::POST, path, content_type, bytes.to_vec()).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[actix_web::test]
async fn a_push_makes_a_version_and_the_same_bytes_find_it_again() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let file = flowers(10);
    let made = send(&acme.developer, PATH, "text/csv", file.as_bytes()).await.expect(201);
    assert_eq!(made.header("location"), Some("/v1/datasets/flowers/versions/1"));
    assert_eq!(made.json["sha256"], digest(file.as_bytes()));
    assert_eq!(made.json["bytes"], file.len());
    assert_eq!(made.json["profile"]["state"], "pending");
    let job =
        acme.developer.get(&format!("/v1/jobs/{}", made.text("/profile_job"))).await.expect(200);
    assert_eq!((job.text("/kind"), job.text("/status")), ("profile", "queued"));

    let again = send(&acme.developer, PATH, "text/csv; charset=utf-8", file.as_bytes()).await;
    let again = again.expect(200);
    assert_eq!((&again.json["version"], &again.json["profile_job"]), (&json!(1), &json!(null)));
    let other = send(&acme.developer, PATH, "text/csv", flowers(11).as_bytes()).await.expect(201);
    assert_eq!(other.json["version"], 2);

    let list = acme.developer.get("/v1/datasets").await.expect(200);
    assert_eq!(list.json["items"][0]["name"], "flowers");
    assert_eq!(list.json["items"][0]["versions"], 2);
    let one = acme.developer.get("/v1/datasets/flowers").await.expect(200);
    assert_eq!(one.json, list.json["items"][0]);
    let versions = acme.developer.get(PATH).await.expect(200);
    let numbers: Vec<_> = versions.json["items"].as_array().unwrap().iter().collect();
    assert_eq!((&numbers[0]["version"], &numbers[1]["version"]), (&json!(2), &json!(1)));
    let latest = acme.developer.get(&format!("{PATH}/latest")).await.expect(200);
    assert_eq!(latest.json["version"], 2);
    acme.developer.get(&format!("{PATH}/1")).await.expect(200);
    for unknown in ["3", "0", "-1", "newest", "99999999999"] {
        acme.developer.get(&format!("{PATH}/{unknown}")).await.expect_problem(404, "not_found");
    }
}

#[actix_web::test]
async fn the_bytes_come_back_as_they_were_sent() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let packed = gzip(flowers(10).as_bytes());
    let push = TestRequest::post()
        .uri(PATH)
        .insert_header(("content-type", "text/csv"))
        .insert_header(("content-encoding", "gzip"))
        .set_payload(packed.clone());
    let made = acme.developer.send(push).await.expect(201);
    assert_eq!((made.text("/compression"), made.text("/format")), ("gzip", "csv"));

    let path = format!("{PATH}/1/content");
    let got = acme.developer.get(&path).await.expect(200);
    assert_eq!(got.bytes, packed);
    assert_eq!(got.header("content-type"), Some("application/gzip"));
    let etag = got.header("etag").unwrap();
    assert_eq!(etag, format!("\"{}\"", digest(&packed)));
    let known = TestRequest::get().uri(&path).insert_header(("if-none-match", etag));
    let known = acme.developer.send(known).await.expect(304);
    assert!(known.bytes.is_empty());
}

#[actix_web::test]
async fn a_file_that_is_not_what_it_says_is_refused_at_once() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let packed = gzip(b"a,b\n1,2\n");
    let refused = async |path: &str, kind: &str, bytes: &[u8], status: u16, code: &str| {
        send(&acme.developer, path, kind, bytes).await.expect_problem(status, code)
    };
    let empty = refused(PATH, "text/csv", b"", 422, "validation_failed").await;
    assert!(empty.text("/detail").contains("empty"), "{empty:?}");
    refused(PATH, "application/json", b"{}", 415, "unsupported_media_type").await;
    refused(PATH, "application/octet-stream", b"a\n1\n", 415, "unsupported_media_type").await;
    refused(PATH, "text/csv", &packed, 422, "validation_failed").await;
    let plain = refused(
        &format!("{PATH}?compression=gzip"),
        "text/csv",
        b"a,b\n",
        422,
        "validation_failed",
    )
    .await;
    assert!(plain.text("/detail").contains("not gzip"), "{plain:?}");
    let sheet = refused(PATH, "text/csv", b"PK\x03\x04rest", 422, "validation_failed").await;
    assert!(sheet.text("/detail").contains("Excel"), "{sheet:?}");
    refused(&format!("{PATH}?format=xml"), "text/csv", b"a\n", 400, "bad_request").await;
    let name =
        refused("/v1/datasets/Flowers!/versions", "text/csv", b"a\n", 422, "validation_failed")
            .await;
    assert_eq!(name.fields(), ["name"]);
    acme.developer.get("/v1/datasets/flowers").await.expect_problem(404, "not_found");
}

/// Its first bytes are looked at before it is stored: there may be fewer.
#[actix_web::test]
async fn a_file_of_hardly_any_bytes_is_taken_as_it_is() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    send(&acme.developer, PATH, "text/csv", b"").await.expect_problem(422, "validation_failed");
    for bytes in ["a", "a\n"] {
        let made = send(&acme.developer, PATH, "text/csv", bytes.as_bytes()).await.expect(201);
        assert_eq!(made.json["bytes"], bytes.len(), "{made:?}");
    }
}

#[actix_web::test]
async fn a_file_over_the_limit_is_refused_and_leaves_nothing() {
    let app = TestApp::with(|config| config.max_upload_bytes = 100).await;
    let acme = app.tenant("acme").await;
    let refused = send(&acme.developer, PATH, "text/csv", &[b'a'; 101]).await;
    let refused = refused.expect_problem(413, "payload_too_large");
    assert!(refused.text("/detail").contains("100 bytes"), "{refused:?}");
    acme.developer.get("/v1/datasets/flowers").await.expect_problem(404, "not_found");
    send(&acme.developer, PATH, "text/csv", &[b'a'; 100]).await.expect(201);
}

#[actix_web::test]
async fn storage_has_a_cap_that_repeating_a_push_does_not_touch() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let mut tx = app.state.store.begin().await.unwrap();
    let limits = TenantLimits {
        max_running_jobs: 1,
        max_queued_jobs: 1,
        max_storage_bytes: 150,
        max_egress_bytes: 1 << 30,
    };
    tenants::set_limits(&mut tx, "acme", &limits).await.unwrap();
    tx.commit().await.unwrap();
    send(&acme.developer, PATH, "text/csv", &[b'a'; 100]).await.expect(201);
    let refused = send(&acme.developer, PATH, "text/csv", &[b'b'; 60]).await;
    let refused = refused.expect_problem(403, "storage_full");
    assert!(refused.text("/detail").contains("150"), "{refused:?}");
    send(&acme.developer, PATH, "text/csv", &[b'a'; 100]).await.expect(200);
    let one = acme.developer.get("/v1/datasets/flowers").await.expect(200);
    assert_eq!((&one.json["versions"], &one.json["bytes"]), (&json!(1), &json!(100)));
}

#[actix_web::test]
async fn who_prefers_to_wait_gets_the_profile_with_the_answer() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let mut hints = app.state.bus.subscribe();
    let request = TestRequest::post()
        .uri(PATH)
        .insert_header(("content-type", "text/csv"))
        .insert_header(("prefer", "respond-async, wait=20"))
        .set_payload(flowers(12));
    let work = async {
        while hints.recv().await.unwrap() != Hint::Queue {}
        let jobs = acme.developer.get("/v1/jobs?kind=profile").await.expect(200);
        hand.run(jobs.text("/items/0/id").parse().unwrap()).await;
    };
    let (made, ()) = futures::join!(acme.developer.send(request), work);
    let made = made.expect(201);
    assert_eq!(made.json["profile"]["state"], "ready");
    assert_eq!(made.json["profile"]["rows"], 12);
    assert_eq!(made.json["profile"]["columns"][3]["name"], "kind");
}

#[actix_web::test]
async fn a_file_that_cannot_be_read_keeps_its_bytes_and_says_why() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let big_cell = format!("a,b\n{},2\n", "x".repeat(10 << 20));
    let files: [(&str, &[u8], &str); 4] = [
        ("ragged", b"a,b\n1,2\n1,2,3\n", "ragged_row"),
        ("latin", b"a,b\n\xff\xfe,2\n", "invalid_utf8"),
        ("huge", big_cell.as_bytes(), "cell_too_large"),
        ("headers", b"a,b\n", "no_rows"),
    ];
    for (name, file, code) in files {
        hand.run(push(&acme.developer, name, file.to_vec()).await).await;
        let version =
            acme.developer.get(&format!("/v1/datasets/{name}/versions/1")).await.expect(200);
        assert_eq!(version.text("/profile/state"), "invalid", "{name}");
        assert_eq!(version.text("/profile/cause/code"), code, "{version:?}");
        let content = acme.developer.get(&format!("/v1/datasets/{name}/versions/1/content")).await;
        assert_eq!(content.expect(200).bytes, file);
        let job = json!({"dataset": name, "target": "b"});
        let refused =
            acme.developer.post("/v1/jobs", job).await.expect_problem(422, "dataset_invalid");
        assert_eq!(refused.fields(), ["dataset"]);
        assert!(refused.text("/detail").contains(version.text("/profile/cause/message")));
    }
}

#[actix_web::test]
async fn a_broken_gzip_file_is_told_by_its_profile() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let packed = gzip(flowers(2_000).as_bytes());
    let path = format!("{PATH}?format=csv");
    let half = &packed[..packed.len() / 2];
    let made = send(&acme.developer, &path, "application/gzip", half).await.expect(201);
    hand.run(made.text("/profile_job").parse().unwrap()).await;
    let version = acme.developer.get(&format!("{PATH}/latest")).await.expect(200);
    assert_eq!(version.text("/profile/cause/code"), "truncated_file", "{version:?}");
}

#[actix_web::test]
async fn another_tenants_dataset_looks_like_one_that_does_not_exist() {
    let app = TestApp::new().await;
    let (acme, zeta) = (app.tenant("acme").await, app.tenant("zeta").await);
    push(&acme.developer, "flowers", flowers(10)).await;
    for rest in ["", "/versions", "/versions/1", "/versions/1/content"] {
        let theirs = zeta.developer.get(&format!("/v1/datasets/flowers{rest}")).await;
        let theirs = theirs.expect_problem(404, "not_found");
        let none = zeta.developer.get(&format!("/v1/datasets/nothing{rest}")).await;
        let none = String::from_utf8_lossy(&none.bytes).replace("nothing", "flowers");
        assert_eq!(String::from_utf8_lossy(&theirs.bytes), none);
    }
    assert_eq!(zeta.developer.get("/v1/datasets").await.json["items"], json!([]));
}

/// Over a real socket, where a client is still sending when it is refused.
#[actix_web::test]
async fn a_refused_upload_lets_its_client_read_why() {
    let app = TestApp::with(|config| config.max_upload_bytes = 1_000).await;
    let acme = app.tenant("acme").await;
    let state = app.state.clone();
    let server = HttpServer::new(move || gateway::application(state.clone(), crate::FURTHER))
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let stop = server.handle();
    actix_web::rt::spawn(server);

    let body = vec![b'a'; 64 << 20];
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: text/csv\r\nContent-Length: {}\r\n\r\n",
        acme.developer.credential(),
        body.len(),
    );
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&body).await.unwrap();
    let mut answer = vec![0; 4_096];
    let read = socket.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("1000 bytes"), "{answer}");
    stop.stop(false).await;
}

#[actix_web::test]
async fn a_part_of_a_file_is_sent_by_itself() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let file: String = (0..40_000).fold("n,m\n".to_owned(), |file, n| file + &format!("{n},1\n"));
    send(&acme.developer, PATH, "text/csv", file.as_bytes()).await.expect(201);
    let path = format!("{PATH}/1/content");
    let ask = async |headers: &[(&str, &str)]| {
        let request = TestRequest::get().uri(&path);
        let request =
            headers.iter().fold(request, |request, header| request.insert_header(*header));
        acme.developer.send(request).await
    };
    let whole = ask(&[]).await.expect(200);
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let etag = whole.header("etag").unwrap();
    let bytes = file.len();
    let last = bytes - 1;
    for (range, first, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=65530-65545", 65_530, 65_546),
        (&format!("bytes=70000-{}", bytes + 10), 70_000, bytes),
        ("bytes=200000-", 200_000, bytes),
        ("bytes=-7", bytes - 7, bytes),
    ] {
        let part = ask(&[("range", range), ("if-range", etag)]).await.expect(206);
        let sent = format!("bytes {first}-{}/{bytes}", end - 1);
        assert_eq!(part.header("content-range"), Some(sent.as_str()));
        assert_eq!(part.bytes, file.as_bytes()[first..end], "{range}");
    }
    let beyond = ask(&[("range", &format!("bytes={bytes}-"))]).await;
    let beyond = beyond.expect_problem(416, "range_not_satisfiable");
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{bytes}").as_str()));
    // of another version, several, or what nobody understands: all of it
    for headers in [
        [("range", "bytes=0-0"), ("if-range", "\"another\"")],
        [("range", "bytes=0-0,5-6"), ("if-range", etag)],
        [("range", "lines=1-2"), ("if-range", etag)],
    ] {
        assert_eq!(ask(&headers).await.expect(200).bytes.len(), last + 1);
    }
}
