//! Training on from a model that is there: one's own, or another tenant's whose licence allows it.

use serde_json::{Value, json};

use crate::{
    hand::{Hand, flowers, push},
    models::train,
    support::{Client, TestApp, TestTenant},
};

const GARDEN: &str = "/v1/models/acme/garden";

/// Acme's `garden` with one version, which zeta may see or not; and zeta's own flowers.
async fn garden(seen: Value) -> (TestApp, TestTenant, TestTenant, Hand) {
    let app = TestApp::new().await;
    let (acme, zeta) = (app.tenant("acme").await, app.tenant("zeta").await);
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    hand.run(push(&zeta.developer, "petals", flowers(40)).await).await;
    acme.owner.post("/v1/models", json!({"name": "garden"})).await.expect(201);
    acme.owner.patch(GARDEN, seen).await.expect(200);
    train(&hand, &acme, 30).await;
    (app, acme, zeta, hand)
}

fn upon(base: &str) -> Value {
    json!({"dataset": "petals", "base_model": base, "epochs": 2, "batch_size": 8,
           "registered_model_name": "meadow"})
}

async fn refused(client: &Client, draft: Value) -> String {
    let refused = client.post("/v1/jobs", draft).await.expect_problem(422, "validation_failed");
    format!("{} {}", refused.text("/errors/0/field"), refused.text("/errors/0/message"))
}

#[actix_web::test]
async fn another_tenants_public_model_is_trained_on_and_both_know_it() {
    let seen = json!({"visibility": "public", "licence": "apache-2.0"});
    let (_app, acme, zeta, hand) = garden(seen).await;
    let job = zeta.developer.post("/v1/jobs", upon("acme/garden")).await.expect(202);
    let base = &job.json["spec"]["base_model"];
    assert_eq!((&base["model"], &base["version"]), (&json!("acme/garden"), &json!(1)));
    assert_eq!(job.json["spec"]["target"], "kind");
    hand.run(job.text("/id").parse().unwrap()).await;
    let ours = "/v1/models/zeta/meadow";
    let made = zeta.viewer.get(&format!("{ours}/versions/1")).await.expect(200);
    assert_eq!(made.json["reproduces"], json!(null));
    let first = acme.viewer.get(&format!("{GARDEN}/versions/1")).await.expect(200);
    let loss = |of: &Value| of["metrics"]["val_loss"].as_f64().unwrap();
    // two epochs from chance are far from what thirty and two have learned
    let chance = json!({
        "dataset": "petals", "target": "kind", "epochs": 2, "batch_size": 8,
        "model": {"layers": first.json["spec"]["layers"]},
        "registered_model_name": "chance",
    });
    let job = zeta.developer.post("/v1/jobs", chance).await.expect(202);
    hand.run(job.text("/id").parse().unwrap()).await;
    let chance = zeta.viewer.get("/v1/models/zeta/chance/versions/1").await.expect(200);
    assert!(loss(&made.json) < loss(&chance.json) / 2.0, "{made:?} {chance:?}");

    let lineage = zeta.viewer.get(&format!("{ours}/versions/1/lineage")).await.expect(200);
    assert_eq!(lineage.json["version"]["base"], "acme/garden:1");
    assert_eq!(lineage.json["version"]["trained_on"]["dataset"], "petals");
    assert_eq!(lineage.json["ancestors"][0]["model"], "acme/garden");
    zeta.owner.patch(ours, json!({"visibility": "public", "licence": "mit"})).await.expect(200);
    let down = acme.viewer.get(&format!("{GARDEN}/versions/1/lineage")).await.expect(200);
    assert_eq!(down.json["descendants"][0]["model"], "zeta/meadow");
    let manifest = zeta.viewer.get(&format!("{ours}/versions/1/manifest")).await.expect(200);
    assert_eq!(manifest.json["manifest"]["base"]["model"], "acme/garden");
    let card = zeta.viewer.get(&format!("{ours}/versions/1/card")).await.expect(200);
    let card = String::from_utf8(card.bytes.to_vec()).unwrap();
    assert!(card.contains("| Trained on from | `acme/garden` version 1 |"), "{card}");

    let again = zeta.developer.post(&format!("{ours}/versions/1/reproduce"), json!({})).await;
    hand.run(again.expect(202).text("/id").parse().unwrap()).await;
    let second = zeta.viewer.get(&format!("{ours}/versions/2")).await.expect(200);
    let same = json!({"version": 1, "same_weights": true, "same_config": true});
    assert_eq!(second.json["reproduces"], same);
    // once it is out of sight nobody can begin from it again
    acme.owner.patch(GARDEN, json!({"visibility": "private"})).await.expect(200);
    let again = zeta.developer.post(&format!("{ours}/versions/1/reproduce"), json!({})).await;
    let again = again.expect_problem(409, "conflict");
    assert!(again.text("/detail").contains("trained on from `acme/garden:1`"), "{again:?}");
}

