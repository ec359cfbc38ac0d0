//! The protocol between a worker's agent and the process that reads a tenant's data.
//!
//! The child gets a scratch folder with `task.json` ([`Task`]) and the dataset's file in it, and
//! writes one [`Event`] a line to stdout. It ends with exactly one of `Profiled`, `Trained`,
//! `Evaluated`, `Found`, `Stopped` or `Failed`; a child that ends without is treated as crashed. SIGTERM asks it to write a
//! checkpoint at the next step and stop.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Digest,
    comparison::{Comparison, Side},
    dataset::{Compression, Format, Profile, ReadLimits},
    inquiry::{Finding, Inquiry},
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
/// The two files of the model that a training starts from, where there is one.
pub const BASE_WEIGHTS_FILE: &str = "base.safetensors";
pub const BASE_CONFIG_FILE: &str = "base.json";
/// The two files of a published model.
pub const WEIGHTS_FILE: &str = "model.safetensors";
pub const CONFIG_FILE: &str = "config.json";
/// What stands beside them for other tools, where the model can be written so; of a model that reads text,
/// its tokenizer too.
pub const ONNX_FILE: &str = "model.onnx";
pub const PREPROCESSING_FILE: &str = "preprocessing.json";
pub const TOKENIZER_FILE: &str = "tokenizer.json";

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
    Profile {
        data: DataFile,
        limits: ReadLimits,
    },
    Train {
        data: DataFile,
        limits: ReadLimits,
        spec: Box<TrainingSpec>,
        /// Where several train together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<Member>,
    },
    /// The files of both sides are in the scratch folder ([`Side::files`]).
    Evaluate {
        data: DataFile,
        limits: ReadLimits,
        /// On the rows that its training held back; on all of them if absent.
        held_back_by: Option<Side>,
        memory_bytes: u64,
    },
    /// The two files of the model are in the scratch folder, under the names that it was published with.
    Inquire {
        data: DataFile,
        limits: ReadLimits,
        inquiry: Inquiry,
        memory_bytes: u64,
    },
}

/// One of several processes that train one network together: each learns from its share of an epoch's
/// batches, and what they have made of it becomes the mean of all in a round at the end of the epoch.
/// The first one, rank 0, decides, and leaves what the run leaves; the others end with `Stopped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub rank: u32,
    pub of: u32,
}

impl Member {
    /// One that has no others.
    pub const ALONE: Self = Self { rank: 0, of: 1 };

    pub fn others(self) -> impl Iterator<Item = u32> {
        (0..self.of).filter(move |&rank| rank != self.rank)
    }
}

/// What a rank brings to a round: its weights and what else is averaged.
pub fn round_file(round: u64, rank: u32) -> String {
    format!("round-{round}-{rank}.safetensors")
}

/// What rank 0 has decided after a round.
pub fn verdict_file(round: u64) -> String {
    format!("verdict-{round}.safetensors")
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
    /// The rank's [`round_file`] is whole. The child waits until those of all others are in the scratch
    /// folder (written beside, renamed), which they are only once its own has been taken; then it
    /// removes them all.
    Round {
        round: u64,
    },
    /// Of rank 0: its [`verdict_file`] is whole; it may be taken until the end of the next round. Of any
    /// other rank: it waits for it.
    Verdict {
        round: u64,
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
    Evaluated {
        comparison: Comparison,
    },
    /// What belongs to it is whole and on disk.
    Found {
        finding: Finding,
    },
    Stopped {
        step: u64,
    },
    Failed {
        cause: Cause,
    },
}
