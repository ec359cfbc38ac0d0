//! Reads the rows of one or many series and puts each series in order of time.

use std::{collections::HashMap, path::Path};

use domain::{
    child::DataFile,
    dataset::ReadLimits,
    model::{TimeForm, TimeStep},
    spec::{Feature, FeatureKind, Series, TrainingSpec},
};

use super::time;
use crate::{
    calendar::SECONDS_A_DAY,
    error::{At, EngineError},
    read::{Record, Table, is_missing},
    target::finite,
};

/// The series of a file, in order of their names, without gaps.
pub(crate) struct RawSeries {
    pub(crate) form: TimeForm,
    pub(crate) step: TimeStep,
    pub(super) regular: bool,
    pub(super) series: Vec<Steps>,
    /// The values of each known column that holds categories; its cells are indexes into them.
    pub(super) categories: Vec<Vec<String>>,
    pub rows_without_target: u64,
    /// What a person should know of the data, in words.
    pub warnings: Vec<String>,
}

/// One series, sorted by time.
pub(super) struct Steps {
    pub name: String,
    pub times: Vec<f64>,
    pub values: Vec<f64>,
    /// Of each step one after another; NaN where a cell is missing.
    pub known: Vec<f64>,
    /// Steps before the backtest.
    pub training: usize,
}

impl RawSeries {
    /// Gaps are filled by straight lines; a series too short for one window is left out. Both are
    /// told in `warnings`.
    pub fn read(
        file: &Path,
        data: &DataFile,
        limits: &ReadLimits,
        spec: &TrainingSpec,
        series: &Series,
    ) -> Result<Self, EngineError> {
        let mut table = Table::open(file, data, limits)?;
        let places = Places::find(&table, spec, series)?;
        let mut rows = Rows {
            categories: vec![vec![]; series.known.len()],
            codes: vec![HashMap::new(); series.known.len()],
            ..Rows::default()
        };
        while let Some(record) = table.next_row()? {
            rows.push(record, &places, spec, series)?;
        }
        rows.in_order(series)
    }
}

struct Places {
    target: usize,
    time: usize,
    series: Option<usize>,
    known: Vec<usize>,
}

impl Places {
    fn find(table: &Table, spec: &TrainingSpec, series: &Series) -> Result<Self, EngineError> {
        let place = |name: &str| table.place(name);
        Ok(Self {
            target: place(&spec.target)?,
            time: place(&series.time)?,
            series: series.series.as_deref().map(place).transpose()?,
            known: series.known.iter().map(|f| place(&f.name)).collect::<Result<_, _>>()?,
        })
    }
}

/// The rows in the file's order.
#[derive(Default)]
struct Rows {
    form: Option<TimeForm>,
    names: Vec<String>,
    index: HashMap<String, u32>,
    series: Vec<u32>,
    times: Vec<f64>,
    values: Vec<f64>,
    known: Vec<f64>,
    at: Vec<At>,
    categories: Vec<Vec<String>>,
    codes: Vec<HashMap<String, u32>>,
    without_place: u64,
}

impl Rows {
    fn push(
        &mut self,
        record: &Record,
        places: &Places,
        spec: &TrainingSpec,
        series: &Series,
    ) -> Result<(), EngineError> {
        let at = record.at;
        let (moment, name) =
            (record.cell(places.time), places.series.map_or("", |i| record.cell(i)));
        if is_missing(moment) || (places.series.is_some() && is_missing(name)) {
            self.without_place += 1;
            return Ok(());
        }
        let time = self.time(moment, at, series)?;
        let target = record.cell(places.target);
        let value = if is_missing(target) { f64::NAN } else { finite(target, at, &spec.target)? };
        for (i, (&place, feature)) in places.known.iter().zip(&series.known).enumerate() {
            let cell = self.known_cell(i, record.cell(place), at, feature)?;
            self.known.push(cell);
        }
        let id = self.index.get(name).copied().unwrap_or_else(|| {
            let id = self.names.len() as u32;
            self.names.push(name.to_owned());
            self.index.insert(name.to_owned(), id);
            id
        });
        self.series.push(id);
        self.times.push(time);
        self.values.push(value);
        self.at.push(at);
        Ok(())
    }

