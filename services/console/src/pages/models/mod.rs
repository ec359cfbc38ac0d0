//! Models: one's own, what others share, what is public; one of them with its versions; trying it.

mod change;
mod parts;
mod show;
mod snippets;
mod try_it;

use std::collections::BTreeMap;

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
    cfg.service(list).service(show::show).service(try_it::try_it);
    change::routes(cfg);
}

/// What lists and pages show of a model.
#[derive(Deserialize)]
pub(super) struct Model {
    pub tenant: String,
    pub name: String,
    pub visibility: String,
    pub description: String,
    pub licence: Option<String>,
    pub tags: Vec<String>,
    pub latest_version: Option<u32>,
    pub metrics: BTreeMap<String, f64>,
    pub downloads: u64,
    pub likes: u64,
    pub predictions: u64,
    pub created_at: Timestamp,
}

impl Model {
    pub fn url(&self) -> String {
        format!("/console/models/{}/{}", self.tenant, self.name)
    }

    /// What people ask first, of figures on rows that were held back.
    fn figure(&self) -> Option<(&'static str, f64)> {
        let names = [
            "val_accuracy",
            "val_r2",
            "val_mean_absolute_error",
            "val_root_mean_squared_error",
            "val_perplexity",
            "val_loss",
        ];
        names.into_iter().find_map(|name| Some((name, *self.metrics.get(name)?)))
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    visibility: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    task: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    cursor: String,
}

const TASKS: [(&str, &str); 7] = [
    ("", "any"),
    ("binary_classification", "two classes"),
    ("multiclass_classification", "several classes"),
    ("regression", "numbers"),
    ("forecasting", "forecasts"),
    ("recommendation", "recommendations"),
    ("language_modeling", "language"),
];
const SORTS: [(&str, &str); 6] = [
    ("", "as it fits"),
    ("updated", "newest change"),
    ("created", "newest"),
    ("downloads", "downloads"),
    ("likes", "likes"),
    ("trending", "trending"),
];
const WHOSE: [(&str, &str); 3] =
    [("", "our own"), ("shared", "shared with us"), ("public", "public")];

#[get("/models")]
async fn list(visitor: Visitor, asked: web::Query<Asked>) -> Result<Markup, Failure> {
    let Asked { visibility, q, task, sort, cursor } = asked.into_inner();
    let route = Route::of(["models"]).with("visibility", &visibility).with("q", &q);
    let route = route.with("task", &task).with("sort", &sort);
    let found: List<Model> = visitor.api.get(&route.clone().with("cursor", &cursor)).await?;
    let now = visitor.app()?.clock.now();
    let is_public = visibility == "public";
    let title = if is_public { "Discover models" } else { "Models" };
    let body = html! {
        div.head { h1 { (title) } }
        form.card.inline method="get" action="/console/models" role="search" {
            (Field { value: &q, kind: "search", ..Field::new("q", "Words") }.render())
            (layout::select("visibility", "Whose", &visibility, &WHOSE, ""))
            (layout::select("task", "What they predict", &task, &TASKS, ""))
            (layout::select("sort", "Order", &sort, &SORTS, ""))
            button.main type="submit" { "Search" }
        }
        @if found.items.is_empty() {
            (layout::empty("No model here", html! {
                @if is_public || !q.is_empty() { p { "None by these words. Fewer of them, or another kind, may find some." } }
                @else { p { "A training that succeeds publishes its model here." } @if visitor.me.develops() { p { a.button.main href="/console/jobs/new" { "Train a model" } } } }
            }))
        }
        ul.found { @for model in &found.items { (tile(model, now)) } }
        (layout::more(found.next.as_deref(), &route, "/console/models"))
    };
    let at = if is_public { "discover" } else { "models" };
    Ok(Page { json: Some(&route), ..Page::new(title, at) }.render(&visitor, body))
}

fn tile(model: &Model, now: Timestamp) -> Markup {
    html! { li { div.card {
        h2 { a href=(model.url()) { span.quiet { (model.tenant) "/" } (model.name) } }
        @if !model.description.is_empty() { p { (model.description) } }
        p.row.small {
            (layout::badge(&model.visibility))
            @if let Some(version) = model.latest_version { span { "version " (version) } } @else { span.quiet { "no version yet" } }
            @if let Some((name, value)) = model.figure() { span { (words::spaced(name)) " " strong { (words::number(value)) } } }
        }
        p.small.quiet {
            (words::many(model.downloads, "download")) ", " (words::many(model.likes, "like")) ", " (words::many(model.predictions, "prediction")) ", made " (words::ago(model.created_at, now))
        }
        (parts::tags(&model.tags))
    } } }
}
