//! Each rule on a run that shows it; what its change does to the next run; and good runs, of which nothing is
//! said.

use domain::{
    job::Cause,
    spec::{ClassWeight, TrainingDraft},
};
use serde_json::json;

use crate::samples::{Chance, File, Trained, sides};

fn last(trained: &Trained, name: &str) -> f64 {
    trained.curves.last(name).unwrap_or_else(|| panic!("no {name}: {:?}", trained.curves))
}

/// Classes by lot: nothing can be learned but by heart.
fn lots(rows: u32) -> File {
    let mut chance = Chance::new(3);
    let mut csv = "a,b,c,d,e,f,lot\n".to_owned();
    for _ in 0..rows {
        let numbers: Vec<_> = (0..6).map(|_| format!("{:.4}", chance.next())).collect();
        let lot = if chance.next() > 0.0 { "x" } else { "y" };
        csv += &format!("{},{lot}\n", numbers.join(","));
    }
    File::csv(&csv)
}

#[test]
fn overfitting_first_keeps_the_best_epoch_and_then_holds_the_network_back() {
    let file = lots(120);
    let trained = file.train(json!({
        "dataset": "sample", "target": "lot", "epochs": 40, "batch_size": 16,
        "optimizer": {"type": "Adam", "learning_rate": 0.01}, "model": {"family": "mlp", "dropout": 0.0},
    }));
    let (found, next) = file.followed(&trained, "overfitting");
    assert!(found.symptom.contains("the validation loss was least in epoch"), "{found:?}");
    assert!(next.spec.early_stopping.as_ref().unwrap().restore_best_weights);
    assert!(next.curves.epochs() < 40, "it was stopped: {:?}", next.curves);
    // with the best epoch kept there may still be a gap
    let kept = file.train(json!({
        "dataset": "sample", "target": "lot", "epochs": 40, "batch_size": 16,
        "optimizer": {"type": "Adam", "learning_rate": 0.01}, "model": {"family": "mlp", "dropout": 0.0},
        "early_stopping": {"patience": 20},
    }));
    let (found, next) = file.followed(&kept, "overfitting");
    assert!(found.symptom.contains("accuracy is"), "{found:?}");
    assert_eq!(found.change.unwrap().0, "a dropout of 0.3 before the last layer");
    assert!(last(&next, "accuracy") < last(&kept, "accuracy"), "it learns less by heart");
}

#[test]
fn diverging_takes_smaller_steps_whether_the_loss_is_a_number_or_not() {
    let file = File::csv(&sides(200));
    let draft = |rate: f64| {
        json!({
            "dataset": "sample", "target": "side", "epochs": 12, "batch_size": 16,
            "optimizer": {"type": "SGD", "learning_rate": rate, "momentum": 0.9},
        })
    };
    let trained = file.train(draft(30.0));
    let (found, next) = file.followed(&trained, "diverging");
    assert_eq!(file.findings(&trained).len(), 1, "the rest comes from this");
    assert!(found.change.unwrap().0.contains("a learning rate of 3, not 30"));
    assert!((next.spec.optimizer.learning_rate() - 3.0).abs() < 1e-9);

    let mut csv = "x,y\n".to_owned();
    for i in 0..60 {
        csv += &format!("{i},{}\n", i * i);
    }
    let curve = File::csv(&csv);
    let failed = curve.train(json!({
        "dataset": "sample", "target": "y", "epochs": 30, "batch_size": 8,
        "optimizer": {"type": "SGD", "learning_rate": 500.0},
    }));
    assert_eq!(failed.cause.as_ref().unwrap().code, "loss_not_finite");
    let (found, _) = curve.followed(&failed, "diverging");
    assert!(found.symptom.contains("loss became"), "{found:?}");
}

#[test]
fn a_crawl_takes_larger_steps() {
    let file = File::csv(&sides(200));
    let trained = file.train(json!({
        "dataset": "sample", "target": "side", "epochs": 15, "batch_size": 32,
        "optimizer": {"type": "Adam", "learning_rate": 1e-5}, "model": {"family": "mlp", "dropout": 0.0},
    }));
    let (_, next) = file.followed(&trained, "slow");
    assert!(last(&next, "loss") < last(&trained, "loss"));
}

