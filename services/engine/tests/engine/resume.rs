//! A run that is stopped and goes on ends with the same bytes as one that was never stopped: for every
//! family, and for every technique that remembers something from step to step.

use std::fs;

use domain::{
    child::{CHECKPOINT_FILE, Event},
    dataset::{Compression, Format},
    spec::TrainingSpec,
};
use engine::{Ending, StopFlag};
use serde_json::{Value, json};

use crate::{
    datasets::{idx_zip, monthly, rare, ratings, reviews, strokes, taken},
    families::{
        pattern_draft, pattern_scratch, rating_draft, review_draft, sales_draft, stroke_draft,
    },
    samples::{Scratch, epochs, line, rings, with},
};

/// Stops a run at the first event that `at` is true of, lets it go on and compares the end.
#[track_caller]
fn stops_and_goes_on(whole: &Scratch, spec: &TrainingSpec, at: impl Fn(&Event) -> bool) -> u64 {
    let (ending, events) = whole.train(spec).unwrap();
    let told = |events: &[Event]| -> Vec<String> {
        epochs(events).iter().map(|e| format!("{e:?}")).collect()
    };
    let scratch = whole.again();
    let (stopped, before) = scratch.train_until(spec, &StopFlag::default(), at).unwrap();
    let Ending::Stopped { step } = stopped else { panic!("was not stopped") };
    let (resumed, after) = scratch.train(spec).unwrap();
    let first = after.iter().find(|e| matches!(e, Event::Started { .. }));
    let Some(Event::Started { resumed_from_step: Some(from), .. }) = first else {
        panic!("{first:?}")
    };
    assert_eq!(*from, step);
    assert_eq!([told(&before), told(&after)].concat(), told(&events), "stopped at step {step}");
    assert_eq!(resumed, ending, "stopped at step {step}");
    assert!(scratch.model_files() == whole.model_files(), "stopped at step {step}");
    step
}

/// Early, in the middle, and near the end.
#[track_caller]
fn resumes(whole: Scratch, draft: Value) {
    let spec = whole.spec(with(draft, json!({"checkpoint_every": 1})));
    let (_, events) = whole.train(&spec).unwrap();
    let step = |event: &Event| match event {
        Event::Checkpoint { step, .. } => Some(*step),
        _ => None,
    };
    let steps: Vec<u64> = events.iter().filter_map(step).collect();
    assert!(steps.len() >= 3, "only {steps:?}");
    fs::remove_file(whole.path().join(CHECKPOINT_FILE)).unwrap();
    for k in [steps[0], steps[steps.len() / 2], steps[steps.len() - 1]] {
        let fresh = whole.again();
        assert_eq!(stops_and_goes_on(&fresh, &spec, |event| step(event) == Some(k)), k);
    }
}

fn table(more: Value) -> Value {
    let draft = json!({
        "dataset": "sample", "target": "y", "epochs": 3, "batch_size": 16, "seed": 3,
        "model": {"layers": [
            {"type": "Dense", "units": 6, "activation": "tanh"},
            {"type": "Dense", "units": 1},
        ]},
    });
    with(draft, more)
}

fn short(draft: Value) -> Value {
    with(draft, json!({"epochs": 2, "batch_size": 16}))
}

#[test]
fn networks_of_text_resume() {
    for model in [
        json!({"family": "bidirectional_lstm", "units": [3], "embedding_dim": 4}),
        json!({"family": "gru", "units": [3, 3], "embedding_dim": 4}),
        json!({"family": "transformer", "embedding_dim": 4, "num_heads": 2}),
    ] {
        resumes(Scratch::new(reviews(60)), short(review_draft(model)));
    }
}

#[test]
fn batches_of_texts_of_one_length_resume() {
    let gru = json!({"family": "gru", "units": [3], "embedding_dim": 4});
    let more = json!({"group_by_length": true, "oversample": true});
    let whole = Scratch::new(reviews(80));
    resumes(whole.again(), with(short(review_draft(gru.clone())), more));
    // and they are other batches than those of any length
    let published = |grouped: bool| {
        let more = json!({"group_by_length": grouped});
        whole.run(with(short(review_draft(gru.clone())), more));
        whole.weights()
    };
    assert_ne!(published(true), published(false));
}

