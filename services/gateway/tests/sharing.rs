//! How a pool was shared over time, as those who run the platform read it.

use chrono::TimeDelta;
use domain::{Resources, TenantId, spec::DEFAULT_POOL_ID};
use serde_json::json;
use store::{
    Service,
    sharing::{self, Had, Moment},
    tenants,
};

use crate::support::TestApp;

async fn id_of(app: &TestApp, slug: &str) -> TenantId {
    let mut tx = app.state.store.begin().await.unwrap();
    tenants::by_slug(&mut tx, slug).await.unwrap().unwrap().id
}

#[actix_web::test]
async fn an_operator_reads_step_by_step_who_had_what() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    app.tenant("globex").await;
    let operator = app.operator().await;
    let (acme, globex) = (id_of(&app, "acme").await, id_of(&app, "globex").await);
    let now = app.state.clock.now();
    let had = |guaranteed, borrowed| Had {
        guaranteed: Resources::cpu(guaranteed, 0),
        borrowed: Resources::cpu(borrowed, 0),
    };
    for minute in [3, 2, 1] {
        let tenants = vec![(globex, had(0, 500)), (acme, had(2_000, minute * 100))];
        let moment = Moment { capacity: Resources::cpu(4_000, 0), tenants };
        let mut tx = app.state.store.acting_as(Service::Scheduler).begin().await.unwrap();
        let at = now - TimeDelta::minutes(minute.cast_signed());
        sharing::note(&mut tx, at, &[(DEFAULT_POOL_ID, moment)]).await.unwrap();
        tx.commit().await.unwrap();
    }
    let path = "/v1/pools/default/shares";
    let hour = (now - TimeDelta::hours(1)).format("%FT%TZ");
    let all = operator.get(&format!("{path}?from={hour}")).await.expect(200);
    assert_eq!(all.json["tenants"], json!(["acme", "globex"]));
    assert_eq!(all.json["step_seconds"], 60);
    let steps = all.json["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3, "{all:?}");
    let one = &steps[0];
    assert_eq!(
        (&one["capacity_cpu_milli"], &one["all"]["borrowed_cpu_milli"]),
        (&json!(4_000), &json!(800))
    );
    assert_eq!(one["each"][0]["guaranteed_cpu_milli"], 2_000);
    assert_eq!(one["each"][0]["borrowed_cpu_milli"], 300);
    assert_eq!(one["each"][1]["borrowed_cpu_milli"], 500);
    // the greatest alone is named, and all are counted
    let first = operator.get(&format!("{path}?tenants=1")).await.expect(200);
    assert_eq!(
        (&first.json["tenants"], &first.json["step_seconds"]),
        (&json!(["acme"]), &json!(600))
    );
    assert_eq!(first.json["steps"][0]["each"].as_array().map(Vec::len), Some(1));
    assert_eq!(first.json["steps"][0]["all"]["borrowed_cpu_milli"], 700);

    let later = now.format("%FT%TZ");
    for wrong in [format!("from={later}"), "tenants=0".to_owned(), "tenants=51".to_owned()] {
        operator.get(&format!("{path}?{wrong}")).await.expect_problem(422, "validation_failed");
    }
    operator.get("/v1/pools/none/shares").await.expect_problem(404, "not_found");
    let long_ago = operator.get(&format!("{path}?from=2001-01-01T00:00:00Z")).await.expect(200);
    assert_eq!(long_ago.json["step_seconds"], 43_200);
}
