//! One job, as it goes: state and cause, curves, log, attempts. What changes is redrawn by its events.

use actix_web::{get, web};
use domain::Timestamp;
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    Job, Progress,
    figures::Metrics,
    road::{Step, road},
};
use crate::{
    api::{List, Route},
    failure::Failure,
    layout::{self, Live, Page},
    pages::{advice, cause::Cause},
    visitor::Visitor,
    words,
};

const LOG_LINES: u32 = 100;

#[derive(Deserialize)]
struct Attempt {
    number: u32,
    worker: String,
    assigned_at: Timestamp,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    outcome: Option<String>,
    cause: Option<Cause>,
    resumed_from_step: Option<u64>,
    used: Option<Used>,
}

#[derive(Deserialize)]
struct Used {
    cost: Cost,
}

#[derive(Deserialize)]
struct Cost {
    credits: f64,
}

#[derive(Deserialize)]
struct Line {
    at: Timestamp,
    text: String,
}

#[derive(Deserialize)]
struct Explanation {
    starts: Option<Interval>,
    own_ahead: u64,
    tenants_ahead: u64,
}

#[derive(Deserialize)]
struct Interval {
    from: Timestamp,
    until: Timestamp,
}

#[get("/jobs/{id}")]
pub(super) async fn show(visitor: Visitor, id: web::Path<String>) -> Result<Markup, Failure> {
    let api = &visitor.api;
    let route = Route::of(["jobs", &id]);
    let logs = Route::of(["jobs", &id, "logs"]).with("limit", LOG_LINES);
    let (metrics, attempts) =
        (Route::of(["jobs", &id, "metrics"]), Route::of(["jobs", &id, "attempts"]));
    let job: Job = api.get(&route).await?;
    let (metrics, attempts, logs) = try_join!(
        api.get::<Metrics>(&metrics),
        api.get::<List<Attempt>>(&attempts),
        api.get::<List<Line>>(&logs),
    )?;
    let explanation: Option<Explanation> = match job.status.as_str() {
        "queued" => api.find(&Route::of(["jobs", &id, "explanation"])).await?,
        _ => None,
    };
    let advice = match (job.kind.as_str(), job.is_over()) {
        ("train", true) => advice::of_run(&visitor, &id).await?,
        _ => None,
    };
    let advice = advice.map(|found| found.draw(&visitor)).transpose()?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        p.crumbs { a href="/console/jobs" { "Jobs" } " / " (job.name) }
        div #road data-live { @if job.kind == "train" { (road(step(&job))) } }
        div.head #head data-live { (head(&visitor, &job)) }
        div #state data-live { (standing(&visitor, &job, explanation.as_ref(), now)) (tiles(&job, &metrics, now)) }
        @if job.kind == "train" { div #curves data-live { @if metrics.is_empty() { (no_curves(&job)) } @else { (metrics.draw()) } } }
        div #advice data-live { @if let Some(advice) = &advice { (advice) } }
        div.columns {
            section.card #attempts data-live { h2 { "Attempts" } (timeline(&attempts.items)) }
            section.card { h2 { "About it" } (facts(&job, now)) }
        }
        section.card #log data-live { h2 { "Log" } (log(&logs.items)) }
        @if let Some(spec) = &job.spec { (specification(spec)) }
    };
    let live =
        if job.is_over() { Live::No } else { Live::Events(format!("/console/jobs/{id}/events")) };
    Ok(Page { json: Some(&route), live, ..Page::new(&job.name, "jobs") }.render(&visitor, body))
}

fn step(job: &Job) -> Step {
    if job.is_over() { Step::Judging } else { Step::Training }
}

fn head(visitor: &Visitor, job: &Job) -> Markup {
    let at = |what: &str| format!("{}/{what}", job.url());
    html! {
        div { h1 { (job.name) " " (layout::badge(&job.status)) } p.quiet.small { code { (job.id) } } }
        div.row {
            @if job.kind == "train" && visitor.me.develops() {
                @match job.status.as_str() {
                    "paused" => (layout::act(visitor, &at("resume"), "Let it go on", "main")),
                    "queued" | "starting" | "running" => (layout::act(visitor, &at("pause"), "Pause", "")),
                    _ => "",
                }
                @if !job.is_over() { (layout::act(visitor, &at("cancel"), "Cancel", "danger")) }
                a.button href=(format!("/console/jobs/new?from={}", job.id)) { "Clone" }
                a.button href=(format!("/console/sweeps/new?from={}", job.id)) { "Sweep" }
            }
            @if job.kind == "train" { a.button href=(format!("/console/jobs/compare?job={}", job.id)) { "Compare" } }
        }
    }
}

fn standing(
    visitor: &Visitor,
    job: &Job,
    explanation: Option<&Explanation>,
    now: Timestamp,
) -> Markup {
    html! {
        @if let (Some(cause), false) = (&job.cause, job.status == "succeeded") {
            (cause.notice(html! { @if cause.retryable && !job.is_over() { p { "It is tried again by itself." } } }))
        }
        @if let (Some(reason), false) = (&job.wait_reason, job.is_over()) {
            div.notice.wait {
                p { strong { "It waits: " } (reason.message) }
                @if let Some(explanation) = explanation { (queue(explanation, now)) }
            }
        }
        @if let (Some(published), Some(tenant)) = (&job.published, &visitor.me.tenant) {
            div.notice.good {
                p { "It has published " a href=(format!("/console/models/{tenant}/{}?version={}", published.model, published.version)) { (published.model) " version " (published.version) } ". Look at its figures, and try it." }
            }
        }
    }
}

