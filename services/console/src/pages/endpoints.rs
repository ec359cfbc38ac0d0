//! Endpoints: the names by which a model is used. All calls of one go to a version by one click, and back to
//! what was before by another; shares, shadows and limits are the API's.

use actix_web::{HttpResponse, get, http::Method, post, web};
use domain::Timestamp;
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::see;
use crate::{
    api::{List, Route},
    failure::Failure,
    form::Sent,
    layout::{self, Field, Page},
    visitor::Visitor,
    words,
};

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(list).service(put).service(show).service(rollback);
}

#[derive(Deserialize)]
struct Endpoint {
    name: String,
    revision: u32,
    traffic: Vec<Target>,
    url: String,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Target {
    model: Option<String>,
    version: u32,
    percent: f64,
    requests: u64,
    errors: u64,
    mean_latency_ms: Option<f64>,
}

#[derive(Deserialize)]
struct Revision {
    revision: u32,
    changed_by: String,
    traffic: Vec<Target>,
    created_at: Timestamp,
}

#[get("/endpoints")]
async fn list(visitor: Visitor) -> Result<Markup, Failure> {
    let route = Route::of(["endpoints"]);
    let all: List<Endpoint> = visitor.api.get(&route).await?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        div.head { h1 { "Endpoints" } }
        @if all.items.is_empty() {
            (layout::empty("No endpoint yet", html! {
                p { "An endpoint is a name that programs call, behind which versions change without their noticing." }
                p.row { a.button.main href="/console/models" { "Choose a model to put behind one" } }
            }))
        } @else {
            div.card.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Its calls go to" } th.right scope="col" { "Calls" } th scope="col" { "Made" } } }
                tbody { @for one in &all.items { tr {
                    th scope="row" { a href=(format!("/console/endpoints/{}", one.name)) { (one.name) } }
                    td { @for target in &one.traffic { div { (target.named()) } } }
                    td.right { (words::count(one.traffic.iter().map(|target| target.requests).sum())) }
                    td { (words::ago(one.created_at, now)) }
                } } }
            } }
        }
    };
    Ok(Page { json: Some(&route), ..Page::new("Endpoints", "endpoints") }.render(&visitor, body))
}

impl Target {
    fn named(&self) -> Markup {
        html! {
            @match &self.model {
                Some(model) => a href=(format!("/console/models/{model}?version={}", self.version)) { (model) " version " (self.version) },
                None => { "a model that is shown no more, version " (self.version) },
            }
            " " span.quiet { (words::percent(self.percent / 100.0)) }
        }
    }
}

#[get("/endpoints/{endpoint}")]
async fn show(visitor: Visitor, name: web::Path<String>) -> Result<Markup, Failure> {
    let route = Route::of(["endpoints", &name]);
    let revisions = Route::of(["endpoints", &name, "revisions"]);
    let (endpoint, revisions) = try_join!(
        visitor.api.get::<Endpoint>(&route),
        visitor.api.get::<List<Revision>>(&revisions),
    )?;
    let now = visitor.app()?.clock.now();
    let url = &visitor.app()?.config.public_url;
    let call = format!(
        "curl -sS '{url}{}/predict' \\\n  -H \"Authorization: Bearer $CUPOLA_KEY\" -H 'Content-Type: application/json' \\\n  -d '{{\"row\": {{}}}}'",
        endpoint.url
    );
    let body = html! {
        p.crumbs { a href="/console/endpoints" { "Endpoints" } " / " (endpoint.name) }
        div.head { h1 { (endpoint.name) } }
        section.card { h2 { "Since the split is in force" } (traffic(&endpoint.traffic)) }
        section.card {
            h2 { "How to call it" }
            p.hint { "First: " code { "export CUPOLA_KEY=cup_…" } " with one of your " a href="/console/keys" { "API keys" } "; the row is that of the model's page." }
            pre tabindex="0" role="group" aria-label="With curl" { (call) }
        }
        section.card {
            h2 { "Splits" }
            div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Revision" } th scope="col" { "Its calls went to" } th scope="col" { "By" } th scope="col" { "Since" } th scope="col" { "" } } }
                tbody { @for one in &revisions.items { tr {
                    th scope="row" { (one.revision) @if one.revision == endpoint.revision { " " (layout::badge("up")) } }
                    td { @for target in &one.traffic { div { (target.named()) } } }
                    td { (one.changed_by) }
                    td { (words::ago(one.created_at, now)) }
                    td.right { @if visitor.me.develops() && one.revision != endpoint.revision { (back(&visitor, &endpoint.name, one.revision)) } }
                } } }
            } }
        }
    };
    Ok(Page { json: Some(&route), ..Page::new(&endpoint.name, "endpoints") }.render(&visitor, body))
}

fn traffic(targets: &[Target]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "Version" } th.right scope="col" { "Calls" } th.right scope="col" { "Not answered" } th.right scope="col" { "Took on average" } } }
            tbody { @for target in targets { tr {
                th scope="row" { (target.named()) }
                td.right { (words::count(target.requests)) }
                td.right { (words::count(target.errors)) }
                td.right { @match target.mean_latency_ms { Some(millis) => { (words::number(millis)) " ms" }, None => "–" } }
            } } }
        } }
    }
}

fn back(visitor: &Visitor, name: &str, revision: u32) -> Markup {
    html! {
        form.act method="post" action=(format!("/console/endpoints/{name}/rollback")) {
            (layout::seal(visitor))
            input type="hidden" name="revision" value=(revision);
            button type="submit" { "Go back to " (revision) }
        }
    }
}

/// On a model's page: a version is put to use.
pub(super) fn form(visitor: &Visitor, model: &str, (tenant, version): (&str, u32)) -> Markup {
    html! {
        form.inline method="post" action="/console/endpoints" {
            (layout::seal(visitor))
            input type="hidden" name="model" value=(format!("{tenant}/{model}"));
            input type="hidden" name="version" value=(version);
            (Field { required: true, value: model, hint: "Programs call this name. One that is there sends all its calls here from now on, and can go back.", ..Field::new("endpoint", "Name of the endpoint") }.render())
            button.main type="submit" { "Put it to use" }
        }
    }
}

#[post("/endpoints")]
async fn put(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let fields = sent.0;
    let name = fields.text("endpoint");
    let target =
        json!({ "model": fields.text("model"), "version": fields.text("version"), "weight": 1 });
    let split = json!({ "traffic": [target] });
    let route = Route::of(["endpoints", name]);
    let made: Value = visitor.api.send(Method::PUT, &route, &split).await?;
    Ok(see(&format!("/console/endpoints/{}", made["name"].as_str().unwrap_or_default())))
}

#[post("/endpoints/{endpoint}/rollback")]
async fn rollback(
    sent: Sent,
    visitor: Visitor,
    name: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let revision: u32 = sent.0.text("revision").parse().map_err(|_| Failure::not_found())?;
    let route = Route::of(["endpoints", &name, "rollback"]);
    visitor.api.change(Method::POST, &route, &json!({ "revision": revision })).await?;
    Ok(see(&format!("/console/endpoints/{name}")))
}
