//! Several workers for one job.

use serde_json::{Value, json};

use super::*;

fn on(workers: Value, more: Value) -> Result<TrainingSpec, FieldErrors> {
    let mut draft = json!({"dataset": "things", "target": "label", "workers": workers});
    draft.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parse(draft)
}

#[test]
fn one_worker_is_not_written_and_what_was_stored_before_still_reads() {
    let alone = parse(json!({"dataset": "things", "target": "label"})).unwrap();
    assert_eq!(alone.workers, 1);
    let stored = serde_json::to_value(&alone).unwrap();
    assert_eq!(stored.get("workers"), None);
    assert_eq!(serde_json::from_value::<TrainingSpec>(stored).unwrap(), alone);
    let gang = on(json!(3), json!({"batch_size": 8})).unwrap();
    let stored = serde_json::to_value(&gang).unwrap();
    assert_eq!(stored["workers"], 3);
    assert_eq!(serde_json::from_value::<TrainingSpec>(stored).unwrap(), gang);
}

#[test]
fn each_worker_must_have_something_to_do() {
    for (workers, more, words) in [
        (json!(0), json!({}), "0 is out of range; use a whole number from 1 to 64"),
        (json!(65), json!({}), "65 is out of range"),
        // 80 rows to train on
        (json!(4), json!({"batch_size": 32}), "4 is more than the 3 batches of an epoch; use at"),
    ] {
        let errors = on(workers, more).unwrap_err();
        assert_eq!(fields(&errors), ["workers"]);
        assert!(errors.to_string().contains(words), "{errors}");
    }
    let shares_rows = json!({"optimizer": {"type": "GD", "learning_rate": 0.1}});
    assert_eq!(on(json!(64), shares_rows).unwrap().workers, 64);
}

#[test]
fn more_workers_take_less_time_but_for_what_they_exchange() {
    let estimate = |workers: u32, rows: u64| {
        let draft = json!({"dataset": "things", "target": "label", "workers": workers,
            "batch_size": 8, "epochs": 5, "max_runtime": 604_800});
        let draft = serde_json::from_value(draft).unwrap();
        let (name, sha256) = ("things".parse().unwrap(), crate::Digest::of(b"things"));
        let dataset = DatasetRef { name, version: 1, sha256 };
        let profile = Profile { rows, ..profile() };
        TrainingSpec::parse(draft, dataset, None, &profile, &Limits::default()).unwrap().estimate
    };
    let seconds = |workers, rows| estimate(workers, rows).seconds;
    let (one, four) = (seconds(1, 1_000_000), seconds(4, 1_000_000));
    assert!(four < one / 3.0 && four > one / 4.0, "{one} {four}");
    assert!(seconds(4, 100) > seconds(1, 100), "it does not pay");
    let memory = |workers| estimate(workers, 100).memory_bytes;
    assert!(memory(2) > memory(1) && memory(2) == memory(4), "Adam's moments of another worker");
}