    /// Dates and plain numbers do not mix, and a calendar needs dates.
    fn time(&mut self, cell: &str, at: At, series: &Series) -> Result<f64, EngineError> {
        let dates = match self.form {
            Some(form) => form != TimeForm::Number,
            None => !series.calendar.is_empty(),
        };
        let refuse = |dates| EngineError::NotATime {
            at,
            column: series.time.clone(),
            value: cell.to_owned(),
            dates,
        };
        let (time, form) =
            time::parse(cell).ok_or_else(|| refuse(self.form != Some(TimeForm::Number)))?;
        let first_of_numbers = self.form.is_none() && series.calendar.is_empty();
        if (form != TimeForm::Number) != dates && !first_of_numbers {
            return Err(refuse(dates));
        }
        self.form = self.form.max(Some(form));
        Ok(time)
    }

    fn known_cell(
        &mut self,
        i: usize,
        cell: &str,
        at: At,
        feature: &Feature,
    ) -> Result<f64, EngineError> {
        if is_missing(cell) {
            return Ok(f64::NAN);
        }
        match feature.kind {
            FeatureKind::Numeric => finite(cell, at, &feature.name),
            FeatureKind::Date => match time::parse(cell) {
                Some((time, form)) if form != TimeForm::Number => Ok(time / SECONDS_A_DAY),
                _ => Err(EngineError::NotATime {
                    at,
                    column: feature.name.clone(),
                    value: cell.to_owned(),
                    dates: true,
                }),
            },
            FeatureKind::Categorical => {
                let (codes, values) = (&mut self.codes[i], &mut self.categories[i]);
                let code = codes.get(cell).copied().unwrap_or_else(|| {
                    let code = values.len() as u32;
                    values.push(cell.to_owned());
                    codes.insert(cell.to_owned(), code);
                    code
                });
                Ok(f64::from(code))
            }
        }
    }

    fn in_order(self, spec: &Series) -> Result<RawSeries, EngineError> {
        let form = self.form.unwrap_or(TimeForm::Number);
        let mut by_name: Vec<u32> = (0..self.names.len() as u32).collect();
        by_name.sort_unstable_by_key(|&i| &self.names[i as usize]);
        let mut place = vec![0_u32; by_name.len()];
        by_name.iter().zip(0..).for_each(|(&i, at)| place[i as usize] = at);
        let mut order: Vec<u32> = (0..self.times.len() as u32).collect();
        order.sort_by(|&a, &b| {
            let name = |i: u32| place[self.series[i as usize] as usize];
            let time = |i: u32| self.times[i as usize];
            name(a).cmp(&name(b)).then(time(a).total_cmp(&time(b)))
        });
        let mut warnings = Warnings { without_place: self.without_place, ..Warnings::default() };
        let mut series = vec![];
        for rows in order.chunk_by(|&a, &b| self.series[a as usize] == self.series[b as usize]) {
            self.no_two_at_once(rows, form, spec)?;
            series.extend(self.gather(rows, spec, &mut warnings));
        }
        let all: Vec<&[f64]> = series.iter().map(|s| &s.times[..]).collect();
        let (step, irregular) = time::step(form, &all);
        warnings.irregular = irregular;
        enough(&series, spec)?;
        Ok(RawSeries {
            form,
            step,
            regular: irregular == 0,
            series,
            categories: self.categories,
            rows_without_target: warnings.without_target,
            warnings: warnings.in_words(step, spec),
        })
    }

    fn no_two_at_once(
        &self,
        rows: &[u32],
        form: TimeForm,
        spec: &Series,
    ) -> Result<(), EngineError> {
        let same = |pair: &&[u32]| self.times[pair[0] as usize] == self.times[pair[1] as usize];
        let Some(pair) = rows.windows(2).find(same) else { return Ok(()) };
        let (a, b) = (pair[0].min(pair[1]) as usize, pair[0].max(pair[1]) as usize);
        Err(EngineError::DuplicateTime {
            at: self.at[b],
            earlier: self.at[a],
            column: spec.time.clone(),
            value: time::show(self.times[b], form),
            series: self.names[self.series[b] as usize].clone(),
        })
    }

