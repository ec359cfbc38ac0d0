//! Sweeps: one specification at many points, how far they are, and which point was the best.

mod start;

use std::collections::BTreeMap;

use actix_web::{get, web};
use domain::Timestamp;
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    api::{List, Route},
    failure::Failure,
    layout::{self, Live, Page},
    visitor::Visitor,
    words,
};

/// A comparison has as many colours.
const MOST_COMPARED: usize = 4;
/// Of each the best of its points is looked for.
const SHOWN: u32 = 10;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(list).service(start::new).service(start::start).service(show);
}

#[derive(Deserialize)]
struct Sweep {
    id: String,
    name: String,
    parallelism: u32,
    metric: String,
    maximize: bool,
    jobs: BTreeMap<String, u64>,
    ended: bool,
    best: Option<Best>,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    cursor: String,
}

#[derive(Deserialize)]
struct Best {
    job: String,
    point: Value,
    value: f64,
}

#[derive(Deserialize)]
struct Job {
    id: String,
    status: String,
    sweep: Option<Point>,
    cause: Option<Cause>,
}

#[derive(Deserialize)]
struct Point {
    point: Value,
}

#[derive(Deserialize)]
struct Cause {
    message: String,
}

#[get("/sweeps")]
async fn list(visitor: Visitor, page: web::Query<Which>) -> Result<Markup, Failure> {
    let route = Route::of(["sweeps"]).with("limit", SHOWN);
    let sweeps: List<Sweep> = visitor.api.get(&route.clone().with("cursor", &page.cursor)).await?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        div.head { h1 { "Sweeps" } @if visitor.me.develops() { a.button.main href="/console/sweeps/new" { "New sweep" } } }
        @if sweeps.items.is_empty() {
            (layout::empty("No sweep yet", html! {
                p { "A sweep trains one specification at many points, so many at once, and says which was the best." }
                @if visitor.me.develops() { p { a.button.main href="/console/sweeps/new" { "Start one" } } }
            }))
        } @else {
            div.card.scroll #list data-live tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Sweep" } th scope="col" { "Its jobs" } th scope="col" { "Best so far" } th scope="col" { "Made" } } }
                tbody { @for sweep in &sweeps.items { tr {
                    th scope="row" { a href=(format!("/console/sweeps/{}", sweep.id)) { (sweep.name) } }
                    td { (states(sweep)) }
                    td { @if let Some(best) = &sweep.best { (words::spaced(&sweep.metric)) " " (words::number(best.value)) } @else { "–" } }
                    td { (words::ago(sweep.created_at, now)) }
                } } }
            } }
            (layout::more(sweeps.next.as_deref(), &route, "/console/sweeps"))
        }
    };
    let page = Page { json: Some(&route), live: Live::Every(5), ..Page::new("Sweeps", "sweeps") };
    Ok(page.render(&visitor, body))
}

fn states(sweep: &Sweep) -> Markup {
    html! { @for (state, count) in &sweep.jobs { (layout::badge(state)) " " (count) " " } }
}

#[get("/sweeps/{sweep}")]
async fn show(visitor: Visitor, id: web::Path<String>) -> Result<Markup, Failure> {
    let route = Route::of(["sweeps", &id]);
    let jobs = Route::of(["jobs"]).with("sweep", id.as_str()).with("limit", 200);
    let (sweep, jobs) =
        try_join!(visitor.api.get::<Sweep>(&route), visitor.api.get::<List<Job>>(&jobs))?;
    let best = sweep.best.as_ref().map(|best| best.job.as_str());
    let done: Vec<_> = jobs.items.iter().filter(|job| job.status == "succeeded").collect();
    let compared = best.into_iter().chain(done.iter().map(|job| job.id.as_str()));
    let mut compared: Vec<_> = compared.take(MOST_COMPARED + 1).collect();
    compared.dedup();
    let compared: Vec<_> =
        compared.iter().take(MOST_COMPARED).map(|id| format!("job={id}")).collect();
    let body = html! {
        p.crumbs { a href="/console/sweeps" { "Sweeps" } " / " (sweep.name) }
        div.head #head data-live {
            div { h1 { (sweep.name) } p.quiet { (sweep.parallelism) " at once; the " @if sweep.maximize { "greatest " } @else { "least " } (words::spaced(&sweep.metric)) " is the best" } }
            @if compared.len() >= 2 { a.button href=(format!("/console/jobs/compare?{}", compared.join("&"))) { "Side by side" } }
        }
        div #state data-live {
            p { (states(&sweep)) }
            @if let Some(best) = &sweep.best {
                div.notice.good { p { "Best so far: " strong { (words::spaced(&sweep.metric)) " " (words::number(best.value)) } " with " (said(&best.point)) ". " a href=(format!("/console/jobs/{}", best.job)) { "The job" } } }
            }
        }
        section.card #jobs data-live {
            h2 { "Its points" }
            div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Point" } th scope="col" { "State" } th scope="col" { "" } } }
                tbody { @for job in &jobs.items { tr {
                    th scope="row" { a href=(format!("/console/jobs/{}", job.id)) { @match &job.sweep { Some(of) => (said(&of.point)), None => (job.id) } } }
                    td { (layout::badge(&job.status)) }
                    td { @if best == Some(job.id.as_str()) { strong { "the best" } } @if let Some(cause) = &job.cause { span.small { (cause.message) } } }
                } } }
            } }
        }
    };
    let live = if sweep.ended { Live::No } else { Live::Every(5) };
    Ok(Page { json: Some(&route), live, ..Page::new(&sweep.name, "sweeps") }.render(&visitor, body))
}

/// `epochs 3, batch size 16`
fn said(point: &Value) -> Markup {
    let fields = point.as_object().into_iter().flatten();
    let fields = fields.map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{} {value}", words::spaced(name))
    });
    html! { (fields.collect::<Vec<_>>().join(", ")) }
}
