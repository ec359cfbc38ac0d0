//! Training learns, repeats itself byte for byte, resumes exactly, and says why it fails.

use std::{collections::BTreeSet, fs};

use domain::{
    child::{CHECKPOINT_FILE, Event},
    dataset::{Compression, Format},
    spec::{Input, TrainingSpec},
};
use engine::{Ending, StopFlag};
use serde_json::json;

use crate::samples::{Scratch, breast_cancer, epochs, line, metric, real_data, rings};

/// Dense 128, 64, 1 with Adam: what the README trains first.
fn first_model(scratch: &Scratch) -> TrainingSpec {
    scratch.spec(json!({
        "dataset": "sample", "target": "diagnosis", "drop": ["id"], "seed": 42, "epochs": 20,
        "batch_size": 32, "validation": {"split": 0.2},
        "model": {"layers": [
            {"type": "Dense", "units": 128, "activation": "relu"},
            {"type": "Dense", "units": 64, "activation": "relu"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
    }))
}

/// A small one with dropout, on three classes.
fn small(scratch: &Scratch, checkpoint_every: u32) -> TrainingSpec {
    scratch.spec(json!({
        "dataset": "sample", "target": "ring", "seed": 7, "epochs": 3, "batch_size": 16,
        "checkpoint_every": checkpoint_every,
        "model": {"layers": [
            {"type": "Dense", "units": 16, "activation": "tanh"},
            {"type": "Dropout", "rate": 0.3},
            {"type": "Dense", "units": 3, "activation": "softmax"},
        ]},
    }))
}

#[test]
fn the_first_model_finds_tumours() {
    let scratch = Scratch::new(breast_cancer());
    let spec = first_model(&scratch);
    let started = std::time::Instant::now();
    let (ending, events) = scratch.train(&spec).unwrap();
    let weights = domain::Digest::of(&scratch.model_files().1);
    println!("20 epochs in {:?}, weights {weights}: {ending:?}", started.elapsed());
    assert!(metric(&ending, "val_accuracy") >= 0.95, "{ending:?}");
    let Some(Event::Started { total_steps, epochs: 20, parameters, resumed_from_step: None }) =
        events.first()
    else {
        panic!("{:?}", events.first());
    };
    assert_eq!((*total_steps, *parameters), (20 * 15, 30 * 128 + 128 + 128 * 64 + 64 + 64 + 1));
    assert_eq!(epochs(&events).len(), 20);
    let Ending::Trained { metrics } = ending else { panic!("not trained") };
    let names: BTreeSet<&str> = metrics.keys().map(String::as_str).collect();
    let of_training = ["loss", "accuracy", "precision", "recall", "auc"];
    let expected: BTreeSet<String> =
        of_training.iter().flat_map(|n| [(*n).to_owned(), format!("val_{n}")]).collect();
    assert_eq!(names, expected.iter().map(String::as_str).collect());
}

#[test]
fn classes_in_rings_are_learned() {
    let scratch = Scratch::new(rings(600));
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "ring", "drop": ["colour"], "epochs": 40, "batch_size": 16,
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
    }));
    let (ending, _) = scratch.train(&spec).unwrap();
    assert!(metric(&ending, "val_accuracy") > 0.95, "{ending:?}");
}

#[test]
fn a_line_is_learned_in_its_own_unit() {
    for optimizer in [
        json!({"type": "Adam", "learning_rate": 0.05}),
        json!({"type": "SGD", "learning_rate": 0.05, "momentum": 0.9}),
    ] {
        let scratch = Scratch::new(line(400));
        let spec = scratch.spec(json!({
            "dataset": "sample", "target": "y", "epochs": 30, "optimizer": optimizer,
            "model": {"layers": [{"type": "Dense", "units": 1}]},
        }));
        let (ending, _) = scratch.train(&spec).unwrap();
        assert!(metric(&ending, "val_r2") > 0.95, "{ending:?}");
        assert!(metric(&ending, "val_mean_absolute_error") < 2.0, "{ending:?}");
    }
}

