//! The card in Markdown: the author's words first, then tables of facts.

use std::fmt::{Display, Write};

use domain::{
    evaluation::{Evaluation, EvaluationSplit},
    interval,
    model::ModelConfig,
    registry::VersionState,
};
use serde_json::Value;

use super::facts::{Cost, Facts};

/// A class with fewer rows than this in an evaluation is said to have few.
const FEW_ROWS: u64 = 30;

pub(super) fn written(facts: &Facts) -> String {
    let Facts { model, version, .. } = facts;
    let mut text = format!("# {}/{}\n\n", model.tenant_slug, model.name);
    if !model.description.is_empty() {
        let _ = writeln!(text, "{}\n", plain(&model.description));
    }
    match version.state {
        VersionState::Published => {}
        state => {
            let why = plain(&version.reason);
            let _ = writeln!(text, "**Version {} is {}.** {why}\n", version.number, state.as_str());
        }
    }
    if !model.card.trim().is_empty() {
        let _ = writeln!(text, "{}\n", model.card.trim_end());
    }
    table(&mut text, "Version", &about(facts));
    if let Some(made) = &version.made {
        table(&mut text, "Training", &training(&made.config, facts.data, facts.cost));
        for evaluation in &made.config.evaluations {
            figures(&mut text, evaluation);
        }
        limits(&mut text, &made.config);
    }
    text
}

