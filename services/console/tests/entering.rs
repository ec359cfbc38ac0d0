//! The ways in and out, and the cookie.

use actix_web::cookie::SameSite;
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    browser::Browser,
    support::{PASSWORD, TestApp},
};

#[actix_web::test]
async fn one_signs_in_looks_around_and_signs_out() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let browser = Browser::new(&app);
    browser.get("/").await.expect(200).shows("Sign in");
    let sent_away = browser.get("/console/jobs?status=failed").await.expect(303);
    let place = sent_away.location().to_owned();
    assert_eq!(place, "/console/sign-in?next=%2Fconsole%2Fjobs%3Fstatus%3Dfailed");

    let page = browser.get(&place).await.expect(200);
    let wrong = [("email", "owner@acme.example"), ("password", "not hers at all")];
    let refused = browser.post_from(&page, "/console/sign-in", &wrong).await.expect(422);
    refused.shows("the e-mail address or the password is wrong").shows_no("not hers at all");

    let right = [
        ("email", "owner@acme.example"),
        ("password", PASSWORD),
        ("next", "/console/jobs?status=failed"),
    ];
    let entered = browser.post_from(&page, "/console/sign-in", &right).await.expect(303);
    assert_eq!(entered.location(), "/console/jobs?status=failed");
    let cookie = browser.cookie("cupola").unwrap();
    assert_eq!(
        (cookie.http_only(), cookie.same_site(), cookie.path()),
        (Some(true), Some(SameSite::Lax), Some("/"))
    );
    browser
        .get("/console")
        .await
        .expect(200)
        .shows("owner@acme.example")
        .shows("From data to an answer");
    // who is in is shown the console, not the front
    assert_eq!(browser.get("/").await.expect(303).location(), "/console");

    browser.act("/console/sign-out", &[]).await.expect(303);
    assert_eq!(browser.cookie("cupola"), None);
    // the session itself has ended, not only the cookie
    browser.set_cookie(cookie);
    browser.get("/console").await.expect(303);
    assert_eq!(browser.cookie("cupola"), None);
}

#[actix_web::test]
async fn a_cookie_that_was_changed_leads_to_the_sign_in_and_is_forgotten() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let browser = Browser::signed_in(&app, "viewer@acme.example").await;
    let good = browser.cookie("cupola").unwrap();
    let tampered = |value: String| {
        let mut cookie = good.clone();
        cookie.set_value(value);
        cookie
    };
    let last = good.value().char_indices().last().unwrap().0;
    for value in [
        format!("{}!", &good.value()[..last]),
        good.value().replace('~', "~9"),
        "nonsense".to_owned(),
        "a~1~b~c".to_owned(),
        "a~9999999999~b~c d".to_owned(),
    ] {
        browser.set_cookie(tampered(value.clone()));
        let page = browser.get("/console/jobs").await.expect(303);
        assert!(page.location().starts_with("/console/sign-in"), "{value}");
    }
    browser.set_cookie(good);
    browser.get("/console/jobs").await.expect(200);
}

#[actix_web::test]
async fn a_session_goes_on_after_its_access_token_has_ended_for_two_tabs_at_once_too() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let browser = Browser::signed_in(&app, "viewer@acme.example").await;
    let old = browser.cookie("cupola").unwrap();
    app.state.clock.advance(TimeDelta::minutes(20));
    let other = Browser::new(&app);
    other.set_cookie(old.clone());
    let (one, two) = futures::join!(browser.get("/console/jobs"), other.get("/console/datasets"));
    one.expect(200);
    two.expect(200);
    let new = browser.cookie("cupola").unwrap();
    assert_ne!(new, old);
    assert_eq!(other.cookie("cupola").unwrap(), new);
    // a moment later the old one still finds what it became; a stolen one that comes late ends all
    other.set_cookie(old.clone());
    other.get("/console/jobs").await.expect(200);
    app.state.clock.advance(TimeDelta::minutes(2));
    other.set_cookie(old);
    other.get("/console/jobs").await.expect(303);
    browser.get("/console/jobs").await.expect(303);
}

#[actix_web::test]
async fn somebody_takes_up_an_invitation_and_works_at_once() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let invited = json!({ "email": "new@acme.example", "role": "developer" });
    let invited = acme.owner.post("/v1/invitations", invited).await.expect(201);
    let browser = Browser::new(&app);
    let page = browser
        .get(&format!("/console/invitation?token={}", invited.text("/token")))
        .await
        .expect(200);
    let token = invited.text("/token").to_owned();
    page.shows(&token);
    let weak = [("token", token.as_str()), ("name", "Neu"), ("password", "short")];
    browser.post_from(&page, "/console/invitation", &weak).await.expect(422).shows("12");
    let fine = [("token", token.as_str()), ("name", "Neu"), ("password", PASSWORD)];
    browser.post_from(&page, "/console/invitation", &fine).await.expect(303);
    browser.get("/console").await.expect(200).shows("new@acme.example").shows("developer");

    let account = browser.get("/console/account").await.expect(200);
    account.shows("this one");
    let change = [("current", "no"), ("new", "another that is long")];
    browser
        .post_from(&account, "/console/account/password", &change)
        .await
        .expect(422)
        .shows("is not your password");
    let change = [("current", PASSWORD), ("new", "another that is long")];
    browser.post_from(&account, "/console/account/password", &change).await.expect(303);
}

#[actix_web::test]
async fn under_https_the_cookie_is_this_hosts_alone() {
    let app = TestApp::with(|config| config.public_url = "https://cupola.example".to_owned()).await;
    app.tenant("acme").await;
    let browser = Browser::signed_in(&app, "viewer@acme.example").await;
    let cookie = browser.cookie("__Host-cupola").unwrap();
    assert_eq!((cookie.secure(), cookie.path(), cookie.domain()), (Some(true), Some("/"), None));
    browser.get("/console").await.expect(200);
}