fn queue(explanation: &Explanation, now: Timestamp) -> Markup {
    let Explanation { starts, own_ahead, tenants_ahead } = explanation;
    html! {
        p {
            @if let Some(Interval { from, until }) = starts {
                "It starts about " (words::ago(*from, now)) ", at the latest " (words::ago(*until, now)) ". "
            }
            (own_ahead) " of your jobs and " (tenants_ahead) " tenants are ahead."
        }
    }
}

fn tiles(job: &Job, metrics: &Metrics, now: Timestamp) -> Markup {
    let names = ["loss", "val_loss", "accuracy", "val_accuracy"];
    let figures = names.iter().filter_map(|name| Some((*name, metrics.latest(name)?)));
    let progress = how_far(job, metrics).filter(|_| !job.is_over());
    let began = job.started_at.filter(|_| !job.is_over());
    let rate = began.zip(progress.as_ref()).map(|(began, progress)| {
        let seconds = (now - began).as_seconds_f64().max(0.1);
        (
            progress.step as f64 / seconds,
            (progress.total_steps.saturating_sub(progress.step)) as f64,
        )
    });
    html! {
        dl.tiles {
            @if let Some(progress) = &progress {
                div.tile { dt { "Progress" } dd { (words::percent(progress.share())) } }
            }
            @if let Some((rate, left)) = rate.filter(|(rate, _)| *rate > 0.0) {
                div.tile { dt { "Steps a second" } dd { (words::number(rate)) } }
                div.tile { dt { "Left" } dd { (words::duration(left / rate)) } }
            }
            @for (name, value) in figures { div.tile { dt { (words::spaced(name)) } dd { (words::number(value)) } } }
        }
        @if let Some(progress) = &progress { div.card { (progress.bar()) } }
    }
}

/// Steps are told with a heartbeat, epochs as they end: the one that is further.
fn how_far(job: &Job, metrics: &Metrics) -> Option<Progress> {
    let Progress { step, total_steps } = *job.progress.as_ref()?;
    let epochs = job.spec.as_ref().map_or(0, |spec| u64::from(spec.epochs)).max(1);
    let by_epochs = total_steps * u64::from(metrics.epoch()) / epochs;
    Some(Progress { step: step.max(by_epochs).min(total_steps), total_steps })
}

fn no_curves(job: &Job) -> Markup {
    html! {
        @if !job.is_over() { div.card { p.quiet { "Curves of loss and accuracy are drawn here as soon as the first epoch has ended." } } }
    }
}

fn timeline(attempts: &[Attempt]) -> Markup {
    html! {
        @if attempts.is_empty() { p.quiet { "None yet: it has not been placed on a worker." } }
        ol.steps {
            @for attempt in attempts {
                li {
                    strong { "Attempt " (attempt.number) } " "
                    (layout::badge(attempt.outcome.as_deref().unwrap_or("running")))
                    div.small {
                        "given to " code { (attempt.worker) } " " (words::moment(attempt.assigned_at))
                        @if let Some(step) = attempt.resumed_from_step { ", resumed from step " (step) }
                        @if let (Some(began), Some(ended)) = (attempt.started_at, attempt.ended_at) {
                            ", ran for " (words::duration((ended - began).as_seconds_f64()))
                        }
                        @if let Some(used) = attempt.used.as_ref().filter(|used| used.cost.credits > 0.0) {
                            ", cost " (words::number(used.cost.credits)) " credits"
                        }
                    }
                    @if let Some(cause) = &attempt.cause { div.small.wrong { (cause.message) } }
                }
            }
        }
    }
}

fn facts(job: &Job, now: Timestamp) -> Markup {
    html! {
        dl.facts {
            dt { "Data" } dd { a href=(format!("/console/datasets/{}?version={}", job.dataset.name, job.dataset.version)) { (job.dataset.name) " version " (job.dataset.version) } }
            dt { "Pool" } dd { (job.pool) @if job.workers > 1 { ", " (job.workers) " workers" } }
            @if let Some(worker) = &job.worker { dt { "Worker" } dd { code { (worker) } } }
            dt { "Priority" } dd { (job.priority) }
            dt { "Attempts" } dd { (job.attempt) " (" (job.tries) " failed)" }
            dt { "At most" } dd { (words::duration(job.max_runtime as f64)) }
            dt { "Made" } dd { (words::ago(job.created_at, now)) }
            @if let Some(at) = job.started_at { dt { "Started" } dd { (words::ago(at, now)) } }
            @if let Some(at) = job.finished_at { dt { "Ended" } dd { (words::ago(at, now)) } }
            @if let Some(spec) = &job.spec {
                dt { "Parameters" } dd { (words::count(spec.estimate.parameters)) }
                dt { "Memory" } dd { (words::bytes(spec.estimate.memory_bytes)) " estimated" }
            }
        }
    }
}

fn log(lines: &[Line]) -> Markup {
    html! {
        @if lines.is_empty() { p.quiet { "Nothing said yet." } }
        @else {
            pre.log tabindex="0" role="group" aria-label="The last lines of the log" {
                @for line in lines { (line.at.format("%T")) "  " (line.text) "\n" }
            }
        }
    }
}

fn specification(spec: &domain::spec::TrainingSpec) -> Markup {
    let text = serde_json::to_string_pretty(spec).unwrap_or_default();
    html! {
        details.card {
            summary { "The specification, with every default filled in" }
            pre tabindex="0" role="group" aria-label="Specification" { (text) }
        }
    }
}
