//! Several workers that train one network: each here is a thread with a pool and a folder of its own,
//! and what they bring to a round is carried as an agent does it.

use std::{fs, path::Path, thread};

use domain::{
    child::{CHECKPOINT_FILE, Event, Member, round_file, verdict_file},
    dataset::{Compression, Format},
    spec::TrainingSpec,
};
use engine::{Ending, EngineError, Run, StopFlag};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::{
    datasets::{noisy_line, reviews},
    families::review_draft,
    samples::{Scratch, breast_cancer, epochs, history, line, metric, real_data, rings, with},
};

struct Gang(Vec<Scratch>);

type Ended = Result<(Ending, Vec<Event>), EngineError>;

impl Gang {
    fn new(scratch: &Scratch, of: u32) -> Self {
        Self((0..of).map(|_| scratch.again()).collect())
    }

    fn first(&self) -> &Scratch {
        &self.0[0]
    }

    /// All that the gang leaves, after a run that all ranks have ended as they should.
    #[track_caller]
    fn train(&self, spec: &TrainingSpec) -> (Ending, Vec<Event>) {
        let mut ends = self.train_until(spec, |_, _| false).into_iter().map(Result::unwrap);
        let (ending, events) = ends.next().unwrap();
        assert!(matches!(ending, Ending::Trained { .. }), "{ending:?}");
        for (other, events) in ends {
            assert!(matches!(other, Ending::Stopped { .. }), "{other:?}");
            assert!(epochs(&events).is_empty(), "it is not the one who judges");
        }
        for (rank, scratch) in self.0.iter().enumerate() {
            let left = fs::read_dir(scratch.path()).unwrap();
            let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let left: Vec<_> = left.filter(|name| name.starts_with("round")).collect();
            assert!(left.is_empty(), "rank {rank} has left {left:?}");
        }
        (ending, events)
    }

    /// Asks all for a stop once an event of one satisfies `until`, or one of them has failed.
    fn train_until(
        &self,
        spec: &TrainingSpec,
        until: impl Fn(u32, &Event) -> bool + Sync,
    ) -> Vec<Ended> {
        let stop = StopFlag::default();
        let (until, stop) = (&until, &stop);
        thread::scope(|scope| {
            let ranks = (0..self.0.len() as u32).map(|rank| {
                scope.spawn(move || {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                    let ended = pool.install(|| self.rank(rank, spec, stop, until));
                    if ended.is_err() {
                        stop.stop();
                    }
                    ended
                })
            });
            let ranks: Vec<_> = ranks.collect();
            ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
        })
    }

    fn rank(
        &self,
        rank: u32,
        spec: &TrainingSpec,
        stop: &StopFlag,
        until: &impl Fn(u32, &Event) -> bool,
    ) -> Ended {
        let scratch = &self.0[rank as usize];
        let member = Some(Member { rank, of: self.0.len() as u32 });
        let (data, limits) = (&scratch.data, &scratch.limits);
        let run = Run { spec, data, limits, scratch: scratch.path(), member };
        let mut events = vec![];
        let ending = engine::train(run, stop, &mut |event| {
            if until(rank, &event) {
                stop.stop();
            }
            match event {
                Event::Round { round } => self.carry(rank, &round_file(round, rank)),
                Event::Verdict { round } if rank == 0 => self.carry(rank, &verdict_file(round)),
                _ => {}
            }
            events.push(event);
        })?;
        Ok((ending, events))
    }

    fn carry(&self, rank: u32, name: &str) {
        let own = self.0[rank as usize].path();
        for other in self.0.iter().map(Scratch::path).filter(|path| *path != own) {
            let part = other.join(format!("{name}.part"));
            fs::copy(own.join(name), &part).unwrap();
            fs::rename(part, other.join(name)).unwrap();
        }
    }

    /// The next attempt's folders: every rank goes on from the first one's checkpoint.
    fn resumed(&self) -> Self {
        let next = Self::new(self.first(), self.0.len() as u32);
        for scratch in &next.0 {
            let to = scratch.path().join(CHECKPOINT_FILE);
            fs::copy(self.first().path().join(CHECKPOINT_FILE), to).unwrap();
        }
        next
    }
}

