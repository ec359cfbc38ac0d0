//! A table that memory does not hold gives the same model, to the byte, as one that it does.

use std::{fmt::Write, fs};

use domain::{
    child::Event,
    dataset::{Compression, Format},
    spec::TrainingSpec,
};
use engine::{Ending, StopFlag};
use serde_json::{Value, json};

use crate::samples::{Scratch, epochs, with};

/// Numbers, dates and categories, each with holes, and a number and a rare class to predict.
fn mixed(rows: u32) -> String {
    let mut csv = String::from("a,b,c,d,e,f,when,then,city,size,word,y,rare\n");
    for i in 0..rows {
        let x = f64::from(i) * 0.7;
        let hole = |k: u32, text: String| if (i + k).is_multiple_of(9) { "?".into() } else { text };
        let numbers: Vec<String> = (0..6)
            .map(|k| hole(k, format!("{:.3}", (x + f64::from(k)).sin() * 10.0_f64.powi(k as i32))))
            .collect();
        let date = |k: u32| {
            let (year, month, day) = (2000 + i % 23, 1 + (i + k) % 12, 1 + i * k % 28);
            hole(k, format!("{year}-{month:02}-{day:02}"))
        };
        let word = |k: u32, n: u32| hole(k, format!("w{}", i * i % n));
        let rare = if i % 11 == 3 { "yes" } else { "no" };
        let y = x.cos() * 3.0 + f64::from(i % 7);
        writeln!(
            csv,
            "{},{},{},{},{},{},{y:.3},{rare}",
            numbers.join(","),
            date(6),
            date(5),
            word(1, 5),
            word(2, 3),
            word(3, 101)
        )
        .unwrap();
    }
    csv
}

/// Every way of filling, scaling and encoding in one table.
fn draft(more: Value) -> Value {
    let own = json!({
        "a": {"imputation": "mean", "scaling": "standard"},
        "b": {"imputation": "median", "scaling": "robust"},
        "c": {"imputation": "mode", "scaling": "min_max"},
        "d": {"imputation": "constant", "fill_value": 3.5, "scaling": "robust"},
        "e": {"imputation": "zero", "scaling": "none"},
        "f": {"imputation": "drop"},
        "when": {"imputation": "median"},
        "city": {"encoding": "one_hot", "imputation": "mode"},
        "size": {"encoding": "ordinal"},
        "word": {"encoding": "hashing"},
    });
    let draft = json!({
        "dataset": "sample", "target": "y", "drop": ["rare"], "epochs": 3, "batch_size": 16,
        "seed": 5, "preprocess": {"columns": own, "missing_indicator": true},
        "model": {"layers": [
            {"type": "Dense", "units": 5, "activation": "tanh"}, {"type": "Dense", "units": 1},
        ]},
    });
    with(draft, more)
}

fn of_classes(more: Value) -> Value {
    let layers = json!([
        {"type": "Dense", "units": 5, "activation": "tanh"},
        {"type": "Dense", "units": 1, "activation": "sigmoid"},
    ]);
    let more = with(json!({"target": "rare", "drop": ["y"]}), more);
    with(draft(more), json!({"model": {"layers": layers}}))
}

/// As if memory did not hold the rows.
fn in_file(mut spec: TrainingSpec) -> TrainingSpec {
    assert!(!spec.estimate.rows_in_file);
    spec.estimate.rows_in_file = true;
    spec
}

/// The published files, without what was thought of their memory.
fn published(scratch: &Scratch) -> (Value, Vec<u8>) {
    let (config, weights) = scratch.model_files();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    config["spec"].as_object_mut().unwrap().remove("estimate").unwrap();
    (config, weights)
}

fn told(events: &[Event]) -> Vec<String> {
    epochs(events).iter().map(|event| format!("{event:?}")).collect()
}

#[track_caller]
fn same_in_a_file(memory: &Scratch, draft: Value) {
    let spec = memory.spec(draft);
    let (ending, events) = memory.train(&spec).unwrap();
    let file = memory.again();
    let files = fs::read_dir(file.path()).unwrap().count();
    let (other_ending, other_events) = file.train(&in_file(spec)).unwrap();
    assert_eq!(other_ending, ending);
    assert_eq!(told(&other_events), told(&events));
    assert!(published(&file) == published(memory));
    assert_eq!(fs::read_dir(file.path()).unwrap().count(), files + 2, "only the model is left");
}

#[test]
fn every_kind_of_column_is_prepared_alike() {
    let scratch = Scratch::new(mixed(400)).tested_on(mixed(90));
    same_in_a_file(&scratch, draft(json!({})));
    let all_rows = json!({"optimizer": {"type": "GD", "learning_rate": 0.1}, "batch_size": null});
    same_in_a_file(&scratch.again(), draft(all_rows));
}

#[test]
fn lines_of_json_are_read_alike() {
    let csv = mixed(200);
    let mut lines = csv.lines().map(|line| line.split(','));
    let names: Vec<&str> = lines.next().unwrap().collect();
    let object = |cells: std::str::Split<'_, char>| {
        let value = |cell: &str| cell.parse::<f64>().map_or_else(|_| json!(cell), |x| json!(x));
        let row: serde_json::Map<_, _> =
            names.iter().map(|&n| n.to_owned()).zip(cells.map(value)).collect();
        Value::from(row).to_string() + "\n"
    };
    let text: String = lines.map(object).collect();
    same_in_a_file(&Scratch::with(text, Format::Jsonl, Compression::None), draft(json!({})));
}

#[test]
fn rows_are_drawn_weighed_and_held_back_alike() {
    let scratch = Scratch::new(mixed(400));
    let more = json!({
        "oversample": true, "validation": {"split": 0.25, "stratified": true}, "epochs": 6,
        "early_stopping": {"monitor": "val_loss", "patience": 1},
    });
    same_in_a_file(&scratch, of_classes(more));
    same_in_a_file(&scratch.again(), of_classes(json!({"class_weight": "balanced"})));
    let folds = json!({
        "validation": {"folds": 3, "stratified": true}, "early_stopping": {"patience": 1},
    });
    same_in_a_file(&scratch.again(), of_classes(folds));
    same_in_a_file(&scratch.again(), draft(json!({"validation": {"folds": 2}})));
}

#[test]
fn a_run_whose_rows_are_in_a_file_resumes() {
    let whole = Scratch::new(mixed(300));
    let more = json!({"checkpoint_every": 1, "oversample": true, "validation": {"folds": 2}});
    let spec = in_file(whole.spec(of_classes(more)));
    let (ending, _) = whole.train(&spec).unwrap();
    for at in [2, 40] {
        let scratch = whole.again();
        let reached =
            |event: &Event| matches!(event, Event::Checkpoint { step, .. } if *step == at);
        let (stopped, _) = scratch.train_until(&spec, &StopFlag::default(), reached).unwrap();
        assert_eq!(stopped, Ending::Stopped { step: at });
        assert_eq!(scratch.train(&spec).unwrap().0, ending);
        assert!(scratch.model_files() == whole.model_files());
    }
}
