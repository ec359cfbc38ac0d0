//! Finding models: what is asked for, the form that asks it, and what was found, for who is signed in and for
//! who is not.

use actix_web::{get, web};
use domain::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Featured, Model, Place, parts};
use crate::{
    api::{Asking, List, Route},
    failure::{Errors, Failure},
    layout::{self, Field, Page},
    visitor::Visitor,
    words,
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    visibility: String,
    q: String,
    task: String,
    family: String,
    input: String,
    licence: String,
    tags: String,
    tenant: String,
    metric: String,
    at_least: String,
    at_most: String,
    sort: String,
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
const FAMILIES: [(&str, &str); 6] = [
    ("", "any"),
    ("dense", "dense network"),
    ("convolutional", "convolutional"),
    ("recurrent", "recurrent"),
    ("transformer", "transformer"),
    ("factorization", "factorization"),
];
const INPUTS: [(&str, &str); 7] = [
    ("", "anything"),
    ("table", "a table"),
    ("text", "texts"),
    ("corpus", "a text to go on from"),
    ("images", "images"),
    ("series", "series of time"),
    ("ratings", "ratings"),
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

/// What was found, and where the API has the same; or what the question had wrong.
pub(super) struct Answer {
    pub route: Route,
    pub errors: Errors,
    found: List<Model>,
}

impl Asked {
    fn route(&self) -> Route {
        let all = [
            ("visibility", &self.visibility),
            ("q", &self.q),
            ("task", &self.task),
            ("family", &self.family),
            ("input", &self.input),
            ("licence", &self.licence),
            ("tags", &self.tags),
            ("tenant", &self.tenant),
            ("metric", &self.metric),
            ("at_least", &self.at_least),
            ("at_most", &self.at_most),
            ("sort", &self.sort),
        ];
        let route = Route::of(["models"]);
        all.into_iter().fold(route, |route, (name, value)| route.with(name, value.trim()))
    }

    /// The same among public models.
    pub fn public(self) -> Self {
        Self { visibility: "public".to_owned(), ..self }
    }

    /// As the address of a page has it.
    pub fn query(&self) -> String {
        let route = self.route();
        route.path().split_once('?').map_or("", |(_, query)| query).to_owned()
    }

    /// Beside words, a task and an order.
    fn is_narrowed(&self) -> bool {
        let more =
            [&self.family, &self.input, &self.licence, &self.tags, &self.tenant, &self.metric];
        more.into_iter().any(|value| !value.is_empty())
    }

    fn is_plain(&self) -> bool {
        self.q.is_empty() && self.task.is_empty() && !self.is_narrowed()
    }

    pub async fn ask(&self, api: &Asking) -> Result<Answer, Failure> {
        let route = self.route();
        let (found, errors) = match api.get(&route.clone().with("cursor", &self.cursor)).await {
            Ok(found) => (found, Errors::default()),
            Err(failure) => (List { items: Vec::new(), next: None }, failure.into_errors()?),
        };
        Ok(Answer { route, found, errors })
    }
}

#[get("/models")]
pub(super) async fn list(visitor: Visitor, asked: web::Query<Asked>) -> Result<Markup, Failure> {
    let asked = asked.into_inner();
    let answer = asked.ask(&visitor.api).await?;
    let now = visitor.app()?.clock.now();
    let is_public = asked.visibility == "public";
    let title = if is_public { "Discover models" } else { "Models" };
    let mut put_forward = List { items: Vec::new(), next: None };
    if is_public && asked.is_plain() && asked.cursor.is_empty() {
        put_forward = visitor.api.get::<List<Featured>>(&Route::of(["featured"])).await?;
    }
    let nothing = html! {
        p { "A training that succeeds publishes its model here." }
        @if visitor.me.develops() { p { a.button.main href="/console/jobs/new" { "Train a model" } } }
    };
    let is_new = asked.visibility.is_empty() && asked.is_plain();
    let body = html! {
        div.head { h1 { (title) } }
        (form(Place::Console, &asked, &answer.errors))
        @for one in put_forward.items.iter().filter(|one| !one.models.is_empty()) {
            section.card {
                h2 { (one.title) }
                ul { @for model in &one.models { li { a href=(format!("/console/models/{model}")) { (model) } } } }
            }
        }
        (found(Place::Console, &answer, is_new.then_some(&nothing), now))
    };
    let at = if is_public { "discover" } else { "models" };
    Ok(Page { json: Some(&answer.route), ..Page::new(title, at) }.render(&visitor, body))
}

pub(super) fn form(place: Place, asked: &Asked, errors: &Errors) -> Markup {
    let field = |name, label, value, hint| {
        Field { value, hint, error: errors.at(name), ..Field::new(name, label) }.render()
    };
    html! {
        (layout::errors(errors))
        form.card method="get" action=(place.address()) role="search" {
            div.inline {
                (Field { value: &asked.q, kind: "search", ..Field::new("q", "Words") }.render())
                @if place == Place::Console { (layout::select("visibility", "Whose", &asked.visibility, &WHOSE, "")) }
                (layout::select("task", "What they predict", &asked.task, &TASKS, ""))
                (layout::select("sort", "Order", &asked.sort, &SORTS, ""))
                button.main type="submit" { "Search" }
            }
            details open[asked.is_narrowed()] {
                summary { "More filters" }
                div.fields {
                    (layout::select("input", "What they read", &asked.input, &INPUTS, ""))
                    (layout::select("family", "What they are made of", &asked.family, &FAMILIES, ""))
                    (field("licence", "Licence", &asked.licence, "As apache-2.0."))
                    (field("tags", "Tags", &asked.tags, "All of these, with commas between."))
                    (field("tenant", "Publisher", &asked.tenant, ""))
                    (field("metric", "A figure", &asked.metric, "As val_accuracy, with a bound."))
                    (field("at_least", "at least", &asked.at_least, ""))
                    (field("at_most", "at most", &asked.at_most, ""))
                }
            }
        }
    }
}

/// `nothing`: what to say in place of models where none could be there yet.
pub(super) fn found(
    place: Place,
    answer: &Answer,
    nothing: Option<&Markup>,
    now: Timestamp,
) -> Markup {
    let Answer { route, found, errors } = answer;
    html! {
        @if found.items.is_empty() && errors.is_empty() {
            (layout::empty("No model here", html! {
                @if let Some(nothing) = nothing { (nothing) }
                @else { p { "None by these words. Fewer of them, or another kind, may find some." } }
            }))
        }
        ul.found { @for model in &found.items { (tile(place, model, now)) } }
        (layout::more(found.next.as_deref(), route, place.address()))
    }
}

fn tile(place: Place, model: &Model, now: Timestamp) -> Markup {
    html! { li { div.card {
        h2 { a href=(model.at(place)) { span.quiet { (model.tenant) "/" } (model.name) } }
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
