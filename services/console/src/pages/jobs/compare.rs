//! Trainings side by side: their curves in one figure, what their specifications have differently, and the
//! figures that each came to.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, get};
use futures::future::try_join_all;
use maud::{Markup, html};
use serde_json::Value;
use url::form_urlencoded;

use super::{Job, figures::Metrics};
use crate::{
    api::{List, Route},
    chart::{self, Axis, Curve},
    failure::Failure,
    layout::{self, Page},
    visitor::Visitor,
    words,
};

/// As many colours as a figure has; more curves are a tangle.
const MOST: usize = 4;
/// A list of layers and the like is shown as so much of its JSON.
const MOST_CHARS: usize = 120;
/// Beside those of figures.
const MOST_AXES: usize = 6;
/// What is not there.
const NONE: &str = "–";

struct Run {
    job: Job,
    metrics: Metrics,
}

#[get("/jobs/compare")]
pub(super) async fn compare(visitor: Visitor, request: HttpRequest) -> Result<Markup, Failure> {
    let asked = form_urlencoded::parse(request.query_string().as_bytes());
    let ids: Vec<_> = asked.filter(|(name, _)| name == "job").map(|(_, id)| id).collect();
    let mut seen = BTreeSet::new();
    let ids = ids.into_iter().filter(|id| seen.insert(id.clone())).take(MOST);
    let runs = try_join_all(ids.map(|id| run(&visitor, id.into_owned()))).await?;
    let body = html! {
        p.crumbs { a href="/console/jobs" { "Jobs" } " / compared" }
        div.head { h1 { "Trainings side by side" } }
        @if runs.len() >= 2 { (side_by_side(&runs)) }
        @else { (choose(&visitor, &runs).await?) }
    };
    Ok(Page::new("Trainings side by side", "jobs").render(&visitor, body))
}

async fn run(visitor: &Visitor, id: String) -> Result<Run, Failure> {
    let (job, metrics) = (Route::of(["jobs", &id]), Route::of(["jobs", &id, "metrics"]));
    let (job, metrics) =
        futures::try_join!(visitor.api.get::<Job>(&job), visitor.api.get::<Metrics>(&metrics))?;
    Ok(Run { job, metrics })
}

/// With which others: those on the same data first.
async fn choose(visitor: &Visitor, runs: &[Run]) -> Result<Markup, Failure> {
    let route = Route::of(["jobs"]).with("kind", "train").with("limit", 50);
    let jobs: List<Job> = visitor.api.get(&route).await?;
    let first = runs.first().map(|run| &run.job);
    let same = |job: &&Job| first.is_some_and(|first| first.dataset.name == job.dataset.name);
    let others: Vec<_> =
        jobs.items.iter().filter(|job| first.is_none_or(|first| first.id != job.id)).collect();
    let (near, far): (Vec<_>, Vec<_>) = others.into_iter().partition(same);
    let now = visitor.app()?.clock.now();
    Ok(html! {
        form.card method="get" action="/console/jobs/compare" {
            @if let Some(first) = first { p { "With " strong { (first.name) } ":" } input type="hidden" name="job" value=(first.id); }
            fieldset {
                legend { "Up to " (MOST) " are compared" }
                @for job in near.iter().chain(&far) {
                    label.check {
                        input type="checkbox" name="job" value=(job.id);
                        (job.name) " " (layout::badge(&job.status)) " " span.quiet.small { (job.dataset.name) ", " (words::ago(job.created_at, now)) }
                    }
                }
                @if near.is_empty() && far.is_empty() { p.quiet { "There is no other training yet." } }
            }
            br;
            button.main type="submit" { "Compare" }
        }
    })
}

