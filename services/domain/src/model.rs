//! A published model: everything needed to rebuild it and to turn raw rows into its input.
//!
//! `config.json` is this [`ModelConfig`]. It holds no time, no id and no machine's name: the same
//! specification, data and seed give the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Digest,
    spec::{Layer, Task, TrainingSpec},
};

pub const CONFIG_FORMAT: u32 = 1;

/// How one column becomes numbers; fitted on the training rows alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "transform", rename_all = "snake_case")]
pub enum FittedColumn {
    /// `(x - center) / scale`, with `fill` in place of a missing value.
    Scale { name: String, fill: f64, center: f64, scale: f64 },
    /// One input per category; a value not listed (a missing one too) sets none of them.
    OneHot { name: String, categories: Vec<String> },
}

impl FittedColumn {
    pub fn name(&self) -> &str {
        match self {
            Self::Scale { name, .. } | Self::OneHot { name, .. } => name,
        }
    }

    /// How many inputs of the network it fills.
    pub fn width(&self) -> usize {
        match self {
            Self::Scale { .. } => 1,
            Self::OneHot { categories, .. } => categories.len(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    pub format: u32,
    /// The engine that wrote it, name and version.
    pub engine: String,
    pub task: Task,
    pub target: String,
    /// Empty for regression.
    pub classes: Vec<String>,
    pub columns: Vec<FittedColumn>,
    pub layers: Vec<Layer>,
    /// For regression: the target was standardised with these.
    pub target_center: f64,
    pub target_scale: f64,
    /// Names, shapes of the tensors in `model.safetensors`, in order.
    pub tensors: Vec<TensorInfo>,
    pub weights_sha256: Digest,
    pub dataset_sha256: Digest,
    pub spec: TrainingSpec,
    pub metrics: BTreeMap<String, f64>,
}

impl ModelConfig {
    pub fn input_width(&self) -> usize {
        self.columns.iter().map(FittedColumn::width).sum()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorInfo {
    pub name: String,
    pub shape: Vec<usize>,
}
