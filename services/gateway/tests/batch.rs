//! All rows of a dataset asked by a job: its answers are those of single requests, in a file that is the caller's,
//! and what is wrong is named.

use actix_web::test::TestRequest;
use domain::JobId;
use serde_json::{Value, json};

use crate::{
    egress::limit,
    hand::{Hand, digest, flowers, push},
    models::train,
    support::{Client, Reply, TestApp, TestTenant},
};

const MODEL: &str = "/v1/models/acme/garden";
const BATCH: &str = "/v1/models/acme/garden/batch-predictions";

/// Rows without what is foretold, of which the second has no number where the model reads one.
const WITH_A_BAD_ROW: &str = "length,width,colour\n1,0.5,red\nlong,0.5,blue\n5,,white\n";

/// `acme` has published `garden`; and who works.
async fn garden() -> (TestApp, TestTenant, Hand) {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    train(&hand, &acme, 20).await;
    (app, acme, hand)
}

async fn asked(client: &Client, body: Value) -> JobId {
    let job = client.post(BATCH, body).await.expect(202);
    assert_eq!(job.text("/kind"), "predict");
    job.text("/id").parse().unwrap()
}

async fn job(client: &Client, id: JobId) -> Reply {
    client.get(&format!("/v1/jobs/{id}")).await.expect(200)
}

