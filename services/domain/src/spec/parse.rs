//! From a draft to a specification: every check that the profile allows before anything is queued.

use super::*;
use crate::{
    dataset::{ColumnProfile, ColumnType, Profile},
    field::FieldErrors,
};

/// Targets with more distinct numbers than this are taken as a regression if no task is given.
const MAX_INFERRED_CLASSES: u64 = 20;
const MAX_CLASSES: u64 = 1_000;
const BYTES_PER_PARAMETER: u64 = 48;

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
        let (task, classes, known_rows) = target(&draft, profile, e);
        let features = features(&draft, profile, e);
        let preprocess = preprocess(draft.preprocess.as_ref(), e);
        let outputs = outputs(task, &classes);
        let layers = layers(draft.model.as_ref(), task, outputs, limits, e);
        let loss = loss(draft.loss, task, e);
        let optimizer = optimizer(draft.optimizer.as_ref(), e);
        let epochs = within("epochs", draft.epochs, 20, 1, limits.max_epochs, e);
        let batch_size = within("batch_size", draft.batch_size, 32, 1, limits.max_batch_size, e);
        let validation_split = split(draft.validation.as_ref(), known_rows, batch_size, e);
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
        let width = input_width(&features, profile, preprocess.max_categories);
        memory(&layers, width, known_rows, resources, limits, e);
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