#[test]
fn a_language_model_resumes() {
    let model = json!({
        "family": "transformer", "embedding_dim": 8, "num_heads": 2, "num_layers": 1,
        "dropout": 0.1,
    });
    let more = json!({
        "model": model, "label_smoothing": 0.1,
        "optimizer": {"type": "AdamW", "learning_rate": 0.01},
        "schedule": {"warmup_steps": 4, "curve": {"type": "inverse_square_root"}},
    });
    resumes(pattern_scratch(), with(short(pattern_draft()), more));
}

#[test]
fn images_with_every_augmentation_and_moving_statistics_resume() {
    let augmentation = json!({
        "random_crop": 1, "random_rotation": 10, "random_scale": 0.1, "horizontal_flip": true,
        "vertical_flip": true, "random_brightness": 0.1, "gaussian_noise": 0.05,
    });
    let zip = idx_zip(&strokes(50, 3), &strokes(6, 4));
    let scratch = Scratch::with(zip, Format::Images, Compression::None);
    resumes(scratch, with(short(stroke_draft()), json!({"augmentation": augmentation})));
}

#[test]
fn forecasters_resume() {
    for model in [json!({"family": "lstm", "units": [3]}), json!({"family": "cnn", "filters": [3]})]
    {
        resumes(Scratch::new(monthly(72)), short(sales_draft(model)));
    }
}

#[test]
fn recommenders_resume() {
    let factors = json!({"family": "matrix_factorization", "embedding_dim": 3});
    let more = json!({"epochs": 2, "batch_size": 64});
    resumes(Scratch::new(ratings()), with(rating_draft(factors), more));
    let negatives = json!({
        "dataset": "sample", "epochs": 2, "batch_size": 32,
        "recommendation": {"user": "user", "item": "item", "implicit": true, "negatives": 3},
        "model": {"family": "two_tower", "embedding_dim": 3, "units": [4]},
    });
    resumes(Scratch::new(taken()), negatives);
}

#[test]
fn what_is_dropped_is_drawn_again_alike() {
    let lstm = json!({
        "family": "lstm", "units": [4], "embedding_dim": 4, "dropout": 0.2,
        "recurrent_dropout": 0.3,
    });
    let tokens = json!({"augmentation": {"token_dropout": 0.2}});
    resumes(Scratch::new(reviews(60)), with(short(review_draft(lstm)), tokens));
    let layers = json!({"model": {"layers": [
        {"type": "Dense", "units": 8, "activation": "relu"},
        {"type": "Dropout", "rate": 0.5},
        {"type": "Dense", "units": 1},
    ]}});
    resumes(Scratch::new(line(80)), table(layers));
}

#[test]
fn every_optimizer_resumes() {
    for optimizer in [
        json!({"type": "SGD", "momentum": 0.9, "nesterov": true}),
        json!({"type": "Adagrad"}),
        json!({"type": "RMSprop", "momentum": 0.5}),
        json!({"type": "Adam"}),
        json!({"type": "AdamW"}),
    ] {
        resumes(Scratch::new(line(60)), table(json!({"optimizer": optimizer, "epochs": 2})));
    }
    let mut full = table(json!({"optimizer": {"type": "GD"}, "epochs": 5}));
    full.as_object_mut().unwrap().remove("batch_size");
    resumes(Scratch::new(line(60)), full);
}

#[test]
fn schedules_resume() {
    for schedule in [
        json!({"warmup_steps": 6, "curve": {"type": "cosine"}}),
        json!({"curve": {"type": "step", "step_size": 1, "gamma": 0.5}}),
        json!({"curve": {"type": "reduce_on_plateau", "factor": 0.5, "patience": 1,
                         "min_delta": 10.0}}),
    ] {
        resumes(Scratch::new(line(60)), table(json!({"schedule": schedule, "epochs": 4})));
    }
}

#[test]
fn gradients_that_are_gathered_and_clipped_resume() {
    let gradient = json!({"accumulation_steps": 3, "global_clipnorm": 0.5});
    let more = json!({"gradient": gradient, "batch_size": 8, "regularization": {"l1": 0.01}});
    resumes(Scratch::new(line(60)), table(more));
}

