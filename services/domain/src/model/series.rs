//! How the rows of series become windows, and how their times go on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A window is scaled by its own spread, but by at least so much of its series' deviation.
pub const LEAST_SPREAD: f64 = 0.05;
/// A window of fewer steps says nothing of its own spread: the deviation is the least.
pub const FEW_STEPS: usize = 4;

/// How one or many series become windows; fitted on what comes before the backtest.
///
/// A window is centred and scaled by itself, so a series may grow out of the range that was seen; the
/// deviations here only keep the scale of a nearly constant window away from zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedSeries {
    pub form: TimeForm,
    pub step: TimeStep,
    /// Every step of the data is `step`.
    pub regular: bool,
    /// The deviation of each series by its name; a dataset of one series has the name ``.
    pub deviations: BTreeMap<String, f64>,
    /// What stands for the deviation of a series that was not seen.
    pub deviation: f64,
    pub known: Vec<FittedKnown>,
}

impl FittedSeries {
    /// Inputs that the columns known ahead fill at one step.
    pub fn known_width(&self) -> usize {
        self.known.iter().map(FittedKnown::width).sum()
    }

    pub fn deviation(&self, series: &str) -> f64 {
        self.deviations.get(series).copied().unwrap_or(self.deviation)
    }
}

/// How a column of a series that is known ahead becomes numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "transform", rename_all = "snake_case")]
pub enum FittedKnown {
    /// `(x - center) / scale`; a missing value becomes 0. A date counts in days.
    Scale { name: String, center: f64, scale: f64 },
    /// One input per category; a value not listed (a missing one too) sets none of them.
    OneHot { name: String, categories: Vec<String> },
}

impl FittedKnown {
    pub fn name(&self) -> &str {
        match self {
            Self::Scale { name, .. } | Self::OneHot { name, .. } => name,
        }
    }

    pub fn width(&self) -> usize {
        match self {
            Self::Scale { .. } => 1,
            Self::OneHot { categories, .. } => categories.len(),
        }
    }
}

/// How the cells of a time column are written, from the coarsest to the finest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeForm {
    /// Plain numbers, without a calendar.
    Number,
    /// `2026-01`
    Month,
    /// `2026-01-31`
    Date,
    /// `2026-01-31T08:00:00`
    DateTime,
    /// `2026-01-31T08:00:00Z`
    Instant,
}

/// From one row of a series to the next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "unit", rename_all = "snake_case")]
pub enum TimeStep {
    Number {
        step: f64,
    },
    Seconds {
        step: f64,
    },
    /// On the same day, or on the last one of each month.
    Months {
        step: i32,
        at_end: bool,
    },
}
