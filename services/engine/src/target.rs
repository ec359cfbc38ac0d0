//! The target's cells: a class's index, or a number in its own unit.

use std::collections::HashMap;

use domain::spec::TrainingSpec;

use crate::{
    error::{At, EngineError},
    read::{Number, is_missing, number},
};

pub(crate) struct Target<'a> {
    column: &'a str,
    /// Empty where numbers are learned.
    classes: HashMap<&'a str, usize>,
}

impl<'a> Target<'a> {
    pub fn new(spec: &'a TrainingSpec) -> Self {
        let classes = spec.classes.iter().enumerate().map(|(i, c)| (c.as_str(), i)).collect();
        Self { column: &spec.target, classes }
    }

    /// None where the cell is missing.
    pub fn read(&self, cell: &str, at: At) -> Result<Option<f64>, EngineError> {
        if is_missing(cell) {
            return Ok(None);
        }
        if self.classes.is_empty() {
            return finite(cell, at, self.column).map(Some);
        }
        let class = self.classes.get(cell).ok_or_else(|| EngineError::UnknownClass {
            at,
            column: self.column.to_owned(),
            value: cell.to_owned(),
            classes: self.classes.len(),
        })?;
        Ok(Some(*class as f64))
    }
}

/// A number that a network can be given.
pub(crate) fn finite(cell: &str, at: At, column: &str) -> Result<f64, EngineError> {
    let wrong = match number(cell) {
        Some(Number::Finite(n)) if n.abs() <= f64::from(f32::MAX) => return Ok(n),
        wrong => wrong,
    };
    let (column, value) = (column.to_owned(), cell.to_owned());
    Err(match wrong {
        Some(_) => EngineError::InfiniteValue { at, column, value },
        None => EngineError::NotANumber { at, column, value },
    })
}
