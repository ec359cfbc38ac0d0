//! A dataset's file as a stream of rows: CSV, TSV, JSON lines or plain text, as it is or compressed.
//! Nothing is held but the current row, and every limit is checked before the bytes beyond it are
//! kept.

mod bytes;
mod cell;
mod csv;
mod jsonl;
mod text;
mod whole;

use std::path::Path;

use domain::{
    child::DataFile,
    dataset::{Format, ReadLimits},
};

use crate::error::{At, EngineError};

pub(crate) use cell::{Number, integer, is_missing, number};
pub(crate) use whole::whole_text;

/// A cell has a limit of its own; this one stops a row of very many of them.
const MAX_ROW_BYTES: usize = 64 << 20;

/// One row's cells, kept in one piece of text so that reading a row allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Record {
    text: String,
    ends: Vec<usize>,
    pub at: At,
}

impl Record {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Without the blanks around it.
    pub fn cell(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        let cell = &self.text[start..self.ends[i]];
        // most cells have none, which two looks tell
        match cell.as_bytes() {
            [b'!'..=b'~', .., b'!'..=b'~'] | [b'!'..=b'~'] | [] => cell,
            _ => cell.trim(),
        }
    }

    pub fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|i| self.cell(i))
    }
}

enum Rows {
    Csv(Box<csv::CsvRows>),
    Jsonl(jsonl::JsonRows),
    Text(text::TextRows),
}

pub(crate) struct Table {
    rows: Rows,
    columns: Vec<String>,
    record: Record,
    max_rows: u64,
}

impl Table {
    pub fn open(file: &Path, data: &DataFile, limits: &ReadLimits) -> Result<Self, EngineError> {
        let open = || bytes::open(file, data.compression, limits.max_decoded_bytes);
        let (rows, columns) = match data.format {
            Format::Csv | Format::Tsv => {
                let delimiter = if data.format == Format::Csv { b',' } else { b'\t' };
                let mut rows = csv::CsvRows::new(open()?, delimiter, limits);
                let columns = rows.header()?;
                (Rows::Csv(Box::new(rows)), columns)
            }
            Format::Text => {
                (Rows::Text(text::TextRows::new(open()?, limits)), vec![text::COLUMN.to_owned()])
            }
            Format::Images => return Err(EngineError::NotATable),
            Format::Jsonl => {
                let columns = jsonl::discover(open()?, limits)?;
                let rows = jsonl::JsonRows::new(open()?, columns.clone(), limits);
                (Rows::Jsonl(rows), columns)
            }
        };
        Ok(Self { rows, columns, record: Record::default(), max_rows: limits.max_rows })
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Which cell of a row belongs to the column.
    pub fn place(&self, column: &str) -> Result<usize, EngineError> {
        self.columns.iter().position(|name| name == column).ok_or_else(|| {
            EngineError::UnknownColumn(format!(
                "the file has no column `{column}`; submit the job again for this dataset version"
            ))
        })
    }

    /// The next row, with as many cells as there are columns.
    pub fn next_row(&mut self) -> Result<Option<&Record>, EngineError> {
        let more = match &mut self.rows {
            Rows::Csv(rows) => rows.read(&mut self.record, &self.columns)?,
            Rows::Jsonl(rows) => rows.read(&mut self.record)?,
            Rows::Text(rows) => rows.read(&mut self.record)?,
        };
        if !more {
            return Ok(None);
        }
        if self.record.at.row > self.max_rows {
            return Err(EngineError::TooManyRows { limit: self.max_rows });
        }
        Ok(Some(&self.record))
    }
}
