//! API keys: made, shown once, revoked.

use actix_web::{
    HttpResponse, get,
    http::{Method, StatusCode},
    post, web,
};
use domain::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{List, Route},
    failure::{Errors, Failure},
    form::Sent,
    layout::{self, Field, Page},
    pages::see,
    visitor::Visitor,
    words,
};

const HERE: &str = "/console/keys";
const SCOPES: [&str; 11] = [
    "self:read",
    "keys:manage",
    "datasets:read",
    "datasets:write",
    "jobs:read",
    "jobs:submit",
    "models:read",
    "models:write",
    "models:publish",
    "models:predict",
    "people:manage",
];

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(list).service(make).service(revoke);
}

#[derive(Deserialize)]
struct Key {
    id: String,
    name: String,
    prefix: String,
    scopes: Option<Vec<String>>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Issued {
    secret: String,
}

#[get("/keys")]
async fn list(visitor: Visitor) -> Result<Markup, Failure> {
    page(&visitor, None, &Errors::default()).await
}

/// The answer itself shows the key: it is nowhere else, and never again.
#[post("/keys")]
async fn make(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let fields = sent.0;
    let scopes: Vec<_> =
        fields.0.iter().filter(|(name, _)| name == "scope").map(|(_, scope)| scope).collect();
    let mut body = json!({ "name": fields.text("name") });
    if !scopes.is_empty() {
        body["scopes"] = json!(scopes);
    }
    let (made, errors) = visitor.api.make::<Issued>(&Route::of(["keys"]), &body).await?;
    let page = page(&visitor, made.as_ref().map(|made| made.secret.as_str()), &errors).await?;
    let status =
        if made.is_some() { StatusCode::CREATED } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(HttpResponse::build(status).content_type(layout::HTML).body(page.into_string()))
}

#[post("/keys/{id}/revoke")]
async fn revoke(
    _sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    visitor.api.order(Method::DELETE, &Route::of(["keys", &id])).await?;
    Ok(see(HERE))
}

async fn page(visitor: &Visitor, secret: Option<&str>, errors: &Errors) -> Result<Markup, Failure> {
    let route = Route::of(["keys"]);
    let keys: List<Key> = visitor.api.get(&route).await?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        div.head { h1 { "API keys" } }
        @if let Some(secret) = secret {
            div.notice.good role="status" {
                p { strong { "Your new key. Copy it now: it is not shown again." } }
                pre tabindex="0" #secret { (secret) }
            }
        }
        (layout::errors(errors))
        section.card {
            @if keys.items.is_empty() { p.quiet { "No key yet. Programs sign in with one; people with a password." } }
            @else { div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Begins with" } th scope="col" { "May" } th scope="col" { "Last used" } th scope="col" { "Made" } th scope="col" { "" } } }
                tbody { @for key in &keys.items { (row(visitor, key, now)) } }
            } } }
        }
        section.card {
            h2 { "New key" }
            form method="post" action=(HERE) {
                (layout::seal(visitor))
                (Field { required: true, error: errors.at("name"), hint: "What it is for.", ..Field::new("name", "Name") }.render())
                fieldset {
                    legend { "Only for" }
                    p.hint { "None: all that you may do yourself." }
                    div.row { @for scope in SCOPES { label.check { input type="checkbox" name="scope" value=(scope); code { (scope) } } } }
                }
                br;
                button.main type="submit" { "Make it" }
            }
        }
    };
    Ok(Page { json: Some(&route), ..Page::new("API keys", "keys") }.render(visitor, body))
}

fn row(visitor: &Visitor, key: &Key, now: Timestamp) -> Markup {
    html! { tr {
        th scope="row" { (key.name) }
        td { code { (key.prefix) "…" } }
        td.small { @match &key.scopes { Some(scopes) => (scopes.join(", ")), None => "all that its owner may" } }
        td { @match key.last_used_at { Some(at) => (words::ago(at, now)), None => "never" } }
        td { (words::ago(key.created_at, now)) }
        td.right {
            @match (key.revoked_at, key.expires_at) {
                (Some(at), _) => span.quiet { "revoked " (words::ago(at, now)) },
                (None, Some(at)) if at <= now => span.quiet { "expired " (words::ago(at, now)) },
                _ => (layout::act(visitor, &format!("{HERE}/{}/revoke", key.id), "Revoke", "small danger")),
            }
        }
    } }
}
