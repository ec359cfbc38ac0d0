//! Many who publish at once: each gets a version of their own, and one name is given once.

use std::collections::BTreeSet;

use actix_web::test::TestRequest;
use futures::future::join_all;
use serde_json::json;

use crate::support::{TestApp, without_rates};

const WRITERS: usize = 50;

fn commit(n: usize) -> TestRequest {
    let lines = format!(
        "{{\"key\":\"header\",\"value\":{{\"summary\":\"{n}\"}}}}\n\
         {{\"key\":\"file\",\"value\":{{\"path\":\"{n}.txt\",\"content\":\"of {n}\"}}}}\n"
    );
    TestRequest::post()
        .uri("/hub/api/models/acme/notes/commit/main")
        .insert_header(("content-type", "application/x-ndjson"))
        .set_payload(lines)
}

#[actix_web::test]
async fn fifty_writers_make_fifty_versions_and_nothing_of_theirs_is_lost() {
    let app = TestApp::with(without_rates).await;
    let acme = app.tenant("acme").await;
    let name = json!({ "name": "notes" });
    let made = (0..WRITERS).map(|_| acme.developer.post("/v1/models", name.clone()));
    let mut made: Vec<_> = join_all(made).await.iter().map(|reply| reply.status).collect();
    made.sort_unstable();
    assert_eq!((made[0], &made[1..]), (201, &[409; WRITERS - 1][..]), "a name is given once");

    let commits = join_all((0..WRITERS).map(|n| acme.developer.send(commit(n)))).await;
    let revisions: BTreeSet<_> =
        commits.into_iter().map(|reply| reply.expect(200).text("/commitOid").to_owned()).collect();
    assert_eq!(revisions.len(), WRITERS);
    let versions = acme.viewer.get("/v1/models/acme/notes/versions?limit=200").await.expect(200);
    let versions = versions.json["items"].as_array().unwrap();
    let numbers: Vec<_> = versions.iter().map(|it| it["version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=WRITERS as u64).rev().collect::<Vec<_>>());
    // each began with what the one before had left
    let files = |n: usize| versions[WRITERS - n]["files"].as_array().unwrap().len();
    assert_eq!((1..=WRITERS).map(files).collect::<Vec<_>>(), (1..=WRITERS).collect::<Vec<_>>());
    let manifests: BTreeSet<_> =
        versions.iter().map(|it| it["revision"].as_str().unwrap().to_owned()).collect();
    assert_eq!(manifests, revisions);
    for n in [0, WRITERS - 1] {
        let file = format!("/hub/acme/notes/resolve/main/{n}.txt");
        let got = acme.viewer.get(&file).await.expect(200);
        assert_eq!(&got.bytes[..], format!("of {n}").as_bytes());
    }
}
