//! The queue of a pool: how its tenants stand, who waits and why; and before a quota is set what it would
//! change.

use actix_web::{Either, get, http::Method, post, web};
use domain::Timestamp;
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    pools::{Pool, Resources},
    tenant,
};
use crate::{
    api::{List, Route},
    chart,
    failure::Failure,
    form::{Fields, Sent},
    layout::{self, Live, Page},
    visitor::Visitor,
    words,
};

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(show).service(what_if);
}

#[derive(Deserialize)]
struct Queue {
    capacity: Resources,
    tenants: Vec<Standing>,
    waiting: Vec<Waiting>,
    starts: Vec<Placed>,
    stops: Vec<Placed>,
}

#[derive(Deserialize)]
struct Standing {
    tenant: String,
    used: Resources,
    borrowed: Resources,
    guaranteed: Resources,
    weight: u32,
    current: f64,
    average: f64,
    running: u64,
    waiting: u64,
}

#[derive(Deserialize)]
struct Waiting {
    job: String,
    tenant: String,
    reason: Reason,
    own_ahead: u64,
    tenants_ahead: u64,
    asks: Resources,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Reason {
    message: String,
}

#[derive(Deserialize)]
struct Placed {
    job: String,
    tenant: String,
}

#[derive(Deserialize)]
struct WhatIf {
    now: Queue,
    then: Queue,
}

#[derive(Deserialize)]
struct Which {
    #[serde(default = "default_pool")]
    pool: String,
}

pub(super) fn default_pool() -> String {
    domain::spec::DEFAULT_POOL.to_owned()
}

#[get("/queue")]
async fn show(visitor: Visitor, which: web::Query<Which>) -> Result<Markup, Failure> {
    let pool = which.into_inner().pool;
    let (route, pools) = (Route::of(["pools", &pool, "queue"]), Route::of(["pools"]));
    let (queue, pools) =
        try_join!(visitor.api.get::<Queue>(&route), visitor.api.get::<List<Pool>>(&pools))?;
    let pools: Vec<_> =
        pools.items.iter().map(|pool| (pool.name.as_str(), pool.name.as_str())).collect();
    let now = visitor.app()?.clock.now();
    let body = html! {
        div.head { h1 { "The queue" } }
        form.card.inline method="get" action="/console/queue" {
            (layout::select("pool", "Pool", &pool, &pools, ""))
            button type="submit" { "Show" }
        }
        section.card #shares data-live { h2 { "How tenants stand" } (standings(&queue)) }
        section.card #waiting data-live { h2 { "Who waits, and why" } (waiting(&queue.waiting, now)) }
    };
    let page = Page { json: Some(&route), live: Live::Every(5), ..Page::new("The queue", "queue") };
    Ok(page.render(&visitor, body))
}

fn standings(queue: &Queue) -> Markup {
    html! {
        @if queue.tenants.is_empty() { p.quiet { "Nobody uses this pool, or waits for it." } }
        @else { div.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "Tenant" } th scope="col" { "Its share now: guaranteed, borrowed" } th.right scope="col" { "On average" } th.right scope="col" { "Weight" } th.right scope="col" { "Running" } th.right scope="col" { "Waiting" } th scope="col" { "Uses" } } }
            tbody { @for one in &queue.tenants { tr {
                th scope="row" { a href=(format!("/console/tenants/{}", one.tenant)) { (one.tenant) } }
                td.cell { (share(one, &queue.capacity)) }
                td.right { (words::percent(one.average)) }
                td.right { (one.weight) }
                td.right { (one.running) }
                td.right { (one.waiting) }
                td.small { (one.used.said()) @if one.guaranteed.cpu_milli > 0 { span.quiet { " of " (one.guaranteed.said()) " guaranteed" } } }
            } } }
        } } }
    }
}

