//! One column of a table: its cells on their way into a record and out of one.

use domain::{
    model::FittedColumn,
    spec::{Feature, FeatureKind, Preprocess},
};

use super::{
    category::{Categories, Set},
    date,
    dictionary::Dictionary,
    encode::{Line, Way, write_number},
    fit::{self, Choices},
    numbers::NumberFit,
    rows::number,
};
use crate::{
    calendar,
    error::{At, EngineError},
    read::is_missing,
    target::finite,
};

const MISSING: u32 = u32::MAX;
/// Before any date that [`calendar::parse`] reads.
const NO_DATE: i64 = i64::MIN;

pub(super) struct RawColumn {
    pub name: String,
    /// Where its cells stand in a record.
    pub place: usize,
    kind: Kind,
}

enum Kind {
    /// NaN where the value is missing.
    Numbers,
    /// Seconds since 1970, or `NO_DATE`.
    Dates,
    /// Numbers of texts, or `MISSING`.
    Categories(Dictionary),
}

/// What is gathered of a column's training rows.
pub(super) enum ColumnFit {
    Numbers(NumberFit),
    /// Rows of each text, and rows without one.
    Categories(Vec<u64>, u64),
}

impl RawColumn {
    pub fn new(feature: &Feature, place: usize) -> Self {
        let kind = match feature.kind {
            FeatureKind::Numeric => Kind::Numbers,
            FeatureKind::Date => Kind::Dates,
            FeatureKind::Categorical => Kind::Categories(Dictionary::default()),
        };
        Self { name: feature.name.clone(), place, kind }
    }

    /// Bytes of a cell in a record.
    pub fn width(&self) -> usize {
        match self.kind {
            Kind::Numbers | Kind::Dates => 8,
            Kind::Categories(_) => 4,
        }
    }

    /// Adds the cell to a record.
    pub fn write(&mut self, cell: &str, at: At, record: &mut Vec<u8>) -> Result<(), EngineError> {
        let missing = is_missing(cell);
        match &mut self.kind {
            Kind::Numbers => {
                let x = if missing { f64::NAN } else { finite(cell, at, &self.name)? };
                record.extend(x.to_le_bytes());
            }
            Kind::Dates if missing => record.extend(NO_DATE.to_le_bytes()),
            Kind::Dates => {
                let (time, _) = calendar::parse(cell).ok_or_else(|| EngineError::NotADate {
                    at,
                    column: self.name.clone(),
                    value: cell.to_owned(),
                })?;
                record.extend(date::seconds(time).to_le_bytes());
            }
            Kind::Categories(texts) => {
                let code = if missing { MISSING } else { texts.number(cell) };
                record.extend(code.to_le_bytes());
            }
        }
        Ok(())
    }

    pub fn start_fit(&self, preprocess: &Preprocess) -> ColumnFit {
        let choices = Choices::of(&self.name, preprocess);
        match &self.kind {
            Kind::Numbers => ColumnFit::Numbers(NumberFit::of_numbers(&choices)),
            Kind::Dates => ColumnFit::Numbers(NumberFit::of_dates(&choices)),
            Kind::Categories(texts) => ColumnFit::Categories(vec![0; texts.len()], 0),
        }
    }

    /// A number, or the days of a date; NaN where it is missing.
    pub fn value(&self, record: &[u8]) -> f64 {
        match self.kind {
            Kind::Numbers => f64::from_le_bytes(number(record, self.place)),
            Kind::Dates => seconds(record, self.place).map_or(f64::NAN, date::days),
            Kind::Categories(_) => f64::NAN,
        }
    }

    pub fn count(&self, record: &[u8], fit: &mut ColumnFit) {
        match fit {
            ColumnFit::Numbers(fit) => fit.count(self.value(record)),
            ColumnFit::Categories(counts, missing) => {
                let code = code(record, self.place);
                *counts.get_mut(code as usize).unwrap_or(missing) += 1;
            }
        }
    }

    pub fn end_fit(&self, fit: ColumnFit, preprocess: &Preprocess) -> FittedColumn {
        let (name, choices) = (&self.name, Choices::of(&self.name, preprocess));
        match (&self.kind, fit) {
            (Kind::Numbers, ColumnFit::Numbers(fit)) => fit.number(name, &choices),
            (Kind::Dates, ColumnFit::Numbers(fit)) => fit.date(name, &choices),
            (Kind::Categories(texts), ColumnFit::Categories(counts, missing)) => {
                let seen = texts.texts().zip(counts).filter(|(_, rows)| *rows > 0).collect();
                fit::categories(name, seen, missing, &choices)
            }
            _ => unreachable!("a column is fitted by its own kind"),
        }
    }

    /// The way from this column's cells, whose categories are matched by their text: `way` may come
    /// from another file's table.
    pub fn cells(&self, way: Way) -> Cells {
        match (&self.kind, way) {
            (Kind::Numbers, Way::Number { line, indicator }) => Cells::Numbers { line, indicator },
            (Kind::Dates, Way::Date(age)) => Cells::Dates(age),
            (Kind::Categories(texts), Way::Category(categories)) => {
                Cells::Categories(CodeSets::new(texts, &categories))
            }
            _ => unreachable!("a column is fitted by its own kind"),
        }
    }
}

/// From a record's cell to inputs.
pub(super) enum Cells {
    Numbers { line: Line, indicator: bool },
    Dates(Line),
    Categories(CodeSets),
}

/// What each number of a text sets.
pub(super) struct CodeSets {
    sets: Vec<Option<Set>>,
    missing: Option<Set>,
}

impl CodeSets {
    fn new(texts: &Dictionary, categories: &Categories) -> Self {
        let sets = texts.texts().map(|text| categories.text(text)).collect();
        Self { sets, missing: categories.missing() }
    }
}

impl Cells {
    /// Fills the column's inputs, which are zero before.
    pub fn write(&self, record: &[u8], place: usize, inputs: &mut [f32]) {
        match self {
            Self::Numbers { line, indicator } => {
                let x = f64::from_le_bytes(number(record, place));
                write_number(Some(x).filter(|x| !x.is_nan()), line, *indicator, inputs);
            }
            Self::Dates(age) => date::write(seconds(record, place), age, inputs),
            Self::Categories(CodeSets { sets, missing }) => {
                let set = sets.get(code(record, place) as usize).unwrap_or(missing);
                if let Some((place, x)) = *set {
                    inputs[place] = x;
                }
            }
        }
    }
}

fn seconds(record: &[u8], place: usize) -> Option<i64> {
    Some(i64::from_le_bytes(number(record, place))).filter(|&seconds| seconds != NO_DATE)
}

fn code(record: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(number(record, place))
}
