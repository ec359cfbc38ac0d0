//! A step takes of memory what the steps before it gave back: a run of many epochs holds no more than one
//! of two, and what a step asks the allocator for is bounded.
//!
//! The counts are exact where one thread does all the work, which it does here: the pool's other one
//! waits for the run's events.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod counting;

use std::{fmt::Write, fs};

use counting::Counts;
use domain::{
    Digest,
    child::{DATA_FILE, DataFile, Event},
    dataset::{Compression, Format, ReadLimits},
    spec::{DatasetRef, Limits, TrainingSpec},
};
use engine::{Run, StopFlag};
use serde_json::{Value, json};

/// Events of a step are told by the clock, four a second, and each takes a little.
const OF_EVENTS: u64 = 16 << 10;

/// What each epoch of a run takes. `in_file` is for a table.
fn epochs(csv: &str, draft: Value, in_file: bool) -> Vec<Counts> {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, file) = (csv.as_bytes(), folder.path().join(DATA_FILE));
    fs::write(&file, bytes).unwrap();
    let (format, compression) = (Format::Csv, Compression::None);
    let (sha256, len) = (Digest::of(bytes), bytes.len() as u64);
    let data = DataFile { format, compression, sha256, bytes: len };
    let limits = ReadLimits::default();
    let profile = engine::profile(&file, &data, &limits).unwrap();
    let dataset = DatasetRef { name: "sample".parse().unwrap(), version: 1, sha256 };
    let draft = serde_json::from_value(draft).unwrap();
    let mut spec = TrainingSpec::parse(draft, dataset, None, &profile, &Limits::default()).unwrap();
    spec.estimate.rows_in_file = in_file;
    let run =
        Run { spec: &spec, data: &data, limits: &limits, scratch: folder.path(), member: None };
    let mut epochs = vec![];
    let mut see = |event: Event| {
        if matches!(event, Event::Epoch { .. }) {
            epochs.push(counting::since_last());
        }
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.install(|| engine::train(run, &StopFlag::default(), &mut see).map(|_| ())).unwrap();
    epochs
}

/// From the second epoch on: the first one finds nothing to use again.
#[track_caller]
fn stay_level(epochs: &[Counts]) -> Counts {
    let [_, second, later @ ..] = epochs else { panic!("{epochs:?}") };
    for (i, epoch) in later.iter().enumerate() {
        let about = |count: u64, of: u64, more: u64| count <= of + of / 100 + more;
        let level = about(epoch.bytes, second.bytes, OF_EVENTS)
            && about(epoch.calls, second.calls, 64)
            && about(epoch.peak, second.peak, OF_EVENTS);
        assert!(level, "epoch {} took {epoch:?}, the second one {second:?}", i + 3);
    }
    *second
}

const ROWS: u32 = 2_048;
const BATCH: u32 = 32;
const STEPS: u64 = (ROWS / BATCH) as u64;

/// Thirty numbers and a class.
fn numbers() -> String {
    let mut csv: String = (0..30).map(|i| format!("f{i},")).collect();
    csv += "y\n";
    for i in 0..ROWS {
        for k in 0..30 {
            write!(csv, "{:.3},", f64::from(i * 31 + k * 7).sin()).unwrap();
        }
        csv += if i % 3 == 0 { "yes\n" } else { "no\n" };
    }
    csv
}

fn mlp() -> Value {
    json!({
        "dataset": "sample", "target": "y", "epochs": 8, "batch_size": BATCH,
        "validation": {"split": 0}, "metrics": ["accuracy"],
        "model": {"layers": [
            {"type": "Dense", "units": 128, "activation": "relu"},
            {"type": "Dense", "units": 64, "activation": "relu"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
    })
}

/// Three layers of 12,353 weights in all, 32 rows: their gradients are 48 KiB, and what the layers give is
/// as much again.
#[track_caller]
fn bounded(epoch: Counts) {
    let (blocks, bytes) = (epoch.calls / STEPS, epoch.bytes / STEPS);
    assert!(blocks <= 480 && bytes <= 240 << 10, "a step took {blocks} blocks, {bytes} bytes");
}

#[test]
fn a_table_in_memory() {
    let _alone = counting::alone();
    bounded(stay_level(&epochs(&numbers(), mlp(), false)));
}

#[test]
fn a_table_in_a_file() {
    let _alone = counting::alone();
    bounded(stay_level(&epochs(&numbers(), mlp(), true)));
}

#[test]
fn texts() {
    let _alone = counting::alone();
    let mut csv = String::from("text,label\n");
    for i in 0..512 {
        let words: Vec<String> = (0..24).map(|k| format!("w{}", (i * 7 + k * k) % 97)).collect();
        writeln!(csv, "{},{}", words.join(" "), ["no", "yes"][i % 2]).unwrap();
    }
    let draft = json!({
        "dataset": "sample", "target": "label", "epochs": 6, "batch_size": BATCH, "max_length": 20,
        "validation": {"split": 0}, "augmentation": {"token_dropout": 0.1},
        "tokenizer": {"kind": "word", "vocab_size": 100},
        "model": {"family": "bidirectional_lstm", "units": [8], "embedding_dim": 8},
    });
    stay_level(&epochs(&csv, draft, false));
}
