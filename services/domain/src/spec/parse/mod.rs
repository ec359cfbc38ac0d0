//! From a draft to a specification: every check that the profile allows before anything is queued.
//! Here the numbers; the columns and the network have files of their own.

mod columns;
mod defaults;
mod family;
mod input;
mod network;
mod options;
mod training;
mod upon;

use super::*;
use crate::{dataset::Profile, field::FieldErrors, model::ModelConfig};

#[cfg(test)]
pub(super) use columns::sort_values;

impl TrainingSpec {
    /// All field errors together, or the specification with every default filled in. `test` is the
    /// dataset version that the draft's `test` names.
    pub fn parse(
        draft: TrainingDraft,
        dataset: DatasetRef,
        test: Option<TestSet>,
        profile: &Profile,
        limits: &Limits,
    ) -> Result<Self, FieldErrors> {
        if draft.base_model.is_some() {
            let why =
                "a base model is on a platform; submit the specification there, or leave it out";
            return Err(FieldErrors::one("base_model", why));
        }
        Self::resolved(draft, None, (dataset, test), profile, limits)
    }

    /// The same of a draft that names a base model, which has been found.
    pub fn parse_upon(
        draft: TrainingDraft,
        base: (BaseModel, &ModelConfig),
        (dataset, test): (DatasetRef, Option<TestSet>),
        profile: &Profile,
        limits: &Limits,
    ) -> Result<Self, FieldErrors> {
        Self::resolved(draft, Some(base), (dataset, test), profile, limits)
    }

    fn resolved(
        mut draft: TrainingDraft,
        base: Option<(BaseModel, &ModelConfig)>,
        (dataset, test): (DatasetRef, Option<TestSet>),
        profile: &Profile,
        limits: &Limits,
    ) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let e = &mut errors;
        let (base_model, base) = base.unzip();
        let input::Resolved { task, target, classes, input, rows } = match base {
            Some(base) => upon::resolve(&draft, base, profile, e),
            None => input::resolve(&draft, profile, e),
        };
        let shape = base.map_or_else(|| input::shape(&input, profile), |base| base.input.shape());
        let outputs = network::outputs(task, &classes, &input, shape);
        if let Some(base) = base {
            draft.model.get_or_insert_with(|| ModelDraft::of_layers(base.spec.layers.clone()));
        }
        let layers = network::layers(&draft, task, &input, shape, outputs, limits, e);
        options::check(&draft, &input, e);
        let loss = training::loss(draft.loss, task, &input, e);
        let optimizer = training::optimizer(&draft, &input, e);
        let (validation_split, cross_validation) = training::validation(&draft, &input, rows, e);
        let training = match &input {
            // a corpus is split by place, and its batches are of windows: its lines say little of both
            Input::Corpus { .. } => u64::MAX,
            Input::Series(_) => rows,
            _ => rows - validation_rows(rows, validation_split),
        };
        let batch_size = training::batch_size(&draft, &input, &optimizer, training, limits, e);
        training::test(&draft, &input, e);
        let batches = match &optimizer {
            Optimizer::Gd { .. } => training,
            _ => training.div_ceil(batch_size.max(1).into()),
        };
        let workers = training::workers(&draft, batches, limits, e);
        let epochs = defaults::epochs(&input, validation_split);
        let resources = resources(draft.resources.as_ref(), limits, e);
        let pool = draft.resources.as_ref().and_then(|resources| resources.pool.as_deref());
        let pool =
            pool.unwrap_or(DEFAULT_POOL).parse().unwrap_or_else(|error: crate::name::NameError| {
                e.add("resources.pool", error.to_string());
                default_pool()
            });
        let registered_model_name = match &draft.registered_model_name {
            None => dataset.name.clone(),
            Some(text) => text.parse().unwrap_or_else(|error: crate::name::NameError| {
                e.add("registered_model_name", error.to_string());
                dataset.name.clone()
            }),
        };
        let mut spec = Self {
            task,
            dataset,
            target,
            layers,
            loss,
            label_smoothing: training::label_smoothing(&draft, task, e),
            class_weight: training::class_weight(&draft, &classes, e),
            oversample: training::oversample(&draft, &classes, e),
            group_by_length: draft.group_by_length.unwrap_or(false),
            classes,
            optimizer,
            schedule: training::schedule(&draft, &input, e),
            gradient: training::gradient(&draft, &input, e),
            regularization: training::regularization(&draft, &input, e),
            augmentation: training::augmentation(&draft, e),
            early_stopping: training::early_stopping(&draft, task, &input, validation_split, e),
            input,
            epochs: within("epochs", draft.epochs, epochs, 1, limits.max_epochs, e) as u32,
            batch_size,
            validation_split,
            stratified: draft.validation.as_ref().and_then(|v| v.stratified).unwrap_or(false),
            cross_validation,
            test,
            metrics: training::metrics(draft.metrics, task, e),
            seed: within("seed", draft.seed, 0, 0, i64::MAX, e) as u64,
            pool,
            resources,
            workers,
            estimate: Estimate::default(),
            max_runtime: within(
                "max_runtime",
                draft.max_runtime,
                3_600,
                1,
                limits.max_runtime_secs,
                e,
            ) as u64,
            checkpoint_every: draft
                .checkpoint_every
                .map(|n| within("checkpoint_every", Some(n), 1, 1, i64::from(u32::MAX), e) as u32),
            registered_model_name,
            base_model,
        };
        network::fits(&mut spec, shape, (rows, profile), limits, e);
        errors.into_result(spec)
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

/// Whether a number lies between two bounds, the upper one excluded; if not, that is an error.
fn check(field: &str, value: f64, (least, below): (f64, f64), e: &mut FieldErrors) -> bool {
    let fits = value >= least && value < below;
    if !fits {
        let message = format!("{value} is out of range; use at least {least} and below {below}");
        e.add(field, message);
    }
    fits
}

fn resources(draft: Option<&ResourcesDraft>, limits: &Limits, e: &mut FieldErrors) -> Resources {
    let draft = draft.cloned().unwrap_or_default();
    let max = limits.max_resources;
    let mut within = |name: &str, given, default, least, most: u64| {
        within(&format!("resources.{name}"), given, default, least, most as i64, e) as u64
    };
    Resources {
        cpu_milli: within("cpu_milli", draft.cpu_milli, 1_000, 1, max.cpu_milli),
        memory_bytes: within(
            "memory_bytes",
            draft.memory_bytes,
            1 << 30,
            64 << 20,
            max.memory_bytes,
        ),
        accelerator_milli: within(
            "accelerator_milli",
            draft.accelerator_milli,
            0,
            0,
            max.accelerator_milli,
        ),
    }
}

/// A word of the API, as a client writes it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
