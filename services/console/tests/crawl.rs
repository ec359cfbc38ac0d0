//! Every link of every page, as everybody who can sign in: it leads somewhere, and each page is told to the
//! browser as it should be and costs the API a few questions.

use std::collections::{BTreeSet, VecDeque};

use domain::access::Role;
use serde_json::json;

use crate::{
    browser::{Browser, Page, unescaped},
    hand::{Hand, flowers, push},
    support::{PASSWORD, TestApp, without_rates},
};

/// Beside who one is, of any page.
const MAX_QUESTIONS: u64 = 9;
const MAX_PAGES: usize = 400;
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A platform on which something of every kind is there.
pub async fn furnished(app: &TestApp) {
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(app).await;
    let profile = push(&acme.developer, "flowers", flowers(40)).await;
    hand.run(profile).await;
    let draft =
        json!({ "dataset": "flowers", "target": "kind", "epochs": 3, "batch_size": 16, "seed": 1 });
    let job = acme.developer.post("/v1/jobs", draft.clone()).await.expect(202);
    hand.run(job.text("/id").parse().unwrap()).await;
    let waiting = acme.developer.post("/v1/jobs", draft).await.expect(202);
    let no_workers = domain::wait::WaitReason::NoWorkers;
    hand.explain(waiting.text("/id").parse().unwrap(), no_workers).await;
    push(&acme.developer, "broken", "a,b\n1\n").await;
    let open = json!({ "visibility": "public", "licence": "mit", "description": "Flowers", "tags": ["botany"] });
    acme.owner.patch("/v1/models/acme/flowers", open).await.expect(200);
    let champion = json!({ "version": 1 });
    acme.owner
        .send(
            actix_web::test::TestRequest::put()
                .uri("/v1/models/acme/flowers/aliases/champion")
                .set_json(champion),
        )
        .await
        .expect(204);
    acme.owner
        .post("/v1/invitations", json!({ "email": "next@acme.example", "role": "viewer" }))
        .await
        .expect(201);
    let operator = app.operator().await;
    let quota = json!({ "guaranteed": { "cpu_milli": 2000 }, "weight": 2 });
    operator
        .send(
            actix_web::test::TestRequest::put()
                .uri("/v1/tenants/acme/quotas/default")
                .set_json(quota),
        )
        .await
        .expect(200);
}

/// Everybody's browser, with what is theirs.
pub async fn everybody(app: &TestApp) -> Vec<(&'static str, Browser)> {
    furnished(app).await;
    let mut all = vec![("nobody", Browser::new(app))];
    for who in ["owner", "developer", "viewer"] {
        all.push((who, Browser::signed_in(app, &format!("{who}@acme.example")).await));
    }
    let operator = app.operator().await;
    for role in [Role::Operator, Role::Auditor] {
        let email = format!("{}@platform.example", role.as_str());
        let invited = json!({ "email": email, "role": role });
        let invited = operator.post("/v1/platform/invitations", invited).await.expect(201);
        let answer =
            json!({ "token": invited.text("/token"), "name": "Somebody", "password": PASSWORD });
        app.nobody().post("/v1/invitations/accept", answer).await.expect(200);
        all.push((role.as_str(), Browser::signed_in(app, &email).await));
    }
    all
}

/// Every page that anybody reaches.
pub async fn everything(app: &TestApp) -> Vec<Page> {
    let mut pages = Vec::new();
    for (_, browser) in everybody(app).await {
        pages.extend(walk(&browser, |_, _| ()).await);
    }
    pages
}

/// From the front page on, whatever is linked; `look` sees each page as it comes.
async fn walk(browser: &Browser, mut look: impl FnMut(&str, &Page)) -> Vec<Page> {
    let mut todo = VecDeque::from(["/".to_owned(), "/console".to_owned()]);
    let (mut known, mut pages) = (BTreeSet::new(), Vec::new());
    while let Some(path) = todo.pop_front() {
        if !known.insert(path.clone()) {
            continue;
        }
        assert!(known.len() < MAX_PAGES, "there is no end: {path}");
        let page = browser.get(&path).await;
        assert!(
            matches!(page.reply.status, 200 | 303),
            "{path}: {} {}",
            page.reply.status,
            page.text
        );
        look(&path, &page);
        if let Some(place) = page.reply.header("location") {
            todo.push_back(place.to_owned());
        }
        let is_page =
            page.reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        if is_page {
            let links =
                ["href=\"", "src=\"", "data-events=\""].map(|before| page.values_of(before));
            let links = links.into_iter().flatten().map(unescaped);
            let links = links.map(|link| link.split('#').next().unwrap_or_default().to_owned());
            // a stream of events has no end here
            todo.extend(links.filter(|link| link.starts_with('/') && !link.ends_with("/events")));
            pages.push(page);
        }
    }
    pages
}

