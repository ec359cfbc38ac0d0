//! Dates and times: which cells are one, and where it stands in the day, the week and the year.

use std::f64::consts::TAU;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
pub(crate) use domain::model::SECONDS_A_DAY;
use domain::{model::TimeForm, spec::CalendarFeature};

/// A date, a time or a month in ISO 8601's extended form (`2026-01`, `2026-01-31`,
/// `2026-01-31 08:00`, `2026-01-31T08:00:00.5+02:00`), with a blank or a `T` before the time. What is
/// left out is the first of the month or midnight; a time with a zone is taken in UTC, so that times
/// are in order whatever their zones. Plain numbers are not dates. The form is the one that the cell is
/// written in.
pub(crate) fn parse(cell: &str) -> Option<(NaiveDateTime, TimeForm)> {
    let year = cell.get(..4).filter(|y| *y != "0000").and_then(digits)?;
    let rest = cell[4..].strip_prefix('-')?;
    let month = rest.get(..2).and_then(digits)?;
    let rest = &rest[2..];
    let day = |day| NaiveDate::from_ymd_opt(year as i32, month, day);
    if rest.is_empty() {
        return Some((day(1)?.and_time(NaiveTime::MIN), TimeForm::Month));
    }
    let rest = rest.strip_prefix('-')?;
    let date = day(rest.get(..2).and_then(digits)?)?;
    let rest = &rest[2..];
    if rest.is_empty() {
        return Some((date.and_time(NaiveTime::MIN), TimeForm::Date));
    }
    let rest = rest.strip_prefix([' ', 'T', 't'])?;
    let Some(end) = rest.find(['Z', 'z', '+', '-', ' ']) else {
        return Some((date.and_time(clock(rest)?), TimeForm::DateTime));
    };
    let time = date.and_time(clock(&rest[..end])?);
    let time = time.checked_sub_signed(offset(rest[end..].trim_start())?)?;
    Some((time, TimeForm::Instant))
}

/// `08`, `08:00`, `08:00:59` or `08:00:59.123`.
fn clock(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if whole.len() == 8 => (whole, fraction),
        Some(_) => return None,
        None => (text, "0"),
    };
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let nanos = digits(fraction)? * 10_u32.pow(9 - fraction.len() as u32);
    let mut parts = whole.split(':').map(|part| digits(part).filter(|_| part.len() == 2));
    let mut next = || parts.next().unwrap_or(Some(0));
    let (hour, minute, second) = (next()?, next()?, next()?);
    let time = NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?;
    parts.next().is_none().then_some(time)
}

/// How far a zone is ahead of UTC: `Z`, `+02`, `+0200` or `+02:00`.
fn offset(zone: &str) -> Option<TimeDelta> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(TimeDelta::zero());
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let rest = zone.strip_prefix(['+', '-'])?;
    let hours = rest.get(..2).and_then(digits).filter(|&h| h < 24)?;
    let rest = &rest[2..];
    let minutes = match rest.strip_prefix(':').unwrap_or(rest) {
        "" if rest.is_empty() => 0,
        text if text.len() == 2 => digits(text).filter(|&m| m < 60)?,
        _ => return None,
    };
    Some(TimeDelta::minutes(sign * i64::from(hours * 60 + minutes)))
}

