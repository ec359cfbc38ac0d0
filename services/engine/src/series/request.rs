//! A forecast that is asked for: rows of history become a window, and the times of the forecast are
//! known before its values.

use std::collections::HashMap;

use domain::{
    field::FieldErrors,
    model::{FittedKnown, FittedSeries, TimeForm},
    predict::Row,
    spec::Series,
};
use serde_json::Value;

use super::{
    fit::{push_category, push_number},
    read::fill_gaps,
    time,
    window::{push_window, unit},
};
use crate::{
    calendar::SECONDS_A_DAY,
    error::shown,
    unit::Unit,
    value::{self, MAX_ERRORS},
};

/// One window a series, in the order in which the series first appear.
#[derive(Debug)]
pub(crate) struct Request {
    pub inputs: Vec<f32>,
    pub origins: Vec<Origin>,
}

/// Where a forecast starts, and what turns the network's outputs into it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    /// None in a dataset of one series.
    pub series: Option<String>,
    pub unit: Unit,
    /// Of the `horizon` steps, written as in the training data.
    pub times: Vec<String>,
}

#[derive(Clone, Copy)]
struct Step {
    /// Its place among the request's rows.
    row: usize,
    time: f64,
    /// NaN where it is missing.
    value: f64,
}

/// The rows of each series up to its last value of `target` are history; those after it hold what is
/// known of the steps to forecast. Nothing is returned if there are errors.
pub(crate) fn encode_request(
    fitted: &FittedSeries,
    series: &Series,
    target: &str,
    rows: &[Row],
    errors: &mut FieldErrors,
) -> Option<Request> {
    let before = errors.0.len();
    if rows.is_empty() {
        let need = series.lookback;
        errors.add("rows", format!("there are none; give the last {need} rows of a series"));
    }
    let groups = group(fitted, series, target, rows, errors);
    let mut request = Request { inputs: vec![], origins: vec![] };
    if errors.0.len() > before {
        return None;
    }
    for (name, steps) in groups {
        let asked = Asked { fitted, series, target, rows, name: &name };
        if let Some(origin) = asked.encode(steps, &mut request.inputs, errors) {
            request.origins.push(origin);
        }
        if errors.0.len() >= MAX_ERRORS {
            return None;
        }
    }
    (errors.0.len() == before).then_some(request)
}

fn group(
    fitted: &FittedSeries,
    series: &Series,
    target: &str,
    rows: &[Row],
    errors: &mut FieldErrors,
) -> Vec<(String, Vec<Step>)> {
    let mut groups: Vec<(String, Vec<Step>)> = vec![];
    let mut index = HashMap::new();
    for (i, row) in rows.iter().enumerate() {
        if errors.0.len() >= MAX_ERRORS {
            break;
        }
        let mut fail = |column: &str, why: String| errors.add(format!("rows[{i}].{column}"), why);
        let time = value::of(row, &series.time).and_then(|v| moment(v, fitted.form));
        let name = match &series.series {
            None => Ok(String::new()),
            Some(column) => value::of(row, column).and_then(value::text).and_then(|name| {
                name.ok_or_else(|| "null; say which series the row belongs to".into())
            }),
        };
        let value = row.get(target).map_or(Ok(None), value::number);
        match (time, name, value) {
            (Ok(time), Ok(name), Ok(value)) => {
                let step = Step { row: i, time, value: value.unwrap_or(f64::NAN) };
                let group = *index.entry(name.clone()).or_insert_with(|| {
                    groups.push((name, vec![]));
                    groups.len() - 1
                });
                groups[group].1.push(step);
            }
            (time, name, value) => {
                time.err().into_iter().for_each(|why| fail(&series.time, why));
                let column = series.series.as_deref().unwrap_or_default();
                name.err().into_iter().for_each(|why| fail(column, why));
                value.err().into_iter().for_each(|why| fail(target, why));
            }
        }
    }
    groups
}

fn moment(value: &Value, form: TimeForm) -> Result<f64, String> {
    let dates = form != TimeForm::Number;
    let parsed = match value {
        Value::String(_) | Value::Number(_) => {
            value::text(value)?.and_then(|text| time::parse(&text))
        }
        _ => None,
    };
    match parsed {
        Some((time, form)) if (form != TimeForm::Number) == dates => Ok(time),
        _ => {
            let needs = if dates { "a date like 2026-01-31" } else { "a number" };
            Err(format!("expected {needs}; got {}", value::name(value)))
        }
    }
}

/// One series of a request.
struct Asked<'a> {
    fitted: &'a FittedSeries,
    series: &'a Series,
    target: &'a str,
    rows: &'a [Row],
    name: &'a str,
}

