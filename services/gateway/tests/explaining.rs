//! Why a model answered as it did, and what its features are worth to it, through the API.

use serde_json::{Value, json};

use crate::{
    hand::{Hand, flowers, push},
    models::{published, train},
    support::{Client, TestApp},
};

const MODEL: &str = "/v1/models/acme/garden";
const PREDICT: &str = "/v1/models/acme/garden/predict";
const IMPORTANCE: &str = "/v1/models/acme/garden/versions/1/importance";

fn row(length: u32) -> Value {
    json!({"length": length, "width": 0.5, "colour": "red"})
}

fn reasons(steps: u32) -> Value {
    json!({"method": "integrated_gradients", "steps": steps})
}

#[actix_web::test]
async fn an_answer_comes_with_what_it_is_made_of() {
    let (app, acme, _) = published().await;
    let asked = json!({"rows": [row(1), row(5), row(3)], "explain": reasons(100)});
    let answer = acme.developer.post(PREDICT, asked).await.expect(200);
    let plain = json!({"rows": [row(1), row(5), row(3)]});
    let plain = acme.developer.post(PREDICT, plain).await.expect(200);
    let answers = answer.json["predictions"].as_array().unwrap();
    assert_eq!(answers.len(), 3);
    for (answer, plain) in answers.iter().zip(plain.json["predictions"].as_array().unwrap()) {
        let (prediction, found) = (&answer["prediction"], &answer["explanation"]);
        assert_eq!(prediction["class"], plain["class"]);
        assert_eq!(found["class"], plain["class"]);
        let number = |name: &str| found[name].as_f64().unwrap();
        let class = plain["class"].as_str().unwrap();
        let probability = plain["probabilities"][class].as_f64().unwrap();
        assert!((number("value") - probability).abs() < 1e-5, "{answer} {plain}");
        let parts = found["attributions"].as_array().unwrap();
        let names: Vec<_> = parts.iter().map(|part| part["feature"].as_str().unwrap()).collect();
        assert_eq!(names, ["length", "width", "colour"]);
        let sum: f64 = parts.iter().map(|part| part["attribution"].as_f64().unwrap()).sum();
        let delta = sum - (number("value") - number("baseline"));
        assert!((delta - number("convergence_delta")).abs() < 1e-9, "{found}");
        assert!(delta.abs() < 0.01, "{found}");
    }
    // length decides, and says so
    let parts = &answers[1]["explanation"]["attributions"];
    let amount = |place: usize| parts[place]["attribution"].as_f64().unwrap();
    assert!(amount(0) > amount(1).abs() && amount(0) > amount(2).abs(), "{parts}");

    let top = json!({"row": row(5), "explain": {"method": "integrated_gradients"}, "top_k": 1});
    let top = acme.developer.post(PREDICT, top).await.expect(200);
    let one = &top.json["predictions"][0];
    assert_eq!(one["prediction"]["top"].as_array().unwrap().len(), 1);
    assert!(one["explanation"]["convergence_delta"].is_number(), "{one}");
    // rows are metered as rows
    app.state.metered.write(&app.state.store, app.state.clock.now()).await.unwrap();
    let ever = "/v1/usage?from=2000-01-01T00:00:00Z&until=2100-01-01T00:00:00Z";
    let usage = acme.owner.get(ever).await.expect(200);
    assert_eq!(usage.json["predictions"]["rows"], 7);
}

#[actix_web::test]
async fn what_is_asked_wrongly_is_refused_where_it_is() {
    let (_app, acme, _) = published().await;
    let most = json!({"rows": vec![row(1); 33], "explain": reasons(5)});
    for (body, field) in [
        (json!({"row": row(1), "explain": reasons(0)}), "explain.steps"),
        (json!({"row": row(1), "explain": reasons(501)}), "explain.steps"),
        (most, "rows"),
        (json!({"row": {"length": "long"}, "explain": reasons(5)}), "row.length"),
    ] {
        let refused = acme.developer.post(PREDICT, body).await;
        assert_eq!(refused.expect_problem(422, "validation_failed").fields()[0], field);
    }
    for explain in [
        json!({"method": "guessing"}),
        json!({}),
        json!({"method": "integrated_gradients", "step": 1}),
    ] {
        let body = json!({"row": row(1), "explain": explain});
        let refused = acme.developer.post(PREDICT, body).await;
        assert!([400, 422].contains(&refused.status), "{refused:?}");
    }
}

