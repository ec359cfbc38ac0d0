//! Trying a model in the page: a form that is made from what it reads, and what it answered.

use actix_web::{HttpResponse, http::Method, post, web};
use domain::{
    predict::Prediction,
    spec::{Feature, FeatureKind, Input, TrainingSpec},
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Model,
    show::{self, Tried, Version},
    try_image,
};
use crate::{
    api::Route,
    chart,
    failure::{Errors, Failure},
    form::{Fields, Sent},
    layout,
    pages::datasets::{self, Column, Profile},
    visitor::Visitor,
    words,
};

/// Before the name of a column in a form, so that a column called `version` is one too.
const COLUMN: &str = "column.";
const MAX_CHOICES: usize = 30;
const FORECAST_STEPS: usize = 60;
const SHOWN_CLASSES: usize = 10;

#[derive(Deserialize)]
struct Answer {
    predictions: Vec<Prediction>,
    warning: Option<String>,
}

#[post("/models/{tenant}/{model}/try")]
pub(super) async fn try_it(
    sent: Sent,
    visitor: Visitor,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let (tenant, name) = path.into_inner();
    let fields = sent.0;
    let number = fields.text("version").to_owned();
    let version: Version =
        visitor.api.get(&Route::of(["models", &tenant, &name, "versions", &number])).await?;
    let mut tried = Tried { fields, ..Tried::default() };
    match body(version.spec.as_ref(), &tried.fields) {
        Err(errors) => tried.errors = errors,
        Ok(body) => ask(&visitor, (&tenant, &name, &number), &body, &mut tried).await?,
    }
    let page = show::page(&visitor, (&tenant, &name), &number, tried).await?;
    Ok(HttpResponse::Ok().content_type(layout::HTML).body(page.into_string()))
}

pub(super) async fn ask(
    visitor: &Visitor,
    (tenant, name, version): (&str, &str, &str),
    body: &Value,
    tried: &mut Tried,
) -> Result<(), Failure> {
    let route = Route::of(["models", tenant, name, "predict"]).with("version", version);
    match visitor.api.send::<Answer>(Method::POST, &route, body).await {
        Ok(answer) => (tried.answers, tried.warning) = (answer.predictions, answer.warning),
        Err(failure) => tried.errors = failure.into_errors()?,
    }
    Ok(())
}

/// The request that a form means.
fn body(spec: Option<&TrainingSpec>, fields: &Fields) -> Result<Value, Errors> {
    if let Some(rows) = fields.some("rows") {
        let rows: Value = serde_json::from_str(rows)
            .map_err(|error| Errors::of_field("rows", format!("is no JSON: {error}")))?;
        return Ok(if rows.is_array() { json!({ "rows": rows }) } else { json!({ "row": rows }) });
    }
    let mut row = Map::new();
    for (name, _) in &fields.0 {
        let Some(column) = name.strip_prefix(COLUMN) else { continue };
        let value = if is_number(spec, column) {
            fields.number(name)?.unwrap_or_default()
        } else {
            fields.some(name).map(Value::from).unwrap_or_default()
        };
        // an item that is left out asks for the best ones, null does not
        let is_left_out = value.is_null()
            && spec
                .is_some_and(|spec| matches!(spec.input, Input::Ratings(_) | Input::Corpus { .. }));
        if !is_left_out {
            row.insert(column.to_owned(), value);
        }
    }
    Ok(json!({ "row": row }))
}

fn is_number(spec: Option<&TrainingSpec>, column: &str) -> bool {
    match spec.map(|spec| &spec.input) {
        Some(Input::Table { features, .. }) => features
            .iter()
            .any(|feature| feature.name == column && feature.kind == FeatureKind::Numeric),
        Some(Input::Corpus { .. }) => column != "prompt",
        Some(Input::Ratings(_)) => column == "top",
        _ => false,
    }
}

pub(super) fn form(
    visitor: &Visitor,
    model: &Model,
    version: &Version,
    profile: Option<&datasets::Version>,
    tried: &Tried,
) -> Markup {
    let columns = match profile.map(|version| &version.profile) {
        Some(Profile::Ready(ready)) => ready.columns.as_slice(),
        _ => &[],
    };
    let Some(spec) = &version.spec else { return html! {} };
    html! {
        section.card #try {
            h2 { "Try it" }
            (layout::errors(&tried.errors))
            @if let Some(warning) = &tried.warning { div.notice.wait { p { (warning) } } }
            @if !tried.answers.is_empty() { div.notice.good #answer role="status" { @for answer in &tried.answers { (show_answer(answer)) } } }
            @if let Input::Images { height, width, .. } = &spec.input {
                (try_image::form(visitor, model, version, (*height, *width), &tried.errors))
            } @else {
                form method="post" action=(format!("{}/try#try", model.url())) {
                    (layout::seal(visitor))
                    input type="hidden" name="version" value=(version.version);
                    (inputs(spec, columns, &tried.fields))
                    button.main type="submit" { "Predict" }
                }
            }
        }
    }
}

