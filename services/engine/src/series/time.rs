//! The time column of a series: cells to numbers, the step from one row to the next, and what the
//! calendar says of a moment.
//!
//! A time is one number: seconds since 1970 where the column holds dates, else the cell itself. A
//! date without an offset counts as UTC, so that the hours of the calendar are those of the file.

use chrono::{DateTime, Datelike, Months, NaiveDateTime, Timelike};
use domain::{
    model::{TimeForm, TimeStep},
    spec::CalendarFeature,
};

use crate::{
    calendar::{self, SECONDS_A_DAY},
    read::{Number, number},
};

/// The years 1 to 9999, in seconds since 1970: what a calendar is made for.
const FIRST: f64 = -62_135_596_800.0;
const LAST: f64 = 253_402_300_799.0;
/// Steps that differ by less are the same but for rounding.
const TOLERANCE: f64 = 1e-6;

/// A date, a time or a month in ISO 8601, or a plain number.
pub(crate) fn parse(cell: &str) -> Option<(f64, TimeForm)> {
    match number(cell) {
        Some(Number::Finite(n)) if n.abs() <= f64::from(f32::MAX) => {
            return Some((n, TimeForm::Number));
        }
        Some(_) => return None,
        None => {}
    }
    let (time, form) = calendar::parse(cell)?;
    let seconds = time.and_utc().timestamp() as f64 + f64::from(time.nanosecond()) / 1e9;
    Some((seconds.clamp(FIRST, LAST), form))
}

/// A time as it would stand in the column.
pub(crate) fn show(time: f64, form: TimeForm) -> String {
    let written = match form {
        TimeForm::Number => return time.to_string(),
        TimeForm::Month => "%Y-%m",
        TimeForm::Date => "%Y-%m-%d",
        TimeForm::DateTime => "%Y-%m-%dT%H:%M:%S",
        TimeForm::Instant => "%Y-%m-%dT%H:%M:%SZ",
    };
    civil(time).format(written).to_string()
}

/// Total: a time outside the calendar is moved to its end.
fn civil(time: f64) -> NaiveDateTime {
    let time = if time.is_nan() { 0.0 } else { time.clamp(FIRST, LAST) };
    DateTime::from_timestamp(time.floor() as i64, 0)
        .expect("the years 1 to 9999 are within chrono's")
        .naive_utc()
}

/// The most common step of sorted series, and how many steps are other than that.
pub(crate) fn step(form: TimeForm, series: &[&[f64]]) -> (TimeStep, usize) {
    let pairs = || series.iter().flat_map(|times| times.windows(2));
    if form != TimeForm::Number
        && let Some(at_end) = monthly(series)
    {
        let month = |time: f64| {
            let day = civil(time);
            day.year() * 12 + day.month0() as i32
        };
        let mut steps: Vec<i32> = pairs().map(|p| month(p[1]) - month(p[0])).collect();
        steps.sort_unstable();
        let step = steps.get(steps.len() / 2).copied().unwrap_or(1).max(1);
        let other = steps.iter().filter(|&&s| s != step).count();
        return (TimeStep::Months { step, at_end }, other);
    }
    let mut steps: Vec<f64> = pairs().map(|p| p[1] - p[0]).collect();
    steps.sort_unstable_by(f64::total_cmp);
    let usual = if form == TimeForm::Number { 1.0 } else { SECONDS_A_DAY };
    let step = steps.get(steps.len() / 2).copied().unwrap_or(usual);
    let other = steps.iter().filter(|&&s| (s - step).abs() > TOLERANCE * step).count();
    match form {
        TimeForm::Number => (TimeStep::Number { step }, other),
        _ => (TimeStep::Seconds { step }, other),
    }
}

/// Whether every row is on the same day of its month, or on the last one (then true).
fn monthly(series: &[&[f64]]) -> Option<bool> {
    let mut moments = series.iter().flat_map(|times| times.iter()).map(|&time| civil(time));
    let first = moments.next()?;
    let is_last =
        |day: NaiveDateTime| day.date().succ_opt().is_none_or(|next| next.month() != day.month());
    let (mut same_day, mut last_day) = (true, is_last(first));
    for moment in moments {
        if moment.time() != first.time() {
            return None;
        }
        same_day &= moment.day() == first.day();
        last_day &= is_last(moment);
        if !same_day && !last_day {
            return None;
        }
    }
    Some(last_day)
}

