//! From raw values to a network's inputs, alike for rows of a file and for those of a prediction.

use std::ops::Range;

use domain::{field::FieldErrors, model::FittedColumn, predict::Row};
use serde_json::Value;

use super::{category::Categories, date};
use crate::{
    calendar,
    value::{self, MAX_ERRORS},
};

/// More inputs than the largest network that the platform trains has parameters.
const MAX_WIDTH: usize = 1 << 26;

/// The way from raw rows to inputs, column by column. Safe to share between threads.
pub(crate) struct Encoders {
    pub(super) columns: Vec<Encoder>,
    /// Places of the columns in the order of their names, which is a row's own.
    by_name: Vec<usize>,
    width: usize,
}

/// One column's way.
pub(super) struct Encoder {
    name: String,
    required: bool,
    pub offset: usize,
    pub way: Way,
}

pub(super) enum Way {
    Number { line: Line, indicator: bool },
    Date(Line),
    Category(Categories),
}

/// `(x - center) / scale`, with `fill` in place of a missing value.
pub(super) struct Line {
    pub fill: f64,
    pub center: f64,
    pub scale: f64,
}

impl Line {
    /// Within the range of `f32`.
    pub fn at(&self, x: Option<f64>) -> f32 {
        let limit = f64::from(f32::MAX);
        ((x.unwrap_or(self.fill) - self.center) / self.scale).clamp(-limit, limit) as f32
    }
}

/// Fills a number's inputs, which are zero before.
pub(super) fn write_number(x: Option<f64>, line: &Line, indicator: bool, inputs: &mut [f32]) {
    inputs[0] = line.at(x);
    if indicator && x.is_none() {
        inputs[1] = 1.0;
    }
}

