//! Predictions beyond one row after the other: many at once, streams, memory, names that change, and what is counted.

use std::{fs, pin::pin, process::Command, sync::Arc, time::Duration};

use actix_web::{body::MessageBody, http::Method, test::TestRequest, web::Bytes};
use chrono::TimeDelta;
use domain::{predict::Row, registry::VersionState};
use futures::{
    StreamExt,
    future::{Either, join_all, select},
    stream::poll_fn,
};
use serde_json::{Value, json};
use serving::{Asked, Limits, LoadError, PredictError, Predictor, Source};
use store::models::{self, ModelVersion};
use tokio::task::spawn_blocking;

use crate::{
    hand::{Hand, flowers, push},
    models::{published, train},
    support::{Client, Reply, TestApp, TestTenant},
};

const PREDICT: &str = "/v1/models/acme/garden/predict";

fn row(length: u32) -> Value {
    json!({"length": length, "width": 0.5, "colour": "red"})
}

async fn predict(client: &Client, path: &str, body: Value) -> Reply {
    client.post(path, body).await
}

#[actix_web::test]
async fn many_at_once_are_answered_as_each_alone_and_a_wrong_one_fails_alone() {
    let (_app, acme, _) = published().await;
    let mut alone = vec![];
    for length in 1..6 {
        let answer = predict(&acme.developer, PREDICT, json!({"row": row(length)})).await;
        alone.push(answer.expect(200).json["predictions"][0].clone());
    }
    let asked = (0..40_u32).map(|i| {
        let row = if i % 8 == 7 { json!({"length": "long"}) } else { row(1 + i % 5) };
        predict(&acme.developer, PREDICT, json!({ "row": row }))
    });
    for (i, answer) in join_all(asked).await.into_iter().enumerate() {
        if i % 8 == 7 {
            let wrong = answer.expect_problem(422, "validation_failed");
            assert_eq!(wrong.fields(), ["row.length", "row.width", "row.colour"]);
            continue;
        }
        let answer = answer.expect(200);
        let (got, alone) = (&answer.json["predictions"][0], &alone[i % 5]);
        assert_eq!(got["class"], alone["class"]);
        let rose = |of: &Value| of["probabilities"]["rose"].as_f64().unwrap();
        assert!((rose(got) - rose(alone)).abs() < 1e-6, "{got} and {alone}");
    }
}

#[actix_web::test]
async fn many_rows_are_computed_in_parts_and_errors_keep_their_place() {
    let (_app, acme, _) = published().await;
    let mut rows: Vec<Value> = (0..1_000).map(|i| row(1 + i % 5)).collect();
    let all = predict(&acme.developer, PREDICT, json!({ "rows": rows })).await.expect(200);
    let answers = all.json["predictions"].as_array().unwrap();
    assert_eq!(answers.len(), 1_000);
    assert_eq!(answers[0]["class"], answers[995]["class"]);
    rows[900] = json!({"length": 1, "width": 0.5, "colour": [1]});
    let wrong = predict(&acme.developer, PREDICT, json!({ "rows": rows })).await;
    assert_eq!(wrong.expect_problem(422, "validation_failed").fields(), ["rows[900].colour"]);
}

#[actix_web::test]
async fn the_most_probable_classes_come_first_where_only_they_are_asked_for() {
    let (_app, acme, _) = published().await;
    let ask =
        async |k: i64| predict(&acme.developer, PREDICT, json!({"row": row(5), "top_k": k})).await;
    let one = ask(1).await.expect(200);
    assert_eq!(one.json["predictions"][0]["top"][0]["class"], "rose");
    assert_eq!(one.json["predictions"][0]["top"].as_array().unwrap().len(), 1);
    let all = ask(9).await.expect(200);
    let classes: Vec<_> = all.json["predictions"][0]["top"].as_array().unwrap().iter().collect();
    assert_eq!([&classes[0]["class"], &classes[1]["class"]], ["rose", "iris"]);
    assert_eq!(ask(0).await.expect_problem(422, "validation_failed").fields(), ["top_k"]);
    let stream = json!({"row": row(5), "stream": true});
    let stream = predict(&acme.developer, PREDICT, stream).await;
    assert_eq!(stream.expect_problem(422, "validation_failed").fields(), ["stream"]);
}

