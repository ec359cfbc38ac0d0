//! `make chaos`: minutes of everything that can happen to the platform's processes, and what the
//! database says afterwards. `SEED`, `JOBS` and `MINUTES` say which, how many and for how long.

use std::{env, process::ExitCode, str::FromStr};

use anyhow::{Context, ensure};
use e2e::chaos::{self, Options};
use uuid::Uuid;

const JOBS: usize = 300;
const MINUTES: f64 = 3.0;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether all is as it has to be.
fn run() -> anyhow::Result<bool> {
    // any will do, so long as it is said
    let any = u64::from(Uuid::now_v7().as_fields().1);
    let options = Options {
        seed: set("SEED")?.unwrap_or(any),
        jobs: set("JOBS")?.unwrap_or(JOBS),
        minutes: set("MINUTES")?.unwrap_or(MINUTES),
    };
    ensure!(
        (0.0..=600.0).contains(&options.minutes),
        "MINUTES=`{}`: use 0 to 600",
        options.minutes
    );
    println!("{} jobs over {} minutes, seed {}", options.jobs, options.minutes, options.seed);
    // one thread: Redis ends with the one that has started it
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(chaos::run(&options));
    println!("{report}");
    Ok(report.is_clean())
}

fn set<T: FromStr>(name: &str) -> anyhow::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = env::var(name).ok().filter(|text| !text.is_empty());
    text.map(|text| text.parse().with_context(|| format!("{name}=`{text}` is no number")))
        .transpose()
}
