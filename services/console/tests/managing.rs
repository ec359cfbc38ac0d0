//! What a tenant and an operator look after.

use chrono::TimeDelta;
use domain::{Resources, spec::DEFAULT_POOL_ID};
use serde_json::json;
use store::{
    Service,
    sharing::{self, Had, Moment},
    tenants,
};

use crate::{
    browser::Browser,
    hand::{Hand, flowers, push},
    support::{PASSWORD, TestApp},
};

pub async fn operator(app: &TestApp) -> Browser {
    let invited = json!({ "email": "op@platform.example", "role": "operator" });
    let invited = app.operator().await.post("/v1/platform/invitations", invited).await.expect(201);
    let answer = json!({ "token": invited.text("/token"), "name": "Op", "password": PASSWORD });
    app.nobody().post("/v1/invitations/accept", answer).await.expect(200);
    Browser::signed_in(app, "op@platform.example").await
}

#[actix_web::test]
async fn a_key_is_shown_once_works_and_is_revoked() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let browser = Browser::signed_in(&app, "developer@acme.example").await;
    browser.act("/console/keys", &[("name", "")]).await.expect(422).shows("name");
    let made = browser
        .act(
            "/console/keys",
            &[("name", "nightly"), ("scope", "jobs:read"), ("scope", "self:read")],
        )
        .await
        .expect(201);
    let (_, rest) = made.text.split_once("id=\"secret\"").unwrap();
    let (_, rest) = rest.split_once('>').unwrap();
    let secret = rest.split('<').next().unwrap().to_owned();
    let client = app.with_credential(&secret);
    client.get("/v1/jobs").await.expect(200);
    client.get("/v1/models").await.expect(403);
    let list = browser.get("/console/keys").await.expect(200);
    list.shows("nightly").shows("jobs:read").shows_no(&secret);
    // the newest stands first
    let revoke = list.values_of("action=\"/console/keys/").map(str::to_owned).collect::<Vec<_>>();
    for one in revoke {
        browser.post_from(&list, &format!("/console/keys/{one}"), &[]).await.expect(303);
    }
    client.get("/v1/jobs").await.expect(401);
}

#[actix_web::test]
async fn people_are_invited_given_roles_and_taken_out() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let browser = Browser::signed_in(&app, "owner@acme.example").await;
    let invited = browser
        .act("/console/people/invitations", &[("email", "new@acme.example"), ("role", "viewer")])
        .await
        .expect(200);
    let url =
        invited.shows("not shown again").text.split("/console/invitation?token=").nth(1).unwrap();
    let token = url.split('<').next().unwrap().to_owned();
    let newcomer = Browser::new(&app);
    let page = newcomer.get(&format!("/console/invitation?token={token}")).await.expect(200);
    newcomer
        .post_from(
            &page,
            "/console/invitation",
            &[("token", &token), ("name", "Neu"), ("password", PASSWORD)],
        )
        .await
        .expect(303);
    newcomer.get("/console").await.expect(200).shows("viewer").shows_no("Train a model");
    newcomer.get("/console/people").await.expect(403);

    let people = browser.get("/console/people").await.expect(200);
    people.shows("new@acme.example");
    let id = acme.developer_id.to_string();
    browser
        .post_from(&people, &format!("/console/people/{id}"), &[("role", "viewer")])
        .await
        .expect(303);
    assert_eq!(acme.developer.get("/v1/me").await.expect(200).text("/role"), "viewer");
    browser.post_from(&people, &format!("/console/people/{id}/remove"), &[]).await.expect(303);
    acme.developer.get("/v1/me").await.expect(401);
    browser.get("/console/audit").await.expect(200).shows("change user").shows("accept invitation");
}

