//! What to train: the resolved specification. A client writes a short [`TrainingDraft`] in the words
//! of Keras and scikit-learn; [`TrainingSpec::parse`] fills in the defaults against the dataset's
//! profile and reports every error at once. After that nobody validates again.

mod draft;
mod parse;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{Digest, name::Name};

pub use draft::{
    LayerDraft, ModelDraft, OptimizerDraft, PreprocessDraft, ResourcesDraft, TrainingDraft,
    ValidationDraft,
};

/// The resolved specification: every default filled in, as stored with the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrainingSpec {
    pub task: Task,
    pub dataset: DatasetRef,
    pub target: String,
    /// The target's classes in order; the second one is the positive class of a binary task. Empty
    /// for regression.
    pub classes: Vec<String>,
    pub features: Vec<Feature>,
    pub preprocess: Preprocess,
    pub layers: Vec<Layer>,
    pub loss: Loss,
    pub optimizer: Optimizer,
    pub epochs: u32,
    pub batch_size: u32,
    /// The last part of the seeded shuffle of rows is held back for validation.
    pub validation_split: f64,
    pub metrics: Vec<Metric>,
    pub seed: u64,
    pub resources: Resources,
    /// Seconds that one attempt may run.
    pub max_runtime: u64,
    /// Steps between checkpoints; without it, at the end of an epoch and at most every ten seconds.
    pub checkpoint_every: Option<u32>,
    pub registered_model_name: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DatasetRef {
    pub name: Name,
    pub version: u32,
    pub sha256: Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    BinaryClassification,
    MulticlassClassification,
    Regression,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Feature {
    pub name: String,
    pub kind: FeatureKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    Numeric,
    Categorical,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Preprocess {
    pub scaling: Scaling,
    pub imputation: Imputation,
    /// The most categories that one column is encoded into; rarer ones set no input.
    pub max_categories: u32,
}

/// How numeric columns are scaled (scikit-learn's `StandardScaler` and `MinMaxScaler`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    Standard,
    MinMax,
    None,
}

/// What stands for a missing number (scikit-learn's `SimpleImputer`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Imputation {
    Mean,
    Median,
    Zero,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type")]
pub enum Layer {
    Dense { units: u32, activation: Activation },
    Dropout { rate: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    Linear,
    Relu,
    Sigmoid,
    Tanh,
    Softmax,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanSquaredError,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type")]
pub enum Optimizer {
    Adam {
        learning_rate: f64,
        beta_1: f64,
        beta_2: f64,
        epsilon: f64,
    },
    #[serde(rename = "SGD")]
    Sgd {
        learning_rate: f64,
        momentum: f64,
    },
}

impl Optimizer {
    pub const fn learning_rate(&self) -> f64 {
        match self {
            Self::Adam { learning_rate, .. } | Self::Sgd { learning_rate, .. } => *learning_rate,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    Accuracy,
    Precision,
    Recall,
    Auc,
    MeanAbsoluteError,
    R2,
}

impl Metric {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Auc => "auc",
            Self::MeanAbsoluteError => "mean_absolute_error",
            Self::R2 => "r2",
        }
    }

    pub const fn fits(self, task: Task) -> bool {
        match self {
            Self::Accuracy => !matches!(task, Task::Regression),
            Self::Precision | Self::Recall | Self::Auc => {
                matches!(task, Task::BinaryClassification)
            }
            Self::MeanAbsoluteError | Self::R2 => matches!(task, Task::Regression),
        }
    }
}

/// What one attempt occupies on a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Resources {
    /// Thousandths of a CPU.
    pub cpu_milli: u32,
    pub memory_bytes: u64,
}

/// The platform's limits on one specification.
#[derive(Debug, Clone)]
pub struct Limits {
    pub max_layers: usize,
    pub max_units: i64,
    pub max_parameters: u64,
    pub max_epochs: i64,
    pub max_batch_size: i64,
    pub max_runtime_secs: i64,
    pub max_resources: Resources,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_layers: 100,
            max_units: 65_536,
            max_parameters: 50_000_000,
            max_epochs: 10_000,
            max_batch_size: 65_536,
            max_runtime_secs: 7 * 86_400,
            max_resources: Resources { cpu_milli: 64_000, memory_bytes: 256 << 30 },
        }
    }
}

impl TrainingSpec {
    /// Rows used for training out of `rows` with a known target.
    pub fn training_rows(&self, rows: u64) -> u64 {
        rows - validation_rows(rows, self.validation_split)
    }

    pub fn steps_per_epoch(&self, rows: u64) -> u64 {
        self.training_rows(rows).div_ceil(u64::from(self.batch_size))
    }
}

/// Rows held back: `rows * split`, rounded down, as Keras does.
pub fn validation_rows(rows: u64, split: f64) -> u64 {
    (rows as f64 * split).floor() as u64
}
