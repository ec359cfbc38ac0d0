//! What a person should look at before training, in words.

use domain::dataset::{ColumnProfile, ColumnType};

use super::column::OddOneOut;
use crate::error::shown;

const FEW_ROWS: u64 = 100;
const MAX_WARNINGS: usize = 200;
/// Fewer rows than this make every column of numbers look like an identifier.
const MIN_ROWS_OF_AN_ID: u64 = 20;
const MAX_LABELS: u64 = 20;
const MINORITY_SHARE: f64 = 0.05;

pub(super) fn of_rows(rows: u64, duplicates: u64, compared: u64) -> Vec<String> {
    let mut warnings = vec![];
    if rows < FEW_ROWS {
        warnings.push(format!("{}: a model learns little from so few", count(rows, "row")));
    }
    if duplicates > 0 {
        let repeats = if duplicates == 1 { "repeats" } else { "repeat" };
        warnings.push(format!(
            "{} {repeats} an earlier one; the same row may end up in both training and validation",
            count(duplicates, "row")
        ));
    }
    if compared < rows {
        warnings.push(format!("duplicates were looked for in the first {compared} rows only"));
    }
    warnings
}

pub(super) fn of_column(
    column: &ColumnProfile,
    odd_one: Option<&OddOneOut>,
    rows: u64,
    warnings: &mut Vec<String>,
) {
    let name = &column.name;
    let present = rows - column.missing;
    if let Some(odd) = odd_one {
        warnings.push(format!(
            "column `{name}` is not numeric because of {} in {}: {} of its {} are not numbers; mend \
             or empty them",
            shown(&odd.value),
            odd.at,
            odd.not_numbers,
            count(odd.present, "value"),
        ));
    }
    if column.infinite > 0 {
        warnings.push(format!(
            "column `{name}` is infinite in {}; mend them or leave the column out",
            count(column.infinite, "row")
        ));
    }
    if column.kind == ColumnType::Empty {
        warnings.push(format!("column `{name}` is empty in every row"));
    } else if column.missing * 2 > rows {
        warnings.push(format!("column `{name}` is missing in {} of {rows} rows", column.missing));
    }
    if column.distinct == 1 && column.missing == 0 {
        warnings.push(format!(
            "column `{name}` holds the same value in every row; nothing can be learned from it"
        ));
    }
    if looks_like_an_id(column, present) {
        warnings.push(format!(
            "column `{name}` looks like an identifier: its values are all different; leave it out"
        ));
    }
    if let Some(text) = imbalance(column, present) {
        warnings.push(text);
    }
}

fn looks_like_an_id(column: &ColumnProfile, present: u64) -> bool {
    let lower = column.name.to_ascii_lowercase();
    let named = lower == "id" || lower == "uuid" || lower.ends_with("_id");
    let all_different = column.distinct == present || !column.distinct_is_exact;
    let whole_numbers = column.kind == ColumnType::Integer && column.distinct_is_exact;
    present >= MIN_ROWS_OF_AN_ID && all_different && (named || whole_numbers)
}

/// Of a column that may be a label, the value that hardly occurs.
fn imbalance(column: &ColumnProfile, present: u64) -> Option<String> {
    let may_be_label =
        !matches!(column.kind, ColumnType::Float | ColumnType::Text | ColumnType::Date)
            && (2..=MAX_LABELS).contains(&column.distinct);
    let rarest = column.values.as_ref().filter(|_| may_be_label)?.last()?;
    let share = rarest.rows as f64 / present as f64;
    (share < MINORITY_SHARE).then(|| {
        format!(
            "column `{}` is {} in only {} of {present} rows ({:.1} %); as a target it is imbalanced",
            column.name,
            shown(&rarest.value),
            rarest.rows,
            share * 100.0
        )
    })
}

pub(super) fn cap(warnings: &mut Vec<String>) {
    let more = warnings.len().saturating_sub(MAX_WARNINGS);
    if more > 0 {
        warnings.truncate(MAX_WARNINGS);
        warnings.push(format!("… and {more} more"));
    }
}

fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
