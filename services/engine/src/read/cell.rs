//! What one cell's text means.

use domain::dataset::MISSING;

pub(crate) enum Number {
    Finite(f64),
    Infinite,
}

pub(crate) fn is_missing(cell: &str) -> bool {
    // most cells are longer than any of these, or a digit
    cell.len() <= 4 && MISSING.contains(&cell)
}

/// Decimal or scientific notation. A literal beyond the range of `f64` is infinite.
pub(crate) fn number(cell: &str) -> Option<Number> {
    match cell.parse::<f64>() {
        Ok(n) if n.is_finite() => Some(Number::Finite(n)),
        Ok(n) if n.is_infinite() => Some(Number::Infinite),
        _ => None,
    }
}

pub(crate) fn integer(cell: &str) -> bool {
    cell.parse::<i64>().is_ok()
}
