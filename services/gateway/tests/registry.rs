//! What the registry says of models: aliases, states of versions, who sees them, and the signed manifest.

use actix_web::{body::to_bytes, test::TestRequest};
use domain::registry::{Manifest, Source};
use gateway::auth::{ManifestRefused, verify_manifest};
use serde_json::{Value, json};

use crate::{
    hand::{Hand, flowers, push},
    models::{published, train},
    support::{Client, TestApp, TestTenant},
};

const MODEL: &str = "/v1/models/acme/garden";

/// A tenant with so many versions of `garden`, which hardly differ.
async fn with_versions(count: u32) -> (TestApp, TestTenant, Hand) {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(20)).await).await;
    for n in 1..=count {
        train(&hand, &acme, n).await;
    }
    (app, acme, hand)
}

async fn version(client: &Client, named: &str) -> Value {
    client.get(&format!("{MODEL}/versions/{named}")).await.expect(200).json
}

async fn put(client: &Client, path: &str, body: Value) -> crate::support::Reply {
    client.send(TestRequest::put().uri(path).set_json(body)).await
}

#[actix_web::test]
async fn an_alias_moves_and_names_a_version_wherever_a_number_does() {
    let (_app, acme, _) = with_versions(2).await;
    let champion = format!("{MODEL}/aliases/champion");
    acme.developer.get(&format!("{MODEL}/versions/champion")).await.expect(404);
    put(&acme.developer, &champion, json!({"version": 1})).await.expect(204);
    assert_eq!(version(&acme.viewer, "champion").await["version"], 1);
    put(&acme.developer, &champion, json!({"version": 2})).await.expect(204);
    assert_eq!(version(&acme.viewer, "champion").await["version"], 2);
    let row = json!({"row": {"length": 1, "width": 0.5, "colour": "red"}});
    put(&acme.developer, &champion, json!({"version": 1})).await.expect(204);
    let path = format!("{MODEL}/predict?version=champion");
    let answer = acme.developer.post(&path, row).await.expect(200);
    assert_eq!(answer.json["version"], 1);
    acme.developer.get(&format!("{MODEL}/versions/champion/files/config.json")).await.expect(200);
    let listed = acme.viewer.get(&format!("{MODEL}/aliases")).await.expect(200);
    assert_eq!(
        (listed.text("/items/0/alias"), &listed.json["items"][0]["version"]),
        ("champion", &json!(1))
    );

    for alias in ["latest", "7", "Champion"] {
        let path = format!("{MODEL}/aliases/{alias}");
        let refused = put(&acme.developer, &path, json!({"version": 1})).await;
        assert_eq!(refused.expect_problem(422, "validation_failed").fields(), ["alias"], "{alias}");
    }
    let nothing = put(&acme.developer, &champion, json!({"version": 9})).await;
    assert_eq!(nothing.expect_problem(422, "validation_failed").fields(), ["version"]);
    acme.developer.delete(&champion).await.expect(204);
    acme.developer.delete(&champion).await.expect_problem(404, "not_found");
    acme.developer.get(&format!("{MODEL}/versions/champion")).await.expect(404);
}

#[actix_web::test]
async fn a_model_has_so_many_aliases_and_no_more() {
    let (_app, acme, _) = with_versions(1).await;
    for n in 0..100 {
        let path = format!("{MODEL}/aliases/a{n}");
        put(&acme.developer, &path, json!({"version": 1})).await.expect(204);
    }
    let one_more = put(&acme.developer, &format!("{MODEL}/aliases/b"), json!({"version": 1})).await;
    let refused = one_more.expect_problem(409, "conflict");
    assert!(refused.text("/detail").contains("100 aliases"), "{refused:?}");
    // one that is there is moved still
    put(&acme.developer, &format!("{MODEL}/aliases/a7"), json!({"version": 1})).await.expect(204);
}

