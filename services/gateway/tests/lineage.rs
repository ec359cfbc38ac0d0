//! Where models come from and what becomes of them: forks, the way back to the data, versions made again.

use serde_json::{Value, json};

use crate::{
    hand::{Hand, flowers, push},
    models::train,
    support::{Client, TestApp, TestTenant},
};

const MODEL: &str = "/v1/models/acme/garden";

/// A tenant with version 1 of `garden`, which is public under a licence; and whoever runs its jobs.
async fn public_garden(licence: &str) -> (TestApp, TestTenant, Hand) {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(20)).await).await;
    let public = json!({"visibility": "public", "licence": licence, "card": "# Garden"});
    acme.owner.post("/v1/models", json!({"name": "garden"})).await.expect(201);
    acme.owner.patch(MODEL, public).await.expect(200);
    train(&hand, &acme, 2).await;
    (app, acme, hand)
}

fn names(relatives: &Value) -> Vec<String> {
    let of = |it: &Value| format!("{}:{}", it["model"].as_str().unwrap(), it["version"]);
    relatives.as_array().unwrap().iter().map(of).collect()
}

async fn lineage(client: &Client, version: &str) -> Value {
    client.get(&format!("/v1/models/{version}/lineage")).await.expect(200).json
}

#[actix_web::test]
async fn a_fork_of_a_fork_is_walked_back_to_the_rows_and_the_rows_on_to_the_forks() {
    let (app, acme, _hand) = public_garden("apache-2.0").await;
    let (zeta, theta) = (app.tenant("zeta").await, app.tenant("theta").await);
    let fork = json!({"name": "meadow"});
    let forked = zeta.developer.post(&format!("{MODEL}/versions/1/fork"), fork).await.expect(201);
    assert_eq!((forked.text("/tenant"), forked.text("/licence")), ("zeta", "apache-2.0"));
    let first = acme.viewer.get(&format!("{MODEL}/versions/1")).await.expect(200);
    assert_eq!(forked.json["metrics"], first.json["metrics"]);
    // the bytes are the fork's own
    let url = "/v1/models/zeta/meadow/versions/1/files/model.safetensors";
    let weights = zeta.viewer.get(url).await.expect(200).bytes;
    let original = acme.viewer.get(&format!("{MODEL}/versions/1/files/model.safetensors")).await;
    assert_eq!(weights, original.bytes);
    let row = json!({"row": {"length": 5, "width": 0.5, "colour": "blue"}});
    let asked = async |client: &Client, path: &str| {
        client.post(&format!("/v1/models/{path}/predict"), row.clone()).await.expect(200).json
    };
    let (ours, theirs) =
        (asked(&acme.developer, "acme/garden").await, asked(&zeta.developer, "zeta/meadow").await);
    assert_eq!(ours["predictions"], theirs["predictions"]);

    let public = json!({"visibility": "public"});
    zeta.owner.patch("/v1/models/zeta/meadow", public).await.expect(200);
    let fork = json!({"name": "lawn"});
    let path = "/v1/models/zeta/meadow/versions/latest/fork";
    theta.developer.post(path, fork).await.expect(201);

    let seen = lineage(&theta.viewer, "theta/lawn/versions/1").await;
    assert_eq!(names(&seen["ancestors"]), ["zeta/meadow:1", "acme/garden:1"]);
    assert_eq!(seen["version"]["base"], "zeta/meadow:1");
    let csv = acme.viewer.get("/v1/datasets/flowers/versions/1").await.expect(200);
    assert_eq!(seen["ancestors"][1]["source"], "trained");
    assert_eq!(seen["ancestors"][1]["trained_on"]["sha256"], csv.json["sha256"]);
    assert_eq!(seen["ancestors"][1]["job"], json!(null), "whose job it was is not theirs to know");
    let down = lineage(&acme.viewer, "acme/garden/versions/1").await;
    assert_eq!(down["version"]["trained_on"]["dataset"], "flowers");
    assert!(down["version"]["job"].is_string());
    // what others keep to themselves is not among them
    assert_eq!(names(&down["descendants"]), ["zeta/meadow:1"]);
    let theirs = acme.viewer.get("/v1/datasets/flowers/versions/latest/lineage").await.expect(200);
    assert_eq!(names(&theirs.json["models"]), ["acme/garden:1", "zeta/meadow:1"]);
    assert_eq!(theirs.json["sha256"], csv.json["sha256"]);

    // a base that is hidden later is still named by the manifest
    let private = json!({"visibility": "private"});
    zeta.owner.patch("/v1/models/zeta/meadow", private).await.expect(200);
    let seen = lineage(&theta.viewer, "theta/lawn/versions/1").await;
    assert_eq!((&seen["ancestors"], &seen["beyond"]["model"]), (&json!([]), &json!("zeta/meadow")));
}

