//! Training that stops by itself, and publishes the best it had.

use domain::child::Event;
use engine::Ending;
use serde_json::{Value, json};

use crate::{
    datasets::rare,
    samples::{Scratch, history, metric, with},
};

/// A network that learns its few rows by heart, so that it soon gets worse on others.
fn by_heart(more: Value) -> (Ending, Vec<Event>, Scratch) {
    let scratch = Scratch::new(rare(60));
    let draft = json!({
        "dataset": "sample", "target": "ill", "epochs": 60, "batch_size": 8,
        "validation": {"split": 0.4}, "metrics": ["log_loss"],
        "model": {"family": "mlp", "units": [24], "dropout": 0.0},
        "optimizer": {"type": "Adam", "learning_rate": 0.05},
    });
    let (ending, events) = scratch.run(with(draft, more));
    (ending, events, scratch)
}

fn smallest(values: &[f64]) -> (usize, f64) {
    let best = values.iter().copied().fold(f64::INFINITY, f64::min);
    (values.iter().position(|v| *v == best).unwrap(), best)
}

#[test]
fn training_stops_early_and_publishes_its_best_epoch() {
    let (ending, events, scratch) = by_heart(json!({"early_stopping": {"patience": 4}}));
    let losses = history(&events, "val_loss");
    let (best, least) = smallest(&losses);
    assert!(losses.len() < 60, "ran to the end");
    assert_eq!(losses.len(), best + 1 + 4, "{losses:?}");
    assert_eq!(metric(&ending, "val_loss"), least);
    let judged = scratch.model().config().evaluations[0].loss.unwrap();
    assert!((judged - least).abs() < 1e-12, "the weights are another epoch's");
    let said = events.iter().any(|e| {
        matches!(e, Event::Log { line }
            if line.contains("stopped early") && line.contains(&format!("epoch {} was", best + 1)))
    });
    assert!(said, "{events:?}");
}

#[test]
fn the_last_weights_are_published_where_the_best_are_not_asked_for() {
    let stopping = json!({"patience": 4, "restore_best_weights": false});
    let (ending, events, scratch) = by_heart(json!({"early_stopping": stopping}));
    let losses = history(&events, "val_loss");
    assert_eq!(metric(&ending, "val_loss"), losses[losses.len() - 1]);
    let loss = scratch.model().config().evaluations[0].loss.unwrap();
    assert!((loss - losses[losses.len() - 1]).abs() < 1e-12);
}

#[test]
fn folds_that_stop_early_say_how_long_the_last_fit_takes() {
    let (ending, events, _) = by_heart(json!({
        "early_stopping": {"patience": 3}, "validation": {"folds": 3, "stratified": true},
    }));
    let mut best = vec![];
    for fold in 1..=3 {
        let losses = history(&events, &format!("fold_{fold}_val_loss"));
        assert!(losses.len() < 60, "fold {fold} ran to the end");
        best.push(smallest(&losses).0 as f64 + 1.0);
        let least = smallest(&losses).1;
        assert!(least <= losses[losses.len() - 1]);
    }
    let mean = best.iter().sum::<f64>() / 3.0;
    // only the last fit's metrics have no fold in their names
    assert_eq!(history(&events, "loss").len() as f64, mean.round(), "{best:?}");
    assert!(matches!(ending, Ending::Trained { .. }));
}

#[test]
fn the_default_stops_a_table_that_got_worse() {
    let scratch = Scratch::new(rare(60));
    let spec = scratch.spec(json!({"dataset": "sample", "target": "ill"}));
    assert!(spec.early_stopping.is_some());
    let spec = scratch.spec(json!({"dataset": "sample", "target": "ill", "epochs": 3}));
    assert!(spec.early_stopping.is_none());
}

/// An AUC has no value where the held-back rows are of one class.
#[test]
fn a_metric_that_epochs_lack_is_named() {
    let csv: String =
        (0..60).map(|i| format!("{i},{}\n", if i == 7 { "yes" } else { "no" })).collect();
    let scratch = Scratch::new(format!("x,ill\n{csv}"));
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "ill", "epochs": 3, "validation": {"split": 0.1},
        "early_stopping": {"monitor": "val_auc"},
    }));
    let cause = scratch.train(&spec).unwrap_err().cause();
    assert_eq!(cause.code, "unknown_metric");
    assert!(cause.message.contains("`val_auc`") && cause.message.contains("hold back rows"));
}