impl Encoders {
    /// Of columns that were fitted here or passed [`check`].
    pub fn new(columns: &[FittedColumn]) -> Self {
        let mut width = 0;
        let encoder = |column: &FittedColumn| {
            let (name, required) = (column.name().to_owned(), column.required());
            let offset = width;
            width += column.width();
            Encoder { name, required, offset, way: Way::new(column) }
        };
        let columns: Vec<Encoder> = columns.iter().map(encoder).collect();
        let mut by_name: Vec<usize> = (0..columns.len()).collect();
        by_name.sort_by(|&a, &b| columns[a].name.cmp(&columns[b].name));
        Self { columns, by_name, width }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// Of a row of which nothing is known: what stands in for a missing number or date, though not marked as missing,
    /// and a missing category.
    pub fn baseline(&self) -> Vec<f32> {
        let mut inputs = vec![0.0; self.width];
        for column in &self.columns {
            let inputs = &mut inputs[column.offset..];
            match &column.way {
                Way::Number { line, .. } => write_number(None, line, false, inputs),
                Way::Date(age) => date::write(None, age, inputs),
                Way::Category(categories) => {
                    if let Some((place, x)) = categories.missing() {
                        inputs[place] = x;
                    }
                }
            }
        }
        inputs
    }

    /// The columns by name, and which of the inputs each fills.
    pub fn spans(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        let ends = self.columns.iter().skip(1).map(|column| column.offset);
        let ends = ends.chain([self.width]);
        self.columns.iter().zip(ends).map(|(column, end)| (&*column.name, column.offset..end))
    }

    /// Row after row. A row names every column; null is a missing value. What cannot be read is added
    /// to `errors`, of which there are at most 100, and then the inputs mean nothing.
    pub fn encode(&self, rows: &[Row], errors: &mut FieldErrors) -> Vec<f32> {
        let mut inputs = vec![0.0; rows.len() * self.width];
        let mut cells = vec![None; self.columns.len()];
        for (i, row) in rows.iter().enumerate() {
            let inputs = &mut inputs[i * self.width..][..self.width];
            self.find(row, &mut cells);
            for (column, cell) in self.columns.iter().zip(&cells) {
                if errors.0.len() >= MAX_ERRORS {
                    return vec![];
                }
                let cell = cell.ok_or_else(|| value::ABSENT.to_owned());
                if let Err(why) = cell.and_then(|x| column.encode(x, &mut inputs[column.offset..]))
                {
                    errors.add(format!("rows[{i}].{}", column.name), why);
                }
            }
        }
        inputs
    }

    /// The value of each column: one walk along the row, whose names come in their order, instead of a
    /// search for each of them.
    fn find<'a>(&self, row: &'a Row, cells: &mut [Option<&'a Value>]) {
        let mut rest = row.iter().peekable();
        for &place in &self.by_name {
            let name = &self.columns[place].name;
            let same = |(other, _): &(&String, &Value)| *other == name;
            let mut here = rest.next_if(same);
            if here.is_none() {
                while rest.next_if(|(other, _)| *other < name).is_some() {}
                here = rest.next_if(same);
            }
            cells[place] = here.map(|(_, value)| value).or_else(|| row.get(name));
        }
    }
}

impl Way {
    fn new(column: &FittedColumn) -> Self {
        match column {
            &FittedColumn::Scale { fill, center, scale, indicator, .. } => {
                Self::Number { line: Line { fill, center, scale }, indicator }
            }
            FittedColumn::OneHot { categories, infrequent, fill, .. } => {
                Self::Category(Categories::one_hot(categories, *infrequent, fill.as_deref()))
            }
            FittedColumn::Ordinal { categories, fill, center, scale, .. } => {
                let line = Line { fill: 0.0, center: *center, scale: *scale };
                Self::Category(Categories::ordinal(categories, &line, fill.as_deref()))
            }
            FittedColumn::Hash { buckets, fill, .. } => {
                Self::Category(Categories::hashed(*buckets, fill.as_deref()))
            }
            &FittedColumn::Date { fill, center, scale, .. } => {
                Self::Date(Line { fill, center, scale })
            }
        }
    }
}

impl Encoder {
    fn encode(&self, value: &Value, inputs: &mut [f32]) -> Result<(), String> {
        if self.required && value::missing(value) {
            let why = "the value is missing, and the model was trained without rows that lack it; \
                       give a value, or train with another imputation than `drop`";
            return Err(why.into());
        }
        match &self.way {
            Way::Number { line, indicator } => {
                write_number(value::number(value)?, line, *indicator, inputs);
            }
            Way::Date(age) => date::write(date(value)?, age, inputs),
            Way::Category(categories) => {
                if let Some((place, x)) = categories.value(value)? {
                    inputs[place] = x;
                }
            }
        }
        Ok(())
    }
}

fn date(value: &Value) -> Result<Option<i64>, String> {
    let time = match value {
        _ if value::missing(value) => return Ok(None),
        Value::String(text) => calendar::parse(text.trim()),
        _ => None,
    };
    time.map(|(time, _)| Some(date::seconds(time))).ok_or_else(|| {
        let got = value::name(value);
        format!(
            "expected a date such as `2026-01-31` or `2026-01-31T08:00:00Z`, or null; got {got}"
        )
    })
}

/// Columns of a stored model may come from anywhere: what [`Encoders`] relies on is checked here.
pub(crate) fn check(columns: &[FittedColumn]) -> Result<(), String> {
    let mut width = 0_usize;
    for column in columns {
        let (fill, center, scale) = match *column {
            FittedColumn::Scale { fill, center, scale, .. }
            | FittedColumn::Date { fill, center, scale, .. } => (fill, center, scale),
            FittedColumn::Ordinal { center, scale, .. } => (0.0, center, scale),
            FittedColumn::OneHot { .. } | FittedColumn::Hash { .. } => (0.0, 0.0, 1.0),
        };
        let name = column.name();
        if !(fill.is_finite() && center.is_finite() && scale.is_finite()) || scale == 0.0 {
            return Err(format!("column `{name}` is scaled by zero or by a number not finite"));
        }
        if matches!(column, FittedColumn::Hash { buckets: 0, .. }) {
            return Err(format!("column `{name}` is hashed into no inputs"));
        }
        width = width.saturating_add(column.width());
        if width > MAX_WIDTH {
            return Err(format!("its columns fill more than {MAX_WIDTH} inputs"));
        }
    }
    Ok(())
}
