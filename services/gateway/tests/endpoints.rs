//! Endpoints through the API: traffic is shared out, shifted and taken back, a shadow is compared, and what
//! cannot answer never comes into force.

use std::collections::BTreeMap;

use actix_web::test::TestRequest;
use gateway::{warm, write_tallies};
use serde_json::{Value, json};
use store::{
    endpoints::{self, NewTarget, Settings},
    tenants,
};

use crate::{
    hand::{Hand, flowers, push},
    models::{published, train},
    support::{Client, Reply, TestApp, TestTenant},
};

const LIVE: &str = "/v1/endpoints/live";

/// Two versions of `acme/garden`.
async fn two_versions() -> (TestApp, TestTenant) {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    for epochs in [40, 41] {
        train(&hand, &acme, epochs).await;
    }
    (app, acme)
}

fn garden(version: &str, weight: u32) -> Value {
    json!({"model": "acme/garden", "version": version, "weight": weight})
}

async fn put(client: &Client, body: &Value) -> Reply {
    client.send(TestRequest::put().uri(LIVE).set_json(body)).await
}

async fn ask(client: &Client, key: &str) -> Reply {
    let row = json!({"row": {"length": 5, "width": 0.5, "colour": "blue"}});
    let request = TestRequest::post().uri(&format!("{LIVE}/predict")).set_json(row);
    client.send(request.insert_header(("sticky-key", key))).await
}

/// Key to the version that answered.
async fn answers(client: &Client, keys: usize) -> BTreeMap<String, u64> {
    let mut answers = BTreeMap::new();
    for n in 0..keys {
        let reply = ask(client, &format!("customer-{n}")).await.expect(200);
        assert_eq!(reply.text("/predictions/0/class"), "rose");
        answers.insert(format!("customer-{n}"), reply.json["version"].as_u64().unwrap());
    }
    answers
}

fn of_version(answers: &BTreeMap<String, u64>, version: u64) -> usize {
    answers.values().filter(|answered| **answered == version).count()
}

#[actix_web::test]
async fn a_canary_is_given_its_share_grows_and_is_taken_back() {
    let (app, acme) = two_versions().await;
    let owner = &acme.developer;
    let made = put(owner, &json!({"traffic": [garden("1", 100)]})).await.expect(200);
    assert_eq!((made.header("etag"), &made.json["revision"]), (Some("\"1\""), &json!(1)));
    assert_eq!(of_version(&answers(owner, 20).await, 1), 20);

    put(owner, &json!({"traffic": [garden("1", 80), garden("2", 20)]})).await.expect(200);
    let tenth = answers(owner, 60).await;
    assert!((4..=20).contains(&of_version(&tenth, 2)), "{tenth:?}");
    assert_eq!(answers(owner, 60).await, tenth, "who has a key stays where they were");

    let half = json!({"traffic": [garden("1", 50), garden("2", 50)]});
    let split = put(owner, &half).await.expect(200);
    assert_eq!(split.json["traffic"][1]["percent"], 50.0);
    assert_eq!(put(owner, &half).await.expect(200).json["revision"], 3, "the same split");
    let grown = answers(owner, 60).await;
    assert!(tenth.iter().all(|(key, version)| *version == 1 || grown[key] == 2));
    write_tallies(&app.state).await.unwrap();
    let counted = owner.get(LIVE).await.expect(200);
    let sum: u64 = [0, 1]
        .map(|place| counted.json["traffic"][place]["requests"].as_u64().unwrap())
        .iter()
        .sum();
    assert_eq!(sum, 60);
    assert_eq!(counted.json["traffic"][1]["rows"], of_version(&grown, 2) as u64);

    let back = format!("{LIVE}/rollback");
    let back_once = owner.post(&back, json!({})).await.expect(200);
    assert_eq!(
        (&back_once.json["revision"], back_once.json["traffic"][1]["weight"].as_u64()),
        (&json!(4), Some(20))
    );
    assert_eq!(answers(owner, 60).await, tenth);
    let to_first = owner.post(&back, json!({"revision": 1})).await.expect(200);
    assert_eq!(to_first.json["traffic"].as_array().unwrap().len(), 1);
    let splits = owner.get(&format!("{LIVE}/revisions")).await.expect(200);
    let numbers: Vec<_> =
        splits.json["items"].as_array().unwrap().iter().map(|one| &one["revision"]).collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
    assert_eq!(splits.json["items"][2]["traffic"][1]["requests"], of_version(&grown, 2) as u64);
    for nowhere in [json!({"revision": 5}), json!({"revision": 9})] {
        owner.post(&back, nowhere).await.expect_problem(409, "conflict");
    }
}

