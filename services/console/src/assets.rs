//! The stylesheet and the scripts: ours, few, embedded, and named by their content, so that a browser keeps
//! each for ever and never an old one.

use std::sync::LazyLock;

use actix_web::{
    HttpResponse, get,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    web,
};
use domain::Digest;

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

macro_rules! assets {
    ($($name:literal, $kind:literal;)*) => {
        [$(Asset { name: $name, kind: $kind, content: include_str!(concat!("../assets/", $name)) }),*]
    };
}

const ASSETS: [Asset; 5] = assets! {
    "check.js", "text/javascript; charset=utf-8";
    "console.css", "text/css; charset=utf-8";
    "live.js", "text/javascript; charset=utf-8";
    "upload.js", "text/javascript; charset=utf-8";
    "icon.svg", "image/svg+xml";
};

/// Of all of them together.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: String = ASSETS.iter().map(|asset| asset.content).collect();
    Digest::of(all.as_bytes()).to_string()[..16].to_owned()
});

/// Where a page finds it.
pub(crate) fn url(name: &str) -> String {
    format!("/console/assets/{}/{name}", *VERSION)
}

#[get("/console/assets/{version}/{name}")]
pub(crate) async fn serve(path: web::Path<(String, String)>) -> HttpResponse {
    let (version, name) = path.into_inner();
    let found = ASSETS.iter().find(|asset| asset.name == name && *VERSION == version);
    let Some(asset) = found else { return HttpResponse::NotFound().finish() };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, asset.kind))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(asset.content)
}
