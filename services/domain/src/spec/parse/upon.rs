//! A draft that names a base model: what the base has learned to read, it goes on reading. Its columns,
//! their scales and categories, its tokenizer and its classes are the base's, since its weights mean nothing
//! beside others; layers are the base's unless the draft has its own.

use super::{columns, input::Resolved, *};
use crate::{dataset::ColumnType, model::ModelConfig};

pub(super) fn resolve(
    draft: &TrainingDraft,
    base: &ModelConfig,
    profile: &Profile,
    e: &mut FieldErrors,
) -> Resolved {
    refuse_what_the_base_has(draft, e);
    if let Some(task) = draft.task.filter(|task| *task != base.task) {
        let (asked, has) = (word(&task), word(&base.task));
        e.add("task", format!("is {asked}, and the base model's is {has}; leave it out"));
    }
    let input = base.spec.input.clone();
    readable(&input, profile, e);
    let target = draft.target.clone().unwrap_or_else(|| base.target.clone());
    let rows = match &input {
        Input::Corpus { .. } => profile.rows,
        Input::Ratings(ratings) if ratings.implicit => profile.rows,
        _ => {
            let asked = TrainingDraft { task: Some(base.task), ..draft.clone() };
            let (_, found, rows) = columns::target(&asked, &target, profile, e);
            known_classes(&found, &base.classes, &target, e);
            rows
        }
    };
    Resolved { task: base.task, target, classes: base.classes.clone(), input, rows }
}

fn refuse_what_the_base_has(draft: &TrainingDraft, e: &mut FieldErrors) {
    let given = [
        ("features", draft.features.is_some()),
        ("drop", draft.drop.is_some()),
        ("preprocess", draft.preprocess.is_some()),
        ("tokenizer", draft.tokenizer.is_some()),
        ("max_length", draft.max_length.is_some()),
        ("keep", draft.keep.is_some()),
        ("context", draft.context.is_some()),
        ("image_size", draft.image_size.is_some()),
        ("series", draft.series.is_some()),
        ("recommendation", draft.recommendation.is_some()),
    ];
    for (field, _) in given.into_iter().filter(|(_, given)| *given) {
        e.add(field, "what is read, and how, comes with the base model; leave it out");
    }
}

/// The columns that the base reads are there, and of its kinds.
fn readable(input: &Input, profile: &Profile, e: &mut FieldErrors) {
    let numbers = |feature: &Feature| feature.kind == FeatureKind::Numeric;
    let columns: Vec<(&str, bool)> = match input {
        Input::Table { features, .. } => {
            features.iter().map(|feature| (feature.name.as_str(), numbers(feature))).collect()
        }
        Input::Text { column, .. } | Input::Corpus { column, .. } => vec![(column, false)],
        Input::Images { .. } => {
            if !profile.columns.iter().any(|column| column.kind == ColumnType::Image) {
                e.add("dataset", "holds no images, and the base model reads images");
            }
            vec![]
        }
        Input::Series(series) => {
            let known =
                series.known.iter().map(|feature| (feature.name.as_str(), numbers(feature)));
            let named = series.series.iter().map(|name| (name.as_str(), false));
            known.chain(named).chain([(series.time.as_str(), false)]).collect()
        }
        Input::Ratings(ratings) => vec![(&ratings.user, false), (&ratings.item, false)],
    };
    for (name, numeric) in columns {
        match profile.column(name) {
            None => e.add(
                "dataset",
                format!(
                    "has no column `{name}`, which the base model reads; its columns are {}",
                    columns::names(profile)
                ),
            ),
            Some(column) if numeric && !takes_numbers(column.kind) => {
                let kind = word(&column.kind);
                let why =
                    format!("column `{name}` is {kind}, and the base model reads numbers there");
                e.add("dataset", why);
            }
            Some(_) => {}
        }
    }
}

const fn takes_numbers(kind: ColumnType) -> bool {
    kind.is_numeric() || matches!(kind, ColumnType::Empty)
}

fn known_classes(found: &[String], known: &[String], target: &str, e: &mut FieldErrors) {
    let unknown: Vec<_> = found.iter().filter(|class| !known.contains(class)).take(10).collect();
    if let Some(first) = unknown.first() {
        let more = if unknown.len() > 1 { " and others" } else { "" };
        let classes = known.join(", ");
        e.add(
            "target",
            format!(
                "column `{target}` holds `{first}`{more}, for which the base model has no class; \
                 its classes are {classes}"
            ),
        );
    }
}
