//! Where the time of training goes: each reference model in `bench/train` under perf(1), by the part of
//! the engine that a sample fell into.
//!
//! `bench-profile [NAME…]` takes the rows whose names contain one of the words, or all. It needs `perf`,
//! `addr2line` and a binary that knows its lines, as `make bench-profile` builds it. It prints a table
//! and puts it into `docs/BENCHMARKS.md`.

mod samples;

use std::{
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use domain::Clock;
use e2e::bench::{self, Machine, Options, Reference, Section, Training};

use samples::PARTS;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
/// Samples a second of each thread; a number that no loop keeps step with.
const FREQUENCY: &str = "997";
const LIMIT: Duration = Duration::from_secs(600);
/// Fewer tell nothing about shares.
const LEAST_SAMPLES: usize = 1_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-profile: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> anyhow::Result<()> {
    let options = Options::read()?;
    let mut rows = bench::references()?;
    rows.retain(|row| options.selects(&row.name));
    if rows.is_empty() {
        bail!("no model is named like {}", options.filters.join(" or "));
    }
    let machine = Machine::describe();
    let (binary, today) = (bench::binary()?, Clock::System.now().format("%Y-%m-%d").to_string());
    let mut lines = vec![];
    for row in &rows {
        eprintln!("{}: {}", row.name, row.note);
        let counts = profile(row, &binary).with_context(|| row.name.clone())?;
        let mut line = vec![row.name.clone()];
        line.extend(shares(&counts));
        line.push(today.clone());
        lines.push(line);
    }
    let parts = PARTS.iter().map(|part| part.name.to_owned());
    let section = Section {
        name: "bench-profile",
        about: format!("{}; {}.", machine.about, machine.ours),
        header: ["row, %".to_owned()]
            .into_iter()
            .chain(parts)
            .chain(["taken".to_owned()])
            .collect(),
        lines,
    };
    println!("{}", section.printed());
    section.write(Path::new(DOCUMENT))
}

/// Samples of a whole run by the part that they fell into.
fn profile(row: &Reference, binary: &Path) -> anyhow::Result<[usize; PARTS.len()]> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let folder = folder.path();
    let data = row.data.write(row.rows, folder)?;
    let training = Training { binary, spec: &row.spec, data: &data, test: None, folder };
    let (train, record) = (training.command()?, folder.join("perf.data"));
    let mut command = Command::new("perf");
    command.args(["record", "--quiet", "--freq", FREQUENCY, "--output"]).arg(&record).arg("--");
    command.arg(train.get_program()).args(train.get_args());
    bench::run(&mut command, LIMIT, &mut |_| {}).context("perf, of Debian's package linux-perf")?;
    // as perf names it
    let binary = binary.canonicalize().with_context(|| format!("find {}", binary.display()))?;
    let counts = samples::by_part(&record, &binary)?;
    let all: usize = counts.iter().sum();
    ensure!(all >= LEAST_SAMPLES, "{all} samples are too few");
    Ok(counts)
}

/// In percent, in the order of the parts.
fn shares(counts: &[usize]) -> impl Iterator<Item = String> {
    let all: usize = counts.iter().sum();
    counts.iter().map(move |&count| format!("{:.0}", 100.0 * count as f64 / all as f64))
}
