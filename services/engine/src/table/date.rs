//! Columns of dates: an age, and places in the day, the week, the month and the year.

use chrono::{DateTime, NaiveDateTime};
use domain::model::DATE_CYCLES;

use super::encode::Line;
use crate::calendar::{self, SECONDS_A_DAY};

/// Seconds since 1970: what a column of dates is held as.
pub(super) fn seconds(time: NaiveDateTime) -> i64 {
    time.and_utc().timestamp()
}

pub(super) fn days(seconds: i64) -> f64 {
    seconds as f64 / SECONDS_A_DAY
}

/// Fills a date's inputs, which are zero before. A missing date stands nowhere in its cycles.
pub(super) fn write(seconds: Option<i64>, age: &Line, inputs: &mut [f32]) {
    inputs[0] = age.at(seconds.map(days));
    let Some(time) = seconds.and_then(|s| DateTime::from_timestamp(s, 0)) else { return };
    for (feature, place) in DATE_CYCLES.into_iter().zip(inputs[1..].chunks_exact_mut(2)) {
        place.copy_from_slice(&calendar::place(time.naive_utc(), feature));
    }
}
