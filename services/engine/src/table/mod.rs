//! Tables: a file's rows in columns, what is fitted of them on the training rows alone, and the dense
//! inputs that a network reads.

mod category;
mod date;
mod encode;
mod fit;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, path::Path};

use domain::{
    child::DataFile,
    dataset::ReadLimits,
    model::FittedColumn,
    spec::{Feature, FeatureKind, Preprocess, TrainingSpec},
};

pub(crate) use encode::{Encoders, check};

use crate::{
    calendar,
    error::{At, EngineError},
    read::{Record, Table, is_missing},
    target::{Target, finite},
};
use encode::{Way, write_number};
use fit::Choices;

const MISSING: u32 = u32::MAX;
/// Before any date that [`calendar::parse`] reads.
const NO_DATE: i64 = i64::MIN;

/// The features and targets of a file's usable rows.
pub(crate) struct RawTable {
    /// The class's index, or the number to predict in its own unit.
    pub targets: Vec<f64>,
    pub rows_without_target: u64,
    /// Rows left out because a column with the imputation `drop` has no value in them.
    pub rows_dropped: u64,
    columns: Vec<RawColumn>,
}

struct RawColumn {
    name: String,
    cells: Cells,
}

enum Cells {
    /// NaN where the value is missing.
    Numbers(Vec<f64>),
    /// Seconds since 1970, or `NO_DATE`.
    Dates(Vec<i64>),
    /// Numbers of the texts in `index`, or `MISSING`.
    Categories { codes: Vec<u32>, index: HashMap<String, u32> },
}

impl RawTable {
    /// Reads the file's usable rows: those with a target and with a value in every column that
    /// needs one.
    pub fn read(
        file: &Path,
        data: &DataFile,
        limits: &ReadLimits,
        spec: &TrainingSpec,
        features: &[Feature],
        preprocess: &Preprocess,
    ) -> Result<Self, EngineError> {
        let mut table = Table::open(file, data, limits)?;
        let target_place = table.place(&spec.target)?;
        let places =
            features.iter().map(|f| table.place(&f.name)).collect::<Result<Vec<usize>, _>>()?;
        let required = |name: &str| Choices::of(name, preprocess).required();
        let needed: Vec<usize> = features
            .iter()
            .zip(&places)
            .filter(|(feature, _)| required(&feature.name))
            .map(|(_, &place)| place)
            .collect();
        let target = Target::new(spec);
        let mut raw = Self {
            targets: vec![],
            rows_without_target: 0,
            rows_dropped: 0,
            columns: features.iter().map(RawColumn::new).collect(),
        };
        while let Some(record) = table.next_row()? {
            match target.read(record.cell(target_place), record.at)? {
                None => raw.rows_without_target += 1,
                Some(_) if needed.iter().any(|&i| is_missing(record.cell(i))) => {
                    raw.rows_dropped += 1;
                }
                Some(target) => raw.push(target, record, &places)?,
            }
        }
        Ok(raw)
    }

    fn push(&mut self, target: f64, record: &Record, places: &[usize]) -> Result<(), EngineError> {
        self.targets.push(target);
        for (column, &i) in self.columns.iter_mut().zip(places) {
            column.push(record.cell(i), record.at)?;
        }
        Ok(())
    }

    pub fn rows(&self) -> usize {
        self.targets.len()
    }

    /// Fits every column on the rows `training` alone.
    pub fn fit(&self, training: &[u32], preprocess: &Preprocess) -> Vec<FittedColumn> {
        let fit = |column: &RawColumn| column.fit(training, &Choices::of(&column.name, preprocess));
        self.columns.iter().map(fit).collect()
    }

