//! What a dataset is made of: its file's format, and the profile that a worker makes of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a cell says where there is no value, once blanks around it are gone.
pub const MISSING: [&str; 8] = ["", "NA", "N/A", "NaN", "nan", "null", "None", "?"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Csv,
    Tsv,
    Jsonl,
    /// Plain text: one column `text`, a row a line.
    Text,
    /// A zip of images: either folders of PNG or JPEG files named by their class, or files in the idx
    /// format of MNIST. Columns `image` and `label`.
    Images,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Format {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Jsonl => "jsonl",
            Self::Text => "text",
            Self::Images => "images",
        }
    }
}

impl Compression {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Csv, Self::Tsv, Self::Jsonl, Self::Text, Self::Images]
            .into_iter()
            .find(|f| f.as_str() == text)
            .ok_or_else(|| {
                format!("`{text}` is not a dataset format; use csv, tsv, jsonl, text or images")
            })
    }
}

impl FromStr for Compression {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::None, Self::Gzip, Self::Zstd]
            .into_iter()
            .find(|c| c.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a compression; use none, gzip or zstd"))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much of a file a reader accepts. Beyond these a file is refused with the place and the limit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ReadLimits {
    /// After decompression: what stops a gzip bomb.
    pub max_decoded_bytes: u64,
    pub max_rows: u64,
    pub max_columns: usize,
    pub max_cell_bytes: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            max_decoded_bytes: 8 << 30,
            max_rows: 50_000_000,
            max_columns: 10_000,
            max_cell_bytes: 1 << 20,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    Integer,
    Float,
    Boolean,
    /// Text with few distinct values.
    Categorical,
    Text,
    /// Dates or times in ISO 8601 (`2026-01-31`, `2026-01-31T08:00:00Z`), or months (`2026-01`).
    Date,
    Image,
    /// Every value is missing.
    Empty,
}

impl ColumnType {
    pub const fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Float)
    }
}

/// One value of a column and how many rows hold it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ValueCount {
    pub value: String,
    pub rows: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ColumnProfile {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Rows in which the cell is empty, `NA`, `N/A`, `NaN`, `null`, `None` or `?`.
    pub missing: u64,
    /// Rows that hold `inf` or `-inf` in a numeric column.
    pub infinite: u64,
    /// Distinct values without missing ones; exact up to 10,000, where counting stops.
    pub distinct: u64,
    pub distinct_is_exact: bool,
    /// Of finite values, for numeric columns.
    pub min: Option<f64>,
    pub mean: Option<f64>,
    pub max: Option<f64>,
    /// The distribution of values, most frequent first, for columns with at most 1,000 distinct
    /// values: the label balance when the column is a target.
    pub values: Option<Vec<ValueCount>>,
    /// Of text: how long a value is on average and at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chars: Option<Chars>,
    /// Of images: height, width and channels of the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<[u32; 3]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Chars {
    pub mean: f64,
    pub max: u64,
}

/// Made once per dataset version by a worker, inside the sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Profile {
    pub rows: u64,
    pub columns: Vec<ColumnProfile>,
    /// Rows equal to an earlier row.
    pub duplicate_rows: u64,
    /// What a person should look at before training, in words.
    pub warnings: Vec<String>,
}

impl Profile {
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// The most distinct values of which a profile lists every one.
pub const MAX_LISTED_VALUES: usize = 1_000;
/// Up to here distinct values are counted exactly.
pub const MAX_COUNTED_DISTINCT: usize = 10_000;
