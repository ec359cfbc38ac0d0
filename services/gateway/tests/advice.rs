//! Advice through the API: what is suggested is taken as it is, and a run's findings lead to the next one.

use domain::job::Cause;
use serde_json::{Value, json};

use crate::{
    hand::{Hand, flowers, push},
    support::TestApp,
};

#[actix_web::test]
async fn what_is_suggested_for_a_dataset_is_taken_as_it_is() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let pushed = push(&acme.developer, "flowers", flowers(200)).await;
    let ask = json!({"dataset": "flowers"});
    let now = actix_web::test::TestRequest::post().uri("/v1/advice").set_json(&ask);
    let early = acme.viewer.send(now.insert_header(("prefer", "wait=0"))).await;
    early.expect_problem(409, "dataset_not_ready");
    hand.run(pushed).await;
    let advice = acme.viewer.post("/v1/advice", ask).await.expect(200);
    assert_eq!(advice.text("/target"), "kind");
    let families: Vec<_> = suggestions(&advice.json).map(|one| one["family"].clone()).collect();
    assert_eq!(families, ["mlp", "linear"]);
    for one in suggestions(&advice.json) {
        assert!(one["costs_about"]["credits"].is_number() && one["reason"].is_string(), "{one}");
        assert!(one["spec"].as_object().unwrap().values().all(|value| !value.is_null()), "{one}");
        let dry = acme.developer.post("/v1/jobs/dry-run", one["spec"].clone()).await.expect(200);
        assert_eq!(
            (&dry.json["accepted"], &dry.json["spec"]["task"]),
            (&json!(true), &one["task"])
        );
        assert_eq!(dry.json["spec"]["estimate"], one["estimate"]);
        acme.developer.post("/v1/jobs", one["spec"].clone()).await.expect(202);
    }
    // the twin of the target is named before anything is trained
    let notes = advice.json["notes"].to_string();
    assert!(notes.contains("`length` is spread exactly as `kind` is"), "{notes}");
    let number = json!({"dataset": "flowers", "version": 1, "target": "width"});
    let advice = acme.viewer.post("/v1/advice", number).await.expect(200);
    assert_eq!(advice.json["suggestions"][0]["spec"]["target"], "width");
}

fn suggestions(advice: &Value) -> impl Iterator<Item = &Value> {
    advice["suggestions"].as_array().unwrap().iter()
}

#[actix_web::test]
async fn a_run_that_diverged_is_tried_again_with_smaller_steps() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(90)).await).await;
    let draft = json!({
        "dataset": "flowers", "target": "kind", "features": ["width", "colour"], "epochs": 6, "batch_size": 8, "model": {"family": "linear"},
        "optimizer": {"type": "SGD", "learning_rate": 90.0, "momentum": 0.9},
    });
    let job = acme.developer.post("/v1/jobs", draft).await.expect(202);
    let ask = json!({"job": job.text("/id")});
    acme.viewer.post("/v1/advice", ask.clone()).await.expect_problem(409, "conflict");
    hand.run(job.text("/id").parse().unwrap()).await;
    let advice = acme.viewer.post("/v1/advice", ask).await.expect(200);
    assert_eq!(advice.text("/next"), "diverging", "{advice:?}");
    let change = &advice.json["findings"][0]["change"];
    assert_eq!(change["what"], "a learning rate of 9, not 90");
    assert_eq!(change["spec"]["optimizer"]["learning_rate"], 9.0);
    let next = acme.developer.post("/v1/jobs", change["spec"].clone()).await.expect(202);
    hand.run(next.text("/id").parse().unwrap()).await;
    assert_eq!(next.json["spec"]["registered_model_name"], "flowers");
}

#[actix_web::test]
async fn a_failure_has_its_cause_and_its_remedy_wherever_it_is_shown() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(30)).await).await;
    let draft = json!({"dataset": "flowers", "target": "kind", "epochs": 1, "batch_size": 8});
    let job = acme.developer.post("/v1/jobs", draft).await.expect(202);
    let at = format!("/v1/jobs/{}", job.text("/id"));
    let given = hand.start(job.text("/id").parse().unwrap()).await;
    hand.fail(given.attempt, Cause::fatal("out_of_memory", "it needed more than its 1024 MiB"))
        .await;
    let failed = acme.viewer.get(&at).await.expect(200);
    assert!(failed.text("/cause/remedy").starts_with("Ask for more memory"), "{failed:?}");
    let attempts = acme.viewer.get(&format!("{at}/attempts")).await.expect(200);
    assert_eq!(attempts.json["items"][0]["cause"], failed.json["cause"]);
    let ask = json!({"job": job.text("/id")});
    let advice = acme.developer.post("/v1/advice", ask).await.expect(200);
    let spec = &advice.json["findings"][0]["change"]["spec"];
    assert_eq!(spec["resources"]["memory_bytes"], 2_u64 << 30);
    acme.developer.post("/v1/jobs", spec.clone()).await.expect(202);

    hand.run(push(&acme.developer, "broken", "a,b\n1\n").await).await;
    let broken = acme.viewer.get("/v1/datasets/broken/versions/1").await.expect(200);
    assert!(broken.text("/profile/cause/remedy").starts_with("Mend the file"), "{broken:?}");
    let ask = json!({"dataset": "broken"});
    acme.viewer.post("/v1/advice", ask).await.expect_problem(422, "dataset_invalid");
}

#[actix_web::test]
async fn advice_is_on_one_thing_that_is_there() {
    let app = TestApp::new().await;
    let (acme, zeta) = (app.tenant("acme").await, app.tenant("zeta").await);
    let hand = Hand::hire(&app).await;
    let profile = push(&acme.developer, "flowers", flowers(30)).await;
    hand.run(profile).await;
    let draft = json!({"dataset": "flowers", "target": "kind", "epochs": 1, "batch_size": 8});
    let job = acme.developer.post("/v1/jobs", draft).await.expect(202);
    let id = job.text("/id");
    for (asked, field) in [
        (json!({}), "dataset"),
        (json!({"dataset": "flowers", "job": id}), "dataset"),
        (json!({"job": id, "target": "kind"}), "job"),
        (json!({"job": "job_none"}), "job"),
        (json!({"job": profile}), "job"),
        (json!({"dataset": "none"}), "dataset"),
        (json!({"dataset": "flowers", "version": 9}), "version"),
        (json!({"dataset": "flowers", "target": "none"}), "target"),
    ] {
        let refused = acme.viewer.post("/v1/advice", asked.clone()).await;
        let refused = refused.expect_problem(422, "validation_failed");
        assert_eq!(refused.text("/errors/0/field"), field, "{asked}");
    }
    let others = zeta.viewer.post("/v1/advice", json!({"job": id})).await;
    others.expect_problem(422, "validation_failed");
    let held = json!({"name": "jobs alone", "scopes": ["jobs:read"]});
    let held = acme.developer.post("/v1/keys", held).await.expect(201);
    let held = app.with_credential(held.text("/secret"));
    held.post("/v1/advice", json!({"dataset": "flowers"})).await.expect_problem(403, "forbidden");
    held.post("/v1/advice", json!({"job": id})).await.expect_problem(409, "conflict");
}