#[actix_web::test]
async fn an_operator_makes_a_tenant_gives_it_a_share_and_drains_a_worker() {
    let app = TestApp::new().await;
    let hand = Hand::hire(&app).await;
    let browser = operator(&app).await;
    let first = browser.get("/console").await.expect(200);
    first.shows("Pools and workers").shows("hand").shows("0 of 64 CPUs");
    first.shows("How full they are").shows("heat-0").shows("idle");
    let worker = hand.worker();
    browser
        .post_from(&first, &format!("/console/workers/{worker}/cordoned"), &[])
        .await
        .expect(303);
    browser.get("/console").await.expect(200).shows("Use again");
    browser
        .post_from(&first, &format!("/console/workers/{worker}/nonsense"), &[])
        .await
        .expect(422);

    let draft = [("slug", "acme"), ("name", "Acme"), ("email", "ada@acme.example")];
    browser
        .act("/console/tenants", &draft)
        .await
        .expect(200)
        .shows("Hand this to ada@acme.example")
        .shows("cupi_");
    browser.act("/console/tenants", &draft).await.expect(200).shows("role=\"alert\"");
    let at = "/console/tenants/acme";
    let share = [
        ("pool", "default"),
        ("guaranteed_cpus", "2"),
        ("limit_cpus", "8"),
        ("weight", "3"),
        ("max_running", ""),
        ("cohort", ""),
    ];
    // first what it would change, then the same again to set it
    let tried = browser.act(&format!("{at}/quotas/what-if"), &share).await.expect(200);
    tried.shows("What this quota would change").shows("Would start: none");
    tried.shows("name=\"guaranteed_cpus\" value=\"2\"");
    browser.get(at).await.expect(200).shows("None was set");
    let wrong = [("pool", "default"), ("weight", "-1")];
    browser.act(&format!("{at}/quotas/what-if"), &wrong).await.expect(422).shows("weight");
    browser.get("/console/queue").await.expect(200).shows("Nothing waits.");
    browser.act(&format!("{at}/quotas"), &share).await.expect(303);
    let tenant = browser.get(at).await.expect(200);
    tenant.shows("2 CPUs").shows("8 CPUs");
    browser
        .act(&format!("{at}/quotas"), &[("pool", "default"), ("weight", "-1")])
        .await
        .expect(422)
        .shows("weight");
    browser.act(&format!("{at}/limits"), &[("max_running_jobs", "3")]).await.expect(303);
    browser.act(&format!("{at}/budget"), &[("credits", "10")]).await.expect(303);
    browser.get(at).await.expect(200).shows("value=\"3\"").shows("of 10");
    browser.act(&format!("{at}/quotas/default/remove"), &[]).await.expect(303);
    browser.act(&format!("{at}/budget"), &[]).await.expect(303);
    browser.get(at).await.expect(200).shows("None was set").shows("of no budget");
    // tenants' own pages are not an operator's
    browser.get("/console/jobs").await.expect(403);
    browser.get("/console/audit?tenant=acme").await.expect(200).shows("create tenant");
}

#[actix_web::test]
async fn an_operator_sees_how_full_each_worker_is() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let job = push(&acme.developer, "rows", flowers(10)).await;
    hand.start(job).await;
    let browser = operator(&app).await;
    let worker = format!("/console/workers/{}", hand.worker());
    let page = browser.get("/console").await.expect(200);
    page.shows("class=\"heat-1\"").shows("<strong>1 %</strong>").shows("CPUs");
    page.shows("0.5 of 64 CPUs, 512 MiB of 1.0 TiB");
    browser.act(&format!("{worker}/draining"), &[]).await.expect(303);
    let page = browser.get("/console").await.expect(200);
    page.shows("<strong>1 %</strong><span>CPUs</span><span class=\"badge wait\">draining</span>");
    browser.get("/console?cursor=nonsense").await.expect(422);
}

