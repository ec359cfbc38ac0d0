//! Our side: the platform's own scheduler and worker agents, the gateway's way of submitting, tenants with
//! caps. Only the child process that an agent starts for an attempt is left out: the attempt is reported
//! as begun, and then as ended.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use domain::{
    DatasetId, Digest, Resources, TenantId, UserId,
    access::Role,
    child::DataFile,
    dataset::{Compression, Format, ReadLimits},
    hint::Hint,
    job::Report,
    name::Name,
    spec::{DatasetRef, Limits, TrainingDraft, TrainingSpec},
};
use e2e::bench::Turn;
use store::{
    Store,
    datasets::{self, NewVersion},
    jobs::{self, NewJob, Refusal, Submitted},
    people,
    tenants::{self, TenantLimits},
    workers,
};
use tempfile::TempDir;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};
use worker::Work;

use crate::{Load, TENANTS, services::Services};

const MAX_QUEUED: u32 = 10_000;
const AGENT_CONNECTIONS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(120);
/// Before a submission that found the queue full is made again.
const FULL: Duration = Duration::from_secs(1);
const ROWS: &str = "a,b,label\n1,2,yes\n2,1,no\n3,4,yes\n4,3,no\n";

/// What an attempt went through.
enum Moment {
    /// It was given to its agent, which would have started a child by now.
    Started(Instant),
    /// Its end is committed.
    Ended,
}

pub struct Platform {
    services: Services,
    tenants: Vec<Tenant>,
    cap: u32,
    moments: UnboundedReceiver<Moment>,
}

pub struct Tenant {
    pub id: TenantId,
    owner: UserId,
    dataset: DatasetId,
    spec: TrainingSpec,
    running: Arc<Running>,
}

/// A tenant's jobs that run.
#[derive(Default)]
struct Running {
    now: AtomicI64,
    most: AtomicI64,
}

/// Figures of one turn.
pub struct Done {
    pub jobs_per_second: f64,
    /// The most jobs that a tenant ran at once, and the most that it may.
    pub peak: (i64, u32),
}

impl Platform {
    pub async fn start(turn: &Turn, load: &Load) -> anyhow::Result<Self> {
        let mut services = Services::begin(turn, load.submitters as u32 + 2).await?;
        let cap = load.cap();
        let mut tenants = vec![];
        for n in 0..TENANTS {
            tenants.push(Tenant::create(&services.store, &services.folder, n, cap).await?);
        }
        services.start_scheduler()?;
        let (moment, moments) = unbounded_channel();
        let running: Arc<BTreeMap<_, _>> =
            Arc::new(tenants.iter().map(|t| (t.id, t.running.clone())).collect());
        for n in 0..load.agents {
            let capacity = Resources::cpu(load.slots as u64 * 1_000, (load.slots as u64) << 26);
            let (running, moment) = (running.clone(), moment.clone());
            let perform = move |work| nothing(work, running.clone(), moment.clone());
            services.start_agent(n, capacity, AGENT_CONNECTIONS, perform)?;
        }
        let platform = Self { services, tenants, cap, moments };
        platform.until_registered(load.agents).await?;
        Ok(platform)
    }