impl Asked<'_> {
    fn encode(
        &self,
        mut steps: Vec<Step>,
        inputs: &mut Vec<f32>,
        errors: &mut FieldErrors,
    ) -> Option<Origin> {
        steps.sort_by(|a, b| a.time.total_cmp(&b.time));
        if let Some(pair) = steps.windows(2).find(|pair| pair[0].time == pair[1].time) {
            let (a, b) = (pair[0].row.min(pair[1].row), pair[0].row.max(pair[1].row));
            let field = format!("rows[{b}].{}", self.series.time);
            errors.add(field, format!("is the time of rows[{a}] too; give one row a step"));
            return None;
        }
        let (lookback, horizon) = (self.series.lookback as usize, self.series.horizon as usize);
        let first = steps.iter().position(|s| !s.value.is_nan()).unwrap_or(steps.len());
        let end = steps.iter().rposition(|s| !s.value.is_nan()).map_or(first, |last| last + 1);
        if end - first < lookback || lookback == 0 {
            errors.add("rows", self.too_short(end - first));
            return None;
        }
        let mut values: Vec<f64> = steps[first..end].iter().map(|s| s.value).collect();
        fill_gaps(&mut values, &[]);
        let window = &values[values.len() - lookback..];
        let last = steps[end - 1].time;
        let later = &steps[end..steps.len().min(end.saturating_add(horizon))];
        let times = self.times(last, later, errors)?;
        let mut features = vec![];
        for step in &steps[end - lookback..end] {
            self.push_features(step.time, Some(step.row), &mut features, errors);
        }
        for (i, &time) in times.iter().enumerate() {
            self.push_features(time, later.get(i).map(|s| s.row), &mut features, errors);
        }
        let unit = unit(window, self.series.season as usize, self.fitted.deviation(self.name));
        let width = 2 * self.series.calendar.len() + self.fitted.known_width();
        if features.len() == width * (lookback + horizon) {
            push_window(window, unit, &features, width, horizon, inputs);
        }
        let series = self.series.series.is_some().then(|| self.name.to_owned());
        let times = times.into_iter().map(|time| time::show(time, self.fitted.form)).collect();
        Some(Origin { series, unit, times })
    }

    /// The times to forecast: those of the rows given, then the usual step from there on.
    fn times(&self, last: f64, later: &[Step], errors: &mut FieldErrors) -> Option<Vec<f64>> {
        let horizon = self.series.horizon as usize;
        let Self { fitted, series, target, .. } = self;
        let mut from = (last, 0);
        let mut times = Vec::with_capacity(horizon);
        for i in 0..horizon {
            let expected = time::advance(from.0, fitted.step, i + 1 - from.1);
            let Some(step) = later.get(i) else {
                times.push(expected);
                continue;
            };
            let next = time::advance(from.0, fitted.step, i + 2 - from.1);
            if fitted.regular && (step.time - expected).abs() > (next - expected).abs() / 2.0 {
                let field = format!("rows[{}].{}", step.row, series.time);
                let expected = time::show(expected, fitted.form);
                errors
                    .add(field, format!("the step to forecast here is {expected}; leave out none"));
                return None;
            }
            if !fitted.regular {
                from = (step.time, i + 1);
            }
            times.push(step.time);
        }
        if later.len() < horizon && !fitted.known.is_empty() {
            let names: Vec<String> =
                fitted.known.iter().map(|k| format!("`{}`", k.name())).collect();
            errors.add(
                "rows",
                format!(
                    "{}{} of {horizon} rows after {} are there; give a row for each step to \
                     forecast, with {} and without `{target}`",
                    self.whose(),
                    later.len(),
                    time::show(last, fitted.form),
                    names.join(", ")
                ),
            );
            return None;
        }
        Some(times)
    }

    /// Calendar and known columns of one step; without a row there are no known columns.
    fn push_features(
        &self,
        time: f64,
        row: Option<usize>,
        into: &mut Vec<f32>,
        errors: &mut FieldErrors,
    ) {
        time::push_calendar(time, &self.series.calendar, into);
        let Some(i) = row else { return };
        for (known, feature) in self.fitted.known.iter().zip(&self.series.known) {
            let value = value::of(&self.rows[i], known.name());
            let pushed = value.and_then(|value| match known {
                FittedKnown::OneHot { categories, .. } => {
                    push_category(known, value::place(value, categories)?, into);
                    Ok(())
                }
                FittedKnown::Scale { .. } => {
                    let x = match feature.kind {
                        domain::spec::FeatureKind::Date if !value.is_null() => {
                            Some(moment(value, TimeForm::Date)? / SECONDS_A_DAY)
                        }
                        _ => value::number(value)?,
                    };
                    push_number(known, x.unwrap_or(f64::NAN), into);
                    Ok(())
                }
            });
            if let Err(why) = pushed
                && errors.0.len() < MAX_ERRORS
            {
                errors.add(format!("rows[{i}].{}", known.name()), why);
            }
        }
    }

    fn too_short(&self, got: usize) -> String {
        format!(
            "{}{got} rows up to the last one with `{}` are there and the model looks back on {}; \
             give as many",
            self.whose(),
            self.target,
            self.series.lookback
        )
    }

    fn whose(&self) -> String {
        match &self.series.series {
            Some(column) => format!("of `{column}` {} ", shown(self.name)),
            None => String::new(),
        }
    }
}