#[actix_web::test]
async fn latest_passes_by_what_was_yanked_and_a_number_still_finds_it_and_is_warned() {
    let (_app, acme, _) = with_versions(2).await;
    let second = format!("{MODEL}/versions/2");
    let yank = json!({"state": "yanked", "reason": "trained on the wrong column"});
    let why = acme.owner.patch(&second, json!({"state": "yanked"})).await;
    assert_eq!(why.expect_problem(422, "validation_failed").fields(), ["reason"]);
    acme.developer.patch(&second, yank.clone()).await.expect_problem(403, "forbidden");
    let yanked = acme.owner.patch(&second, yank).await.expect(200);
    assert_eq!(
        (yanked.text("/state"), yanked.text("/reason")),
        ("yanked", "trained on the wrong column")
    );

    assert_eq!(version(&acme.viewer, "latest").await["version"], 1);
    assert_eq!(acme.viewer.get(MODEL).await.expect(200).json["latest_version"], 1);
    let row = json!({"row": {"length": 1, "width": 0.5, "colour": "red"}});
    let path = format!("{MODEL}/predict");
    let answer = acme.developer.post(&path, row.clone()).await.expect(200);
    assert_eq!((&answer.json["version"], answer.json.get("warning")), (&json!(1), None));
    let answer = acme.developer.post(&format!("{path}?version=2"), row).await.expect(200);
    assert_eq!(answer.text("/warning"), "version 2 was yanked: trained on the wrong column");

    let draft = acme.owner.patch(&second, json!({"state": "draft"})).await;
    draft.expect_problem(409, "conflict");
    acme.owner.patch(&second, json!({"state": "published"})).await.expect(200);
    assert_eq!(version(&acme.viewer, "latest").await["version"], 2);
}

#[actix_web::test]
async fn a_deleted_version_is_gone_for_its_people_and_was_never_there_for_others() {
    let (app, acme, hand) = with_versions(2).await;
    let zeta = app.tenant("zeta").await;
    acme.owner.patch(MODEL, json!({"visibility": "public", "licence": "mit"})).await.expect(200);
    let second = format!("{MODEL}/versions/2");
    put(&acme.owner, &format!("{MODEL}/aliases/champion"), json!({"version": 2})).await.expect(204);
    let named = acme.owner.delete(&second).await.expect_problem(409, "conflict");
    assert!(named.text("/detail").contains("`champion`"), "{named:?}");
    acme.owner.delete(&format!("{MODEL}/aliases/champion")).await.expect(204);
    acme.owner.delete(&second).await.expect(204);
    acme.owner.delete(&second).await.expect_problem(410, "gone");
    acme.viewer.get(&second).await.expect_problem(410, "gone");
    zeta.viewer.get(&second).await.expect_problem(404, "not_found");
    let versions = acme.viewer.get(&format!("{MODEL}/versions")).await.expect(200);
    assert_eq!(versions.json["items"].as_array().unwrap().len(), 1);
    train(&hand, &acme, 1).await;
    assert_eq!(version(&acme.viewer, "latest").await["version"], 3, "a number is given once");
}

