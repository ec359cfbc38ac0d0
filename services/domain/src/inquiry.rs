//! What a job asks of one published version, over the rows of a dataset's version, and what it finds.

use serde::{Deserialize, Serialize};

use crate::{
    importance::{Importances, Shuffling},
    job::JobKind,
};

/// Name of the file in the scratch folder that answers are left in: JSON lines.
pub const ANSWERS_FILE: &str = "predictions.jsonl";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "asks", rename_all = "snake_case")]
pub enum Inquiry {
    /// What the version answers to each row.
    Predict { bad_rows: BadRows },
    /// What its features are worth to it.
    Importance { how: Shuffling },
}

impl Inquiry {
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Predict { .. } => JobKind::Predict,
            Self::Importance { .. } => JobKind::Importance,
        }
    }
}

/// What becomes of rows that the model cannot read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BadRows {
    /// The first one ends the job, which names it.
    #[default]
    Fail,
    /// They are counted, and stand in the file with what is wrong in place of an answer.
    List,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Finding {
    /// The answers are in [`ANSWERS_FILE`].
    Predicted(Predicted),
    Importances(Importances),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Predicted {
    /// Answers; of a forecaster one for each series.
    pub answered: u64,
    /// Rows that the model could not read.
    pub bad_rows: u64,
    /// Of texts that a language model has made.
    pub tokens: u64,
}