/// The time `count` steps later.
pub(crate) fn advance(time: f64, step: TimeStep, count: usize) -> f64 {
    match step {
        TimeStep::Number { step } => time + step * count as f64,
        TimeStep::Seconds { step } => (time + step * count as f64).clamp(FIRST, LAST),
        TimeStep::Months { step, at_end } => {
            let months = Months::new(u32::try_from(step).unwrap_or(1).saturating_mul(count as u32));
            let from = civil(time);
            let Some(mut to) = from.checked_add_months(months) else { return LAST };
            if at_end {
                while let Some(next) = to.date().succ_opt().filter(|d| d.month() == to.month()) {
                    to = next.and_time(to.time());
                }
            }
            (to.and_utc().timestamp() as f64).clamp(FIRST, LAST)
        }
    }
}

/// The step in words.
pub(crate) fn describe(step: TimeStep) -> String {
    let (count, unit) = match step {
        TimeStep::Number { step } => return step.to_string(),
        TimeStep::Seconds { step } if step % SECONDS_A_DAY == 0.0 => (step / SECONDS_A_DAY, "day"),
        TimeStep::Seconds { step } if step % 3_600.0 == 0.0 => (step / 3_600.0, "hour"),
        TimeStep::Seconds { step } => (step, "second"),
        TimeStep::Months { step, .. } => (f64::from(step), "month"),
    };
    if count == 1.0 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

/// Each feature as sine and cosine of its place in the cycle.
pub(crate) fn push_calendar(time: f64, features: &[CalendarFeature], into: &mut Vec<f32>) {
    let moment = civil(time);
    into.extend(features.iter().flat_map(|&feature| calendar::place(moment, feature)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cells_are_months_dates_times_or_numbers() {
        let read = |cell| parse(cell).map(|(time, form)| show(time, form));
        for cell in ["1949-01", "2011-02-28", "2026-01-31T08:00:59", "2026-01-31T08:00:00Z", "7"] {
            assert_eq!(read(cell).as_deref(), Some(cell));
        }
        assert_eq!(read("2026-01-31 08:00").as_deref(), Some("2026-01-31T08:00:00"));
        assert_eq!(read("2026-01-31T08:00+09:30").as_deref(), Some("2026-01-30T22:30:00Z"));
        assert_eq!(read("2026-01-31T23:00:00.25-0200").as_deref(), Some("2026-02-01T01:00:00Z"));
        for cell in [
            "",
            "2026-13",
            "2026-02-30",
            "2026-01-31T",
            "2026-01-31T25:00",
            "2026-1-3",
            "x",
            "inf",
            "0000-01",
            "2026-01T08:00",
            "2026-01-31T08:00:0é",
            "2026-01-31T08:00+é",
        ] {
            assert_eq!(read(cell), None, "{cell}");
        }
    }

    fn times(cells: &[&str]) -> Vec<f64> {
        cells.iter().map(|cell| parse(cell).unwrap().0).collect()
    }

    #[test]
    fn months_go_on_by_the_calendar() {
        let go_on = |cells: &[&str]| {
            let times = times(cells);
            let (step, other) = step(TimeForm::Date, &[&times]);
            let next = |n| show(advance(times[times.len() - 1], step, n), TimeForm::Date);
            (next(1), next(2), other)
        };
        let expect = |a: &str, b: &str, n| (a.to_owned(), b.to_owned(), n);
        assert_eq!(go_on(&["2011-11-15", "2011-12-15"]), expect("2012-01-15", "2012-02-15", 0));
        assert_eq!(
            go_on(&["2011-12-31", "2012-01-31", "2012-02-29"]),
            expect("2012-03-31", "2012-04-30", 0)
        );
        assert_eq!(
            go_on(&["2011-12-30", "2011-12-31", "2012-01-01", "2012-01-04"]),
            expect("2012-01-05", "2012-01-06", 1)
        );
        assert_eq!(go_on(&["2011-01-01", "2012-01-01"]), expect("2013-01-01", "2014-01-01", 0));
    }

    proptest! {
        #[test]
        fn no_cell_and_no_time_panics(
            cell in "[0-9TZ:+ .é-]{0,26}",
            time: f64,
            count in 0_usize..100_000,
            step: f64,
            months: i32,
        ) {
            let (parsed, form) = parse(&cell).unwrap_or((time, TimeForm::Instant));
            show(parsed, form);
            for step in [
                TimeStep::Number { step },
                TimeStep::Seconds { step },
                TimeStep::Months { step: months, at_end: months % 2 == 0 },
            ] {
                let later = advance(parsed, step, count);
                push_calendar(later, &[CalendarFeature::DayOfYear], &mut vec![]);
                show(later, TimeForm::Date);
            }
        }
    }
}
