//! Published models through the API: a real one is trained, found, downloaded and asked.

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::{
    hand::{Hand, digest, flowers, push},
    support::{TestApp, TestTenant},
};

const MODEL: &str = "/v1/models/acme/garden";

/// A tenant with version 1 of the model `garden`, trained on `flowers`.
pub async fn published() -> (TestApp, TestTenant, String) {
    let (app, acme, _, job) = published_by_hand().await;
    (app, acme, job)
}

/// With who runs the jobs, where there are more.
pub async fn published_by_hand() -> (TestApp, TestTenant, Hand, String) {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    let job = train(&hand, &acme, 40).await;
    (app, acme, hand, job)
}

/// The next version of `garden`; the job that makes it.
pub async fn train(hand: &Hand, tenant: &TestTenant, epochs: u32) -> String {
    let draft = json!({
        "dataset": "flowers", "target": "kind", "epochs": epochs, "batch_size": 8,
        "model": {"layers": [
            {"type": "Dense", "units": 8, "activation": "relu"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
        "optimizer": {"type": "Adam", "learning_rate": 0.02},
        "registered_model_name": "garden",
    });
    let job = tenant.developer.post("/v1/jobs", draft).await.expect(202);
    let job = job.text("/id").to_owned();
    hand.run(job.parse().unwrap()).await;
    job
}

fn iris() -> Value {
    json!({"length": 1, "width": 0.5, "colour": "red"})
}

fn rose() -> Value {
    json!({"length": 5, "width": 0.5, "colour": "blue"})
}

#[actix_web::test]
async fn a_succeeded_job_has_a_model_with_metrics_and_lineage() {
    let (_app, acme, job) = published().await;
    let done = acme.developer.get(&format!("/v1/jobs/{job}")).await.expect(200);
    let published = json!({"model": "garden", "version": 1, "url": format!("{MODEL}/versions/1")});
    assert_eq!((done.text("/status"), &done.json["published"]), ("succeeded", &published));

    let list = acme.developer.get("/v1/models").await.expect(200);
    let model = acme.developer.get(MODEL).await.expect(200);
    // of a list each has what a line shows
    let mut line = model.json.clone();
    for only_by_itself in ["card", "shared_with"] {
        line.as_object_mut().unwrap().remove(only_by_itself).unwrap();
    }
    assert_eq!(list.json["items"], json!([line]));
    assert_eq!((model.text("/visibility"), &model.json["latest_version"]), ("private", &json!(1)));
    let version = acme.developer.get(&format!("{MODEL}/versions/latest")).await.expect(200);
    assert_eq!(version.text("/job"), job);
    assert_eq!(version.json["trained_on"]["dataset"], "flowers");
    assert_eq!(version.json["spec"], done.json["spec"]);
    assert!(version.json["metrics"]["val_accuracy"].as_f64().unwrap() > 0.9, "{version:?}");
    let versions = acme.developer.get(&format!("{MODEL}/versions")).await.expect(200);
    let mut line = version.json.clone();
    line.as_object_mut().unwrap().remove("evaluations").unwrap();
    assert_eq!(versions.json["items"], json!([line]));
    for missing in [
        "/v1/models/acme/nothing",
        "/v1/models/acme/Bad!",
        "/v1/models/nobody/garden",
        "/v1/models/acme/garden/versions/2",
        "/v1/models/acme/garden/versions/first",
        "/v1/models/acme/garden/versions/No%20name",
        "/v1/models/acme/garden/versions/1/files/weights",
    ] {
        acme.developer.get(missing).await.expect_problem(404, "not_found");
    }
}

#[actix_web::test]
async fn files_are_what_their_digests_say() {
    let (_app, acme, _) = published().await;
    let version = acme.developer.get(&format!("{MODEL}/versions/1")).await.expect(200);
    for file in version.json["files"].as_array().unwrap() {
        let (url, sha256) = (file["url"].as_str().unwrap(), file["sha256"].as_str().unwrap());
        let got = acme.developer.get(url).await.expect(200);
        assert_eq!(digest(&got.bytes), sha256);
        let etag = format!("\"{sha256}\"");
        assert_eq!(got.header("etag"), Some(etag.as_str()));
        let known = TestRequest::get().uri(url).insert_header(("if-none-match", etag));
        acme.developer.send(known).await.expect(304);
    }
}

#[actix_web::test]
async fn one_row_and_many_are_answered_with_probabilities() {
    let (_app, acme, _) = published().await;
    let path = format!("{MODEL}/predict");
    let one = acme.developer.post(&path, json!({"row": rose()})).await.expect(200);
    assert_eq!((one.text("/model"), &one.json["version"]), ("acme/garden", &json!(1)));
    assert_eq!(one.text("/predictions/0/class"), "rose", "{one:?}");
    let sum: f64 = ["iris", "rose"]
        .iter()
        .map(|class| one.json["predictions"][0]["probabilities"][class].as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-6, "{one:?}");
    let many = json!({"rows": [iris(), rose(), iris()]});
    let many = acme.developer.post(&format!("{path}?version=1"), many).await.expect(200);
    let classes: Vec<_> =
        many.json["predictions"].as_array().unwrap().iter().map(|p| &p["class"]).collect();
    assert_eq!(classes, ["iris", "rose", "iris"]);
}

#[actix_web::test]
async fn rows_that_cannot_be_answered_are_named() {
    let (_app, acme, _) = published().await;
    let path = format!("{MODEL}/predict");
    let refused = async |body: Value| {
        acme.developer.post(&path, body).await.expect_problem(422, "validation_failed")
    };
    let text = json!({"length": "long", "width": 0.5, "colour": "red"});
    assert_eq!(refused(json!({"row": text})).await.fields(), ["row.length"]);
    assert_eq!(refused(json!({"rows": [iris(), text]})).await.fields(), ["rows[1].length"]);
    let short = json!({"length": 1, "colour": "red"});
    assert_eq!(refused(json!({"row": short})).await.fields(), ["row.width"]);
    assert_eq!(refused(json!({})).await.fields(), ["row"]);
    assert_eq!(refused(json!({"rows": []})).await.fields(), ["rows"]);
    assert_eq!(refused(json!({"row": iris(), "rows": [iris()]})).await.fields(), ["rows"]);
    assert_eq!(refused(json!({"row": [1, 2]})).await.fields(), ["row"]);
    let flood = vec![json!({}); 10_001];
    let flood = refused(json!({"rows": flood})).await;
    assert!(flood.text("/detail").contains("10000"), "{flood:?}");
    let none = acme.developer.post(&format!("{path}?version=9"), json!({"row": iris()})).await;
    none.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn a_model_is_private_until_its_owner_makes_it_public() {
    let (app, acme, _) = published().await;
    let zeta = app.tenant("zeta").await;
    let predict = format!("{MODEL}/predict");
    let row = json!({"row": iris()});
    let public = json!({"visibility": "public", "licence": "mit"});
    for rest in ["", "/versions", "/versions/1", "/versions/1/files/config.json"] {
        let theirs = zeta.owner.get(&format!("{MODEL}{rest}")).await;
        theirs.expect_problem(404, "not_found");
    }
    zeta.owner.post(&predict, row.clone()).await.expect_problem(404, "not_found");
    zeta.owner.patch(MODEL, public.clone()).await.expect_problem(404, "not_found");
    acme.developer.patch(MODEL, public.clone()).await.expect_problem(403, "forbidden");
    let odd = acme.owner.patch(MODEL, json!({"visibility": "secret"})).await;
    assert_eq!(odd.expect_problem(422, "validation_failed").fields(), ["visibility"]);

    let changed = acme.owner.patch(MODEL, public.clone()).await.expect(200);
    assert_eq!(changed.text("/visibility"), "public");
    let shop = zeta.developer.get("/v1/models?visibility=public").await.expect(200);
    assert_eq!(shop.text("/items/0/url"), MODEL);
    assert_eq!(zeta.developer.get("/v1/models").await.json["items"], json!([]));
    let version = zeta.developer.get(&format!("{MODEL}/versions/1")).await.expect(200);
    assert_eq!(version.json["job"], json!(null), "whose job it was stays with its tenant");
    zeta.developer.get(&format!("{MODEL}/versions/1/files/model.safetensors")).await.expect(200);
    zeta.developer.post(&predict, row.clone()).await.expect(200);
    zeta.owner
        .patch(MODEL, json!({"visibility": "private"}))
        .await
        .expect_problem(403, "forbidden");

    acme.owner.patch(MODEL, json!({"visibility": "private"})).await.expect(200);
    zeta.developer.post(&predict, row).await.expect_problem(404, "not_found");
}
