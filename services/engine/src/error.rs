//! What can go wrong with a tenant's file, a training run or a stored model: where, which value,
//! and what to do about it. [`EngineError::cause`] gives each a stable code.

use std::{fmt, io};

use domain::{dataset::Compression, job::Cause};

/// Longer values are cut in messages.
const MAX_SHOWN_CHARS: usize = 80;

/// A row of the data, counted from 1 without the header, and the line of the file it starts on.
/// Row 0 is the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At {
    pub row: u64,
    pub line: u64,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            0 => write!(f, "the header (line {})", self.line),
            row => write!(f, "row {row} (line {})", self.line),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the file is empty; push one with a header line and at least one row")]
    EmptyFile,
    #[error("{0}")]
    NoRows(String),
    #[error(
        "{at} has {got} cells where the header has {expected}; add or remove cells, and look for an \
         unclosed quote or an unquoted separator"
    )]
    RaggedRow { at: At, got: usize, expected: usize },
    #[error("{at}, column `{column}` is not valid UTF-8; save the file as UTF-8")]
    InvalidUtf8 { at: At, column: String },
    #[error(
        "{at}, column `{column}` is longer than {limit} bytes; shorten or drop it, and look for an \
         unclosed quote"
    )]
    CellTooLarge { at: At, column: String, limit: usize },
    #[error("{at} is longer than {limit} bytes; shorten it, and look for an unclosed quote")]
    RowTooLarge { at: At, limit: usize },
    #[error("the {} file ends too early; compress it again and push the whole file", .0.as_str())]
    TruncatedFile(Compression),
    #[error("{0}")]
    CorruptFile(String),
    #[error(
        "the file is larger than {limit} bytes after decompression; split it or drop columns you \
         do not need"
    )]
    DecodedTooLarge { limit: u64 },
    #[error("the file has more than {limit} columns; drop those you do not need")]
    TooManyColumns { limit: usize },
    #[error("the file has more than {limit} rows; split it or take a sample")]
    TooManyRows { limit: u64 },
    #[error("{at}: column `{name}` appears twice; give every column its own name")]
    DuplicateColumn { at: At, name: String },
    #[error("{0}")]
    UnknownColumn(String),
    #[error("{}: {why}", shown(.entry))]
    BadImage { entry: String, why: String },
    #[error("line {line} is not a flat JSON object: {why}")]
    InvalidJson { line: u64, why: String },
    #[error("{at}, column `{column}`: {} is not a number; mend or empty the cell", shown(.value))]
    NotANumber { at: At, column: String, value: String },
    #[error(
        "{at}, column `{column}`: {} is infinite or too large; mend or empty the cell, or drop the \
         column",
        shown(.value)
    )]
    InfiniteValue { at: At, column: String, value: String },
    #[error(
        "{at}, column `{column}`: {} is not a date; write it as `2026-01-31`, \
         `2026-01-31T08:00:00Z` or `2026-01`, or empty the cell",
        shown(.value)
    )]
    NotADate { at: At, column: String, value: String },
    #[error("{at}, column `{column}`: {} is not one of the {classes} classes", shown(.value))]
    UnknownClass { at: At, column: String, value: String, classes: usize },
    #[error(
        "{at}, column `{column}`: {} is not a {}; mend the cell, or name another column as the time",
        shown(.value),
        if *.dates { "date like 2026-01-31, 2026-01 or 2026-01-31T08:00:00" } else { "number" }
    )]
    NotATime { at: At, column: String, value: String, dates: bool },
    #[error(
        "{at}, column `{column}`: {} stands at {earlier} too{}; name the column that tells the \
         series apart, use a time column with one row a step, or drop one of the rows",
        shown(.value),
        if .series.is_empty() { String::new() } else { format!(", for the series {}", shown(.series)) }
    )]
    DuplicateTime { at: At, earlier: At, column: String, value: String, series: String },
    #[error("the features hold no value in the {rows} training rows; choose other features")]
    NoInputs { rows: usize },
    #[error(
        "early stopping watches `{metric}`, which epochs do not have; watch one of: {known}, or hold \
         back rows for validation"
    )]
    UnknownMetric { metric: String, known: String },
    #[error(
        "the {part} text has {tokens} tokens where one window needs {needed}; push a longer text or \
         lower the context"
    )]
    TextTooShort { part: &'static str, tokens: usize, needed: usize },
    #[error("the file is a zip of images where a table was expected; submit the job again")]
    NotATable,
    #[error("the file is no zip of images; submit the job again for this dataset version")]
    NotImages,
    #[error(
        "a forecast is tested by its backtest and a language model by its validation part; leave \
         `test` out"
    )]
    NoTestFile,
    #[error("layers[{layer}]: {why}")]
    LayerDoesNotFit { layer: String, why: String },
    #[error("the prompt has no tokens; give at least one character of text")]
    EmptyPrompt,
    #[error("loss became {loss} at step {step}; lower the learning rate")]
    LossNotFinite { step: u64, loss: f64 },
    #[error("the checkpoint cannot be used: {0}; delete it to start from the beginning")]
    BadCheckpoint(String),
    #[error("round {round}: what worker {rank} brought cannot be used: {why}")]
    BadRound { round: u64, rank: u32, why: String },
    #[error("not a model of this engine: {0}")]
    WrongModelFile(String),
    #[error("the base model does not fit: {0}")]
    BaseDoesNotFit(String),
    #[error(
        "{}{}{why}; mend it, or have such rows listed with `bad_rows`",
        at.map(|at| format!("{at}: ")).unwrap_or_default(),
        column.as_ref().map(|column| format!("column `{column}`: ")).unwrap_or_default()
    )]
    RowDoesNotFit { at: Option<At>, column: Option<String>, why: String },
    #[error("it cannot be said what the features are worth: {0}")]
    NotExplainable(String),
    #[error("the two models cannot be compared: {0}")]
    NotComparable(String),
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

