//! CSV and TSV by RFC 4180, field by field, so that an overlong cell is refused before it is read.

use std::io::BufRead;

use csv_core::ReadFieldResult;
use domain::dataset::ReadLimits;

use super::{
    MAX_ROW_BYTES, Record,
    bytes::{Source, read_error},
};
use crate::error::{At, EngineError};

const CHUNK_BYTES: usize = 8 << 10;

pub(super) struct CsvRows {
    source: Source,
    parser: csv_core::Reader,
    chunk: Box<[u8; CHUNK_BYTES]>,
    row: Vec<u8>,
    /// The line that the parser stands on, from 1.
    line: u64,
    max_cell_bytes: usize,
    max_columns: usize,
}

impl CsvRows {
    pub fn new(source: Source, delimiter: u8, limits: &ReadLimits) -> Self {
        Self {
            source,
            parser: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            chunk: Box::new([0; CHUNK_BYTES]),
            row: vec![],
            line: 1,
            max_cell_bytes: limits.max_cell_bytes,
            max_columns: limits.max_columns,
        }
    }

    /// The columns' names; one without a name is called by its place.
    pub fn header(&mut self) -> Result<Vec<String>, EngineError> {
        let mut record = Record::default();
        let cells = self.fields(&mut record, &[], self.max_columns)?;
        if cells == 0 {
            return Err(EngineError::EmptyFile);
        }
        if cells > self.max_columns {
            return Err(EngineError::TooManyColumns { limit: self.max_columns });
        }
        let mut seen = std::collections::HashSet::new();
        let mut columns = Vec::with_capacity(record.len());
        for (i, cell) in record.cells().enumerate() {
            let name = if cell.is_empty() { format!("column_{}", i + 1) } else { cell.to_owned() };
            if !seen.insert(name.clone()) {
                return Err(EngineError::DuplicateColumn { at: record.at, name });
            }
            columns.push(name);
        }
        Ok(columns)
    }

    /// False at the end of the file.
    pub fn read(&mut self, record: &mut Record, columns: &[String]) -> Result<bool, EngineError> {
        let got = self.fields(record, columns, columns.len())?;
        if got != 0 && got != columns.len() {
            return Err(EngineError::RaggedRow { at: record.at, got, expected: columns.len() });
        }
        Ok(got != 0)
    }

    /// Reads one row and says how many cells it has, of which at most `keep` are kept; 0 at the end
    /// of the file.
    fn fields(
        &mut self,
        record: &mut Record,
        columns: &[String],
        keep: usize,
    ) -> Result<usize, EngineError> {
        self.skip_blank_lines()?;
        let row = if columns.is_empty() { 0 } else { record.at.row + 1 };
        let at = At { row, line: self.line };
        let name = |i: usize| columns.get(i).cloned().unwrap_or_else(|| (i + 1).to_string());
        self.row.clear();
        record.ends.clear();
        let mut cells = 0;
        loop {
            let input = self.source.fill_buf().map_err(read_error)?;
            let (result, taken, given) = self.parser.read_field(input, &mut self.chunk[..]);
            self.line += input[..taken].iter().filter(|&&b| b == b'\n').count() as u64;
            self.source.consume(taken);
            if cells < keep {
                self.row.extend_from_slice(&self.chunk[..given]);
                let start = record.ends.last().copied().unwrap_or(0);
                if self.row.len() - start > self.max_cell_bytes {
                    let limit = self.max_cell_bytes;
                    return Err(EngineError::CellTooLarge { at, column: name(cells), limit });
                }
                if self.row.len() > MAX_ROW_BYTES {
                    return Err(EngineError::RowTooLarge { at, limit: MAX_ROW_BYTES });
                }
            }
            match result {
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => {
                    if cells < keep {
                        record.ends.push(self.row.len());
                    }
                    cells += 1;
                    if record_end {
                        break;
                    }
                }
                ReadFieldResult::End => return Ok(0),
            }
        }
        record.at = at;
        let bytes = std::mem::replace(&mut self.row, std::mem::take(&mut record.text).into_bytes());
        record.text = text(bytes, &record.ends)
            .map_err(|i| EngineError::InvalidUtf8 { at, column: name(i) })?;
        Ok(cells)
    }

    /// The parser ignores them too, but then the line that a row starts on would be unknown.
    fn skip_blank_lines(&mut self) -> Result<(), EngineError> {
        loop {
            let input = self.source.fill_buf().map_err(read_error)?;
            let blank = input.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
            let all = blank == input.len();
            self.line += input[..blank].iter().filter(|&&b| b == b'\n').count() as u64;
            self.source.consume(blank);
            if !all || blank == 0 {
                return Ok(());
            }
        }
    }
}

/// The cells' text, or the first cell that is not valid UTF-8 by itself.
fn text(bytes: Vec<u8>, ends: &[usize]) -> Result<String, usize> {
    let cell_at = |byte: usize| ends.partition_point(|&end| end <= byte);
    let text = String::from_utf8(bytes).map_err(|e| cell_at(e.utf8_error().valid_up_to()))?;
    match ends.iter().position(|&end| !text.is_char_boundary(end)) {
        Some(split) => Err(split),
        None => Ok(text),
    }
}
