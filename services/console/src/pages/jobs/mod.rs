//! Jobs: the list, one of them as it goes, and new ones.

mod change;
mod check;
mod compare;
mod figures;
mod guided;
mod network;
mod road;
mod show;

use actix_web::{get, web};
use domain::{Timestamp, spec::TrainingSpec};
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    api::{List, Route},
    chart,
    failure::Failure,
    layout::{self, Live, Page},
    pages::cause::Cause,
    visitor::Visitor,
    words,
};

pub(super) use check::{read, send, text_of};
pub(super) use guided::family_name;
pub(super) use road::{Step, road};

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    // what is one word long goes before what could be an id
    cfg.service(list)
        .service(guided::new)
        .service(compare::compare)
        .service(check::check)
        .service(check::submit);
    cfg.service(show::show).service(change::cancel).service(change::pause).service(change::resume);
}

/// What the console shows of a job.
#[derive(Deserialize)]
pub(super) struct Job {
    pub id: String,
    pub kind: String,
    pub name: String,
    pub status: String,
    pub dataset: DatasetOf,
    pub pool: String,
    pub priority: i32,
    pub workers: u32,
    pub worker: Option<String>,
    pub attempt: u32,
    pub tries: u32,
    pub max_runtime: u64,
    pub progress: Option<Progress>,
    pub cause: Option<Cause>,
    pub wait_reason: Option<Reason>,
    pub published: Option<Published>,
    pub spec: Option<TrainingSpec>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(super) struct DatasetOf {
    pub name: String,
    pub version: u32,
}

#[derive(Deserialize, Clone, Copy)]
pub(super) struct Progress {
    pub step: u64,
    pub total_steps: u64,
}

#[derive(Deserialize)]
pub(super) struct Reason {
    pub message: String,
}

#[derive(Deserialize)]
pub(super) struct Published {
    pub model: String,
    pub version: u32,
}

impl Job {
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "succeeded" | "failed" | "cancelled")
    }

    pub fn url(&self) -> String {
        format!("/console/jobs/{}", self.id)
    }

    /// How far it is, or why it is not further.
    pub fn standing(&self) -> Markup {
        html! {
            @match (&self.wait_reason, &self.cause, &self.progress) {
                (Some(reason), _, _) if !self.is_over() => span.small { (reason.message) },
                (_, Some(cause), _) if self.status != "succeeded" => span.small { (cause.message) },
                (_, _, Some(progress)) if !self.is_over() => div.cell { (progress.bar()) },
                _ => @if let Some(published) = &self.published {
                    span.small { "published " (published.model) " version " (published.version) }
                },
            }
        }
    }
}

impl Progress {
    pub fn share(&self) -> f64 {
        self.step as f64 / self.total_steps.max(1) as f64
    }

    pub fn bar(&self) -> Markup {
        let share = self.share();
        html! {
            (chart::bar(&format!("step {} of {}", self.step, self.total_steps), share))
            span.small.quiet { (words::percent(share)) }
        }
    }
}

/// Rows of jobs, here and on the overview.
pub(super) fn table(jobs: &[Job], now: Timestamp, caption: Option<&str>) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table" { table {
            @if let Some(caption) = caption { caption { (caption) } }
            thead { tr {
                th scope="col" { "Job" } th scope="col" { "State" } th scope="col" { "How far, or why not" }
                th scope="col" { "Data" } th scope="col" { "Made" }
            } }
            tbody {
                @for job in jobs {
                    tr {
                        th scope="row" {
                            a href=(job.url()) { (job.name) }
                            @if job.kind == "profile" { div.small.quiet { "profile of a dataset" } }
                        }
                        td { (layout::badge(&job.status)) }
                        td { (job.standing()) }
                        td { a href=(format!("/console/datasets/{}?version={}", job.dataset.name, job.dataset.version)) { (job.dataset.name) ":" (job.dataset.version) } }
                        td.nowrap { (words::ago(job.created_at, now)) }
                    }
                }
            }
        } }
    }
}

#[derive(Deserialize, Default)]
struct Filter {
    #[serde(default)]
    status: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    cursor: String,
}

const STATES: [(&str, &str); 9] = [
    ("", "any"),
    ("queued", "queued"),
    ("paused", "paused"),
    ("starting", "starting"),
    ("running", "running"),
    ("stopping", "stopping"),
    ("succeeded", "succeeded"),
    ("failed", "failed"),
    ("cancelled", "cancelled"),
];
const KINDS: [(&str, &str); 3] = [("", "all"), ("train", "training"), ("profile", "profiles")];

#[get("/jobs")]
async fn list(visitor: Visitor, filter: web::Query<Filter>) -> Result<Markup, Failure> {
    let Filter { status, kind, cursor } = filter.into_inner();
    let route = Route::of(["jobs"]).with("status", &status).with("kind", &kind);
    let jobs: List<Job> = visitor.api.get(&route.clone().with("cursor", &cursor)).await?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        div.head {
            h1 { "Jobs" }
            @if visitor.me.develops() { a.button.main href="/console/jobs/new" { "New training" } }
        }
        form.card.inline method="get" action="/console/jobs" {
            (layout::select("status", "State", &status, &STATES, ""))
            (layout::select("kind", "Kind", &kind, &KINDS, ""))
            button type="submit" { "Filter" }
        }
        div #list data-live {
            @if jobs.items.is_empty() {
                (layout::empty("No jobs here", html! {
                    p { "A job trains a model on a dataset, or makes a dataset's profile." }
                    @if visitor.me.develops() { p { a.button.main href="/console/jobs/new" { "Train a model" } } }
                }))
            } @else {
                div.card { (table(&jobs.items, now, None)) }
                (layout::more(jobs.next.as_deref(), &route, "/console/jobs"))
            }
        }
    };
    let page = Page { json: Some(&route), live: Live::Every(5), ..Page::new("Jobs", "jobs") };
    Ok(page.render(&visitor, body))
}
