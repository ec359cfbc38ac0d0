//! Who has shown no credential: what is public is found and read, all else is not there, and what costs or
//! changes something asks for one.

use std::{num::NonZeroU32, time::Duration};

use actix_web::test::TestRequest;
use boot::rates::Rate;
use serde_json::{Value, json};

use crate::{
    hand::{flowers, push},
    models::{published, published_by_hand},
    support::{Client, Reply, TestApp},
};

const GARDEN: &str = "/v1/models/acme/garden";

fn open() -> Value {
    json!({ "visibility": "public", "licence": "mit", "description": "Flowers by their size" })
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.bytes.to_vec()).unwrap()
}

#[actix_web::test]
async fn a_visitor_finds_a_public_model_and_reads_all_that_is_said_of_it() {
    let (app, acme, _) = published().await;
    acme.owner.patch(GARDEN, open()).await.expect(200);
    let champion = TestRequest::put().uri(&format!("{GARDEN}/aliases/champion"));
    acme.owner.send(champion.set_json(json!({ "version": 1 }))).await.expect(204);
    let nobody = app.nobody();
    let search = "/v1/models?q=flowers&task=binary_classification&metric=val_accuracy&at_least=0.5";
    for search in [search, "/v1/models", "/v1/models?visibility=public"] {
        let found = nobody.get(search).await.expect(200);
        assert_eq!(found.text("/items/0/name"), "garden", "{search}");
    }
    let none = nobody.get("/v1/models?task=forecasting").await.expect(200);
    assert_eq!(none.json["items"], json!([]));

    let model = nobody.get(GARDEN).await.expect(200);
    assert_eq!((model.text("/licence"), &model.json["shared_with"]), ("mit", &Value::Null));
    let version = nobody.get(&format!("{GARDEN}/versions/champion")).await.expect(200);
    // as everybody else who sees it, and without the job, which is its own tenant's
    let ours = acme.viewer.get(&format!("{GARDEN}/versions/1")).await.expect(200);
    let mut shown = ours.json.clone();
    shown["job"] = Value::Null;
    assert_eq!(version.json, shown);
    let matrix = &version.json["evaluations"][0]["confusion_matrix"];
    assert_eq!(matrix.as_array().map(Vec::len), Some(2), "{version:?}");
    let versions = nobody.get(&format!("{GARDEN}/versions")).await.expect(200);
    assert_eq!(versions.json["items"][0]["version"], 1);
    let aliases = nobody.get(&format!("{GARDEN}/aliases")).await.expect(200);
    assert_eq!(aliases.text("/items/0/alias"), "champion");
    let card = nobody.get(&format!("{GARDEN}/versions/1/card")).await.expect(200);
    assert!(text(&card).contains("| accuracy |"), "{card:?}");
    let lineage = nobody.get(&format!("{GARDEN}/versions/1/lineage")).await.expect(200);
    assert_eq!(lineage.json["version"]["trained_on"]["dataset"], "flowers");
    assert_eq!(lineage.json["version"]["job"], Value::Null);
}

#[actix_web::test]
async fn what_is_not_public_is_not_there_and_what_costs_something_asks_for_a_credential() {
    let (app, acme, hand, _) = published_by_hand().await;
    let (zeta, nobody) = (app.tenant("zeta").await, app.nobody());
    let as_none = async |path: &str| {
        let theirs = nobody.get(&format!("/v1/models/acme/garden{path}")).await.expect(404);
        let none = nobody.get(&format!("/v1/models/acme/gardem{path}")).await.expect(404);
        assert_eq!(text(&theirs), text(&none).replace("gardem", "garden"), "{path}");
        let nowhere = nobody.get(&format!("/v1/models/acmf/garden{path}")).await.expect(404);
        assert_eq!(text(&theirs), text(&nowhere).replace("acmf", "acme"), "{path}");
    };
    let reads =
        ["", "/versions", "/versions/1", "/versions/1/card", "/versions/1/lineage", "/aliases"];
    for path in reads {
        as_none(path).await;
    }
    let shared = json!({ "visibility": "shared", "shared_with": ["zeta"] });
    acme.owner.patch(GARDEN, shared).await.expect(200);
    zeta.viewer.get(GARDEN).await.expect(200);
    for path in reads {
        as_none(path).await;
    }
    assert_eq!(nobody.get("/v1/models").await.expect(200).json["items"], json!([]));
    nobody.get("/v1/models?visibility=shared").await.expect_problem(401, "unauthenticated");

    acme.owner.patch(GARDEN, open()).await.expect(200);
    for path in ["/files/config.json", "/manifest", "/compare?with=1", "/importance"] {
        let asked = nobody.get(&format!("{GARDEN}/versions/1{path}")).await;
        asked.expect_problem(401, "unauthenticated");
    }
    let row = json!({ "row": { "length": 1, "width": 0.5, "colour": "red" } });
    let predict = nobody.post(&format!("{GARDEN}/predict"), row).await;
    predict.expect_problem(401, "unauthenticated");
    nobody.get("/hub/acme/garden/resolve/main/config.json").await.expect(401);
    // of versions, what is a draft or gone is nobody else's
    let again = acme.developer.post(&format!("{GARDEN}/versions/1/reproduce"), json!({})).await;
    hand.run(again.expect(202).text("/id").parse().unwrap()).await;
    acme.viewer.get(&format!("{GARDEN}/versions/2")).await.expect(200);
    nobody.get(&format!("{GARDEN}/versions/2")).await.expect(404);
    let seen = nobody.get(&format!("{GARDEN}/versions")).await.expect(200);
    assert_eq!(seen.json["items"].as_array().map(Vec::len), Some(1));
}

