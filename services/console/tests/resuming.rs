//! A file pushed in pieces by the console's own addresses, as the script of the form does it.

use actix_web::test::TestRequest;
use serde_json::Value;

use crate::{
    browser::{Browser, Page},
    support::TestApp,
};

/// The least that a piece may have, but for the last.
const MIB: usize = 1 << 20;

fn said(bytes: &str) -> Vec<(&str, &str)> {
    vec![
        ("name", "prices"),
        ("file", "My Prices.csv"),
        ("bytes", bytes),
        ("fingerprint", "My Prices.csv 1048580 1767225600 abc"),
    ]
}

fn piece(id: &str, seal: &str, at: &str, bytes: Vec<u8>) -> TestRequest {
    TestRequest::patch()
        .uri(&format!("/console/uploads/{id}"))
        .insert_header(("sec-fetch-site", "same-origin"))
        .insert_header(("x-seal", seal.to_owned()))
        .insert_header(("upload-offset", at.to_owned()))
        .set_payload(bytes)
}

fn json(page: &Page) -> Value {
    serde_json::from_str(&page.text).unwrap()
}

#[actix_web::test]
async fn a_file_that_broke_off_goes_on_in_another_page() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let browser = Browser::signed_in(&app, "developer@acme.example").await;
    let file: Vec<u8> = b"a,b\n1,2\n".iter().copied().cycle().take(MIB + 4).collect();
    let bytes = file.len().to_string();
    let page = browser.get("/console/datasets").await.expect(200);
    page.shows("data-upload").shows_no("On their way");
    let begun = browser.post_from(&page, "/console/uploads", &said(&bytes)).await.expect(200);
    let id = json(&begun)["id"].as_str().unwrap().to_owned();
    let first = file[..MIB].to_vec();
    browser.send(piece(&id, "", "0", first.clone())).await.expect(403);
    browser.send(piece(&id, "x", "0", first.clone())).await.expect(403);
    let foreign = piece(&id, page.seal(), "0", first.clone());
    browser.send(foreign.insert_header(("sec-fetch-site", "cross-site"))).await.expect(403);
    let sent = browser.send(piece(&id, page.seal(), "0", first.clone())).await.expect(200);
    assert_eq!(json(&sent)["received"], MIB);
    let twice = browser.send(piece(&id, page.seal(), "0", first)).await.expect(409);
    twice.shows("1048576 bytes have come");

    // the page was left: it tells how far the file had got, and the same file goes on
    let page = browser.get("/console/datasets").await.expect(200);
    page.shows("On their way").shows("<strong>My Prices.csv</strong> for prices");
    page.shows("data-received=\"1048576\"");
    page.shows("data-fingerprint=\"My Prices.csv 1048580 1767225600 abc\"");
    let begun = browser.post_from(&page, "/console/uploads", &said(&bytes)).await.expect(200);
    assert_eq!(
        (json(&begun)["id"].as_str(), &json(&begun)["received"]),
        (Some(id.as_str()), &MIB.into())
    );
    let finish = format!("/console/uploads/{id}/version");
    browser.post_from(&page, &finish, &[]).await.expect(409);
    browser.send(piece(&id, page.seal(), "1048576", file[MIB..].to_vec())).await.expect(200);
    for _ in 0..2 {
        let made = browser.post_from(&page, &finish, &[]).await.expect(303);
        assert_eq!(made.location(), "/console/datasets/prices?version=1");
    }
    browser.get("/console/datasets").await.expect(200).shows_no("On their way");
}

#[actix_web::test]
async fn what_is_on_its_way_is_given_up_and_what_is_no_dataset_is_not_begun() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let browser = Browser::signed_in(&app, "developer@acme.example").await;
    let page = browser.get("/console/datasets").await.expect(200);
    let begun = browser.post_from(&page, "/console/uploads", &said("10")).await.expect(200);
    let id = json(&begun)["id"].as_str().unwrap().to_owned();
    browser.get("/console/datasets").await.expect(200).shows("0 % of 10 B has come");
    let give_up = format!("/console/uploads/{id}/give-up");
    browser.post_from(&page, &give_up, &[]).await.expect(303);
    browser.post_from(&page, &give_up, &[]).await.expect(404);
    browser.get("/console/datasets").await.expect(200).shows_no("On their way");
    let with = |name, value| {
        said("10")
            .into_iter()
            .map(|(at, was)| (at, if at == name { value } else { was }))
            .collect::<Vec<_>>()
    };
    for (fields, status, words) in [
        (with("file", "a.exe"), 400, "its name ends with none of"),
        (with("name", "No Name!"), 400, "name: "),
        (with("bytes", ""), 400, "its size is not known"),
        (with("bytes", "0"), 422, "the file is empty"),
        (with("fingerprint", ""), 422, "fingerprint"),
    ] {
        let refused = browser.post_from(&page, "/console/uploads", &fields).await.expect(status);
        refused.shows(words);
    }
    let viewer = Browser::signed_in(&app, "viewer@acme.example").await;
    let page = viewer.get("/console/account").await.expect(200);
    viewer.post_from(&page, "/console/uploads", &said("10")).await.expect(403);
}