pub(super) type Row = (&'static str, String);

fn about(Facts { model, version, .. }: &Facts) -> Vec<Row> {
    let licence = version.licence.or(model.licence);
    let mut rows = vec![
        ("Version", version.number.to_string()),
        ("Published", version.created_at.format("%Y-%m-%d").to_string()),
        ("Licence", licence.map_or("none: nobody else may use it".to_owned(), |it| it.to_string())),
        ("Made", version.kind.as_str().to_owned()),
    ];
    if let Some((revision, _)) = &version.sealed {
        rows.push(("Revision", format!("`{revision}`")));
    }
    let bytes: u64 = version.files.iter().map(|file| file.bytes).sum();
    rows.push(("Files", format!("{}, {bytes} bytes", version.files.len())));
    if let Some(made) = &version.made {
        let config = &made.config;
        rows.push(("Task", name_of(&config.task)));
        rows.push(("Target", code(&config.target)));
        if !config.classes.is_empty() {
            let shown: Vec<_> = config.classes.iter().take(20).map(|class| code(class)).collect();
            let more = config.classes.len() - shown.len();
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            rows.push(("Classes", format!("{}{more}", shown.join(", "))));
        }
    }
    rows
}

/// `data`: rows and columns of what it was trained on, as far as that is known.
pub(super) fn training(
    config: &ModelConfig,
    data: Option<(u64, usize)>,
    cost: Option<Cost>,
) -> Vec<Row> {
    let spec = &config.spec;
    let parameters: usize =
        config.tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
    let layers: Vec<_> = config.layers.iter().map(name_of).collect();
    let of = &spec.dataset;
    let mut rows = vec![(
        "Data",
        match data {
            Some((rows, columns)) => format!(
                "`{}` version {}, {rows} rows of {columns} columns, SHA-256 `{}`",
                of.name, of.version, of.sha256
            ),
            None => format!("`{}` version {}, SHA-256 `{}`", of.name, of.version, of.sha256),
        },
    )];
    if let Some(base) = &spec.base_model {
        rows.push(("Trained on from", format!("`{}` version {}", base.model, base.version)));
    }
    rows.extend([
        ("Held back", format!("{} of the rows", percent(spec.validation_split))),
        ("Layers", layers.join(", ")),
        ("Parameters", parameters.to_string()),
        ("Loss", name_of(&spec.loss)),
        ("Optimizer", settings(&spec.optimizer)),
        ("Regularization", settings(&spec.regularization)),
        ("Epochs", format!("{}, in batches of {}", spec.epochs, spec.batch_size)),
        ("Seed", spec.seed.to_string()),
        ("Engine", plain(&config.engine)),
    ]);
    if let Some(Cost { attempts, cpu_ms, accelerator_ms }) = cost {
        let seconds = |ms: u64| format!("{:.1}", ms as f64 / 1000.0);
        let mut cost = format!("{} CPU seconds in {attempts} attempts", seconds(cpu_ms));
        if accelerator_ms > 0 {
            let _ = write!(cost, ", {} accelerator seconds", seconds(accelerator_ms));
        }
        rows.push(("Cost", cost));
    }
    rows
}

/// Each with the interval that holds it in 95 of 100 such samples, where one is known.
pub(super) fn figures(text: &mut String, evaluation: &Evaluation) {
    let of = match evaluation.split {
        EvaluationSplit::Validation => "rows held back",
        EvaluationSplit::Test => "rows of a test set of its own",
    };
    let _ = writeln!(text, "## On {} {of}\n", evaluation.rows);
    let _ = writeln!(text, "| metric | value | 95 % interval |\n| --- | --- | --- |");
    let loss = evaluation.loss.map(|loss| ("loss".to_owned(), loss));
    let metrics = evaluation.metrics.iter().map(|(name, value)| (name.clone(), *value));
    for (name, value) in loss.into_iter().chain(metrics) {
        let interval = interval_of(&name, value, evaluation);
        let interval =
            interval.map_or("not known".to_owned(), |(low, high)| format!("{low:.4} to {high:.4}"));
        let _ = writeln!(text, "| {name} | {value:.4} | {interval} |");
    }
    text.push('\n');
}

fn interval_of(metric: &str, value: f64, of: &Evaluation) -> Option<(f64, f64)> {
    match (metric, of.per_class.as_deref()) {
        ("accuracy", _) => interval::of_share(value, of.rows),
        ("auc", Some([negative, positive])) => {
            interval::of_auc(value, positive.support, negative.support)
        }
        ("recall", Some([_, positive])) => interval::of_share(value, positive.support),
        // of the rows that were taken for the positive class
        ("precision", Some([_, _])) => interval::of_share(value, taken_for_positive(of)?),
        _ => None,
    }
}

fn taken_for_positive(of: &Evaluation) -> Option<u64> {
    let rows = of.confusion_matrix.as_ref()?;
    rows.iter().map(|by_prediction| by_prediction.get(1).copied()).sum()
}

pub(super) fn limits(text: &mut String, config: &ModelConfig) {
    let _ = writeln!(text, "## Limits\n");
    let mut say = |what: &str| {
        let _ = writeln!(text, "- {what}");
    };
    match config.evaluations.first() {
        None => say(
            "It was judged on no rows but its own: the figures of its training are all that there is.",
        ),
        Some(_) if config.spec.test.is_none() => say(
            "It was judged on rows held back from the data that it was trained on. How it does on data of another time or place is not known.",
        ),
        Some(_) => {}
    }
    let scarce = config.evaluations.iter().flat_map(|of| of.per_class.iter().flatten());
    let mut told = Vec::new();
    for class in scarce.filter(|class| class.support < FEW_ROWS) {
        if !told.contains(&&class.class) && told.len() < 20 {
            told.push(&class.class);
            say(&format!(
                "Class {} was judged on {} rows: too few to rely on.",
                code(&class.class),
                class.support
            ));
        }
    }
    say(
        "It was not examined for bias: compare its figures for the groups of people that it will meet.",
    );
}

pub(super) fn table(text: &mut String, title: &str, rows: &[Row]) {
    let _ = writeln!(text, "## {title}\n\n| | |\n| --- | --- |");
    for (name, value) in rows {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    text.push('\n');
}

/// The word of a choice, or the `type` of one with settings.
fn name_of(choice: &impl serde::Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(Value::String(word)) => plain(&word),
        Ok(value) => plain(value["type"].as_str().unwrap_or("?")),
        Err(_) => "?".to_owned(),
    }
}

/// The `type` of a choice with its settings.
fn settings(choice: &impl serde::Serialize) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(choice) else {
        return name_of(choice);
    };
    let word = fields.remove("type");
    let word = word.as_ref().and_then(Value::as_str).map(plain);
    let set = fields.into_iter().filter(|(_, value)| !value.is_null());
    let set = set.map(|(name, value)| format!("{} {}", plain(&name), plain(&value.to_string())));
    word.into_iter().chain(set).collect::<Vec<_>>().join(", ")
}

fn percent(share: impl Into<f64>) -> impl Display {
    format!("{:.0} %", share.into() * 100.0)
}

/// What somebody has named, as text on one line and nothing else.
pub(super) fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => escaped.push(' '),
            c if c.is_ascii_punctuation() && !"-,.:;%/()'".contains(c) => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A name as it is, within a table.
fn code(text: &str) -> String {
    let shown: String = text.chars().take(80).collect();
    if shown.contains('`') || shown.contains('|') || shown.chars().any(char::is_control) {
        plain(&shown)
    } else {
        format!("`{shown}`")
    }
}

#[cfg(test)]
mod tests {
    use super::{code, plain};

    #[test]
    fn what_somebody_has_named_stays_text() {
        assert_eq!(plain("a|b\n<b>*c*"), "a\\|b \\<b\\>\\*c\\*");
        assert_eq!((code("it`s"), code("a b")), ("it\\`s".to_owned(), "`a b`".to_owned()));
    }
}
