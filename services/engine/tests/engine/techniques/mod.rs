//! Each technique of a specification, shown by its effect on numbers.

mod balance;
mod gradients;
mod judging;
mod optimizing;
mod regularizing;
mod stopping;

use serde_json::{Value, json};

use crate::samples::Scratch;

/// A rate at which no weight moves: figures are those of the first weights.
const STILL: f64 = 1e-30;

fn still() -> Value {
    json!({"type": "SGD", "learning_rate": STILL})
}

/// A linear regression on all rows.
fn regression() -> Value {
    json!({
        "dataset": "sample", "target": "y", "epochs": 1, "validation": {"split": 0.0},
        "model": {"layers": [{"type": "Dense", "units": 1}]},
    })
}

/// All published kernels' numbers.
fn kernels(scratch: &Scratch) -> Vec<f64> {
    let weights = scratch.weights();
    let kernels = weights.iter().filter(|(name, _)| name.ends_with("kernel"));
    kernels.flat_map(|(_, values)| values.iter().map(|&v| f64::from(v))).collect()
}

/// Of all published numbers, the largest difference.
#[track_caller]
fn farthest(a: &Scratch, b: &Scratch) -> f64 {
    let (a, b) = (a.weights(), b.weights());
    assert!(a.keys().eq(b.keys()));
    let pairs = a.values().flatten().zip(b.values().flatten());
    pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
}

/// Of the difference of all published numbers.
fn distance(a: &Scratch, b: &Scratch) -> f64 {
    let (a, b) = (a.weights(), b.weights());
    let pairs = a.values().flatten().zip(b.values().flatten());
    pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}
