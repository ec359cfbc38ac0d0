//! A profile: what is in each column, what is missing, how the classes are balanced, what to look at.

use maud::{Markup, html};

use super::{Column, Ready, Value};
use crate::{chart, words};

/// A column of more values than this is no set of classes.
const MAX_CLASSES: usize = 20;
const BINS: usize = 16;
const TOP_VALUES: usize = 3;
/// Of a table with more columns the first are drawn.
const MAX_COLUMNS: usize = 200;

pub(super) fn draw(profile: &Ready) -> Markup {
    let Ready { rows, duplicate_rows, columns, warnings } = profile;
    let missing: u64 = columns.iter().map(|column| column.missing).sum();
    let cells = (rows * columns.len() as u64).max(1);
    html! {
        dl.tiles {
            div.tile { dt { "Rows" } dd { (words::count(*rows)) } }
            div.tile { dt { "Columns" } dd { (words::count(columns.len() as u64)) } }
            div.tile { dt { "Missing" } dd { (words::percent(missing as f64 / cells as f64)) } }
            div.tile { dt { "Duplicates" } dd { (words::count(*duplicate_rows)) } }
        }
        @if !warnings.is_empty() {
            div.notice.wait { p { strong { "Look at this before you train" } } ul { @for warning in warnings { li { (warning) } } } }
        }
        (balances(columns, *rows))
        section.card {
            h2 { "Columns" }
            div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr {
                    th scope="col" { "Column" } th scope="col" { "Type" } th scope="col" { "Missing" } th.right scope="col" { "Distinct" }
                    th.right scope="col" { "Least" } th.right scope="col" { "Mean" } th.right scope="col" { "Greatest" } th scope="col" { "Values" }
                } }
                tbody { @for column in columns.iter().take(MAX_COLUMNS) { (row(column, *rows)) } }
            } }
            @if columns.len() > MAX_COLUMNS { p.hint { "The first " (MAX_COLUMNS) " of " (columns.len()) "; all of them are in the JSON." } }
        }
    }
}

fn row(column: &Column, rows: u64) -> Markup {
    let share = column.missing as f64 / rows.max(1) as f64;
    let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), words::number);
    html! {
        tr {
            th scope="row" { (column.name) }
            td { (column.kind) }
            td.cell {
                (chart::bar(&format!("{}: {} missing", column.name, words::percent(share)), share))
                span.small.quiet { (words::percent(share)) }
            }
            td.right { @if !column.distinct_is_exact { "≥ " } (words::count(column.distinct)) }
            td.right { (figure(column.min)) }
            td.right { (figure(column.mean)) }
            td.right { (figure(column.max)) }
            td { (values(column)) }
        }
    }
}

fn values(column: &Column) -> Markup {
    let values = column.values.as_deref().unwrap_or_default();
    let numbers = numbers(values);
    html! {
        @if let Some(heights) = numbers.filter(|_| values.len() > MAX_CLASSES).and_then(|numbers| bins(&numbers)) {
            (chart::histogram(&format!("How the values of {} are spread", column.name), &heights))
        } @else if let Some(chars) = &column.chars {
            span.small.quiet { "about " (words::number(chars.mean)) " characters, at most " (words::count(chars.max)) }
        } @else if !values.is_empty() {
            span.small {
                @for (place, value) in values.iter().take(TOP_VALUES).enumerate() {
                    @if place > 0 { ", " }
                    (value.value) " " span.quiet { "×" (words::count(value.rows)) }
                }
                @if values.len() > TOP_VALUES { ", …" }
            }
        }
    }
}

/// Each value with how many rows have it; none unless all of them are numbers.
fn numbers(values: &[Value]) -> Option<Vec<(f64, u64)>> {
    let number = |value: &Value| {
        let number: f64 = value.value.parse().ok()?;
        number.is_finite().then_some((number, value.rows))
    };
    values.iter().map(number).collect()
}

fn bins(numbers: &[(f64, u64)]) -> Option<Vec<u64>> {
    let least = numbers.iter().map(|(value, _)| *value).reduce(f64::min)?;
    let most = numbers.iter().map(|(value, _)| *value).reduce(f64::max)?;
    if most <= least {
        return None;
    }
    let mut heights = vec![0; BINS];
    for (value, rows) in numbers {
        let place = (value - least) / (most - least) * BINS as f64;
        heights[(place as usize).min(BINS - 1)] += rows;
    }
    Some(heights)
}

/// How the rows are shared among the values of columns that could be learned.
fn balances(columns: &[Column], rows: u64) -> Markup {
    let few = |column: &&Column| {
        let count = column.values.as_ref().map_or(0, Vec::len);
        matches!(column.kind.as_str(), "categorical" | "boolean")
            && (2..=MAX_CLASSES).contains(&count)
    };
    let found: Vec<_> = columns.iter().filter(few).take(6).collect();
    html! {
        @if !found.is_empty() {
            div.columns { @for column in found {
                section.card {
                    h2 { "Balance of " (column.name) }
                    @for value in column.values.iter().flatten().take(8) {
                        @let share = value.rows as f64 / rows.max(1) as f64;
                        div.quota {
                            p { span { (value.value) } span { (words::count(value.rows)) " " span.quiet { (words::percent(share)) } } }
                            (chart::bar(&format!("{}: {}", value.value, words::percent(share)), share))
                        }
                    }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bins;

    #[test]
    fn every_row_is_in_one_bar_the_greatest_value_in_the_last() {
        let numbers: Vec<_> = (0..=100).map(|n| (f64::from(n), 2)).collect();
        let heights = bins(&numbers).unwrap();
        assert_eq!(heights.iter().sum::<u64>(), 202);
        assert!(heights.iter().all(|height| (12..=16).contains(height)), "{heights:?}");
        assert_eq!(bins(&[(3.0, 5)]), None);
        assert_eq!(bins(&[]), None);
    }
}
