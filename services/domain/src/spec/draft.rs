//! What a client writes: only `dataset` and `target` are needed. Numbers are taken wide and signed
//! here, so that a value out of range is reported beside the others and not as a syntax error.

use serde::{Deserialize, Serialize};

use super::{Activation, Imputation, Loss, Metric, Scaling, Task};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingDraft {
    /// Name of the dataset.
    #[schema(examples("breast-cancer"))]
    pub dataset: String,
    /// Version number; the newest if absent.
    pub version: Option<u32>,
    /// The column to learn.
    #[schema(examples("diagnosis"))]
    pub target: String,
    /// Inferred from the target if absent: two values are a binary classification, few values a
    /// multiclass one, many numbers a regression.
    pub task: Option<Task>,
    /// Columns to learn from; every usable column but the target if absent.
    pub features: Option<Vec<String>>,
    /// Columns to leave out, identifiers for instance.
    pub drop: Option<Vec<String>>,
    pub preprocess: Option<PreprocessDraft>,
    /// Dense 128 relu, Dense 64 relu and the task's output layer if absent.
    pub model: Option<ModelDraft>,
    pub loss: Option<Loss>,
    /// Adam with Keras' defaults if absent.
    pub optimizer: Option<OptimizerDraft>,
    /// 20 if absent.
    pub epochs: Option<i64>,
    /// 32 if absent, or all rows to train on if there are fewer.
    pub batch_size: Option<i64>,
    pub validation: Option<ValidationDraft>,
    /// Computed each epoch on the training and the validation rows; the task's usual ones if absent.
    pub metrics: Option<Vec<Metric>>,
    /// Decides the split, the initial weights, the order of rows and dropout. 0 if absent.
    pub seed: Option<i64>,
    pub resources: Option<ResourcesDraft>,
    /// Seconds that one attempt may run; 3,600 if absent.
    pub max_runtime: Option<i64>,
    /// Steps between checkpoints; without it, at the end of an epoch and at most every ten seconds.
    pub checkpoint_every: Option<i64>,
    /// The model under which the result is published; the dataset's name if absent.
    pub registered_model_name: Option<String>,
    /// What people call the job, up to 100 characters; made from the dataset's name if absent.
    pub name: Option<String>,
    /// From -100 to 100; among a tenant's waiting jobs the higher goes first. 0 if absent.
    pub priority: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreprocessDraft {
    /// `standard` if absent.
    pub scaling: Option<Scaling>,
    /// `mean` if absent.
    pub imputation: Option<Imputation>,
    /// 50 if absent.
    pub max_categories: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelDraft {
    pub layers: Vec<LayerDraft>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum LayerDraft {
    #[serde(alias = "dense")]
    Dense { units: i64, activation: Option<Activation> },
    #[serde(alias = "dropout")]
    Dropout { rate: f64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum OptimizerDraft {
    /// Keras' defaults: learning rate 0.001, beta_1 0.9, beta_2 0.999, epsilon 1e-7.
    #[serde(alias = "adam")]
    Adam {
        learning_rate: Option<f64>,
        beta_1: Option<f64>,
        beta_2: Option<f64>,
        epsilon: Option<f64>,
    },
    /// Keras' defaults: learning rate 0.01, momentum 0.
    #[serde(rename = "SGD", alias = "sgd")]
    Sgd { learning_rate: Option<f64>, momentum: Option<f64> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidationDraft {
    /// The share of rows held back, at least 0 and below 1; 0.2 if absent and there are five rows.
    pub split: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcesDraft {
    /// Thousandths of a CPU; 1,000 if absent.
    pub cpu_milli: Option<i64>,
    /// 1 GiB if absent.
    pub memory_bytes: Option<i64>,
}
