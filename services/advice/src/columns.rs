//! What columns are good for: which one people mean to predict, which ones teach nothing, and which one
//! looks as if it gave the answer away.

use domain::dataset::{ColumnProfile, ColumnType, Profile};

/// What people call the column that they want to predict.
const TARGETS: [&str; 10] = [
    "target",
    "label",
    "class",
    "y",
    "outcome",
    "diagnosis",
    "churned",
    "churn",
    "sentiment",
    "species",
];
/// More values than this are no classes by themselves; the platform takes numbers then as a regression.
pub(crate) const MOST_CLASSES: u64 = 20;
/// Numbers of fewer rows are all different by chance.
const LEAST_ROWS_OF_AN_ID: u64 = 20;
/// Columns of numbers with fewer distinct values have equal figures by chance.
const LEAST_DISTINCT_OF_A_TWIN: u64 = 20;
/// Of the mean's place between the least and the greatest value; a copy in another unit has it to the last
/// digits of a double.
const TWIN_PRECISION: f64 = 1e-9;

/// The column that is most often asked for: by its name, else the last one of few values, else the last
/// one of numbers.
pub(crate) fn guess(profile: &Profile) -> Option<&ColumnProfile> {
    let usable = |column: &&ColumnProfile| useless(column, profile.rows).is_none();
    let all = || profile.columns.iter().filter(usable);
    let named = |column: &&ColumnProfile| {
        TARGETS.contains(&column.name.to_ascii_lowercase().as_str())
            && !matches!(column.kind, ColumnType::Text | ColumnType::Date)
    };
    let few = |column: &&ColumnProfile| {
        let kind = matches!(column.kind, ColumnType::Boolean | ColumnType::Categorical);
        kind && (2..=MOST_CLASSES).contains(&column.distinct)
    };
    all()
        .find(named)
        .or_else(|| all().rev().find(few))
        .or_else(|| all().rev().find(|column| column.kind.is_numeric()))
}

/// Why a model learns nothing from it.
pub(crate) fn useless(column: &ColumnProfile, rows: u64) -> Option<&'static str> {
    if column.kind == ColumnType::Empty {
        Some("empty")
    } else if column.distinct < 2 {
        Some("the same in every row")
    } else if column.infinite > 0 {
        Some("infinite in some rows")
    } else if is_identifier(column, rows) {
        Some("an identifier, another in every row")
    } else {
        None
    }
}

fn is_identifier(column: &ColumnProfile, rows: u64) -> bool {
    let present = rows.saturating_sub(column.missing);
    let lower = column.name.to_ascii_lowercase();
    let named = lower == "id" || lower == "uuid" || lower.ends_with("_id");
    let may_be = !matches!(column.kind, ColumnType::Float | ColumnType::Date | ColumnType::Image);
    let all_different = column.distinct == present || !column.distinct_is_exact;
    let whole_numbers = column.kind == ColumnType::Integer && column.distinct_is_exact;
    let by_values = whole_numbers && present >= LEAST_ROWS_OF_AN_ID;
    may_be && all_different && (named || by_values)
}

/// The first of `others` that has the target's own distribution: as many distinct values, in the same
/// numbers of rows each; or, of numbers, the same shape between least and greatest value.
pub(crate) fn twin<'a>(
    target: &ColumnProfile,
    others: impl Iterator<Item = &'a ColumnProfile>,
) -> Option<&'a ColumnProfile> {
    let mut others = others.filter(|other| other.name != target.name);
    others.find(|other| same_counts(target, other) || same_shape(target, other))
}

fn same_counts(a: &ColumnProfile, b: &ColumnProfile) -> bool {
    let counts = |column: &ColumnProfile| -> Option<Vec<u64>> {
        let values = column.values.as_ref().filter(|_| column.distinct >= 2)?;
        Some(values.iter().map(|value| value.rows).collect())
    };
    let few = a.distinct <= MOST_CLASSES && a.distinct == b.distinct && a.missing == b.missing;
    few && counts(a).is_some_and(|of_a| Some(of_a) == counts(b))
}

fn same_shape(a: &ColumnProfile, b: &ColumnProfile) -> bool {
    let place = |column: &ColumnProfile| {
        let (min, mean, max) = (column.min?, column.mean?, column.max?);
        (column.kind.is_numeric() && max > min).then(|| (mean - min) / (max - min))
    };
    let many = a.distinct >= LEAST_DISTINCT_OF_A_TWIN && a.distinct == b.distinct;
    let (Some(of_a), Some(of_b)) = (place(a), place(b)) else { return false };
    let near = |x: f64, y: f64| (x - y).abs() <= TWIN_PRECISION * x.abs().max(1e-3);
    // a copy may be turned round
    many && a.missing == b.missing && (near(of_a, of_b) || near(of_a, 1.0 - of_b))
}

/// The target's values and the share of its rows that each has, rarest last.
pub(crate) fn shares(target: &ColumnProfile) -> Vec<(&str, f64)> {
    let values = target.values.as_deref().unwrap_or_default();
    let rows: u64 = values.iter().map(|value| value.rows).sum();
    let share = |rows_of: u64| rows_of as f64 / rows.max(1) as f64;
    values.iter().map(|value| (value.value.as_str(), share(value.rows))).collect()
}
