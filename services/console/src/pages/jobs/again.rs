//! From a job's resolved specification back to one that a client would write, to be changed and sent again.

use domain::spec::{
    Input, ModelDraft, RecommendationDraft, ResourcesDraft, SeriesDraft, TestDraft, TrainingDraft,
    TrainingSpec, ValidationDraft,
};
use serde_json::Value;

/// As JSON, without what is not said.
pub(super) fn draft(spec: &TrainingSpec) -> String {
    let draft = serde_json::to_value(of(spec)).map(without_nulls).unwrap_or_default();
    serde_json::to_string_pretty(&draft).unwrap_or_default()
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

fn of(spec: &TrainingSpec) -> TrainingDraft {
    let spec = spec.clone();
    let draft = TrainingDraft {
        dataset: spec.dataset.name.to_string(),
        version: Some(spec.dataset.version),
        target: Some(spec.target).filter(|target| !target.is_empty()),
        task: Some(spec.task),
        model: Some(ModelDraft { layers: Some(spec.layers), ..ModelDraft::default() }),
        loss: Some(spec.loss),
        label_smoothing: Some(spec.label_smoothing).filter(|share| *share > 0.0),
        class_weight: spec.class_weight,
        oversample: spec.oversample.then_some(true),
        group_by_length: spec.group_by_length.then_some(true),
        optimizer: Some(spec.optimizer),
        schedule: Some(spec.schedule),
        gradient: Some(spec.gradient),
        regularization: Some(spec.regularization),
        early_stopping: spec.early_stopping,
        epochs: Some(spec.epochs.into()),
        batch_size: Some(spec.batch_size.into()),
        validation: Some(match spec.cross_validation {
            Some(folds) => ValidationDraft {
                folds: Some(folds.folds.into()),
                split: None,
                stratified: Some(folds.stratified),
            },
            None => ValidationDraft {
                split: Some(spec.validation_split),
                folds: None,
                stratified: Some(spec.stratified),
            },
        }),
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
        ..TrainingDraft::default()
    };
    match spec.base_model {
        // what is read, and with which layers, comes with it
        Some(base) => TrainingDraft {
            base_model: Some(format!("{}:{}", base.model, base.version)),
            model: None,
            task: None,
            ..draft
        },
        None => reading(draft, spec.input, spec.augmentation),
    }
}

/// How rows are read, each kind of data in its own fields.
fn reading(
    mut draft: TrainingDraft,
    input: Input,
    augmentation: domain::spec::Augmentation,
) -> TrainingDraft {
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
        Input::Corpus { tokenizer, context, .. } => {
            draft.target = None;
            draft.tokenizer = Some(tokenizer);
            draft.context = Some(context.into());
        }
        Input::Images { height, .. } => {
            draft.image_size = Some(height.into());
            draft.augmentation = Some(augmentation);
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
