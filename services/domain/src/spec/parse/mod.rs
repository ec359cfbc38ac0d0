//! From a draft to a specification: every check that the profile allows before anything is queued.
//! Here the numbers; the columns and the network have files of their own.

mod columns;
mod network;

use super::*;
use crate::{dataset::Profile, field::FieldErrors};

#[cfg(test)]
pub(super) use columns::sort_values;

const DEFAULT_SPLIT: f64 = 0.2;
const DEFAULT_BATCH_SIZE: u64 = 32;

impl TrainingSpec {
    /// All field errors together, or the specification with every default filled in.
    pub fn parse(
        draft: TrainingDraft,
        dataset: DatasetRef,
        profile: &Profile,
        limits: &Limits,
    ) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let e = &mut errors;
        let (task, classes, known_rows) = columns::target(&draft, profile, e);
        let features = columns::features(&draft, profile, e);
        let preprocess = preprocess(draft.preprocess.as_ref(), e);
        let outputs = network::outputs(task, &classes);
        let layers = network::layers(draft.model.as_ref(), task, outputs, limits, e);
        let loss = network::loss(draft.loss, task, e);
        let optimizer = optimizer(draft.optimizer.as_ref(), e);
        let epochs = within("epochs", draft.epochs, 20, 1, limits.max_epochs, e);
        let validation_split = split(draft.validation.as_ref(), known_rows, e);
        let training = known_rows - validation_rows(known_rows, validation_split);
        let batch_size = batch_size(draft.batch_size, training, limits, e);
        let metrics = metrics(draft.metrics, task, e);
        let seed = within("seed", draft.seed, 0, 0, i64::MAX, e) as u64;
        let resources = resources(draft.resources.as_ref(), limits, e);
        let max_runtime =
            within("max_runtime", draft.max_runtime, 3_600, 1, limits.max_runtime_secs, e) as u64;
        let checkpoint_every = draft
            .checkpoint_every
            .map(|n| within("checkpoint_every", Some(n), 1, 1, i64::from(u32::MAX), e) as u32);
        let registered_model_name = match &draft.registered_model_name {
            None => dataset.name.clone(),
            Some(text) => text.parse().unwrap_or_else(|error: crate::name::NameError| {
                e.add("registered_model_name", error.to_string());
                dataset.name.clone()
            }),
        };
        let width = columns::input_width(&features, profile, preprocess.max_categories);
        network::memory(&layers, width, known_rows, resources, limits, e);
        errors.into_result(Self {
            task,
            dataset,
            target: draft.target,
            classes,
            features,
            preprocess,
            layers,
            loss,
            optimizer,
            epochs: epochs as u32,
            batch_size: batch_size as u32,
            validation_split,
            metrics,
            seed,
            resources,
            max_runtime,
            checkpoint_every,
            registered_model_name,
        })
    }
}

fn within(
    field: &str,
    given: Option<i64>,
    default: i64,
    min: i64,
    max: i64,
    e: &mut FieldErrors,
) -> i64 {
    let value = given.unwrap_or(default);
    if (min..=max).contains(&value) {
        return value;
    }
    e.add(field, format!("{value} is out of range; use a whole number from {min} to {max}"));
    default
}

/// A number that must lie between two bounds, the upper one excluded.
fn real(
    field: &str,
    given: Option<f64>,
    default: f64,
    range: (f64, f64),
    e: &mut FieldErrors,
) -> f64 {
    let value = given.unwrap_or(default);
    if value >= range.0 && value < range.1 {
        return value;
    }
    e.add(
        field,
        format!("{value} is out of range; use at least {} and below {}", range.0, range.1),
    );
    default
}

fn preprocess(draft: Option<&PreprocessDraft>, e: &mut FieldErrors) -> Preprocess {
    let draft = draft.cloned().unwrap_or_default();
    Preprocess {
        scaling: draft.scaling.unwrap_or(Scaling::Standard),
        imputation: draft.imputation.unwrap_or(Imputation::Mean),
        max_categories: within("preprocess.max_categories", draft.max_categories, 50, 1, 10_000, e)
            as u32,
    }
}

