//! What one sees first: a tenant what runs and waits, what it has used, and what to do next; who runs the
//! platform its pools and workers.

use actix_web::{get, web};
use domain::Timestamp;
use futures::try_join;
use maud::{Markup, html};

use super::{
    datasets::Dataset,
    jobs::{self, Job},
    models::Model,
    operator,
    tenant::usage::{self, Usage},
};
use crate::{
    api::{List, Route},
    chart,
    failure::Failure,
    layout::{self, Live, Page},
    pages::operator::pools::Pool,
    visitor::Visitor,
    words,
};

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(overview);
}

#[get("")]
async fn overview(
    visitor: Visitor,
    from: web::Query<operator::pools::Begin>,
) -> Result<Markup, Failure> {
    if visitor.me.tenant.is_some() {
        of_tenant(visitor).await
    } else {
        operator::pools::page(visitor, &from).await
    }
}

async fn of_tenant(visitor: Visitor) -> Result<Markup, Failure> {
    let api = &visitor.api;
    let jobs_at = Route::of(["jobs"]);
    let of_state = |state: &str| jobs_at.clone().with("status", state).with("limit", 10);
    let (running, queued) = (of_state("running"), of_state("queued"));
    let recent = jobs_at.clone().with("kind", "train").with("limit", 5);
    let (usage, pools) = (Route::of(["usage"]), Route::of(["pools"]));
    let (datasets, models) = (Route::of(["datasets"]), Route::of(["models"]).with("limit", 5));
    let (running, queued, recent, usage, pools, datasets, models) = try_join!(
        api.get::<List<Job>>(&running),
        api.get::<List<Job>>(&queued),
        api.get::<List<Job>>(&recent),
        api.get::<Usage>(&usage),
        api.get::<List<Pool>>(&pools),
        api.get::<List<Dataset>>(&datasets),
        api.get::<List<Model>>(&models),
    )?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        div.head {
            div { h1 { "Overview" } p.quiet { (visitor.me.tenant()) } }
            @if visitor.me.develops() { div.row { a.button href="/console/datasets" { "Push data" } a.button.main href="/console/jobs/new" { "Train a model" } } }
        }
        (next_step(&visitor, &datasets.items, &recent.items, &models.items))
        div #now data-live { (at_work(&running.items, &queued.items, now)) }
        div.columns {
            section.card { h2 { "Used of what there is" } (usage::bars(&usage)) p.small { a href="/console/usage" { "All of it" } } }
            section.card #pools data-live { h2 { "Shared compute" } (compute(&pools.items)) }
        }
        @if !recent.items.is_empty() { section.card #recent data-live { h2 { "Latest trainings" } (jobs::table(&recent.items, now, None)) } }
    };
    let page =
        Page { json: Some(&jobs_at), live: Live::Every(5), ..Page::new("Overview", "overview") };
    Ok(page.render(&visitor, body))
}

fn at_work(running: &[Job], queued: &[Job], now: Timestamp) -> Markup {
    html! {
        dl.tiles {
            div.tile { dt { "Running" } dd { (running.len()) @if running.len() == 10 { "+" } } }
            div.tile { dt { "Waiting" } dd { (queued.len()) @if queued.len() == 10 { "+" } } }
        }
        @if !running.is_empty() { section.card { h2 { "Running" } (jobs::table(running, now, None)) } }
        @if !queued.is_empty() { section.card { h2 { "Waiting, and why" } (jobs::table(queued, now, None)) } }
    }
}

fn compute(pools: &[Pool]) -> Markup {
    html! {
        @for pool in pools {
            @let share = pool.used.cpu_milli as f64 / pool.capacity.cpu_milli.max(1) as f64;
            div.quota {
                p { span { (pool.name) " " span.quiet { (words::many(pool.workers, "worker")) } } span { (words::number(pool.used.cpu_milli as f64 / 1e3)) span.quiet { " of " (words::number(pool.capacity.cpu_milli as f64 / 1e3)) " CPUs" } } }
                (chart::bar(&format!("{}: {} of its CPUs in use", pool.name, words::percent(share)), share))
            }
        }
        @if pools.is_empty() { p.quiet { "There is no pool yet." } }
    }
}

/// For who has not been all the way yet.
fn next_step(
    visitor: &Visitor,
    datasets: &[Dataset],
    trainings: &[Job],
    models: &[Model],
) -> Markup {
    let has_trained = models.iter().any(|model| model.latest_version.is_some());
    html! {
        @if !visitor.me.develops() || has_trained {}
        @else if datasets.is_empty() {
            (layout::empty("From data to an answer", html! {
                p { "Push data, train a model, watch it learn, ask it. Begin with a file of your own, or see it all with the example: 569 tumours, told apart by thirty measurements." }
                div.row {
                    (layout::act(visitor, "/console/example", "Push the example", "main"))
                    a.button href="/console/datasets" { "Push my own data" }
                }
            }))
        } @else if trainings.is_empty() {
            (layout::empty("The data is there. Now train on it", html! {
                p { "Say which column to predict. The rest has good defaults." }
                div.row {
                    @for dataset in datasets.iter().take(3) {
                        a.button.main href=(format!("/console/jobs/new?dataset={}", dataset.name)) { "Train on " (dataset.name) }
                    }
                }
            }))
        }
    }
}