fn digits(text: &str) -> Option<u32> {
    let all = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

/// Sine and cosine of the place in a cycle, from 0 at its start: the last hour of a day is as near to
/// the first as to the one before.
pub(crate) fn place(time: NaiveDateTime, feature: CalendarFeature) -> [f32; 2] {
    let of = |done: u32, whole: u32| f64::from(done) / f64::from(whole);
    let days_of_year = if time.date().leap_year() { 366 } else { 365 };
    let share = match feature {
        CalendarFeature::HourOfDay => of(time.num_seconds_from_midnight(), 86_400),
        CalendarFeature::DayOfWeek => of(time.weekday().num_days_from_monday(), 7),
        CalendarFeature::DayOfMonth => of(time.day0(), time.num_days_in_month().into()),
        CalendarFeature::MonthOfYear => of(time.month0(), 12),
        CalendarFeature::DayOfYear => of(time.ordinal0(), days_of_year),
    };
    let (sin, cos) = (share * TAU).sin_cos();
    [sin as f32, cos as f32]
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn utc(cell: &str) -> Option<String> {
        parse(cell).map(|(time, _)| time.format("%Y-%m-%d %H:%M:%S%.f").to_string())
    }

    #[test]
    fn dates_times_and_months_are_read() {
        let cases = [
            ("2026-01", "2026-01-01 00:00:00"),
            ("2024-02-29", "2024-02-29 00:00:00"),
            ("2026-01-31 08:00", "2026-01-31 08:00:00"),
            ("2026-01-31T08", "2026-01-31 08:00:00"),
            ("2026-01-31T08:00:59", "2026-01-31 08:00:59"),
            ("2026-01-31t08:00:59.25z", "2026-01-31 08:00:59.250"),
            ("2026-01-31 08:00:59 +02:00", "2026-01-31 06:00:59"),
            ("2026-12-31T23:30-0130", "2027-01-01 01:00:00"),
            ("2026-01-01T00:00:00+05", "2025-12-31 19:00:00"),
        ];
        for (cell, expected) in cases {
            assert_eq!(utc(cell).as_deref(), Some(expected), "{cell}");
        }
    }

    #[test]
    fn what_only_looks_like_a_date_is_none() {
        for cell in [
            "",
            "2024",
            "20240131",
            "2024-13",
            "2023-02-29",
            "2024-00",
            "0000-01-01",
            "2024-1-3",
            "2024-01-",
            "2024-01-31T",
            "2024-01-31 ",
            "2024-01-31 24:00",
            "2024-01-31 08:60",
            "2024-01-31 8:00",
            "2024-01-31 08:00:00:00",
            "2024-01-31 08:00.5",
            "2024-01-31 08:00:00.",
            "2024-01-31 08:00 Europe/Bucharest",
            "2024-01-31 08:00+",
            "2024-01-31 08:00+2",
            "2024-01-31 08:00+02:",
            "2024-01-31 08:00+25",
            "2024/01/31",
            "31.01.2024",
            "-2024-01",
            "+202-01",
            "٢٠٢٤-01",
            "202é-01",
            "2024-é1",
            "2024-01-3é",
            "2024-01-31T08:00+0é",
        ] {
            assert_eq!(utc(cell), None, "{cell}");
        }
    }

    #[test]
    fn the_place_in_a_cycle_is_a_point_on_a_circle() {
        // A Thursday; day 366 of a leap year, one day before the year's circle closes.
        let time = parse("2020-12-31T18:00").unwrap().0;
        let angle = |feature| {
            let [sin, cos] = place(time, feature);
            f64::from(sin).atan2(cos.into()).rem_euclid(TAU) / TAU
        };
        for (feature, share) in [
            (CalendarFeature::HourOfDay, 0.75),
            (CalendarFeature::DayOfWeek, 3.0 / 7.0),
            (CalendarFeature::DayOfMonth, 30.0 / 31.0),
            (CalendarFeature::MonthOfYear, 11.0 / 12.0),
            (CalendarFeature::DayOfYear, 365.0 / 366.0),
        ] {
            assert!((angle(feature) - share).abs() < 1e-6, "{feature:?} {}", angle(feature));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r"\PC{0,24}", tail in r"[0-9T :.Z+-]{0,24}") {
            parse(&text);
            parse(&format!("2024-01-{tail}"));
            parse(&tail);
        }

        #[test]
        fn every_time_is_read_back(seconds in -62_135_596_800_i64..253_402_300_800) {
            let time = DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
            for (format, form) in
                [("%Y-%m-%d %H:%M:%S", TimeForm::DateTime), ("%Y-%m-%dT%H:%M:%SZ", TimeForm::Instant)]
            {
                prop_assert_eq!(parse(&time.format(format).to_string()), Some((time, form)));
            }
        }
    }
}
