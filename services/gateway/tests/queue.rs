//! The queue as those who run the platform see it, and what another quota would change.

use serde_json::{Value, json};

use crate::{
    hand::{Hand, flowers, push},
    support::TestApp,
};

fn of<'a>(list: &'a Value, tenant: &str) -> Vec<&'a Value> {
    list.as_array().unwrap().iter().filter(|one| one["tenant"] == tenant).collect()
}

#[actix_web::test]
async fn a_quota_is_tried_before_it_is_set() {
    let app = TestApp::new().await;
    let (acme, zeta) = (app.tenant("acme").await, app.tenant("zeta").await);
    let hand = Hand::hire(&app).await;
    for tenant in [&acme, &zeta] {
        hand.run(push(&tenant.developer, "flowers", flowers(30)).await).await;
        for _ in 0..3 {
            let draft =
                json!({"dataset": "flowers", "target": "kind", "epochs": 1, "batch_size": 8});
            tenant.developer.post("/v1/jobs", draft).await.expect(202);
        }
    }
    let operator = app.operator().await;
    let queue = operator.get("/v1/pools/default/queue").await.expect(200);
    assert_eq!(queue.json["capacity"]["cpu_milli"], 64_000);
    // two at once is what a tenant may by itself
    assert_eq!(of(&queue.json["starts"], "acme").len(), 2, "{queue:?}");
    let waits = of(&queue.json["waiting"], "acme");
    assert_eq!((waits.len(), &waits[0]["reason"]["code"]), (1, &json!("max_running_jobs")));
    assert_eq!(of(&queue.json["tenants"], "acme")[0]["waiting"], 3);

    let quota =
        json!({"guaranteed": {"cpu_milli": 1000}, "limit": {"cpu_milli": 1000}, "weight": 3});
    let at = "/v1/tenants/acme/quotas/default/what-if";
    let tried = operator.post(at, quota.clone()).await.expect(200);
    let (now, then) = (&tried.json["now"], &tried.json["then"]);
    assert_eq!(now["starts"], queue.json["starts"]);
    assert_eq!((of(&then["starts"], "acme").len(), of(&then["starts"], "zeta").len()), (1, 2));
    let waits = of(&then["waiting"], "acme");
    assert_eq!((waits.len(), &waits[0]["reason"]["code"]), (2, &json!("quota_limit")), "{then}");
    assert_eq!(of(&then["tenants"], "acme")[0]["weight"], 3);
    // nothing was set
    let quotas = operator.get("/v1/tenants/acme/quotas").await.expect(200);
    assert_eq!(quotas.json["items"], json!([]));
    let again = operator.get("/v1/pools/default/queue").await.expect(200);
    assert_eq!(again.json["starts"], queue.json["starts"]);

    operator.get("/v1/pools/none/queue").await.expect_problem(404, "not_found");
    let none = "/v1/tenants/none/quotas/default/what-if";
    operator.post(none, quota).await.expect_problem(404, "not_found");
    let wrong = operator.post(at, json!({"weight": -1})).await;
    assert_eq!(wrong.expect_problem(422, "validation_failed").text("/errors/0/field"), "weight");
}