#[test]
fn the_best_epoch_is_remembered() {
    let more = json!({
        "epochs": 12, "optimizer": {"type": "Adam", "learning_rate": 0.3},
        "early_stopping": {"patience": 3},
    });
    resumes(Scratch::new(line(60)), table(more));
}

#[test]
fn rows_drawn_again_and_weighed_classes_resume() {
    let draft = json!({
        "dataset": "sample", "target": "ill", "epochs": 2, "batch_size": 16,
        "model": {"family": "mlp", "units": [4]},
    });
    let rare = Scratch::new(rare(60));
    resumes(rare.again(), with(draft.clone(), json!({"oversample": true})));
    resumes(rare, with(draft, json!({"class_weight": "balanced"})));
}

#[test]
fn cross_validation_resumes_within_and_between_folds() {
    let draft = json!({
        "dataset": "sample", "target": "ring", "epochs": 3, "batch_size": 16,
        "validation": {"folds": 3, "stratified": true}, "early_stopping": {"patience": 1},
        "model": {"family": "mlp", "units": [4]}, "oversample": true,
    });
    let whole = Scratch::new(rings(60));
    let spec = whole.spec(draft.clone());
    // the last epoch of a fold: nothing is saved there but on a stop, before the next fold's first step
    let end_of_fold = |event: &Event| matches!(event, Event::Epoch { metrics, .. } if metrics.contains_key("fold_2_loss"));
    stops_and_goes_on(&whole, &spec, end_of_fold);
    resumes(whole.again(), draft);
}

#[test]
fn checkpoints_of_other_runs_and_damaged_ones_are_refused() {
    let spec_of = |scratch: &Scratch, model| {
        let more = json!({"checkpoint_every": 2, "early_stopping": {"patience": 2}});
        scratch.spec(with(short(review_draft(model)), more))
    };
    let scratch = Scratch::new(reviews(60));
    let lstm = spec_of(&scratch, json!({"family": "lstm", "units": [3], "embedding_dim": 4}));
    let gru = spec_of(&scratch, json!({"family": "gru", "units": [3], "embedding_dim": 4}));
    scratch.train(&lstm).unwrap();
    let cause = scratch.train(&gru).unwrap_err().cause();
    assert_eq!((cause.code.as_str(), cause.retryable), ("bad_checkpoint", false));
    assert!(cause.message.contains("another specification"), "{}", cause.message);
    assert!(cause.message.contains("delete it"), "{}", cause.message);

    let path = scratch.path().join(CHECKPOINT_FILE);
    let good = fs::read(&path).unwrap();
    // every byte but those that only pad the header counts
    for i in (0..good.len()).step_by(good.len() / 97) {
        let mut bad = good.clone();
        bad[i] ^= 1;
        if bad[i] == b'!' {
            continue;
        }
        fs::write(&path, &bad).unwrap();
        let error = scratch.train(&lstm).map(|_| ()).unwrap_err().cause();
        assert_eq!(error.code, "bad_checkpoint", "byte {i}: {}", error.message);
        fs::write(&path, &good[..i]).unwrap();
        assert_eq!(scratch.train(&lstm).unwrap_err().cause().code, "bad_checkpoint", "cut at {i}");
    }
    fs::write(&path, good).unwrap();
    scratch.train(&lstm).unwrap();
}

#[test]
fn a_state_that_was_tampered_with_is_refused() {
    let scratch = Scratch::new(line(60));
    let spec = scratch.spec(table(json!({"checkpoint_every": 2})));
    scratch.train(&spec).unwrap();
    let path = scratch.path().join(CHECKPOINT_FILE);
    let good = fs::read(&path).unwrap();
    for word in ["start_step", "batch", "rows", "optimizer_steps"] {
        let mut bad = good.clone();
        let place = good.windows(word.len()).position(|w| w == word.as_bytes()).unwrap();
        let digit = (place..).find(|&i| good[i].is_ascii_digit()).unwrap();
        bad[digit] = if good[digit] == b'9' { b'8' } else { good[digit] + 1 };
        fs::write(&path, &bad).unwrap();
        let cause = scratch.train(&spec).map(|_| ()).unwrap_err().cause();
        assert_eq!(cause.code, "bad_checkpoint", "{word}: {}", cause.message);
    }
}