#[actix_web::test]
async fn who_changes_what_another_has_changed_is_told() {
    let (_app, acme, _) = published().await;
    let body = json!({"traffic": [garden("latest", 1)], "description": "Flowers"});
    let put_upon = |tag: &str| {
        TestRequest::put().uri(LIVE).set_json(&body).insert_header(("if-match", tag.to_owned()))
    };
    let early = acme.developer.send(put_upon("\"1\"")).await;
    assert!(
        early
            .expect_problem(412, "precondition_failed")
            .text("/detail")
            .contains("leave `If-Match` out")
    );
    put(&acme.developer, &body).await.expect(200);
    for good in ["\"1\"", "*", "\"7\", \"1\""] {
        acme.developer.send(put_upon(good)).await.expect(200);
    }
    let late = acme.developer.send(put_upon("\"7\"")).await;
    assert!(
        late.expect_problem(412, "precondition_failed").text("/detail").contains("is at \"1\"")
    );
    acme.viewer.send(put_upon("*")).await.expect_problem(403, "forbidden");
}

#[actix_web::test]
async fn a_shadow_answers_nobody_and_is_compared() {
    let (app, acme) = two_versions().await;
    let shadowed = json!({
        "traffic": [garden("1", 1)],
        "shadow": {"model": "acme/garden", "version": "2", "percent": 100},
    });
    put(&acme.developer, &shadowed).await.expect(200);
    assert_eq!(of_version(&answers(&acme.developer, 4).await, 1), 4);
    // with its reasons, which are not the shadow's to tell
    let body = json!({
        "row": {"length": 5, "width": 0.5, "colour": "blue"},
        "explain": {"method": "integrated_gradients"},
    });
    let explained = acme.developer.post(&format!("{LIVE}/predict"), body).await.expect(200);
    assert_eq!(explained.text("/predictions/0/prediction/class"), "rose");
    let parts = &explained.json["predictions"][0]["explanation"]["attributions"];
    assert_eq!(parts.as_array().map(Vec::len), Some(3), "{explained:?}");
    // it is asked behind the callers' backs: its last answer may still be on its way
    let counted = loop {
        write_tallies(&app.state).await.unwrap();
        let reply = acme.developer.get(LIVE).await.expect(200);
        if reply.json["shadow"]["requests"] == 5 {
            break reply;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(counted.json["shadow"]["agreement"], 1.0);
    assert_eq!(counted.json["traffic"][0]["requests"], 5);
}

#[actix_web::test]
async fn a_split_that_cannot_answer_is_refused_by_field() {
    let (_app, acme, _) = published().await;
    let with = |field: &str, value: Value| {
        let mut body = json!({"traffic": [garden("1", 1)]});
        body[field] = value;
        body
    };
    for (body, field) in [
        (with("traffic", json!([])), "traffic"),
        (with("traffic", json!([garden("1", 0)])), "traffic"),
        (with("traffic", json!([garden("1", 10_001)])), "traffic[0].weight"),
        (with("traffic", json!([garden("1", 1), garden("7", 1)])), "traffic[1].version"),
        (with("traffic", json!([garden("no such", 1)])), "traffic[0].version"),
        (with("traffic", json!([{"model": "garden", "weight": 1}])), "traffic[0].model"),
        (with("traffic", json!([{"model": "zeta/garden", "weight": 1}])), "traffic[0].model"),
        (with("shadow", json!({"model": "acme/none"})), "shadow.model"),
        (with("shadow", json!({"model": "acme/garden", "percent": 101})), "shadow.percent"),
        (with("max_concurrent", json!(0)), "max_concurrent"),
        (with("requests_per_second", json!(0)), "requests_per_second"),
        (with("description", json!("x".repeat(2_001))), "description"),
    ] {
        let refused = put(&acme.developer, &body).await;
        let refused = refused.expect_problem(422, "validation_failed");
        assert_eq!(refused.text("/errors/0/field"), field, "{refused:?}");
    }
    acme.developer.get(LIVE).await.expect_problem(404, "not_found");
    put(&acme.developer, &json!({"traffic": [garden("1", 1)]})).await.expect(200);
    for key in ["", &"k".repeat(201), "\u{e9}"] {
        ask(&acme.developer, key).await.expect_problem(422, "validation_failed");
    }
    acme.developer
        .post(&format!("{LIVE}/predict"), json!({"row": {"length": "long"}}))
        .await
        .expect_problem(422, "validation_failed");
}

#[actix_web::test]
async fn a_version_that_cannot_be_loaded_never_comes_into_force() {
    let (app, acme) = two_versions().await;
    put(&acme.developer, &json!({"traffic": [garden("1", 1)]})).await.expect(200);
    let version = acme.developer.get("/v1/models/acme/garden/versions/2").await.expect(200);
    let files = version.json["files"].as_array().unwrap();
    let weights = files.iter().find(|file| file["name"] == "model.safetensors").unwrap();
    app.damage(weights["sha256"].as_str().unwrap());
    put(&acme.developer, &json!({"traffic": [garden("2", 1)]})).await.expect(500);
    let still = acme.developer.get(LIVE).await.expect(200);
    assert_eq!(
        (&still.json["revision"], &still.json["traffic"][0]["version"]),
        (&json!(1), &json!(1))
    );
    ask(&acme.developer, "a").await.expect(200);
}

#[actix_web::test]
async fn a_version_that_is_deleted_says_so_and_the_rest_answers() {
    let (_app, acme) = two_versions().await;
    put(&acme.developer, &json!({"traffic": [garden("1", 50), garden("2", 50)]})).await.expect(200);
    let before = answers(&acme.developer, 30).await;
    acme.owner.delete("/v1/models/acme/garden/versions/2").await.expect(204);
    for (key, version) in before {
        let reply = ask(&acme.developer, &key).await;
        if version == 2 {
            assert!(
                reply
                    .expect_problem(410, "gone")
                    .text("/detail")
                    .contains("change the endpoint's traffic")
            );
        } else {
            reply.expect(200);
        }
    }
    put(&acme.developer, &json!({"traffic": [garden("1", 1)]})).await.expect(200);
    let back = acme.developer.post(&format!("{LIVE}/rollback"), json!({})).await;
    assert!(
        back.expect_problem(409, "conflict")
            .text("/detail")
            .contains("version 2 of `acme/garden` is gone")
    );
}

#[actix_web::test]
async fn an_endpoint_lets_through_what_it_is_told_to() {
    let (app, acme, _) = published().await;
    let body = json!({"traffic": [garden("1", 1)], "requests_per_second": 1});
    put(&acme.developer, &body).await.expect(200);
    let mut refused = None;
    // a bucket holds some seconds' worth
    for _ in 0..30 {
        let reply = ask(&acme.developer, "a").await;
        if reply.status != 200 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.expect("a limit of one a second").expect_problem(429, "rate_limited");
    assert!(refused.text("/detail").contains("by this endpoint"));
    assert!(refused.header("retry-after").is_some());
    let other = app.tenant("zeta").await;
    ask(&other.developer, "a").await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn what_is_kept_warm_needs_its_files_no_more() {
    let (app, acme, _) = published().await;
    let mut tx = app.state.store.begin().await.unwrap();
    let tenant = tenants::by_slug(&mut tx, "acme").await.unwrap().unwrap().id;
    tx.commit().await.unwrap();
    // not by its route, which loads it
    let mut tx = app.state.store.begin_for(tenant).await.unwrap();
    let model = store::models::get(&mut tx, "acme", "garden").await.unwrap().unwrap().id;
    let settings = Settings {
        description: String::new(),
        keep_warm: true,
        max_concurrent: 1,
        per_second: None,
    };
    let id = endpoints::create(&mut tx, &"live".parse().unwrap(), &settings).await.unwrap();
    let target = NewTarget { model, version: 1, weight: 1, is_shadow: false };
    endpoints::split(&mut tx, id.unwrap(), acme.owner_id, &[target]).await.unwrap();
    tx.commit().await.unwrap();
    warm(&app.state).await.unwrap();
    let version = acme.developer.get("/v1/models/acme/garden/versions/1").await.expect(200);
    for file in version.json["files"].as_array().unwrap() {
        app.damage(file["sha256"].as_str().unwrap());
    }
    ask(&acme.developer, "a").await.expect(200);
    acme.developer.delete(LIVE).await.expect(204);
    acme.developer.get(LIVE).await.expect_problem(404, "not_found");
}