#[test]
fn without_a_validation_split_there_are_no_validation_metrics() {
    let scratch = Scratch::new(line(60));
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "y", "epochs": 1, "validation": {"split": 0.0},
    }));
    let (Ending::Trained { metrics }, _) = scratch.train(&spec).unwrap() else { panic!() };
    assert!(metrics.keys().all(|name| !name.starts_with("val_")), "{metrics:?}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let files = |seed: u64| {
        let scratch = Scratch::new(rings(100));
        let spec = TrainingSpec { seed, ..small(&scratch, 5) };
        let (_, events) = scratch.train(&spec).unwrap();
        (scratch.model_files(), format!("{:?}", epochs(&events)))
    };
    let first = files(7);
    assert!(first == files(7), "two runs differ");
    assert_ne!(first.0.1, files(8).0.1);
}

#[test]
fn a_run_that_stops_anywhere_ends_like_one_that_never_stopped() {
    let whole = Scratch::new(rings(100));
    // 80 rows to train on in batches of 16: 5 steps an epoch, 15 in all.
    let spec = small(&whole, 1);
    let (_, events) = whole.train(&spec).unwrap();
    let expected: Vec<String> = epochs(&events).iter().map(|e| format!("{e:?}")).collect();
    for k in [1, 4, 5, 7, 13] {
        let scratch = Scratch::new(rings(100));
        let at = |event: &Event| matches!(event, Event::Checkpoint { step, .. } if *step == k);
        let (ending, before) = scratch.train_until(&spec, &StopFlag::default(), at).unwrap();
        assert_eq!(ending, Ending::Stopped { step: k });
        let (_, after) = scratch.train(&spec).unwrap();
        let Some(Event::Started { resumed_from_step, .. }) = after.first() else { panic!() };
        assert_eq!(*resumed_from_step, Some(k));
        let told: Vec<String> =
            epochs(&before).iter().chain(&epochs(&after)).map(|e| format!("{e:?}")).collect();
        assert_eq!(told, expected, "stopped at step {k}");
        assert!(scratch.model_files() == whole.model_files(), "stopped at step {k}");
    }
}

#[test]
fn optimizers_and_single_outputs_resume_exactly_too() {
    let draft = |optimizer| {
        json!({
            "dataset": "sample", "target": "y", "epochs": 2, "batch_size": 32,
            "checkpoint_every": 3, "optimizer": optimizer,
        })
    };
    for optimizer in
        [json!({"type": "SGD"}), json!({"type": "SGD", "momentum": 0.9}), json!({"type": "Adam"})]
    {
        let (whole, halved) = (Scratch::new(line(200)), Scratch::new(line(200)));
        let spec = whole.spec(draft(optimizer));
        let (_, expected) = whole.train(&spec).unwrap();
        let first = |event: &Event| matches!(event, Event::Checkpoint { .. });
        halved.train_until(&spec, &StopFlag::default(), first).unwrap();
        let (_, events) = halved.train(&spec).unwrap();
        assert_eq!(epochs(&events), epochs(&expected));
        assert!(halved.model_files() == whole.model_files());
    }
}

#[test]
fn a_stop_before_the_first_step_leaves_a_checkpoint_at_zero() {
    let scratch = Scratch::new(rings(60));
    let spec = small(&scratch, 1_000);
    let stop = StopFlag::default();
    stop.stop();
    let (ending, events) = scratch.train_until(&spec, &stop, |_| false).unwrap();
    assert_eq!(ending, Ending::Stopped { step: 0 });
    assert!(events.contains(&Event::Checkpoint { step: 0, epoch: 0 }), "{events:?}");
    assert!(matches!(scratch.train(&spec).unwrap().0, Ending::Trained { .. }));
}

