//! Penalties, dropout, label smoothing and augmentation: what they do to training, and that they do
//! nothing to evaluation.

use domain::{
    child::Event,
    dataset::{Compression, Format},
    predict::Prediction,
};
use serde_json::{Value, json};

use super::{kernels, regression, still};
use crate::{
    datasets::{idx_zip, noisy_line, rare, reviews, strokes},
    families::{review_draft, stroke_draft},
    samples::{Scratch, client_rows, history, with},
};

fn penalised(regularization: Value) -> Vec<f64> {
    let scratch = Scratch::new(noisy_line(60, 8, 2.0));
    let more = json!({
        "epochs": 150, "optimizer": {"type": "GD", "learning_rate": 0.1},
        "schedule": {"curve": {"type": "cosine"}}, "regularization": regularization,
    });
    scratch.run(with(regression(), more));
    kernels(&scratch)
}

#[test]
fn l1_makes_weights_sparse_and_l2_small() {
    let none = penalised(json!({}));
    let l1 = penalised(json!({"l1": 0.2}));
    let l2 = penalised(json!({"l2": 0.3}));
    let near_zero = |weights: &[f64]| weights.iter().filter(|w| w.abs() < 0.005).count();
    let norm = |weights: &[f64]| weights.iter().map(|w| w * w).sum::<f64>().sqrt();
    println!("{none:?} {l1:?} {l2:?}");
    assert!(near_zero(&l1) >= near_zero(&none) + 5, "{l1:?} {none:?}");
    assert!(near_zero(&l1) > near_zero(&l2), "{l1:?} {l2:?}");
    assert!(norm(&l2) < 0.85 * norm(&none), "{l2:?} {none:?}");
    // of the two columns that matter, neither goes
    assert!(l1[0] > 0.1 && l1[1] < -0.05, "{l1:?}");
}

#[test]
fn an_elastic_penalty_is_added_to_the_training_loss_alone() {
    let csv = noisy_line(60, 2, 1.0);
    let run = |regularization: Value| {
        let scratch = Scratch::new(&csv);
        let more = json!({
            "optimizer": still(), "regularization": regularization, "validation": {"split": 0.2},
        });
        let (_, events) = scratch.run(with(regression(), more));
        (history(&events, "loss")[0], history(&events, "val_loss")[0], kernels(&scratch))
    };
    let (plain, plain_validation, _) = run(json!({}));
    let (loss, validation, weights) = run(json!({"l1": 0.1, "l2": 0.2}));
    let sum = |of: fn(f64) -> f64| weights.iter().map(|&w| of(w)).sum::<f64>();
    let penalty = 0.1 * sum(f64::abs) + 0.2 * sum(|w| w * w);
    assert!((loss - plain - penalty).abs() < 1e-6, "{loss} {plain} {penalty}");
    assert_eq!(validation, plain_validation);
}

/// Losses of the first weights, in training and in validation.
fn first_losses(scratch: &Scratch, draft: Value) -> (f64, f64) {
    let still = json!({"optimizer": still(), "epochs": 1, "schedule": {}});
    let (_, events) = scratch.run(with(draft, still));
    (history(&events, "loss")[0], history(&events, "val_loss")[0])
}

#[test]
fn dropout_is_for_training_alone() {
    let dropped = |rate: f64| {
        let draft = json!({"dataset": "sample", "target": "ill", "model": {"layers": [
            {"type": "Dense", "units": 8, "activation": "relu"},
            {"type": "Dropout", "rate": rate},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]}});
        first_losses(&Scratch::new(rare(80)), draft)
    };
    let (none, half) = (dropped(0.0), dropped(0.5));
    assert!((none.0 - half.0).abs() > 1e-3, "{none:?} {half:?}");
    assert_eq!(none.1, half.1);
    for field in ["dropout", "recurrent_dropout"] {
        let dropped = |rate: f64| {
            let model = json!({"family": "lstm", "units": [4], "embedding_dim": 16, field: rate});
            first_losses(&Scratch::new(reviews(60)), review_draft(model))
        };
        let (none, half) = (dropped(0.0), dropped(0.5));
        assert_ne!(none.0, half.0, "{field}");
        assert_eq!(none.1, half.1, "{field}");
    }
}

