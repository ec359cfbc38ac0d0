//! Files through the whole way: read, fitted, encoded, and the same rows as a client sends them.

use std::fs;

use domain::{
    Digest,
    dataset::{Compression, Format},
    field::FieldErrors,
    predict::Row,
    spec::{ColumnPreprocess, DatasetRef, Encoding, FeatureKind, Imputation, Limits, Scaling},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::profile::profile;

const HEADER: &str = "age,seen,city,on,y\n";
const ROWS: [&str; 10] = [
    "1,2026-01-31,Paris,True,0.5",
    "?,2025-06-01T12:30:00Z,Iași,False,1.5",
    "3.25,,Paris,True,2",
    "-4e3,2024-02-29 23:59:59,Iași,,2.5",
    "5,2026-01,,False,1",
    "1,2026-01-31 06:00+02:00,Oslo,True,3",
    "7,1969-07-20,Paris,False,4",
    // Not trained on: unseen and missing values.
    "9,2030-01-01,Lima,True,5",
    ",,,,6",
    "0,1900-12-31T00:00:00,Kyiv,maybe,7",
];
const TRAINING: [u32; 7] = [0, 1, 2, 3, 4, 5, 6];

fn features() -> Vec<Feature> {
    let kinds = [
        ("age", FeatureKind::Numeric),
        ("seen", FeatureKind::Date),
        ("city", FeatureKind::Categorical),
        ("on", FeatureKind::Categorical),
    ];
    kinds.map(|(name, kind)| Feature { name: name.into(), kind }).to_vec()
}

fn file(text: &str) -> (tempfile::TempDir, DataFile) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data"), text).unwrap();
    let data = DataFile {
        format: Format::Csv,
        compression: Compression::None,
        sha256: Digest::of(text.as_bytes()),
        bytes: text.len() as u64,
    };
    (folder, data)
}

/// A regression of `y`.
fn spec() -> TrainingSpec {
    let (folder, data) = file("x,y\n1,0.5\n2,1.5\n3,2.5\n");
    let profile = profile(&folder.path().join("data"), &data, &ReadLimits::default()).unwrap();
    let draft = json!({"dataset": "sample", "target": "y", "task": "regression"});
    let dataset = DatasetRef { name: "sample".parse().unwrap(), version: 1, sha256: data.sha256 };
    let draft = serde_json::from_value(draft).unwrap();
    TrainingSpec::parse(draft, dataset, None, &profile, &Limits::default()).unwrap()
}

fn read(
    text: &str,
    features: &[Feature],
    preprocess: &Preprocess,
) -> Result<RawTable, EngineError> {
    read_with(text, features, preprocess, u64::MAX, Path::new("nowhere"))
}

fn read_with(
    text: &str,
    features: &[Feature],
    preprocess: &Preprocess,
    bytes: u64,
    folder: &Path,
) -> Result<RawTable, EngineError> {
    let (file, data) = file(text);
    let limits = ReadLimits::default();
    let room = Room { bytes, folder: folder.to_owned() };
    RawTable::read(&file.path().join("data"), &data, &limits, &spec(), features, preprocess, room)
}

fn sample(rows: &[&str], preprocess: &Preprocess) -> RawTable {
    read(&format!("{HEADER}{}\n", rows.join("\n")), &features(), preprocess).unwrap()
}

fn fit(raw: &RawTable, training: &[u32], preprocess: &Preprocess) -> Vec<FittedColumn> {
    raw.fit(training, preprocess).unwrap().0
}

fn encode(raw: &RawTable, fitted: &[FittedColumn], rows: &[u32]) -> Vec<f32> {
    let samples = raw.samples(fitted, Unit::ITSELF, rows, false).unwrap();
    samples.batch(&Vec::from_iter(0..rows.len() as u32)).unwrap().0
}

/// A row of the file as a client would send it.
fn sent(row: &str) -> Row {
    let value = |cell: &str| match (cell, cell.parse::<f64>()) {
        ("" | "?", _) => Value::Null,
        ("True", _) => json!(true),
        ("False", _) => json!(false),
        (_, Ok(n)) => json!(n),
        _ => json!(cell),
    };
    let names = HEADER.trim().split(',').map(str::to_owned);
    names.zip(row.split(',').map(value)).collect()
}

fn encoded(fitted: &[FittedColumn], rows: &[Row]) -> Vec<f32> {
    let mut errors = FieldErrors::default();
    let inputs = Encoders::new(fitted).encode(rows, &mut errors);
    assert!(errors.is_empty(), "{errors}");
    inputs
}

