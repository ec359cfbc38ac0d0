//! What a row of the data becomes before the network sees it: a vector of numbers, tokens, an image, a
//! window of a series, a pair. Everything that is fitted is fitted on the training rows alone and
//! published with the model, so that prediction takes raw rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the data is read, resolved against its profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Input {
    /// Columns side by side.
    Table {
        features: Vec<Feature>,
        preprocess: Preprocess,
    },
    /// One column of text, as tokens.
    Text {
        column: String,
        tokenizer: Tokenizer,
        max_length: u32,
        keep: Keep,
    },
    /// All rows of a column (or of a plain text file) as one text; windows of `context` tokens are drawn from it.
    Corpus {
        column: String,
        tokenizer: Tokenizer,
        context: u32,
    },
    Images {
        height: u32,
        width: u32,
        channels: u32,
    },
    /// Windows of one or many series.
    Series(Series),
    /// Who rated what.
    Ratings(Ratings),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Feature {
    pub name: String,
    pub kind: FeatureKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    Numeric,
    Categorical,
    /// A date or a time, which becomes calendar features.
    Date,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Preprocess {
    pub scaling: Scaling,
    pub imputation: Imputation,
    /// What stands for a missing number when `imputation` is `constant`.
    pub fill_value: f64,
    /// One more input per numeric column that has missing values: 1 where it is missing.
    pub missing_indicator: bool,
    pub encoding: Encoding,
    /// The most categories that one column is encoded into; rarer ones share `infrequent`.
    pub max_categories: u32,
    /// Categories of fewer training rows count as rare.
    pub min_frequency: u32,
    /// Inputs of a hashed column.
    pub hash_buckets: u32,
    /// What one column needs other than the rest.
    pub columns: BTreeMap<String, ColumnPreprocess>,
}

/// Overrides for one column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnPreprocess {
    /// Take numbers as categories, or dates as text.
    pub kind: Option<FeatureKind>,
    pub scaling: Option<Scaling>,
    pub imputation: Option<Imputation>,
    pub fill_value: Option<f64>,
    pub encoding: Option<Encoding>,
    /// The order of an ordinal encoding, lowest first; by frequency if absent.
    pub categories: Option<Vec<String>>,
}

impl Default for Preprocess {
    fn default() -> Self {
        Self {
            scaling: Scaling::Standard,
            imputation: Imputation::Mean,
            fill_value: 0.0,
            missing_indicator: false,
            encoding: Encoding::OneHot,
            max_categories: 50,
            min_frequency: 1,
            hash_buckets: 32,
            columns: BTreeMap::new(),
        }
    }
}

/// How numeric columns are scaled (scikit-learn's `StandardScaler`, `MinMaxScaler`, `RobustScaler`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    Standard,
    MinMax,
    /// By median and interquartile range.
    Robust,
    None,
}

/// What stands for a missing value (scikit-learn's `SimpleImputer`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Imputation {
    Mean,
    Median,
    /// The most frequent value; for categories too.
    #[serde(alias = "most_frequent")]
    Mode,
    Zero,
    Constant,
    /// Rows with a missing value are left out of training; a prediction needs the value.
    Drop,
}

/// How categories become numbers (scikit-learn's `OneHotEncoder`, `OrdinalEncoder`, `FeatureHasher`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    OneHot,
    Ordinal,
    Hashing,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tokenizer {
    pub kind: TokenizerKind,
    /// The most tokens, trained on the training rows.
    pub vocab_size: u32,
    pub lowercase: bool,
    /// Take out HTML tags and undo HTML's entities.
    pub strip_html: bool,
    /// Compatibility forms of Unicode become one (NFKC), control characters go, accents too.
    pub normalize: bool,
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self {
            kind: TokenizerKind::WordPiece,
            vocab_size: 20_000,
            lowercase: true,
            strip_html: true,
            normalize: true,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenizerKind {
    Character,
    Word,
    #[serde(rename = "wordpiece")]
    WordPiece,
    /// Byte-pair encoding over bytes.
    #[serde(rename = "bpe")]
    Bpe,
}

/// What stays of a text that is longer than the network sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    First,
    Last,
    /// A quarter from the beginning and the rest from the end, where texts tend to say what they are
    /// about and what they come to (Sun et al., 2019, "How to fine-tune BERT for text
    /// classification?", 5.3.1).
    #[default]
    Ends,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Series {
    /// The column of dates or of numbers by which rows are ordered.
    pub time: String,
    /// The column that tells the series of a panel apart; one series if absent.
    pub series: Option<String>,
    /// Columns known ahead of time (a holiday, a price), given for the horizon when predicting.
    pub known: Vec<Feature>,
    /// Made of the time column.
    pub calendar: Vec<CalendarFeature>,
    /// Steps that the model looks back on.
    pub lookback: u32,
    /// Steps that it forecasts at once.
    pub horizon: u32,
    /// Steps after which the pattern repeats, for the seasonal naive forecast that every model is
    /// compared with.
    pub season: u32,
    /// Origins of the backtest: the last `backtest` horizons of each series are held back.
    pub backtest: u32,
}

/// Each as sine and cosine of its place in the cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalendarFeature {
    HourOfDay,
    DayOfWeek,
    DayOfMonth,
    MonthOfYear,
    DayOfYear,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ratings {
    pub user: String,
    pub item: String,
    /// A row says that a user took an item, not how it was liked; `negatives` items that the user
    /// did not take are drawn for each.
    pub implicit: bool,
    pub negatives: u32,
}
