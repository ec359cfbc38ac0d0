//! Starting a sweep: a specification, which of its fields vary, and over which values.

use actix_web::{HttpResponse, get, post, web};
use domain::spec::{TrainingDraft, TrainingSpec};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    api::{List, Route},
    failure::{Errors, Failure},
    form::{Fields, Sent},
    layout::{self, Field, Page},
    pages::{
        jobs::{self, Job},
        see,
    },
    visitor::Visitor,
    words,
};

/// Fields that vary, in one form; a request to the API may have more.
const ROWS: usize = 4;
/// What people vary first. Any other field can be named too.
const USUAL: [&str; 8] = [
    "optimizer.learning_rate",
    "batch_size",
    "epochs",
    "seed",
    "optimizer.type",
    "regularization.l2",
    "model.family",
    "preprocess.scaling",
];
/// What may decide, and whether its greatest is the best.
const METRICS: [(&str, bool); 6] = [
    ("val_loss", false),
    ("val_accuracy", true),
    ("val_auc", true),
    ("val_f1", true),
    ("val_mean_absolute_error", false),
    ("val_r2", true),
];
/// To begin from.
const TRAININGS: u32 = 20;

#[derive(Deserialize)]
struct Begin {
    #[serde(default)]
    from: String,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

#[get("/sweeps/new")]
pub(super) async fn new(visitor: Visitor, begin: web::Query<Begin>) -> Result<Markup, Failure> {
    if begin.from.is_empty() {
        return choose(&visitor).await;
    }
    let job: Job = visitor.api.get(&Route::of(["jobs", &begin.from])).await?;
    let spec: &TrainingSpec = job.spec.as_ref().ok_or_else(Failure::not_found)?;
    let text = jobs::text_of(&TrainingDraft::from(spec).brief());
    let first = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = vec![
        first("spec", &text),
        first("field1", USUAL[0]),
        first("values1", "0.1, 0.01, 0.001"),
        first("parallelism", "4"),
    ];
    Ok(page(&visitor, &Fields(fields), &Errors::default()))
}

/// What is trained at many points has been trained at one.
async fn choose(visitor: &Visitor) -> Result<Markup, Failure> {
    let route = Route::of(["jobs"]).with("kind", "train").with("limit", TRAININGS);
    let trainings: List<Job> = visitor.api.get(&route).await?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        (crumbs())
        div.head { h1 { "A new sweep" } }
        @if trainings.items.is_empty() {
            (layout::empty("Nothing to begin from", html! {
                p { "A sweep trains one specification at many points. Train it once first." }
                p { a.button.main href="/console/jobs/new" { "Train a model" } }
            }))
        } @else {
            p { "From which training? Its specification comes first, and then what of it varies." }
            section.card { ul {
                @for job in &trainings.items { li {
                    a href=(format!("/console/sweeps/new?from={}", job.id)) { (job.name) }
                    " " (layout::badge(&job.status)) " " span.quiet.small { (job.dataset.name) ", " (words::ago(job.created_at, now)) }
                } }
            } }
        }
    };
    Ok(Page::new("A new sweep", "sweeps").render(visitor, body))
}

#[post("/sweeps")]
pub(super) async fn start(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let fields = sent.0;
    let errors = match draft(&fields) {
        Ok(draft) => match visitor.api.make::<Made>(&Route::of(["sweeps"]), &draft).await? {
            (Some(made), _) => return Ok(see(&format!("/console/sweeps/{}", made.id))),
            (None, errors) => errors,
        },
        Err(errors) => errors,
    };
    let page = page(&visitor, &fields, &errors);
    Ok(HttpResponse::UnprocessableEntity().content_type(layout::HTML).body(page.into_string()))
}

