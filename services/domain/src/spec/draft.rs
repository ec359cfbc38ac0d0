//! What a client writes: only `dataset` and mostly `target` are needed. Numbers that have a range of
//! their own are taken wide and signed here, so that a value out of range is reported beside the
//! others and not as a syntax error.

use serde::{Deserialize, Serialize};

use super::{
    Activation, Augmentation, CalendarFeature, ClassWeight, EarlyStopping, Gradient, Keep, Layer,
    Loss, Metric, Optimizer, Positions, Preprocess, Regularization, Schedule, Task, Tokenizer,
};
use crate::{Timestamp, job::JobStatus};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingDraft {
    /// Name of the dataset.
    #[schema(examples("breast-cancer"))]
    pub dataset: String,
    /// Version number; the newest if absent.
    pub version: Option<u32>,
    /// The column to learn; `label` if absent and the data are images, none for a language model.
    #[schema(examples("diagnosis"))]
    pub target: Option<String>,
    /// Inferred from the target if absent: two values are a binary classification, few values a
    /// multiclass one, many numbers a regression. A plain text is a language model, `series` a
    /// forecast and `recommendation` a recommendation.
    pub task: Option<Task>,
    /// Columns to learn from; every usable column but the target if absent.
    pub features: Option<Vec<String>>,
    /// Columns to leave out, identifiers for instance.
    pub drop: Option<Vec<String>>,
    /// Of the columns of a table.
    pub preprocess: Option<Preprocess>,
    /// Of text.
    pub tokenizer: Option<Tokenizer>,
    /// Tokens of a row that are read; 200 if absent.
    pub max_length: Option<i64>,
    /// Which tokens those are of a longer text; its ends if absent.
    pub keep: Option<Keep>,
    /// Let texts that are about as long as each other share a batch, so that less of it is padding;
    /// false if absent.
    pub group_by_length: Option<bool>,
    /// Tokens that a language model sees at once; 64 if absent.
    pub context: Option<i64>,
    /// Images are scaled to this height and width; those of the first image if absent.
    pub image_size: Option<i64>,
    pub series: Option<SeriesDraft>,
    pub recommendation: Option<RecommendationDraft>,
    /// Start from the weights of a model that is there, one's own or another's whose licence allows derivatives:
    /// `tenant/model`, `tenant/model:3` or `tenant/model@champion`. What is read, and how, comes with it; so do
    /// the layers, if `model` is absent.
    #[schema(examples("acme/reviews@champion"))]
    pub base_model: Option<String>,
    /// A family that fits the data if absent: for a table Dense 128 relu and Dense 64 relu (each with
    /// a dropout of 0.2 where classes are learned) and the task's output layer.
    pub model: Option<ModelDraft>,
    pub loss: Option<Loss>,
    /// Share of each truth that is spread over all classes; 0 if absent.
    pub label_smoothing: Option<f64>,
    pub class_weight: Option<ClassWeight>,
    /// Draw rows of rarer classes again until all classes are as frequent.
    pub oversample: Option<bool>,
    /// Adam if absent, and AdamW for a language model, with rates that suit the data.
    pub optimizer: Option<Optimizer>,
    pub schedule: Option<Schedule>,
    pub gradient: Option<Gradient>,
    pub regularization: Option<Regularization>,
    pub augmentation: Option<Augmentation>,
    pub early_stopping: Option<EarlyStopping>,
    /// If absent and rows are held back, up to 50 for a table and 5 for text, of which the best is
    /// published; 20 for a table of which none are.
    pub epochs: Option<i64>,
    /// 32 for a table if absent, or all rows to train on if there are fewer; all rows with the
    /// optimizer GD.
    pub batch_size: Option<i64>,
    pub validation: Option<ValidationDraft>,
    /// Another dataset with the same columns, which the finished model is tested on.
    pub test: Option<TestDraft>,
    /// Computed each epoch on the training and the validation rows; the task's usual ones if absent.
    pub metrics: Option<Vec<Metric>>,
    /// Decides the split, the initial weights, the order of rows, dropout and augmentation. 0 if
    /// absent.
    pub seed: Option<i64>,
    /// Of each worker.
    pub resources: Option<ResourcesDraft>,
    /// Workers, 1 to 64, that train the model together: each has its share of every epoch's batches,
    /// and after each epoch all go on from the average of their weights. All of them start at once.
    /// 1 if absent.
    pub workers: Option<i64>,
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
    /// Of the tenant's jobs with one key, so many run at once.
    pub concurrency: Option<ConcurrencyDraft>,
    /// Jobs that have to end first.
    pub after: Option<Vec<AfterDraft>>,
    /// It does not start before; within a year.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_after: Option<Timestamp>,
}

