//! Series read, windowed and asked for.

mod forecast;
mod request;

use domain::{
    child::DataFile,
    dataset::{Compression, ReadLimits},
    model::{FittedKnown, FittedSeries, TimeForm, TimeStep},
    predict::Row,
    spec::{CalendarFeature, Feature, FeatureKind, Input, Series, Task},
};

use super::*;
use crate::{
    error::EngineError,
    examples::{csv, real, spec},
    unit::Unit,
};

fn window(time: &str, lookback: u32, horizon: u32, season: u32, backtest: u32) -> Series {
    Series {
        time: time.into(),
        series: None,
        known: vec![],
        calendar: vec![],
        lookback,
        horizon,
        season,
        backtest,
    }
}

fn feature(name: &str, kind: FeatureKind) -> Feature {
    Feature { name: name.into(), kind }
}

fn read(file: &std::path::Path, target: &str, series: &Series) -> Result<RawSeries, EngineError> {
    let spec = spec(Task::Forecasting, target, Input::Series(series.clone()));
    RawSeries::read(file, &csv(), &ReadLimits::default(), &spec, series)
}

fn read_text(text: &str, series: &Series) -> Result<RawSeries, EngineError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    read(file.path(), "y", series)
}

/// Days from 2024-01-01 on with the values given; an empty cell for NaN.
fn days(values: &[f64]) -> String {
    let mut text = String::from("day,y\n");
    for (i, value) in values.iter().enumerate() {
        let day = time::show(1_704_067_200.0 + 86_400.0 * i as f64, TimeForm::Date);
        let value = if value.is_nan() { String::new() } else { value.to_string() };
        text += &format!("{day},{value}\n");
    }
    text
}

#[test]
fn a_step_holds_its_value_and_what_is_known_now_and_at_the_horizon() {
    let series = Series {
        calendar: vec![CalendarFeature::DayOfWeek],
        known: vec![
            feature("kind", FeatureKind::Categorical),
            feature("price", FeatureKind::Numeric),
        ],
        ..window("day", 2, 1, 1, 1)
    };
    let text = "day,y,kind,price\n2024-01-03,3,b,7\n2024-01-01,1,a,1\n2024-01-02,2,b,3\n\
                2024-01-04,5,?,\n";
    let raw = read_text(text, &series).unwrap();
    assert_eq!((raw.form, raw.step), (TimeForm::Date, TimeStep::Seconds { step: 86_400.0 }));
    let fitted = raw.fit(&series);
    let kinds =
        FittedKnown::OneHot { name: "kind".into(), categories: vec!["b".into(), "a".into()] };
    assert_eq!(fitted.known[0], kinds);
    let FittedKnown::Scale { center, scale, .. } = fitted.known[1].clone() else { panic!() };
    assert!((center - 11.0 / 3.0).abs() < 1e-12);

    let (training, validation) = raw.windows(&fitted, &series);
    assert_eq!((training.rows(), validation.rows()), (1, 1));
    let batch = training.batch(&[0]);
    let channels = series.channels(fitted.known_width());
    assert_eq!(batch.inputs.len(), 2 * channels);
    // Values 1 and 2 about the last one, by the deviation of 1, 2, 3: two steps tell too little.
    let deviation = (2.0_f64 / 3.0).sqrt();
    assert_eq!(batch.units, [Unit { center: 2.0, scale: deviation }]);
    assert_eq!(batch.targets, [1.0 / deviation]);
    let price = |p: f64| ((p - center) / scale) as f32;
    let day = |i: f64| {
        let (sine, cosine) = (std::f64::consts::TAU * i / 7.0).sin_cos();
        [sine as f32, cosine as f32]
    };
    let expected = [
        &[(-1.0 / deviation) as f32][..],
        &day(0.0),
        &[0.0, 1.0, price(1.0)],
        &day(1.0),
        &[1.0, 0.0, price(3.0)],
        &[0.0],
        &day(1.0),
        &[1.0, 0.0, price(3.0)],
        &day(2.0),
        &[1.0, 0.0, price(7.0)],
    ]
    .concat();
    assert_eq!(batch.inputs, expected);
    assert_eq!(training.truth(), [3.0]);
    let last = &validation.batch(&[0]).inputs[channels..];
    assert_eq!(last[1 + 5 + 2..], [0.0, 0.0, 0.0], "a missing category and price");
}

#[test]
fn what_is_held_back_changes_nothing_that_is_fitted_or_trained_on() {
    let series =
        Series { known: vec![feature("p", FeatureKind::Numeric)], ..window("t", 4, 2, 3, 3) };
    let text = |held_back: f64| {
        let mut text = String::from("t,y,p\n");
        for i in 0..20 {
            let x = if i < 14 { f64::from(i * i % 7) } else { held_back };
            let y = if i == 13 { String::new() } else { x.to_string() };
            text += &format!("{i},{y},{x}\n");
        }
        text
    };
    let windows = |held_back| {
        let raw = read_text(&text(held_back), &series).unwrap();
        let fitted = raw.fit(&series);
        let (training, validation) = raw.windows(&fitted, &series);
        let all: Vec<u32> = (0..training.rows() as u32).collect();
        let batch = training.batch(&all);
        (fitted, batch.inputs, batch.targets, validation.truth())
    };
    let (a, b) = (windows(1.0), windows(1e6));
    assert_eq!((&a.0, &a.1, &a.2), (&b.0, &b.1, &b.2));
    assert_eq!(b.3, [1e6; 6], "each held-back value is forecast once");
    assert_eq!(a.2.len(), 2 * (14 - 4 - 2 + 1));
    let json = serde_json::to_string(&a.0).unwrap();
    assert_eq!(serde_json::from_str::<FittedSeries>(&json).unwrap(), a.0);
}