async fn answers(client: &Client, id: JobId) -> Vec<Value> {
    let file = client.get(&format!("/v1/jobs/{id}/result")).await.expect(200);
    let text = String::from_utf8(file.bytes.to_vec()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Requests and rows, whenever that was.
async fn metered(client: &Client) -> (Value, Value) {
    let ever = "/v1/usage?from=2000-01-01T00:00:00Z&until=2100-01-01T00:00:00Z";
    let usage = client.get(ever).await.expect(200);
    let predictions = &usage.json["predictions"];
    (predictions["requests"].clone(), predictions["rows"].clone())
}

#[actix_web::test]
async fn every_row_is_answered_as_one_alone_and_the_file_is_the_callers() {
    let (app, acme, hand) = garden().await;
    let id = asked(&acme.developer, json!({"dataset": "flowers"})).await;
    let waits = job(&acme.viewer, id).await;
    assert_eq!(waits.text("/name"), "predict garden:1 on flowers:1");
    assert_eq!(
        waits.json["prediction"],
        json!({"model": "acme/garden", "version": 1, "bad_rows": "fail", "result": null, "file": null})
    );
    let result = format!("/v1/jobs/{id}/result");
    acme.viewer.get(&result).await.expect_problem(409, "conflict");
    acme.viewer.get(&format!("/v1/jobs/{id}/explanation")).await.expect(200);
    hand.run(id).await;

    let done = job(&acme.viewer, id).await;
    let (view, file) = (&done.json["prediction"], &done.json["prediction"]["file"]);
    assert_eq!(view["result"], json!({"answered": 60, "bad_rows": 0, "tokens": 0}));
    assert_eq!(file["url"], result.as_str());
    let got = acme.viewer.get(&result).await.expect(200);
    assert_eq!(got.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(
        (file["bytes"].as_u64(), file["sha256"].as_str()),
        (Some(got.bytes.len() as u64), Some(digest(&got.bytes).as_str()))
    );
    let part = TestRequest::get().uri(&result).insert_header(("range", "bytes=10-19"));
    assert_eq!(acme.viewer.send(part).await.expect(206).bytes, got.bytes.slice(10..20));

    let text = flowers(60);
    let rows: Vec<Value> = text
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<_> = line.split(',').collect();
            let number = |cell: usize| cells[cell].parse::<f64>().unwrap();
            json!({"length": number(0), "width": number(1), "colour": cells[2]})
        })
        .collect();
    let online = acme.developer.post(&format!("{MODEL}/predict"), json!({ "rows": rows })).await;
    let online = online.expect(200).json["predictions"].as_array().unwrap().clone();
    let all = answers(&acme.viewer, id).await;
    assert_eq!(all.len(), 60);
    for (i, (batch, online)) in all.iter().zip(&online).enumerate() {
        assert_eq!((&batch["row"], &batch["class"]), (&json!(i + 1), &online["class"]));
        let rose = |of: &Value| of["probabilities"]["rose"].as_f64().unwrap();
        assert!((rose(batch) - rose(online)).abs() < 1e-6, "{batch} and {online}");
    }

    // sixty rows of the job, beside those that were asked here
    app.state.metered.write(&app.state.store, app.state.clock.now()).await.unwrap();
    assert_eq!(metered(&acme.owner).await, (json!(2), json!(120)));
    // nobody else's
    let zeta = app.tenant("zeta").await;
    zeta.owner.get(&result).await.expect_problem(404, "not_found");
    zeta.owner.delete(&result).await.expect_problem(404, "not_found");
    acme.viewer.delete(&result).await.expect_problem(403, "forbidden");
    acme.developer.delete(&result).await.expect(204);
    assert_eq!(job(&acme.viewer, id).await.json["prediction"]["file"], json!(null));
    acme.viewer.get(&result).await.expect_problem(410, "gone");
    acme.developer.delete(&result).await.expect_problem(410, "gone");
}

#[actix_web::test]
async fn a_row_that_does_not_fit_ends_the_job_or_is_listed() {
    let (_app, acme, hand) = garden().await;
    hand.run(push(&acme.developer, "wild", WITH_A_BAD_ROW).await).await;
    let id = asked(&acme.developer, json!({"dataset": "wild"})).await;
    hand.run(id).await;
    let failed = job(&acme.viewer, id).await;
    assert_eq!(
        (failed.text("/status"), failed.text("/cause/code")),
        ("failed", "row_does_not_fit")
    );
    let why = failed.text("/cause/message");
    assert!(why.starts_with("row 2 (line 3): column `length`: expected a number"), "{why}");
    assert!(why.contains("the text `long`") && why.contains("`bad_rows`"), "{why}");
    acme.viewer.get(&format!("/v1/jobs/{id}/result")).await.expect_problem(409, "conflict");

    let id = asked(&acme.developer, json!({"dataset": "wild", "bad_rows": "list"})).await;
    hand.run(id).await;
    let done = job(&acme.viewer, id).await;
    assert_eq!(
        done.json["prediction"]["result"],
        json!({"answered": 2, "bad_rows": 1, "tokens": 0})
    );
    let all = answers(&acme.viewer, id).await;
    let rows: Vec<_> = all.iter().map(|line| line["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, [1, 2, 3]);
    assert_eq!(all[1]["errors"][0]["field"], "length");
    assert!(all[1].get("class").is_none() && all[0].get("errors").is_none(), "{all:?}");
    // what was not answered is not paid for
    assert_eq!(metered(&acme.owner).await, (json!(1), json!(2)));
}

#[actix_web::test]
async fn what_cannot_be_asked_is_refused_before_it_is_queued() {
    let (_app, acme, hand) = garden().await;
    hand.run(push(&acme.developer, "other", "length,kind\n1,iris\n2,rose\n").await).await;
    for (body, field, why) in [
        (json!({"dataset": "other"}), "dataset", "has no column `width`"),
        (json!({"dataset": "nothing"}), "dataset", "there is no dataset `nothing`"),
        (json!({"dataset": "flowers", "version": 7}), "version", "the newest is 1"),
        (json!({"dataset": "flowers", "max_runtime": 0}), "max_runtime", "use 1 to"),
    ] {
        for path in [BATCH.to_owned(), format!("{BATCH}/dry-run")] {
            let refused = acme.developer.post(&path, body.clone()).await;
            let refused = refused.expect_problem(422, "validation_failed");
            assert_eq!(refused.fields()[0], field);
            assert!(refused.text("/errors/0/message").contains(why), "{refused:?}");
        }
    }
    let one = json!({"dataset": "flowers"});
    acme.developer
        .post(&format!("{BATCH}?version=9"), one.clone())
        .await
        .expect_problem(404, "not_found");
    let seen = acme.developer.post(&format!("{BATCH}/dry-run"), one.clone()).await.expect(200);
    assert_eq!((&seen.json["accepted"], &seen.json["spec"]), (&json!(true), &json!(null)));
    assert!(seen.json["uses_at_most"]["cpu_seconds"].as_f64().unwrap() > 0.0, "{seen:?}");
    acme.viewer.post(BATCH, one.clone()).await.expect_problem(403, "forbidden");
    acme.owner.delete(&format!("{MODEL}/versions/1")).await.expect(204);
    acme.developer.post(&format!("{BATCH}?version=1"), one).await.expect_problem(410, "gone");
    let jobs = acme.viewer.get("/v1/jobs?kind=predict").await.expect(200);
    assert_eq!(jobs.json["items"], json!([]));
}

#[actix_web::test]
async fn a_model_of_another_tenant_is_asked_while_it_may_be_seen() {
    let (app, acme, hand) = garden().await;
    let zeta = app.tenant("zeta").await;
    hand.run(push(&zeta.developer, "petals", flowers(8)).await).await;
    let ask = json!({"dataset": "petals"});
    zeta.developer.post(BATCH, ask.clone()).await.expect_problem(404, "not_found");
    let shown = |visibility| json!({"visibility": visibility, "licence": "mit"});
    acme.owner.patch(MODEL, shown("public")).await.expect(200);
    let id = asked(&zeta.developer, ask.clone()).await;
    // yanked meanwhile, it answers as it would a single request
    let yank = json!({"state": "yanked", "reason": "wrong column"});
    acme.owner.patch(&format!("{MODEL}/versions/1"), yank).await.expect(200);
    hand.run(id).await;
    assert_eq!(answers(&zeta.viewer, id).await.len(), 8);
    // the job and what it has found are whose it was
    acme.owner.get(&format!("/v1/jobs/{id}")).await.expect_problem(404, "not_found");
    assert_eq!(metered(&zeta.owner).await, (json!(1), json!(8)));
    assert_eq!(metered(&acme.owner).await, (json!(0), json!(0)));

    let back = json!({"state": "published"});
    acme.owner.patch(&format!("{MODEL}/versions/1"), back).await.expect(200);
    let hidden = asked(&zeta.developer, ask.clone()).await;
    let owns = asked(&acme.developer, json!({"dataset": "flowers"})).await;
    acme.owner.patch(MODEL, json!({"visibility": "private"})).await.expect(200);
    assert!(hand.start(hidden).await.asks.unwrap().model.is_none(), "it is hidden from zeta");
    assert!(hand.start(owns).await.asks.unwrap().model.is_some());
    acme.owner
        .patch(MODEL, json!({"visibility": "shared", "shared_with": ["zeta"]}))
        .await
        .expect(200);
    let shared = asked(&zeta.developer, ask.clone()).await;
    let deleted = asked(&zeta.developer, ask).await;
    hand.run(shared).await;
    acme.owner.delete(&format!("{MODEL}/versions/1")).await.expect(204);
    assert!(hand.start(deleted).await.asks.unwrap().model.is_none(), "it was deleted");
}

#[actix_web::test]
async fn a_cancelled_job_has_no_answers() {
    let (_app, acme, hand) = garden().await;
    let waits = asked(&acme.developer, json!({"dataset": "flowers"})).await;
    acme.developer.post(&format!("/v1/jobs/{waits}/cancel"), json!({})).await.expect(200);
    let runs = asked(&acme.developer, json!({"dataset": "flowers"})).await;
    let given = hand.start(runs).await;
    acme.developer.post(&format!("/v1/jobs/{runs}/cancel"), json!({})).await.expect(200);
    hand.stop(given.attempt).await;
    for id in [waits, runs] {
        let cancelled = job(&acme.viewer, id).await;
        assert_eq!(
            (cancelled.text("/status"), &cancelled.json["prediction"]["file"]),
            ("cancelled", &json!(null))
        );
        acme.viewer.get(&format!("/v1/jobs/{id}/result")).await.expect_problem(409, "conflict");
    }
    assert_eq!(metered(&acme.owner).await, (json!(0), json!(0)));
}

#[actix_web::test]
async fn answers_take_room_and_nothing_is_asked_without_any() {
    let (app, acme, hand) = garden().await;
    let ask = json!({"dataset": "flowers"});
    // the version's card comes with its manifest
    acme.viewer.get(&format!("{MODEL}/versions/1/manifest")).await.expect(200);
    let version = acme.viewer.get(&format!("{MODEL}/versions/1")).await.expect(200);
    let files = version.json["files"].as_array().unwrap();
    let files: u64 = files.iter().map(|file| file["bytes"].as_u64().unwrap()).sum();
    let before = files + flowers(60).len() as u64;
    let id = asked(&acme.developer, ask.clone()).await;
    limit(&app, json!({ "max_storage_bytes": before + 1 })).await;
    // what it has found is kept, and then there is no room
    hand.run(id).await;
    let bytes = job(&acme.viewer, id).await.json["prediction"]["file"]["bytes"].as_u64().unwrap();
    let refused = acme.developer.post(BATCH, ask.clone()).await.expect_problem(403, "storage_full");
    let why = refused.text("/detail");
    assert!(why.starts_with(&format!("the tenant's files have {} bytes", before + bytes)), "{why}");
    assert!(why.contains("results of jobs"), "{why}");
    let foreseen = acme.developer.post(&format!("{BATCH}/dry-run"), ask.clone()).await.expect(200);
    assert_eq!(foreseen.json["accepted"], false);
    acme.developer.delete(&format!("/v1/jobs/{id}/result")).await.expect(204);
    asked(&acme.developer, ask).await;
}
