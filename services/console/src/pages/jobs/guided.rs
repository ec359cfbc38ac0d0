//! A new training, step by step: which data, what to predict, what with. What is left out gets the
//! platform's defaults. The answers become a specification, which [`super::check`] shows and judges.

use actix_web::{Either, get, web};
use domain::spec::TrainingSpec;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Job, again, check};
use crate::{
    api::{List, Route},
    failure::{Errors, Failure},
    form::Fields,
    layout::{self, Field, Page},
    pages::datasets::{Column, Dataset, Profile, Version},
    visitor::Visitor,
    words,
};

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    dataset: String,
    #[serde(default)]
    from: String,
}

#[get("/jobs/new")]
pub(super) async fn new(visitor: Visitor, asked: web::Query<Asked>) -> Result<Markup, Failure> {
    let Asked { dataset, from } = asked.into_inner();
    if !from.is_empty() {
        let job: Job = visitor.api.get(&Route::of(["jobs", &from])).await?;
        let spec: Option<&TrainingSpec> = job.spec.as_ref();
        let spec = spec.ok_or_else(Failure::not_found)?;
        return check::page(&visitor, &again::draft(spec), Either::Right(Errors::default()));
    }
    if dataset.is_empty() {
        return choose(&visitor).await;
    }
    let version: Version =
        visitor.api.get(&Route::of(["datasets", &dataset, "versions", "latest"])).await?;
    page(&visitor, &version, &Fields::default(), &Errors::default())
}

async fn choose(visitor: &Visitor) -> Result<Markup, Failure> {
    let datasets: List<Dataset> = visitor.api.get(&Route::of(["datasets"])).await?;
    let body = html! {
        div.head { h1 { "Train a model" } }
        @if datasets.items.is_empty() {
            (layout::empty("First, some data", html! {
                p { "A model learns from a dataset. Push one of yours, or take the example." }
                p.row { a.button.main href="/console/datasets" { "Push data" } a.button href="/console" { "The example" } }
            }))
        } @else {
            p { "What should it learn from?" }
            ul.found {
                @for dataset in &datasets.items {
                    li.card {
                        h2 { a href=(format!("/console/jobs/new?dataset={}", dataset.name)) { (dataset.name) } }
                        p.quiet { (words::many(dataset.versions, "version")) ", " (words::bytes(dataset.bytes)) }
                    }
                }
            }
        }
    };
    Ok(Page::new("Train a model", "jobs").render(visitor, body))
}

const FAMILIES: [(&str, &str); 11] = [
    ("", "what fits the data"),
    ("linear", "linear or logistic regression"),
    ("mlp", "dense network (MLP)"),
    ("lstm", "LSTM"),
    ("gru", "GRU"),
    ("bidirectional_lstm", "bidirectional LSTM"),
    ("bidirectional_gru", "bidirectional GRU"),
    ("transformer", "transformer"),
    ("cnn", "convolutional network"),
    ("matrix_factorization", "matrix factorization"),
    ("two_tower", "two towers"),
];

pub(super) fn page(
    visitor: &Visitor,
    version: &Version,
    fields: &Fields,
    errors: &Errors,
) -> Result<Markup, Failure> {
    let body = match &version.profile {
        Profile::Ready(profile) => form(visitor, version, &profile.columns, fields, errors),
        Profile::Pending => {
            html! { div.notice.wait { p { "The profile of this dataset is still being made. Look again in a moment." } p { a.button href="" { "Look again" } } } }
        }
        Profile::Invalid { cause } => {
            html! { div.notice.bad { p { "This dataset cannot be trained on: " (cause.message) } } }
        }
    };
    let body = html! {
        p.crumbs { a href="/console/jobs" { "Jobs" } " / " a href="/console/jobs/new" { "New training" } " / " (version.dataset) }
        div.head { h1 { "Train on " (version.dataset) } }
        (body)
    };
    Ok(Page::new("Train a model", "jobs").render(visitor, body))
}

