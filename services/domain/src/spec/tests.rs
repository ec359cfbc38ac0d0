mod workers;

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
        chars: None,
        image: None,
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
    TrainingSpec::parse(draft, dataset, None, &profile(), &Limits::default())
}

fn fields(errors: &FieldErrors) -> Vec<&str> {
    errors.0.iter().map(|e| e.field.as_str()).collect()
}

#[test]
fn a_short_draft_gets_the_fields_defaults() {
    let spec = parse(serde_json::json!({"dataset": "things", "target": "label"})).unwrap();
    assert_eq!(spec.task, Task::BinaryClassification);
    assert_eq!(spec.classes, ["v0", "v1"]);
    let names: Vec<_> = features(&spec).iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["size", "colour", "same"], "identifiers and free text are left out");
    assert_eq!(spec.layers.len(), 5);
    assert!(spec.early_stopping.is_some(), "the number of epochs was left open");
    assert_eq!(spec.registered_model_name.as_str(), "things");
    assert_eq!(spec.training_rows(569), 456);
    assert_eq!(spec.steps_per_epoch(569), 15);
}

fn features(spec: &TrainingSpec) -> &[Feature] {
    match &spec.input {
        Input::Table { features, .. } => features,
        other => panic!("not a table: {other:?}"),
    }
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
            target: Some("label".into()),
            ..TrainingDraft::default()
        };
        let dataset = DatasetRef {
            name: "things".parse().unwrap(),
            version: 1,
            sha256: crate::Digest::of(b"things"),
        };
        let spec = TrainingSpec::parse(draft, dataset, None, &small, &Limits::default()).unwrap();
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
        epochs: i64, batch: i64, units: u32, rate in any::<f64>(), split in any::<f64>(), memory: i64,
    ) {
        let draft = TrainingDraft {
            dataset: "things".into(),
            target: Some("label".into()),
            epochs: Some(epochs),
            batch_size: Some(batch),
            validation: Some(ValidationDraft { split: Some(split), ..ValidationDraft::default() }),
            optimizer: Some(Optimizer::Sgd { learning_rate: rate, momentum: split, nesterov: true }),
            model: Some(ModelDraft { layers: Some(vec![
                Layer::dense(units, Activation::Relu),
                Layer::Dropout { rate },
                Layer::dense(1, Activation::Sigmoid),
            ]), ..ModelDraft::default() }),
            resources: Some(ResourcesDraft {
                cpu_milli: Some(memory),
                memory_bytes: Some(memory),
                accelerator_milli: Some(memory),
                pool: Some("Not a name".to_owned()),
            }),
            ..TrainingDraft::default()
        };
        let dataset = DatasetRef {
            name: "things".parse().unwrap(), version: 1, sha256: crate::Digest::of(b""),
        };
        let _ = TrainingSpec::parse(draft, dataset, None, &profile(), &Limits::default());
    }
}

/// The message of the one error.
fn refusal(json: serde_json::Value) -> (String, String) {
    let errors = parse(json).unwrap_err();
    let [error] = errors.0.as_slice() else { panic!("{errors}") };
    (error.field.clone(), error.message.clone())
}

#[test]
fn shapes_are_checked_layer_by_layer() {
    let with = |layers: serde_json::Value| {
        serde_json::json!({"dataset": "things", "target": "label", "features": ["note"],
            "model": {"layers": layers}})
    };
    let lstm = serde_json::json!({"type": "LSTM", "units": 8});
    let embedding = serde_json::json!({"type": "Embedding", "output_dim": 8});
    let output = serde_json::json!({"type": "Dense", "units": 1, "activation": "sigmoid"});
    let spec = parse(with(serde_json::json!([embedding, lstm, output]))).unwrap();
    assert!(matches!(spec.input, Input::Text { max_length: 200, .. }));
    assert!(!spec.group_by_length);
    let (field, message) = refusal(with(serde_json::json!([embedding, lstm, lstm, output])));
    assert_eq!(field, "model.layers[2]");
    assert!(message.contains("LSTM got 8 features and needs a sequence"), "{message}");
    assert!(message.contains("return_sequences"), "{message}");
    let (field, message) = refusal(with(serde_json::json!([embedding, output])));
    assert_eq!(field, "model.layers[1]");
    assert!(message.contains("one result a row"), "{message}");
}