    /// The inputs of `rows`, row after row. `fitted` may come from another file's table with the same
    /// features: categories are matched by their text, anew in each call, so that one call for many
    /// rows is much cheaper than many calls.
    pub fn encode(&self, fitted: &[FittedColumn], rows: &[u32]) -> Vec<f32> {
        let encoders = Encoders::new(fitted);
        let width = encoders.width();
        let mut inputs = vec![0.0; rows.len() * width];
        if width == 0 {
            return inputs;
        }
        for (column, encoder) in self.columns.iter().zip(&encoders.columns) {
            let inputs = inputs.chunks_exact_mut(width).map(|row| &mut row[encoder.offset..]);
            column.encode(&encoder.way, rows.iter().map(|&i| i as usize).zip(inputs));
        }
        inputs
    }
}

impl RawColumn {
    fn new(feature: &Feature) -> Self {
        let cells = match feature.kind {
            FeatureKind::Numeric => Cells::Numbers(vec![]),
            FeatureKind::Date => Cells::Dates(vec![]),
            FeatureKind::Categorical => Cells::Categories { codes: vec![], index: HashMap::new() },
        };
        Self { name: feature.name.clone(), cells }
    }

    fn push(&mut self, cell: &str, at: At) -> Result<(), EngineError> {
        let missing = is_missing(cell);
        match &mut self.cells {
            Cells::Numbers(values) if missing => values.push(f64::NAN),
            Cells::Numbers(values) => values.push(finite(cell, at, &self.name)?),
            Cells::Dates(values) if missing => values.push(NO_DATE),
            Cells::Dates(values) => {
                let (time, _) = calendar::parse(cell).ok_or_else(|| EngineError::NotADate {
                    at,
                    column: self.name.clone(),
                    value: cell.to_owned(),
                })?;
                values.push(date::seconds(time));
            }
            Cells::Categories { codes, .. } if missing => codes.push(MISSING),
            Cells::Categories { codes, index } => {
                let code = index.get(cell).copied().unwrap_or_else(|| {
                    let code = index.len() as u32;
                    index.insert(cell.to_owned(), code);
                    code
                });
                codes.push(code);
            }
        }
        Ok(())
    }

    fn fit(&self, training: &[u32], choices: &Choices) -> FittedColumn {
        let rows = training.iter().map(|&i| i as usize);
        match &self.cells {
            Cells::Numbers(values) => {
                fit::numbers(&self.name, rows.map(|i| values[i]).collect(), choices)
            }
            Cells::Dates(values) => {
                let days = rows.map(|i| present(values[i]).map_or(f64::NAN, date::days)).collect();
                fit::dates(&self.name, days, choices)
            }
            Cells::Categories { codes, index } => {
                let mut counts = vec![0_u64; index.len()];
                let mut missing = 0;
                for i in rows {
                    *counts.get_mut(codes[i] as usize).unwrap_or(&mut missing) += 1;
                }
                let seen = index
                    .iter()
                    .map(|(text, &code)| (text.as_str(), counts[code as usize]))
                    .filter(|(_, rows)| *rows > 0)
                    .collect();
                fit::categories(&self.name, seen, missing, choices)
            }
        }
    }

    fn encode<'a>(&self, way: &Way, rows: impl Iterator<Item = (usize, &'a mut [f32])>) {
        match (&self.cells, way) {
            (Cells::Numbers(values), Way::Number { line, indicator }) => {
                for (i, inputs) in rows {
                    let x = Some(values[i]).filter(|x| !x.is_nan());
                    write_number(x, line, *indicator, inputs);
                }
            }
            (Cells::Dates(values), Way::Date(age)) => {
                rows.for_each(|(i, inputs)| date::write(present(values[i]), age, inputs));
            }
            (Cells::Categories { codes, index }, Way::Category(categories)) => {
                let mut sets = vec![None; index.len()];
                for (text, &code) in index {
                    sets[code as usize] = categories.text(text);
                }
                for (i, inputs) in rows {
                    let set = sets.get(codes[i] as usize).copied();
                    if let Some((place, x)) = set.unwrap_or(categories.missing()) {
                        inputs[place] = x;
                    }
                }
            }
            _ => unreachable!("a column is fitted by its own kind"),
        }
    }
}

fn present(seconds: i64) -> Option<i64> {
    Some(seconds).filter(|&s| s != NO_DATE)
}
