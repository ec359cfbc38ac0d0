//! Requests make the windows that training made, or say what is wrong with them.

use std::collections::BTreeMap;

use domain::field::FieldErrors;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::series::request::Origin;

fn row(value: Value) -> Row {
    value.as_object().unwrap().clone()
}

fn fitted(known: Vec<FittedKnown>) -> FittedSeries {
    FittedSeries {
        form: TimeForm::Month,
        step: TimeStep::Months { step: 1, at_end: false },
        regular: true,
        deviations: BTreeMap::from([("a".into(), 2.0)]),
        deviation: 10.0,
        known,
    }
}

#[test]
fn a_request_makes_the_window_that_training_made() {
    let series = Series {
        calendar: vec![CalendarFeature::MonthOfYear],
        known: vec![
            feature("open", FeatureKind::Categorical),
            feature("price", FeatureKind::Numeric),
        ],
        series: Some("shop".into()),
        ..window("month", 5, 2, 2, 1)
    };
    let mut text = String::from("month,shop,y,open,price\n");
    let mut rows = vec![];
    for i in 1..=12_i32 {
        let (y, open) = (i * i % 5, i % 3 == 0);
        text += &format!("2024-{i:02},1,{y},{open},{i}\n");
        let y = if i <= 10 { json!(y) } else { Value::Null };
        let month = format!("2024-{i:02}");
        rows.insert(0, row(json!({"month": month, "shop": 1.0, "y": y, "open": open, "price": i})));
    }
    let raw = read_text(&text, &series).unwrap();
    let fitted = raw.fit(&series);
    check(&fitted, &series).unwrap();
    let (_, validation) = raw.windows(&fitted, &series);
    let batch = validation.batch(&[0]);
    let mut errors = FieldErrors::default();
    let request = encode_request(&fitted, &series, "y", &rows, &mut errors);
    assert!(errors.is_empty(), "{errors}");
    let request = request.unwrap();
    assert_eq!(request.inputs, batch.inputs);
    let times = vec!["2024-11".to_owned(), "2024-12".to_owned()];
    let origin = Origin { series: Some("1".into()), unit: batch.units[0], times };
    assert_eq!(request.origins, [origin]);
}

#[test]
fn without_known_columns_the_times_go_on_by_themselves() {
    let series = Series { series: Some("shop".into()), ..window("month", 4, 2, 1, 0) };
    let mut rows = vec![];
    for (shop, year) in [("new", 2023), ("a", 1999)] {
        for i in 9..=12 {
            rows.push(row(json!({"month": format!("{year}-{i:02}"), "shop": shop, "y": 5})));
        }
    }
    rows[2]["y"] = Value::Null;
    let mut errors = FieldErrors::default();
    let request = encode_request(&fitted(vec![]), &series, "y", &rows, &mut errors).unwrap();
    assert_eq!(request.inputs, [0.0; 8]);
    let got: Vec<_> = request.origins.iter().map(|o| (o.times.join(" "), o.unit)).collect();
    let unit = |scale| Unit { center: 5.0, scale };
    assert_eq!(got[0], ("2024-01 2024-02".to_owned(), unit(0.5)));
    assert_eq!(got[1], ("2000-01 2000-02".to_owned(), unit(0.1)));
}