fn inputs(spec: &TrainingSpec, columns: &[Column], fields: &Fields) -> Markup {
    match &spec.input {
        Input::Table { features, .. } => html! {
            div.fields { @for feature in features { (of_feature(feature, columns, fields)) } }
            p.hint { "Empty: not known. What stands there at first is the data's mean, or its most frequent value." }
        },
        Input::Text { column, .. } => area(
            &format!("{COLUMN}{column}"),
            column,
            fields,
            "A text, as those that it was trained on.",
            "",
        ),
        Input::Corpus { .. } => html! {
            (area(&format!("{COLUMN}prompt"), "Prompt", fields, "It goes on from here.", "Once upon a time"))
            div.fields {
                (plain(&format!("{COLUMN}max_tokens"), "Tokens at most", "number", fields, "100"))
                (plain(&format!("{COLUMN}temperature"), "Temperature", "number", fields, "0.8"))
                (plain(&format!("{COLUMN}seed"), "Seed", "number", fields, "0"))
            }
        },
        Input::Ratings(ratings) => html! { div.fields {
            (plain(&format!("{COLUMN}{}", ratings.user), &ratings.user, "text", fields, ""))
            (plain(&format!("{COLUMN}{}", ratings.item), &format!("{} (empty: the best ones)", ratings.item), "text", fields, ""))
            (plain(&format!("{COLUMN}top"), "How many", "number", fields, ""))
        } },
        // a form of its own
        Input::Images { .. } => html! {},
        Input::Series(series) => area(
            "rows",
            "Rows as JSON",
            fields,
            &format!(
                "The history, at least {} steps: {} and {} of each, what is known of the horizon after it.",
                series.lookback, series.time, spec.target
            ),
            "[]",
        ),
    }
}

fn of_feature(feature: &Feature, columns: &[Column], fields: &Fields) -> Markup {
    let name = format!("{COLUMN}{}", feature.name);
    let column = columns.iter().find(|column| column.name == feature.name);
    let values = column.and_then(|column| column.values.as_deref()).unwrap_or_default();
    match feature.kind {
        FeatureKind::Numeric => {
            let mean = column.and_then(|column| column.mean).map(words::number).unwrap_or_default();
            plain(&name, &feature.name, "number", fields, &mean)
        }
        FeatureKind::Categorical if !values.is_empty() => {
            let first = values.first().map_or("", |value| value.value.as_str());
            let chosen = if fields.has(&name) { fields.text(&name) } else { first };
            let mut options = vec![("", "not known")];
            options.extend(
                values
                    .iter()
                    .take(MAX_CHOICES)
                    .map(|value| (value.value.as_str(), value.value.as_str())),
            );
            layout::select(&name, &feature.name, chosen, &options, "")
        }
        FeatureKind::Categorical | FeatureKind::Date => {
            plain(&name, &feature.name, "text", fields, "")
        }
    }
}

fn plain(name: &str, label: &str, kind: &str, fields: &Fields, first: &str) -> Markup {
    let value = if fields.has(name) { fields.text(name) } else { first };
    layout::Field { value, kind, ..layout::Field::new(name, label) }.render()
}

fn area(name: &str, label: &str, fields: &Fields, hint: &str, first: &str) -> Markup {
    let value = if fields.has(name) { fields.raw(name) } else { first };
    html! { div.field {
        label for=(name) { (label) }
        textarea id=(name) name=(name) aria-describedby="area-hint" { (value) }
        p.hint #area-hint { (hint) }
    } }
}

fn show_answer(answer: &Prediction) -> Markup {
    match answer {
        Prediction::Class { class, probabilities } => {
            let mut all: Vec<_> =
                probabilities.iter().map(|(one, share)| (one.as_str(), *share)).collect();
            all.sort_by(|a, b| b.1.total_cmp(&a.1));
            classes(class, &all)
        }
        Prediction::Top { class, top } => {
            let all: Vec<_> = top.iter().map(|one| (one.class.as_str(), one.probability)).collect();
            classes(class, &all)
        }
        Prediction::Value { value } => {
            html! { p { "It says " strong { (words::number(*value)) } } }
        }
        Prediction::Forecast { series, times, values } => html! {
            @if let Some(series) = series { p { strong { (series) } } }
            div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Time" } th.right scope="col" { "Value" } } }
                tbody { @for (time, value) in times.iter().zip(values).take(FORECAST_STEPS) { tr { th scope="row" { (time) } td.right { (words::number(*value)) } } } }
            } }
        },
        Prediction::Items { items } => {
            html! { ol { @for item in items { li { (item.item) " " span.quiet { (words::number(item.score)) } } } } }
        }
        Prediction::Explained { prediction, .. } => show_answer(prediction),
        Prediction::Text { text, tokens } => {
            html! { pre tabindex="0" { (text) } p.hint { (tokens) " tokens" } }
        }
    }
}

/// The most probable one, and how probable each is.
fn classes(class: &str, all: &[(&str, f64)]) -> Markup {
    html! {
        p { "It says " strong { (class) } }
        @for (class, share) in all.iter().take(SHOWN_CLASSES) {
            div.quota {
                p { span { (class) } span { (words::percent(*share)) } }
                (chart::bar(&format!("{class}: {}", words::percent(*share)), *share))
            }
        }
    }
}