fn optimizer(draft: Option<&OptimizerDraft>, e: &mut FieldErrors) -> Optimizer {
    const TINY: f64 = f64::MIN_POSITIVE;
    let rate = |given, default, e: &mut FieldErrors| {
        real("optimizer.learning_rate", given, default, (TINY, 1_000.0), e)
    };
    match draft {
        None => optimizer(
            Some(&OptimizerDraft::Adam {
                learning_rate: None,
                beta_1: None,
                beta_2: None,
                epsilon: None,
            }),
            e,
        ),
        Some(OptimizerDraft::Adam { learning_rate, beta_1, beta_2, epsilon }) => Optimizer::Adam {
            learning_rate: rate(*learning_rate, 1e-3, e),
            beta_1: real("optimizer.beta_1", *beta_1, 0.9, (0.0, 1.0), e),
            beta_2: real("optimizer.beta_2", *beta_2, 0.999, (0.0, 1.0), e),
            epsilon: real("optimizer.epsilon", *epsilon, 1e-7, (TINY, 1.0), e),
        },
        Some(OptimizerDraft::Sgd { learning_rate, momentum }) => Optimizer::Sgd {
            learning_rate: rate(*learning_rate, 1e-2, e),
            momentum: real("optimizer.momentum", *momentum, 0.0, (0.0, 1.0), e),
        },
    }
}

/// The default gives way to very small data: fewer than five rows are all trained on.
fn split(draft: Option<&ValidationDraft>, rows: u64, e: &mut FieldErrors) -> f64 {
    let Some(ValidationDraft { split }) = draft else {
        return if validation_rows(rows, DEFAULT_SPLIT) == 0 { 0.0 } else { DEFAULT_SPLIT };
    };
    let split = real("validation.split", Some(*split), DEFAULT_SPLIT, (0.0, 1.0), e);
    let held_back = validation_rows(rows, split);
    if rows > 0 && split > 0.0 && held_back == 0 {
        e.add("validation.split", format!("{split} of {rows} rows holds none back; use more"));
    } else if rows == held_back {
        let message = format!("{split} of {rows} rows leaves none to train on; use less");
        e.add("validation.split", message);
    }
    split
}

/// The default gives way to fewer rows; a size that was asked for does not.
fn batch_size(given: Option<i64>, training: u64, limits: &Limits, e: &mut FieldErrors) -> i64 {
    let default = training.clamp(1, DEFAULT_BATCH_SIZE) as i64;
    let size = within("batch_size", given, default, 1, limits.max_batch_size, e);
    if training > 0 && size as u64 > training {
        let message =
            format!("{size} is more than the {training} rows to train on; use at most {training}");
        e.add("batch_size", message);
    }
    size
}

fn metrics(given: Option<Vec<Metric>>, task: Task, e: &mut FieldErrors) -> Vec<Metric> {
    let Some(mut list) = given else {
        return match task {
            Task::BinaryClassification => {
                vec![Metric::Accuracy, Metric::Precision, Metric::Recall, Metric::Auc]
            }
            Task::MulticlassClassification => vec![Metric::Accuracy],
            Task::Regression => vec![Metric::MeanAbsoluteError, Metric::R2],
        };
    };
    for (i, metric) in list.iter().enumerate().filter(|(_, m)| !m.fits(task)) {
        e.add(
            format!("metrics[{i}]"),
            format!("`{}` does not fit {}", metric.as_str(), word(&task)),
        );
    }
    let mut seen = vec![];
    list.retain(|metric| {
        !seen.contains(metric) && {
            seen.push(*metric);
            true
        }
    });
    list
}

fn resources(draft: Option<&ResourcesDraft>, limits: &Limits, e: &mut FieldErrors) -> Resources {
    let draft = draft.cloned().unwrap_or_default();
    let max = limits.max_resources;
    let max_memory = max.memory_bytes as i64;
    let memory = draft.memory_bytes;
    Resources {
        cpu_milli: within("resources.cpu_milli", draft.cpu_milli, 1_000, 1, max.cpu_milli.into(), e)
            as u32,
        memory_bytes: within("resources.memory_bytes", memory, 1 << 30, 64 << 20, max_memory, e)
            as u64,
    }
}

/// A word of the API, as a client writes it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
