//! The target and the features: which columns, of which kind, against the dataset's profile.

use super::*;
use crate::dataset::{ColumnProfile, ColumnType};

/// Targets with more distinct numbers than this are taken as a regression if no task is given.
const MAX_INFERRED_CLASSES: u64 = 20;
const MAX_CLASSES: u64 = 1_000;

pub(super) fn names(profile: &Profile) -> String {
    let shown: Vec<_> = profile.columns.iter().take(30).map(|c| c.name.as_str()).collect();
    let more = if profile.columns.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The task, its classes, and how many rows have a known target.
pub(super) fn target(
    draft: &TrainingDraft,
    target: &str,
    profile: &Profile,
    e: &mut FieldErrors,
) -> (Task, Vec<String>, u64) {
    let guess = draft.task.unwrap_or(Task::BinaryClassification);
    let Some(column) = profile.column(target) else {
        let message = match target {
            "" => format!("name the column to learn; the columns are {}", names(profile)),
            _ => {
                format!("the dataset has no column `{target}`; its columns are {}", names(profile))
            }
        };
        e.add("target", message);
        return (guess, vec![], profile.rows);
    };
    let known = profile.rows.saturating_sub(column.missing);
    if column.distinct < 2 {
        let message = format!(
            "column `{}` holds {} in all {known} rows with a value, so there is nothing to learn; \
             choose another target or add rows of other classes",
            column.name,
            if column.distinct == 0 { "no value" } else { "the same value (one class)" },
        );
        e.add("target", message);
        return (guess, vec![], known);
    }
    let task = draft.task.unwrap_or_else(|| infer(column));
    if !matches!(task, Task::BinaryClassification | Task::MulticlassClassification) {
        regression_target(column, e);
        return (task, vec![], known);
    }
    (task, classes(column, task, e), known)
}

fn infer(column: &ColumnProfile) -> Task {
    match column.distinct {
        2 => Task::BinaryClassification,
        n if column.kind.is_numeric() && n > MAX_INFERRED_CLASSES => Task::Regression,
        _ if column.kind == ColumnType::Float => Task::Regression,
        _ => Task::MulticlassClassification,
    }
}

fn regression_target(column: &ColumnProfile, e: &mut FieldErrors) {
    if !column.kind.is_numeric() {
        e.add(
            "target",
            format!("column `{}` is not numeric; this task learns numbers", column.name),
        );
    } else if column.infinite > 0 {
        let n = column.infinite;
        e.add(
            "target",
            format!("column `{}` is infinite in {n} rows; remove or mend them", column.name),
        );
    }
}

fn classes(column: &ColumnProfile, task: Task, e: &mut FieldErrors) -> Vec<String> {
    if task == Task::BinaryClassification && column.distinct != 2 {
        let message = format!(
            "column `{}` has {} distinct values and a binary classification needs 2; \
             use task `multiclass_classification`, or `regression` for numbers",
            column.name, column.distinct
        );
        e.add("target", message);
        return vec![];
    }
    let Some(values) = column.values.as_ref().filter(|v| v.len() as u64 <= MAX_CLASSES) else {
        let message = format!(
            "column `{}` has {} distinct values, more than {MAX_CLASSES} classes; \
             choose another target, or task `regression` for numbers",
            column.name, column.distinct
        );
        e.add("target", message);
        return vec![];
    };
    let mut classes: Vec<String> = values.iter().map(|v| v.value.clone()).collect();
    sort_values(&mut classes);
    classes
}

/// By number where all are numbers, else by text.
pub(crate) fn sort_values(values: &mut [String]) {
    let number = |v: &String| v.parse::<f64>().ok().filter(|n| n.is_finite());
    if values.iter().all(|v| number(v).is_some()) {
        values.sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(a.cmp(b)));
    } else {
        values.sort();
    }
}

