//! A model's inputs as the protocol names them, and tensors as the rows that the model is asked with: an input is a
//! column, and its place in the tensor the row.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    model::{self, Holds, IMAGE, ModelConfig},
    predict::Row,
};
use serde_json::{Number, Value};

use super::{
    bad,
    tensor::{Datatype, Tensor, Values, elements},
};
use crate::{ApiError, models::MAX_ROWS};

#[derive(Debug, PartialEq)]
pub(super) struct Column {
    pub name: String,
    /// As a client best sends it; others of its kind are read too.
    pub datatype: Datatype,
    pub optional: bool,
}

pub(super) fn columns(config: &ModelConfig) -> Vec<Column> {
    let named = |column: model::Column| {
        let datatype = match column.holds {
            Holds::Words => Datatype::Bytes,
            Holds::Number => Datatype::Fp64,
            Holds::WholeNumber => Datatype::Int64,
        };
        Column { name: column.name, datatype, optional: column.optional }
    };
    config.reads().into_iter().map(named).collect()
}

/// One row for each place of the tensors, which are as many as the model has columns.
pub(super) fn rows(config: &ModelConfig, inputs: Vec<Tensor>) -> Result<Vec<Row>, ApiError> {
    let columns = columns(config);
    check(&columns, &inputs)?;
    let many = inputs.first().map_or(0, |input| input.shape.first().copied().unwrap_or(0));
    if !(1..=MAX_ROWS).contains(&many) {
        let why = format!("the inputs have {many} rows; send from 1 to {MAX_ROWS} at once");
        return Err(bad(why));
    }
    let mut rows = vec![Row::new(); many];
    for input in inputs {
        let other = input.shape.first().copied().unwrap_or(0);
        if other != many {
            let (name, first) = (&input.name, &columns[0].name);
            let why = format!(
                "input `{name}` has {other} rows where others have {many}, as `{first}` may"
            );
            return Err(bad(why));
        }
        fill(&mut rows, input)?;
    }
    Ok(rows)
}

/// Every column once, and nothing else.
fn check(columns: &[Column], inputs: &[Tensor]) -> Result<(), ApiError> {
    let all = || columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
    let known: HashSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut given = HashSet::new();
    for input in inputs {
        let shown = || input.name.chars().take(100).collect::<String>();
        if !known.contains(input.name.as_str()) {
            return Err(bad(format!("the model has no input `{}`; it has {}", shown(), all())));
        }
        if !given.insert(input.name.as_str()) {
            return Err(bad(format!("input `{}` is there twice", shown())));
        }
    }
    let is_there = |column: &Column| given.contains(column.name.as_str());
    match columns.iter().find(|column| !column.optional && !is_there(column)) {
        Some(missing) => {
            let (name, datatype) = (&missing.name, missing.datatype.name());
            Err(bad(format!(
                "input `{name}` is missing; give it as {datatype}, a value for each row"
            )))
        }
        None => Ok(()),
    }
}

fn fill(rows: &mut [Row], input: Tensor) -> Result<(), ApiError> {
    let Tensor { name, shape, values, .. } = input;
    let each = elements(shape.get(1..).unwrap_or_default()).unwrap_or(usize::MAX);
    let is_image = name == IMAGE;
    if each != 1 && !is_image {
        let why = format!(
            "input `{name}` has {each} values for a row; give one, as the shape [{0}] or [{0}, 1]",
            rows.len()
        );
        return Err(bad(why));
    }
    let cell = |place: usize| cell(&values, place, is_image);
    for (i, row) in rows.iter_mut().enumerate() {
        let value = if each == 1 {
            cell(i)
        } else {
            (i * each..(i + 1) * each).map(cell).collect::<Result<Value, _>>()
        };
        let value = value.map_err(|why| bad(format!("input `{name}`, row {i}: {why}")))?;
        row.insert(name.clone(), value);
    }
    Ok(())
}

fn cell(values: &Values, place: usize, is_image: bool) -> Result<Value, String> {
    Ok(match values {
        Values::Bool(values) => values[place].into(),
        Values::Int(values) => values[place].into(),
        Values::Uint(values) => values[place].into(),
        // a missing value, as numpy has it
        Values::Real(values) if values[place].is_nan() => Value::Null,
        Values::Real(values) => {
            let number = Number::from_f64(values[place]);
            Value::Number(number.ok_or("the number is not finite; use NaN for a missing one")?)
        }
        Values::Bytes(values) => match std::str::from_utf8(&values[place]) {
            Ok(text) => text.into(),
            Err(_) if is_image => STANDARD.encode(&values[place]).into(),
            Err(_) => return Err("the text is not UTF-8".to_owned()),
        },
    })
}