fn side_by_side(runs: &[Run]) -> Markup {
    let named: Vec<_> = runs.iter().enumerate().map(|(place, run)| label(place, run)).collect();
    let names: BTreeSet<_> = runs.iter().flat_map(|run| run.metrics.names()).collect();
    let figures = ["val_loss", "loss", "val_accuracy", "val_mean_absolute_error", "val_perplexity"];
    let figures = figures.iter().filter(|name| names.contains(**name));
    html! {
        div.columns {
            @for name in figures {
                section.card { (chart::curves(&words::spaced(name), &overlaid(runs, &named, name), None)) }
            }
        }
        @let axes = axes(runs, &names);
        @if axes.len() >= 2 { section.card { (chart::parallel("Settings and what came of them", &named, &axes)) } }
        section.card {
            h2 { "What they came to" }
            (table(runs, "Figure", &figures_of(runs, &names)))
        }
        section.card {
            h2 { "What their specifications have differently" }
            @let differences = differences(runs);
            @if differences.is_empty() { p.quiet { "Nothing: the same data, seed and settings." } }
            @else { (table(runs, "Field", &differences)) }
        }
    }
}

fn label(place: usize, run: &Run) -> String {
    format!("{}. {}", place + 1, run.job.name)
}

fn overlaid<'a>(runs: &[Run], named: &'a [String], name: &str) -> Vec<Curve<'a>> {
    let curves = runs.iter().zip(named);
    let curves = curves.map(|(run, label)| Curve { name: label, points: run.metrics.points(name) });
    curves.filter(|curve| !curve.points.is_empty()).collect()
}

/// A name, and what each run has of it.
type Line = (String, Vec<String>);

fn table(runs: &[Run], what: &str, lines: &[Line]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr {
                th scope="col" { (what) }
                @for (place, run) in runs.iter().enumerate() { th scope="col" { a href=(run.job.url()) { (label(place, run)) } } }
            } }
            tbody { @for (name, cells) in lines { tr { th scope="row" { (words::spaced(name)) } @for cell in cells { td { (cell) } } } } }
        } }
    }
}

fn figures_of(runs: &[Run], names: &BTreeSet<&str>) -> Vec<Line> {
    let shown = |run: &Run, name: &str| {
        run.metrics.latest(name).map_or_else(|| NONE.to_owned(), words::number)
    };
    let line =
        |name: &&str| ((*name).to_owned(), runs.iter().map(|run| shown(run, name)).collect());
    names.iter().map(line).collect()
}

/// What they have differently, as far as there is room, and the figures that people ask for first.
fn axes(runs: &[Run], names: &BTreeSet<&str>) -> Vec<Axis> {
    let differences =
        differences(runs).into_iter().filter(|(name, _)| !name.starts_with("estimate"));
    let known = |cell: String| Some(cell).filter(|cell| cell != NONE);
    let settings = differences.take(MOST_AXES).map(|(name, cells)| Axis {
        name: name.rsplit('.').next().unwrap_or(&name).to_owned(),
        values: cells.into_iter().map(known).collect(),
    });
    let figures = ["val_accuracy", "val_mean_absolute_error", "val_loss"].into_iter();
    let figures = figures.filter(|name| names.contains(name)).map(|name| Axis {
        name: name.to_owned(),
        values: runs.iter().map(|run| Some(run.metrics.latest(name)?.to_string())).collect(),
    });
    settings.chain(figures).collect()
}

/// Every leaf of the specifications that is not the same in all of them.
fn differences(runs: &[Run]) -> Vec<Line> {
    let specs: Vec<_> = runs.iter().map(|run| leaves(&run.job)).collect();
    let names: BTreeSet<_> = specs.iter().flat_map(BTreeMap::keys).collect();
    let cells = |name: &String| -> Vec<_> {
        specs
            .iter()
            .map(|spec| spec.get(name).cloned().unwrap_or_else(|| NONE.to_owned()))
            .collect()
    };
    let lines = names.into_iter().map(|name| (name.clone(), cells(name)));
    lines.filter(|(_, cells)| cells.windows(2).any(|pair| pair[0] != pair[1])).collect()
}

fn leaves(job: &Job) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let spec = serde_json::to_value(&job.spec).unwrap_or_default();
    collect(String::new(), &spec, &mut found);
    found
}

fn collect(name: String, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                collect(name, value, found);
            }
        }
        value => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            found.insert(name, words::cut(&text, MOST_CHARS));
        }
    }
}