fn every_preprocess() -> Vec<Preprocess> {
    let mut all = vec![];
    for encoding in [Encoding::OneHot, Encoding::Ordinal, Encoding::Hashing] {
        for imputation in [
            Imputation::Mean,
            Imputation::Median,
            Imputation::Mode,
            Imputation::Zero,
            Imputation::Constant,
        ] {
            for (scaling, max_categories) in
                [(Scaling::Standard, 50), (Scaling::Robust, 2), (Scaling::MinMax, 1)]
            {
                all.push(Preprocess {
                    scaling,
                    imputation,
                    fill_value: 4.5,
                    missing_indicator: max_categories == 2,
                    encoding,
                    max_categories,
                    hash_buckets: 5,
                    ..Preprocess::default()
                });
            }
        }
    }
    all
}

#[test]
fn a_prediction_s_row_becomes_the_same_inputs_as_the_file_s() {
    let rows = ROWS.map(sent);
    for preprocess in every_preprocess() {
        let raw = sample(&ROWS, &preprocess);
        let fitted = fit(&raw, &TRAINING, &preprocess);
        check(&fitted).unwrap();
        let all: Vec<u32> = (0..raw.rows() as u32).collect();
        let inputs = encode(&raw, &fitted, &all);
        assert!(inputs.iter().all(|x| x.is_finite()));
        assert_eq!(inputs, encoded(&fitted, &rows), "{preprocess:?}");
        let text = serde_json::to_string(&fitted).unwrap();
        let stored: Vec<FittedColumn> = serde_json::from_str(&text).unwrap();
        assert_eq!(stored, fitted);
        // Another file numbers its categories otherwise.
        let mut backwards = ROWS;
        backwards.reverse();
        let other = sample(&backwards, &preprocess);
        let order: Vec<u32> = all.iter().rev().copied().collect();
        assert_eq!(encode(&other, &fitted, &order), inputs);
    }
}

#[test]
fn a_table_in_a_file_is_the_table_in_memory() {
    let text = format!("{HEADER}{}\n", ROWS.join("\n"));
    let folder = tempfile::tempdir().unwrap();
    for preprocess in every_preprocess() {
        let read =
            |bytes| read_with(&text, &features(), &preprocess, bytes, folder.path()).unwrap();
        let (memory, all) = (read(u64::MAX), [9, 3, 0, 1, 2, 4, 5, 6, 7, 8, 3]);
        let (fitted, unit) = memory.fit(&TRAINING, &preprocess).unwrap();
        let samples = |raw: &RawTable| {
            let samples = raw.samples(&fitted, unit, &all, true).unwrap();
            let (inputs, targets) = samples.batch(&[10, 0, 5, 5]).unwrap();
            assert_eq!(targets[..2], [samples.targets()[10], samples.targets()[0]]);
            (samples.rows(), samples.width(), inputs, targets)
        };
        // 32 bytes a row: in a file at once, after some rows, and only not encoded
        for bytes in [0, 100, 320] {
            let file = read(bytes);
            assert_eq!(file.records.in_memory(), bytes == 320);
            let other = file.fit(&TRAINING, &preprocess).unwrap();
            assert_eq!(format!("{other:?}"), format!("{:?}", (&fitted, unit)));
            assert_eq!(file.targets().unwrap(), memory.targets().unwrap());
            assert_eq!(samples(&file), samples(&memory));
        }
    }
}

#[test]
fn what_is_held_back_leaves_no_trace() {
    let changed =
        ["123456,1800-01-01,Paris,new,1", "-1e30,2999-12-31,Oslo,True,2", "?,2026-05,Bern,,3"];
    for preprocess in every_preprocess() {
        let before = fit(&sample(&ROWS, &preprocess), &TRAINING, &preprocess);
        let rows = [&changed[..], &ROWS[..7]].concat();
        let after = fit(&sample(&rows, &preprocess), &TRAINING.map(|i| i + 3), &preprocess);
        assert_eq!(serde_json::to_vec(&before).unwrap(), serde_json::to_vec(&after).unwrap());
    }
}

