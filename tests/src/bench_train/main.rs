//! How fast the engine learns beside PyTorch and Keras, of the same networks on the same CPU: the rate
//! of each reference model in `bench/train`, and the whole runs in `bench/whole`, by `cupola train` and
//! by the scripts in `bench/peers`, in turns.
//!
//! `bench-train [NAME…]` runs the rows whose names contain one of the words, or all. It prints tables
//! and, where each row is measured more than once, puts them into `docs/BENCHMARKS.md`. It ends
//! with 1 if a row misses what is asked and with 2 if something is missing that it needs, or the
//! machine is busy.

mod rate;
mod report;
mod whole;

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail, ensure};
use domain::Clock;
use e2e::bench::{
    self, MEBIBYTE, Machine, Once, Options, Peak, Peers, Quiet, Reference, Settings, Side,
};

use rate::{Peer, Rate};
use report::{Rates, Wholes};
use whole::{Outcome, Whole};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
const RATE_REPETITIONS: usize = 5;
const WHOLE_REPETITIONS: usize = 3;

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
    let mut wholes = whole::load()?;
    wholes.retain(|row| options.selects(&row.name));
    if rows.is_empty() && wholes.is_empty() {
        bail!("no model is named like {}", options.filters.join(" or "));
    }
    let machine = Machine::describe();
    let quiet = Quiet::find(options.anyway)?;
    let bench = Bench {
        binary: bench::binary()?,
        peers: Peers::open(options.fresh)?,
        peak: Peak::measure(machine.cores),
        machine,
        quiet,
        repetitions: options.repetitions,
    };
    let rates = each(&rows, |row| (&row.name, &row.note), |row| bench.rates(row));
    let files: Vec<_> = wholes.iter().flat_map(|row| row.data.files()).collect();
    let data = if files.is_empty() { Ok(PathBuf::new()) } else { bench::data_folder(files) };
    if let Err(why) = &data {
        eprintln!("whole runs are left out: {why:#}");
        wholes.clear();
    }
    let data = data.unwrap_or_default();
    let runs = each(&wholes, |row| (&row.name, &row.note), |row| bench.whole(row, &data));
    let today = Clock::System.now().format("%Y-%m-%d").to_string();
    let mut ok = rates.len() + runs.len() == rows.len() + wholes.len();
    let tables = [
        report::peak(&bench, &today),
        report::rates(&rates, &bench, &today),
        report::wholes(&runs, &bench, &today),
    ];
    for table in tables {
        if table.section.lines.is_empty() {
            continue;
        }
        println!("{}", table.section.printed());
        ok &= table.ok;
        // a quick look is not for keeping
        if bench.repetitions != Some(1) {
            table.section.write(Path::new(DOCUMENT))?;
        }
    }
    println!("{} rows reach what is asked", if ok { "all" } else { "not all" });
    Ok(ok)
}

