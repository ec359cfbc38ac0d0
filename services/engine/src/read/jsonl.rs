//! JSON lines: one flat object a line. The columns are the keys of the first lines in order of
//! appearance; a key that a line lacks is a missing value.

use std::{
    collections::HashMap,
    fmt::{self, Write},
    io::BufRead,
    ops::Range,
};

use domain::dataset::ReadLimits;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{
    MAX_ROW_BYTES, Record,
    bytes::{Source, read_error},
};
use crate::error::{At, EngineError};

/// Lines in which new keys become columns.
const DISCOVERY_LINES: u64 = 1_000;
/// A character may be written as `\u0041`: six bytes for one.
const ESCAPE_FACTOR: usize = 6;

/// Reads the first lines for their keys.
pub(super) fn discover(source: Source, limits: &ReadLimits) -> Result<Vec<String>, EngineError> {
    let mut rows = JsonRows::new(source, vec![], limits);
    rows.discovering = true;
    let mut record = Record::default();
    while record.at.row < DISCOVERY_LINES && rows.read(&mut record)? {}
    match record.at.row {
        0 => Err(EngineError::EmptyFile),
        _ if rows.slots.names.is_empty() => {
            Err(EngineError::InvalidJson { line: 1, why: "no line holds a key".into() })
        }
        _ => Ok(rows.slots.names),
    }
}

pub(super) struct JsonRows {
    source: Source,
    line: Vec<u8>,
    line_number: u64,
    slots: Slots,
    discovering: bool,
    max_cell_bytes: usize,
    max_columns: usize,
}

/// The current row by column.
struct Slots {
    names: Vec<String>,
    index: HashMap<String, usize>,
    /// Where in `text` each cell is, once it has come.
    cells: Vec<Option<Range<usize>>>,
    /// Cells in the order of the line.
    text: String,
}

impl JsonRows {
    pub fn new(source: Source, columns: Vec<String>, limits: &ReadLimits) -> Self {
        let index = columns.iter().enumerate().map(|(i, name)| (name.clone(), i)).collect();
        let cells = vec![None; columns.len()];
        Self {
            source,
            line: vec![],
            line_number: 0,
            slots: Slots { names: columns, index, cells, text: String::new() },
            discovering: false,
            max_cell_bytes: limits.max_cell_bytes,
            max_columns: limits.max_columns,
        }
    }

    /// False at the end of the file.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, EngineError> {
        loop {
            let at = At { row: record.at.row + 1, line: self.line_number + 1 };
            if !self.read_line(at)? {
                return Ok(false);
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                record.at = at;
                self.parse(at)?;
                break;
            }
        }
        record.text.clear();
        record.ends.clear();
        for cell in &self.slots.cells {
            record.text.push_str(cell.clone().map_or("", |cell| &self.slots.text[cell]));
            record.ends.push(record.text.len());
        }
        Ok(true)
    }

    fn read_line(&mut self, at: At) -> Result<bool, EngineError> {
        self.line.clear();
        let mut scan = Scan::default();
        loop {
            let input = self.source.fill_buf().map_err(read_error)?;
            if input.is_empty() {
                self.line_number += u64::from(!self.line.is_empty());
                return Ok(!self.line.is_empty());
            }
            let end = input.iter().position(|&b| b == b'\n');
            let piece = &input[..end.unwrap_or(input.len())];
            let limit = self.max_cell_bytes.saturating_mul(ESCAPE_FACTOR);
            let fits = piece.iter().all(|&byte| scan.step(byte, limit));
            self.line.extend_from_slice(piece);
            let taken = piece.len() + usize::from(end.is_some());
            self.source.consume(taken);
            if !fits {
                let column = String::from_utf8_lossy(&self.line[scan.key.0..scan.key.1]).into();
                let limit = self.max_cell_bytes;
                return Err(EngineError::CellTooLarge { at, column, limit });
            }
            if self.line.len() > MAX_ROW_BYTES {
                return Err(EngineError::RowTooLarge { at, limit: MAX_ROW_BYTES });
            }
            if end.is_some() {
                self.line_number += 1;
                return Ok(true);
            }
        }
    }

    fn parse(&mut self, at: At) -> Result<(), EngineError> {
        self.slots.cells.fill(None);
        self.slots.text.clear();
        let text = std::str::from_utf8(&self.line).map_err(|e| {
            let before = String::from_utf8_lossy(&self.line[..e.valid_up_to()]);
            let key = before.rsplit('"').nth(2).unwrap_or_default().to_owned();
            EngineError::InvalidUtf8 { at, column: key }
        })?;
        let mut refused = None;
        let mut json = serde_json::Deserializer::from_str(text);
        let object = Object {
            slots: &mut self.slots,
            refused: &mut refused,
            at,
            discovering: self.discovering,
            max_cell_bytes: self.max_cell_bytes,
            max_columns: self.max_columns,
        };
        let parsed = json.deserialize_map(object).and_then(|()| json.end());
        match (refused, parsed) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(()),
            (None, Err(error)) => {
                let message = error.to_string();
                let why = message.rsplit_once(" at line ").map_or(message.as_str(), |(why, _)| why);
                let why = format!("{why} (column {} of the line)", error.column());
                Err(EngineError::InvalidJson { line: at.line, why })
            }
        }
    }
}