/// Either a list of layers, or a family and what it should have other than its defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConcurrencyDraft {
    /// 1 to 100 characters of your choice.
    #[schema(examples("nightly"))]
    pub key: String,
    /// 1 if absent. Of different limits under one key the smallest holds.
    pub limit: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelDraft {
    pub layers: Option<Vec<Layer>>,
    pub family: Option<Family>,
    /// Of the hidden layers: dense, recurrent or of a tower.
    pub units: Option<Vec<u32>>,
    pub activation: Option<Activation>,
    pub batch_normalization: Option<bool>,
    pub dropout: Option<f64>,
    pub recurrent_dropout: Option<f64>,
    /// Of embeddings; a transformer's width (d_model).
    pub embedding_dim: Option<u32>,
    pub num_heads: Option<u32>,
    pub num_layers: Option<u32>,
    pub intermediate_dim: Option<u32>,
    pub positions: Option<Positions>,
    pub normalize_first: Option<bool>,
    /// Of the convolutions, one after another.
    pub filters: Option<Vec<u32>>,
}

impl ModelDraft {
    pub fn of_layers(layers: Vec<Layer>) -> Self {
        Self { layers: Some(layers), ..Self::default() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The output layer alone: linear, logistic or softmax regression.
    #[serde(alias = "logistic_regression", alias = "linear_regression")]
    Linear,
    Mlp,
    Lstm,
    Gru,
    BidirectionalLstm,
    BidirectionalGru,
    /// An encoder for classification, a decoder for a language model.
    Transformer,
    /// Two-dimensional convolutions on images, causal ones on series.
    Cnn,
    MatrixFactorization,
    TwoTower,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriesDraft {
    /// The column of dates, times or numbers by which rows are ordered.
    pub time: String,
    /// The column that tells the series of a panel apart; one series if absent.
    pub series: Option<String>,
    /// Columns that are known ahead of time.
    pub known: Option<Vec<String>>,
    /// Made of the time column; none if absent.
    pub calendar: Option<Vec<CalendarFeature>>,
    /// Steps that the model looks back on; two seasons if absent.
    pub lookback: Option<i64>,
    /// Steps that it forecasts at once; one season if absent.
    pub horizon: Option<i64>,
    /// Steps after which the pattern repeats: 12 for months, 7 for days, 24 for hours. 1 if absent.
    pub season: Option<i64>,
    /// How many horizons at the end of each series are held back; 1 if absent.
    pub backtest: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecommendationDraft {
    pub user: String,
    pub item: String,
    /// A row says that a user took an item; no rating is learned and `target` is left out.
    pub implicit: Option<bool>,
    /// Items drawn for each row of an implicit dataset; 4 if absent.
    pub negatives: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidationDraft {
    /// The share of rows held back, at least 0 and below 1; 0.2 if absent and there are five rows.
    pub split: Option<f64>,
    /// Cross-validation instead: so many models, each validated on another part.
    pub folds: Option<i64>,
    /// The held-back part has the classes in the same shares; false if absent.
    pub stratified: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestDraft {
    pub dataset: String,
    /// The newest if absent.
    pub version: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcesDraft {
    /// Thousandths of a CPU; 1,000 if absent.
    pub cpu_milli: Option<i64>,
    /// 1 GiB if absent.
    pub memory_bytes: Option<i64>,
    /// Thousandths of an accelerator of the pool's kind: up to 1,000 share one, more are whole ones. None
    /// if absent.
    pub accelerator_milli: Option<i64>,
    /// Whose workers it runs on; `default` if absent.
    pub pool: Option<String>,
}

/// A job that has to end first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AfterDraft {
    pub job: String,
    /// `success` if absent.
    pub condition: Option<AfterCondition>,
}

/// How it has to end (Slurm: afterok, afternotok, afterany). If it ends otherwise, the job that waits
/// for it fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterCondition {
    #[default]
    Success,
    /// It has failed or was cancelled.
    Failure,
    Any,
}

impl AfterCondition {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Any => "any",
        }
    }

    /// Whether a job that has ended so is what was waited for.
    pub fn is_met_by(self, ended: JobStatus) -> bool {
        match self {
            Self::Success => ended == JobStatus::Succeeded,
            Self::Failure => ended.is_final() && ended != JobStatus::Succeeded,
            Self::Any => ended.is_final(),
        }
    }
}
