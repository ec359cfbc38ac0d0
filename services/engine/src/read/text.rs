//! Plain text: one column, a row a line. Blank lines are no rows.

use std::io::BufRead;

use domain::dataset::ReadLimits;

use super::{
    Record,
    bytes::{Source, read_error},
};
use crate::error::{At, EngineError};

/// The only column's name.
pub(super) const COLUMN: &str = "text";

pub(super) struct TextRows {
    source: Source,
    line: Vec<u8>,
    line_number: u64,
    max_cell_bytes: usize,
}

impl TextRows {
    pub fn new(source: Source, limits: &ReadLimits) -> Self {
        Self { source, line: vec![], line_number: 0, max_cell_bytes: limits.max_cell_bytes }
    }

    /// False at the end of the file.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, EngineError> {
        loop {
            let at = At { row: record.at.row + 1, line: self.line_number + 1 };
            if !self.read_line(at)? {
                return if record.at.row == 0 { Err(EngineError::EmptyFile) } else { Ok(false) };
            }
            let line = str::from_utf8(&self.line)
                .map_err(|_| EngineError::InvalidUtf8 { at, column: COLUMN.to_owned() })?;
            if !line.trim().is_empty() {
                record.at = at;
                record.text.clear();
                record.text.push_str(line);
                record.ends.clear();
                record.ends.push(line.len());
                return Ok(true);
            }
        }
    }

    fn read_line(&mut self, at: At) -> Result<bool, EngineError> {
        self.line.clear();
        loop {
            let input = self.source.fill_buf().map_err(read_error)?;
            if input.is_empty() {
                self.line_number += u64::from(!self.line.is_empty());
                return Ok(!self.line.is_empty());
            }
            let end = input.iter().position(|&b| b == b'\n');
            let piece = &input[..end.unwrap_or(input.len())];
            if self.line.len() + piece.len() > self.max_cell_bytes {
                let (column, limit) = (COLUMN.to_owned(), self.max_cell_bytes);
                return Err(EngineError::CellTooLarge { at, column, limit });
            }
            self.line.extend_from_slice(piece);
            let taken = piece.len() + usize::from(end.is_some());
            self.source.consume(taken);
            if end.is_some() {
                self.line_number += 1;
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        Digest,
        child::DataFile,
        dataset::{Compression, Format},
    };

    use super::*;
    use crate::read::Table;

    fn rows(bytes: &[u8], max_cell_bytes: usize) -> Result<Vec<(u64, u64, String)>, EngineError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let data = DataFile {
            format: Format::Text,
            compression: Compression::None,
            sha256: Digest::of(bytes),
            bytes: bytes.len() as u64,
        };
        let limits = ReadLimits { max_cell_bytes, max_rows: 3, ..ReadLimits::default() };
        let mut table = Table::open(file.path(), &data, &limits)?;
        assert_eq!(table.columns(), ["text"]);
        let mut rows = vec![];
        while let Some(record) = table.next_row()? {
            rows.push((record.at.row, record.at.line, record.cell(0).to_owned()));
        }
        Ok(rows)
    }

    #[test]
    fn lines_are_rows_and_blank_ones_are_not() {
        let got = rows("\u{feff}first, \"one\"\r\n\n \u{2003}\nzweite é".as_bytes(), 100).unwrap();
        assert_eq!(got, [(1, 1, "first, \"one\"".into()), (2, 4, "zweite é".into())]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let message = |bytes: &[u8]| rows(bytes, 8).unwrap_err().to_string();
        assert!(message(b"short\nfar too long\n").contains("row 2 (line 2), column `text`"));
        assert!(message(b"good\n\xff\n").contains("row 2 (line 2), column `text` is not valid"));
        assert!(message(b"1\n2\n3\n4\n").contains("more than 3 rows"));
        assert!(message(b"\n \n").contains("empty"));
        assert!(message(b"").contains("empty"));
    }
}
