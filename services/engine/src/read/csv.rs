//! CSV and TSV by RFC 4180, field by field, so that an overlong cell is refused before it is read.

use std::io::BufRead;

use csv_core::ReadRecordResult;
use domain::dataset::ReadLimits;

use super::{
    MAX_ROW_BYTES, Record,
    bytes::{Source, read_error},
};
use crate::error::{At, EngineError};

/// Room for a row to start with.
const ROW_BYTES: usize = 8 << 10;

pub(super) struct CsvRows {
    source: Source,
    parser: csv_core::Reader,
    /// Cells of the current row, one after another; what is behind them means nothing.
    row: Vec<u8>,
    /// Where each cell ends.
    ends: Vec<usize>,
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
            row: vec![0; ROW_BYTES],
            ends: vec![],
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
        self.ends.resize(keep, 0);
        let (mut length, mut cells) = (0, 0);
        loop {
            let input = self.source.fill_buf().map_err(read_error)?;
            // cells that are too many are counted, and their text is written over
            let mut more = [0; 64];
            let ends = if cells < keep { &mut self.ends[cells..] } else { &mut more[..] };
            let (result, taken, given, ended) =
                self.parser.read_record(input, &mut self.row[length..], ends);
            self.line += input[..taken].iter().filter(|&&b| b == b'\n').count() as u64;
            self.source.consume(taken);
            if cells < keep {
                length += given;
            }
            cells += ended;
            let kept = &self.ends[..cells.min(keep)];
            match result {
                ReadRecordResult::InputEmpty | ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::OutputFull if length < self.row.len() => {}
                ReadRecordResult::OutputFull => {
                    self.check(kept, length, at, &name)?;
                    self.row.resize(2 * self.row.len(), 0);
                }
                ReadRecordResult::Record => {
                    self.check(kept, length, at, &name)?;
                    break;
                }
                ReadRecordResult::End => return Ok(0),
            }
        }
        record.at = at;
        record.ends.clear();
        record.ends.extend_from_slice(&self.ends[..cells.min(keep)]);
        let length = record.ends.last().copied().unwrap_or(0);
        let text = text(&self.row[..length], &record.ends)
            .map_err(|i| EngineError::InvalidUtf8 { at, column: name(i) })?;
        record.text.clear();
        record.text.push_str(text);
        Ok(cells)
    }

    /// Whether the cells that have ended and the one that has not are short enough.
    fn check(
        &self,
        ends: &[usize],
        length: usize,
        at: At,
        name: &impl Fn(usize) -> String,
    ) -> Result<(), EngineError> {
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let ends = ends.iter().copied().chain([length]);
        let limit = self.max_cell_bytes;
        if let Some(cell) = starts.zip(ends).position(|(start, end)| end - start > limit) {
            return Err(EngineError::CellTooLarge { at, column: name(cell), limit });
        }
        if length > MAX_ROW_BYTES {
            return Err(EngineError::RowTooLarge { at, limit: MAX_ROW_BYTES });
        }
        Ok(())
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
fn text<'a>(bytes: &'a [u8], ends: &[usize]) -> Result<&'a str, usize> {
    let cell_at = |byte: usize| ends.partition_point(|&end| end <= byte);
    let text = str::from_utf8(bytes).map_err(|e| cell_at(e.valid_up_to()))?;
    match ends.iter().position(|&end| !text.is_char_boundary(end)) {
        Some(split) => Err(split),
        None => Ok(text),
    }
}
