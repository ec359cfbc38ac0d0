//! The object store's disk is full: a clear answer, nothing half there, and everything as before once there
//! is room again.

use serde_json::json;
use testkit::FullDisk;

use crate::{
    hand::{Hand, flowers, push},
    support::TestApp,
};

#[actix_web::test]
async fn a_push_that_finds_no_room_leaves_nothing_and_harms_nobody() {
    let app = TestApp::new().await;
    let (acme, zeta) = (app.tenant("acme").await, app.tenant("zeta").await);
    let hand = Hand::hire(&app).await;
    let large = flowers(10_000);
    let send = async || {
        let path = "/v1/datasets/flowers/versions";
        let method = actix_web::http::Method::POST;
        acme.developer.upload(method, path, "text/csv", large.clone()).await
    };
    let full = FullDisk::beyond(64 << 10).unwrap();
    let refused = send().await.expect_problem(507, "object_store_full");
    assert!(refused.text("/detail").contains("the operator has to make room"), "{refused:?}");
    assert!(full.met());
    let sets = acme.viewer.get("/v1/datasets").await.expect(200);
    assert_eq!(sets.json["items"], json!([]));
    // what there is room for goes on
    hand.run(push(&zeta.developer, "petals", flowers(20)).await).await;
    drop(full);
    let pushed = send().await.expect(201);
    assert_eq!(pushed.json["version"], 1);
    hand.run(pushed.text("/profile_job").parse().unwrap()).await;
}
