//! Two models judged on the same rows, side by side.

use serde::{Deserialize, Serialize};

/// What an evaluation of two models has found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Comparison {
    /// That both were judged on.
    pub rows: u64,
    pub metrics: Vec<ComparedMetric>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComparedMetric {
    pub name: String,
    pub a: Option<f64>,
    pub b: Option<f64>,
    /// b - a, where both have it.
    pub difference: Option<f64>,
    /// Of the difference, 95 %: row by row, so that what is hard for both does not count. Null where the metric
    /// is not the mean of what the rows have, or there are fewer than 30 rows.
    #[schema(value_type = Option<Vec<f64>>)]
    pub interval: Option<(f64, f64)>,
}

/// The two models of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    A,
    B,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// Names of its two files in the scratch folder: its configuration and its weights.
    pub const fn files(self) -> (&'static str, &'static str) {
        match self {
            Self::A => ("a.json", "a.safetensors"),
            Self::B => ("b.json", "b.safetensors"),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl std::str::FromStr for Side {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::BOTH.into_iter().find(|side| side.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no side of a comparison"))
    }
}
