//! A table's rows as a network reads them: encoded once where memory holds that, else batch by batch
//! from the records.

use std::sync::Arc;

use domain::model::FittedColumn;

use super::{
    RawTable,
    column::Cells,
    encode::Encoders,
    rows::{List, Rows},
    target,
};
use crate::{error::EngineError, unit::Unit};

/// From records to inputs.
struct RecordEncoder {
    /// Place in the record, place among the inputs, and what leads from one to the other.
    columns: Vec<(usize, usize, Cells)>,
    width: usize,
}

pub(crate) struct TableSamples {
    width: usize,
    rows: usize,
    /// The class or number of each row, as it is learned; of records only where they were asked for.
    targets: Vec<f64>,
    inputs: Source,
}

enum Source {
    Encoded(Vec<f32>),
    Records { records: Arc<Rows>, list: List, encoder: RecordEncoder, unit: Unit },
}

impl RawTable {
    /// The samples of `rows`. `fitted` may come from another file's table with the same features.
    /// `keep_targets` says that [`TableSamples::targets`] will be asked for.
    pub fn samples(
        &self,
        fitted: &[FittedColumn],
        unit: Unit,
        rows: &[u32],
        keep_targets: bool,
    ) -> Result<TableSamples, EngineError> {
        let encoder = RecordEncoder::new(self, fitted);
        let width = encoder.width;
        // of the whole table, as each row is in one of the parts that are there at the same time
        let bytes = self.rows() as u64 * (size_of::<f32>() * width + size_of::<f64>()) as u64;
        let encoded = self.records.in_memory() && bytes <= self.records.bytes_left();
        let mut inputs = vec![0.0; if encoded { rows.len() * width } else { 0 }];
        let mut targets = Vec::with_capacity(if encoded || keep_targets { rows.len() } else { 0 });
        if encoded || keep_targets {
            let mut left = inputs.as_mut_slice();
            self.records.visit(rows.iter().copied(), |record| {
                targets.push(unit.learned(target(record)));
                if encoded {
                    let (row, rest) = std::mem::take(&mut left).split_at_mut(width);
                    encoder.write(record, row);
                    left = rest;
                }
                Ok(())
            })?;
        }
        let inputs = if encoded {
            Source::Encoded(inputs)
        } else {
            let list = List::beside(&self.records, rows)?;
            Source::Records { records: self.records.clone(), list, encoder, unit }
        };
        Ok(TableSamples { width, rows: rows.len(), targets, inputs })
    }
}

impl RecordEncoder {
    fn new(table: &RawTable, fitted: &[FittedColumn]) -> Self {
        let encoders = Encoders::new(fitted);
        let width = encoders.width();
        let columns = table.columns.iter().zip(encoders.columns);
        let columns = columns
            .map(|(column, encoder)| (column.place, encoder.offset, column.cells(encoder.way)))
            .collect();
        Self { columns, width }
    }

    fn write(&self, record: &[u8], inputs: &mut [f32]) {
        for (place, offset, cells) in &self.columns {
            cells.write(record, *place, &mut inputs[*offset..]);
        }
    }
}

impl TableSamples {
    /// Rows that lie in memory as a network reads them, with their targets.
    pub fn encoded(values: Vec<f32>, targets: Vec<f64>) -> Self {
        let width = values.len() / targets.len().max(1);
        Self { width, rows: targets.len(), targets, inputs: Source::Encoded(values) }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether batches are copies, with nothing to read or to encode.
    pub fn is_encoded(&self) -> bool {
        matches!(self.inputs, Source::Encoded(_))
    }

    /// Empty where nobody said that they would be wanted.
    pub fn targets(&self) -> &[f64] {
        &self.targets
    }

    /// Inputs and targets.
    pub fn batch(&self, rows: &[u32]) -> Result<(Vec<f32>, Vec<f64>), EngineError> {
        let width = self.width;
        match &self.inputs {
            Source::Encoded(inputs) => {
                let mut values = Vec::with_capacity(rows.len() * width);
                for &i in rows {
                    values.extend_from_slice(&inputs[i as usize * width..][..width]);
                }
                Ok((values, rows.iter().map(|&i| self.targets[i as usize]).collect()))
            }
            Source::Records { records, list, encoder, unit } => {
                let mut values = vec![0.0; rows.len() * width];
                let mut targets = Vec::with_capacity(rows.len());
                let mut buffer = vec![];
                for (i, &row) in rows.iter().enumerate() {
                    let row = list.get(row as usize, &mut buffer)?;
                    let record = records.record(row as usize, &mut buffer)?;
                    encoder.write(record, &mut values[i * width..][..width]);
                    targets.push(unit.learned(target(record)));
                }
                Ok((values, targets))
            }
        }
    }
}