/// Follows a line's structure just closely enough to stop at an overlong cell.
#[derive(Default)]
struct Scan {
    position: usize,
    in_string: bool,
    escaped: bool,
    after_colon: bool,
    token_start: usize,
    string: (usize, usize),
    key: (usize, usize),
}

impl Scan {
    /// False if the token that `byte` belongs to is longer than `limit`.
    fn step(&mut self, byte: u8, limit: usize) -> bool {
        let here = self.position;
        self.position += 1;
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => {
                self.in_string = !self.in_string;
                match self.in_string {
                    true => self.string.0 = here + 1,
                    false => self.string.1 = here,
                }
            }
            b':' | b',' | b'{' | b'}' if !self.in_string => {
                if byte == b':' && !self.after_colon && self.string.0 <= self.string.1 {
                    self.key = self.string;
                }
                self.after_colon = byte == b':';
                self.token_start = self.position;
            }
            _ => {}
        }
        self.position - self.token_start <= limit
    }
}

struct Object<'a> {
    slots: &'a mut Slots,
    /// An error of ours, which serde could carry only as text.
    refused: &'a mut Option<EngineError>,
    at: At,
    discovering: bool,
    max_cell_bytes: usize,
    max_columns: usize,
}

impl Object<'_> {
    fn slot(&mut self, key: &str) -> Result<usize, EngineError> {
        if let Some(&i) = self.slots.index.get(key) {
            return match self.slots.cells[i] {
                None => Ok(i),
                Some(_) => Err(EngineError::DuplicateColumn { at: self.at, name: key.to_owned() }),
            };
        }
        if !self.discovering {
            return Err(EngineError::UnknownColumn(format!(
                "{} has the key `{key}`, which none of the first {DISCOVERY_LINES} lines has; give \
                 one of them that key (with null) or remove it",
                self.at
            )));
        }
        if self.slots.names.len() == self.max_columns {
            return Err(EngineError::TooManyColumns { limit: self.max_columns });
        }
        let i = self.slots.names.len();
        self.slots.names.push(key.to_owned());
        self.slots.index.insert(key.to_owned(), i);
        self.slots.cells.push(None);
        Ok(i)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object such as {\"age\": 41, \"city\": \"Pune\"}")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(i) = map.next_key_seed(Key { object: &mut self })? {
            let start = self.slots.text.len();
            let Slots { names, text, .. } = &mut *self.slots;
            map.next_value_seed(Cell { column: &names[i], text })?;
            let cell = start..self.slots.text.len();
            if cell.len() > self.max_cell_bytes {
                let (column, limit) = (self.slots.names[i].clone(), self.max_cell_bytes);
                *self.refused = Some(EngineError::CellTooLarge { at: self.at, column, limit });
                return Err(A::Error::custom("refused"));
            }
            self.slots.cells[i] = Some(cell);
        }
        Ok(())
    }
}

/// A key, which becomes its column's place.
struct Key<'a, 'b> {
    object: &'a mut Object<'b>,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        self.object.slot(key.trim()).map_err(|error| {
            *self.object.refused = Some(error);
            E::custom("refused")
        })
    }
}

/// One value, added to a text as a CSV file would hold it.
struct Cell<'a> {
    column: &'a str,
    text: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number, text, true, false or null in column `{}`", self.column)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        write!(self.text, "{value}").map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        write!(self.text, "{value}").map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        write!(self.text, "{value}").map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        write!(self.text, "{value:?}").map_err(E::custom)
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.text.push_str(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.nested("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.nested("an object"))
    }
}

impl Cell<'_> {
    fn nested<E: Error>(self, what: &str) -> E {
        E::custom(format!(
            "column `{}` holds {what}; flatten it into columns of its own",
            self.column
        ))
    }
}
