//! A table ten times larger than the memory that its run asks for, in a child with that limit.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use domain::{
    Digest,
    child::{
        CONFIG_FILE, DATA_FILE, DataFile, Event, ONNX_FILE, PREPROCESSING_FILE, TASK_FILE, Task,
        WEIGHTS_FILE,
    },
    dataset::{Compression, Format, ReadLimits},
    spec::{DatasetRef, Limits, TrainingSpec},
};
use serde_json::json;

const MEMORY_BYTES: u64 = 16 << 20;
const COLUMNS: usize = 40;
const ROWS_IN_A_BLOCK: u64 = 400;

/// Rows whose first column says the target; each about 800 bytes of text.
fn block() -> String {
    let mut rows = String::new();
    for i in 0..ROWS_IN_A_BLOCK {
        let cell = |column: u64| ((i * 7 + column * 13) as f64).sin();
        for column in 0..COLUMNS as u64 {
            write!(rows, "{:.16},", cell(column)).unwrap();
        }
        writeln!(rows, "{:.16}", cell(0) * 5.0 + 2.0).unwrap();
    }
    rows
}

fn header() -> String {
    (0..COLUMNS).fold(String::new(), |names, i| names + &format!("c{i},")) + "y\n"
}

/// Writes a table of at least so many bytes, and what to do with it.
fn fill(scratch: &Path, bytes: u64) -> u64 {
    let few = header() + &block();
    let (path, sha256) = (scratch.join(DATA_FILE), Digest::of(few.as_bytes()));
    fs::write(&path, &few).unwrap();
    let (format, compression) = (Format::Csv, Compression::None);
    let limits = ReadLimits::default();
    let data = DataFile { format, compression, sha256, bytes: few.len() as u64 };
    let profile = engine::profile(&path, &data, &limits).unwrap();
    let draft = json!({
        "dataset": "wide", "target": "y", "epochs": 1, "batch_size": 256, "checkpoint_every": 300,
        "preprocess": {"columns": {"c1": {"scaling": "robust"}, "c2": {"imputation": "median"}}},
        "optimizer": {"type": "Adam", "learning_rate": 0.02},
        "model": {"layers": [{"type": "Dense", "units": 1}]},
    });
    let dataset = DatasetRef { name: "wide".parse().unwrap(), version: 1, sha256 };
    let draft = serde_json::from_value(draft).unwrap();
    let mut spec = TrainingSpec::parse(draft, dataset, None, &profile, &Limits::default()).unwrap();
    spec.resources.memory_bytes = MEMORY_BYTES;
    spec.estimate.rows_in_file = true;

    let mut file = File::options().append(true).open(&path).unwrap();
    let block = block();
    let mut written = few.len() as u64;
    let mut rows = ROWS_IN_A_BLOCK;
    while written < bytes {
        file.write_all(block.as_bytes()).unwrap();
        written += block.len() as u64;
        rows += ROWS_IN_A_BLOCK;
    }
    let task = Task::Train { data, limits, spec: Box::new(spec), member: None };
    fs::write(scratch.join(TASK_FILE), serde_json::to_vec(&task).unwrap()).unwrap();
    rows
}

/// What the child says, its files limited to so many blocks of 512 bytes.
fn child(scratch: &Path, file_blocks: &str) -> (Output, Vec<Event>) {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -f \"$0\" && exec \"$@\"", file_blocks])
        .args([env!("CARGO_BIN_EXE_worker-child"), "child", "--scratch"])
        .arg(scratch)
        .args(["--memory-bytes", &MEMORY_BYTES.to_string()])
        .args(["--cpu-milli", "1000", "--max-runtime", "600"])
        .env("RAYON_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // it leaves when this is closed
    let lifeline = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(lifeline);
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let events = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output, events)
}

#[test]
fn a_table_ten_times_the_memory_trains() {
    let scratch = tempfile::tempdir().unwrap();
    let rows = fill(scratch.path(), 10 * MEMORY_BYTES);
    let (output, events) = child(scratch.path(), "unlimited");
    assert!(matches!(events.last(), Some(Event::Trained { .. })), "{output:?}");
    let said = format!("{} rows to train on", rows - rows / 5);
    let says = |event: &Event| matches!(event, Event::Log { line } if line.contains(&said));
    assert!(events.iter().any(says), "{events:?}");
    let loss = |event: &Event| match event {
        Event::Step { loss, kept: true, .. } => Some(*loss),
        _ => None,
    };
    let losses: Vec<f64> = events.iter().filter_map(loss).collect();
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(last < first / 10.0, "from {first} to {last} in {} steps", losses.len());
    for left in [CONFIG_FILE, WEIGHTS_FILE, ONNX_FILE, PREPROCESSING_FILE] {
        fs::remove_file(scratch.path().join(left)).unwrap();
    }
    let mut left: Vec<_> =
        fs::read_dir(scratch.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.retain(|name| name != "checkpoint.safetensors");
    left.sort();
    assert_eq!(left, [DATA_FILE, TASK_FILE]);
}

#[test]
fn a_disk_that_does_not_hold_the_rows_is_said() {
    let scratch = tempfile::tempdir().unwrap();
    fill(scratch.path(), 4 << 20);
    let (output, events) = child(scratch.path(), "1000");
    let Some(Event::Failed { cause }) = events.last() else { panic!("{output:?}") };
    assert_eq!((cause.code.as_str(), cause.retryable), ("disk_full", true));
    assert!(cause.message.contains("scratch folder"), "{}", cause.message);
    assert!(cause.message.contains("resources.memory_bytes"), "{}", cause.message);
}
