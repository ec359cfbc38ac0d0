//! Data to train on.

use std::fmt::Write;

use serde_json::{Value, json};

/// The Wisconsin breast-cancer data, and the example specification for it.
pub fn breast_cancer() -> (String, Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/breast-cancer.csv");
    let draft = json!({
        "dataset": "breast-cancer", "target": "diagnosis", "drop": ["id"],
        "model": {"layers": [
            {"type": "Dense", "units": 16, "activation": "relu"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
        "epochs": 15, "batch_size": 32, "seed": 7,
    });
    (std::fs::read_to_string(path).unwrap(), draft)
}

/// Two classes of points that overlap a little, always the same, and a specification that trains on
/// them for `epochs` of 15 steps with a checkpoint every 100: long enough to be interrupted.
pub fn two_clouds(epochs: u32) -> (String, Value) {
    let mut csv = "x,y,cloud\n".to_owned();
    for n in 0..150_u32 {
        // a sequence that fills the unit square evenly
        let (u, v) = (f64::from(n) * 0.618_034 % 1.0, f64::from(n) * 0.414_214 % 1.0);
        let (shift, cloud) = if n % 2 == 0 { (0.0, "near") } else { (0.7, "far") };
        writeln!(csv, "{:.4},{:.4},{cloud}", u + shift, v + shift).unwrap();
    }
    let draft = json!({
        "dataset": "clouds", "target": "cloud",
        "model": {"layers": [
            {"type": "Dense", "units": 8, "activation": "relu"},
            {"type": "Dropout", "rate": 0.1},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
        "epochs": epochs, "batch_size": 8, "seed": 11, "checkpoint_every": 100,
    });
    (csv, draft)
}
