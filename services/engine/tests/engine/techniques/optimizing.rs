//! Descent reaches the least-squares answer whichever way it goes, and schedules are seen in the
//! history.

use domain::predict::Prediction;
use serde_json::{Value, json};

use super::{kernels, regression, still};
use crate::{
    datasets::{noisy_line, rare},
    samples::{Scratch, client_rows, history, line, rows, with},
};

/// Weights of standardised columns `a` and `b` for the standardised `y` by the normal equations:
/// `[1 r; r 1] w = [ra; rb]` with the columns' correlations.
fn least_squares(csv: &str) -> [f64; 2] {
    let columns: Vec<Vec<f64>> = (0..3)
        .map(|i| {
            let column: Vec<f64> = csv
                .lines()
                .skip(1)
                .map(|line| line.split(',').nth(i).unwrap().parse().unwrap())
                .collect();
            let n = column.len() as f64;
            let mean = column.iter().sum::<f64>() / n;
            let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            column.iter().map(|x| (x - mean) / variance.sqrt()).collect()
        })
        .collect();
    let correlation = |i: usize, j: usize| {
        let products = columns[i].iter().zip(&columns[j]).map(|(x, y)| x * y);
        products.sum::<f64>() / columns[i].len() as f64
    };
    let (r, ra, rb) = (correlation(0, 1), correlation(0, 2), correlation(1, 2));
    let determinant = 1.0 - r * r;
    [(ra - r * rb) / determinant, (rb - r * ra) / determinant]
}

#[test]
fn full_single_and_mini_batches_reach_least_squares() {
    let csv = noisy_line(48, 0, 0.3);
    let expected = least_squares(&csv);
    let cosine = json!({"curve": {"type": "cosine"}});
    for more in [
        json!({"optimizer": {"type": "GD", "learning_rate": 0.2}, "epochs": 100}),
        json!({"optimizer": {"type": "SGD", "learning_rate": 0.02}, "batch_size": 1,
               "epochs": 40, "schedule": cosine}),
        json!({"optimizer": {"type": "SGD", "learning_rate": 0.05, "momentum": 0.5},
               "batch_size": 8, "epochs": 60, "schedule": cosine}),
    ] {
        let scratch = Scratch::new(&csv);
        scratch.run(with(regression(), more.clone()));
        let got = kernels(&scratch);
        println!("{got:?} {expected:?}");
        let off = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-3, "{got:?} where {expected:?}: {more}");
    }
}

#[test]
fn every_optimizer_learns_the_line() {
    for optimizer in [
        json!({"type": "GD", "learning_rate": 0.2}),
        json!({"type": "SGD", "learning_rate": 0.05, "momentum": 0.9, "nesterov": true}),
        json!({"type": "Adagrad", "learning_rate": 0.3}),
        json!({"type": "RMSprop", "learning_rate": 0.05}),
        json!({"type": "Adam", "learning_rate": 0.05}),
        json!({"type": "AdamW", "learning_rate": 0.05, "weight_decay": 0.001}),
    ] {
        let scratch = Scratch::new(noisy_line(64, 0, 0.0));
        let draft = with(regression(), json!({"optimizer": optimizer, "epochs": 40}));
        let (_, events) = scratch.run(draft);
        let losses = history(&events, "loss");
        let last = losses[losses.len() - 1];
        assert!(last < 0.02 && last < 0.1 * losses[0], "{optimizer}: {losses:?}");
    }
}

/// The learning rate of every epoch of ten with one step each, as a share of the full one.
fn rates(schedule: Value) -> Vec<f64> {
    let more = json!({
        "epochs": 10, "optimizer": {"type": "GD", "learning_rate": 0.1}, "schedule": schedule,
    });
    let (_, events) = Scratch::new(line(40)).run(with(regression(), more));
    history(&events, "learning_rate").iter().map(|rate| rate / 0.1).collect()
}

#[track_caller]
fn assert_near(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (a, b) in got.iter().zip(expected) {
        assert!((a - b).abs() < 1e-9, "{got:?} {expected:?}");
    }
}

#[test]
fn schedules_are_seen_in_the_history() {
    assert_near(&rates(json!({})), &[1.0; 10]);
    let step = rates(json!({"curve": {"type": "step", "step_size": 4, "gamma": 0.5}}));
    assert_near(&step, &[1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]);
    let cosine = rates(json!({"curve": {"type": "cosine", "alpha": 0.2}}));
    assert!(cosine.is_sorted_by(|a, b| a > b), "{cosine:?}");
    assert!((cosine[9] - 0.2).abs() < 0.03, "{cosine:?}");
    let root = rates(json!({"warmup_steps": 4, "curve": {"type": "inverse_square_root"}}));
    assert!(root[0] < root[1] && root[1] < root[2], "warms up: {root:?}");
    assert!(root[4..].is_sorted_by(|a, b| a > b) && root[9] > 0.5, "and falls: {root:?}");
}