/// A tenant with the language model `parrot`, which goes on as its few words do.
pub async fn speaking(app: &TestApp) -> TestTenant {
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(app).await;
    let text = ["hello world. "; 60].concat();
    let words = "/v1/datasets/words/versions";
    let pushed = acme.developer.upload(Method::POST, words, "text/plain", text).await.expect(201);
    hand.run(pushed.text("/profile_job").parse().unwrap()).await;
    let draft = json!({
        "dataset": "words", "context": 16, "epochs": 1, "batch_size": 8,
        "model": {"family": "transformer", "embedding_dim": 8, "num_heads": 2, "num_layers": 1},
        "registered_model_name": "parrot",
    });
    let job = acme.developer.post("/v1/jobs", draft).await.expect(202);
    hand.run(job.text("/id").parse().unwrap()).await;
    acme
}

#[actix_web::test]
async fn a_text_comes_piece_by_piece_and_its_end_has_the_whole() {
    let app = TestApp::new().await;
    let acme = speaking(&app).await;
    let path = "/v1/models/acme/parrot/predict";
    let row = json!({"prompt": "hello wor", "max_tokens": 30, "temperature": 0});
    let whole = predict(&acme.developer, path, json!({ "row": row })).await.expect(200);
    let text = whole.text("/predictions/0/text");
    let asked = TestRequest::post().uri(path).set_json(json!({"row": row, "stream": true}));
    let told = acme.developer.send(asked).await.expect(200);
    assert_eq!(told.header("content-type"), Some("text/event-stream"));
    let events = String::from_utf8(told.bytes.to_vec()).unwrap();
    let events: Vec<&str> = events.trim_end().split("\n\n").collect();
    let (end, pieces) = events.split_last().unwrap();
    let data = |event: &str| -> Value {
        serde_json::from_str(event.rsplit_once("data: ").unwrap().1).unwrap()
    };
    let joined: String =
        pieces.iter().map(|event| data(event)["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(joined, text);
    assert!(pieces.len() > 10, "{events:?}");
    let end = data(end.strip_prefix("event: done\n").unwrap());
    assert_eq!((end["text"].as_str(), &end["tokens"]), (Some(text), &json!(30)));
    // asked for by what is accepted, too; what is wrong has its status
    let wrong = TestRequest::post().uri(path).insert_header(("accept", "text/event-stream"));
    let wrong = wrong.set_json(json!({"row": {"prompt": "", "max_tokens": 0}}));
    let wrong = acme.developer.send(wrong).await.expect_problem(422, "validation_failed");
    assert_eq!(wrong.fields(), ["row.prompt", "row.max_tokens"]);
    let several = json!({"rows": [row, row], "stream": true});
    let several = predict(&acme.developer, path, several).await;
    assert_eq!(several.expect_problem(422, "validation_failed").fields(), ["stream"]);
}

#[actix_web::test]
async fn who_leaves_in_the_middle_of_a_text_ends_it() {
    let app = TestApp::new().await;
    let acme = speaking(&app).await;
    let path = "/v1/models/acme/parrot/predict";
    let row = json!({"prompt": "hello", "max_tokens": 4096, "temperature": 0});
    let asked = TestRequest::post().uri(path).set_json(json!({"row": row, "stream": true}));
    let mut body = Box::pin(acme.developer.open(asked).await.into_body());
    let first: Bytes = poll_fn(|cx| body.as_mut().poll_next(cx)).next().await.unwrap().unwrap();
    assert!(first.starts_with(b"data: "), "{first:?}");
    drop(body);
    // the one thread that generates is free again for whoever is next
    let next = json!({"row": {"prompt": "hello", "max_tokens": 2}});
    predict(&acme.developer, path, next).await.expect(200);
    let hot = app.state.predictor.loaded().remove(0);
    assert_eq!(hot.stats.counts().answered.count, 2);
}

/// Versions 1 and 2 of `garden`.
async fn published_twice() -> TestApp {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    for epochs in [1, 2] {
        train(&hand, &acme, epochs).await;
    }
    app
}

/// A version of `garden`, as its row is.
async fn version(app: &TestApp, number: u32) -> Arc<ModelVersion> {
    let mut tx = app.state.store.begin().await.unwrap();
    let model = sole_model(app).await;
    let named = number.to_string().parse().unwrap();
    Arc::new(models::version(&mut tx, model, &named).await.unwrap().unwrap())
}

async fn sole_model(app: &TestApp) -> domain::ModelId {
    let mut tx = app.state.store.begin().await.unwrap();
    let tenant = store::tenants::by_slug(&mut tx, "acme").await.unwrap().unwrap().id;
    let mut tx = app.state.store.begin_for(tenant).await.unwrap();
    models::get(&mut tx, "acme", "garden").await.unwrap().unwrap().id
}

async fn ask(predictor: &Predictor, version: &Arc<ModelVersion>) -> Result<(), PredictError> {
    let (tenant, version) = (version.tenant, Source::from(&**version));
    let asked = Asked { tenant, caller: "acme", model: "acme/garden", version, explain: None };
    let Value::Object(row) = row(5) else { unreachable!() };
    predictor.predict(asked, vec![Row::from(row)]).await.map(drop)
}

fn limits(memory_bytes: u64) -> Limits {
    Limits { memory_bytes, cores: 1, batch_rows: 8, patience: Limits::PATIENCE }
}

#[actix_web::test]
async fn models_make_room_for_each_other_and_one_too_large_is_refused_unread() {
    let app = published_twice().await;
    let (first, second) = (version(&app, 1).await, version(&app, 2).await);
    let roomy = Predictor::new(app.state.blobs.clone(), limits(1 << 30));
    // several at once wait for one reading
    for answer in join_all((0..20).map(|_| ask(&roomy, &first))).await {
        answer.unwrap();
    }
    assert_eq!(roomy.loaded().len(), 1);
    let bytes = roomy.loaded_bytes();
    ask(&roomy, &second).await.unwrap();
    assert_eq!(roomy.loaded().len(), 2);

    let for_one = Predictor::new(app.state.blobs.clone(), limits(bytes * 3 / 2));
    for version in [&first, &second, &first] {
        ask(&for_one, version).await.unwrap();
        let loaded = for_one.loaded();
        assert_eq!((loaded.len(), loaded[0].key.1), (1, version.number));
    }
    let small = Predictor::new(app.state.blobs.clone(), limits(100));
    let Err(PredictError::Load(error)) = ask(&small, &first).await else {
        panic!("it is too large")
    };
    assert!(matches!(*error, LoadError::TooLarge { budget_bytes: 100, .. }), "{error}");
    assert!(error.to_string().contains("CUPOLA_MODEL_MEMORY_BYTES"), "{error}");
}

#[actix_web::test]
async fn a_version_that_cannot_be_loaded_fails_alone_and_is_tried_again() {
    let app = published_twice().await;
    let (first, second) = (version(&app, 1).await, version(&app, 2).await);
    app.damage(&second.made.as_ref().unwrap().weights_sha256.to_string());
    let predictor = Predictor::new(app.state.blobs.clone(), limits(1 << 30));
    let both =
        join_all((0..10).map(|i| ask(&predictor, if i % 2 == 0 { &first } else { &second })));
    for (i, answer) in both.await.into_iter().enumerate() {
        assert_eq!(answer.is_ok(), i % 2 == 0, "{answer:?}");
    }
    // mended: the change of a byte undoes itself
    app.damage(&second.made.as_ref().unwrap().weights_sha256.to_string());
    ask(&predictor, &second).await.unwrap();
}

/// As an object store does whose disk hangs: its file is a pipe that nobody writes to.
#[actix_web::test]
async fn a_store_that_is_silent_holds_up_its_own_version_and_not_for_ever() {
    let app = published_twice().await;
    let (first, second) = (version(&app, 1).await, version(&app, 2).await);
    let stored = app.stored(&second.made.as_ref().unwrap().weights_sha256.to_string());
    let aside = stored.with_extension("aside");
    fs::rename(&stored, &aside).unwrap();
    assert!(Command::new("mkfifo").arg(&stored).status().unwrap().success());

    let predictor = Predictor::new(app.state.blobs.clone(), limits(1 << 30));
    let waiting = pin!(ask(&predictor, &second));
    let Either::Right((answer, waiting)) = select(waiting, pin!(ask(&predictor, &first))).await
    else {
        panic!("a silent store has answered")
    };
    answer.unwrap();
    let patience = Duration::ZERO;
    let impatient = Predictor::new(app.state.blobs.clone(), Limits { patience, ..limits(1 << 30) });
    let answer = ask(&impatient, &second).await;
    assert!(matches!(answer, Err(PredictError::Loading(_))), "{answer:?}");

    // who opens the pipe waits until somebody reads it; who has read it hears its end, others find the file
    let pipe = stored.clone();
    let write = move || fs::OpenOptions::new().write(true).open(pipe);
    let silence = spawn_blocking(write).await.unwrap().unwrap();
    fs::rename(&aside, &stored).unwrap();
    drop(silence);
    let _damaged_or_not = waiting.await;
    ask(&predictor, &second).await.unwrap();
}

#[actix_web::test]
async fn a_name_means_for_a_second_what_it_meant_where_another_gateway_changed_it() {
    let (app, acme, _) = published().await;
    let zeta = app.tenant("zeta").await;
    let public = json!({"visibility": "public", "licence": "mit"});
    acme.owner.patch("/v1/models/acme/garden", public).await.expect(200);
    let theirs = async || predict(&zeta.developer, PREDICT, json!({"row": row(5)})).await;
    theirs().await.expect(200);
    // behind this gateway's back
    let mut tx = app.state.store.begin_for(version(&app, 1).await.tenant).await.unwrap();
    let (from, to) = (VersionState::Published, VersionState::Yanked);
    let first = (sole_model(&app).await, 1);
    assert!(models::set_state(&mut tx, first, from, to, "it is wrong").await.unwrap());
    tx.commit().await.unwrap();
    theirs().await.expect(200);
    app.state.clock.advance(TimeDelta::seconds(1));
    theirs().await.expect_problem(404, "not_found");
    // through it: at once
    let named = format!("{PREDICT}?version=1");
    let warned = predict(&acme.developer, &named, json!({"row": row(5)})).await.expect(200);
    assert_eq!(warned.text("/warning"), "version 1 was yanked: it is wrong");
    let published = json!({"state": "published"});
    acme.owner.patch("/v1/models/acme/garden/versions/1", published).await.expect(200);
    theirs().await.expect(200);
}

#[actix_web::test]
async fn predictions_are_metered_to_who_calls_once() {
    let (app, acme, _) = published().await;
    let zeta = app.tenant("zeta").await;
    let public = json!({"visibility": "public", "licence": "mit"});
    acme.owner.patch("/v1/models/acme/garden", public).await.expect(200);
    let rows = json!({"rows": vec![row(1); 300]});
    predict(&zeta.developer, PREDICT, rows).await.expect(200);
    predict(&zeta.developer, PREDICT, json!({"row": {}}))
        .await
        .expect_problem(422, "validation_failed");
    predict(&zeta.developer, PREDICT, json!({"row": row(1)})).await.expect(200);
    let now = app.state.clock.now();
    app.state.metered.write(&app.state.store, now).await.unwrap();
    app.state.metered.write(&app.state.store, now).await.unwrap();
    app.state.clock.advance(TimeDelta::seconds(1));
    let usage =
        async |who: &Client| who.get("/v1/usage").await.expect(200).json["predictions"].clone();
    let theirs = usage(&zeta.viewer).await;
    assert_eq!((&theirs["requests"], &theirs["rows"]), (&json!(2), &json!(301)));
    assert_eq!(usage(&acme.viewer).await["requests"], 0);
    let metrics = app.nobody().get("/metrics").await.expect(200);
    let metrics = String::from_utf8(metrics.bytes.to_vec()).unwrap();
    for line in [
        r#"predict_requests_total{model="acme/garden",version="1",tenant="zeta",outcome="failed"} 1"#,
        r#"predict_rows_total{model="acme/garden",version="1",tenant="zeta"} 301"#,
        r#"predict_batch_rows_bucket{model="acme/garden",version="1",le="1"} 2"#,
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[actix_web::test]
async fn a_request_whose_turn_does_not_come_is_told_so_and_not_computed() {
    let (app, _, _) = published().await;
    let first = version(&app, 1).await;
    let impatient = Limits { patience: Duration::ZERO, ..limits(1 << 30) };
    let predictor = Predictor::new(app.state.blobs.clone(), impatient);
    predictor.warm(Source::from(&*first)).await.unwrap();
    let answer = ask(&predictor, &first).await;
    assert!(matches!(answer, Err(PredictError::Late(_))), "{answer:?}");
    let counts = predictor.loaded()[0].stats.counts();
    assert_eq!((counts.failed.count, counts.passes.len()), (1, 0));
}