#[actix_web::test]
async fn what_one_may_not_see_is_not_there_and_what_forbids_derivatives_is_refused() {
    let (_app, acme, zeta, _hand) = garden(json!({"licence": "cc-by-nd-4.0"})).await;
    let private = refused(&zeta.developer, upon("acme/garden")).await;
    let nothing = refused(&zeta.developer, upon("acme/nothing")).await;
    assert_eq!(private, "base_model there is no model version `acme/garden`");
    assert_eq!(private.replace("garden", "nothing"), nothing);
    acme.owner.patch(GARDEN, json!({"visibility": "public"})).await.expect(200);
    let forbidden = zeta.developer.post("/v1/jobs", upon("acme/garden:1")).await;
    let forbidden = forbidden.expect_problem(403, "forbidden");
    assert!(forbidden.text("/detail").contains("forbids derivatives"), "{forbidden:?}");
    for odd in ["garden", "acme/garden:9", "acme/garden@none", "acme/", "No/ No"] {
        let said = refused(&zeta.developer, upon(odd)).await;
        assert!(said.starts_with("base_model "), "{said}");
    }
    // its own tenant may, and its alias is the version that it stands for now
    let own = json!({"dataset": "flowers", "base_model": "acme/garden@best", "epochs": 1,
                     "registered_model_name": "garden"});
    refused(&acme.developer, own.clone()).await;
    let alias = acme.owner.send(
        actix_web::test::TestRequest::put()
            .uri(&format!("{GARDEN}/aliases/best"))
            .set_json(json!({"version": 1})),
    );
    alias.await.expect(204);
    let job = acme.developer.post("/v1/jobs", own).await.expect(202);
    assert_eq!(job.json["spec"]["base_model"]["version"], 1);
    let gone = json!({"state": "yanked", "reason": "wrong column"});
    acme.owner.patch(&format!("{GARDEN}/versions/1"), gone).await.expect(200);
    let yanked = json!({"dataset": "flowers", "base_model": "acme/garden:1"});
    acme.developer.post("/v1/jobs", yanked).await.expect_problem(409, "conflict");
}

#[actix_web::test]
async fn layers_that_are_not_the_bases_are_named_before_anything_is_queued() {
    let (_app, acme, _zeta, _hand) = garden(json!({})).await;
    let mut draft = json!({"dataset": "flowers", "base_model": "acme/garden", "epochs": 1});
    draft["model"] = json!({"layers": [
        {"type": "Dense", "units": 5, "activation": "relu"},
        {"type": "Dense", "units": 1, "activation": "sigmoid"},
    ]});
    let said = refused(&acme.developer, draft.clone()).await;
    assert!(said.starts_with("model the layers are not those of `acme/garden:1`"), "{said}");
    assert!(
        said.contains("`layers.0.kernel`: needs the shape [") && said.contains("has ["),
        "{said}"
    );
    draft["model"] = json!({"layers": [
        {"type": "Dense", "units": 8, "activation": "tanh"},
        {"type": "Dense", "units": 1, "activation": "sigmoid"},
    ]});
    acme.developer.post("/v1/jobs", draft).await.expect(202);
    let both = json!({"dataset": "flowers", "base_model": "acme/garden", "drop": ["width"]});
    let said = refused(&acme.developer, both).await;
    assert!(said.contains("comes with the base model"), "{said}");
}
