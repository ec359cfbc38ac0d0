//! What a plan costs: queues of several sizes on 2,000 workers, full, and then one thing after another
//! changes. What matters is that the time follows what changes, not what is there.
//!
//! `bench-plan [TENANTSxJOBS…]` prints a table and puts it into `docs/BENCHMARKS.md`.

use std::{path::Path, process::ExitCode, time::Instant};

use anyhow::{Context, bail};
use chrono::{DateTime, Duration};
use domain::{
    Clock, JobId, PoolId, Resources, TenantId, Timestamp, WorkerId,
    world::{Command, Phase, PlannedJob, Quota, TenantCaps, WorkerState, WorkerView},
};
use e2e::bench::{Machine, Section};
use planner::{Policy, Queue};
use uuid::Uuid;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md");
const SIZES: [&str; 4] = ["10x1000", "100x10000", "1000x100000", "10000x1000000"];
const WORKERS: usize = 2_000;
const CPUS: u64 = 32;
/// Of each kind of change.
const TICKS: usize = 500;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-plan: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> anyhow::Result<()> {
    let asked: Vec<_> = std::env::args().skip(1).collect();
    let sizes = if asked.is_empty() { SIZES.map(str::to_owned).to_vec() } else { asked };
    let (machine, today) =
        (Machine::describe(), Clock::System.now().format("%Y-%m-%d").to_string());
    let mut lines = Vec::new();
    for size in &sizes {
        let Some((tenants, jobs)) = size.split_once('x') else { bail!("`{size}`: TENANTSxJOBS") };
        let mut line = measured(tenants.parse()?, jobs.parse()?).with_context(|| size.clone())?;
        line.push(today.clone());
        lines.push(line);
    }
    let header = [
        "jobs",
        "tenants",
        "queue, MiB",
        "first plan, ms",
        "nothing changed, µs",
        "1 job came, µs",
        "1 job ended, µs",
        "100 jobs ended, µs",
        "usage decayed, ms",
        "taken",
    ];
    let section = Section {
        name: "bench-plan",
        about: format!("{}; {}. Median / 99th percentile.", machine.about, machine.ours),
        header: header.map(str::to_owned).to_vec(),
        lines,
    };
    println!("{}", section.printed());
    section.write(Path::new(DOCUMENT))
}

struct Bench {
    queue: Queue,
    now: Timestamp,
    tenants: usize,
    jobs: usize,
    live: Vec<JobId>,
}

fn measured(tenants: usize, jobs: usize) -> anyhow::Result<Vec<String>> {
    let before = resident()?;
    let mut bench = Bench::new(tenants, jobs);
    let memory = (resident()? - before) >> 20;
    let begun = Instant::now();
    bench.plan();
    let first = begun.elapsed().as_secs_f64() * 1e3;
    bench.check()?;
    let quiet = bench.ticks(|_| ());
    let came = bench.ticks(Bench::submit);
    let ended = bench.ticks(|bench| bench.end(1));
    let many = bench.ticks(|bench| bench.end(100));
    let decayed = bench.ticks(|bench| bench.now += Duration::seconds(11));
    let micro = |(median, p99): (f64, f64)| format!("{median:.0} / {p99:.0}");
    let milli = |(median, p99): (f64, f64)| format!("{:.1} / {:.1}", median / 1e3, p99 / 1e3);
    Ok(vec![
        grouped(jobs),
        grouped(tenants),
        memory.to_string(),
        format!("{first:.0}"),
        micro(quiet),
        micro(came),
        micro(ended),
        micro(many),
        milli(decayed),
    ])
}

fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let parts = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    parts.collect::<Vec<_>>().join(",")
}

/// Bytes of this process that are in memory.
fn resident() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").context("/proc/self/statm")?;
    let pages: u64 = text.split(' ').nth(1).context("/proc/self/statm")?.parse()?;
    Ok(pages * 4_096)
}

fn id(n: usize) -> Uuid {
    Uuid::from_u128(n as u128 + 1)
}

impl Bench {
    /// A tenth of the tenants has a guarantee; ten sizes of jobs.
    fn new(tenants: usize, jobs: usize) -> Self {
        let now = DateTime::UNIX_EPOCH;
        let policy = Policy { max_starts_per_plan: usize::MAX, ..Policy::default() };
        let mut queue = Queue::new(policy, now);
        for n in 0..WORKERS {
            let capacity = Resources::cpu(CPUS * 1_000, CPUS << 30);
            let (pool, state, leftover) = (PoolId::NIL, WorkerState::Up, Vec::new());
            let view = WorkerView { pool, capacity, state, leftover };
            queue.set_worker(WorkerId::from_uuid(id(n)), Some(view));
        }
        for n in 0..tenants {
            queue.set_tenant(TenantId::from_uuid(id(n)), Some(TenantCaps::running(u32::MAX)));
            if n % 10 == 0 {
                let cpus = WORKERS as u64 * CPUS / 2 / (tenants as u64).div_ceil(10);
                let guaranteed = Resources::cpu(cpus * 1_000, cpus << 30);
                let quota = Quota { guaranteed, ..Quota::default() };
                queue.set_quota(TenantId::from_uuid(id(n)), PoolId::NIL, Some(quota));
            }
        }
        let mut bench = Self { queue, now, tenants, jobs: 0, live: Vec::new() };
        (0..jobs).for_each(|_| bench.submit());
        bench
    }

    fn submit(&mut self) {
        let n = self.jobs;
        self.jobs += 1;
        // numbers that have nothing to do with each other, the same in every run
        let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        let cpus = 1 + mixed % 10;
        let job = PlannedJob {
            tenant: TenantId::from_uuid(id((mixed >> 8) as usize % self.tenants)),
            pool: PoolId::NIL,
            priority: (mixed % 3) as i32,
            created_at: self.now,
            needs: Resources::cpu(cpus * 1_000, cpus << 30),
            workers: 1,
            max_runtime_secs: 600 + mixed % 3_000,
            concurrency: None,
            phase: Phase::Waiting { not_before: self.now, last_attempt: 0 },
        };
        self.queue.set_job(JobId::from_uuid(id(n)), Some(job));
    }

    fn end(&mut self, count: usize) {
        for _ in 0..count {
            if let Some(job) = self.live.pop() {
                self.queue.set_job(job, None);
            }
        }
    }

    fn plan(&mut self) {
        let commands = self.queue.plan(self.now).commands;
        let starts = commands.iter().filter(|command| matches!(command, Command::Start { .. }));
        self.live.extend(starts.map(|command| command.attempt().job));
    }

    /// What is measured is a full cluster with jobs that wait.
    fn check(&self) -> anyhow::Result<()> {
        if self.live.is_empty() {
            bail!("nothing was started");
        }
        Ok(())
    }

    /// Microseconds of a plan after each change: the median and the 99th percentile.
    fn ticks(&mut self, change: impl Fn(&mut Self)) -> (f64, f64) {
        let mut times: Vec<_> = (0..TICKS)
            .map(|_| {
                change(self);
                self.queue.advance(self.now);
                let begun = Instant::now();
                self.plan();
                begun.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        times.sort_by(f64::total_cmp);
        (times[TICKS / 2], times[TICKS * 99 / 100])
    }
}
