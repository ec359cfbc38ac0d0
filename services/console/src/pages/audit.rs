//! The audit log: who did what, newest first.

use actix_web::{get, web};
use domain::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    api::{List, Route},
    failure::Failure,
    layout::{self, Field, Page},
    visitor::Visitor,
    words,
};

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(audit);
}

#[derive(Deserialize)]
struct Record {
    at: Timestamp,
    action: String,
    result: String,
    user: Option<String>,
    role: Option<String>,
    key: Option<String>,
    address: Option<String>,
    object_kind: Option<String>,
    object: Option<String>,
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    action: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    object: String,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    cursor: String,
}

#[get("/audit")]
async fn audit(visitor: Visitor, filter: web::Query<Filter>) -> Result<Markup, Failure> {
    let Filter { action, user, object, tenant, cursor } = filter.into_inner();
    let route =
        Route::of(["audit"]).with("action", &action).with("user", &user).with("object", &object);
    let route = route.with("tenant", &tenant);
    let records: List<Record> = visitor.api.get(&route.clone().with("cursor", &cursor)).await?;
    let field = |name, label, value| Field { value, ..Field::new(name, label) }.render();
    let body = html! {
        div.head { h1 { "Audit log" } }
        form.card.inline method="get" action="/console/audit" {
            (field("action", "Action", &action))
            (field("object", "Object", &object))
            (field("user", "User's id", &user))
            @if visitor.me.tenant.is_none() { (field("tenant", "Of a tenant", &tenant)) }
            button type="submit" { "Filter" }
        }
        @if records.items.is_empty() { (layout::empty("Nothing here", html! { p { "Nothing was changed, or nothing by these words." } })) }
        @else { div.card.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "When" } th scope="col" { "Action" } th scope="col" { "Object" } th scope="col" { "Who" } th scope="col" { "From" } th scope="col" { "Result" } } }
            tbody { @for record in &records.items { (row(record)) } }
        } } }
        (layout::more(records.next.as_deref(), &route, "/console/audit"))
    };
    Ok(Page { json: Some(&route), ..Page::new("Audit log", "audit") }.render(&visitor, body))
}

fn row(record: &Record) -> Markup {
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    html! { tr {
        td.nowrap { (words::moment(record.at)) }
        th scope="row" { (words::spaced(&record.action)) }
        td { (said(&record.object_kind)) " " code { (said(&record.object)) } }
        td.small { code { (said(&record.user)) } " " (said(&record.role)) @if record.key.is_some() { " by a key" } }
        td { (said(&record.address)) }
        td { @if record.result == "done" { "done" } @else { span.badge.bad { (record.result) } } }
    } }
}