#[actix_web::test]
async fn every_link_leads_somewhere_and_every_page_is_ours_alone() {
    let app = TestApp::with(without_rates).await;
    let mut reached = Vec::new();
    for (who, browser) in everybody(&app).await {
        let mut before = questions(&app);
        let pages = walk(&browser, |path, page| {
            let now = questions(&app);
            assert!(now - before <= MAX_QUESTIONS, "{who} {path}: {} questions", now - before);
            before = now;
            if path.starts_with("/console")
                && !path.starts_with("/console/assets/")
                && !path.starts_with("/console/api/")
                || path == "/"
                || path.starts_with("/registry")
            {
                assert_eq!(page.reply.header("content-security-policy"), Some(POLICY), "{path}");
                assert_eq!(page.reply.header("x-content-type-options"), Some("nosniff"), "{path}");
                assert_eq!(page.reply.header("cache-control"), Some("no-store"), "{path}");
            }
        })
        .await;
        for page in
            pages.iter().filter(|page| page.reply.header("content-security-policy") == Some(POLICY))
        {
            for nothing in
                [" style=\"", " onclick=", "<script>", "src=\"http", "href=\"http", "javascript:"]
            {
                page.shows_no(nothing);
            }
            page.shows("<html lang=\"en\">").shows("id=\"main\"").shows("<h1");
        }
        reached.push((who, pages.len()));
    }
    assert!(reached.iter().all(|(_, pages)| *pages > 5), "{reached:?}");
}

/// What the API has been asked so far.
fn questions(app: &TestApp) -> u64 {
    let metrics = app.state.metrics.as_ref().expect("this process has the recorder").render();
    let counts = metrics
        .lines()
        .filter(|line| line.starts_with("http_requests_total{") && line.contains("route=\"/v1/"));
    let counts = counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    counts.sum()
}

#[actix_web::test]
async fn an_asset_is_kept_for_ever_under_its_own_name_only() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    let front = browser.get("/").await.expect(200);
    let css = front.values_of("href=\"").find(|link| link.ends_with(".css")).unwrap().to_owned();
    let asset = browser.get(&css).await.expect(200);
    assert_eq!(asset.reply.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(asset.reply.header("content-type"), Some("text/css; charset=utf-8"));
    browser.get("/console/assets/0000000000000000/console.css").await.expect(404);
    browser.get("/console/nothing/here").await.expect(404);
}

#[actix_web::test]
async fn what_the_api_answers_is_handed_through_and_runs_nothing() {
    let app = TestApp::new().await;
    furnished(&app).await;
    let browser = Browser::signed_in(&app, "viewer@acme.example").await;
    let json = browser.get("/console/api/v1/jobs?limit=1").await.expect(200);
    assert_eq!(json.reply.json["items"].as_array().map(Vec::len), Some(1), "{}", json.text);
    let file = "/console/api/v1/datasets/flowers/versions/1/content";
    let file = browser.get(file).await.expect(200);
    assert_eq!(file.text, flowers(40));
    assert_eq!(
        file.reply.header("content-disposition").map(|text| text.starts_with("attachment")),
        Some(true)
    );
    for answer in [&json, &file] {
        let policy = answer.reply.header("content-security-policy");
        assert_eq!(policy, Some("default-src 'none'; sandbox"));
    }
    // reading only, the API only, and what one may see only
    browser.get("/console/api/metrics").await.expect(404);
    browser.get("/console/api/v1/../metrics").await.expect(404);
    browser.get("/console/api/v1/keys/x").await.expect(405);
    browser.get("/console/api/v1/users").await.expect(403);
    Browser::new(&app).get("/console/api/v1/jobs").await.expect(303);
}
