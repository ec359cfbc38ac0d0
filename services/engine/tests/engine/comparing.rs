//! Two models on the same rows: figures that are comparable, and how sure their difference is.

use std::fs;

use domain::comparison::{ComparedMetric, Comparison, Side};
use engine::{Comparing, EngineError, compare};
use serde_json::{Value, json};

use crate::{
    datasets::reviews,
    families::review_draft,
    samples::{Scratch, line, rings, with},
};

fn trained(csv: String, draft: Value) -> Scratch {
    let scratch = Scratch::new(csv);
    scratch.run(with(json!({"dataset": "sample", "batch_size": 8}), draft));
    scratch
}

fn rings_in(units: u32, epochs: u32) -> Scratch {
    let model = json!({"family": "mlp", "units": [units]});
    trained(rings(300), json!({"target": "ring", "epochs": epochs, "model": model}))
}

fn on(
    data: &Scratch,
    (a, b): (&Scratch, &Scratch),
    held_back_by: Option<Side>,
) -> Result<Comparison, EngineError> {
    let scratch = data.again();
    for (side, model) in [(Side::A, a), (Side::B, b)] {
        let (config, weights) = side.files();
        let (json, numbers) = model.model_files();
        fs::write(scratch.path().join(config), json).unwrap();
        fs::write(scratch.path().join(weights), numbers).unwrap();
    }
    compare(Comparing {
        data: &scratch.data,
        limits: &scratch.limits,
        scratch: scratch.path(),
        held_back_by,
        memory_bytes: 1 << 30,
    })
}

fn metric<'a>(of: &'a Comparison, name: &str) -> &'a ComparedMetric {
    of.metrics.iter().find(|metric| metric.name == name).unwrap()
}

#[test]
fn the_rows_held_back_give_the_figures_of_the_training() {
    let (weak, strong) = (rings_in(2, 1), rings_in(16, 30));
    let found = on(&strong, (&weak, &strong), Some(Side::B)).unwrap();
    assert_eq!(found.rows, 60);
    let accuracy = metric(&found, "accuracy");
    assert_eq!(accuracy.b, Some(strong.model().config().metrics["val_accuracy"]));
    let (difference, (low, high)) = (accuracy.difference.unwrap(), accuracy.interval.unwrap());
    assert!(difference > 0.2 && low > 0.0 && low < difference && difference < high, "{found:?}");
    let all = on(&strong, (&weak, &strong), None).unwrap();
    assert_eq!(all.rows, 300);
    // a model beside itself
    let same = on(&strong, (&strong, &strong), None).unwrap();
    for metric in &same.metrics {
        assert_eq!((metric.difference, metric.a), (Some(0.0), metric.b), "{}", metric.name);
    }
    assert_eq!(metric(&same, "log_loss").interval, Some((0.0, 0.0)));
}

#[test]
fn numbers_are_compared_in_the_targets_own_unit() {
    let draft = |epochs| json!({"target": "y", "epochs": epochs});
    let (weak, strong) = (trained(line(200), draft(1)), trained(line(100), draft(30)));
    let found = on(&weak, (&weak, &strong), None).unwrap();
    let error = metric(&found, "mean_absolute_error");
    assert!(error.b.unwrap() < error.a.unwrap(), "{error:?}");
    let (low, high) = error.interval.unwrap();
    assert!(low < error.difference.unwrap() && error.difference.unwrap() < high && high < 0.0);
}

#[test]
fn what_answers_another_question_is_not_compared() {
    let rings = rings_in(2, 1);
    let texts = review_draft(json!({"family": "lstm", "units": [2], "embedding_dim": 2}));
    let texts = trained(reviews(40), with(texts, json!({"epochs": 1})));
    let cause = on(&rings, (&rings, &texts), None).unwrap_err().cause();
    assert_eq!((cause.code.as_str(), cause.retryable), ("not_comparable", false));
    assert!(on(&texts, (&rings, &rings), None).is_err(), "the columns are not there");
}