impl EngineError {
    pub fn cause(&self) -> Cause {
        let code = self.code();
        match self {
            Self::Io { .. } | Self::BadRound { .. } => Cause::retryable(code, self.to_string()),
            _ => Cause::fatal(code, self.to_string()),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::EmptyFile => "empty_file",
            Self::NoRows(_) => "no_rows",
            Self::RaggedRow { .. } => "ragged_row",
            Self::InvalidUtf8 { .. } => "invalid_utf8",
            Self::CellTooLarge { .. } => "cell_too_large",
            Self::RowTooLarge { .. } => "row_too_large",
            Self::TruncatedFile(_) => "truncated_file",
            Self::CorruptFile(_) => "corrupt_file",
            Self::DecodedTooLarge { .. } => "decoded_too_large",
            Self::TooManyColumns { .. } => "too_many_columns",
            Self::TooManyRows { .. } => "too_many_rows",
            Self::DuplicateColumn { .. } => "duplicate_column",
            Self::UnknownColumn(_) => "unknown_column",
            Self::BadImage { .. } => "bad_image",
            Self::InvalidJson { .. } => "invalid_json",
            Self::NotANumber { .. } => "not_a_number",
            Self::InfiniteValue { .. } => "infinite_value",
            Self::NotADate { .. } => "not_a_date",
            Self::UnknownClass { .. } => "unknown_class",
            Self::NotATime { .. } => "not_a_time",
            Self::DuplicateTime { .. } => "duplicate_time",
            Self::NoInputs { .. } => "no_inputs",
            Self::UnknownMetric { .. } => "unknown_metric",
            Self::TextTooShort { .. } => "text_too_short",
            Self::NotATable => "not_a_table",
            Self::NotImages => "not_images",
            Self::NoTestFile => "no_test_file",
            Self::LayerDoesNotFit { .. } => "layer_does_not_fit",
            Self::EmptyPrompt => "empty_prompt",
            Self::LossNotFinite { .. } => "loss_not_finite",
            Self::BadCheckpoint(_) => "bad_checkpoint",
            Self::BadRound { .. } => "bad_round",
            Self::WrongModelFile(_) => "wrong_model_file",
            Self::BaseDoesNotFit(_) => "base_does_not_fit",
            Self::RowDoesNotFit { .. } => "row_does_not_fit",
            Self::NotExplainable(_) => "not_explainable",
            Self::NotComparable(_) => "not_comparable",
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge => "disk_full",
                _ => "io",
            },
        }
    }

    pub(crate) fn io(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_string();
        move |source| Self::Io { what, source }
    }
}

/// A value as messages quote it.
pub(crate) fn shown(value: &str) -> String {
    match value.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("`{}…`", &value[..end]),
        None => format!("`{value}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_worth_another_try() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let cause = EngineError::io("checkpoint.safetensors")(full).cause();
        assert_eq!((cause.code.as_str(), cause.retryable), ("disk_full", true));
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(shown(&"é".repeat(200)), format!("`{}…`", "é".repeat(80)));
    }

    #[test]
    fn nan_loss_reads_as_a_sentence() {
        let cause = EngineError::LossNotFinite { step: 12, loss: f64::NAN }.cause();
        assert_eq!(cause.message, "loss became NaN at step 12; lower the learning rate");
        assert_eq!(cause.code, "loss_not_finite");
    }
}
