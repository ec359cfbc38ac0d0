//! A model of images is tried with a file.

use std::io::{Cursor, Write};

use actix_web::{http::Method, test::TestRequest};
use domain::JobId;
use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use serde_json::json;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{browser::Browser, hand::Hand, support::TestApp};

fn png(shade: u8) -> Vec<u8> {
    let image = GrayImage::from_pixel(8, 8, Luma([shade]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(image).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Dark and bright ones, in a folder each.
fn archive() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..20_u8 {
        for (folder, shade) in [("bright", 200 + n), ("dark", n)] {
            zip.start_file(format!("{folder}/{n}.png"), SimpleFileOptions::default()).unwrap();
            zip.write_all(&png(shade)).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}

/// A form with a file, as browsers send it.
fn multipart(path: &str, seal: &str, image: &[u8]) -> TestRequest {
    let mut body = Vec::new();
    for (name, value) in [("seal", seal), ("version", "1")] {
        let part =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.into_bytes());
    }
    body.extend(b"--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n");
    body.extend(image);
    body.extend(b"\r\n--b--\r\n");
    let request = TestRequest::post().uri(path).set_payload(body);
    request
        .insert_header(("content-type", "multipart/form-data; boundary=b"))
        .insert_header(("sec-fetch-site", "same-origin"))
}

#[actix_web::test]
async fn an_image_is_a_file_of_the_form_and_gets_an_answer() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let pushed = "/v1/datasets/shades/versions";
    let pushed =
        acme.developer.upload(Method::POST, pushed, "application/zip", archive()).await.expect(201);
    let profile: JobId = pushed.text("/profile_job").parse().unwrap();
    hand.run(profile).await;
    let draft = json!({ "dataset": "shades", "epochs": 20, "batch_size": 8, "seed": 1 });
    let job = acme.developer.post("/v1/jobs", draft).await.expect(202);
    hand.run(job.text("/id").parse().unwrap()).await;

    let browser = Browser::signed_in(&app, "developer@acme.example").await;
    let at = "/console/models/acme/shades";
    let page = browser.get(at).await.expect(200);
    page.shows("type=\"file\"").shows("8 by 8").shows_no("in base64, or");
    let path = format!("{at}/try-image");
    let answered = browser.send(multipart(&path, page.seal(), &png(10))).await.expect(200);
    answered.shows("It says <strong>dark</strong>");
    let nothing = browser.send(multipart(&path, page.seal(), b"")).await.expect(200);
    nothing.shows("choose a PNG or JPEG file");
    let wrong = browser.send(multipart(&path, page.seal(), b"no image")).await.expect(200);
    wrong.shows("role=\"alert\"");
    browser.send(multipart(&path, "x", &png(10))).await.expect(403);
}
