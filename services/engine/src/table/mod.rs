//! Tables: a file's rows as records of numbers, what is fitted of them on the training rows alone, and
//! the dense inputs that a network reads. Nothing here grows with the rows but the records, which go
//! to a file where memory does not hold them; everything else sees them go by.

mod category;
mod column;
mod date;
mod dictionary;
mod encode;
mod fit;
mod numbers;
mod rows;
mod samples;
mod sort;
mod spill;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use domain::{
    child::DataFile,
    dataset::ReadLimits,
    model::FittedColumn,
    spec::{Feature, Preprocess, TrainingSpec},
};

pub(crate) use encode::{Encoders, check};
pub(crate) use rows::Room;
pub(crate) use samples::TableSamples;

use crate::{
    error::EngineError,
    read::{Record, Table, is_missing},
    target::Target,
    unit::Unit,
};
use column::{ColumnFit, RawColumn};
use fit::Choices;
use numbers::NumberFit;
use rows::Rows;
use sort::Sorter;

/// Of records in a file, columns that are brought into order at once, and numbers of each that are
/// held meanwhile.
const ORDERED_AT_ONCE: usize = 8;
const HELD_IN_ORDER: usize = 1 << 17;

/// The features and targets of a file's usable rows.
pub(crate) struct RawTable {
    pub rows_without_target: u64,
    /// Rows left out because a column with the imputation `drop` has no value in them.
    pub rows_dropped: u64,
    columns: Vec<RawColumn>,
    /// The target (the class's index, or the number to predict in its own unit), then the columns.
    records: Arc<Rows>,
}

/// Of a record.
fn target(record: &[u8]) -> f64 {
    f64::from_le_bytes(rows::number(record, 0))
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
        room: Room,
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
        let mut width = size_of::<f64>();
        let mut columns = Vec::with_capacity(features.len());
        for feature in features {
            let column = RawColumn::new(feature, width);
            width += column.width();
            columns.push(column);
        }
        let (mut rows_without_target, mut rows_dropped) = (0, 0);
        let mut records = Rows::new(width, room);
        let mut bytes = Vec::with_capacity(width);
        while let Some(record) = table.next_row()? {
            match target.read(record.cell(target_place), record.at)? {
                None => rows_without_target += 1,
                Some(_) if needed.iter().any(|&i| is_missing(record.cell(i))) => rows_dropped += 1,
                Some(target) => {
                    write(target, record, &places, &mut columns, &mut bytes)?;
                    records.push(&bytes)?;
                }
            }
        }
        records.finish()?;
        Ok(Self { rows_without_target, rows_dropped, columns, records: Arc::new(records) })
    }

    pub fn rows(&self) -> usize {
        self.records.len()
    }

    pub fn rows_in_file(&self) -> u64 {
        if self.records.in_memory() { 0 } else { self.rows() as u64 }
    }

    /// Of every row.
    pub fn targets(&self) -> Result<Vec<f64>, EngineError> {
        let mut targets = Vec::with_capacity(self.rows());
        self.records.visit(0..self.rows() as u32, |record| {
            targets.push(target(record));
            Ok(())
        })?;
        Ok(targets)
    }

    /// Fits every column on the rows `training` alone, and the unit of the target as a number.
    pub fn fit(
        &self,
        training: &[u32],
        preprocess: &Preprocess,
    ) -> Result<(Vec<FittedColumn>, Unit), EngineError> {
        let mut unit = NumberFit::of_target();
        let mut fits: Vec<ColumnFit> =
            self.columns.iter().map(|column| column.start_fit(preprocess)).collect();
        self.visit(training, |record| {
            unit.count(target(record));
            let columns = self.columns.iter().zip(&mut fits);
            columns.for_each(|(column, fit)| column.count(record, fit));
        })?;
        self.order(training, &mut fits)?;
        let mut numbers = numbers(&self.columns, &mut fits, NumberFit::needs_sum);
        if !numbers.is_empty() {
            self.visit(training, |record| {
                numbers.iter_mut().for_each(|(column, fit)| fit.add(column.value(record)));
            })?;
        }
        let mut numbers = self::numbers(&self.columns, &mut fits, NumberFit::needs_spread);
        self.visit(training, |record| {
            unit.spread(target(record));
            numbers.iter_mut().for_each(|(column, fit)| fit.spread(column.value(record)));
        })?;
        let columns = self.columns.iter().zip(fits);
        let fitted = columns.map(|(column, fit)| column.end_fit(fit, preprocess)).collect();
        Ok((fitted, unit.unit()))
    }

    fn visit(&self, rows: &[u32], mut each: impl FnMut(&[u8])) -> Result<(), EngineError> {
        self.records.visit(rows.iter().copied(), |record| {
            each(record);
            Ok(())
        })
    }

    /// What is only known of columns in order.
    fn order(&self, training: &[u32], fits: &mut [ColumnFit]) -> Result<(), EngineError> {
        let (at_once, held) = if self.records.in_memory() {
            (1, usize::MAX)
        } else {
            (ORDERED_AT_ONCE, HELD_IN_ORDER)
        };
        for some in numbers(&self.columns, fits, NumberFit::needs_order).chunks_mut(at_once) {
            let sorter = |_: &_| Sorter::new(held, self.records.folder());
            let mut sorters: Vec<Sorter> = some.iter().map(sorter).collect();
            self.records.visit(training.iter().copied(), |record| {
                for ((column, _), sorter) in some.iter().zip(&mut sorters) {
                    let x = column.value(record);
                    if !x.is_nan() {
                        sorter.push(x)?;
                    }
                }
                Ok(())
            })?;
            for ((_, fit), sorter) in some.iter_mut().zip(sorters) {
                fit.order(sorter)?;
            }
        }
        Ok(())
    }
}

/// Those of numbers or dates that need something.
fn numbers<'a>(
    columns: &'a [RawColumn],
    fits: &'a mut [ColumnFit],
    needs: fn(&NumberFit) -> bool,
) -> Vec<(&'a RawColumn, &'a mut NumberFit)> {
    let columns = columns.iter().zip(fits);
    let numbers = columns.filter_map(|(column, fit)| match fit {
        ColumnFit::Numbers(fit) if needs(fit) => Some((column, fit)),
        _ => None,
    });
    numbers.collect()
}

/// A row as the bytes of its record.
fn write(
    target: f64,
    record: &Record,
    places: &[usize],
    columns: &mut [RawColumn],
    bytes: &mut Vec<u8>,
) -> Result<(), EngineError> {
    bytes.clear();
    bytes.extend(target.to_le_bytes());
    let mut columns = columns.iter_mut().zip(places);
    columns.try_for_each(|(column, &i)| column.write(record.cell(i), record.at, bytes))
}