#[test]
fn a_transformers_heads_divide_its_width() {
    let (field, message) = refusal(serde_json::json!({
        "dataset": "things", "target": "label", "features": ["note"],
        "model": {"family": "transformer", "embedding_dim": 30, "num_heads": 4}}));
    assert_eq!(field, "model.layers[2]");
    assert!(message.contains("4 heads"), "{message}");
}

#[test]
fn zeros_are_refused_where_nothing_could_be_learned() {
    let zeros = serde_json::json!({"type": "Dense", "units": 4, "activation": "relu",
        "kernel_initializer": "zeros"});
    let output = serde_json::json!({"type": "Dense", "units": 1, "activation": "sigmoid",
        "kernel_initializer": "zeros"});
    let with = |layers| serde_json::json!({"dataset": "things", "target": "label", "model": {"layers": layers}});
    let (field, message) = refusal(with(serde_json::json!([zeros, output])));
    assert_eq!(field, "model.layers[0].kernel_initializer");
    assert!(message.contains("learn the same"), "{message}");
    parse(with(serde_json::json!([output]))).unwrap();
}

#[test]
fn a_family_that_does_not_read_the_data_names_one_that_does() {
    let (field, message) = refusal(serde_json::json!({
        "dataset": "things", "target": "label", "model": {"family": "cnn"}}));
    assert_eq!(field, "model.family");
    assert!(message.contains("mlp"), "{message}");
}

#[test]
fn options_that_contradict_each_other_are_named() {
    for (option, field) in [
        (serde_json::json!({"optimizer": {"type": "GD"}, "batch_size": 8}), "batch_size"),
        (serde_json::json!({"optimizer": {"type": "SGD", "nesterov": true}}), "optimizer.nesterov"),
        (
            serde_json::json!({"gradient": {"clipnorm": 1.0, "global_clipnorm": 1.0}}),
            "gradient.clipnorm",
        ),
        (serde_json::json!({"validation": {"split": 0.1, "folds": 3}}), "validation.split"),
        (serde_json::json!({"class_weight": {"v0": 1.0, "v9": 2.0}}), "class_weight"),
        (serde_json::json!({"early_stopping": {"monitor": "val_los"}}), "early_stopping.monitor"),
        (serde_json::json!({"task": "forecasting"}), "series"),
        (serde_json::json!({"loss": "huber"}), "loss"),
    ] {
        let mut draft = serde_json::json!({"dataset": "things", "target": "label"});
        draft.as_object_mut().unwrap().extend(option.as_object().unwrap().clone());
        let errors = parse(draft).unwrap_err();
        assert!(fields(&errors).contains(&field), "{field}: {errors}");
    }
}

#[test]
fn a_forecast_and_a_recommendation_are_resolved() {
    let spec = parse(serde_json::json!({"dataset": "things", "target": "size",
        "series": {"time": "id", "season": 7}}))
    .unwrap();
    assert_eq!(spec.task, Task::Forecasting);
    let Input::Series(series) = &spec.input else { panic!("{:?}", spec.input) };
    assert_eq!((series.lookback, series.horizon), (14, 7));
    assert_eq!(spec.layers.last(), Some(&Layer::dense(7, Activation::Linear)));
    let spec = parse(serde_json::json!({"dataset": "things", "target": "size",
        "recommendation": {"user": "id", "item": "colour"}}))
    .unwrap();
    assert_eq!(spec.layers, [Layer::MatrixFactorization { embedding_dim: 16 }]);
}

#[test]
fn a_language_model_must_not_see_ahead() {
    let text = |layers: serde_json::Value| {
        serde_json::json!({"dataset": "things", "task": "language_modeling",
            "features": ["note"], "batch_size": 500, "model": {"layers": layers}})
    };
    let embedding = serde_json::json!({"type": "Embedding", "output_dim": 8});
    let output = serde_json::json!({"type": "Dense", "units": 1000, "activation": "softmax"});
    let block =
        |kind: &str| serde_json::json!({"type": kind, "num_heads": 2, "intermediate_dim": 8});
    let (field, message) =
        refusal(text(serde_json::json!([embedding, block("TransformerEncoder"), output])));
    assert_eq!(field, "model.layers[1]");
    assert!(message.contains("TransformerDecoder"), "{message}");
    // a batch holds windows, of which there are more than lines
    parse(text(serde_json::json!([embedding, block("TransformerDecoder"), output]))).unwrap();
}

