//! A new training, step by step: what to predict, which data, what with, for which there are suggestions
//! with their reasons; or everything by oneself. What is left out gets the platform's defaults. The answers become a specification, which [`super::check`] shows and judges.

use actix_web::{Either, get, web};
use domain::spec::{TrainingDraft, TrainingSpec};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Job, check,
    road::{QUESTIONS, Step, road},
};
use crate::{
    api::{List, Route},
    failure::{Errors, Failure},
    form::Fields,
    layout::{self, Field, Page},
    pages::{
        advice,
        datasets::{Column, Dataset, Profile, Version},
    },
    visitor::Visitor,
    words,
};

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    dataset: String,
    /// The column that was chosen.
    #[serde(default)]
    predict: String,
    #[serde(default)]
    question: Option<usize>,
    #[serde(default)]
    from: String,
}

#[get("/jobs/new")]
pub(super) async fn new(visitor: Visitor, asked: web::Query<Asked>) -> Result<Markup, Failure> {
    let Asked { dataset, predict, question, from } = asked.into_inner();
    if !from.is_empty() {
        let job: Job = visitor.api.get(&Route::of(["jobs", &from])).await?;
        let spec: Option<&TrainingSpec> = job.spec.as_ref();
        let spec = spec.ok_or_else(Failure::not_found)?;
        let text = check::text_of(&TrainingDraft::from(spec).brief());
        return check::page(&visitor, &text, Either::Right(Errors::default()));
    }
    match (dataset.as_str(), question) {
        ("", None) => Ok(questions(&visitor)),
        ("", Some(question)) => data(&visitor, question).await,
        _ => {
            let route = Route::of(["datasets", &dataset, "versions", "latest"]);
            let version: Version = visitor.api.get(&route).await?;
            let fields = Fields(vec![("target".to_owned(), predict)]);
            page(&visitor, &version, &fields, &Errors::default()).await
        }
    }
}

fn questions(visitor: &Visitor) -> Markup {
    let body = html! {
        (road(Step::Question))
        div.head { h1 { "What do you want to predict?" } }
        ul.found {
            @for (place, (question, takes, example)) in QUESTIONS.iter().enumerate() {
                li.card {
                    h2 { a href=(format!("/console/jobs/new?question={place}")) { (question) } }
                    p { (takes) }
                    p.quiet.small { "For example " (example) "." }
                }
            }
        }
    };
    Page::new("Train a model", "jobs").render(visitor, body)
}

async fn data(visitor: &Visitor, question: usize) -> Result<Markup, Failure> {
    let (question, takes, _) = QUESTIONS.get(question).ok_or_else(Failure::not_found)?;
    let datasets: List<Dataset> = visitor.api.get(&Route::of(["datasets"])).await?;
    let body = html! {
        (road(Step::Data))
        p.crumbs { a href="/console/jobs/new" { "New training" } " / " (question) }
        div.head { h1 { "What should it learn from?" } @if visitor.me.develops() { a.button href="/console/datasets" { "Push data" } } }
        p { "It takes: " (takes) " Its profile tells the rest." }
        @if datasets.items.is_empty() {
            (layout::empty("First, some data", html! {
                p { "A model learns from a dataset. Push one of yours, or take the example." }
                p.row { a.button.main href="/console/datasets" { "Push data" } a.button href="/console" { "The example" } }
            }))
        } @else {
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

pub(in crate::pages) fn family_name(family: &str) -> &str {
    FAMILIES.iter().find(|(known, _)| *known == family).map_or(family, |(_, name)| name)
}

pub(super) async fn page(
    visitor: &Visitor,
    version: &Version,
    fields: &Fields,
    errors: &Errors,
) -> Result<Markup, Failure> {
    let body = match &version.profile {
        Profile::Ready(profile) => {
            let of = (version.dataset.as_str(), version.version);
            let (found, refused) = advice::start(visitor, of, fields.text("target")).await?;
            let drawn = found.as_ref().map(|found| found.draw(visitor)).transpose()?;
            let chosen = found.and_then(|found| found.target).unwrap_or_default();
            let columns = &profile.columns;
            html! {
                (layout::errors(errors))
                (ask(version, columns, &chosen))
                section {
                    h2 { "What fits, and why" }
                    @match drawn {
                        Some(drawn) => (drawn),
                        None => div.notice.bad { p { (refused.detail) } },
                    }
                }
                details.card open[!errors.is_empty()] {
                    summary { "Choose everything myself" }
                    (form(visitor, version, columns, (fields, &chosen), errors))
                }
            }
        }
        Profile::Pending => {
            html! { div.notice.wait { p { "The profile of this dataset is still being made. Look again in a moment." } p { a.button href="" { "Look again" } } } }
        }
        Profile::Invalid { cause } => cause.notice(html! {}),
    };
    let body = html! {
        (road(Step::Model))
        p.crumbs { a href="/console/jobs" { "Jobs" } " / " a href="/console/jobs/new" { "New training" } " / " (version.dataset) }
        div.head { h1 { "Train on " (version.dataset) } }
        (body)
    };
    Ok(Page::new("Train a model", "jobs").render(visitor, body))
}

/// Another column, another question.
fn ask(version: &Version, columns: &[Column], chosen: &str) -> Markup {
    let columns = columns.iter().map(|column| (column.name.as_str(), column.name.as_str()));
    let guess = [("", "what is likely")];
    let options: Vec<_> = guess.into_iter().chain(columns).collect();
    html! {
        form.card.inline method="get" action="/console/jobs/new" {
            input type="hidden" name="dataset" value=(version.dataset);
            (layout::select("predict", "What do you want to predict?", chosen, &options, ""))
            button type="submit" { "See what fits" }
        }
    }
}

fn form(
    visitor: &Visitor,
    version: &Version,
    columns: &[Column],
    (fields, chosen): (&Fields, &str),
    errors: &Errors,
) -> Markup {
    let mut targets = vec![("", "none (language model, implicit ratings)")];
    targets.extend(columns.iter().map(|column| (column.name.as_str(), column.name.as_str())));
    let field = |name, label, hint| Field {
        value: fields.text(name),
        error: errors.at(name),
        hint,
        ..Field::new(name, label)
    };
    html! {
        form method="post" action="/console/jobs/check" {
            (layout::seal(visitor))
            input type="hidden" name="dataset" value=(version.dataset);
            input type="hidden" name="version" value=(version.version);
            div.fields {
                (layout::select("target", "The column to predict", chosen, &targets, "A column of the data: two values are told apart, few are classes, many numbers a regression."))
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
