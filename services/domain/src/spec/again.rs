//! From a resolved specification back to a draft that a client would write, to be changed and sent again:
//! parsed against the same data it is the same specification.

use serde_json::Value;

use super::{
    Augmentation, CrossValidation, Input, ModelDraft, Optimizer, RecommendationDraft,
    ResourcesDraft, SeriesDraft, TestDraft, TrainingDraft, TrainingSpec, ValidationDraft,
};

impl TrainingDraft {
    /// As JSON without what is not said, which is how people write it.
    pub fn brief(&self) -> Value {
        serde_json::to_value(self).map(without_nulls).expect("a draft is plain data")
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        value => value,
    }
}

impl From<&TrainingSpec> for TrainingDraft {
    fn from(spec: &TrainingSpec) -> Self {
        let spec = spec.clone();
        let held_back = (spec.validation_split, spec.stratified);
        let all_at_once = matches!(spec.optimizer, Optimizer::Gd { .. });
        let draft = Self {
            dataset: spec.dataset.name.to_string(),
            version: Some(spec.dataset.version),
            target: Some(spec.target).filter(|target| !target.is_empty()),
            task: Some(spec.task),
            model: Some(ModelDraft::of_layers(spec.layers)),
            loss: Some(spec.loss),
            label_smoothing: Some(spec.label_smoothing).filter(|share| *share > 0.0),
            class_weight: spec.class_weight,
            oversample: spec.oversample.then_some(true),
            group_by_length: spec.group_by_length.then_some(true),
            optimizer: Some(spec.optimizer),
            schedule: Some(spec.schedule),
            gradient: Some(spec.gradient),
            regularization: Some(spec.regularization),
            augmentation: Some(spec.augmentation).filter(|a| *a != Augmentation::default()),
            early_stopping: spec.early_stopping,
            epochs: Some(spec.epochs.into()),
            batch_size: (!all_at_once).then_some(spec.batch_size.into()),
            validation: validation(&spec.input, spec.cross_validation, held_back),
            test: spec.test.map(|test| TestDraft {
                dataset: test.dataset.name.to_string(),
                version: Some(test.dataset.version),
            }),
            metrics: Some(spec.metrics),
            seed: i64::try_from(spec.seed).ok(),
            resources: Some(ResourcesDraft {
                cpu_milli: i64::try_from(spec.resources.cpu_milli).ok(),
                memory_bytes: i64::try_from(spec.resources.memory_bytes).ok(),
                accelerator_milli: i64::try_from(spec.resources.accelerator_milli)
                    .ok()
                    .filter(|n| *n > 0),
                pool: Some(spec.pool.to_string()),
            }),
            workers: (spec.workers > 1).then_some(spec.workers.into()),
            max_runtime: i64::try_from(spec.max_runtime).ok(),
            checkpoint_every: spec.checkpoint_every.map(i64::from),
            registered_model_name: Some(spec.registered_model_name.to_string()),
            ..Self::default()
        };
        match spec.base_model {
            // what is read, and how, comes with it
            Some(base) => {
                Self { base_model: Some(format!("{}:{}", base.model, base.version)), ..draft }
            }
            None => reading(draft, spec.input),
        }
    }
}

fn validation(
    input: &Input,
    folds: Option<CrossValidation>,
    (split, stratified): (f64, bool),
) -> Option<ValidationDraft> {
    match (input, folds) {
        // by `series.backtest`
        (Input::Series(_), _) => None,
        (_, Some(CrossValidation { folds, stratified })) => Some(ValidationDraft {
            folds: Some(folds.into()),
            split: None,
            stratified: Some(stratified),
        }),
        (_, None) => Some(ValidationDraft {
            split: Some(split),
            folds: None,
            stratified: stratified.then_some(true),
        }),
    }
}

/// How rows are read, each kind of data in its own fields.
fn reading(mut draft: TrainingDraft, input: Input) -> TrainingDraft {
    match input {
        Input::Table { features, preprocess } => {
            draft.features = Some(features.into_iter().map(|feature| feature.name).collect());
            draft.preprocess = Some(preprocess);
        }
        Input::Text { column, tokenizer, max_length, keep } => {
            draft.features = Some(vec![column]);
            draft.tokenizer = Some(tokenizer);
            draft.max_length = Some(max_length.into());
            draft.keep = Some(keep);
        }
        Input::Corpus { column, tokenizer, context } => {
            draft.target = None;
            draft.features = Some(vec![column]);
            draft.tokenizer = Some(tokenizer);
            draft.context = Some(context.into());
        }
        // others have the size of the first image
        Input::Images { height, width, .. } => {
            draft.image_size = (height == width).then_some(height.into());
        }
        Input::Series(series) => {
            draft.series = Some(SeriesDraft {
                time: series.time,
                series: series.series,
                known: Some(series.known.into_iter().map(|feature| feature.name).collect()),
                calendar: Some(series.calendar),
                lookback: Some(series.lookback.into()),
                horizon: Some(series.horizon.into()),
                season: Some(series.season.into()),
                backtest: Some(series.backtest.into()),
            });
        }
        Input::Ratings(ratings) => {
            draft.recommendation = Some(RecommendationDraft {
                user: ratings.user,
                item: ratings.item,
                implicit: Some(ratings.implicit),
                negatives: ratings.implicit.then_some(ratings.negatives.into()),
            });
        }
    }
    draft
}