#[actix_web::test]
async fn a_fork_needs_a_licence_that_allows_it_and_a_name_that_is_free() {
    let (app, acme, _hand) = public_garden("cc-by-nd-4.0").await;
    let zeta = app.tenant("zeta").await;
    let path = format!("{MODEL}/versions/1/fork");
    let refused = zeta.developer.post(&path, json!({"name": "meadow"})).await;
    let refused = refused.expect_problem(403, "forbidden");
    assert!(
        refused.text("/detail").contains("cc-by-nd-4.0, which forbids derivatives"),
        "{refused:?}"
    );
    zeta.viewer.post(&path, json!({"name": "meadow"})).await.expect_problem(403, "forbidden");
    // a version stays under the licence that it was published with
    acme.owner.patch(MODEL, json!({"licence": "mit"})).await.expect(200);
    zeta.developer.post(&path, json!({"name": "meadow"})).await.expect_problem(403, "forbidden");
    // to its own tenant it forbids nothing
    acme.developer.post(&path, json!({"name": "meadow"})).await.expect(201);
    acme.developer.post(&path, json!({"name": "meadow"})).await.expect_problem(409, "conflict");
    acme.developer.post(&path, json!({"name": "mead0w"})).await.expect_problem(409, "conflict");
    let odd = acme.developer.post(&path, json!({"name": "Meadow"})).await;
    assert_eq!(odd.expect_problem(422, "validation_failed").fields(), ["name"]);
    let yank = json!({"state": "yanked", "reason": "wrong column"});
    acme.owner.patch(&format!("{MODEL}/versions/1"), yank).await.expect(200);
    let yanked = acme.developer.post(&path, json!({"name": "field"})).await;
    let yanked = yanked.expect_problem(409, "conflict");
    assert!(yanked.text("/detail").contains("wrong column"), "{yanked:?}");
    acme.developer.get("/v1/models/acme/field").await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn a_version_that_is_made_again_is_the_same_to_the_byte() {
    let (app, acme, hand) = public_garden("mit").await;
    let zeta = app.tenant("zeta").await;
    let path = format!("{MODEL}/versions/1/reproduce");
    let theirs = zeta.developer.post(&path, json!({})).await;
    theirs.expect_problem(403, "forbidden");
    let again = acme.developer.post(&path, json!({})).await.expect(202);
    assert_eq!(again.text("/name"), "reproduce garden:1");
    let first = acme.viewer.get(&format!("{MODEL}/versions/1")).await.expect(200);
    assert_eq!(again.json["spec"], first.json["spec"]);
    hand.run(again.text("/id").parse().unwrap()).await;
    let second = acme.viewer.get(&format!("{MODEL}/versions/2")).await.expect(200);
    let same = json!({"version": 1, "same_weights": true, "same_config": true});
    assert_eq!((&second.json["reproduces"], second.text("/state")), (&same, "draft"));
    assert_eq!(first.json["reproduces"], json!(null));
    let digests = |of: &Value| -> Vec<Value> {
        of["files"].as_array().unwrap().iter().map(|file| file["sha256"].clone()).collect()
    };
    assert_eq!(digests(&first.json), digests(&second.json));
    // a draft is nobody's latest, and not for others
    let latest = acme.viewer.get(&format!("{MODEL}/versions/latest")).await.expect(200);
    assert_eq!(latest.json["version"], 1);
    zeta.viewer.get(&format!("{MODEL}/versions/2")).await.expect_problem(404, "not_found");
    let down = lineage(&acme.viewer, "acme/garden/versions/1").await;
    assert_eq!(names(&down["descendants"]), ["acme/garden:2"]);

    let path = format!("{MODEL}/versions/1/fork");
    acme.developer.post(&path, json!({"name": "meadow"})).await.expect(201);
    let nothing = "/v1/models/acme/meadow/versions/1/reproduce";
    acme.developer.post(nothing, json!({})).await.expect_problem(409, "conflict");
}

#[actix_web::test]
async fn two_versions_are_compared_by_what_they_have_different() {
    let (_app, acme, hand) = public_garden("mit").await;
    train(&hand, &acme, 3).await;
    let path = format!("{MODEL}/versions/1/compare?with");
    let seen = acme.viewer.get(&format!("{path}=2")).await.expect(200).json;
    assert_eq!((&seen["a"], &seen["b"]), (&json!("acme/garden:1"), &json!("acme/garden:2")));
    assert_eq!((&seen["same_data"], &seen["same_weights"]), (&json!(true), &json!(false)));
    let differ = json!([{"path": "epochs", "a": 2, "b": 3}]);
    assert_eq!(seen["specification"], differ);
    let metrics = seen["metrics"].as_array().unwrap();
    let loss = metrics.iter().find(|metric| metric["name"] == "val_loss").unwrap();
    let of = |side: &str| loss[side].as_f64().unwrap();
    assert!((of("difference") - (of("b") - of("a"))).abs() < 1e-12, "{loss}");
    let itself = acme.viewer.get(&format!("{path}=acme/garden:1")).await.expect(200).json;
    assert_eq!((&itself["specification"], &itself["same_weights"]), (&json!([]), &json!(true)));
    for (with, status) in [("9", 404), ("acme/nothing:1", 404), ("nothing:1", 422), ("No%20", 404)]
    {
        acme.viewer.get(&format!("{path}={with}")).await.expect(status);
    }
}

#[actix_web::test]
async fn two_versions_are_judged_again_on_the_same_rows() {
    let (app, acme, hand) = public_garden("mit").await;
    train(&hand, &acme, 30).await;
    let path = format!("{MODEL}/versions/1/compare");
    let asked = acme.developer.post(&path, json!({"with": "2"})).await.expect(202);
    assert_eq!(
        (asked.text("/kind"), asked.text("/name")),
        ("evaluate", "compare garden:1 with garden:2")
    );
    let evaluations = async |client: &Client, with: &str| {
        let seen = client.get(&format!("{path}?with={with}")).await.expect(200);
        seen.json["evaluations"].clone()
    };
    assert_eq!(evaluations(&acme.viewer, "2").await[0]["result"], json!(null));
    hand.run(asked.text("/id").parse().unwrap()).await;
    let found = &evaluations(&acme.viewer, "2").await[0];
    assert_eq!((&found["status"], &found["held_back_by"]), (&json!("succeeded"), &json!("b")));
    assert_eq!(found["result"]["rows"], 4, "a fifth of twenty");
    let metric = |of: &Value, name: &str| {
        let all = of["result"]["metrics"].as_array().unwrap().clone();
        all.into_iter().find(|metric| metric["name"] == name).unwrap()
    };
    // on the rows that its training held back the newer has the figures of its training
    let newer = acme.viewer.get(&format!("{MODEL}/versions/2")).await.expect(200);
    assert_eq!(metric(found, "accuracy")["b"], newer.json["metrics"]["val_accuracy"]);
    assert_eq!(metric(found, "accuracy")["interval"], json!(null), "of four rows nothing is sure");

    // others' rows, and enough of them
    let zeta = app.tenant("zeta").await;
    hand.run(push(&zeta.developer, "petals", flowers(200)).await).await;
    let path = format!("{MODEL}/versions/1/compare");
    let refused = zeta.developer.post(&path, json!({"with": "2"})).await;
    assert_eq!(refused.expect_problem(422, "validation_failed").fields(), ["dataset"]);
    let asked = zeta.developer.post(&path, json!({"with": "2", "dataset": "petals"})).await;
    hand.run(asked.expect(202).text("/id").parse().unwrap()).await;
    let theirs = &evaluations(&zeta.viewer, "2").await[0];
    assert_eq!((&theirs["held_back_by"], &theirs["result"]["rows"]), (&json!(null), &json!(200)));
    let loss = metric(theirs, "log_loss");
    let of = |name: &str| loss[name].as_f64().unwrap();
    assert!(of("b") < of("a"), "thirty epochs have learned more than two: {loss}");
    assert!((of("difference") - (of("b") - of("a"))).abs() < 1e-12);
    let (low, high) =
        (loss["interval"][0].as_f64().unwrap(), loss["interval"][1].as_f64().unwrap());
    assert!(low < of("difference") && of("difference") < high && high < 0.0, "{loss}");
    // whose jobs they were is for their own to see
    assert_eq!(evaluations(&acme.viewer, "2").await.as_array().unwrap().len(), 1);

    // data that neither can read ends the job with a cause
    let other = push(&zeta.developer, "other", "x,kind\n1,iris\n2,rose\n").await;
    hand.run(other).await;
    let asked =
        zeta.developer.post(&path, json!({"with": "2", "dataset": "other"})).await.expect(202);
    hand.run(asked.text("/id").parse().unwrap()).await;
    let ended = zeta.viewer.get(&format!("/v1/jobs/{}", asked.text("/id"))).await.expect(200);
    assert_eq!((ended.text("/status"), ended.text("/cause/code")), ("failed", "unknown_column"));
}