#[test]
fn foreign_and_damaged_checkpoints_are_refused() {
    let scratch = Scratch::new(rings(60));
    let spec = small(&scratch, 2);
    scratch.train(&spec).unwrap();
    let path = scratch.path().join(CHECKPOINT_FILE);
    let good = fs::read(&path).unwrap();
    let refusal = |spec: &TrainingSpec| scratch.train(spec).unwrap_err().cause();

    let other = TrainingSpec { seed: 8, ..spec.clone() };
    let cause = refusal(&other);
    assert_eq!(cause.code, "bad_checkpoint");
    assert!(cause.message.contains("another specification"), "{}", cause.message);

    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert_eq!(refusal(&spec).code, "bad_checkpoint");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&path, flipped).unwrap();
    assert!(refusal(&spec).message.contains("digest"));
    for junk in ["", "not a checkpoint at all"] {
        fs::write(&path, junk).unwrap();
        assert_eq!(refusal(&spec).code, "bad_checkpoint");
    }
    fs::write(&path, good).unwrap();
    scratch.train(&spec).unwrap();
}

#[test]
fn a_diverging_loss_names_the_step_and_the_remedy() {
    let scratch = Scratch::new(line(200));
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "y", "epochs": 20,
        "optimizer": {"type": "SGD", "learning_rate": 900.0},
    }));
    let mut events = vec![];
    let run = engine::Run {
        spec: &spec,
        data: &scratch.data,
        limits: &scratch.limits,
        scratch: scratch.path(),
        member: None,
    };
    let error = engine::train(run, &StopFlag::default(), &mut |e| events.push(e)).unwrap_err();
    let cause = error.cause();
    assert_eq!((cause.code.as_str(), cause.retryable), ("loss_not_finite", false));
    assert!(cause.message.starts_with("loss became "), "{}", cause.message);
    assert!(cause.message.ends_with("lower the learning rate"), "{}", cause.message);
}

#[test]
fn bad_cells_are_named_when_the_file_is_not_the_profiled_one() {
    let good = Scratch::new("x,c,y\n1,a,0\n2,b,1\n3,a,0\n4,b,1\n5,a,0\n6,b,1\n");
    let spec = good.spec(json!({
        "dataset": "sample", "target": "y", "batch_size": 2, "task": "binary_classification",
    }));
    let cases = [
        ("x,c,y\n1,a,0\nword,b,1\n", "not_a_number", "row 2 (line 3), column `x`: `word`"),
        ("x,c,y\n-inf,a,0\n", "infinite_value", "row 1 (line 2), column `x`: `-inf`"),
        ("x,c,y\n1e39,a,0\n", "infinite_value", "`1e39`"),
        ("x,c,y\n1,a,2\n", "unknown_class", "column `y`: `2` is not one of the 2 classes"),
        ("x,y\n1,0\n", "unknown_column", "no column `c`"),
        ("x,c,y\n1,a,?\n", "no_rows", "smaller validation split or add rows"),
        ("x,c,y\n?,?,1\n", "no_inputs", ""),
    ];
    for (csv, code, words) in cases {
        let spec = match code {
            "no_inputs" => {
                let mut spec = spec.clone();
                let Input::Table { features, .. } = &mut spec.input else { panic!() };
                features.remove(0);
                spec
            }
            _ => spec.clone(),
        };
        let cause = Scratch::new(csv).train(&spec).unwrap_err().cause();
        assert_eq!(cause.code, code, "{}", cause.message);
        assert!(cause.message.contains(words), "{}", cause.message);
    }
}

#[test]
fn real_regression_and_real_categories_are_learned() {
    let Some(bytes) = real_data("california-housing/housing.csv.gz") else { return };
    let scratch = Scratch::with(bytes, Format::Csv, Compression::Gzip);
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "median_house_value", "epochs": 3, "batch_size": 128,
    }));
    let (ending, _) = scratch.train(&spec).unwrap();
    assert!(metric(&ending, "val_r2") > 0.65, "{ending:?}");

    let Some(bytes) = real_data("adult/train.csv.gz") else { return };
    let scratch = Scratch::with(bytes, Format::Csv, Compression::Gzip);
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "income", "epochs": 1, "batch_size": 128,
    }));
    let (ending, _) = scratch.train(&spec).unwrap();
    assert!(metric(&ending, "val_accuracy") > 0.84, "{ending:?}");
}