/// The numbers whose names start so.
fn numbers(file: &Path, prefix: &str) -> Vec<f32> {
    let bytes = fs::read(file).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    tensors.sort_by_key(|(name, _)| *name);
    let all = tensors.iter().flat_map(|(_, tensor)| tensor.data().as_chunks().0);
    all.map(|&number| f32::from_le_bytes(number)).collect()
}

fn flattened(weights: &Scratch) -> Vec<f32> {
    weights.weights().into_values().flatten().collect()
}

#[track_caller]
fn assert_close(got: &[f32], expected: &[f32], within: f32) {
    assert_eq!(got.len(), expected.len());
    let far = got.iter().zip(expected).find(|(got, expected)| (*got - *expected).abs() > within);
    assert_eq!(far, None);
}

fn rings_draft(more: Value) -> Value {
    let draft = json!({
        "dataset": "sample", "target": "ring", "epochs": 4, "batch_size": 16, "seed": 7,
        "optimizer": {"type": "Adam", "learning_rate": 0.02},
        "model": {"layers": [
            {"type": "Dense", "units": 12, "activation": "relu"},
            {"type": "BatchNormalization"},
            {"type": "Dropout", "rate": 0.1},
            {"type": "Dense", "units": 3, "activation": "softmax"},
        ]},
    });
    with(draft, more)
}

#[test]
fn a_run_again_gives_the_same_bytes_and_another_number_of_workers_others() {
    let scratch = Scratch::new(rings(150));
    let spec = scratch.spec(rings_draft(json!({})));
    let models = [2, 3, 2, 3].map(|of| {
        let gang = Gang::new(&scratch, of);
        gang.train(&spec);
        gang.first().model_files()
    });
    assert!(models[0] == models[2] && models[1] == models[3]);
    assert_ne!(models[0].1, models[1].1);
}

/// Two batches for four workers: the last two learn nothing, and bring to a round what they took from
/// the one before it.
#[test]
fn all_go_on_from_the_same_bytes() {
    let scratch = Scratch::new(rings(40));
    let spec = scratch.spec(rings_draft(json!({"epochs": 5})));
    let gang = Gang::new(&scratch, 4);
    let rounds = |rank, event: &Event| {
        let Event::Round { round } = *event else { return false };
        let own = gang.0[rank as usize].path().join(round_file(round, rank));
        let kept = gang.0[rank as usize].path().join(format!("kept-{round}"));
        fs::copy(own, kept).unwrap();
        // what all have come to after the round before is in the first one's newest checkpoint
        if rank == 0 && round > 1 {
            let checkpoint = gang.first().path().join(CHECKPOINT_FILE);
            fs::copy(checkpoint, gang.first().path().join(format!("mean-{}", round - 1))).unwrap();
        }
        false
    };
    assert!(gang.train_until(&spec, rounds).iter().all(Result::is_ok));
    for round in 2..=5 {
        let mean = gang.first().path().join(format!("mean-{}", round - 1));
        for prefix in ["weights.", "optimizer."] {
            let mean = numbers(&mean, prefix);
            for (rank, scratch) in gang.0.iter().enumerate() {
                let brought = numbers(&scratch.path().join(format!("kept-{round}")), prefix);
                assert_eq!(brought == mean, rank > 1, "{prefix} of {rank} in round {round}");
            }
        }
    }
}

/// 36 rows to train on: 8, 8 and 4 of the first worker, 8 and 8 of the other.
#[test]
fn each_counts_by_its_rows() {
    let scratch = Scratch::new(line(45));
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "y", "epochs": 1, "batch_size": 8,
        "model": {"family": "mlp", "units": [5]},
    }));
    let gang = Gang::new(&scratch, 2);
    let ended = gang.train_until(&spec, |rank, event| {
        if let Event::Round { round } = *event {
            let own = gang.0[rank as usize].path();
            fs::copy(own.join(round_file(round, rank)), own.join("kept")).unwrap();
        }
        false
    });
    assert!(ended.iter().all(Result::is_ok));
    for prefix in ["weights.", "optimizer."] {
        let [one, other] = [0, 1].map(|r: usize| numbers(&gang.0[r].path().join("kept"), prefix));
        let of_both = |(a, b): (&f32, &f32)| (a * 20.0 + b * 16.0) / 36.0;
        let mean: Vec<f32> = one.iter().zip(&other).map(of_both).collect();
        assert_ne!(one, other);
        assert_close(&numbers(&gang.first().path().join(CHECKPOINT_FILE), prefix), &mean, 1e-6);
    }
}

