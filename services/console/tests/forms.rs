//! A form is taken only from a page of the session that it comes in.

use actix_web::test::TestRequest;

use crate::{browser::Browser, support::TestApp};

/// Every address that takes a form; the test below finds one that is missing here.
const FORMS: &[&str] = &[
    "/console/sign-in",
    "/console/sign-out",
    "/console/invitation",
    "/console/reset-password",
    "/console/account/password",
    "/console/account/sessions/x/end",
    "/console/example",
    "/console/example/train",
    "/console/jobs",
    "/console/jobs/check",
    "/console/jobs/x/cancel",
    "/console/jobs/x/pause",
    "/console/jobs/x/resume",
    "/console/datasets",
    "/console/uploads",
    "/console/uploads/x/version",
    "/console/uploads/x/give-up",
    "/console/models/a/b",
    "/console/models/a/b/alias",
    "/console/models/a/b/alias/remove",
    "/console/models/a/b/fork",
    "/console/models/a/b/like",
    "/console/models/a/b/state",
    "/console/models/a/b/try",
    "/console/sweeps",
    "/console/endpoints",
    "/console/endpoints/x/rollback",
    "/console/keys",
    "/console/keys/x/revoke",
    "/console/people/invitations",
    "/console/people/invitations/x/take-back",
    "/console/people/x",
    "/console/people/x/remove",
    "/console/pools",
    "/console/workers/x/y",
    "/console/tenants",
    "/console/tenants/x/limits",
    "/console/tenants/x/quotas",
    "/console/tenants/x/quotas/what-if",
    "/console/tenants/x/quotas/y/remove",
    "/console/tenants/x/budget",
    "/console/featured",
    "/console/featured/x/remove",
    "/console/operators",
    "/console/operators/x/remove",
];

fn multipart(seal: &str) -> TestRequest {
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\na,b\n1,2\n\r\n--b--\r\n";
    let body = part("seal", seal) + &part("name", "a") + file;
    let request = TestRequest::post().uri("/console/datasets");
    request.insert_header(("content-type", "multipart/form-data; boundary=b")).set_payload(body)
}

#[actix_web::test]
async fn without_the_seal_of_its_session_no_form_is_taken() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let browser = Browser::signed_in(&app, "owner@acme.example").await;
    let other = Browser::signed_in(&app, "admin@acme.example").await;
    let foreign = other.get("/console/account").await.seal().to_owned();
    for seal in ["", "x", foreign.as_str()] {
        for form in FORMS.iter().filter(|form| **form != "/console/datasets") {
            let page = browser.post(form, &[("seal", seal)]).await;
            assert_eq!(page.reply.status, 403, "{form} {}", page.text);
        }
        browser.send(multipart(seal)).await.expect(403);
    }
    // without any seal at all, and with no cookie to compare it with
    browser.post("/console/keys", &[]).await.expect(403);
    Browser::new(&app).post("/console/sign-in", &[("seal", "")]).await.expect(403);
    let seal = browser.get("/console/account").await.seal().to_owned();
    browser.send(multipart(&seal)).await.expect(303);
}

#[actix_web::test]
async fn what_another_site_makes_a_browser_send_is_not_taken() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let browser = Browser::signed_in(&app, "owner@acme.example").await;
    let seal = browser.get("/console/account").await.seal().to_owned();
    let form = || TestRequest::post().uri("/console/sign-out").set_form([("seal", &seal)]);
    for site in ["cross-site", "same-site", "none"] {
        browser.send(form().insert_header(("sec-fetch-site", site))).await.expect(403);
    }
    let from = |origin: &'static str| {
        form().insert_header(("host", "cupola.example")).insert_header(("origin", origin))
    };
    for origin in [
        "https://evil.example",
        "null",
        "https://cupola.example.evil.example",
        "https://cupola.example:8443",
    ] {
        browser.send(from(origin)).await.expect(403);
    }
    browser.get("/console").await.expect(200);
    browser.send(from("https://cupola.example")).await.expect(303);
}

#[actix_web::test]
async fn every_form_of_every_page_is_among_those_that_are_tried() {
    let app = TestApp::new().await;
    let pages = crate::crawl::everything(&app).await;
    let shape = |path: &str| {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        path.trim_matches('/').split('/').map(str::to_owned).collect::<Vec<_>>()
    };
    let same = |a: &[String], b: &[String]| {
        let fits = |(a, b): (&String, &String)| a == b || b.len() == 1;
        a.len() == b.len() && a.iter().zip(b).all(fits)
    };
    let mut found = 0;
    for page in pages {
        for action in page.values_of("method=\"post\" action=\"") {
            let known = FORMS.iter().any(|form| same(&shape(action), &shape(form)));
            assert!(known, "{action} is not among FORMS");
            found += 1;
        }
    }
    assert!(found > 100, "{found}");
}