#[test]
fn windows_of_the_backtest_roll_on_and_do_not_overlap() {
    let values: Vec<f64> = (0..20).map(f64::from).collect();
    let series = window("day", 4, 3, 3, 2);
    let raw = read_text(&days(&values), &series).unwrap();
    let (training, validation) = raw.windows(&raw.fit(&series), &series);
    assert_eq!(training.rows(), 20 - 6 - 7 + 1);
    assert_eq!(training.truth().iter().copied().fold(0.0, f64::max), 13.0);
    assert_eq!(validation.truth(), [14.0, 15.0, 16.0, 17.0, 18.0, 19.0]);
    // 13 is the last value before the first block, 16 before the second.
    assert_eq!(validation.seasonal_naive(), [11.0, 12.0, 13.0, 14.0, 15.0, 16.0]);
    let batch = validation.batch(&[1, 0]);
    let values: Vec<f64> = batch.targets[..3].iter().map(|&y| batch.units[0].value(y)).collect();
    assert_eq!(values, [17.0, 18.0, 19.0]);
}

#[test]
fn a_season_longer_than_the_horizon_or_the_window_repeats() {
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    let naive = |lookback, horizon, season| {
        let series = window("day", lookback, horizon, season, 1);
        let raw = read_text(&days(&values), &series).unwrap();
        raw.windows(&raw.fit(&series), &series).1.seasonal_naive()
    };
    assert_eq!(naive(2, 2, 7), [3.0, 4.0]);
    assert_eq!(naive(2, 5, 2), [5.0, 6.0, 5.0, 6.0, 5.0]);
    assert_eq!(naive(2, 2, 100), [0.0, 1.0], "no season is there: the first values");
}

#[test]
fn gaps_are_filled_from_what_was_known_then() {
    let nan = f64::NAN;
    let mut values = [1.0, nan, nan, 4.0, nan, nan, 9.0, nan];
    assert_eq!(read::fill_gaps(&mut values, &[5, 8]), 5);
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 4.0, 6.5, 9.0, 9.0]);

    let series = window("day", 2, 1, 1, 1);
    let raw = read_text(&days(&[nan, 1.0, nan, 3.0, 4.0, 5.0, nan]), &series).unwrap();
    assert_eq!((raw.series[0].values.len(), raw.rows_without_target), (5, 2));
    assert_eq!(raw.warnings, ["1 missing values are filled by straight lines"]);
}

#[test]
fn series_of_a_panel_are_apart_and_short_ones_left_out() {
    let mut text = String::from("shop,month,y\n");
    for i in 1..=9 {
        text += &format!("b,2024-0{i},{}\na,2024-0{i},{i}\n", 100 * i);
    }
    text += "c,2024-01,1\nc,2024-02,2\n,2024-01,5\n";
    let series = Series { series: Some("shop".into()), ..window("month", 4, 1, 1, 1) };
    let raw = read_text(&text, &series).unwrap();
    assert_eq!(
        raw.warnings,
        [
            "1 rows without `month` or `shop` are left out",
            "1 series are shorter than a lookback of 4 and a horizon of 1 and are left out"
        ]
    );
    let fitted = raw.fit(&series);
    assert_eq!(fitted.deviations.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(fitted.deviation("b"), 100.0 * fitted.deviation("a"));
    assert_eq!(fitted.deviation("new"), fitted.deviation);
    let (training, validation) = raw.windows(&fitted, &series);
    assert_eq!((training.rows(), validation.truth()), (8, vec![9.0, 900.0]));
    // Both grow alike: in their own units the windows are the same.
    let batch = training.batch(&[0, 4]);
    let (a, b) = batch.inputs.split_at(4);
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6), "{a:?} {b:?}");
}

#[test]
fn rows_that_are_no_series_are_refused_with_a_remedy() {
    let refused = |text: &str, series: &Series| match read_text(text, series) {
        Err(e) => e.to_string(),
        Ok(_) => panic!("{text} is read"),
    };
    let series = window("t", 2, 1, 1, 0);
    let twice = refused("t,y\n2024-01-01,1\n2024-01-02,1\n2024-01-01,2\n", &series);
    assert_eq!(
        twice,
        "row 3 (line 4), column `t`: `2024-01-01` stands at row 1 (line 2) too; name the column \
         that tells the series apart, use a time column with one row a step, or drop one of the rows"
    );
    let mixed = refused("t,y\n2024-01-01,1\n7,2\n", &series);
    assert!(mixed.contains("`7` is not a date"), "{mixed}");
    let mixed = refused("t,y\n7,1\n2024-01-01,2\n", &series);
    assert!(mixed.contains("`2024-01-01` is not a number"), "{mixed}");
    let calendar = Series { calendar: vec![CalendarFeature::DayOfWeek], ..series.clone() };
    let numbers = refused("t,y\n7,1\n8,2\n", &calendar);
    assert!(numbers.contains("`7` is not a date"), "{numbers}");
    let short = refused("t,y\n1,1\n2,2\n3,\n", &series);
    assert!(short.contains("a lookback of 2 and a horizon of 1 need 3 rows"), "{short}");
    let short = refused("t,y\n1,1\n2,2\n3,3\n", &Series { backtest: 1, ..series.clone() });
    assert!(short.contains("1 more are held back"), "{short}");
    assert!(refused("t,z\n1,1\n", &series).contains("no column `y`"));
    assert!(refused("t,y\n", &series).contains("no series is long enough"));
}
