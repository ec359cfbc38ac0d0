//! How the columns of a table become numbers.

use serde::{Deserialize, Serialize};

use crate::spec::CalendarFeature;

/// What a date becomes after its age, each as sine and cosine.
pub const DATE_CYCLES: [CalendarFeature; 4] = [
    CalendarFeature::HourOfDay,
    CalendarFeature::DayOfWeek,
    CalendarFeature::DayOfMonth,
    CalendarFeature::DayOfYear,
];
/// Inputs of a date.
pub const DATE_WIDTH: usize = 1 + 2 * DATE_CYCLES.len();
/// Dates count in days, and are held in seconds.
pub const SECONDS_A_DAY: f64 = 86_400.0;

/// How one column becomes numbers; fitted on the training rows alone. A column that is `required`
/// was trained without the rows that lack it, so that a prediction needs its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "transform", rename_all = "snake_case")]
pub enum FittedColumn {
    /// `(x - center) / scale`, with `fill` in place of a missing value.
    Scale {
        name: String,
        fill: f64,
        center: f64,
        scale: f64,
        /// One more input, which is 1 where the value is missing.
        #[serde(default)]
        indicator: bool,
        #[serde(default)]
        required: bool,
    },
    /// One input per category; a value not listed (a missing one too) sets none of them.
    OneHot {
        name: String,
        /// Most frequent first.
        categories: Vec<String>,
        /// One more input, which values not listed share: in training these were the rare ones.
        #[serde(default)]
        infrequent: bool,
        /// What a missing value is taken for.
        #[serde(default)]
        fill: Option<String>,
        #[serde(default)]
        required: bool,
    },
    /// A category's place in the list, or -1 for a value not listed, as `(place - center) / scale`.
    Ordinal {
        name: String,
        /// Lowest first.
        categories: Vec<String>,
        /// What a missing value is taken for; it counts as not listed if absent.
        fill: Option<String>,
        center: f64,
        scale: f64,
        required: bool,
    },
    /// A value sets the input that its hash names to 1 or -1; a missing one sets none.
    Hash { name: String, buckets: u32, fill: Option<String>, required: bool },
    /// Days since 1970 as `(days - center) / scale`, then the place in the day, the week, the month
    /// and the year. A missing date has the age `fill` and no place.
    Date { name: String, fill: f64, center: f64, scale: f64, required: bool },
}

impl FittedColumn {
    pub fn name(&self) -> &str {
        match self {
            Self::Scale { name, .. }
            | Self::OneHot { name, .. }
            | Self::Ordinal { name, .. }
            | Self::Hash { name, .. }
            | Self::Date { name, .. } => name,
        }
    }

    /// How many inputs of the network it fills.
    pub fn width(&self) -> usize {
        match self {
            Self::Scale { indicator, .. } => 1 + usize::from(*indicator),
            Self::OneHot { categories, infrequent, .. } => {
                categories.len() + usize::from(*infrequent)
            }
            Self::Ordinal { .. } => 1,
            Self::Hash { buckets, .. } => *buckets as usize,
            Self::Date { .. } => DATE_WIDTH,
        }
    }

    /// Whether a prediction needs the value.
    pub fn required(&self) -> bool {
        match self {
            Self::Scale { required, .. }
            | Self::OneHot { required, .. }
            | Self::Ordinal { required, .. }
            | Self::Hash { required, .. }
            | Self::Date { required, .. } => *required,
        }
    }
}
