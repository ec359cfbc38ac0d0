//! Who is not signed in: public models are found and looked at, and what is more asks to sign in.

use actix_web::test::TestRequest;
use serde_json::json;

use crate::{
    browser::Browser,
    hand::{Hand, flowers, push},
    support::TestApp,
};

/// Acme's `flowers` and `secret`, of which the first is public.
async fn published(app: &TestApp) {
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    for name in ["flowers", "secret"] {
        let draft = json!({ "dataset": "flowers", "target": "kind", "epochs": 3, "batch_size": 16,
                            "registered_model_name": name });
        let job = acme.developer.post("/v1/jobs", draft).await.expect(202);
        hand.run(job.text("/id").parse().unwrap()).await;
    }
    let open = json!({ "visibility": "public", "licence": "mit", "description": "By size, <raw>" });
    acme.owner.patch("/v1/models/acme/flowers", open).await.expect(200);
}

#[actix_web::test]
async fn a_visitor_finds_a_public_model_and_looks_at_it() {
    let app = TestApp::new().await;
    published(&app).await;
    let browser = Browser::new(&app);
    browser.get("/").await.expect(200).shows("href=\"/registry\"");
    browser.get("/console/sign-in").await.expect(200).shows("href=\"/registry\"");
    let all = browser.get("/registry").await.expect(200);
    all.shows("href=\"/registry/acme/flowers\"").shows("By size, &lt;raw&gt;").shows_no("secret");
    let narrow = "/registry?q=size&input=table&licence=mit&metric=val_accuracy&at_least=0.1";
    let found = browser.get(narrow).await.expect(200);
    found.shows("href=\"/registry/acme/flowers\"").shows("<details open>");
    browser.get("/registry?task=forecasting").await.expect(200).shows("No model here");
    let wrong = browser.get("/registry?licence=none-such&visibility=shared").await.expect(200);
    wrong.shows("aria-invalid=\"true\"").shows_no("No model here");

    let page = browser.get("/registry/acme/flowers").await.expect(200);
    for part in ["Figures", "taken for", "Found, by false alarms", "Lineage", "SHA-256", "curl"] {
        page.shows(part);
    }
    page.shows("href=\"/console/sign-in?next=%2Fconsole%2Fmodels%2Facme%2Fflowers\"");
    page.shows("href=\"/v1/models/acme/flowers/versions/latest\"");
    page.shows_no("method=\"post\"").shows_no("/console/api/").shows_no("/console/jobs/");
    browser.get("/registry/acme/flowers?version=1").await.expect(200).shows("version 1");
    browser.get("/v1/models/acme/flowers/versions/latest").await.expect(200);
    for hidden in ["/registry/acme/secret", "/registry/acme/none", "/registry/x", "/registry/x/y/z"]
    {
        browser.get(hidden).await.expect(404);
    }
    let nothing = browser.get("/registry/acme/flowers?version=7").await.expect(200);
    nothing.shows("No version yet");
}

#[actix_web::test]
async fn who_is_signed_in_is_led_to_their_own_page() {
    let app = TestApp::new().await;
    published(&app).await;
    let viewer = Browser::signed_in(&app, "viewer@acme.example").await;
    let led = viewer.get("/registry?q=size&visibility=x").await.expect(303);
    assert_eq!(led.location(), "/console/models?visibility=public&q=size");
    viewer.get(led.location()).await.expect(200).shows("href=\"/console/models/acme/flowers\"");
    let led = viewer.get("/registry/acme/flowers?version=1").await.expect(303);
    assert_eq!(led.location(), "/console/models/acme/flowers?version=1");
    viewer.get(led.location()).await.expect(200).shows("taken for");
    let sent = TestRequest::post().uri("/registry").set_form([("q", "x")]);
    viewer.send(sent.insert_header(("sec-fetch-site", "cross-site"))).await.expect(403);
}

#[actix_web::test]
async fn where_the_door_is_closed_a_visitor_is_asked_to_sign_in() {
    let app = TestApp::with(|config| config.visitors = false).await;
    let browser = Browser::new(&app);
    for page in ["/", "/console/sign-in"] {
        browser.get(page).await.expect(200).shows_no("/registry");
    }
    let led = browser.get("/registry/acme/flowers").await.expect(303);
    assert_eq!(led.location(), "/console/sign-in?next=%2Fconsole%2Fmodels%2Facme%2Fflowers");
    browser.get("/registry").await.expect(303);
}
