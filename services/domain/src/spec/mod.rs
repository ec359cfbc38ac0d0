//! What to train: the resolved specification. A client writes a short [`TrainingDraft`] in the words
//! of Keras and scikit-learn; [`TrainingSpec::parse`] fills in the defaults against the dataset's
//! profile and reports every error at once. After that nobody validates again.

mod again;
mod base;
mod draft;
mod estimate;
mod input;
mod layer;
mod parse;
mod positions;
mod shape;
#[cfg(test)]
mod tests;
mod training;

use serde::{Deserialize, Serialize};

use crate::{Digest, PoolId, Resources, child::DataFile, name::Name};

pub use base::BaseModel;
pub use draft::{
    AfterCondition, AfterDraft, ConcurrencyDraft, Family, ModelDraft, RecommendationDraft,
    ResourcesDraft, SeriesDraft, TestDraft, TrainingDraft, ValidationDraft,
};
pub use estimate::Estimate;
pub use input::{
    CalendarFeature, ColumnPreprocess, Encoding, Feature, FeatureKind, Imputation, Input, Keep,
    Preprocess, Ratings, Scaling, Series, Tokenizer, TokenizerKind,
};
pub use layer::{
    Activation, Initializer, Layer, Padding1D, Padding2D, Positions, Recurrent, Transformer,
};
pub use positions::sinusoidal;
pub use shape::Shape;
pub use training::{
    Augmentation, ClassWeight, CrossValidation, Curve, EarlyStopping, Gradient, Loss, Optimizer,
    Regularization, Schedule,
};

/// The resolved specification: every default filled in, as stored with the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrainingSpec {
    pub task: Task,
    pub dataset: DatasetRef,
    pub target: String,
    /// The target's classes in order; the second one is the positive class of a binary task. Empty
    /// where the target is a number or the next token.
    pub classes: Vec<String>,
    pub input: Input,
    pub layers: Vec<Layer>,
    pub loss: Loss,
    /// Share of each truth that is spread over all classes.
    pub label_smoothing: f64,
    pub class_weight: Option<ClassWeight>,
    /// Rows of rarer classes are drawn again until all classes are as frequent.
    pub oversample: bool,
    /// A batch is of texts that are about as long as each other.
    #[serde(default)]
    pub group_by_length: bool,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    pub gradient: Gradient,
    pub regularization: Regularization,
    pub augmentation: Augmentation,
    pub early_stopping: Option<EarlyStopping>,
    pub epochs: u32,
    pub batch_size: u32,
    /// The last part of the seeded shuffle of rows is held back for validation.
    pub validation_split: f64,
    /// The held-back part has the classes in the same shares as the rest.
    pub stratified: bool,
    pub cross_validation: Option<CrossValidation>,
    /// A dataset version that the finished model is tested on.
    pub test: Option<TestSet>,
    pub metrics: Vec<Metric>,
    pub seed: u64,
    #[serde(default = "default_pool")]
    pub pool: Name,
    /// Of each worker.
    pub resources: Resources,
    /// Workers that train one model together, each on its share of every epoch's batches.
    #[serde(default = "alone", skip_serializing_if = "is_alone")]
    pub workers: u32,
    /// What the run is thought to take.
    pub estimate: Estimate,
    /// Seconds that one attempt may run.
    pub max_runtime: u64,
    /// Steps between checkpoints; without it, at the end of an epoch and at most every ten seconds.
    pub checkpoint_every: Option<u32>,
    pub registered_model_name: Name,
    /// Whose weights it starts from, in place of random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<BaseModel>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DatasetRef {
    pub name: Name,
    pub version: u32,
    pub sha256: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TestSet {
    pub dataset: DatasetRef,
    pub data: DataFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    BinaryClassification,
    MulticlassClassification,
    Regression,
    /// The next token of a text.
    LanguageModeling,
    /// The next steps of a series.
    Forecasting,
    /// How a user would rate an item.
    Recommendation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    Accuracy,
    Precision,
    Recall,
    F1,
    Auc,
    /// Area under the precision-recall curve, as average precision.
    PrAuc,
    LogLoss,
    BrierScore,
    /// The expected calibration error over ten bins.
    CalibrationError,
    MeanSquaredError,
    RootMeanSquaredError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    R2,
    Perplexity,
    /// Share of users for whom one of the ten best items is one that they took.
    HitRate,
    Ndcg,
}