fn names(profile: &Profile) -> String {
    let shown: Vec<_> = profile.columns.iter().take(30).map(|c| c.name.as_str()).collect();
    let more = if profile.columns.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The task, its classes, and how many rows have a known target.
fn target(
    draft: &TrainingDraft,
    profile: &Profile,
    e: &mut FieldErrors,
) -> (Task, Vec<String>, u64) {
    let guess = draft.task.unwrap_or(Task::BinaryClassification);
    let Some(column) = profile.column(&draft.target) else {
        let message = format!(
            "the dataset has no column `{}`; its columns are {}",
            draft.target,
            names(profile)
        );
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
    if task == Task::Regression {
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
            format!("column `{}` is not numeric; a regression needs numbers", column.name),
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
pub(super) fn sort_values(values: &mut [String]) {
    let number = |v: &String| v.parse::<f64>().ok().filter(|n| n.is_finite());
    if values.iter().all(|v| number(v).is_some()) {
        values.sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(a.cmp(b)));
    } else {
        values.sort();
    }
}

fn features(draft: &TrainingDraft, profile: &Profile, e: &mut FieldErrors) -> Vec<Feature> {
    let dropped = draft.drop.as_deref().unwrap_or_default();
    for (i, name) in dropped.iter().enumerate() {
        if profile.column(name).is_none() {
            let known = names(profile);
            e.add(format!("drop[{i}]"), format!("no column `{name}`; the columns are {known}"));
        }
    }
    let usable = |c: &&ColumnProfile| c.name != draft.target && !dropped.contains(&c.name);
    let features: Vec<Feature> = match &draft.features {
        None => profile
            .columns
            .iter()
            .filter(usable)
            .filter(|c| !looks_like_an_id(c, profile.rows))
            .filter_map(|c| feature(c).ok())
            .collect(),
        Some(list) => list
            .iter()
            .enumerate()
            .filter_map(|(i, name)| named_feature(i, name, draft, profile, e))
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
    draft: &TrainingDraft,
    profile: &Profile,
    e: &mut FieldErrors,
) -> Option<Feature> {
    let field = format!("features[{i}]");
    if name == draft.target {
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
    feature(column).map_err(|why| e.add(field, why)).ok()
}

fn feature(column: &ColumnProfile) -> Result<Feature, String> {
    let kind = match column.kind {
        ColumnType::Integer | ColumnType::Float => FeatureKind::Numeric,
        ColumnType::Boolean | ColumnType::Categorical => FeatureKind::Categorical,
        ColumnType::Text => {
            return Err(format!(
                "column `{}` is free text, which dense layers cannot read",
                column.name
            ));
        }
        ColumnType::Empty => {
            return Err(format!("column `{}` is empty in every row", column.name));
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

fn preprocess(draft: Option<&PreprocessDraft>, e: &mut FieldErrors) -> Preprocess {
    let draft = draft.cloned().unwrap_or_default();
    Preprocess {
        scaling: draft.scaling.unwrap_or(Scaling::Standard),
        imputation: draft.imputation.unwrap_or(Imputation::Mean),
        max_categories: within("preprocess.max_categories", draft.max_categories, 50, 1, 10_000, e)
            as u32,
    }
}

fn outputs(task: Task, classes: &[String]) -> u32 {
    match task {
        Task::MulticlassClassification => classes.len().max(1) as u32,
        Task::BinaryClassification | Task::Regression => 1,
    }
}

fn layers(
    draft: Option<&ModelDraft>,
    task: Task,
    outputs: u32,
    limits: &Limits,
    e: &mut FieldErrors,
) -> Vec<Layer> {
    let output = Layer::Dense { units: outputs, activation: output_activation(task) };
    let Some(draft) = draft else {
        let dense = |units| Layer::Dense { units, activation: Activation::Relu };
        return vec![dense(128), dense(64), output];
    };
    if draft.layers.is_empty() || draft.layers.len() > limits.max_layers {
        let n = draft.layers.len();
        e.add("model.layers", format!("{n} layers; use 1 to {}", limits.max_layers));
        return vec![output];
    }
    let layers: Vec<Layer> =
        draft.layers.iter().enumerate().map(|(i, layer)| one_layer(i, layer, limits, e)).collect();
    check_output(&layers, task, outputs, e);
    layers
}

fn one_layer(i: usize, draft: &LayerDraft, limits: &Limits, e: &mut FieldErrors) -> Layer {
    match draft {
        LayerDraft::Dense { units, activation } => {
            let field = format!("model.layers[{i}].units");
            let units = within(&field, Some(*units), 1, 1, limits.max_units, e) as u32;
            Layer::Dense { units, activation: activation.unwrap_or(Activation::Linear) }
        }
        LayerDraft::Dropout { rate } => {
            let field = format!("model.layers[{i}].rate");
            Layer::Dropout { rate: real(&field, Some(*rate), 0.0, (0.0, 1.0), e) }
        }
    }
}

const fn output_activation(task: Task) -> Activation {
    match task {
        Task::BinaryClassification => Activation::Sigmoid,
        Task::MulticlassClassification => Activation::Softmax,
        Task::Regression => Activation::Linear,
    }
}

/// The last layer must answer the task: the error says what it got and what it needs.
fn check_output(layers: &[Layer], task: Task, outputs: u32, e: &mut FieldErrors) {
    let last = layers.len() - 1;
    let field = format!("model.layers[{last}]");
    let needs = output_activation(task);
    match &layers[last] {
        Layer::Dense { units, activation } if *units == outputs && *activation == needs => {}
        layer => e.add(
            field,
            format!(
                "the last layer is {}; {task:?} with this target needs Dense with {outputs} units and \
                 activation {needs:?}",
                describe(layer)
            ),
        ),
    }
    let hidden_softmax = layers[..last]
        .iter()
        .position(|l| matches!(l, Layer::Dense { activation: Activation::Softmax, .. }));
    if let Some(i) = hidden_softmax {
        e.add(
            format!("model.layers[{i}].activation"),
            "softmax is for the last layer; use relu or tanh",
        );
    }
}

fn describe(layer: &Layer) -> String {
    match layer {
        Layer::Dense { units, activation } => {
            format!("Dense with {units} units and {activation:?}")
        }
        Layer::Dropout { rate } => format!("Dropout with rate {rate}"),
    }
}

fn loss(given: Option<Loss>, task: Task, e: &mut FieldErrors) -> Loss {
    let needs = match task {
        Task::BinaryClassification => Loss::BinaryCrossentropy,
        Task::MulticlassClassification => Loss::CategoricalCrossentropy,
        Task::Regression => Loss::MeanSquaredError,
    };
    if given.is_some_and(|loss| loss != needs) {
        e.add("loss", format!("{given:?} does not fit {task:?}; use {needs:?} or leave it out"));
    }
    needs
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

fn split(draft: Option<&ValidationDraft>, rows: u64, batch_size: i64, e: &mut FieldErrors) -> f64 {
    let split = real("validation.split", draft.map(|v| v.split), 0.2, (0.0, 1.0), e);
    let held_back = validation_rows(rows, split);
    let training = rows - held_back;
    if rows > 0 && split > 0.0 && held_back == 0 {
        e.add("validation.split", format!("{split} of {rows} rows holds none back; use more"));
    } else if training == 0 {
        e.add(
            "validation.split",
            format!("{split} of {rows} rows leaves none to train on; use less"),
        );
    } else if batch_size as u64 > training {
        e.add(
            "batch_size",
            format!(
                "{batch_size} is more than the {training} rows to train on; use at most {training}"
            ),
        );
    }
    split
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
        e.add(format!("metrics[{i}]"), format!("`{}` does not fit {task:?}", metric.as_str()));
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

fn input_width(features: &[Feature], profile: &Profile, max_categories: u32) -> u64 {
    let width = |f: &Feature| match f.kind {
        FeatureKind::Numeric => 1,
        FeatureKind::Categorical => {
            profile.column(&f.name).map_or(1, |c| c.distinct.min(max_categories.into()))
        }
    };
    features.iter().map(width).sum()
}

/// Weights, gradients and two moments of each, a second copy of them all while a checkpoint is written,
/// and the encoded rows.
fn memory(
    layers: &[Layer],
    width: u64,
    rows: u64,
    resources: Resources,
    limits: &Limits,
    e: &mut FieldErrors,
) {
    let mut parameters = 0_u64;
    let mut inputs = width;
    for layer in layers {
        if let Layer::Dense { units, .. } = layer {
            parameters = parameters.saturating_add((inputs + 1).saturating_mul(u64::from(*units)));
            inputs = u64::from(*units);
        }
    }
    if parameters > limits.max_parameters {
        let max = limits.max_parameters;
        e.add(
            "model.layers",
            format!("{parameters} parameters; use fewer units for at most {max}"),
        );
    }
    let bytes = parameters.saturating_mul(BYTES_PER_PARAMETER).saturating_add(rows.saturating_mul(width + 1) * 12);
    if bytes > resources.memory_bytes {
        let has = resources.memory_bytes;
        e.add(
            "resources.memory_bytes",
            format!("the run needs about {bytes} bytes and asks for {has}; ask for more"),
        );
    }
}