#[test]
fn a_request_that_lacks_something_says_what() {
    let price = FittedKnown::Scale { name: "price".into(), center: 0.0, scale: 1.0 };
    let series = Series {
        known: vec![feature("price", FeatureKind::Numeric)],
        ..window("month", 2, 2, 1, 0)
    };
    let refused = |rows: Value| {
        let rows: Vec<Row> = rows.as_array().unwrap().iter().cloned().map(row).collect();
        let mut errors = FieldErrors::default();
        let fitted = fitted(vec![price.clone()]);
        assert!(encode_request(&fitted, &series, "y", &rows, &mut errors).is_none());
        errors.to_string()
    };
    assert_eq!(refused(json!([])), "rows: there are none; give the last 2 rows of a series");
    assert_eq!(
        refused(json!([{"month": "2024-01", "y": 1, "price": 1}])),
        "rows: 1 rows up to the last one with `y` are there and the model looks back on 2; give as \
         many"
    );
    assert_eq!(
        refused(json!([{"month": 3, "y": "x"}, {"y": 1}])),
        "rows[0].month: expected a date like 2026-01-31; got 3; rows[0].y: expected a number or \
         null; got the text `x`; rows[1].month: the column is missing; give a value, or null where \
         it is unknown"
    );
    let history = json!([
        {"month": "2024-01", "y": 1, "price": 1}, {"month": "2024-02", "y": 1, "price": 1},
        {"month": "2024-03", "price": 1}
    ]);
    let message = refused(history.clone());
    assert!(message.starts_with("rows: 1 of 2 rows after 2024-02 are there;"), "{message}");
    let mut gap = history.clone();
    gap[2]["month"] = json!("2024-05");
    assert_eq!(refused(gap), "rows[2].month: the step to forecast here is 2024-03; leave out none");
    let mut twice = history;
    twice[2]["month"] = json!("2024-02");
    assert_eq!(refused(twice), "rows[2].month: is the time of rows[1] too; give one row a step");
}

#[test]
fn what_was_not_fitted_here_is_checked() {
    let series = window("month", 2, 2, 1, 0);
    let good = fitted(vec![]);
    assert_eq!(check(&good, &series), Ok(()));
    let bad = [
        FittedSeries { deviation: 0.0, ..good.clone() },
        FittedSeries { form: TimeForm::Number, ..good.clone() },
        FittedSeries { step: TimeStep::Seconds { step: f64::NAN }, ..good.clone() },
        FittedSeries { step: TimeStep::Months { step: -1, at_end: true }, ..good.clone() },
        fitted(vec![FittedKnown::OneHot { name: "x".into(), categories: vec![] }]),
    ];
    for bad in bad {
        assert!(check(&bad, &series).is_err(), "{bad:?}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([1])),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..40_i64).prop_map(Value::from),
        "[a-c]?".prop_map(Value::from),
        (1..13_u32, 1..29_u32).prop_map(|(m, d)| Value::from(format!("2024-{m:02}-{d:02}"))),
        Just(json!("9999-12-31T23:59:59-12:00")),
    ]
}

proptest! {
    #[test]
    fn no_request_panics(
        rows in prop::collection::vec(
            prop::collection::hash_map(
                prop::sample::select(vec!["t", "y", "s", "n", "c"]), any_value(), 0..6
            ), 0..12
        ),
        dates: bool,
        panel: bool,
        lookback in 1_u32..3,
        horizon in 1_u32..3,
    ) {
        let known = vec![feature("n", FeatureKind::Date), feature("c", FeatureKind::Categorical)];
        let series = Series {
            known,
            series: panel.then(|| "s".into()),
            calendar: if dates { vec![CalendarFeature::DayOfYear] } else { vec![] },
            ..window("t", lookback, horizon, 2, 1)
        };
        let (form, step) = if dates {
            (TimeForm::Date, TimeStep::Seconds { step: 86_400.0 })
        } else {
            (TimeForm::Number, TimeStep::Number { step: 1.0 })
        };
        let known = vec![
            FittedKnown::Scale { name: "n".into(), center: 0.0, scale: 1.0 },
            FittedKnown::OneHot { name: "c".into(), categories: vec!["a".into(), "true".into()] },
        ];
        let fitted = FittedSeries { form, step, regular: panel, ..fitted(known) };
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|row| row.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            .collect();
        let mut errors = FieldErrors::default();
        match encode_request(&fitted, &series, "y", &rows, &mut errors) {
            None => prop_assert!(!errors.is_empty()),
            Some(request) => {
                let window = lookback as usize * series.channels(fitted.known_width());
                prop_assert_eq!(request.inputs.len(), window * request.origins.len());
                prop_assert!(request.inputs.iter().all(|x| x.is_finite()));
                let whole = |o: &Origin| o.times.len() == horizon as usize;
                prop_assert!(request.origins.iter().all(whole));
            }
        }
    }
}