#[test]
fn inputs_are_those_of_the_transforms() {
    // OneHotEncoder(max_categories=3, handle_unknown="infrequent_if_exist") and StandardScaler.
    let preprocess = Preprocess { max_categories: 2, ..Preprocess::default() };
    let raw = sample(&ROWS, &preprocess);
    let fitted = fit(&raw, &TRAINING, &preprocess);
    let width = Encoders::new(&fitted).width();
    assert_eq!(width, 1 + 9 + 3 + 2);
    let inputs = encode(&raw, &fitted, &[0, 5, 7, 8]);
    let row = |i: usize| &inputs[i * width..][..width];
    assert_eq!(row(0)[10..], [1.0, 0.0, 0.0, 0.0, 1.0]);
    let rare_then_unseen = [&row(1)[10..], &row(2)[10..]];
    assert_eq!(rare_then_unseen, [[0.0, 0.0, 1.0, 0.0, 1.0]; 2]);
    assert_eq!(row(3)[10..], [0.0; 5]);
    // A missing date: the mean age and no place in any cycle.
    assert!(row(3)[1].abs() < 1e-6);
    assert_eq!(row(3)[2..10], [0.0; 8]);
    // 2026-01-31, a Saturday: midnight, 5/7 of the week, 30/31 of the month, 30/365 of the year.
    let circle = |share: f64| (share * std::f64::consts::TAU).sin_cos();
    for (i, share) in [0.0, 5.0 / 7.0, 30.0 / 31.0, 30.0 / 365.0].into_iter().enumerate() {
        let (sin, cos) = circle(share);
        assert!((f64::from(row(0)[2 + 2 * i]) - sin).abs() < 1e-6);
        assert!((f64::from(row(0)[3 + 2 * i]) - cos).abs() < 1e-6);
    }
}

#[test]
fn rows_with_a_missing_value_are_dropped_where_asked() {
    let own = ColumnPreprocess { imputation: Some(Imputation::Drop), ..Default::default() };
    let preprocess = Preprocess {
        columns: [("age".to_owned(), own.clone()), ("city".to_owned(), own)].into(),
        ..Preprocess::default()
    };
    let mut rows = ROWS.to_vec();
    rows.push("1,2026-01-31,Paris,True,");
    let raw = sample(&rows, &preprocess);
    assert_eq!((raw.rows(), raw.rows_dropped, raw.rows_without_target), (7, 3, 1));
    assert_eq!(raw.targets().unwrap(), [0.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0]);
    let fitted = fit(&raw, &[0, 1, 2, 3], &preprocess);
    let mut errors = FieldErrors::default();
    let rows = [sent(",,,,"), sent("1,,Paris,,")];
    Encoders::new(&fitted).encode(&rows, &mut errors);
    let fields: Vec<&str> = errors.0.iter().map(|e| e.field.as_str()).collect();
    assert_eq!(fields, ["rows[0].age", "rows[0].city"]);
    assert!(errors.0[0].message.contains("give a value"), "{errors}");
    let everything = Preprocess { imputation: Imputation::Drop, ..Preprocess::default() };
    assert_eq!(sample(&ROWS, &everything).rows(), 5);
}

#[test]
fn columns_without_a_value_and_tables_of_one_row_are_constant() {
    for preprocess in every_preprocess() {
        let raw = sample(&[",,,,1", "?,NA,null,None,2", "5,2026-01-01,a,b,3"], &preprocess);
        let fitted = fit(&raw, &[0, 1], &preprocess);
        check(&fitted).unwrap();
        let width = Encoders::new(&fitted).width();
        let inputs = encode(&raw, &fitted, &[0, 1, 2]);
        assert!(inputs.iter().all(|x| x.is_finite()));
        assert_eq!(inputs[..width], inputs[width..2 * width]);
        let one = fit(&raw, &[2], &preprocess);
        check(&one).unwrap();
        assert!(encode(&raw, &one, &[2]).iter().all(|x| x.is_finite()));
        check(&fit(&raw, &[], &preprocess)).unwrap();
        assert_eq!(encode(&raw, &fitted, &[]), [0.0; 0]);
    }
    let only_city = [Feature { name: "city".into(), kind: FeatureKind::Categorical }];
    let preprocess = Preprocess::default();
    let raw = read("city,y\n,1\n,2\n", &only_city, &preprocess).unwrap();
    let fitted = fit(&raw, &[0, 1], &preprocess);
    assert_eq!(encode(&raw, &fitted, &[0, 1]), [0.0; 0]);
    assert_eq!(encoded(&fitted, &[Row::from_iter([("city".into(), json!("x"))])]), [0.0; 0]);
}

