//! A version's card: what its people write of the model, and what the platform knows of it, as Markdown or
//! as a page.

mod facts;
mod markdown;
mod readme;

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{
        ACCEPT, CONTENT_SECURITY_POLICY, ContentType, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    },
    web,
};
use comrak::{Options, markdown_to_html};

pub(super) use self::readme::readme;
use self::{facts::facts, markdown::written};
use super::{known_model, shown_version};
use crate::{ApiError, App, auth::Reader};

/// Nothing of a page that somebody has written runs, and nothing is fetched for it.
const NOTHING_RUNS: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// Read a version's card, as Markdown or, to who accepts it, as HTML.
#[utoipa::path(
    operation_id = "get_model_card",
    tag = "models",
    security((), ("bearer" = [])),
    params(
        ("tenant" = String, Path),
        ("model" = String, Path),
        ("version" = String, Path, description = "A number, an alias, a revision, or `latest`"),
    ),
    responses(
        (status = 200, content((String = "text/markdown"), (String = "text/html"))),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[get("/v1/models/{tenant}/{model}/versions/{version}/card")]
pub(super) async fn card(
    app: web::Data<App>,
    reader: Reader,
    path: web::Path<(String, String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let mut tx = reader.begin(&app).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let version = shown_version(&mut tx, &reader, &model, &named).await?;
    tx.commit().await?;
    let text = written(&facts(&app, model, version).await?);
    if !wants_html(&request) {
        return Ok(HttpResponse::Ok().content_type("text/markdown; charset=utf-8").body(text));
    }
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, NOTHING_RUNS))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .body(page(&text)))
}

fn wants_html(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| {
        accepted.split(',').any(|kind| kind.trim_start().starts_with("text/html"))
    })
}

/// Without any HTML of the author's own, and without links that are no links.
fn page(markdown: &str) -> String {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    debug_assert!(!options.render.r#unsafe);
    format!("<!doctype html>\n<meta charset=\"utf-8\">\n{}", markdown_to_html(markdown, &options))
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn nothing_that_runs_comes_through() {
        let written = "# Hello <script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n\n\
            [a](javascript:alert(1)) [b](https://example.com) ![c](data:text/html;base64,AAAA)\n\n\
            <a href=\"javascript:alert(1)\">d</a>\n\n| a | b |\n|---|---|\n| 1 | <iframe> |\n";
        let page = page(written).to_lowercase();
        for danger in ["<script", "onerror", "javascript:", "data:text", "<iframe", "<img src=x"] {
            assert!(!page.contains(danger), "{danger}: {page}");
        }
        assert!(
            page.contains("<table>") && page.contains("href=\"https://example.com\""),
            "{page}"
        );
    }
}