fn draft(fields: &Fields) -> Result<Value, Errors> {
    let spec = jobs::read(fields.raw("spec"))?;
    let mut parameters = Map::new();
    for n in 1..=ROWS {
        let Some(name) = fields.some(&format!("field{n}")) else { continue };
        let values = values(fields.text(&format!("values{n}")));
        if values.is_empty() {
            return Err(Errors::of_field(&format!("values{n}"), "has no values"));
        }
        parameters.insert(name.to_owned(), values.into());
    }
    let metric = fields.some("metric").unwrap_or(METRICS[0].0);
    let mut draft = json!({
        "spec": spec, "parameters": parameters, "metric": metric,
        "maximize": METRICS.contains(&(metric, true)),
    });
    if let Some(most) = fields.number("parallelism")? {
        draft["parallelism"] = most;
    }
    if let Some(name) = fields.some("name") {
        draft["name"] = name.into();
    }
    Ok(draft)
}

/// `0.1, 0.01` or a list of JSON; what is no JSON by itself is a word.
fn values(text: &str) -> Vec<Value> {
    if let Ok(Value::Array(values)) = serde_json::from_str(text) {
        return values;
    }
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| serde_json::from_str(word).unwrap_or_else(|_| word.into())).collect()
}

fn crumbs() -> Markup {
    html! { p.crumbs { a href="/console/sweeps" { "Sweeps" } " / new" } }
}

fn page(visitor: &Visitor, fields: &Fields, errors: &Errors) -> Markup {
    let text = |name: &'static str, label, hint| {
        Field { value: fields.text(name), error: errors.at(name), hint, ..Field::new(name, label) }
            .render()
    };
    let body = html! {
        (crumbs())
        div.head { h1 { "A new sweep" } }
        (layout::errors(errors))
        form.card method="post" action="/console/sweeps" {
            (layout::seal(visitor))
            fieldset {
                legend { "What varies" }
                p.hint { "A field of the specification, with points between its parts, and its values, with commas between. Every combination is a training, 1,000 at most." }
                @for n in 1..=ROWS { (row(n, fields, errors)) }
                datalist #usual { @for field in USUAL { option value=(field) {} } }
            }
            div.fields {
                (metrics(fields))
                (Field { kind: "number", value: fields.text("parallelism"), error: errors.at("parallelism"), hint: "Empty: all that find room.", ..Field::new("parallelism", "At once") }.render())
                (text("name", "Name", "Empty: by its data."))
            }
            div.field {
                label for="spec" { "The specification, which all have in common" }
                textarea.spec id="spec" name="spec" spellcheck="false" { (fields.raw("spec")) }
            }
            button.main type="submit" { "Start the sweep" }
        }
    };
    Page::new("A new sweep", "sweeps").render(visitor, body)
}

fn metrics(fields: &Fields) -> Markup {
    let named = METRICS.map(|(metric, greatest)| {
        let which = if greatest { "greatest" } else { "least" };
        (metric, format!("the {which} {}", words::spaced(metric)))
    });
    let options = named.each_ref().map(|(metric, name)| (*metric, name.as_str()));
    let chosen = fields.some("metric").unwrap_or(METRICS[0].0);
    layout::select("metric", "The best has", chosen, &options, "")
}

fn row(n: usize, fields: &Fields, errors: &Errors) -> Markup {
    let (field, values) = (format!("field{n}"), format!("values{n}"));
    html! {
        div.fields {
            div.field {
                label for=(field) { "Field " (n) }
                input id=(field) name=(field) list="usual" value=(fields.text(&field)) autocomplete="off";
            }
            (Field { value: fields.text(&values), error: errors.at(&values), ..Field::new(&values, &format!("Values of field {n}")) }.render())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_where_they_can_be_and_words_where_not() {
        assert_eq!(values("0.1, 0.01,3"), [json!(0.1), json!(0.01), json!(3)]);
        assert_eq!(values("Adam, SGD, true"), [json!("Adam"), json!("SGD"), json!(true)]);
        assert_eq!(values(r#"["a, b", null]"#), [json!("a, b"), json!(null)]);
        assert_eq!(values(" , "), Vec::<Value>::new());
    }
}
