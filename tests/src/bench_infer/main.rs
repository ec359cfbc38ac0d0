//! How soon a model answers beside onnxruntime, which runs the same weights: one row at a time, and 256
//! at once.
//!
//! `bench-infer [NAME…]` runs the rows whose names contain one of the words, or all. It prints a table
//! and puts it into `docs/BENCHMARKS.md`. It ends with 1 if a row misses what is asked and with 2 if
//! something is missing that it needs, or the machine is busy.

mod latency;
mod published;
mod report;

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::{Context, bail, ensure};
use domain::Clock;
use e2e::bench::{self, Choices, Machine, Options, Peers, Quiet, Settings, Side};
use serde_json::json;

use latency::{Latencies, Latency};
use published::Published;
use report::Result;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
const REPETITIONS: usize = 5;
/// Reference models, and rows at once.
const ROWS: [(&str, usize); 4] = [("mlp", 1), ("mlp", 256), ("bilstm", 1), ("bilstm", 256)];
/// That a side is asked for answers, after half of that to warm up.
const SECONDS: f64 = 2.0;
const TRIAL_SECONDS: f64 = 0.5;
const LIMIT: Duration = Duration::from_secs(120);
/// Between two libraries' answers, which add up in other orders.
const TOLERANCE: f64 = 1e-4;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-infer: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether every row reached what is asked of it.
fn run() -> anyhow::Result<bool> {
    let options = Options::read()?;
    let name = |(model, batch): &(&str, usize)| format!("{model}-{batch}");
    let rows: Vec<_> = ROWS.iter().filter(|row| options.selects(&name(row))).collect();
    if rows.is_empty() {
        bail!("no row is named like {}", options.filters.join(" or "));
    }
    let bench = Bench {
        peers: Peers::open(options.fresh)?,
        machine: Machine::describe(),
        quiet: Quiet::find(options.anyway)?,
        repetitions: options.repetitions.unwrap_or(REPETITIONS),
    };
    let binary = bench::binary()?;
    let mut results = vec![];
    for (i, (model, batch)) in rows.iter().enumerate() {
        let name = name(rows[i]);
        eprintln!("[{}/{}] {name}", i + 1, rows.len());
        let published = Published::train(model, &binary)?;
        results.push(bench.measure(&name, &published, *batch).with_context(|| name)?);
    }
    let today = Clock::System.now().format("%Y-%m-%d").to_string();
    let section = report::section(&results, &bench, &today);
    print!("{}", section.printed());
    // a quick look is not for keeping
    if bench.repetitions > 1 {
        section.write(Path::new(DOCUMENT))?;
    }
    let failed: Vec<_> = results.iter().filter(|result| !result.ok()).collect();
    match failed.len() {
        0 => println!("\nall {} rows reach what is asked", rows.len()),
        n => println!("\n{n} of {} rows fail", rows.len()),
    }
    Ok(failed.is_empty())
}

/// What all rows are measured with.
struct Bench {
    peers: Peers,
    machine: Machine,
    quiet: Quiet,
    repetitions: usize,
}

impl Bench {
    fn measure(&self, name: &str, published: &Published, batch: usize) -> anyhow::Result<Result> {
        let ours = || latency::measure(published, batch, SECONDS);
        let onnx = self.settings("onnxruntime", name, &|settings, seconds| {
            Ok(self.in_onnxruntime(published, batch, settings, seconds)?.numbers)
        })?;
        let torch = self.settings("PyTorch", name, &|settings, seconds| {
            self.in_torch(published, batch, settings, seconds)
        })?;
        let in_onnx = || self.in_onnxruntime(published, batch, &onnx, SECONDS);
        let sides: [Side<'_, Latencies>; 2] = [("ours", &ours), ("onnxruntime", &in_onnx)];
        let show = |l: &Latencies| format!("{:.1} us, {:.1} from rows", l.numbers.p50, l.rows.p50);
        let latencies = bench::measure(&sides, self.repetitions, &self.quiet, &show, &|_, _| true)?;
        let torch = self.in_torch(published, batch, &torch, SECONDS)?;
        Ok(Result { name: name.to_owned(), latencies, torch, settings: onnx })
    }

    fn settings(
        &self,
        peer: &str,
        name: &str,
        measure: &dyn Fn(&Settings, f64) -> anyhow::Result<Latency>,
    ) -> anyhow::Result<Settings> {
        let mut threads = vec![json!(1), json!(self.machine.cores)];
        threads.dedup();
        let all = bench::combinations(&[("threads", &threads)]);
        let choices = Choices { all, on_top: None };
        let what = format!("answers by {peer}, {name}");
        self.peers.best(&what, &self.machine.about, choices, &|settings| {
            Ok(1e6 / measure(settings, TRIAL_SECONDS)?.p50)
        })
    }

    fn in_onnxruntime(
        &self,
        published: &Published,
        batch: usize,
        settings: &Settings,
        seconds: f64,
    ) -> anyhow::Result<Latencies> {
        let asked = json!({"folder": published.out(), "rows": published.told(), "batch": batch,
            "settings": settings, "seconds": seconds});
        let answer = self.peers.ask("onnx_infer.py", &asked, LIMIT)?;
        let difference = *answer.numbers("difference").first().context("it compared nothing")?;
        ensure!(difference <= TOLERANCE, "its answers differ by {difference}");
        match latency::of_answer(&answer)?[..] {
            [numbers, rows] => Ok(Latencies { numbers, rows }),
            _ => bail!("it must measure both"),
        }
    }

    fn in_torch(
        &self,
        published: &Published,
        batch: usize,
        settings: &Settings,
        seconds: f64,
    ) -> anyhow::Result<Latency> {
        let asked = json!({"model": published.name, "batch": batch, "settings": settings,
            "seconds": seconds});
        let answer = self.peers.ask("torch_infer.py", &asked, LIMIT)?;
        latency::of_answer(&answer)?.pop().context("it measured nothing")
    }
}