#[actix_web::test]
async fn an_operator_sees_what_answers_and_what_is_missing() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let browser = operator(&app).await;
    let page = browser.get("/console/health").await.expect(200);
    page.shows("Both answer this gateway").shows("No worker takes new work");
    let hand = Hand::hire(&app).await;
    let page = browser.get("/console/health").await.expect(200);
    page.shows("1 worker, 0 % in use.").shows("Its last record is");
    browser.act(&format!("/console/workers/{}/cordoned", hand.worker()), &[]).await.expect(303);
    let page = browser.get("/console/health").await.expect(200);
    page.shows("No worker takes new work").shows("1 cordoned, 0 draining");
    let tenant = Browser::signed_in(&app, "owner@acme.example").await;
    tenant.get("/console/health").await.expect(403);
}

#[actix_web::test]
async fn an_operator_puts_public_models_forward() {
    let app = TestApp::new().await;
    crate::crawl::furnished(&app).await;
    let browser = operator(&app).await;
    browser.get("/console/featured").await.expect(200).shows("Nothing is featured");
    let of = |name, models| [("name", name), ("title", "The best <b>"), ("models", models)];
    for (fields, wrong) in [
        (of("No!", "acme/flowers"), "name"),
        (of("best", "acme/none"), "no public model"),
        ([("name", "best"), ("title", ""), ("models", "")], "title"),
    ] {
        let page = browser.act("/console/featured", &fields).await.expect(422);
        page.shows("role=\"alert\"").shows(wrong);
    }
    browser.act("/console/featured", &of("best", "acme/flowers\n")).await.expect(303);
    browser.get("/console/featured").await.expect(200).shows("The best &lt;b&gt;");
    let tenant = Browser::signed_in(&app, "viewer@acme.example").await;
    let discover = "/console/models?visibility=public";
    let page = tenant.get(discover).await.expect(200);
    page.shows("The best &lt;b&gt;").shows("href=\"/console/models/acme/flowers\">acme/flowers<");
    tenant.get(&format!("{discover}&q=none")).await.expect(200).shows_no("The best");
    tenant.act("/console/featured", &of("best", "")).await.expect(422).shows("role=\"alert\"");
    browser.act("/console/featured/best/remove", &[]).await.expect(303);
    browser.act("/console/featured/best/remove", &[]).await.expect(404);
    tenant.get(discover).await.expect(200).shows_no("The best");
}

#[actix_web::test]
async fn an_operator_sees_how_a_pool_was_shared() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let browser = operator(&app).await;
    browser.get("/console/shares").await.expect(200).shows("Nothing is known of this time");
    let mut tx = app.state.store.begin().await.unwrap();
    let acme = tenants::by_slug(&mut tx, "acme").await.unwrap().unwrap().id;
    drop(tx);
    let had = Had {
        guaranteed: Resources::cpu(2_000, 0),
        borrowed: Resources { accelerator_milli: 500, ..Resources::cpu(1_500, 0) },
    };
    for minutes in 1..=30 {
        let capacity = Resources { accelerator_milli: 2_000, ..Resources::cpu(8_000, 0) };
        let moment = Moment { capacity, tenants: vec![(acme, had)] };
        let at = app.state.clock.now() - TimeDelta::minutes(minutes);
        let mut tx = app.state.store.acting_as(Service::Scheduler).begin().await.unwrap();
        sharing::note(&mut tx, at, &[(DEFAULT_POOL_ID, moment)]).await.unwrap();
        tx.commit().await.unwrap();
    }
    for period in ["", "?period=hours", "?period=quarter", "?pool=default&period=nonsense"] {
        let page = browser.get(&format!("/console/shares{period}")).await.expect(200);
        page.shows("CPUs: acme 2 of its guarantee and 1.5 borrowed, on average");
        page.shows("Accelerators: acme 0 of its guarantee and 0.5 borrowed");
        page.shows("class=\"area one faint\"").shows("2 + 1.5").shows("All tenants");
    }
    browser.get("/console/shares?pool=none").await.expect(404);
    let tenant = Browser::signed_in(&app, "owner@acme.example").await;
    tenant.get("/console/shares").await.expect(403);
}