#[test]
fn a_rate_falls_on_a_plateau() {
    let more = json!({
        "epochs": 8, "optimizer": still(),
        "schedule": {"curve": {"type": "reduce_on_plateau", "factor": 0.5, "patience": 2,
                               "min_learning_rate": 0.3e-30}},
    });
    let (_, events) = Scratch::new(line(40)).run(with(regression(), more));
    let rates: Vec<f64> =
        history(&events, "learning_rate").iter().map(|rate| rate / super::STILL).collect();
    // the first epoch is the best one, two more do not better it
    assert_near(&rates, &[1.0, 1.0, 1.0, 0.5, 0.5, 0.3, 0.3, 0.3]);
}

fn first_loss(initializer: &str) -> f64 {
    let layers = json!([
        {"type": "Dense", "units": 16, "activation": "relu", "kernel_initializer": initializer},
        {"type": "Dense", "units": 1, "activation": "sigmoid"},
    ]);
    let draft = json!({
        "dataset": "sample", "target": "ill", "epochs": 1, "optimizer": still(),
        "model": {"layers": layers},
    });
    let (_, events) = Scratch::new(rare(100)).run(draft);
    history(&events, "val_loss")[0]
}

#[test]
fn networks_start_as_their_initializer_says() {
    let names = [
        "random_uniform",
        "random_normal",
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
    ];
    let losses = names.map(first_loss);
    for (i, loss) in losses.iter().enumerate() {
        assert!(losses[..i].iter().all(|other| (loss - other).abs() > 1e-6), "{losses:?}");
    }
    // the smaller the first weights, the nearer the answers to one half
    let off = losses.map(|loss| (loss - 2.0_f64.ln()).abs());
    assert!(off[0].max(off[1]) < off[4].max(off[5]), "{losses:?}");
}

#[test]
fn zeros_are_refused_where_nothing_could_be_learned() {
    let zeros = |first: bool| {
        let zeros = |yes| if yes { "zeros" } else { "glorot_uniform" };
        json!({
            "dataset": "sample", "target": "ill", "epochs": 1, "optimizer": still(),
            "model": {"layers": [
                {"type": "Dense", "units": 4, "kernel_initializer": zeros(first)},
                {"type": "Dense", "units": 1, "activation": "sigmoid",
                 "kernel_initializer": zeros(!first)},
            ]},
        })
    };
    let scratch = Scratch::new(rare(50));
    let errors = scratch.parse(zeros(true)).unwrap_err();
    assert_eq!(errors.0[0].field, "model.layers[0].kernel_initializer");
    assert!(errors.0[0].message.contains("use glorot_uniform"), "{errors}");
    let (_, events) = scratch.run(zeros(false));
    assert!((history(&events, "loss")[0] - 2.0_f64.ln()).abs() < 1e-6);
}

#[test]
fn batch_normalisation_predicts_from_its_moving_statistics() {
    let layers = json!([
        {"type": "Dense", "units": 8},
        {"type": "BatchNormalization", "momentum": 0.8},
        {"type": "Activation", "activation": "relu"},
        {"type": "Dense", "units": 1},
    ]);
    let csv = noisy_line(80, 0, 0.1);
    let scratch = Scratch::new(&csv);
    let more = json!({
        "epochs": 20, "batch_size": 16, "model": {"layers": layers},
        "optimizer": {"type": "Adam", "learning_rate": 0.02}, "validation": {"split": 0.2},
    });
    let (_, events) = scratch.run(with(regression(), more));
    assert!(history(&events, "val_loss")[19] < 0.1, "{:?}", history(&events, "val_loss"));
    let weights = scratch.weights();
    assert!(weights["layers.1.moving_mean"].iter().any(|m| *m != 0.0));
    assert!(weights["layers.1.moving_variance"].iter().all(|v| *v > 0.0 && *v != 1.0));
    let model = scratch.model();
    let all = client_rows(&csv);
    let together = model.predict(&all).unwrap();
    for (row, answer) in all.iter().zip(&together).take(10) {
        let alone = model.predict(std::slice::from_ref(row)).unwrap();
        let ([Prediction::Value { value: a }], Prediction::Value { value: b }) =
            (&alone[..], answer)
        else {
            panic!("{alone:?}")
        };
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    assert_eq!(model.predict(&rows(json!([]))).unwrap(), []);
}
