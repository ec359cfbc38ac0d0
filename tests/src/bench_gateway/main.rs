//! The gateway under load: how many authenticated reads it answers a second beside a bare handler of actix and
//! sqlx that runs the same statement, how late the last hundredth comes beside MLflow's tracking server, and what
//! encryption costs a push.
//!
//! `bench-gateway [NAME…]` runs the rows whose names contain one of the words, or all. It prints tables and puts
//! them into `docs/BENCHMARKS.md`. It ends with 1 if a row misses what is asked and with 2 if something is missing
//! that it needs, or the machine is busy.

mod report;
mod sides;
mod upload;

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::bail;
use domain::Clock;
use e2e::bench::{self, Answered, Load, Machine, Options, Quiet, Section, Side, saturate};
use tokio::runtime::Runtime;

use report::{Read, Upload};
use sides::{Bare, MlFlow, Ours, Peers};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
const REPETITIONS: usize = 3;
const CONNECTIONS: [usize; 3] = [1, 8, 32];
const FOR: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-gateway: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether every row reached what is asked of it.
fn run() -> anyhow::Result<bool> {
    let options = Options::read()?;
    let is_asked = |connections: &usize| options.selects(&format!("read-{connections}"));
    let connections: Vec<_> = CONNECTIONS.into_iter().filter(is_asked).collect();
    let uploads = options.selects("upload");
    if connections.is_empty() && !uploads {
        bail!("no row is named like {}", options.filters.join(" or "));
    }
    let machine = Machine::describe();
    let quiet = Quiet::find(options.anyway)?;
    let repetitions = options.repetitions.unwrap_or(REPETITIONS);
    let today = Clock::System.now().format("%Y-%m-%d").to_string();
    let said = quiet.said(&today, repetitions);
    let about = format!("{}; {}, {}.", machine.about, machine.ours, Peers::versions());
    let mut found: Vec<(Section, bool)> = vec![];
    if !connections.is_empty() {
        let results = reads(&connections, repetitions, &quiet)?;
        found.push((report::reads(&about, &results, &said), results.iter().all(Read::ok)));
    }
    if uploads {
        let result = upload(repetitions, &quiet)?;
        found.push((report::upload(&about, &result, &said), result.ok()));
    }
    bench::conclude(&found, repetitions, Path::new(DOCUMENT))
}

/// One side, with each number of connections.
async fn answered(load: &Load, connections: &[usize]) -> anyhow::Result<Vec<Answered>> {
    let mut all = Vec::new();
    for connections in connections {
        all.push(saturate(load, *connections, FOR).await?);
    }
    Ok(all)
}

fn reads(connections: &[usize], repetitions: usize, quiet: &Quiet) -> anyhow::Result<Vec<Read>> {
    let peers = Peers::find()?;
    let ours = || -> anyhow::Result<Vec<Answered>> {
        Runtime::new()?.block_on(async {
            let side = Ours::start().await?;
            answered(&side.load, connections).await
        })
    };
    let bare = || -> anyhow::Result<Vec<Answered>> {
        Runtime::new()?.block_on(async {
            let side = Bare::start(&peers).await?;
            answered(&side.load, connections).await
        })
    };
    let mlflow = || -> anyhow::Result<Vec<Answered>> {
        Runtime::new()?.block_on(async {
            let side = MlFlow::start(&peers).await?;
            answered(&side.load, connections).await
        })
    };
    let sides: [Side<'_, Vec<Answered>>; 3] =
        [("ours", &ours), ("bare handler", &bare), ("MLflow", &mlflow)];
    let show = |all: &Vec<Answered>| {
        let one = |a: &Answered| format!("{:.0}/s, p99 {:.2} ms", a.per_second, a.p99 * 1e3);
        all.iter().map(one).collect::<Vec<_>>().join("; ")
    };
    let found = bench::measure(&sides, repetitions, quiet, &show, &|_, _| true)?;
    let of = |(n, connections): (usize, &usize)| Read {
        connections: *connections,
        sides: found.iter().map(|side| side.iter().map(|all| all[n]).collect()).collect(),
    };
    Ok(connections.iter().enumerate().map(of).collect())
}

fn upload(repetitions: usize, quiet: &Quiet) -> anyhow::Result<Upload> {
    let file = upload::file();
    let once = |is_encrypted| {
        let file = &file;
        move || Runtime::new()?.block_on(upload::measure(file, is_encrypted))
    };
    let (encrypted, as_it_is) = (once(true), once(false));
    let sides: [Side<'_, f64>; 2] = [("encrypted", &encrypted), ("as it is", &as_it_is)];
    let show = |rate: &f64| format!("{rate:.0} MiB/s");
    let sides = bench::measure(&sides, repetitions, quiet, &show, &|_, _| true)?;
    Ok(Upload { sides })
}
