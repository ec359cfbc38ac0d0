//! The queue beside three others on one Postgres: no-op jobs per second, how soon a job starts on an idle
//! worker, and whether the tables stay healthy.
//!
//! `bench-queue [NAME…]` runs the rows whose names contain one of the words, or all. It prints tables and
//! puts them into `docs/BENCHMARKS.md`. It ends with 1 if a row misses what is asked and with 2 if
//! something is missing that it needs, or the machine is busy.

mod kueue;
mod ours;
mod peers;
mod report;
mod services;
mod tables;

use std::{env, path::Path, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use domain::Clock;
use e2e::bench::{self, Machine, Once, Options, Quiet, Server, Side, Turn, percentile};
use tokio::runtime::Runtime;

use ours::Platform;
use peers::{Peer, Peers};
use report::{Jobs, Latencies, Latency};
use tables::Tables;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
const REPETITIONS: usize = 3;
/// Name, agents, and jobs in one submission.
const ROWS: [(&str, usize, usize); 4] =
    [("jobs-1", 1, 1), ("jobs-4", 4, 1), ("jobs-16", 16, 1), ("sweeps-4", 4, 100)];
const PEERS: [Peer; 5] =
    [Peer::Awa, Peer::Graphile, Peer::PgBoss, Peer::GraphileInBatches, Peer::PgBossWithCaps];
/// Of these, those that acknowledge each job by itself; the best of them is to be reached.
const COMPARED: usize = 3;
/// The one that has caps on.
const WITH_CAPS: usize = 4;
const TENANTS: usize = 8;
const SLOTS: usize = 256;
const SUBMITTERS: usize = 16;
/// In a measurement of throughput; `JOBS` asks for another number.
const JOBS: usize = 10_000;
/// Of a latency.
const SAMPLES: usize = 500;
/// That the tables have to bear; `TABLE_JOBS` asks for another number.
const TABLE_JOBS: usize = 50_000;
/// Of the server's hundred, for all agents of a side.
const CONNECTIONS: usize = 64;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench-queue: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// What a side is to do.
pub struct Load {
    pub agents: usize,
    /// Of each.
    pub slots: usize,
    pub jobs: usize,
    pub submitters: usize,
    /// Jobs in one submission.
    pub together: usize,
}

impl Load {
    /// Of each tenant's jobs, how many may run at once: a quarter of all places.
    pub const fn cap(&self) -> u32 {
        ((self.agents * self.slots) as u32).div_ceil(4)
    }

    /// Of each agent.
    pub const fn connections(&self) -> usize {
        let each = CONNECTIONS / self.agents;
        if each > 20 { 20 } else { each }
    }
}

/// Before the next sample, so that the worker is idle again; not in step with anything that comes again
/// and again.
pub fn pause(sample: usize) -> Duration {
    Duration::from_millis(5 + (sample as u64 * 7) % 13)
}

struct Bench {
    server: Server,
    peers: Peers,
    quiet: Quiet,
    repetitions: usize,
}

/// Whether every row reached what is asked of it.
fn run() -> anyhow::Result<bool> {
    let options = Options::read()?;
    let rows: Vec<_> = ROWS.into_iter().filter(|row| options.selects(row.0)).collect();
    let (latency, health) = (options.selects("latency"), options.selects("tables"));
    let workloads: Vec<_> =
        kueue::ROWS.into_iter().filter(|row| options.selects(row.name)).collect();
    if rows.is_empty() && !latency && !health && workloads.is_empty() {
        bail!("no row is named like {}", options.filters.join(" or "));
    }
    let machine = Machine::describe();
    let bench = Bench {
        server: Server::find()?,
        peers: Peers::find()?,
        quiet: Quiet::find(options.anyway)?,
        repetitions: options.repetitions.unwrap_or(REPETITIONS),
    };
    let versions = format!("{}, {}", bench.server.version()?, bench.peers.versions());
    let about = format!("{}; {}, {versions}.", machine.about, machine.ours);
    let today = Clock::System.now().format("%Y-%m-%d").to_string();
    let said = bench.quiet.said(&today, bench.repetitions);
    let mut found = vec![];
    if !rows.is_empty() {
        let jobs = number("JOBS", JOBS)?;
        let results =
            rows.into_iter().map(|row| bench.jobs(row, jobs)).collect::<Result<Vec<_>, _>>()?;
        found.push((report::jobs(&about, &results, &said), results.iter().all(Jobs::ok)));
    }
    if latency {
        let results = bench.latencies()?;
        found.push((report::latencies(&about, &results, &said), results.ok()));
    }
    if health {
        let tables = bench.tables(number("TABLE_JOBS", TABLE_JOBS)?)?;
        found.push((report::tables(&about, &tables, &bench.quiet.said(&today, 1)), tables.ok()));
    }
    if !workloads.is_empty() {
        let results =
            workloads.into_iter().map(|row| bench.replays(row)).collect::<Result<Vec<_>, _>>()?;
        let ok = results.iter().all(kueue::Replayed::ok);
        found.push((report::kueue(&about, &results, &said), ok));
    }
    bench::conclude(&found, bench.repetitions, Path::new(DOCUMENT))
}

fn number(variable: &str, usual: usize) -> anyhow::Result<usize> {
    match env::var(variable).ok().filter(|text| !text.is_empty()) {
        Some(text) => text.parse().with_context(|| format!("{variable}={text} is no number")),
        None => Ok(usual),
    }
}

impl Bench {
    fn jobs(
        &self,
        (name, agents, together): (&'static str, usize, usize),
        jobs: usize,
    ) -> anyhow::Result<Jobs> {
        eprintln!("{name}");
        let load = Load { agents, slots: SLOTS, jobs, submitters: SUBMITTERS, together };
        let ours = || -> anyhow::Result<report::Rate> {
            let turn = self.server.start()?;
            Runtime::new()?.block_on(async {
                let mut platform = Platform::start(&turn, &load).await?;
                let done = platform.run(&load).await?;
                platform.stop().await?;
                Ok(report::Rate { per_second: done.jobs_per_second, peak: Some(done.peak) })
            })
        };
        let peer = |peer: Peer| {
            let load = &load;
            move || -> anyhow::Result<report::Rate> {
                let turn = self.server.start()?;
                let per_second = self.peers.jobs_per_second(peer, &turn, load)?;
                Ok(report::Rate { per_second, peak: None })
            }
        };
        let peers = PEERS.map(|which| (which.name(), peer(which)));
        let mut sides: Vec<Side<'_, report::Rate>> = vec![("ours", &ours)];
        sides.extend(peers.iter().map(|(name, once)| (*name, once as Once<'_, report::Rate>)));
        let show = |rate: &report::Rate| format!("{:.0} jobs/s", rate.per_second);
        let rates = bench::measure(&sides, self.repetitions, &self.quiet, &show, &|_, _| true)?;
        Ok(Jobs { name, jobs, rates })
    }

    fn latencies(&self) -> anyhow::Result<Latencies> {
        eprintln!("latency");
        let ours = || -> anyhow::Result<Latency> {
            let turn = self.server.start()?;
            Ok(latency(&self.on_idle_worker(&turn)?))
        };
        let peer = |peer: Peer| {
            move || -> anyhow::Result<Latency> {
                let turn = self.server.start()?;
                Ok(latency(&self.peers.latencies(peer, &turn, SAMPLES)?))
            }
        };
        let peers = PEERS.map(|which| (which.name(), peer(which)));
        let mut sides: Vec<Side<'_, Latency>> = vec![("ours", &ours)];
        sides.extend(
            peers.iter().take(COMPARED).map(|(name, once)| (*name, once as Once<'_, Latency>)),
        );
        let show = |l: &Latency| format!("p50 {:.2} ms, p99 {:.2} ms", l.p50 * 1e3, l.p99 * 1e3);
        let found = bench::measure(&sides, self.repetitions, &self.quiet, &show, &|_, _| true)?;
        Ok(Latencies { found })
    }

    fn on_idle_worker(&self, turn: &Turn) -> anyhow::Result<Vec<f64>> {
        let load = Load { agents: 1, slots: 8, jobs: SAMPLES, submitters: 1, together: 1 };
        Runtime::new()?.block_on(async {
            let mut platform = Platform::start(turn, &load).await?;
            let latencies = platform.latencies(SAMPLES).await?;
            platform.stop().await?;
            Ok(latencies)
        })
    }

    fn replays(&self, row: kueue::Row) -> anyhow::Result<kueue::Replayed> {
        eprintln!("{}", row.name);
        let workload = row.workload()?;
        let mut makespans = vec![];
        for _ in 0..self.repetitions {
            self.quiet.wait()?;
            let turn = self.server.start()?;
            let makespan = Runtime::new()?.block_on(kueue::replay(&turn, &workload))?;
            eprintln!("    {makespan:.1} s");
            makespans.push(makespan);
        }
        let (jobs, ideal) = (workload.jobs.len(), kueue::ideal(&workload));
        Ok(kueue::Replayed { row, jobs, makespans, ideal })
    }

    fn tables(&self, jobs: usize) -> anyhow::Result<Tables> {
        eprintln!("tables: {jobs} jobs, twice");
        self.quiet.wait()?;
        let turn = self.server.start()?;
        let load = Load { agents: 4, slots: SLOTS, jobs, submitters: SUBMITTERS, together: 100 };
        Runtime::new()?.block_on(tables::measure(&turn, &load, SAMPLES))
    }
}

pub fn latency(seconds: &[f64]) -> Latency {
    Latency { p50: percentile(seconds, 0.5), p99: percentile(seconds, 0.99) }
}