#[test]
fn one_step_on_all_rows_is_the_mean_of_steps_on_shares() {
    let scratch = Scratch::new(noisy_line(203, 4, 0.3));
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "y", "epochs": 20,
        "optimizer": {"type": "GD", "learning_rate": 0.1}, "regularization": {"l2": 1e-3},
        "model": {"layers": [{"type": "Dense", "units": 4, "activation": "tanh"},
            {"type": "Dense", "units": 1}]},
    }));
    let alone = scratch.again();
    let (_, events) = alone.train(&spec).unwrap();
    for of in [2, 3, 7] {
        let gang = Gang::new(&scratch, of);
        let (_, together) = gang.train(&spec);
        assert_close(&flattened(gang.first()), &flattened(&alone), 1e-5);
        for name in ["loss", "val_loss", "r2"] {
            let (one, many) = (history(&events, name), history(&together, name));
            assert_eq!(one.len(), many.len());
            assert!(one.iter().zip(&many).all(|(a, b)| (a - b).abs() < 1e-5), "{one:?} {many:?}");
        }
    }
}

/// With a rate at which no weight moves, the figures of an epoch say whose rows they are of.
#[test]
fn an_epochs_figures_are_of_all_rows() {
    let scratch = Scratch::new(breast_cancer());
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "diagnosis", "epochs": 2, "model": {"family": "linear"},
        "optimizer": {"type": "SGD", "learning_rate": 1e-30},
    }));
    let (_, alone) = scratch.again().train(&spec).unwrap();
    let (_, together) = Gang::new(&scratch, 3).train(&spec);
    for name in ["loss", "accuracy", "auc", "precision", "val_loss", "val_auc"] {
        let (one, many) = (history(&alone, name), history(&together, name));
        assert_eq!(one.len(), 2);
        assert!(one.iter().zip(&many).all(|(a, b)| (a - b).abs() < 1e-9), "{one:?} {many:?}");
    }
}

/// Stops a gang where `at` says so, lets it go on, and compares the end.
#[track_caller]
fn goes_on(
    scratch: &Scratch,
    spec: &TrainingSpec,
    of: u32,
    at: impl Fn(u32, &Event) -> bool + Sync,
) {
    let whole = Gang::new(scratch, of);
    let (ending, events) = whole.train(spec);
    let stopped = Gang::new(scratch, of);
    let ends: Vec<_> = stopped.train_until(spec, at).into_iter().map(Result::unwrap).collect();
    assert!(ends.iter().all(|(ending, _)| matches!(ending, Ending::Stopped { .. })));
    let newest = |events: &[Event]| {
        let step = |event: &Event| match event {
            Event::Checkpoint { step, .. } => Some(*step),
            _ => None,
        };
        events.iter().filter_map(step).next_back()
    };
    let (Ending::Stopped { step }, before) = &ends[0] else { panic!("it was not stopped") };
    assert_eq!(Some(*step), newest(before), "the newest checkpoint is the last round's");
    let next = stopped.resumed();
    let (resumed, after) = next.train(spec);
    assert_eq!(resumed, ending);
    assert!(next.first().model_files() == whole.first().model_files());
    let told = |events: &[Event]| -> Vec<String> {
        epochs(events).iter().map(|event| format!("{event:?}")).collect()
    };
    assert_eq!([told(before), told(&after)].concat(), told(&events));
}

#[test]
fn a_gang_that_was_stopped_ends_as_one_that_was_not() {
    let scratch = Scratch::new(rings(150));
    let more = json!({
        "epochs": 6, "gradient": {"accumulation_steps": 2}, "oversample": true,
        "schedule": {"warmup_steps": 3, "curve": {"type": "reduce_on_plateau", "patience": 1}},
        "early_stopping": {"patience": 5},
    });
    let spec = scratch.spec(rings_draft(more));
    // as the third round begins, in the middle of an epoch, and after a round
    goes_on(&scratch, &spec, 3, |rank, event| {
        rank == 1 && matches!(event, Event::Round { round: 3 })
    });
    goes_on(&scratch, &spec, 2, |rank, event| rank == 0 && has_begun(event, 5));
    goes_on(&scratch, &spec, 2, |rank, event| {
        rank == 0 && matches!(event, Event::Checkpoint { epoch: 4, .. })
    });
}