fn form(
    visitor: &Visitor,
    version: &Version,
    columns: &[Column],
    fields: &Fields,
    errors: &Errors,
) -> Markup {
    let guess = guess(columns);
    let chosen = if fields.has("target") { fields.text("target") } else { guess };
    let mut targets = vec![("", "none (language model, implicit ratings)")];
    targets.extend(columns.iter().map(|column| (column.name.as_str(), column.name.as_str())));
    let field = |name, label, hint| Field {
        value: fields.text(name),
        error: errors.at(name),
        hint,
        ..Field::new(name, label)
    };
    html! {
        (layout::errors(errors))
        form.card method="post" action="/console/jobs/check" {
            (layout::seal(visitor))
            input type="hidden" name="dataset" value=(version.dataset);
            input type="hidden" name="version" value=(version.version);
            div.fields {
                (layout::select("target", "What do you want to predict?", chosen, &targets, "A column of the data: two values are told apart, few are classes, many numbers a regression."))
                (layout::select("family", "With what?", fields.text("family"), &FAMILIES, "For a table a dense network, for text a recurrent one, for images a convolutional one."))
            }
            fieldset {
                legend { "Leave these columns out" }
                p.hint { "Identifiers, and what is known only after the fact." }
                div.row {
                    @for column in columns.iter().filter(|column| column.is_identifier(version.rows())) {
                        label.check { input type="checkbox" name="drop" value=(column.name) checked; (column.name) }
                    }
                    @for column in columns.iter().filter(|column| !column.is_identifier(version.rows())).take(40) {
                        label.check { input type="checkbox" name="drop" value=(column.name); (column.name) }
                    }
                }
            }
            br;
            details {
                summary { "More choices" }
                div.fields {
                    (Field { kind: "number", ..field("epochs", "Epochs", "Up to 50 for a table, of which the best is published.") }.render())
                    (Field { kind: "number", ..field("batch_size", "Batch size", "32 for a table.") }.render())
                    (Field { kind: "number", ..field("learning_rate", "Learning rate", "Of Adam: 0.001.") }.render())
                    (Field { kind: "number", ..field("split", "Rows held back", "A share: 0.2.") }.render())
                    (Field { kind: "number", ..field("seed", "Seed", "The same seed gives the same model.") }.render())
                    (Field { kind: "number", ..field("priority", "Priority", "Among your own jobs, from -100 to 100.") }.render())
                    (field("registered_model_name", "Model's name", "The dataset's, if empty.").render())
                }
            }
            br;
            button.main type="submit" { "Check it" }
            p.hint { "Nothing is queued yet: you see the specification, what it may cost, and when it would start." }
        }
    }
}

/// The column that is most often asked for.
fn guess(columns: &[Column]) -> &str {
    const NAMES: [&str; 9] =
        ["target", "label", "class", "y", "diagnosis", "outcome", "churned", "sentiment", "kind"];
    let named = columns.iter().find(|column| NAMES.contains(&column.name.to_lowercase().as_str()));
    let few = |column: &&Column| matches!(column.kind.as_str(), "categorical" | "boolean");
    let found = named.or_else(|| columns.iter().rev().find(few)).or_else(|| columns.last());
    found.map_or("", |column| column.name.as_str())
}

/// What was filled in, in the words of the API.
pub(super) fn draft(fields: &Fields) -> Result<Value, Errors> {
    let mut draft = json!({ "dataset": fields.text("dataset") });
    for name in ["version", "epochs", "batch_size", "seed", "priority"] {
        if let Some(number) = fields.number(name)? {
            draft[name] = number;
        }
    }
    for name in ["target", "registered_model_name"] {
        if let Some(text) = fields.some(name) {
            draft[name] = text.into();
        }
    }
    let dropped =
        fields.0.iter().filter(|(name, _)| name == "drop").map(|(_, column)| column.as_str());
    // who wants to predict a column does not mean to leave it out
    let dropped: Vec<_> = dropped.filter(|column| *column != fields.text("target")).collect();
    if !dropped.is_empty() {
        draft["drop"] = dropped.into();
    }
    if let Some(family) = fields.some("family") {
        draft["model"] = json!({ "family": family });
    }
    if let Some(rate) = fields.number("learning_rate")? {
        draft["optimizer"] = json!({ "type": "Adam", "learning_rate": rate });
    }
    if let Some(split) = fields.number("split")? {
        draft["validation"] = json!({ "split": split });
    }
    Ok(draft)
}
