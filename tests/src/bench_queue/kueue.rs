//! Kueue's two published performance workloads, in real time and through a real Postgres: cohorts of
//! queues with quotas, jobs that come by the clock and take as long as they say. What counts is the time
//! from the beginning to the last end, beside what quotas and jobs allow at best.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use boot::bus::Bus;
use domain::{JobId, Resources, hint::Hint, job::Report, world::Quota};
use e2e::bench::{Turn, median};
use simulator::{
    Workload,
    workload::{self, Job, Setup},
};
use store::{
    Store,
    jobs::{self, NewJob, Submitted},
    pools,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep, sleep_until, timeout},
};
use worker::Work;

use crate::{ours::Tenant, services::Services};

const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/traces");
const CONNECTIONS: u32 = 16;
const AGENT_CONNECTIONS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(120);
const POOL: &str = "default";

/// A workload, what Kueue publishes for it, and what is asked of us, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    pub published: f64,
    pub asked: Asked,
}

#[derive(Debug, Clone, Copy)]
pub enum Asked {
    /// So many times the ideal.
    OfIdeal(f64),
    Seconds(f64),
}

pub const ROWS: [Row; 2] = [
    Row { name: "kueue-baseline", published: 351.0, asked: Asked::OfIdeal(1.2) },
    Row { name: "kueue-large-scale", published: 1_179.0, asked: Asked::Seconds(60.0) },
];

pub struct Replayed {
    pub row: Row,
    pub jobs: usize,
    /// Seconds, of each repetition.
    pub makespans: Vec<f64>,
    pub ideal: f64,
}

impl Replayed {
    /// Seconds.
    pub fn asked(&self) -> f64 {
        match self.row.asked {
            Asked::OfIdeal(times) => times * self.ideal,
            Asked::Seconds(seconds) => seconds,
        }
    }

    pub fn ok(&self) -> bool {
        median(&self.makespans) <= self.asked()
    }
}

impl Row {
    pub fn workload(self) -> anyhow::Result<Workload> {
        let trace = Path::new(TRACES).join(format!("{}.json", self.name));
        workload::read(&trace, None, &Setup::default())
    }
}

/// Seconds from the beginning to the last end.
pub async fn replay(turn: &Turn, workload: &Workload) -> anyhow::Result<f64> {
    Stage::start(turn, workload).await?.play(workload).await
}

/// The work of the busiest cohort over what its members have together, and no less than the last job
/// takes from its submission.
pub fn ideal(workload: &Workload) -> f64 {
    let mut cohorts: BTreeMap<Option<&str>, (f64, f64)> = BTreeMap::new();
    for tenant in &workload.tenants {
        let cohort = cohorts.entry(tenant.quota.cohort.as_deref()).or_default();
        cohort.1 += tenant.quota.guaranteed.cpu_milli as f64;
    }
    let mut last = 0;
    for job in &workload.jobs {
        let cohort = workload.tenants[job.tenant].quota.cohort.as_deref();
        cohorts.entry(cohort).or_default().0 += (job.total().cpu_milli as i64 * job.runtime) as f64;
        last = last.max(job.submitted + job.runtime);
    }
    let busiest = cohorts.values().map(|(work, has)| work / has).fold(last as f64, f64::max);
    busiest / 1_000.0
}

/// The workloads count units alone; a job of ours has memory too, as much of it as of those.
fn with_memory(units: Resources) -> Resources {
    Resources { memory_bytes: units.cpu_milli.saturating_mul(1 << 10), ..units }
}

type Runtimes = Arc<Mutex<HashMap<JobId, Duration>>>;

struct Stage {
    services: Services,
    tenants: Vec<Tenant>,
    runtimes: Runtimes,
    ended: UnboundedReceiver<()>,
}

