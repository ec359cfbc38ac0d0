//! One column while its cells go by.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasherDefault,
};

use domain::dataset::{
    Chars, ColumnProfile, ColumnType, MAX_COUNTED_DISTINCT, MAX_LISTED_VALUES, ValueCount,
};

use crate::{
    calendar,
    error::At,
    hash::AsItIs,
    read::{Number, integer, is_missing, number},
};

/// Columns with a longer value are text, whose values nobody lists.
const MAX_LISTED_BYTES: usize = 256;
/// What all columns together may count; files with hundreds of columns count less in each.
const MAX_COUNTED_IN_ALL: usize = 4_000_000;
/// Text is categorical with at most so many values, or this share of the rows where that is more.
const MAX_CATEGORIES_OF_FEW_ROWS: u64 = 20;
const MAX_CATEGORIES_SHARE: f64 = 0.05;
/// A column with at least this share of numbers was probably meant to be numeric.
const MEANT_NUMERIC_SHARE: f64 = 0.9;

pub(super) struct Column {
    present: u64,
    missing: u64,
    integers: u64,
    floats: u64,
    infinite: u64,
    booleans: u64,
    dates: u64,
    chars: u64,
    max_chars: u64,
    first_not_number: Option<(At, String)>,
    min: f64,
    mean: f64,
    max: f64,
    values: Values,
}

/// Where a column that is nearly numeric is not.
pub(super) struct OddOneOut {
    pub at: At,
    pub value: String,
    pub not_numbers: u64,
    pub present: u64,
}

impl Column {
    pub fn new(columns: usize) -> Self {
        Self {
            present: 0,
            missing: 0,
            integers: 0,
            floats: 0,
            infinite: 0,
            booleans: 0,
            dates: 0,
            chars: 0,
            max_chars: 0,
            first_not_number: None,
            min: f64::INFINITY,
            mean: 0.0,
            max: f64::NEG_INFINITY,
            values: Values::new(columns),
        }
    }

    /// A cell and its hash.
    pub fn add(&mut self, cell: &str, hash: u128, at: At) {
        if is_missing(cell) {
            self.missing += 1;
            return;
        }
        self.present += 1;
        self.values.add(cell, hash);
        let chars = if cell.is_ascii() { cell.len() } else { cell.chars().count() } as u64;
        self.chars += chars;
        self.max_chars = self.max_chars.max(chars);
        match number(cell) {
            Some(Number::Finite(n)) => self.add_number(n, integer(cell)),
            Some(Number::Infinite) => self.infinite += 1,
            None => {
                let boolean =
                    cell.eq_ignore_ascii_case("true") || cell.eq_ignore_ascii_case("false");
                self.booleans += u64::from(boolean);
                self.dates += u64::from(calendar::parse(cell).is_some());
                if self.first_not_number.is_none() {
                    self.first_not_number = Some((at, cell.chars().take(100).collect()));
                }
            }
        }
    }

    fn add_number(&mut self, n: f64, integer: bool) {
        if integer {
            self.integers += 1;
        } else {
            self.floats += 1;
        }
        self.min = self.min.min(n);
        self.max = self.max.max(n);
        self.mean += (n - self.mean) / (self.integers + self.floats) as f64;
    }

    fn kind(&self, rows: u64) -> ColumnType {
        let numbers = self.integers + self.floats + self.infinite;
        let share = (rows as f64 * MAX_CATEGORIES_SHARE) as u64;
        if self.present == 0 {
            ColumnType::Empty
        } else if self.present == self.integers {
            ColumnType::Integer
        } else if self.present == numbers {
            ColumnType::Float
        } else if self.present == self.booleans {
            ColumnType::Boolean
        } else if self.present == self.dates {
            ColumnType::Date
        } else if self.values.listing
            && self.values.distinct() <= share.max(MAX_CATEGORIES_OF_FEW_ROWS)
        {
            ColumnType::Categorical
        } else {
            ColumnType::Text
        }
    }

    pub fn odd_one_out(&self) -> Option<OddOneOut> {
        let numbers = self.integers + self.floats + self.infinite;
        let (at, value) = self.first_not_number.clone()?;
        let nearly = numbers as f64 >= self.present as f64 * MEANT_NUMERIC_SHARE;
        let (not_numbers, present) = (self.present - numbers, self.present);
        nearly.then_some(OddOneOut { at, value, not_numbers, present })
    }

