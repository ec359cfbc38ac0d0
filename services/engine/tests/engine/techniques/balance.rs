//! Rare classes are found when their rows count for more, or are seen more often.

use serde_json::{Value, json};

use crate::{
    datasets::rare,
    samples::{Scratch, metric, with},
};

/// Recall of the rare class and the rows that one epoch sees, with a test set as the judge.
fn recall(more: Value) -> f64 {
    let scratch = Scratch::new(rare(200)).tested_on(rare(400));
    let draft = json!({
        "dataset": "sample", "target": "ill", "epochs": 15, "batch_size": 16,
        "model": {"family": "linear"}, "optimizer": {"type": "Adam", "learning_rate": 0.02},
    });
    let (ending, _) = scratch.run(with(draft, more));
    metric(&ending, "test_recall")
}

#[test]
fn rare_classes_are_found_when_they_count_for_more() {
    let plain = recall(json!({}));
    assert!(plain < 0.5, "{plain}");
    for more in [
        json!({"class_weight": "balanced"}),
        json!({"class_weight": {"yes": 9.0}}),
        json!({"oversample": true}),
    ] {
        let found = recall(more.clone());
        println!("{found} instead of {plain}: {more}");
        assert!(found > plain + 0.25, "{found} {plain} {more}");
    }
}

#[test]
fn weights_of_classes_count_in_the_training_loss_alone() {
    let losses = |weight: f64| {
        let draft = json!({
            "dataset": "sample", "target": "ill", "epochs": 1, "model": {"family": "linear"},
            "optimizer": super::still(), "class_weight": {"yes": weight, "no": weight},
        });
        let (ending, _) = Scratch::new(rare(100)).run(draft);
        (metric(&ending, "loss"), metric(&ending, "val_loss"))
    };
    let (once, thrice) = (losses(1.0), losses(3.0));
    assert!((thrice.0 - 3.0 * once.0).abs() < 1e-9, "{once:?} {thrice:?}");
    assert_eq!(once.1, thrice.1);
}