    async fn until_registered(&self, agents: usize) -> anyhow::Result<()> {
        let all = async {
            loop {
                let mut tx = self.services.store.begin().await?;
                if workers::list(&mut tx, None, workers::MOST).await?.items.len() == agents {
                    return anyhow::Ok(());
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, all).await.context("the agents do not register")?
    }

    /// From the first submission until the end of the last job is committed.
    pub async fn run(&mut self, load: &Load) -> anyhow::Result<Done> {
        let next = AtomicUsize::new(0);
        let submit = async || -> anyhow::Result<()> {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let left = load.jobs.saturating_sub(n * load.together);
                if left == 0 {
                    return Ok(());
                }
                self.submit(n, load.together.min(left)).await?;
            }
        };
        let begun = Instant::now();
        futures::future::try_join_all((0..load.submitters).map(|_| submit())).await?;
        self.until_ended(load.jobs).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let peak = self.tenants.iter().map(|t| t.running.most.load(Ordering::Relaxed)).max();
        let peak = peak.unwrap_or(0);
        ensure!(peak <= i64::from(self.cap), "{peak} jobs ran at once, {} may", self.cap);
        Ok(Done { jobs_per_second: load.jobs as f64 / seconds, peak: (peak, self.cap) })
    }

    async fn until_ended(&mut self, jobs: usize) -> anyhow::Result<()> {
        let mut ended = 0;
        while ended < jobs {
            let moment = timeout(PATIENCE, self.moments.recv()).await;
            let moment = moment.with_context(|| format!("{ended} of {jobs} jobs have ended"))?;
            ended += usize::from(matches!(moment, Some(Moment::Ended)));
        }
        Ok(())
    }

    /// Seconds from a submission's commit to the attempt's start, one job at a time.
    pub async fn latencies(&mut self, samples: usize) -> anyhow::Result<Vec<f64>> {
        let mut latencies = vec![];
        for n in 0..samples {
            let committed = self.submit(n, 1).await?;
            while let Some(moment) = timeout(PATIENCE, self.moments.recv()).await? {
                match moment {
                    Moment::Started(at) => {
                        latencies.push(at.saturating_duration_since(committed).as_secs_f64());
                    }
                    Moment::Ended => break,
                }
            }
            sleep(crate::pause(n)).await;
        }
        ensure!(latencies.len() == samples, "{} of {samples} jobs started", latencies.len());
        Ok(latencies)
    }

    /// As the gateway does it; when it was committed.
    async fn submit(&self, n: usize, together: usize) -> anyhow::Result<Instant> {
        let tenant = &self.tenants[n % TENANTS];
        let jobs: Vec<_> = (0..together).map(|_| tenant.job()).collect();
        let committed = loop {
            let mut tx = self.services.store.begin_for(tenant.id).await?;
            match jobs::submit_all(&mut tx, &jobs).await? {
                Submitted::Accepted => {
                    tx.commit().await?;
                    break Instant::now();
                }
                // as a client that is told 429
                Submitted::Refused(Refusal::QueueFull { .. }) => sleep(FULL).await,
                refused => bail!("{refused:?}"),
            }
        };
        self.services.bus.publish(Hint::Queue);
        Ok(committed)
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.services.stop().await
    }
}

/// An attempt without a child.
async fn nothing(
    work: Work,
    running: Arc<BTreeMap<TenantId, Arc<Running>>>,
    moment: UnboundedSender<Moment>,
) {
    // nobody listens once the figures are there
    let _ = moment.send(Moment::Started(Instant::now()));
    let running = running.get(&work.assignment.tenant);
    if let Some(Running { now, most }) = running.map(Arc::as_ref) {
        most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
    let started = work.started(None).await;
    if let Some(running) = running {
        running.now.fetch_sub(1, Ordering::Relaxed);
    }
    if started && work.ended(Report::Succeeded).await == Some(true) {
        let _ = moment.send(Moment::Ended);
    }
}

impl Tenant {
    pub async fn create(
        store: &Store,
        folder: &TempDir,
        n: usize,
        cap: u32,
    ) -> anyhow::Result<Self> {
        let (id, slug) = (TenantId::generate(), format!("tenant-{n}"));
        let mut tx = store.begin().await?;
        let name: Name = slug.parse().context("a name")?;
        tenants::create(&mut tx, id, &name, &slug).await?.context("the tenant is there already")?;
        let limits = TenantLimits {
            max_running_jobs: cap,
            max_queued_jobs: MAX_QUEUED,
            max_storage_bytes: 1 << 30,
            max_egress_bytes: 1 << 30,
        };
        tenants::set_limits(&mut tx, &slug, &limits).await?;
        let email = format!("owner@{slug}.example");
        let owner = people::ensure_user(&mut tx, UserId::generate(), &email, "Owner").await?;
        people::add_member(&mut tx, id, owner, Role::Owner).await?;
        tx.commit().await?;

        let data = DataFile {
            format: Format::Csv,
            compression: Compression::None,
            sha256: Digest::of(ROWS.as_bytes()),
            bytes: ROWS.len() as u64,
        };
        let version = NewVersion {
            sha256: data.sha256,
            bytes: data.bytes,
            format: data.format,
            compression: data.compression,
        };
        let mut tx = store.begin_for(id).await?;
        let (version, _) = datasets::add_version(&mut tx, &name, &version).await?;
        tx.commit().await?;
        let spec = spec(folder, &name, &data)?;
        Ok(Self { id, owner, dataset: version.dataset, spec, running: Arc::default() })
    }

    pub fn job(&self) -> NewJob {
        let size = (self.spec.resources, self.spec.max_runtime);
        let job = NewJob::new("nothing".to_owned(), self.owner, (self.dataset, 1), size);
        NewJob { spec: Some(self.spec.clone()), ..job }
    }
}

/// With every default filled in, as the gateway stores it.
fn spec(folder: &TempDir, name: &Name, data: &DataFile) -> anyhow::Result<TrainingSpec> {
    let file = folder.path().join("rows.csv");
    fs::write(&file, ROWS)?;
    let profile = engine::profile(&file, data, &ReadLimits::default())?;
    let draft = TrainingDraft {
        dataset: name.to_string(),
        target: Some("label".to_owned()),
        ..TrainingDraft::default()
    };
    let dataset = DatasetRef { name: name.clone(), version: 1, sha256: data.sha256 };
    let spec = TrainingSpec::parse(draft, dataset, None, &profile, &Limits::default());
    let spec = spec.map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    Ok(TrainingSpec { resources: Resources::cpu(1_000, 1 << 26), ..spec })
}