    /// One series from its first to its last value, or nothing if it is too short.
    fn gather(&self, rows: &[u32], spec: &Series, warnings: &mut Warnings) -> Option<Steps> {
        let is_known = |i: &u32| !self.values[*i as usize].is_nan();
        let first = rows.iter().position(is_known).unwrap_or(rows.len());
        let last = rows.iter().rposition(is_known).map_or(first, |i| i + 1);
        warnings.without_target += (rows.len() - (last - first)) as u64;
        let rows = &rows[first..last];
        let (lookback, horizon) = (spec.lookback as usize, spec.horizon as usize);
        if rows.len() < lookback + horizon {
            warnings.short += 1;
            return None;
        }
        let training = rows.len().saturating_sub(spec.backtest as usize * horizon);
        let mut values: Vec<f64> = rows.iter().map(|&i| self.values[i as usize]).collect();
        let blocks = (training..values.len()).step_by(horizon.max(1)).skip(1);
        let ends: Vec<usize> = [training].into_iter().chain(blocks).chain([values.len()]).collect();
        warnings.filled += fill_gaps(&mut values, &ends);
        let width = spec.known.len();
        let known = rows.iter().flat_map(|&i| &self.known[i as usize * width..][..width]);
        Some(Steps {
            name: self.names[self.series[rows[0] as usize] as usize].clone(),
            times: rows.iter().map(|&i| self.times[i as usize]).collect(),
            values,
            known: known.copied().collect(),
            training,
        })
    }
}

/// Fills NaNs by a straight line between their neighbours. Nothing is learned from behind an end: a
/// gap that reaches one goes on with the last value. The first value is not NaN.
pub(super) fn fill_gaps(values: &mut [f64], ends: &[usize]) -> u64 {
    let mut filled = 0;
    let mut i = 0;
    while i < values.len() {
        if !values[i].is_nan() {
            i += 1;
            continue;
        }
        let end = ends.iter().copied().find(|&end| end > i).unwrap_or(values.len());
        let gap = values[i..end].iter().take_while(|v| v.is_nan()).count();
        let left = values[i - 1];
        let right = if i + gap < end { values[i + gap] } else { left };
        for step in 0..gap {
            let part = (step + 1) as f64 / (gap + 1) as f64;
            values[i + step] = left * (1.0 - part) + right * part;
        }
        filled += gap as u64;
        i += gap;
    }
    filled
}

/// At least one window must lie wholly before the backtest.
fn enough(series: &[Steps], spec: &Series) -> Result<(), EngineError> {
    let window = spec.lookback as usize + spec.horizon as usize;
    if series.iter().any(|s| s.training >= window) {
        return Ok(());
    }
    let held_back = spec.backtest as usize * spec.horizon as usize;
    let longest = series.iter().map(|s| s.values.len()).max();
    let longest = longest.map_or(String::new(), |n| format!(" and the longest one has {n}"));
    Err(EngineError::NoRows(format!(
        "no series is long enough to train on: a lookback of {} and a horizon of {} need {window} \
         rows, {held_back} more are held back for the backtest{longest}; look back on or forecast \
         fewer steps, or add rows",
        spec.lookback, spec.horizon
    )))
}

#[derive(Default)]
struct Warnings {
    without_place: u64,
    without_target: u64,
    filled: u64,
    short: u64,
    irregular: usize,
}

impl Warnings {
    fn in_words(&self, step: TimeStep, spec: &Series) -> Vec<String> {
        let time = &spec.time;
        let mut lines = vec![];
        if self.without_place > 0 {
            let or = spec.series.as_ref().map_or(String::new(), |s| format!(" or `{s}`"));
            lines.push(format!("{} rows without `{time}`{or} are left out", self.without_place));
        }
        if self.filled > 0 {
            lines.push(format!("{} missing values are filled by straight lines", self.filled));
        }
        if self.short > 0 {
            lines.push(format!(
                "{} series are shorter than a lookback of {} and a horizon of {} and are left out",
                self.short, spec.lookback, spec.horizon
            ));
        }
        if self.irregular > 0 {
            lines.push(format!(
                "{} steps of `{time}` are not {}; rows count as steps all the same",
                self.irregular,
                time::describe(step)
            ));
        }
        lines
    }
}
