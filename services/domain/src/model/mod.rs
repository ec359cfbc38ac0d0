//! A published model: everything needed to rebuild it and to turn raw rows into its input.
//!
//! `config.json` is this [`ModelConfig`]. It holds no time, no id and no machine's name: the same
//! specification, data and seed give the same bytes.

mod column;
mod input;
mod reads;
mod series;

use std::collections::BTreeMap;

pub use column::{DATE_CYCLES, DATE_WIDTH, FittedColumn, SECONDS_A_DAY};
pub use reads::{Column, Holds, IMAGE};
use serde::{Deserialize, Serialize};
pub use series::{FEW_STEPS, FittedKnown, FittedSeries, LEAST_SPREAD, TimeForm, TimeStep};

use crate::{
    Digest,
    evaluation::Evaluation,
    spec::{Keep, Layer, Loss, Ratings, Series, Shape, Task, TrainingSpec},
};

pub const CONFIG_FORMAT: u32 = 2;

/// A pixel of a scaled image is the whole number below its value and this. A half goes up, and so does what
/// is a half but for rounding: in whatever order its parts were added, it is the same pixel.
pub const PIXEL_ROUNDING: f64 = 0.501;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    pub format: u32,
    /// The engine that wrote it, name and version.
    pub engine: String,
    pub task: Task,
    pub target: String,
    /// Empty for regression.
    pub classes: Vec<String>,
    pub input: FittedInput,
    pub layers: Vec<Layer>,
    pub loss: Loss,
    /// For regression: the target was standardised with these.
    pub target_center: f64,
    pub target_scale: f64,
    /// Names, shapes of the tensors in `model.safetensors`, in order.
    pub tensors: Vec<TensorInfo>,
    pub weights_sha256: Digest,
    pub dataset_sha256: Digest,
    pub spec: TrainingSpec,
    pub metrics: BTreeMap<String, f64>,
    /// On the rows held back, and on the test set where there was one.
    pub evaluations: Vec<Evaluation>,
}

/// From a raw row to what the network reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FittedInput {
    Table {
        columns: Vec<FittedColumn>,
    },
    Text(FittedText),
    /// A language model's: what it goes on from is a text.
    Corpus(FittedText),
    Images {
        height: u32,
        width: u32,
        channels: u32,
    },
    Series {
        series: Series,
        fitted: FittedSeries,
    },
    Ratings {
        ratings: Ratings,
        fitted: FittedRatings,
    },
}

impl FittedInput {
    /// Of one row.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Table { columns } => {
                Shape::Features(columns.iter().map(FittedColumn::width).sum())
            }
            Self::Text(text) | Self::Corpus(text) => Shape::Tokens {
                length: text.max_length as usize,
                vocabulary: text.vocabulary as usize,
            },
            Self::Images { height, width, channels } => Shape::Image {
                height: *height as usize,
                width: *width as usize,
                channels: *channels as usize,
            },
            Self::Series { series, fitted } => Shape::Sequence {
                length: series.lookback as usize,
                features: series.channels(fitted.known_width()),
            },
            // one more of each for those that training has not seen
            Self::Ratings { fitted, .. } => {
                Shape::Pair { users: fitted.users.len() + 1, items: fitted.items.len() + 1 }
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorInfo {
    pub name: String,
    pub shape: Vec<usize>,
}

/// How one column of text becomes tokens; fitted on the training rows alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedText {
    pub column: String,
    /// The most tokens of a text that the network sees.
    pub max_length: u32,
    pub keep: Keep,
    /// Tokens that the tokenizer knows.
    pub vocabulary: u32,
    /// In the format of HuggingFace's `tokenizer.json`; null in what the database keeps.
    pub tokenizer: serde_json::Value,
}

/// Users and items by name, in the order of their vectors, of which the first belongs to those that
/// were not seen; fitted on the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedRatings {
    /// Sorted; the vector of `users[i]` is the one at `i + 1`.
    pub users: Vec<String>,
    pub items: Vec<String>,
    /// Of the ratings; 0 and 1 where a row only says that a user took an item.
    pub mean: f64,
    pub deviation: f64,
}
