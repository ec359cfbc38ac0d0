//! Files that are not a model are refused, with what is wrong and where.

use std::fs;

use domain::{
    child::{CONFIG_FILE, WEIGHTS_FILE},
    dataset::Format,
};
use serde_json::{Value, json};

use crate::support::train;

#[test]
fn files_that_are_not_a_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = String::from("x,w,y\n");
    (0..60).for_each(|i| csv += &format!("{},{},{}\n", i % 7, i % 5, i % 2));
    train(folder.path(), csv.as_bytes(), Format::Csv, json!({"target": "y", "epochs": 1}));
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let (config, weights) = (read(CONFIG_FILE), read(WEIGHTS_FILE));
    let refusal = |config: &[u8], weights: &[u8]| {
        onnx::export(config, weights).expect_err("it is no model").to_string()
    };
    let change = |path: &str, value: Value| {
        let mut json: Value = serde_json::from_slice(&config).unwrap();
        *json.pointer_mut(path).unwrap() = value;
        serde_json::to_vec(&json).unwrap()
    };
    assert!(refusal(b"{}", &weights).starts_with("config.json: missing field"));
    assert!(refusal(&config, &weights[1..]).contains("digest"));
    let none = domain::Digest::of(b"").to_string();
    assert!(refusal(&change("/weights_sha256", json!(none)), b"").starts_with("the weights: "));
    let bad = [
        ("/format", json!(1), "format is 1"),
        ("/layers/0/units", json!(4_000_000_000_u32), "needs to be F32 [2, 4000000000]"),
        ("/layers/0", json!({"type": "LSTM", "units": 3}), "layers.0: LSTM got 2 features"),
        ("/layers", json!([]), "the layers give 2 features"),
        ("/input/columns", json!([]), "no inputs"),
        ("/task", json!("multiclass_classification"), "no answer to MulticlassClassification"),
    ];
    for (path, value, words) in bad {
        let message = refusal(&change(path, value), &weights);
        assert!(message.contains(words), "{path}: {message}");
    }
}
