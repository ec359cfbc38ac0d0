//! Values of a prediction request as the cells that they would be in a file.

use domain::predict::Row;
use serde_json::Value;

use crate::{error::shown, read::is_missing};

/// So many errors of a request are told.
pub(crate) const MAX_ERRORS: usize = 100;

/// What is wrong with a row that does not name a column.
pub(crate) const ABSENT: &str = "the column is missing; give a value, or null where it is unknown";

/// The value of a column, which a row must name.
pub(crate) fn of<'a>(row: &'a Row, column: &str) -> Result<&'a Value, String> {
    row.get(column).ok_or_else(|| ABSENT.into())
}

pub(crate) fn missing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => is_missing(text.trim()),
        _ => false,
    }
}

pub(crate) fn number(value: &Value) -> Result<Option<f64>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Number(n) => match n.as_f64() {
            Some(x) if x.abs() <= f64::from(f32::MAX) => Ok(Some(x)),
            _ => Err(format!("{n} is too large; use a number between -3.4e38 and 3.4e38")),
        },
        other => Err(format!("expected a number or null; got {}", name(other))),
    }
}

/// None where it is missing. A whole number is written without a point, as files have it.
pub(crate) fn text(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(_) if missing(value) => Ok(None),
        Value::String(text) => Ok(Some(text.trim().to_owned())),
        Value::Bool(b) => Ok(Some(b.to_string())),
        Value::Number(n) => Ok(Some(match n.as_f64() {
            Some(x) if n.is_f64() && x.fract() == 0.0 && x.abs() < 9e15 => (x as i64).to_string(),
            _ => n.to_string(),
        })),
        Value::Array(_) | Value::Object(_) => {
            Err(format!("expected text, a number or null; got {}", name(value)))
        }
    }
}

/// The place of a category, if it is listed. Booleans and numbers may be written otherwise than in
/// the training data (`True`, `1.0`).
pub(crate) fn place(value: &Value, categories: &[String]) -> Result<Option<usize>, String> {
    let Some(word) = text(value)? else { return Ok(None) };
    let find = |same: &dyn Fn(&str) -> bool| categories.iter().position(|c| same(c));
    let exact = find(&|c| c == word);
    Ok(exact.or_else(|| match value {
        Value::Bool(_) => find(&|c| c.eq_ignore_ascii_case(&word)),
        Value::Number(n) => find(&|c| c.parse::<f64>().ok() == n.as_f64()),
        _ => None,
    }))
}

/// A value as messages name it.
pub(crate) fn name(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text {}", shown(text)),
        Value::Bool(b) => b.to_string(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
        Value::Number(n) => n.to_string(),
        Value::Null => "null".into(),
    }
}