/// By CPUs, which every job asks for.
fn share(one: &Standing, whole: &Resources) -> Markup {
    let part = |n: u64| n as f64 / whole.cpu_milli.max(1) as f64;
    let borrowed = part(one.borrowed.cpu_milli);
    let own = part(one.used.cpu_milli) - borrowed;
    let label = format!(
        "{}: {} of the CPUs guaranteed, {} borrowed",
        one.tenant,
        words::percent(own),
        words::percent(borrowed)
    );
    html! { (chart::stacked(&label, &[own, borrowed])) span.small.quiet { (words::percent(one.current)) } }
}

fn waiting(jobs: &[Waiting], now: Timestamp) -> Markup {
    html! {
        @if jobs.is_empty() { p.quiet { "Nothing waits." } }
        @else { div.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "Job" } th scope="col" { "Tenant" } th scope="col" { "Why" } th.right scope="col" { "Tenants ahead" } th.right scope="col" { "Own jobs ahead" } th scope="col" { "Asks for" } th scope="col" { "Since" } } }
            tbody { @for one in jobs { tr {
                th scope="row" { code { (one.job) } }
                td { (one.tenant) }
                td { (one.reason.message) }
                td.right { (one.tenants_ahead) }
                td.right { (one.own_ahead) }
                td.small { (one.asks.said()) }
                td.nowrap { (words::ago(one.created_at, now)) }
            } } }
        } } }
    }
}

/// From the form that sets a quota: what it would change, and the same form again to set it.
#[post("/tenants/{slug}/quotas/what-if")]
async fn what_if(
    sent: Sent,
    visitor: Visitor,
    slug: web::Path<String>,
) -> Result<Either<Markup, actix_web::HttpResponse>, Failure> {
    let fields = sent.0;
    let route = Route::of(["tenants", &slug, "quotas", fields.text("pool"), "what-if"]);
    let errors = match tenant::quota(&fields) {
        Ok(quota) => match visitor.api.send::<WhatIf>(Method::POST, &route, &quota).await {
            Ok(found) => return Ok(Either::Left(foreseen(&visitor, &slug, &fields, &found))),
            Err(failure) => failure.into_errors()?,
        },
        Err(errors) => errors,
    };
    Ok(Either::Right(tenant::again(&visitor, &slug, &errors).await?))
}

fn foreseen(visitor: &Visitor, slug: &str, fields: &Fields, found: &WhatIf) -> Markup {
    let pool = fields.text("pool");
    let body = html! {
        p.crumbs { a href="/console/tenants" { "Tenants" } " / " a href=(format!("/console/tenants/{slug}")) { (slug) } " / what a quota would change" }
        div.head { h1 { "What this quota would change" } }
        p { "The next plan for pool " strong { (pool) } ", as things are and with this quota. Nothing is set yet." }
        div.columns {
            section.card { h2 { "As it is" } (planned(&found.now)) }
            section.card { h2 { "With it" } (planned(&found.then)) }
        }
        form.row method="post" action=(format!("/console/tenants/{slug}/quotas")) {
            (layout::seal(visitor))
            @for (name, value) in fields.0.iter().filter(|(name, _)| name != crate::form::SEAL) {
                input type="hidden" name=(name) value=(value);
            }
            button.main type="submit" { "Set it" }
            a.button href=(format!("/console/tenants/{slug}")) { "Leave it" }
        }
    };
    Page::new("What this quota would change", "tenants").render(visitor, body)
}

fn planned(queue: &Queue) -> Markup {
    html! {
        (placed("Would start", &queue.starts))
        (placed("Would be stopped, to go on later", &queue.stops))
        p { (words::many(queue.waiting.len() as u64, "job")) " would wait" @if !queue.waiting.is_empty() { ":" } }
        ul.small { @for one in queue.waiting.iter().take(20) { li { code { (one.job) } " of " (one.tenant) ": " (one.reason.message) } } }
    }
}

fn placed(what: &str, jobs: &[Placed]) -> Markup {
    html! {
        p { (what) ": " @if jobs.is_empty() { "none" } @else { (jobs.len()) } }
        ul.small { @for one in jobs.iter().take(20) { li { code { (one.job) } " of " (one.tenant) } } }
    }
}
