//! Trying a model of images: a file from a form, sent on as the API takes images.

use actix_multipart::{Field, Multipart};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, post, web};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::TryStreamExt;
use maud::{Markup, html};
use serde_json::json;

use super::{
    Model,
    show::{self, Tried, Version},
    try_it::ask,
};
use crate::{
    failure::{Errors, Failure},
    form::{SEAL, check_seal},
    layout,
    visitor::Visitor,
};

/// In base64 it has to fit into a JSON body of the API.
const MAX_IMAGE_BYTES: usize = 8 << 20;
const MAX_TEXT_BYTES: usize = 1 << 10;

#[post("/models/{tenant}/{model}/try-image")]
pub(super) async fn try_image(
    visitor: Visitor,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    mut form: Multipart,
) -> Result<HttpResponse, Failure> {
    let (tenant, name) = path.into_inner();
    let (mut version, mut image, mut is_sealed) = (String::new(), Vec::new(), false);
    while let Some(mut field) = form.try_next().await.map_err(|error| bad(&error.to_string()))? {
        match field.name().unwrap_or_default() {
            SEAL => {
                let seal = String::from_utf8(whole(&mut field, MAX_TEXT_BYTES).await?);
                check_seal(&request, &seal.unwrap_or_default())?;
                is_sealed = true;
            }
            // what comes before the seal is nobody's
            _ if !is_sealed => check_seal(&request, "")?,
            "version" => {
                let text = String::from_utf8(whole(&mut field, MAX_TEXT_BYTES).await?);
                version = text.map_err(|_| bad("a field is no text"))?;
            }
            "image" => image = whole(&mut field, MAX_IMAGE_BYTES).await?,
            _ => {}
        }
    }
    if !is_sealed {
        check_seal(&request, "")?;
    }
    let mut tried = Tried::default();
    if image.is_empty() {
        tried.errors = Errors::of_field("image", "choose a PNG or JPEG file");
    } else {
        let row = json!({ "row": { "image": BASE64_STANDARD.encode(&image) } });
        ask(&visitor, (&tenant, &name, &version), &row, &mut tried).await?;
    }
    let page = show::page(&visitor, (&tenant, &name), &version, tried).await?;
    Ok(HttpResponse::Ok().content_type(layout::HTML).body(page.into_string()))
}

async fn whole(field: &mut Field, most: usize) -> Result<Vec<u8>, Failure> {
    let too_large = || bad(&format!("it has more than {} KiB", most >> 10));
    let bytes = field.bytes(most).await.map_err(|_| too_large())?;
    Ok(bytes.map_err(|error| bad(&error.to_string()))?.to_vec())
}

fn bad(why: &str) -> Failure {
    let detail = format!("The image could not be taken: {why}.");
    Failure::of(StatusCode::BAD_REQUEST, "Not asked", detail)
}

pub(super) fn form(
    visitor: &Visitor,
    model: &Model,
    version: &Version,
    (height, width): (u32, u32),
    errors: &Errors,
) -> Markup {
    html! {
        form method="post" enctype="multipart/form-data" action=(format!("{}/try-image#try", model.url())) {
            (layout::seal(visitor))
            input type="hidden" name="version" value=(version.version);
            div.field {
                label for="image" { "Image" }
                input id="image" name="image" type="file" required accept="image/png,image/jpeg" aria-describedby="image-hint" aria-invalid=[errors.at("image").map(|_| "true")];
                p.hint #image-hint { "PNG or JPEG, up to " (MAX_IMAGE_BYTES >> 20) " MiB. It is brought to " (width) " by " (height) ", as those were that it was trained on." }
            }
            button.main type="submit" { "Predict" }
        }
    }
}
