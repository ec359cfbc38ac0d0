//! Pools and workers: what there is, what is used, what is to be taken out of service.

use actix_web::{HttpResponse, http::Method, post, web};
use domain::Timestamp;
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use super::heat;
use crate::{
    api::{List, Route},
    chart,
    failure::Failure,
    form::Sent,
    layout::{self, Field, Live, Page},
    pages::see,
    visitor::Visitor,
    words,
};

const HERE: &str = "/console";
/// Workers on a page, each with its cell and its row.
const WORKERS: u32 = 200;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(set_worker).service(make_pool);
}

#[derive(Deserialize)]
pub(in crate::pages) struct Pool {
    pub name: String,
    pub accelerator: Option<String>,
    pub capacity: Resources,
    pub used: Resources,
    pub workers: u32,
    prices: Prices,
}

#[derive(Deserialize)]
pub(in crate::pages) struct Resources {
    pub cpu_milli: u64,
    pub memory_bytes: u64,
    #[serde(default)]
    pub accelerator_milli: u64,
}

/// Nothing, where there is none.
pub(super) fn share(used: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { used as f64 / of as f64 }
}

#[derive(Deserialize)]
struct Prices {
    cpu_hour: f64,
    gib_hour: f64,
    accelerator_hour: f64,
}

#[derive(Deserialize)]
pub(super) struct Worker {
    pub id: String,
    pub name: String,
    pub pool: String,
    pub accelerator: Option<String>,
    pub state: String,
    pub capacity: Resources,
    pub used: Resources,
    pub running_jobs: u32,
    pub heartbeat_at: Timestamp,
}

#[derive(Deserialize)]
pub(in crate::pages) struct Begin {
    #[serde(default)]
    cursor: String,
}

/// What an operator sees first.
pub(in crate::pages) async fn page(visitor: Visitor, from: &Begin) -> Result<Markup, Failure> {
    let first = Route::of(["workers"]).with("limit", WORKERS);
    let (pools, route) = (Route::of(["pools"]), first.clone().with("cursor", &from.cursor));
    let (pools, workers) =
        try_join!(visitor.api.get::<List<Pool>>(&pools), visitor.api.get::<List<Worker>>(&route))?;
    let now = visitor.app()?.clock.now();
    let are_all = from.cursor.is_empty() && workers.next.is_none();
    let heat = if are_all {
        heat::cells(&workers.items)
    } else {
        // too many to show each
        heat::tenths(
            &visitor.api.get::<List<heat::Load>>(&Route::of(["workers", "load"])).await?.items,
        )
    };
    let body = html! {
        div.head { h1 { "Pools and workers" } }
        div.columns #pools data-live { @for pool in &pools.items { (card(pool)) } }
        @if !workers.items.is_empty() { section.card #heat data-live { h2 { "How full they are" } (heat) } }
        section.card #workers data-live {
            h2 { "Workers" }
            @if workers.items.is_empty() { p.quiet { "None has registered. Start one with " code { "cupola worker" } "." } }
            @else { div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Worker" } th scope="col" { "Pool" } th scope="col" { "State" } th.right scope="col" { "Jobs" } th scope="col" { "In use" } th scope="col" { "Heard of" } th scope="col" { "" } } }
                tbody { @for worker in &workers.items { (row(&visitor, worker, now)) } }
            } } }
            (layout::more(workers.next.as_deref(), &first, HERE))
        }
        @if visitor.me.operates() { (new_pool(&visitor)) }
    };
    let page = Page {
        json: Some(&route),
        live: Live::Every(5),
        ..Page::new("Pools and workers", "overview")
    };
    Ok(page.render(&visitor, body))
}

fn card(pool: &Pool) -> Markup {
    let Pool { name, accelerator, capacity, used, workers, prices } = pool;
    let cpus = |n: f64| words::number(n / 1e3);
    let bytes = |n: f64| words::bytes(n as u64);
    html! { section.card {
        h2 { (name) " " span.quiet.small { (words::many(*workers, "worker")) } }
        (chart::quota("CPUs", used.cpu_milli as f64, Some(capacity.cpu_milli as f64), cpus))
        (chart::quota("Memory", used.memory_bytes as f64, Some(capacity.memory_bytes as f64), bytes))
        @if let Some(kind) = accelerator {
            (chart::quota(kind, used.accelerator_milli as f64, Some(capacity.accelerator_milli as f64), cpus))
        }
        p.small.quiet { "Credits an hour: CPU " (words::number(prices.cpu_hour)) ", GiB " (words::number(prices.gib_hour)) ", accelerator " (words::number(prices.accelerator_hour)) }
    } }
}

fn row(visitor: &Visitor, worker: &Worker, now: Timestamp) -> Markup {
    let acts: &[(&str, &str)] = match worker.state.as_str() {
        "up" => &[("cordoned", "Cordon"), ("draining", "Drain")],
        "cordoned" => &[("up", "Use again"), ("draining", "Drain")],
        "draining" => &[("up", "Use again")],
        _ => &[],
    };
    html! { tr {
        th scope="row" { (worker.name) div.small.quiet { code { (worker.id) } } }
        td { (worker.pool) }
        td { (layout::badge(&worker.state)) }
        td.right { (worker.running_jobs) }
        td.small { (in_use(worker)) }
        td.nowrap { (words::ago(worker.heartbeat_at, now)) }
        td.right { @if visitor.me.operates() { @for (state, label) in acts {
            (layout::act(visitor, &format!("/console/workers/{}/{state}", worker.id), label, "small")) " "
        } } }
    } }
}

fn in_use(Worker { used, capacity, accelerator, .. }: &Worker) -> Markup {
    let thousands = |n: u64| words::number(n as f64 / 1e3);
    html! {
        (thousands(used.cpu_milli)) " of " (thousands(capacity.cpu_milli)) " CPUs, "
        (words::bytes(used.memory_bytes)) " of " (words::bytes(capacity.memory_bytes))
        @if let Some(kind) = accelerator {
            ", " (thousands(used.accelerator_milli)) " of " (thousands(capacity.accelerator_milli)) " " (kind)
        }
    }
}

fn new_pool(visitor: &Visitor) -> Markup {
    html! { section.card {
        h2 { "New pool" }
        form.inline method="post" action="/console/pools" {
            (layout::seal(visitor))
            (Field { required: true, ..Field::new("name", "Name") }.render())
            (Field { hint: "Empty: CPUs alone.", ..Field::new("accelerator", "Kind of accelerator") }.render())
            button type="submit" { "Make it" }
        }
    } }
}

#[post("/workers/{id}/{state}")]
async fn set_worker(
    _sent: Sent,
    visitor: Visitor,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let (id, state) = path.into_inner();
    visitor
        .api
        .change(Method::PATCH, &Route::of(["workers", &id]), &json!({ "state": state }))
        .await?;
    Ok(see(HERE))
}

#[post("/pools")]
async fn make_pool(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let mut body = json!({ "name": sent.0.text("name") });
    if let Some(kind) = sent.0.some("accelerator") {
        body["accelerator"] = kind.into();
    }
    visitor.api.change(Method::POST, &Route::of(["pools"]), &body).await?;
    Ok(see(HERE))
}