impl Stage {
    async fn start(turn: &Turn, workload: &Workload) -> anyhow::Result<Self> {
        let mut services = Services::begin(turn, CONNECTIONS).await?;
        let mut tenants = vec![];
        for (n, tenant) in workload.tenants.iter().enumerate() {
            let store = &services.store;
            let made = Tenant::create(store, &services.folder, n, u32::MAX >> 1).await?;
            let quota =
                Quota { guaranteed: with_memory(tenant.quota.guaranteed), ..tenant.quota.clone() };
            let mut tx = store.begin().await?;
            ensure!(pools::set_quota(&mut tx, made.id, POOL, &quota).await?, "no pool `{POOL}`");
            tx.commit().await?;
            tenants.push(made);
        }
        services.start_scheduler()?;
        let runtimes = Runtimes::default();
        let (one_ended, ended) = unbounded_channel();
        for (n, capacity) in workload.workers.iter().enumerate() {
            let (runtimes, ended) = (runtimes.clone(), one_ended.clone());
            let perform = move |work| wait(work, runtimes.clone(), ended.clone());
            services.start_agent(n, with_memory(*capacity), AGENT_CONNECTIONS, perform)?;
        }
        Ok(Self { services, tenants, runtimes, ended })
    }

    /// Seconds from the beginning to the last end.
    async fn play(mut self, workload: &Workload) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let Services { store, bus, .. } = &self.services;
        let (submitted, ended) = tokio::join!(
            submit_all(store, bus, &self.tenants, &self.runtimes, workload, begun),
            until_ended(&mut self.ended, workload.jobs.len())
        );
        submitted?;
        ended?;
        let makespan = begun.elapsed().as_secs_f64();
        self.services.stop().await?;
        Ok(makespan)
    }
}

/// Each job at its time, or as soon after it as the database takes it: those that are due go together,
/// those of one queue in one transaction.
async fn submit_all(
    store: &Store,
    bus: &Bus,
    tenants: &[Tenant],
    runtimes: &Runtimes,
    workload: &Workload,
    begun: Instant,
) -> anyhow::Result<()> {
    let mut next = 0;
    while let Some(first) = workload.jobs.get(next) {
        sleep_until(begun + Duration::from_millis(first.submitted.unsigned_abs())).await;
        let now = begun.elapsed().as_millis() as i64;
        let mut due: BTreeMap<usize, Vec<&Job>> = BTreeMap::new();
        while let Some(job) = workload.jobs.get(next).filter(|job| job.submitted <= now) {
            due.entry(job.tenant).or_default().push(job);
            next += 1;
        }
        let due: Vec<_> = due.into_iter().collect();
        for some in due.chunks(CONNECTIONS as usize) {
            let submissions = some
                .iter()
                .map(async |(tenant, jobs)| submit(store, &tenants[*tenant], runtimes, jobs).await);
            futures::future::try_join_all(submissions).await?;
            bus.publish(Hint::Queue);
        }
    }
    Ok(())
}

async fn submit(
    store: &Store,
    tenant: &Tenant,
    runtimes: &Runtimes,
    jobs: &[&Job],
) -> anyhow::Result<()> {
    let mut new = Vec::with_capacity(jobs.len());
    for job in jobs {
        let made = NewJob {
            priority: job.priority,
            resources: with_memory(job.needs),
            workers: job.workers,
            max_runtime: job.max_runtime_secs + 60,
            ..tenant.job()
        };
        let runtime = Duration::from_millis(job.runtime.unsigned_abs());
        runtimes.lock().expect("no holder panics").insert(made.id, runtime);
        new.push(made);
    }
    let mut tx = store.begin_for(tenant.id).await?;
    match jobs::submit_all(&mut tx, &new).await? {
        Submitted::Accepted => Ok(tx.commit().await?),
        refused => bail!("{refused:?}"),
    }
}

async fn until_ended(ended: &mut UnboundedReceiver<()>, jobs: usize) -> anyhow::Result<()> {
    for n in 0..jobs {
        let one = timeout(PATIENCE, ended.recv()).await;
        one.with_context(|| format!("{n} of {jobs} jobs have ended"))?.context("nobody runs")?;
    }
    Ok(())
}

/// An attempt that does nothing for as long as its job takes.
async fn wait(work: Work, runtimes: Runtimes, ended: UnboundedSender<()>) {
    let job = work.assignment.attempt.job;
    let runtime = runtimes.lock().expect("no holder panics").get(&job).copied();
    if work.started(None).await {
        sleep(runtime.unwrap_or_default()).await;
        if work.ended(Report::Succeeded).await == Some(true) {
            // nobody listens once all have ended
            let _ = ended.send(());
        }
    }
}