#[test]
fn cells_that_do_not_fit_their_column_are_named() {
    let refusal = |text: &str| match read(text, &features(), &Preprocess::default()) {
        Ok(_) => panic!("read"),
        Err(error) => (error.cause().code, error.to_string()),
    };
    let (code, message) = refusal(&format!("{HEADER}1,yesterday,a,b,1\n"));
    assert_eq!(code, "not_a_date");
    assert!(message.starts_with("row 1 (line 2), column `seen`: `yesterday`"), "{message}");
    assert_eq!(refusal(&format!("{HEADER}old,2026-01,a,b,1\n")).0, "not_a_number");
    assert_eq!(refusal(&format!("{HEADER}1e39,2026-01,a,b,1\n")).0, "infinite_value");
    assert_eq!(refusal(&format!("{HEADER}1,2026-01,a,b,inf\n")).0, "infinite_value");
    assert_eq!(refusal("age,y\n1,2\n").0, "unknown_column");
    let header: Vec<String> = (0..1_000_000).map(|i| format!("c{i}")).collect();
    assert_eq!(refusal(&format!("{}\n", header.join(","))).0, "too_many_columns");
}

#[test]
fn wrong_values_of_a_prediction_are_named_up_to_a_limit() {
    let preprocess = Preprocess::default();
    let encoders = Encoders::new(&fit(&sample(&ROWS, &preprocess), &TRAINING, &preprocess));
    let mut errors = FieldErrors::default();
    let rows: Vec<Row> = serde_json::from_value(json!([
        {"age": "1", "seen": 5, "city": [], "on": null},
        {"age": 1e300, "seen": "5 May", "city": "?", "on": {}, "more": 1},
        {"age": null, "seen": " NA ", "city": 5, "on": true},
        {},
    ]))
    .unwrap();
    encoders.encode(&rows, &mut errors);
    let fields: Vec<&str> = errors.0.iter().map(|e| e.field.as_str()).collect();
    let wrong = ["rows[0].age", "rows[0].seen", "rows[0].city", "rows[1].age", "rows[1].seen"];
    let absent = ["rows[1].on", "rows[3].age", "rows[3].seen", "rows[3].city", "rows[3].on"];
    assert_eq!(fields, [wrong, absent].concat());
    assert!(errors.0[1].message.ends_with("or null; got 5"), "{errors}");
    let mut many = FieldErrors::default();
    encoders.encode(&vec![Row::new(); 1_000], &mut many);
    assert_eq!(many.0.len(), 100);
}

#[test]
fn columns_that_cannot_be_used_are_refused() {
    let name = || "x".to_owned();
    let number = |fill: f64, center: f64, scale: f64| {
        let (indicator, required) = (false, false);
        FittedColumn::Scale { name: name(), fill, center, scale, indicator, required }
    };
    let hash = |buckets| FittedColumn::Hash { name: name(), buckets, fill: None, required: false };
    check(&[number(0.0, 1.0, -2.0), hash(1)]).unwrap();
    for column in [
        number(f64::NAN, 0.0, 1.0),
        number(0.0, f64::INFINITY, 1.0),
        number(0.0, 0.0, 0.0),
        FittedColumn::Date { name: name(), fill: 0.0, center: 0.0, scale: 0.0, required: true },
        hash(0),
        hash(u32::MAX),
    ] {
        assert!(check(std::slice::from_ref(&column)).unwrap_err().contains("column"), "{column:?}");
    }
}

#[test]
fn columns_of_earlier_models_are_still_read() {
    let text = r#"[
        {"transform": "scale", "name": "a", "fill": 1.0, "center": 2.0, "scale": 3.0},
        {"transform": "one_hot", "name": "b", "categories": ["x"]}
    ]"#;
    let columns: Vec<FittedColumn> = serde_json::from_str(text).unwrap();
    let row = Row::from_iter([("a".to_owned(), json!(5)), ("b".to_owned(), json!("y"))]);
    assert_eq!(encoded(&columns, &[row]), [1.0, 0.0]);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        r"\PC{0,12}".prop_map(Value::from),
        r"[0-9]{4}-[0-9]{2}(-[0-9]{2}[ T0-9:.+Z-]{0,12})?".prop_map(Value::from),
        prop::sample::select(vec!["Paris", "?", "True", "1e999", "-inf", "1.0"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_json_becomes_finite_inputs_or_errors(
        rows in prop::collection::vec(
            prop::collection::vec((prop::sample::select(vec!["age", "seen", "city", "on"]), any_value()), 0..9),
            0..4,
        ),
    ) {
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|row| row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            .collect();
        for preprocess in [0, 1, 16, 31].map(|i| every_preprocess().swap_remove(i)) {
            let encoders = Encoders::new(&fit(&sample(&ROWS, &preprocess), &TRAINING, &preprocess));
            let mut errors = FieldErrors::default();
            let inputs = encoders.encode(&rows, &mut errors);
            prop_assert_eq!(inputs.len(), rows.len() * encoders.width());
            prop_assert!(inputs.iter().all(|x| x.is_finite()));
        }
    }
}