/// What measuring gave, for each row that did not fail.
fn each<'a, R, T>(
    rows: &'a [R],
    about: impl Fn(&'a R) -> (&'a String, &'a String),
    measure: impl Fn(&'a R) -> anyhow::Result<T>,
) -> Vec<T> {
    let mut results = vec![];
    for (i, row) in rows.iter().enumerate() {
        let (name, note) = about(row);
        eprintln!("[{}/{}] {name}: {note}", i + 1, rows.len());
        match measure(row) {
            Ok(result) => results.push(result),
            Err(error) => eprintln!("{name}: {error:#}"),
        }
    }
    results
}

/// What all rows are measured with.
struct Bench {
    binary: PathBuf,
    peers: Peers,
    machine: Machine,
    peak: Peak,
    quiet: Quiet,
    /// Where another number than the usual one is asked for.
    repetitions: Option<usize>,
}

impl Bench {
    fn rates<'a>(&self, row: &'a Reference) -> anyhow::Result<Rates<'a>> {
        let folder = tempfile::tempdir().context("make a temporary folder")?;
        let data = row.data.write(row.rows, folder.path())?;
        let settings = self.settings(row)?;
        let ours = || rate::ours(row, &self.binary, &data);
        let [torch, keras] = [0, 1].map(|i| {
            let (peer, settings) = (Peer::ALL[i], &settings[i]);
            move || peer.rate(&self.peers, row, settings)
        });
        let show = |rate: &Rate| format!("{:.1} rows/s", rate.figure);
        let all = |_: &[Vec<Rate>], _| true;
        let rates = self.in_turns([&ours, &torch, &keras], RATE_REPETITIONS, &show, &all)?;
        let parameters = rates[0][0].parameters;
        for rate in rates.iter().flatten() {
            let theirs = rate.parameters;
            ensure!(theirs == parameters, "{parameters} parameters here, {theirs} there");
        }
        let figures = rates.iter().map(|rates| rates.iter().map(|rate| rate.figure).collect());
        Ok(Rates { row, parameters, figures: figures.collect(), settings })
    }

    fn whole<'a>(&self, row: &'a Whole, data: &Path) -> anyhow::Result<Wholes<'a>> {
        let references = bench::references()?;
        let reference = references.iter().find(|reference| reference.name == row.settings_of);
        let settings = self.settings(reference.context("no such model")?)?;
        let seconds = Cell::new(f64::INFINITY);
        let ours = || {
            let outcome = row.ours(&self.binary, data)?;
            seconds.set(outcome.seconds);
            Ok(outcome)
        };
        let [torch, keras] = [0, 1].map(|i| {
            let (peer, settings, seconds) = (Peer::ALL[i], &settings[i], &seconds);
            move || row.theirs(peer, &self.peers, data, settings, whole::limit(seconds.get()))
        });
        let show = |outcome: &Outcome| {
            let Outcome { seconds, peak_bytes, accuracy, epochs } = outcome;
            let mebibytes = peak_bytes / MEBIBYTE;
            match epochs {
                Some(epochs) => {
                    format!(
                        "{seconds:.1} s, {mebibytes:.0} MiB, {accuracy:.4} after {epochs} epochs"
                    )
                }
                None => format!("not done after {seconds:.0} s, {mebibytes:.0} MiB"),
            }
        };
        let sides: [Once<'_, Outcome>; 3] = [&ours, &torch, &keras];
        let outcomes = self.in_turns(sides, WHOLE_REPETITIONS, &show, &whole::goes_on)?;
        Ok(Wholes { row, outcomes })
    }

    fn settings(&self, row: &Reference) -> anyhow::Result<[Settings; 2]> {
        self.quiet.wait()?;
        let [torch, keras] = Peer::ALL.map(|peer| peer.settings(&self.peers, row, &self.machine));
        Ok([torch?, keras?])
    }

    /// What was measured on, and with.
    fn about(&self) -> String {
        let version = |package| format!("{package} {}", self.peers.version(package));
        let versions = ["torch", "tensorflow-cpu", "keras"].map(version).join(", ");
        format!("{}; {}, {versions}.", self.machine.about, self.machine.ours)
    }

    /// When, and how often.
    fn said(&self, today: &str, repetitions: usize) -> String {
        self.quiet.said(today, self.repetitions.unwrap_or(repetitions))
    }

    fn in_turns<T>(
        &self,
        [ours, torch, keras]: [Once<'_, T>; 3],
        repetitions: usize,
        show: &dyn Fn(&T) -> String,
        goes_on: &dyn Fn(&[Vec<T>], usize) -> bool,
    ) -> anyhow::Result<Vec<Vec<T>>> {
        let [in_torch, in_keras] = Peer::ALL.map(Peer::name);
        let sides: [Side<'_, T>; 3] = [("ours", ours), (in_torch, torch), (in_keras, keras)];
        let repetitions = self.repetitions.unwrap_or(repetitions);
        bench::measure(&sides, repetitions, &self.quiet, show, goes_on)
    }
}
