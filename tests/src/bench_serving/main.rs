//! Predictions over HTTP beside MLflow's `models serve` and FastAPI with onnxruntime, which run the model that
//! our platform has trained and exported: how many a second, how late the last hundredth comes at an equal
//! load, what HTTP costs beside the engine, what a tenant feels of another one's noise, and how soon a model answers
//! that was not loaded.
//!
//! `bench-serving [NAME…]` runs the rows whose names contain one of the words, or all. It prints tables and
//! puts them into `docs/BENCHMARKS.md`. It ends with 1 if a row misses what is asked and with 2 if something
//! is missing that it needs, or the machine is busy. `SOAK_MINUTES` says how long the row `soak` lasts.

mod cold;
mod model;
mod noise;
mod report;
mod sides;
mod soak;

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::bail;
use domain::Clock;
use e2e::bench::{self, Answered, Machine, Options, Quiet, Section, Side, median};
use tokio::runtime::Runtime;

use model::Model;
use report::Served;
use sides::{FastApi, Kind, MlFlow, Ours, Peers};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
const REPETITIONS: usize = 3;
/// Connections that ask again and again.
const ASKERS: usize = 16;
const FOR: Duration = Duration::from_secs(5);
/// Of what the slowest side can do: the load that is the same for all.
const EQUAL_LOAD: f64 = 0.5;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-serving: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether every row reached what is asked of it.
fn run() -> anyhow::Result<bool> {
    let options = Options::read()?;
    let models: Vec<_> = Model::ALL.iter().filter(|model| options.selects(model.name)).collect();
    let [noise, cold, soak] = ["noise", "cold", "soak"].map(|name| options.selects(name));
    if models.is_empty() && !noise && !cold && !soak {
        bail!("no row is named like {}", options.filters.join(" or "));
    }
    let machine = Machine::describe();
    let quiet = Quiet::find(options.anyway)?;
    let repetitions = options.repetitions.unwrap_or(REPETITIONS);
    let today = Clock::System.now().format("%Y-%m-%d").to_string();
    let said = quiet.said(&today, repetitions);
    let about = format!("{}; {}, {}.", machine.about, machine.ours, Peers::versions());
    let mut found: Vec<(Section, bool)> = vec![];
    if !models.is_empty() {
        let served: Result<Vec<_>, _> =
            models.into_iter().map(|model| serve(model, repetitions, &quiet)).collect();
        let served = served?;
        found.push((report::served(&about, &served, &said), served.iter().all(Served::ok)));
    }
    if noise {
        let figures = Runtime::new()?.block_on(noise::measure(repetitions, &quiet))?;
        found.push((report::noise(&about, &figures, &said), figures.ok()));
    }
    if cold {
        let figures = Runtime::new()?.block_on(cold::measure(repetitions, &quiet))?;
        found.push((report::cold(&about, &figures, &said), figures.ok()));
    }
    if soak {
        let figures = Runtime::new()?.block_on(soak::measure())?;
        found.push((report::soak(&about, &figures, &said), figures.ok()));
    }
    bench::conclude(&found, repetitions, Path::new(DOCUMENT))
}

/// All sides with one model: first what each can do, then how soon each answers at half of the least of it.
fn serve(model: &'static Model, repetitions: usize, quiet: &Quiet) -> anyhow::Result<Served> {
    let peers = Peers::find()?;
    let runtime = Runtime::new()?;
    let ours = runtime.block_on(Ours::start(model))?;
    let engine_micros = ours.published.engine_micros()?;
    let start = |kind: Kind| -> anyhow::Result<Box<dyn sides::Serving>> {
        Ok(match kind {
            Kind::Ours => Box::new(ours.again()),
            Kind::FastApi => Box::new(runtime.block_on(FastApi::start(&peers, &ours.published))?),
            Kind::MlFlow => Box::new(runtime.block_on(MlFlow::start(&peers, &ours.published))?),
        })
    };
    let saturated = in_turns(repetitions, quiet, &|kind| {
        let side = start(kind)?;
        runtime.block_on(bench::saturate(side.load(), ASKERS, FOR))
    })?;
    let rates = saturated.iter().map(|side| median(&per_second(side)));
    let rate = (rates.fold(f64::INFINITY, f64::min) * EQUAL_LOAD).floor();
    let equal = in_turns(repetitions, quiet, &|kind| {
        let side = start(kind)?;
        runtime.block_on(bench::offer(side.load(), rate, ASKERS, FOR))
    })?;
    let alone = runtime.block_on(bench::saturate(&ours.load, 1, FOR))?;
    Ok(Served { model, saturated, rate, equal, alone, engine_micros })
}

fn per_second(side: &[Answered]) -> Vec<f64> {
    side.iter().map(|answered| answered.per_second).collect()
}

fn in_turns(
    repetitions: usize,
    quiet: &Quiet,
    once: &dyn Fn(Kind) -> anyhow::Result<Answered>,
) -> anyhow::Result<Vec<Vec<Answered>>> {
    let (ours, fastapi, mlflow) =
        (|| once(Kind::Ours), || once(Kind::FastApi), || once(Kind::MlFlow));
    let sides: [Side<'_, Answered>; 3] =
        [("ours", &ours), ("FastAPI", &fastapi), ("MLflow", &mlflow)];
    let show = |a: &Answered| {
        format!("{:.0}/s, p50 {:.2} ms, p99 {:.2} ms", a.per_second, a.p50 * 1e3, a.p99 * 1e3)
    };
    bench::measure(&sides, repetitions, quiet, &show, &|_, _| true)
}
