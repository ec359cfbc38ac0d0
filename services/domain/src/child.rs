//! The protocol between a worker's agent and the process that reads a tenant's data.
//!
//! The child gets a scratch folder with `task.json` ([`Task`]) and the dataset's file in it, and
//! writes one [`Event`] a line to stdout. It ends with exactly one of `Profiled`, `Trained`,
//! `Stopped` or `Failed`; a child that ends without is treated as crashed. SIGTERM asks it to write a
//! checkpoint at the next step and stop.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Digest,
    dataset::{Compression, Format, Profile, ReadLimits},
    job::Cause,
    spec::TrainingSpec,
};

/// Name of the task's file in the scratch folder.
pub const TASK_FILE: &str = "task.json";
/// Name of the dataset's file in the scratch folder.
pub const DATA_FILE: &str = "data";
/// Name of the file of the dataset that the finished model is tested on, where there is one.
pub const TEST_FILE: &str = "test";
/// Name of a checkpoint to resume from, where there is one, and of those that the child writes.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";
/// The two files of a published model.
pub const WEIGHTS_FILE: &str = "model.safetensors";
pub const CONFIG_FILE: &str = "config.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DataFile {
    pub format: Format,
    pub compression: Compression,
    pub sha256: Digest,
    pub bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Task {
    Profile { data: DataFile, limits: ReadLimits },
    Train { data: DataFile, limits: ReadLimits, spec: Box<TrainingSpec> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Started {
        total_steps: u64,
        epochs: u32,
        parameters: u64,
        resumed_from_step: Option<u64>,
    },
    /// At most a few a second, however fast the steps are; and those that are `kept`, about a thousand
    /// of a run, always the same ones.
    Step {
        step: u64,
        epoch: u32,
        /// Of the batch.
        loss: f64,
        /// A point of the run's history.
        #[serde(default)]
        kept: bool,
    },
    /// An epoch's metrics, `loss`, `val_loss`, `accuracy`, `val_accuracy`, … in Keras' names.
    Epoch {
        epoch: u32,
        step: u64,
        metrics: BTreeMap<String, f64>,
    },
    /// `checkpoint.safetensors` in the scratch folder is whole and on disk (written beside, renamed).
    Checkpoint {
        step: u64,
        epoch: u32,
    },
    Log {
        line: String,
    },
    Profiled {
        profile: Profile,
    },
    /// `model.safetensors` and `config.json` are whole and on disk.
    Trained {
        metrics: BTreeMap<String, f64>,
    },
    Stopped {
        step: u64,
    },
    Failed {
        cause: Cause,
    },
}
