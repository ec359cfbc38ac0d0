//! A model asked about a whole file: what it answers is what it answers row by row, for every family, and what it
//! cannot read is named.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    dataset::{Compression, Format},
    inquiry::{ANSWERS_FILE, BadRows, Predicted},
    predict::Prediction,
};
use engine::{Asking, EngineError, predict_all};
use serde_json::{Value, json};

use crate::{
    datasets::{folder_zip, panel, png, strokes},
    families::sales_draft,
    samples::{Scratch, client_rows, line, rings, rows, with},
};

fn trained(csv: String, draft: Value) -> Scratch {
    let scratch = Scratch::new(csv);
    scratch.run(with(json!({"dataset": "sample", "epochs": 1, "batch_size": 8}), draft));
    scratch
}

/// What the model in `of` answers to the file of `to`, line by line.
fn asked(
    of: &Scratch,
    to: &Scratch,
    bad_rows: BadRows,
) -> Result<(Predicted, Vec<Value>), EngineError> {
    let folder = to.again();
    let (json, numbers) = of.model_files();
    fs::write(folder.path().join(domain::child::CONFIG_FILE), json).unwrap();
    fs::write(folder.path().join(domain::child::WEIGHTS_FILE), numbers).unwrap();
    let asking = Asking { data: &folder.data, limits: &folder.limits, scratch: folder.path() };
    let found = predict_all(asking, bad_rows)?;
    let text = String::from_utf8(folder.read(ANSWERS_FILE)).unwrap();
    Ok((found, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()))
}

fn whole(of: &Scratch) -> (Predicted, Vec<Value>) {
    asked(of, of, BadRows::Fail).unwrap()
}

fn refused(of: &Scratch, to: &Scratch) -> String {
    let error = asked(of, to, BadRows::Fail).unwrap_err();
    format!("{}: {error}", error.cause().code)
}

#[test]
fn more_rows_than_are_in_memory_at_once_are_answered_in_their_order() {
    let text = line(2_500);
    let scratch = trained(text.clone(), json!({"target": "y"}));
    let (found, lines) = whole(&scratch);
    assert_eq!(found, Predicted { answered: 2_500, bad_rows: 0, tokens: 0 });
    let online = scratch.model().predict(&client_rows(&text)).unwrap();
    for (i, (line, online)) in lines.iter().zip(&online).enumerate() {
        let Prediction::Value { value } = online else { panic!("a regression's") };
        assert_eq!(line["row"], i + 1);
        assert!((line["value"].as_f64().unwrap() - value).abs() < 1e-5, "{line} {online:?}");
    }
}

#[test]
fn rows_that_do_not_fit_are_named_or_listed() {
    let scratch = trained(rings(60), json!({"target": "ring"}));
    let wild = "x,y,colour,noise\n1,2,red,1\none,2,red,\n1,1e39,blue,1\nNA,2,never seen,1\n";
    let wild = Scratch::new(wild);
    let why = refused(&scratch, &wild);
    let named = "row_does_not_fit: row 2 (line 3): column `x`: expected a number or null; got the text `one`";
    assert!(why.starts_with(named), "{why}");
    let (found, lines) = asked(&scratch, &wild, BadRows::List).unwrap();
    assert_eq!(found, Predicted { answered: 2, bad_rows: 2, tokens: 0 });
    let fields: Vec<_> = lines.iter().map(|line| &line["errors"][0]["field"]).collect();
    assert_eq!(fields, [&json!(null), &json!("x"), &json!("y"), &json!(null)]);
    let short = Scratch::new("x,y,colour\n1,2,red\n");
    assert!(
        refused(&scratch, &short).starts_with("unknown_column: the model reads the column `noise`")
    );
    let ragged = Scratch::new("x,y,colour,noise\n1,2,red\n");
    assert!(refused(&scratch, &ragged).starts_with("ragged_row"));
}

