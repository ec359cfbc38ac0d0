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
    /// The next steps of a series.
    Forecast {
        /// Absent where the model knows one series.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        series: Option<String>,
        /// As the training data writes them.
        times: Vec<String>,
        values: Vec<f64>,
    },
    /// The best items for a user, best first.
    Items {
        items: Vec<Scored>,
    },
    /// What a language model goes on with.
    Text {
        text: String,
        tokens: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Scored {
    pub item: String,
    /// The rating, or the probability of taking it.
    pub score: f64,
}