/// A point of the history: of few steps each is one.
fn has_begun(event: &Event, in_epoch: u32) -> bool {
    matches!(event, Event::Step { epoch, kept: true, .. } if *epoch == in_epoch)
}

#[test]
fn folds_go_on_too_each_stopped_by_the_first_worker() {
    let scratch = Scratch::new(rings(90));
    let more = json!({
        "epochs": 12, "validation": {"folds": 3, "stratified": true},
        "early_stopping": {"patience": 1, "min_delta": 0.3},
    });
    let spec = scratch.spec(rings_draft(more));
    let (ending, events) = Gang::new(&scratch, 2).train(&spec);
    assert!(metric(&ending, "cv_val_accuracy") > 0.3);
    let stopped =
        |event: &&Event| matches!(event, Event::Log { line } if line.starts_with("stopped early"));
    assert!(events.iter().filter(stopped).count() > 0, "a fold was to be stopped early");
    let rounds = events.iter().filter_map(|event| match event {
        Event::Round { round } => Some(*round),
        _ => None,
    });
    assert!(rounds.zip(1..).all(|(round, expected)| round == expected), "numbered on over folds");
    // in the first epoch of the second fold
    let first_fold = epochs(&events).iter().filter(|e| format!("{e:?}").contains("fold_1")).count();
    let next = first_fold as u32 + 1;
    goes_on(&scratch, &spec, 2, |rank, event| rank == 0 && has_begun(event, next));
}

#[test]
fn texts_of_like_length_stay_together() {
    let scratch = Scratch::new(reviews(120));
    let model = json!({"family": "lstm", "units": [4], "embedding_dim": 4});
    let more = json!({"group_by_length": true, "epochs": 3, "batch_size": 10});
    let spec = scratch.spec(with(review_draft(model), more));
    goes_on(&scratch, &spec, 2, |rank, event| rank == 0 && has_begun(event, 2));
}

#[test]
fn several_workers_learn_about_what_one_does() {
    let scratch = Scratch::new(breast_cancer());
    let spec = scratch.spec(json!({"dataset": "sample", "target": "diagnosis", "seed": 1}));
    let (one, _) = scratch.again().train(&spec).unwrap();
    let (two, _) = Gang::new(&scratch, 2).train(&spec);
    let (one, two) = (metric(&one, "val_accuracy"), metric(&two, "val_accuracy"));
    assert!(two > 0.93 && two > one - 0.03, "one worker {one}, two {two}");

    let Some(bytes) = real_data("adult/train.csv.gz") else { return };
    let scratch = Scratch::with(bytes, Format::Csv, Compression::Gzip);
    let draft = json!({"dataset": "sample", "target": "income", "epochs": 2, "batch_size": 64});
    let (ending, _) = Gang::new(&scratch, 4).train(&scratch.spec(draft));
    assert!(metric(&ending, "val_accuracy") > 0.84, "{ending:?}");
}

#[test]
fn what_cannot_be_used_in_a_round_is_worth_another_try() {
    let scratch = Scratch::new(rings(60));
    let spec = scratch.spec(rings_draft(json!({})));
    let gang = Gang::new(&scratch, 2);
    let ended = gang.train_until(&spec, |rank, event| {
        if rank == 1 && matches!(event, Event::Round { round: 2 }) {
            let brought = gang.0[1].path().join(round_file(2, 1));
            let mut bytes = fs::read(&brought).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(&brought, bytes).unwrap();
        }
        false
    });
    // whoever has read it first stops the other
    let errors: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
    assert!(!errors.is_empty());
    for error in errors {
        let cause = error.cause();
        assert_eq!((cause.code.as_str(), cause.retryable), ("bad_round", true));
        assert!(cause.message.starts_with("round 2: what worker 1 brought"), "{}", cause.message);
    }
}
