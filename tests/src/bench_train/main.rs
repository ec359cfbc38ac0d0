//! How fast the engine learns beside PyTorch and Keras, of the same networks on the same CPU: each row
//! of `bench/train` by `cupola train` and by the scripts in `bench/peers`, in turns.
//!
//! `bench-train [NAME…]` runs the rows whose names contain one of the words, or all. It prints a table
//! and puts it into `docs/BENCHMARKS.md`. It ends with 1 if a row misses what is asked and with 2 if
//! something is missing that it needs, or the machine is busy.

mod rate;
mod report;

use std::{path::Path, process::ExitCode};

use anyhow::{Context, bail, ensure};
use domain::Clock;
use e2e::bench::{self, Machine, Options, Peers, Quiet, Reference, Side};

use rate::{Peer, Rate};
use report::Result;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
const REPETITIONS: usize = 5;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-train: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether every row reached what is asked of it.
fn run() -> anyhow::Result<bool> {
    let options = Options::read()?;
    let mut rows = bench::references()?;
    rows.retain(|row| options.selects(&row.name));
    if rows.is_empty() {
        bail!("no model is named like {}", options.filters.join(" or "));
    }
    let bench = Bench {
        binary: bench::binary()?,
        peers: Peers::open(options.fresh)?,
        machine: Machine::describe(),
        quiet: Quiet::find(options.anyway)?,
        repetitions: options.repetitions.unwrap_or(REPETITIONS),
    };
    let mut results = vec![];
    let mut failed = vec![];
    for (i, row) in rows.iter().enumerate() {
        eprintln!("[{}/{}] {}: {}", i + 1, rows.len(), row.name, row.note);
        match bench.measure(row) {
            Ok(result) => results.push(result),
            Err(error) => {
                eprintln!("{}: {error:#}", row.name);
                failed.push(row.name.as_str());
            }
        }
    }
    let today = Clock::System.now().format("%Y-%m-%d").to_string();
    let section = report::section(&results, &bench, &today);
    print!("{}", section.printed());
    // a quick look is not for keeping
    if bench.repetitions >= REPETITIONS {
        section.write(Path::new(DOCUMENT))?;
    }
    failed.extend(
        results.iter().filter(|result| !result.ok()).map(|result| result.row.name.as_str()),
    );
    match failed.len() {
        0 => println!("\nall {} rows reach what is asked", rows.len()),
        n => println!("\n{n} of {} rows fail: {}", rows.len(), failed.join(", ")),
    }
    Ok(failed.is_empty())
}

/// What all rows are measured with.
struct Bench {
    binary: std::path::PathBuf,
    peers: Peers,
    machine: Machine,
    quiet: Quiet,
    repetitions: usize,
}

impl Bench {
    fn measure<'a>(&self, row: &'a Reference) -> anyhow::Result<Result<'a>> {
        let folder = tempfile::tempdir().context("make a temporary folder")?;
        let data = row.data.write(row.rows, folder.path())?;
        self.quiet.wait()?;
        let settings = Peer::ALL.map(|peer| peer.settings(&self.peers, row, &self.machine));
        let [torch, keras] = settings;
        let (torch, keras) = (torch?, keras?);
        let ours = || rate::ours(row, &self.binary, &data);
        let in_torch = || Peer::Torch.rate(&self.peers, row, &torch, false);
        let in_keras = || Peer::Keras.rate(&self.peers, row, &keras, false);
        let sides: [Side<'_, Rate>; 3] =
            [("ours", &ours), (Peer::Torch.name(), &in_torch), (Peer::Keras.name(), &in_keras)];
        let show = |rate: &Rate| format!("{:.1} rows/s", rate.figure);
        let rates = bench::measure(&sides, self.repetitions, &self.quiet, &show)?;
        let parameters = rates[0][0].parameters;
        for rate in rates.iter().flatten() {
            let theirs = rate.parameters;
            ensure!(theirs == parameters, "{parameters} parameters here, {theirs} there");
        }
        let figures = rates.iter().map(|rates| rates.iter().map(|rate| rate.figure).collect());
        Ok(Result { row, parameters, figures: figures.collect(), settings: [torch, keras] })
    }
}