impl Metric {
    pub const ALL: [Self; 17] = [
        Self::Accuracy,
        Self::Precision,
        Self::Recall,
        Self::F1,
        Self::Auc,
        Self::PrAuc,
        Self::LogLoss,
        Self::BrierScore,
        Self::CalibrationError,
        Self::MeanSquaredError,
        Self::RootMeanSquaredError,
        Self::MeanAbsoluteError,
        Self::MeanAbsolutePercentageError,
        Self::R2,
        Self::Perplexity,
        Self::HitRate,
        Self::Ndcg,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::F1 => "f1",
            Self::Auc => "auc",
            Self::PrAuc => "pr_auc",
            Self::LogLoss => "log_loss",
            Self::BrierScore => "brier_score",
            Self::CalibrationError => "calibration_error",
            Self::MeanSquaredError => "mean_squared_error",
            Self::RootMeanSquaredError => "root_mean_squared_error",
            Self::MeanAbsoluteError => "mean_absolute_error",
            Self::MeanAbsolutePercentageError => "mean_absolute_percentage_error",
            Self::R2 => "r2",
            Self::Perplexity => "perplexity",
            Self::HitRate => "hit_rate",
            Self::Ndcg => "ndcg",
        }
    }

    /// Whether less is better.
    pub const fn is_error(self) -> bool {
        match self {
            Self::LogLoss
            | Self::BrierScore
            | Self::CalibrationError
            | Self::MeanSquaredError
            | Self::RootMeanSquaredError
            | Self::MeanAbsoluteError
            | Self::MeanAbsolutePercentageError
            | Self::Perplexity => true,
            Self::Accuracy
            | Self::Precision
            | Self::Recall
            | Self::F1
            | Self::Auc
            | Self::PrAuc
            | Self::R2
            | Self::HitRate
            | Self::Ndcg => false,
        }
    }

    pub const fn fits(self, task: Task) -> bool {
        match self {
            Self::Accuracy | Self::Precision | Self::Recall | Self::F1 | Self::LogLoss => {
                matches!(task, Task::BinaryClassification | Task::MulticlassClassification)
            }
            Self::Auc | Self::PrAuc | Self::BrierScore | Self::CalibrationError => {
                matches!(task, Task::BinaryClassification)
            }
            Self::MeanSquaredError | Self::RootMeanSquaredError | Self::MeanAbsoluteError => {
                matches!(task, Task::Regression | Task::Forecasting | Task::Recommendation)
            }
            Self::MeanAbsolutePercentageError | Self::R2 => {
                matches!(task, Task::Regression | Task::Forecasting)
            }
            Self::Perplexity => matches!(task, Task::LanguageModeling),
            Self::HitRate | Self::Ndcg => matches!(task, Task::Recommendation),
        }
    }

    /// What is computed where a specification names none.
    pub fn usual(task: Task) -> Vec<Self> {
        match task {
            Task::BinaryClassification => {
                vec![Self::Accuracy, Self::Precision, Self::Recall, Self::Auc]
            }
            Task::MulticlassClassification => vec![Self::Accuracy],
            Task::Regression => vec![Self::MeanAbsoluteError, Self::R2],
            Task::LanguageModeling => vec![Self::Perplexity],
            Task::Forecasting => {
                vec![Self::MeanAbsoluteError, Self::MeanAbsolutePercentageError]
            }
            Task::Recommendation => vec![Self::RootMeanSquaredError, Self::MeanAbsoluteError],
        }
    }
}

/// Where jobs go that name no pool.
pub const DEFAULT_POOL: &str = "default";
/// It is there from the first migration on.
pub const DEFAULT_POOL_ID: PoolId =
    PoolId::from_uuid(uuid::uuid!("00000000-0000-7000-8000-000000000001"));

fn default_pool() -> Name {
    DEFAULT_POOL.parse().expect("it is a name")
}

const fn alone() -> u32 {
    1
}

/// Left out when written: what was stored and published before there were gangs reads the same.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
const fn is_alone(workers: &u32) -> bool {
    *workers == 1
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
    pub max_workers: i64,
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
            max_workers: 64,
            max_resources: Resources {
                accelerator_milli: 64_000,
                ..Resources::cpu(64_000, 256 << 30)
            },
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