#[actix_web::test]
async fn what_features_are_worth_is_measured_by_a_job_and_kept_with_the_version() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    train(&hand, &acme, 40).await;
    let listed =
        async |client: &Client| client.get(IMPORTANCE).await.expect(200).json["items"].clone();
    assert_eq!(listed(&acme.viewer).await, json!([]));
    let job = acme.developer.post(IMPORTANCE, json!({})).await.expect(202);
    assert_eq!((job.text("/kind"), job.text("/name")), ("importance", "importance of garden:1"));
    assert_eq!(job.json["prediction"], json!(null));
    assert_eq!(listed(&acme.viewer).await[0]["result"], json!(null));
    hand.run(job.text("/id").parse().unwrap()).await;
    let found = &listed(&acme.viewer).await[0];
    let said = [
        ("status", json!("succeeded")),
        ("dataset", json!("flowers")),
        ("n_repeats", json!(5)),
        ("seed", json!(0)),
        ("metric", json!("accuracy")),
        ("held_back", json!(true)),
    ];
    for (name, value) in said {
        assert_eq!(found[name], value, "{found}");
    }
    let result = &found["result"];
    let version = acme.viewer.get(&format!("{MODEL}/versions/1")).await.expect(200);
    assert_eq!(
        (&result["rows"], &result["baseline_score"]),
        (&json!(12), &version.json["metrics"]["val_accuracy"])
    );
    let features = result["features"].as_array().unwrap();
    assert_eq!(features[0]["feature"], "length");
    let worth = |place: usize| features[place]["importances_mean"].as_f64().unwrap();
    assert!(worth(0) > 0.1 && worth(0) > worth(1) && worth(0) > worth(2), "{features:?}");
    assert_eq!(features[0]["importances"].as_array().unwrap().len(), 5);
    acme.viewer
        .get(&format!("/v1/jobs/{}/result", job.text("/id")))
        .await
        .expect_problem(409, "conflict");

    // another's rows and another metric, once the model may be seen; each sees its own jobs
    let zeta = app.tenant("zeta").await;
    zeta.developer.post(IMPORTANCE, json!({})).await.expect_problem(404, "not_found");
    acme.owner.patch(MODEL, json!({"visibility": "public", "licence": "mit"})).await.expect(200);
    let refused = zeta.developer.post(IMPORTANCE, json!({})).await;
    assert_eq!(refused.expect_problem(422, "validation_failed").fields(), ["dataset"]);
    hand.run(push(&zeta.developer, "petals", flowers(30)).await).await;
    let asked = json!({"dataset": "petals", "metric": "log_loss", "n_repeats": 2, "seed": 3});
    let theirs = zeta.developer.post(IMPORTANCE, asked).await.expect(202);
    hand.run(theirs.text("/id").parse().unwrap()).await;
    let theirs = &listed(&zeta.viewer).await;
    assert_eq!((theirs.as_array().unwrap().len(), &theirs[0]["result"]["rows"]), (1, &json!(30)));
    assert!(
        theirs[0]["result"]["features"][0]["importances_mean"].as_f64().unwrap() > 0.0,
        "{theirs}"
    );
    assert_eq!(listed(&acme.viewer).await.as_array().unwrap().len(), 1);
    acme.viewer.post(IMPORTANCE, json!({})).await.expect_problem(403, "forbidden");
    for (body, field) in [
        (json!({"n_repeats": 0}), "n_repeats"),
        (json!({"n_repeats": 101}), "n_repeats"),
        (json!({"metric": "r2"}), "metric"),
        (json!({"dataset": "nothing"}), "dataset"),
    ] {
        let refused = acme.developer.post(IMPORTANCE, body).await;
        assert_eq!(refused.expect_problem(422, "validation_failed").fields(), [field]);
    }
}