#[test]
fn options_without_effect_are_refused() {
    for (option, field) in [
        (serde_json::json!({"max_length": 10}), "max_length"),
        (serde_json::json!({"group_by_length": true}), "group_by_length"),
        (serde_json::json!({"augmentation": {"horizontal_flip": true}}), "augmentation"),
        (serde_json::json!({"model": {"family": "mlp", "num_heads": 2}}), "model.num_heads"),
        (
            serde_json::json!({"preprocess": {"columns": {"colour": {"kind": "numeric"}}},
                "features": ["colour"]}),
            "features[0]",
        ),
        (
            serde_json::json!({"early_stopping": {}, "validation": {"split": 0.0}}),
            "early_stopping.monitor",
        ),
        (serde_json::json!({"early_stopping": {"monitor": "val_f1"}}), "early_stopping.monitor"),
    ] {
        let mut draft = serde_json::json!({"dataset": "things", "target": "label"});
        draft.as_object_mut().unwrap().extend(option.as_object().unwrap().clone());
        let errors = parse(draft).unwrap_err();
        assert!(fields(&errors).contains(&field), "{field}: {errors}");
    }
}

#[test]
fn the_examples_are_drafts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/specs");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json.as_object_mut().unwrap().entry("dataset").or_insert("x".into());
        let draft = serde_json::from_value::<TrainingDraft>(json);
        assert!(draft.is_ok(), "{}: {draft:?}", path.display());
        seen += 1;
    }
    assert!(seen >= 10, "{seen} examples");
}

#[test]
fn a_table_that_memory_does_not_hold_is_estimated_as_one_in_a_file() {
    let numbers: Vec<String> = (0..40).map(|i| format!("x{i}")).collect();
    let of = |rows: u64, more: serde_json::Value| {
        let columns = numbers.iter().map(|name| column(name, ColumnType::Float, 10_000));
        let label = ColumnProfile {
            values: Some(vec![
                ValueCount { value: "no".into(), rows: rows - rows / 10 },
                ValueCount { value: "yes".into(), rows: rows / 10 },
            ]),
            ..column("label", ColumnType::Categorical, 2)
        };
        let columns = columns.chain([label]).collect();
        let profile = Profile { rows, columns, duplicate_rows: 0, warnings: vec![] };
        let mut json = serde_json::json!({
            "dataset": "things", "target": "label", "epochs": 1, "max_runtime": 604_800,
            "resources": {"memory_bytes": 64 << 20},
        });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let draft = serde_json::from_value(json).unwrap();
        let (name, sha256) = ("things".parse().unwrap(), crate::Digest::of(b"things"));
        let dataset = DatasetRef { name, version: 1, sha256 };
        TrainingSpec::parse(draft, dataset, None, &profile, &Limits::default())
    };
    let none = serde_json::json!({});
    let small = of(10_000, none.clone()).unwrap().estimate;
    assert!(!small.rows_in_file && small.memory_bytes < 40 << 20, "{small:?}");
    // 40 numbers of 20 characters each: 800 MB of text
    let large = of(1_000_000, none.clone()).unwrap().estimate;
    assert!(large.rows_in_file && large.memory_bytes < 64 << 20, "{large:?}");
    let more = of(1_100_000, none.clone()).unwrap().estimate;
    assert_eq!(more.memory_bytes - large.memory_bytes, 5 * 100_000, "a row's place in the split");
    for costly in [
        serde_json::json!({"oversample": true}),
        serde_json::json!({"validation": {"folds": 5, "stratified": true}}),
    ] {
        let refused = of(1_000_000, costly).unwrap_err();
        assert_eq!(fields(&refused), ["resources.memory_bytes"]);
    }
}
