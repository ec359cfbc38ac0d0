use proptest::prelude::*;

use super::*;
use crate::{
    dataset::{ColumnProfile, ColumnType, Profile, ValueCount},
    field::FieldErrors,
};

fn column(name: &str, kind: ColumnType, distinct: u64) -> ColumnProfile {
    let values = (distinct <= 5)
        .then(|| (0..distinct).map(|i| ValueCount { value: format!("v{i}"), rows: 10 }).collect());
    ColumnProfile {
        name: name.into(),
        kind,
        missing: 0,
        infinite: 0,
        distinct,
        distinct_is_exact: true,
        min: None,
        mean: None,
        max: None,
        values,
    }
}

fn profile() -> Profile {
    let columns = vec![
        column("id", ColumnType::Integer, 100),
        column("size", ColumnType::Float, 90),
        column("colour", ColumnType::Categorical, 3),
        column("note", ColumnType::Text, 100),
        column("label", ColumnType::Categorical, 2),
        column("same", ColumnType::Integer, 1),
    ];
    Profile { rows: 100, columns, duplicate_rows: 0, warnings: vec![] }
}

fn parse(json: serde_json::Value) -> Result<TrainingSpec, FieldErrors> {
    let draft: TrainingDraft =
        serde_json::from_value(json).expect("the test's draft is well formed");
    let dataset = DatasetRef {
        name: "things".parse().expect("a good name"),
        version: 1,
        sha256: crate::Digest::of(b"things"),
    };
    TrainingSpec::parse(draft, dataset, &profile(), &Limits::default())
}

fn fields(errors: &FieldErrors) -> Vec<&str> {
    errors.0.iter().map(|e| e.field.as_str()).collect()
}

#[test]
fn a_short_draft_gets_the_fields_defaults() {
    let spec = parse(serde_json::json!({"dataset": "things", "target": "label"})).unwrap();
    assert_eq!(spec.task, Task::BinaryClassification);
    assert_eq!(spec.classes, ["v0", "v1"]);
    let names: Vec<_> = spec.features.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["size", "colour", "same"], "identifiers and free text are left out");
    assert_eq!(spec.layers.len(), 3);
    assert_eq!(spec.registered_model_name.as_str(), "things");
    assert_eq!(spec.training_rows(569), 456);
    assert_eq!(spec.steps_per_epoch(569), 15);
}

#[test]
fn every_error_of_a_draft_is_reported_together() {
    let errors = parse(serde_json::json!({
        "dataset": "things", "target": "nope", "epochs": 0, "batch_size": -1, "drop": ["gone"],
        "optimizer": {"type": "Adam", "learning_rate": -0.1}, "validation": {"split": 1.5},
        "model": {"layers": [{"type": "Dense", "units": 0}, {"type": "Dense", "units": 1_000_000_000}]},
        "registered_model_name": "Not A Name", "resources": {"cpu_milli": 0},
    }))
    .unwrap_err();
    for field in [
        "target",
        "epochs",
        "batch_size",
        "drop[0]",
        "optimizer.learning_rate",
        "validation.split",
        "model.layers[0].units",
        "model.layers[1].units",
        "registered_model_name",
        "resources.cpu_milli",
    ] {
        assert!(fields(&errors).contains(&field), "{field} is missing from {errors}");
    }
}

#[test]
fn a_target_of_one_class_is_refused() {
    let errors = parse(serde_json::json!({"dataset": "things", "target": "same"})).unwrap_err();
    assert_eq!(fields(&errors), ["target"]);
    assert!(errors.to_string().contains("one class"), "{errors}");
}

#[test]
fn a_batch_larger_than_the_training_rows_is_refused() {
    let draft = serde_json::json!({"dataset": "things", "target": "label", "batch_size": 81});
    let errors = parse(draft).unwrap_err();
    assert_eq!(fields(&errors), ["batch_size"]);
    assert!(errors.to_string().contains("80 rows"), "{errors}");
}

#[test]
fn defaults_give_way_to_small_data() {
    for (rows, split, batch) in [(4, 0.0, 4), (10, 0.2, 8), (40, 0.2, 32)] {
        let small = Profile { rows, ..profile() };
        let draft = TrainingDraft {
            dataset: "things".into(),
            target: "label".into(),
            ..TrainingDraft::default()
        };
        let dataset = DatasetRef {
            name: "things".parse().unwrap(),
            version: 1,
            sha256: crate::Digest::of(b"things"),
        };
        let spec = TrainingSpec::parse(draft, dataset, &small, &Limits::default()).unwrap();
        assert_eq!((spec.validation_split, spec.batch_size), (split, batch), "{rows} rows");
    }
}

#[test]
fn the_last_layer_must_answer_the_task() {
    let errors = parse(serde_json::json!({"dataset": "things", "target": "label",
        "model": {"layers": [{"type": "Dense", "units": 3, "activation": "relu"}]}}))
    .unwrap_err();
    assert_eq!(fields(&errors), ["model.layers[0]"]);
    assert!(errors.to_string().contains("3 units"), "{errors}");
}

#[test]
fn classes_sort_as_numbers_where_they_are() {
    let mut values: Vec<String> = ["10", "9", "1"].map(String::from).to_vec();
    parse::sort_values(&mut values);
    assert_eq!(values, ["1", "9", "10"]);
}

proptest! {
    #[test]
    fn no_numbers_panic_the_parser(
        epochs: i64, batch: i64, units: i64, rate in any::<f64>(), split in any::<f64>(), memory: i64,
    ) {
        let draft = TrainingDraft {
            dataset: "things".into(),
            target: "label".into(),
            epochs: Some(epochs),
            batch_size: Some(batch),
            validation: Some(ValidationDraft { split }),
            optimizer: Some(OptimizerDraft::Sgd { learning_rate: Some(rate), momentum: Some(split) }),
            model: Some(ModelDraft { layers: vec![
                LayerDraft::Dense { units, activation: None },
                LayerDraft::Dropout { rate },
                LayerDraft::Dense { units: 1, activation: Some(Activation::Sigmoid) },
            ]}),
            resources: Some(ResourcesDraft { cpu_milli: Some(memory), memory_bytes: Some(memory) }),
            ..TrainingDraft::default()
        };
        let dataset = DatasetRef {
            name: "things".parse().unwrap(), version: 1, sha256: crate::Digest::of(b""),
        };
        let _ = TrainingSpec::parse(draft, dataset, &profile(), &Limits::default());
    }
}