#[test]
fn dropout_narrows_the_gap_between_training_and_validation() {
    let gap = |rate: f64| {
        let draft = json!({
            "dataset": "sample", "target": "ill", "epochs": 60, "batch_size": 16,
            "validation": {"split": 0.5},
            "optimizer": {"type": "Adam", "learning_rate": 0.02},
            "model": {"family": "mlp", "units": [32], "dropout": rate},
        });
        let (_, events) = Scratch::new(rare(80)).run(draft);
        history(&events, "val_loss")[59] - history(&events, "loss")[59]
    };
    let (without, with) = (gap(0.0), gap(0.6));
    println!("{without} {with}");
    assert!(with < 0.8 * without, "{with} {without}");
}

#[test]
fn smoothed_labels_keep_answers_away_from_certainty() {
    let mut csv = String::from("x,side\n");
    (0..40).for_each(|i| csv += &format!("{},{}\n", i - 20, if i < 20 { "left" } else { "right" }));
    let most = |smoothing: f64| {
        let scratch = Scratch::new(&csv);
        let draft = json!({
            "dataset": "sample", "target": "side", "epochs": 60, "batch_size": 8,
            "label_smoothing": smoothing, "model": {"family": "mlp", "units": [8]},
            "optimizer": {"type": "Adam", "learning_rate": 0.05}, "validation": {"split": 0.0},
        });
        scratch.run(draft);
        let best = |answer: Prediction| match answer {
            Prediction::Class { probabilities, .. } => {
                probabilities.values().copied().fold(0.0, f64::max)
            }
            other => panic!("{other:?}"),
        };
        let answers = scratch.model().predict(&client_rows(&csv)).unwrap();
        answers.into_iter().map(best).fold(0.0, f64::max)
    };
    let (sharp, smooth) = (most(0.0), most(0.2));
    // a fifth spread over two classes leaves the truth 0.9
    assert!(sharp > 0.999 && smooth < 0.98, "{sharp} {smooth}");
}

#[test]
fn images_are_augmented_in_training_alone() {
    let zip = idx_zip(&strokes(40, 9), &[]);
    let losses = |augmentation: Value| {
        let scratch = Scratch::with(&zip, Format::Images, Compression::None);
        first_losses(&scratch, with(stroke_draft(), json!({"augmentation": augmentation})))
    };
    let plain = losses(json!({}));
    for augmentation in [
        json!({"random_crop": 2}),
        json!({"random_rotation": 30}),
        json!({"random_scale": 0.3}),
        json!({"horizontal_flip": true}),
        json!({"vertical_flip": true}),
        json!({"random_brightness": 0.3}),
        json!({"gaussian_noise": 0.2}),
    ] {
        let changed = losses(augmentation.clone());
        assert!((plain.0 - changed.0).abs() > 1e-6, "{augmentation} {plain:?} {changed:?}");
        assert_eq!(losses(augmentation.clone()), changed, "{augmentation}");
    }
    // moving statistics are of augmented batches, so a network without them is judged here
    let layers =
        json!([{"type": "Flatten"}, {"type": "Dense", "units": 1, "activation": "sigmoid"}]);
    let judged = |augmentation: Value| {
        let scratch = Scratch::with(&zip, Format::Images, Compression::None);
        let more = json!({"augmentation": augmentation, "model": {"layers": layers}});
        first_losses(&scratch, with(stroke_draft(), more)).1
    };
    let all = json!({
        "random_crop": 2, "random_rotation": 30, "horizontal_flip": true, "gaussian_noise": 0.2,
    });
    assert_eq!(judged(all), judged(json!({})));
}

#[test]
fn tokens_are_dropped_in_training_alone() {
    let losses = |rate: f64| {
        let model = json!({"family": "gru", "units": [8], "embedding_dim": 16});
        let more = json!({"augmentation": {"token_dropout": rate}});
        let scratch = Scratch::new(reviews(60));
        first_losses(&scratch, with(review_draft(model), more))
    };
    let (none, some) = (losses(0.0), losses(0.5));
    assert_ne!(none.0, some.0);
    assert_eq!(none.1, some.1);
    assert_eq!(some, losses(0.5));
}

#[test]
fn weight_decay_is_apart_from_the_loss() {
    let trained = |decay: f64| {
        let scratch = Scratch::new(noisy_line(40, 2, 0.5));
        let more = json!({
            "epochs": 10,
            "optimizer": {"type": "AdamW", "learning_rate": 0.01, "weight_decay": decay},
        });
        let (_, events): (_, Vec<Event>) = scratch.run(with(regression(), more));
        (kernels(&scratch).iter().map(|w| w * w).sum::<f64>(), history(&events, "loss")[0])
    };
    let (free, decayed) = (trained(0.0), trained(0.9));
    assert!(decayed.0 < free.0, "{decayed:?} {free:?}");
}