/// Its first weights are worse than knowing nothing, and it gets better all the time: that is no divergence.
#[test]
fn a_bad_beginning_is_slow_and_does_not_diverge() {
    let mut chance = Chance::new(11);
    let mut csv = "a,b,c,d,side\n".to_owned();
    for _ in 0..300 {
        let x: Vec<_> = (0..4).map(|_| chance.next()).collect();
        let side = if x.iter().sum::<f64>() > 0.0 { "left" } else { "right" };
        csv += &format!("{:.3},{:.3},{:.3},{:.3},{side}\n", x[0], x[1], x[2], x[3]);
    }
    let file = File::csv(&csv);
    let mut worse = 0;
    for seed in 0..24 {
        let trained = file.train(json!({
            "dataset": "sample", "target": "side", "epochs": 8, "batch_size": 32, "seed": seed,
            "optimizer": {"type": "Adam", "learning_rate": 2e-5}, "model": {"family": "linear"},
        }));
        let found = file.findings(&trained);
        assert!(found.iter().all(|one| one.rule == "slow"), "{found:?}");
        let is_worse = last(&trained, "val_loss").min(last(&trained, "loss")) > 1.5 * 0.694;
        assert!(!is_worse || !found.is_empty(), "{:?}", trained.curves);
        worse += u32::from(is_worse);
    }
    assert!(worse > 0, "none began badly");
}

#[test]
fn what_was_still_learning_gets_more_epochs() {
    let file = File::csv(&sides(400));
    let draft = |epochs: u32| {
        json!({"dataset": "sample", "target": "side", "epochs": epochs, "batch_size": 32,
               "optimizer": {"type": "Adam", "learning_rate": 1e-3}})
    };
    let (found, _) = file.followed(&file.train(draft(1)), "too_few_epochs");
    assert!(found.symptom.starts_with("one epoch"), "{found:?}");
    let trained = file.train(draft(3));
    let (_, next) = file.followed(&trained, "too_few_epochs");
    assert_eq!(next.spec.epochs, 9);
    assert!(last(&next, "val_loss") < last(&trained, "val_loss"));
}

#[test]
fn a_linear_model_of_what_no_line_parts_becomes_a_network() {
    let mut chance = Chance::new(5);
    let mut csv = "a,b,same\n".to_owned();
    for _ in 0..400 {
        let (a, b) = (chance.next(), chance.next());
        csv += &format!("{a:.4},{b:.4},{}\n", if a * b > 0.0 { "yes" } else { "no" });
    }
    let file = File::csv(&csv);
    let trained = file.train(json!({
        "dataset": "sample", "target": "same", "epochs": 20, "batch_size": 32,
        "optimizer": {"type": "Adam", "learning_rate": 0.02}, "model": {"family": "linear"},
    }));
    let (_, next) = file.followed(&trained, "underfitting");
    assert!(
        last(&next, "val_accuracy") > last(&trained, "val_accuracy") + 0.2,
        "{:?}",
        next.curves
    );
    // held back too much it learns as little
    let draft = json!({
        "dataset": "sample", "target": "same", "epochs": 20, "batch_size": 32,
        "optimizer": {"type": "Adam", "learning_rate": 0.02}, "regularization": {"l2": 0.3},
    });
    let strict = file.train(draft);
    let found = file.findings(&strict);
    let found = found.iter().find(|one| one.rule == "underfitting").unwrap();
    assert_eq!(found.change.as_ref().unwrap().0, "no penalty on large weights");
}

/// One row in twenty is of the class that is asked for, and the columns say only a little of it.
fn rare_events() -> File {
    let mut chance = Chance::new(7);
    let mut csv = "a,b,failed\n".to_owned();
    for i in 0..600 {
        let failed = i % 20 == 0;
        let a = chance.next() + if failed { 0.7 } else { 0.0 };
        csv += &format!("{a:.4},{:.4},{}\n", chance.next(), if failed { "yes" } else { "no" });
    }
    File::csv(&csv)
}

#[test]
fn a_class_that_is_never_named_counts_more() {
    let file = rare_events();
    let trained = file.train(json!({
        "dataset": "sample", "target": "failed", "epochs": 15, "batch_size": 32,
        "validation": {"split": 0.3, "stratified": true},
    }));
    let (found, next) = file.followed(&trained, "class_imbalance");
    assert!(found.symptom.contains("`failed` is `yes` in 5 % of the rows"), "{found:?}");
    assert_eq!(next.spec.class_weight, Some(ClassWeight::Balanced));
    assert!(last(&next, "val_recall") > last(&trained, "val_recall") + 0.3, "{:?}", next.curves);
    assert!(file.findings(&next).iter().all(|one| one.rule != "class_imbalance"));
}