#[actix_web::test]
async fn a_shared_model_is_for_those_that_it_names() {
    let (app, acme, _) = with_versions(1).await;
    let (zeta, theta) = (app.tenant("zeta").await, app.tenant("theta").await);
    let shared = json!({"visibility": "shared", "shared_with": ["zeta", "acme"]});
    let changed = acme.owner.patch(MODEL, shared).await.expect(200);
    assert_eq!(changed.json["shared_with"], json!(["zeta"]));
    let seen = zeta.viewer.get(MODEL).await.expect(200);
    assert_eq!(seen.json["shared_with"], json!(null), "with whom else is not theirs to know");
    zeta.viewer.get(&format!("{MODEL}/versions/1/files/config.json")).await.expect(200);
    theta.viewer.get(MODEL).await.expect_problem(404, "not_found");
    theta
        .viewer
        .get(&format!("{MODEL}/versions/1/manifest"))
        .await
        .expect_problem(404, "not_found");
    zeta.owner.patch(MODEL, json!({"description": "mine"})).await.expect_problem(403, "forbidden");
    let unknown = acme.owner.patch(MODEL, json!({"shared_with": ["nobody-here"]})).await;
    assert_eq!(unknown.expect_problem(422, "validation_failed").fields(), ["shared_with"]);
    acme.owner.patch(MODEL, json!({"shared_with": []})).await.expect(200);
    zeta.viewer.get(MODEL).await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn what_is_said_of_a_model_is_checked_whole_and_a_licence_is_needed_to_go_public() {
    let (_app, acme, _) = with_versions(1).await;
    let wrong = json!({
        "licence": "beerware", "tags": ["ok", "Not OK"], "description": "x".repeat(301),
        "card": "x".repeat(300_000),
    });
    let refused = acme.owner.patch(MODEL, wrong).await.expect_problem(422, "validation_failed");
    let mut fields = refused.fields();
    fields.sort_unstable();
    assert_eq!(fields, ["card", "description", "licence", "tags[1]"]);
    let public = json!({"visibility": "public"});
    let refused = acme.owner.patch(MODEL, public.clone()).await;
    assert_eq!(refused.expect_problem(422, "validation_failed").fields(), ["licence"]);
    acme.developer.patch(MODEL, json!({"licence": "mit"})).await.expect_problem(403, "forbidden");
    let said = json!({"description": "Flowers by size", "card": "# Garden", "tags": ["tabular"]});
    acme.developer.patch(MODEL, said).await.expect(200);
    acme.owner.patch(MODEL, json!({"licence": "Apache-2.0"})).await.expect(200);
    let model = acme.owner.patch(MODEL, public).await.expect(200);
    assert_eq!((model.text("/licence"), model.text("/card")), ("apache-2.0", "# Garden"));
    assert_eq!(model.json["tags"], json!(["tabular"]));
}

#[actix_web::test]
async fn names_that_look_alike_are_refused_before_anything_is_trained() {
    let (_app, acme, _) = with_versions(1).await;
    acme.developer.post("/v1/models", json!({"name": "my-model.1"})).await.expect(201);
    for alike in ["my_model.1", "my-model-l", "my-mode1-i"] {
        let refused = acme.developer.post("/v1/models", json!({"name": alike})).await;
        let refused = refused.expect_problem(409, "conflict");
        assert!(refused.text("/detail").contains("`my-model.1`"), "{refused:?}");
    }
    let same = acme.developer.post("/v1/models", json!({"name": "garden"})).await;
    same.expect_problem(409, "conflict");
    let odd = acme.developer.post("/v1/models", json!({"name": "Garden"})).await;
    assert_eq!(odd.expect_problem(422, "validation_failed").fields(), ["name"]);
    let draft = json!({
        "dataset": "flowers", "target": "kind", "registered_model_name": "my_model-1",
    });
    acme.developer.post("/v1/jobs", draft).await.expect_problem(409, "conflict");
}

#[actix_web::test]
async fn a_version_has_a_manifest_that_is_checked_without_the_platform() {
    let (app, acme, _) = published().await;
    let read = acme.viewer.get(&format!("{MODEL}/versions/1/manifest")).await.expect(200);
    let keys = app.nobody().get("/.well-known/manifest-keys.json").await.expect(200);
    let keys = serde_json::from_value(keys.json).unwrap();
    let jws = read.text("/jws");
    let (manifest, revision) = verify_manifest(jws, &keys).unwrap();
    let shown: Manifest = serde_json::from_value(read.json["manifest"].clone()).unwrap();
    assert_eq!(manifest, shown);
    let seen = version(&acme.viewer, "1").await;
    assert_eq!(seen["revision"], revision.as_str());
    assert_eq!(version(&acme.viewer, revision.as_str()).await["version"], 1);
    assert_eq!((manifest.model.as_str(), manifest.version), ("acme/garden", 1));
    let paths: Vec<_> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    let files =
        ["README.md", "config.json", "model.onnx", "model.safetensors", "preprocessing.json"];
    assert_eq!(paths, files);
    for (file, said) in manifest.files.iter().zip(seen["files"].as_array().unwrap()) {
        let got = acme.viewer.get(said["url"].as_str().unwrap()).await.expect(200);
        assert_eq!(got.bytes.len() as u64, file.bytes);
        assert_eq!(crate::hand::digest(&got.bytes), file.sha256.to_string());
    }
    let Source::Trained(from) = &manifest.source else { panic!("{manifest:?}") };
    assert_eq!((from.dataset.as_str(), from.dataset_version), ("flowers", 1));
    assert_eq!(seen["trained_on"]["sha256"], from.dataset_sha256.to_string());

    let mut parts: Vec<_> = jws.split('.').map(str::to_owned).collect();
    parts[1] = parts[1].replacen('A', "B", 1);
    assert_eq!(verify_manifest(&parts.join("."), &keys), Err(ManifestRefused::Changed));
    let nobodys = jsonwebtoken::jwk::JwkSet { keys: Vec::new() };
    assert!(matches!(verify_manifest(jws, &nobodys), Err(ManifestRefused::UnknownKey(_))));
    // a token of the platform's is not a manifest, though its keys are near
    let token = acme.owner.post("/v1/auth/token", json!({})).await.expect(200);
    assert_eq!(verify_manifest(token.text("/access_token"), &keys), Err(ManifestRefused::Foreign));
}

#[actix_web::test]
async fn bytes_that_are_not_what_their_digest_says_are_never_sent_whole() {
    let (app, acme, _) = published().await;
    let read = version(&acme.viewer, "1").await;
    let files = read["files"].as_array().unwrap();
    let weights = files.iter().find(|file| file["name"] == "model.safetensors").unwrap();
    let url = weights["url"].as_str().unwrap();
    acme.viewer.get(url).await.expect(200);
    app.damage(weights["sha256"].as_str().unwrap());
    let response = acme.viewer.open(TestRequest::get().uri(url)).await;
    assert!(to_bytes(response.into_body()).await.is_err());
    // nor does anybody predict with them
    let row = json!({"row": {"length": 1, "width": 0.5, "colour": "red"}});
    acme.developer.post(&format!("{MODEL}/predict"), row).await.expect(500);
    // the others are as they were
    acme.viewer.get(&format!("{MODEL}/versions/1/files/config.json")).await.expect(200);
}

#[actix_web::test]
async fn a_card_has_the_authors_words_and_the_facts_and_nothing_that_runs() {
    let (app, acme, _) = published().await;
    let zeta = app.tenant("zeta").await;
    let words = "Knows two flowers.\n\n<script>alert(1)</script>\n\n[more](javascript:alert(1))";
    let said = json!({"card": words, "visibility": "public", "licence": "mit"});
    acme.owner.patch(MODEL, said).await.expect(200);
    let path = format!("{MODEL}/versions/1/card");
    // whoever may see the model reads the same
    let card = zeta.viewer.get(&path).await.expect(200);
    assert_eq!(card.header("content-type"), Some("text/markdown; charset=utf-8"));
    let text = String::from_utf8(card.bytes.to_vec()).unwrap();
    for fact in [
        "# acme/garden\n\nKnows two flowers.",
        "| Licence | mit |",
        "| Task | binary\\_classification |",
        "| Classes | `iris`, `rose` |",
        "`flowers` version 1, 60 rows of 4 columns, SHA-256 `",
        "| Layers | Dense, Dense |",
        "| Optimizer | Adam, ",
        "| Seed | ",
        " CPU seconds in 1 attempts |",
        "| accuracy | 1.0000 | ",
        "Class `iris` was judged on 6 rows: too few to rely on.",
    ] {
        assert!(text.contains(fact), "{fact}\n{text}");
    }
    let html = TestRequest::get().uri(&path).insert_header(("accept", "text/html,*/*;q=0.8"));
    let page = zeta.viewer.send(html).await.expect(200);
    assert!(page.header("content-security-policy").unwrap().contains("sandbox"), "{page:?}");
    let text = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(text.contains("<h1>acme/garden</h1>") && text.contains("<td>mit</td>"), "{text}");
    assert!(!text.contains("<script") && !text.contains("javascript:"), "{text}");
}

#[actix_web::test]
async fn what_is_being_downloaded_goes_on_to_its_end_when_the_version_is_deleted() {
    let (_app, acme, _) = published().await;
    let read = version(&acme.viewer, "1").await;
    let files = read["files"].as_array().unwrap();
    let weights = files.iter().find(|file| file["name"] == "model.safetensors").unwrap();
    let url = weights["url"].as_str().unwrap();
    let begun = acme.viewer.open(TestRequest::get().uri(url)).await;
    let yank = json!({"state": "yanked", "reason": "wrong column"});
    acme.owner.patch(&format!("{MODEL}/versions/1"), yank).await.expect(200);
    acme.owner.delete(&format!("{MODEL}/versions/1")).await.expect(204);
    let bytes = to_bytes(begun.into_body()).await.unwrap();
    assert_eq!(crate::hand::digest(&bytes), weights["sha256"].as_str().unwrap());
    acme.viewer.get(url).await.expect_problem(410, "gone");
}
