//! Clipped and gathered gradients.

use serde_json::{Value, json};

use super::{distance, farthest, regression, still};
use crate::{
    datasets::noisy_line,
    samples::{Scratch, with},
};

/// Two layers after one step on all rows at a rate of 1, with a target in which one row is huge.
fn one_step(more: Value) -> Scratch {
    let mut csv = noisy_line(40, 0, 0.1);
    csv += "100,-100,1e6\n";
    let scratch = Scratch::new(csv);
    let layers = json!([{"type": "Dense", "units": 4}, {"type": "Dense", "units": 1}]);
    let draft = json!({
        "batch_size": 41, "model": {"layers": layers},
        "optimizer": {"type": "SGD", "learning_rate": 1.0},
    });
    scratch.run(with(with(regression(), draft), more));
    scratch
}

#[test]
fn clipping_bounds_the_step_of_a_huge_gradient() {
    let start = one_step(json!({"optimizer": still()}));
    let free = one_step(json!({}));
    assert!(distance(&start, &free) > 0.5, "{}", distance(&start, &free));
    let clipped = |field: &str| one_step(json!({"gradient": {field: 1e-3}}));
    // each number, each of the four tensors, all together
    let by_value = clipped("clipvalue");
    assert!((farthest(&start, &by_value) - 1e-3).abs() < 1e-6);
    let by_norm = distance(&start, &clipped("clipnorm"));
    assert!(by_norm > 1.1e-3 && by_norm < 2.001e-3, "{by_norm}");
    let together = distance(&start, &clipped("global_clipnorm"));
    assert!((together - 1e-3).abs() < 1e-6, "{together}");
}

#[test]
fn gathered_batches_are_one_large_batch() {
    let trained = |more: Value| {
        let scratch = Scratch::new(noisy_line(56, 2, 0.3));
        let layers = json!([
            {"type": "Dense", "units": 5, "activation": "tanh"},
            {"type": "Dense", "units": 1},
        ]);
        let draft = json!({
            "epochs": 3, "model": {"layers": layers},
            "optimizer": {"type": "SGD", "learning_rate": 0.1, "momentum": 0.9},
        });
        scratch.run(with(with(regression(), draft), more));
        scratch
    };
    let large = trained(json!({"batch_size": 16}));
    let gathered = trained(json!({"batch_size": 4, "gradient": {"accumulation_steps": 4}}));
    // the last step of an epoch has 8 rows left, which are two small batches
    assert!(farthest(&large, &gathered) < 1e-5, "{}", farthest(&large, &gathered));
    let small = trained(json!({"batch_size": 4}));
    assert!(farthest(&large, &small) > 1e-3);
}