#[test]
fn a_column_that_gives_the_answer_away_is_left_out() {
    let mut rows = sides(300).lines().map(str::to_owned).collect::<Vec<_>>();
    rows[0] += ",refund";
    for row in &mut rows[1..] {
        let refund = if row.ends_with("left") { ",paid" } else { ",none" };
        *row += refund;
    }
    let file = File::csv(&rows.join("\n"));
    let trained =
        file.train(json!({"dataset": "sample", "target": "side", "batch_size": 16, "epochs": 20}));
    let (found, next) = file.followed(&trained, "leakage");
    assert!(found.symptom.contains("column `refund` is spread exactly as `side` is"), "{found:?}");
    assert!(last(&next, "val_accuracy") < last(&trained, "val_accuracy"));
    assert!(file.findings(&next).iter().all(|one| one.rule != "leakage"));

    // a number in another unit
    let mut chance = Chance::new(9);
    let mut csv = "size,noise,price_in_cents,price\n".to_owned();
    for _ in 0..200 {
        let (size, noise) = (chance.next(), chance.next());
        let price = (100.0 + 40.0 * size + 10.0 * chance.next()).round();
        csv += &format!("{size:.3},{noise:.3},{},{price}\n", price * 100.0);
    }
    let file = File::csv(&csv);
    let trained = file.train(json!({
        "dataset": "sample", "target": "price", "epochs": 60, "batch_size": 16, "task": "regression",
        "optimizer": {"type": "Adam", "learning_rate": 0.01}, "model": {"family": "linear"},
    }));
    let (found, _) = file.followed(&trained, "leakage");
    assert!(found.symptom.contains("`price_in_cents`"), "{found:?}");
}

#[test]
fn without_rows_that_are_held_back_some_are() {
    let file = File::csv(&sides(120));
    let trained = file.train(json!({
        "dataset": "sample", "target": "side", "epochs": 8, "batch_size": 16, "validation": {"split": 0.0},
    }));
    let (_, next) = file.followed(&trained, "no_validation");
    assert!(next.curves.judged());
}

/// What ends a child for its memory or its time is the worker's, whose words these are: `worker/src/decide.rs`.
#[test]
fn what_ran_out_of_memory_or_time_gets_more() {
    let file = File::csv(&sides(60));
    let draft = json!({"dataset": "sample", "target": "side", "epochs": 1, "batch_size": 16});
    let trained = file.train(draft);
    let failed = |code: &str| Trained {
        cause: Some(Cause::fatal(code, "it needed more")),
        spec: trained.spec.clone(),
        curves: trained.curves.clone(),
        evaluation: None,
    };
    let (_, next) = file.followed(&failed("out_of_memory"), "out_of_memory");
    assert_eq!(next.spec.resources.memory_bytes, 2 << 30);
    let (_, next) = file.followed(&failed("max_runtime_exceeded"), "out_of_time");
    assert_eq!(next.spec.max_runtime, 3 * 3_600);
}

#[test]
fn of_runs_that_went_well_nothing_is_said() {
    let file = File::csv(&sides(600));
    let good = file.train(json!({
        "dataset": "sample", "target": "side", "validation": {"split": 0.2, "stratified": true},
        "optimizer": {"type": "Adam", "learning_rate": 3e-3},
    }));
    assert_eq!(file.findings(&good), [], "{:?}", good.curves);

    let tumours = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/examples/breast-cancer.csv");
    let file = File::csv(&std::fs::read_to_string(tumours).unwrap());
    let draft = json!({"dataset": "sample", "target": "diagnosis", "drop": ["id"], "seed": 7});
    let good = file.train(draft);
    assert_eq!(file.findings(&good), [], "{:?}", good.curves);
    // and a fold is read as a run is
    let folds = file.train(json!({
        "dataset": "sample", "target": "diagnosis", "drop": ["id"], "seed": 7, "epochs": 20,
        "validation": {"folds": 3}, "model": {"family": "linear"},
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
    }));
    assert!(folds.curves.judged());
    let found: Vec<_> = file.findings(&folds).into_iter().map(|one| one.rule).collect();
    assert_eq!(found, ["too_few_epochs"], "{:?}", folds.curves);
}

#[test]
fn a_specification_that_is_written_again_is_the_same_one() {
    let file = File::csv(&sides(60));
    for draft in [
        json!({"dataset": "sample", "target": "side", "optimizer": {"type": "GD"}}),
        json!({"dataset": "sample", "target": "side", "validation": {"folds": 3, "stratified": true}}),
        json!({"dataset": "sample", "target": "side", "workers": 2, "epochs": 3, "batch_size": 16}),
    ] {
        let spec = file.spec(serde_json::from_value(draft).unwrap());
        assert_eq!(file.spec(TrainingDraft::from(&spec)), spec);
    }
}

#[test]
fn every_rule_is_explained() {
    let said = include_str!("../../../../docs/ADVICE.md");
    for rule in &advice::RULES {
        assert!(said.contains(&format!("| `{}` |", rule.name)), "{} is missing", rule.name);
    }
}