pub(super) fn features(
    draft: &TrainingDraft,
    target: &str,
    preprocess: &Preprocess,
    profile: &Profile,
    e: &mut FieldErrors,
) -> Vec<Feature> {
    let dropped = draft.drop.as_deref().unwrap_or_default();
    for (i, name) in dropped.iter().enumerate() {
        if profile.column(name).is_none() {
            let known = names(profile);
            e.add(format!("drop[{i}]"), format!("no column `{name}`; the columns are {known}"));
        }
    }
    let usable = |c: &&ColumnProfile| c.name != target && !dropped.contains(&c.name);
    let features: Vec<Feature> = match &draft.features {
        None => profile
            .columns
            .iter()
            .filter(usable)
            .filter(|c| !looks_like_an_id(c, profile.rows))
            .filter_map(|c| feature(c, preprocess).ok())
            .collect(),
        Some(list) => list
            .iter()
            .enumerate()
            .filter_map(|(i, name)| named_feature(i, name, (draft, target, preprocess), profile, e))
            .collect(),
    };
    for feature in &features {
        let infinite = profile.column(&feature.name).map_or(0, |c| c.infinite);
        if infinite > 0 {
            let message = format!(
                "column `{}` is infinite in {infinite} rows; mend them or add the column to `drop`",
                feature.name
            );
            e.add("features", message);
        }
    }
    if features.is_empty() {
        e.add("features", "no usable column is left to learn from; name at least one");
    }
    features
}

fn named_feature(
    i: usize,
    name: &str,
    (draft, target, preprocess): (&TrainingDraft, &str, &Preprocess),
    profile: &Profile,
    e: &mut FieldErrors,
) -> Option<Feature> {
    let field = format!("features[{i}]");
    if name == target {
        e.add(field, format!("`{name}` is the target; a model must not see it"));
        return None;
    }
    if draft.features.iter().flatten().take(i).any(|earlier| earlier == name) {
        e.add(field, format!("`{name}` is named twice"));
        return None;
    }
    let Some(column) = profile.column(name) else {
        e.add(field, format!("no column `{name}`; the columns are {}", names(profile)));
        return None;
    };
    feature(column, preprocess).map_err(|why| e.add(field, why)).ok()
}

pub(super) fn feature(column: &ColumnProfile, preprocess: &Preprocess) -> Result<Feature, String> {
    let wanted = preprocess.columns.get(&column.name).and_then(|c| c.kind);
    if let Some(kind @ (FeatureKind::Numeric | FeatureKind::Date)) = wanted {
        let fits = match kind {
            FeatureKind::Numeric => column.kind.is_numeric(),
            _ => column.kind == ColumnType::Date,
        };
        if !fits {
            let (name, kind) = (&column.name, word(&kind));
            return Err(format!("column `{name}` does not hold values of kind {kind}"));
        }
    }
    let kind = match column.kind {
        ColumnType::Empty => return Err(format!("column `{}` is empty in every row", column.name)),
        _ if wanted == Some(FeatureKind::Categorical) => FeatureKind::Categorical,
        ColumnType::Date => FeatureKind::Date,
        ColumnType::Integer | ColumnType::Float => FeatureKind::Numeric,
        ColumnType::Boolean | ColumnType::Categorical => FeatureKind::Categorical,
        ColumnType::Text => {
            return Err(format!(
                "column `{}` is free text; name it alone in `features` for a model that reads text",
                column.name
            ));
        }
        ColumnType::Image => {
            return Err(format!("column `{}` holds images, which a table cannot", column.name));
        }
    };
    Ok(Feature { name: column.name.clone(), kind })
}

/// A column named like an identifier whose values are all different only invites memorising.
fn looks_like_an_id(column: &ColumnProfile, rows: u64) -> bool {
    let name = column.name.to_ascii_lowercase();
    let named = name == "id" || name == "uuid" || name.ends_with("_id");
    named && (column.distinct == rows || !column.distinct_is_exact)
}

/// How many inputs the columns are encoded into, at most.
pub(super) fn input_width(features: &[Feature], preprocess: &Preprocess, profile: &Profile) -> u64 {
    features.iter().map(|feature| width(feature, preprocess, profile)).sum()
}

fn width(feature: &Feature, preprocess: &Preprocess, profile: &Profile) -> u64 {
    let column = profile.column(&feature.name);
    let own = preprocess.columns.get(&feature.name);
    let indicator = column.is_some_and(|c| preprocess.missing_indicator && c.missing > 0);
    match feature.kind {
        FeatureKind::Numeric => 1 + u64::from(indicator),
        FeatureKind::Date => crate::model::DATE_WIDTH as u64,
        FeatureKind::Categorical => {
            match own.and_then(|c| c.encoding).unwrap_or(preprocess.encoding) {
                Encoding::Ordinal => 1,
                Encoding::Hashing => preprocess.hash_buckets.into(),
                Encoding::OneHot => {
                    column.map_or(1, |c| c.distinct.min(preprocess.max_categories.into()) + 1)
                }
            }
        }
    }
}
