//! The image of a prediction request: a PNG or JPEG file in base64, or its numbers.

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::predict::Row;
use serde_json::Value;

use super::{Size, picture, size_len};

/// `[height, width, channels]` from 0 to 1. The error says what the cell lacks.
pub(crate) fn decode_row(row: &Row, column: &str, size: Size) -> Result<Vec<f32>, String> {
    match row.get(column) {
        None | Some(Value::Null) => Err(format!("`{column}` is missing; {}", accepted(size))),
        Some(Value::String(text)) => {
            decode_text(text, size).map_err(|why| format!("`{column}`: {why}"))
        }
        Some(Value::Array(items)) => {
            let mut numbers = Vec::with_capacity(size_len(size));
            flatten(items, size_len(size), &mut numbers)
                .and_then(|()| if numbers.len() == size_len(size) { Some(()) } else { None })
                .ok_or_else(|| {
                    format!("`{column}` is no such array of numbers; {}", accepted(size))
                })?;
            Ok(numbers)
        }
        Some(_) => Err(format!("`{column}` is no image; {}", accepted(size))),
    }
}

fn accepted([height, width, channels]: Size) -> String {
    format!(
        "give a PNG or JPEG file in base64, or {height} x {width} x {channels} numbers from 0 to 255"
    )
}

fn decode_text(text: &str, size: Size) -> Result<Vec<f32>, String> {
    // Browsers make `data:image/png;base64,...` of a file.
    let encoded = match text.split_once(";base64,") {
        Some((head, body)) if head.starts_with("data:") => body,
        _ => text,
    };
    let bytes = STANDARD
        .decode(encoded.trim())
        .map_err(|error| format!("not base64 ({error}); {}", accepted(size)))?;
    let (pixels, from) = picture::decode(picture::decoder(&bytes)?)?;
    let mut fitted = Vec::with_capacity(size_len(size));
    picture::append_fitted(&pixels, from, size, &mut fitted);
    Ok(fitted.into_iter().map(|pixel| f32::from(pixel) / 255.0).collect())
}

/// Rows of columns of channels, or all in one list; none where an item is no number from 0 to 255 or
/// there are too many.
fn flatten(items: &[Value], most: usize, numbers: &mut Vec<f32>) -> Option<()> {
    for item in items {
        match item {
            Value::Array(inner) => flatten(inner, most, numbers)?,
            Value::Number(number) if numbers.len() < most => {
                let number = number.as_f64().filter(|n| (0.0..=255.0).contains(n))?;
                numbers.push((number / 255.0) as f32);
            }
            _ => return None,
        }
    }
    Some(())
}
