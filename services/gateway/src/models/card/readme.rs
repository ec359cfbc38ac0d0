//! README.md of a version that a job has made: the card as the Hub's tools read it, with a head in YAML. It is
//! one of the version's files and stays as it was when the version got its manifest; so it says nothing that
//! depends on who made it when, and a version that is made again has the same.

use std::fmt::Write;

use domain::evaluation::{Evaluation, EvaluationSplit};
use serde_json::json;
use store::models::{Made, Model};

use super::markdown::{figures, limits, plain, table, training};
use crate::hub::pipeline_tag;

pub(crate) fn readme(model: &Model, made: &Made) -> String {
    let config = &made.config;
    let name = format!("{}/{}", model.tenant_slug, model.name);
    let mut text = "---\n".to_owned();
    // what is JSON is YAML as well
    let mut say = |field: &str, value: serde_json::Value| {
        let _ = writeln!(text, "{field}: {value}");
    };
    if let Some(licence) = model.licence {
        say("license", json!(licence.as_str()));
    }
    if let Some(base) = &config.spec.base_model {
        say("base_model", json!(base.model));
    }
    say("library_name", json!("cupola"));
    say("pipeline_tag", json!(pipeline_tag(config)));
    say("tags", json!(model.tags));
    let results: Vec<_> = config.evaluations.iter().map(|of| result(made, of)).collect();
    if !results.is_empty() {
        say("model-index", json!([{"name": name, "results": results}]));
    }
    let _ = writeln!(text, "---\n\n# {name}\n");
    if !model.description.is_empty() {
        let _ = writeln!(text, "{}\n", plain(&model.description));
    }
    if !model.card.trim().is_empty() {
        let _ = writeln!(text, "{}\n", model.card.trim_end());
    }
    table(&mut text, "Training", &training(config, None, None));
    for evaluation in &config.evaluations {
        figures(&mut text, evaluation);
    }
    limits(&mut text, config);
    text
}

/// As the Hub's leaderboards take it.
fn result(made: &Made, evaluation: &Evaluation) -> serde_json::Value {
    let spec = &made.config.spec;
    let (data, split) = match (evaluation.split, &spec.test) {
        (EvaluationSplit::Validation, _) => (&spec.dataset, "validation"),
        (EvaluationSplit::Test, Some(test)) => (&test.dataset, "test"),
        // the part of an archive that its maker set aside
        (EvaluationSplit::Test, None) => (&spec.dataset, "test"),
    };
    let loss = evaluation.loss.iter().map(|loss| ("loss", *loss));
    let metrics = evaluation.metrics.iter().map(|(name, value)| (name.as_str(), *value));
    let metrics: Vec<_> =
        metrics.chain(loss).map(|(name, value)| json!({"type": name, "value": value})).collect();
    json!({
        "task": {"type": pipeline_tag(&made.config)},
        "dataset": {"type": data.name, "name": data.name, "split": split, "revision": data.version.to_string()},
        "metrics": metrics,
    })
}
