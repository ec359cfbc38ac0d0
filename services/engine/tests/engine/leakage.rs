//! What is held back for validation leaves no trace in the model: not in what is fitted, not in the
//! weights.

use domain::{
    child::DataFile,
    dataset::{Compression, Format},
    model::{FittedColumn, FittedInput},
    spec::TrainingSpec,
};
use serde_json::{Value, json};

use crate::{
    datasets::{monthly, pattern},
    families::{pattern_draft, rating_draft, review_draft, sales_draft},
    samples::{Scratch, with},
};

#[test]
fn transforms_know_nothing_of_the_held_back_rows() {
    let spec_of = |scratch: &Scratch| {
        scratch.spec(json!({
            "dataset": "sample", "target": "y", "epochs": 1, "seed": 3,
            "features": ["a", "c"], "validation": {"split": 0.5},
        }))
    };
    let mut rows: Vec<(f64, &str, f64)> =
        (0..100).map(|i| (f64::from(i), ["p", "q"][i as usize % 2], f64::from(i * 2))).collect();
    let csv = |rows: &[(f64, &str, f64)]| {
        let lines = rows.iter().map(|(a, c, y)| format!("{a},{c},{y}\n"));
        std::iter::once("a,c,y\n".to_owned()).chain(lines).collect::<String>()
    };
    let fitted = |csv: String| {
        let scratch = Scratch::new(csv);
        scratch.train(&spec_of(&scratch)).unwrap();
        let config = scratch.model().config().clone();
        let FittedInput::Table { columns } = config.input else { panic!("not a table") };
        (columns, config.target_center, config.target_scale)
    };
    let before = fitted(csv(&rows));
    let FittedColumn::Scale { center, .. } = before.0[0] else { panic!("{before:?}") };
    // Each row alone made extreme shows whether it takes part: exactly the training half does.
    let mut moving = 0;
    for i in (0..100).step_by(10) {
        let kept = rows[i];
        rows[i] = (1e6, "new", 1e6);
        let after = fitted(csv(&rows));
        rows[i] = kept;
        let FittedColumn::Scale { center: moved, .. } = after.0[0] else { panic!("{after:?}") };
        if moved != center {
            moving += 1;
            assert_ne!(after.0[1], before.0[1], "the category of a training row is known");
        } else {
            assert_eq!(after, before, "row {i} is held back and changed a transform");
        }
    }
    assert!((1..10).contains(&moving), "{moving} of 10 rows train");
}

/// What is fitted, and the weights' bytes.
fn trained(bytes: &str, format: Format, spec: &TrainingSpec) -> (String, Vec<u8>) {
    let scratch = Scratch::with(bytes, format, Compression::None);
    let data: &DataFile = &scratch.data;
    assert_eq!(data.bytes, bytes.len() as u64);
    scratch.train(spec).unwrap();
    let config = scratch.model().config().clone();
    let fitted = (config.input, config.target_center, config.target_scale);
    (serde_json::to_string(&fitted).unwrap(), scratch.model_files().1)
}

/// Changes one row of a CSV after another and counts those that change nothing. A row that changes
/// what is fitted changes the weights too, and the other way round.
fn rows_without_a_trace(csv: &str, draft: Value, changed: impl Fn(usize, &str) -> String) -> usize {
    let spec = Scratch::new(csv).spec(draft);
    let before = trained(csv, Format::Csv, &spec);
    let lines: Vec<&str> = csv.lines().collect();
    let mut without = 0;
    for i in 1..lines.len() {
        let mut lines: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
        lines[i] = changed(i, &lines[i]);
        let after = trained(&lines.join("\n"), Format::Csv, &spec);
        assert_eq!(after.0 == before.0, after.1 == before.1, "row {i}");
        without += usize::from(after == before);
    }
    without
}

#[test]
fn held_back_rows_of_a_table_leave_no_trace() {
    let mut csv = String::from("n,day,c,y\n");
    for i in 0..20 {
        csv += &format!("{i},2026-01-{:02},{},{}\n", i + 1, ["p", "q"][i % 2], i * 2);
    }
    let draft = json!({
        "dataset": "sample", "target": "y", "task": "regression", "epochs": 2, "batch_size": 5,
        "validation": {"split": 0.25}, "model": {"family": "linear"},
    });
    let extreme = |_: usize, _: &str| String::from("1e6,1999-12-31,new,1e6");
    assert_eq!(rows_without_a_trace(&csv, draft, extreme), 5);
}

#[test]
fn held_back_texts_teach_no_words() {
    let mut csv = String::from("text,label\n");
    (0..20).for_each(|i| csv += &format!("word{i} shared text,{}\n", i % 2));
    let model = json!({"family": "gru", "units": [3], "embedding_dim": 3});
    let draft = with(
        review_draft(model),
        json!({"epochs": 1, "batch_size": 5, "validation": {"split": 0.25},
               "features": ["text"]}),
    );
    let other = |_: usize, line: &str| {
        let (_, label) = line.rsplit_once(',').unwrap();
        format!("something else entirely,{label}")
    };
    assert_eq!(rows_without_a_trace(&csv, draft, other), 5);
}

#[test]
fn held_back_ratings_name_no_users_and_no_items() {
    let mut csv = String::from("user,item,rating\n");
    (0..20).for_each(|i| csv += &format!("u{},i{},{}\n", i % 5, i % 4, i % 3));
    let draft = with(
        rating_draft(json!({"family": "matrix_factorization", "embedding_dim": 2})),
        json!({"epochs": 1, "batch_size": 5, "validation": {"split": 0.25}}),
    );
    let other = |_: usize, _: &str| String::from("stranger,novelty,100");
    assert_eq!(rows_without_a_trace(&csv, draft, other), 5);
}

#[test]
fn the_backtest_of_a_series_scales_nothing() {
    let csv = monthly(60);
    let draft = with(sales_draft(json!({"family": "linear"})), json!({"epochs": 2}));
    let spec = Scratch::new(&csv).spec(draft);
    let before = trained(&csv, Format::Csv, &spec);
    let change = |row: usize| {
        let mut lines: Vec<String> = csv.lines().map(str::to_owned).collect();
        let (time, _) = lines[1 + row].split_once(',').unwrap();
        lines[1 + row] = format!("{time},1e6");
        trained(&lines.join("\n"), Format::Csv, &spec)
    };
    // the last horizon is held back
    (54..60).for_each(|row| assert_eq!(change(row), before, "row {row}"));
    assert_ne!(change(53), before);
}

#[test]
fn the_end_of_a_text_teaches_no_characters() {
    let text = pattern();
    let draft = with(pattern_draft(), json!({"epochs": 1, "validation": {"split": 0.1}}));
    let spec = Scratch::with(&text, Format::Text, Compression::None).spec(draft);
    let before = trained(&text, Format::Text, &spec);
    let kept = text.len() - text.len() / 10;
    let other = format!("{}{}", &text[..kept], "#".repeat(text.len() - kept));
    assert_eq!(trained(&other, Format::Text, &spec), before);
    let other = format!("#{}", &text[1..]);
    assert_ne!(trained(&other, Format::Text, &spec).0, before.0);
}