#[test]
fn cells_mean_what_they_meant_in_training() {
    // a missing value in one of its spellings, JSON's own booleans, and a key that a line lacks
    let mut csv = "code,known,label\n".to_owned();
    for i in 0..60 {
        let code = ["red", "1.0x", "NA"][i % 3];
        csv += &format!("{code},{},{}\n", i % 2 == 0, ["a", "b", "c"][i % 3]);
    }
    let scratch = Scratch::new(&csv);
    scratch.run(json!({
        "dataset": "sample", "target": "label", "epochs": 40, "batch_size": 8,
        "optimizer": {"type": "Adam", "learning_rate": 0.05},
    }));
    let lines = whole(&scratch).1;
    let right = |i: usize| lines[i]["class"] == ["a", "b", "c"][i % 3];
    assert!((0..60).all(right), "{:?}", &lines[..3]);
    let jsonl = "{\"code\": \"red\", \"known\": true}\n{\"known\": false}\n";
    let jsonl = Scratch::with(jsonl, Format::Jsonl, Compression::None);
    let lines = asked(&scratch, &jsonl, BadRows::Fail).unwrap().1;
    assert_eq!((&lines[0]["class"], &lines[1]["class"]), (&json!("a"), &json!("c")));
}

#[test]
fn pictures_are_answered_as_they_lie_in_the_zip() {
    let shown = strokes(96, 1);
    let scratch = Scratch::with(folder_zip(&shown), Format::Images, Compression::None);
    scratch.run(json!({
        "dataset": "sample", "epochs": 2, "batch_size": 4, "model": {"family": "cnn", "filters": [4]},
    }));
    let (found, lines) = whole(&scratch);
    assert_eq!((found.answered, lines.len(), &lines[95]["row"]), (96, 96, &json!(96)));
    let online = scratch.model();
    for (line, (pixels, _)) in lines.iter().zip(&shown).step_by(16) {
        let row = json!([{"image": STANDARD.encode(png(8, 8, pixels))}]);
        let Prediction::Class { class, .. } = online.predict(&rows(row)).unwrap().remove(0) else {
            panic!("a classifier's")
        };
        assert_eq!(line["class"], class.as_str());
    }
    let table = Scratch::new("x\n1\n");
    assert!(
        refused(&scratch, &table).starts_with("unknown_column: the model reads the column `image`")
    );
}

#[test]
fn a_forecaster_answers_for_each_series() {
    let mut draft = sales_draft(json!({"family": "mlp", "units": [4]}));
    draft["series"]["series"] = json!("shop");
    draft["epochs"] = json!(1);
    let scratch = Scratch::new(panel(72));
    scratch.run(draft);
    let (found, lines) = whole(&scratch);
    assert_eq!((found.answered, lines.len()), (2, 2));
    let values = lines[1]["values"].as_array().unwrap();
    assert_eq!((&lines[1]["series"], values.len()), (&json!("south"), 6));
    assert!(lines[0].get("row").is_none(), "{}", lines[0]);
    let twice = Scratch::new("month,shop,sales\n2020-01,north,1\n2020-01,north,2\n");
    assert!(
        refused(&scratch, &twice).starts_with("row_does_not_fit: row 2 (line 3): column `month`"),
        "{}",
        refused(&scratch, &twice)
    );
}

#[test]
fn texts_go_on_from_prompts() {
    let scratch = Scratch::with("hello world. ".repeat(60), Format::Text, Compression::None);
    scratch.run(json!({
        "dataset": "sample", "context": 16, "epochs": 1, "batch_size": 8,
        "model": {"family": "transformer", "embedding_dim": 8, "num_heads": 2, "num_layers": 1},
    }));
    let prompts = Scratch::new("prompt,max_tokens,temperature\nhello,5,0\n,5,0\nhello,many,0\n");
    let (found, lines) = asked(&scratch, &prompts, BadRows::List).unwrap();
    assert_eq!((found.answered, found.bad_rows, found.tokens), (1, 2, 5));
    assert!(lines[0]["text"].is_string(), "{}", lines[0]);
    let fields = [&lines[1]["errors"][0]["field"], &lines[2]["errors"][0]["field"]];
    assert_eq!(fields, [&json!("prompt"), &json!("max_tokens")]);
}
