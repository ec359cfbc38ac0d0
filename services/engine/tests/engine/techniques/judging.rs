//! Folds, and a test set of its own.

use domain::{
    child::{CHECKPOINT_FILE, Event},
    evaluation::EvaluationSplit,
    predict::Prediction,
};
use engine::Ending;
use serde_json::{Value, json};

use crate::{
    datasets::{rare, ratings, reviews},
    families::{rating_draft, review_draft},
    samples::{Scratch, client_rows, history, line, metric, with},
};

fn folds(more: Value) -> (Ending, Vec<Event>, Scratch) {
    let scratch = Scratch::new(rare(60));
    let draft = json!({
        "dataset": "sample", "target": "ill", "epochs": 2, "batch_size": 8,
        "metrics": ["accuracy", "log_loss"], "model": {"family": "linear"},
        "validation": {"folds": 3},
    });
    let (ending, events) = scratch.run(with(draft, more));
    (ending, events, scratch)
}

#[test]
fn folds_are_summed_up_by_their_mean_and_deviation() {
    for stratified in [false, true] {
        let validation = json!({"folds": 3, "stratified": stratified});
        let (ending, events, scratch) = folds(json!({"validation": validation}));
        for name in ["val_loss", "val_accuracy", "val_log_loss"] {
            let last: Vec<f64> = (1..=3)
                .map(|fold| {
                    let values = history(&events, &format!("fold_{fold}_{name}"));
                    assert_eq!(values.len(), 2, "epochs of fold {fold}");
                    values[1]
                })
                .collect();
            let mean = last.iter().sum::<f64>() / 3.0;
            let deviation = (last.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
            assert!((metric(&ending, &format!("cv_{name}")) - mean).abs() < 1e-12);
            assert!((metric(&ending, &format!("cv_{name}_std")) - deviation).abs() < 1e-12);
        }
        // the published model is of all rows: nothing is held back from it
        assert_eq!(history(&events, "loss").len(), 2);
        assert_eq!(history(&events, "val_loss").len(), 0);
        let config = scratch.model().config().clone();
        assert!(config.metrics.contains_key("cv_val_accuracy"), "{:?}", config.metrics);
        assert!(config.evaluations.is_empty());
    }
}

/// Share of the common class in each of three folds. Rows of the other one count for nothing, so that
/// all answers are the common class.
fn shares(stratified: bool) -> Vec<f64> {
    let (_, events, _) = folds(json!({
        "epochs": 4, "optimizer": {"type": "SGD", "learning_rate": 0.5}, "seed": 1,
        "class_weight": {"yes": 0.0}, "validation": {"folds": 3, "stratified": stratified},
    }));
    (1..=3).map(|fold| history(&events, &format!("fold_{fold}_val_accuracy"))[3]).collect()
}

#[test]
fn stratified_folds_have_the_classes_in_the_same_shares() {
    // 6 of 60 rows are of the rare class
    assert_eq!(shares(true), [0.9; 3]);
    let uneven = shares(false);
    assert!(uneven.iter().any(|share| *share != 0.9), "{uneven:?}");
    assert!((uneven.iter().sum::<f64>() / 3.0 - 0.9).abs() < 1e-9, "{uneven:?}");
}

#[test]
fn a_test_file_judges_what_was_trained_without_it() {
    let test = line(30);
    let scratch = Scratch::new(line(100)).tested_on(&test);
    let draft = json!({
        "dataset": "sample", "target": "y", "epochs": 5, "test": {"dataset": "held-out"},
        "model": {"family": "linear"}, "optimizer": {"type": "Adam", "learning_rate": 0.05},
    });
    let (ending, _) = scratch.run(draft.clone());
    let model = scratch.model();
    let errors = client_rows(&test).into_iter().map(|row| {
        let Prediction::Value { value } = model.predict(std::slice::from_ref(&row)).unwrap()[0]
        else {
            panic!("a regression answers with a value")
        };
        (value - row["y"].as_f64().unwrap()).abs()
    });
    let expected = errors.sum::<f64>() / 30.0;
    let got = metric(&ending, "test_mean_absolute_error");
    assert!((got - expected).abs() < 1e-4 * expected, "{got} {expected}");
    let evaluations = &model.config().evaluations;
    let splits: Vec<_> = evaluations.iter().map(|e| (e.split, e.rows)).collect();
    assert_eq!(splits, [(EvaluationSplit::Validation, 20), (EvaluationSplit::Test, 30)]);
    assert_eq!(evaluations[1].metrics["mean_absolute_error"], got);

    let without = Scratch::new(line(100));
    let mut draft = draft;
    draft.as_object_mut().unwrap().remove("test");
    without.run(draft);
    assert!(without.model_files().1 == scratch.model_files().1, "the test file trains");
}

#[test]
fn a_test_file_that_does_not_fit_is_refused_before_training() {
    for (test, code, words) in [
        ("a,y\n1,2\n", "unknown_column", "`b`"),
        ("a,b,y\n1,word,2\n", "not_a_number", "column `b`"),
        ("", "empty_file", "empty"),
    ] {
        let scratch = Scratch::new(line(40)).tested_on(test);
        let spec = scratch.spec(json!({
            "dataset": "sample", "target": "y", "epochs": 2, "checkpoint_every": 1,
            "test": {"dataset": "held-out"},
        }));
        let cause = scratch.train(&spec).unwrap_err().cause();
        assert_eq!(cause.code, code, "{}", cause.message);
        assert!(cause.message.contains(words), "{}", cause.message);
        assert!(!scratch.path().join(CHECKPOINT_FILE).exists(), "trained first");
    }
}

#[test]
fn text_and_recommendations_are_tested_too() {
    let gru = json!({"family": "gru", "units": [4], "embedding_dim": 4});
    let factors = json!({"family": "matrix_factorization", "embedding_dim": 2});
    for (data, draft, name) in [
        (reviews(60), review_draft(gru), "test_accuracy"),
        (ratings(), rating_draft(factors), "test_root_mean_squared_error"),
    ] {
        // the first rows again, of which most were trained on
        let test: String = data.lines().take(21).map(|line| format!("{line}\n")).collect();
        let scratch = Scratch::new(&data).tested_on(test);
        let more = json!({"epochs": 2, "test": {"dataset": "held-out"}});
        let (ending, _) = scratch.run(with(draft, more));
        assert!(metric(&ending, name).is_finite());
        assert_eq!(scratch.model().config().evaluations[1].rows, 20);
    }
}
