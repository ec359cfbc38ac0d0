//! A file that is pushed in pieces by the script of the form, each handed straight on to the API: what has come stays
//! when the connection breaks, and also when the page is left.

use actix_web::{
    HttpRequest, HttpResponse,
    dev::Payload,
    http::{Method, header::HeaderName},
    patch, post, web,
};
use domain::{Timestamp, name::Name};
use futures::StreamExt;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Version,
    upload::{BYTES, announced, bad},
};
use crate::{
    api::{Route, whole},
    chart,
    failure::Failure,
    form::{Sent, check_seal},
    layout,
    pages::see,
    visitor::Visitor,
    words,
};

const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Beside a piece, which is no form, stands the seal in a header.
const SEAL: &str = "x-seal";

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(begin).service(send).service(finish).service(give_up);
}

#[derive(Deserialize)]
pub(super) struct Upload {
    id: String,
    dataset: String,
    bytes: u64,
    received: u64,
    fingerprint: String,
    expires_at: Timestamp,
}

impl Upload {
    /// The form's script puts size, time and digest behind it.
    fn file(&self) -> &str {
        self.fingerprint.rsplitn(4, ' ').last().unwrap_or_default()
    }

    fn share(&self) -> f64 {
        self.received as f64 / self.bytes.max(1) as f64
    }
}

/// What was begun and has not ended, with what to do about it.
pub(super) fn coming(visitor: &Visitor, uploads: &[Upload], now: Timestamp) -> Markup {
    html! {
        section.card #coming {
            h2 { "On their way" }
            p { "Choose the same file again above, under the same name, and it goes on from where it was." }
            ul.coming {
                @for upload in uploads {
                    @let said = format!("{} of {} has come", words::percent(upload.share()), words::bytes(upload.bytes));
                    li data-fingerprint=(upload.fingerprint) data-dataset=(upload.dataset) data-received=(upload.received) {
                        div {
                            p { strong { (upload.file()) } " for " (upload.dataset) ": " (said) span.quiet.small { "; it goes " (words::ago(upload.expires_at, now)) " if nothing more comes" } }
                            (chart::bar(&format!("{}: {said}", upload.file()), upload.share()))
                        }
                        (layout::act(visitor, &format!("/console/uploads/{}/give-up", upload.id), "Give up", "small"))
                    }
                }
            }
        }
    }
}

/// What has come of this file, or nothing yet.
#[post("/uploads")]
async fn begin(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let fields = &sent.0;
    let name = fields.text("name");
    name.parse::<Name>().map_err(|error| bad(&format!("name: {error}")))?;
    let (format, compression) = announced(fields.raw("file"))?;
    let bytes: u64 = fields.text("bytes").parse().map_err(|_| bad("its size is not known"))?;
    let draft = json!({
        "dataset": name, "format": format, "compression": compression, "bytes": bytes,
        "fingerprint": fields.raw("fingerprint"),
    });
    let upload: Value = visitor.api.send(Method::POST, &Route::of(["uploads"]), &draft).await?;
    Ok(HttpResponse::Ok().json(upload))
}

#[patch("/uploads/{id}")]
async fn send(
    visitor: Visitor,
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Failure> {
    let seal = request.headers().get(SEAL).and_then(|seal| seal.to_str().ok());
    check_seal(&request, seal.unwrap_or_default())?;
    let route = Route::of(["uploads", &id]);
    let payload = Payload::Stream { payload: payload.boxed_local() };
    let mut question = visitor.api.question(Method::PATCH, route.path(), payload)?;
    question.headers_mut().insert(actix_web::http::header::CONTENT_TYPE, BYTES);
    if let Some(offset) = request.headers().get(&OFFSET) {
        question.headers_mut().insert(OFFSET, offset.clone());
    }
    let answer = whole(visitor.api.open(question).await?).await?;
    Ok(HttpResponse::Ok().content_type("application/json").body(answer))
}

#[post("/uploads/{id}/version")]
async fn finish(
    _sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let route = Route::of(["uploads", &id, "version"]);
    let version: Version = visitor.api.send(Method::POST, &route, &Value::Null).await?;
    Ok(see(&version.address()))
}

#[post("/uploads/{id}/give-up")]
async fn give_up(
    _sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    visitor.api.order(Method::DELETE, &Route::of(["uploads", &id])).await?;
    Ok(see("/console/datasets"))
}