    pub fn into_profile(self, name: String, rows: u64) -> ColumnProfile {
        let kind = self.kind(rows);
        let finite = kind.is_numeric() && self.integers + self.floats > 0;
        let shown = |n: f64| Some(n).filter(|n| finite && n.is_finite());
        let chars = Chars { mean: self.chars as f64 / self.present as f64, max: self.max_chars };
        ColumnProfile {
            chars: (kind == ColumnType::Text).then_some(chars),
            image: None,
            name,
            kind,
            missing: self.missing,
            infinite: if kind.is_numeric() { self.infinite } else { 0 },
            distinct: self.values.distinct(),
            distinct_is_exact: self.values.counting,
            min: shown(self.min),
            mean: shown(self.mean),
            max: shown(self.max),
            values: self.values.into_list(),
        }
    }
}

/// The values seen: each with its count while they are few, then only how many there are, then no
/// more than that they are many.
struct Values {
    counts: HashMap<u128, (String, u64), BuildHasherDefault<AsItIs>>,
    listing: bool,
    hashes: HashSet<u128, BuildHasherDefault<AsItIs>>,
    counting: bool,
    max_listed: usize,
    max_counted: usize,
}

impl Values {
    fn new(columns: usize) -> Self {
        let fair = (MAX_COUNTED_IN_ALL / columns.max(1)).max(100);
        Self {
            counts: HashMap::default(),
            listing: true,
            hashes: HashSet::default(),
            counting: true,
            max_listed: MAX_LISTED_VALUES.min(fair),
            max_counted: MAX_COUNTED_DISTINCT.min(fair),
        }
    }

    fn add(&mut self, value: &str, hash: u128) {
        if !self.counting {
            return;
        }
        if let Some((_, rows)) = self.counts.get_mut(&hash) {
            *rows += 1;
            return;
        }
        if self.listing && self.counts.len() < self.max_listed && value.len() <= MAX_LISTED_BYTES {
            self.counts.insert(hash, (value.to_owned(), 1));
            return;
        }
        self.listing = false;
        let counts = std::mem::take(&mut self.counts);
        self.hashes.extend(counts.keys());
        self.hashes.insert(hash);
        if self.hashes.len() > self.max_counted {
            self.counting = false;
            self.hashes = HashSet::default();
        }
    }

    fn distinct(&self) -> u64 {
        let n = match (self.listing, self.counting) {
            (true, _) => self.counts.len(),
            (false, true) => self.hashes.len(),
            (false, false) => self.max_counted,
        };
        n as u64
    }

    /// Most frequent first.
    fn into_list(self) -> Option<Vec<ValueCount>> {
        let mut list: Vec<_> =
            self.counts.into_values().map(|(value, rows)| ValueCount { value, rows }).collect();
        list.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.value.cmp(&b.value)));
        self.listing.then_some(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hash128;

    fn profile(cells: &[&str]) -> ColumnProfile {
        let mut column = Column::new(1);
        cells.iter().for_each(|cell| column.add(cell, hash128(cell.as_bytes()), At::default()));
        column.into_profile("x".into(), cells.len() as u64)
    }

    #[test]
    fn a_column_is_of_dates_if_every_value_is_one() {
        let kind = |cells: &[&str]| profile(cells).kind;
        assert_eq!(kind(&["2026-01", "", "2026-02"]), ColumnType::Date);
        assert_eq!(
            kind(&["2026-01-31", "2026-01-31 08:00", "2026-01-31T08:00Z"]),
            ColumnType::Date
        );
        assert_eq!(kind(&["2026-01-31", "soon"]), ColumnType::Categorical);
        assert_eq!(kind(&["2026-01-31", "2026"]), ColumnType::Categorical);
        assert_eq!(kind(&["2024", "2025"]), ColumnType::Integer);
        assert_eq!(kind(&["20240131", "20250131"]), ColumnType::Integer);
        let dates = profile(&["2026-01", "2026-02", "2026-01"]);
        assert_eq!((dates.distinct, dates.min, dates.chars), (2, None, None));
    }

    #[test]
    fn text_says_how_long_it_is() {
        let mut cells: Vec<String> = (100..140).map(|i| format!("é{i}")).collect();
        cells.extend(["".into(), "1".into(), "twelve chars".into()]);
        let text = profile(&cells.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(text.kind, ColumnType::Text);
        assert_eq!(text.chars, Some(Chars { mean: 173.0 / 42.0, max: 12 }));
        assert_eq!(profile(&["a", "b"]).chars, None);
    }
}