#[actix_web::test]
async fn of_what_a_model_was_built_upon_a_visitor_hears_only_if_that_is_public() {
    let (app, acme, hand, _) = published_by_hand().await;
    let nobody = app.nobody();
    hand.run(push(&acme.developer, "petals", flowers(40)).await).await;
    let upon = json!({"dataset": "petals", "base_model": "acme/garden", "epochs": 2, "batch_size": 8,
                      "registered_model_name": "meadow"});
    let job = acme.developer.post("/v1/jobs", upon).await.expect(202);
    hand.run(job.text("/id").parse().unwrap()).await;
    let meadow = "/v1/models/acme/meadow";
    acme.owner.patch(meadow, open()).await.expect(200);
    let all = async |client: &Client| {
        let mut said = String::new();
        for path in ["", "/versions", "/versions/1", "/versions/1/card", "/versions/1/lineage"] {
            said += &text(&client.get(&format!("{meadow}{path}")).await.expect(200));
        }
        said
    };
    assert!(all(&acme.viewer).await.contains("acme/garden"));
    let said = all(&nobody).await;
    assert!(!said.contains("garden"), "{said}");
    acme.owner.patch(GARDEN, open()).await.expect(200);
    assert!(all(&nobody).await.contains("acme/garden"));
    let lineage = nobody.get(&format!("{meadow}/versions/1/lineage")).await.expect(200);
    assert_eq!(lineage.text("/ancestors/0/model"), "acme/garden");
    // and the other way round
    acme.owner.patch(meadow, json!({ "visibility": "private" })).await.expect(200);
    let lineage = nobody.get(&format!("{GARDEN}/versions/1/lineage")).await.expect(200);
    assert_eq!(lineage.json["descendants"], json!([]));
}

#[actix_web::test]
async fn each_address_asks_so_often_without_a_credential() {
    let rate = Rate::new(NonZeroU32::new(2).unwrap(), Duration::from_secs(10));
    let app = TestApp::with(|config| config.rates.visitor = rate).await;
    let acme = app.tenant("acme").await;
    let nobody = app.nobody();
    let ask = async |client: &Client, address: &str| {
        let peer = format!("{address}:5000").parse().unwrap();
        client.send(TestRequest::get().uri("/v1/models").peer_addr(peer)).await
    };
    let first = ask(&nobody, "203.0.113.7").await.expect(200);
    assert_eq!(first.header("ratelimit-policy"), Some(r#""visitor";q=2;w=20"#));
    ask(&nobody, "203.0.113.7").await.expect(200);
    let refused = ask(&nobody, "203.0.113.7").await.expect_problem(429, "rate_limited");
    assert!(refused.text("/detail").contains("without a credential"), "{refused:?}");
    ask(&nobody, "203.0.113.8").await.expect(200);
    ask(&acme.viewer, "203.0.113.7").await.expect(200);
    app.state.clock.advance(chrono::Duration::seconds(10));
    ask(&nobody, "203.0.113.7").await.expect(200);
}

#[actix_web::test]
async fn a_wrong_credential_makes_no_visitor_and_an_operator_may_close_the_door() {
    let (app, acme, _) = published().await;
    acme.owner.patch(GARDEN, open()).await.expect(200);
    let wrong = app.with_credential("cup_nothing");
    wrong.get(GARDEN).await.expect_problem(401, "unauthenticated");
    let closed = TestApp::with(|config| config.visitors = false).await;
    for path in ["/v1/models", GARDEN] {
        closed.nobody().get(path).await.expect_problem(401, "unauthenticated");
    }
}
