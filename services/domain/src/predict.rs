//! Predictions: raw rows in, answers out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A raw row: column name to number, text, boolean or null. Columns the model does not use are ignored.
pub type Row = serde_json::Map<String, serde_json::Value>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Prediction {
    Class {
        /// The most probable class.
        class: String,
        /// Of every class; they sum to 1.
        probabilities: BTreeMap<String, f64>,
    },
    Value {
        value: f64,
    },
}
