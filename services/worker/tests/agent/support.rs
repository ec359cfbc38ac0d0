//! Agents with real children, a database and an object store; the test is the scheduler.

use std::{
    fs,
    num::NonZeroU32,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use boot::bus::Bus;
use domain::{
    DatasetId, JobId, Resources, TenantId, UserId, WorkerId,
    access::Role,
    child::{DATA_FILE, DataFile, TASK_FILE, Task},
    dataset::{Compression, Format, Profile, ReadLimits},
    hint::Hint,
    inquiry::Inquiry,
    job::{Attempt, JobStatus, RetryPolicy},
    name::Name,
    spec::{DatasetRef, Limits, TrainingDraft, TrainingSpec},
    spend::Rate,
    world::{self, Devices, Seats},
};
use registry::Blobs;
use store::{
    Service, Store,
    changes::Cursor,
    datasets::{self, NewVersion, Version},
    events::Event,
    jobs::{self, Job, NewJob},
    leader,
    models::{self, Inquires, ModelVersion},
    people, schedule, tenants,
    workers::{self, NewWorker, Worker},
};
use tempfile::TempDir;
use testkit::{Cluster, TestDb};
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
    time::{interval, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;
use worker::{AgentConfig, AgentError};

pub const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN_EVERY: Duration = Duration::from_millis(20);
/// Far longer than a test: nothing is lost unless the test says so.
const LEASE: Duration = Duration::from_secs(600);
const HEARTBEAT: Duration = Duration::from_millis(200);
const CONNECTIONS: u32 = 16;
const ROWS: u32 = 400;
pub const RESOURCES: Resources = Resources::cpu(1_000, 512 << 20);

/// Without pauses, so that a job can be started again at once.
fn retry() -> RetryPolicy {
    RetryPolicy { max_tries: 3, backoff: chrono::Duration::zero(), ..RetryPolicy::default() }
}

/// Declared in this order, so that the connections end before the database is dropped.
pub struct World {
    pub store: Store,
    pub bus: Bus,
    pub blobs: Blobs,
    pub tenant: TenantId,
    owner: UserId,
    dataset: DatasetId,
    data: DataFile,
    profile: Profile,
    folder: TempDir,
    _end: DropGuard,
    _db: Option<TestDb>,
}

impl World {
    pub async fn create() -> Self {
        let db = TestDb::create().await;
        let world = Self::on(&db.url()).await;
        Self { _db: Some(db), ..world }
    }

    /// On a server that the test may kill; it outlives the world.
    pub async fn on_its_own(cluster: &Cluster) -> Self {
        Self::on(&cluster.url()).await
    }

    async fn on(url: &str) -> Self {
        let store = Store::connect(url, CONNECTIONS, Service::Gateway).unwrap();
        let end = CancellationToken::new();
        let bus = Bus::open(&store, None, end.clone()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::folder(&folder.path().join("blobs")).unwrap();
        let (tenant, owner) = tenant(&store).await;

        let file = folder.path().join("rows.csv");
        fs::write(&file, rows()).unwrap();
        let stored = blobs.put_file(tenant, &file).await.unwrap();
        let data = DataFile {
            format: Format::Csv,
            compression: Compression::None,
            sha256: stored.sha256,
            bytes: stored.bytes,
        };
        let profile = engine::profile(&file, &data, &ReadLimits::default()).unwrap();
        let dataset = push(&store, tenant, &data).await.dataset;
        let _end = end.drop_guard();
        Self { store, bus, blobs, tenant, owner, dataset, data, profile, folder, _end, _db: None }
    }

    pub fn agent(&self, name: &str) -> Agent {
        self.agent_with(name, HEARTBEAT)
    }

    pub fn agent_with(&self, name: &str, heartbeat: Duration) -> Agent {
        let child = env!("CARGO_BIN_EXE_worker-child");
        self.start_agent(AgentConfig { heartbeat, ..self.config(name, child) })
    }

    /// Its children are a hostile program, and their files may take no more than memory accounts for.
    pub fn hostile_agent(&self, act: &str) -> Agent {
        let program = self.folder.path().join(act);
        let probe = env!("CARGO_BIN_EXE_sandbox-probe");
        let script = format!("#!/bin/sh\nexec {probe} --act {act} \"$@\"\n");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        self.start_agent(AgentConfig { scratch_bytes: 0, ..self.config(act, program) })
    }

    fn config(&self, name: &str, child: impl Into<PathBuf>) -> AgentConfig {
        let scratch = self.folder.path().join("scratch").join(name);
        let capacity = Resources::cpu(8_000, 8 << 30);
        let config = AgentConfig::new(name, capacity, scratch, child);
        AgentConfig { lease: LEASE, heartbeat: HEARTBEAT, retry: retry(), ..config }
    }

    fn start_agent(&self, config: AgentConfig) -> Agent {
        let (name, scratch) = (config.name.clone(), config.scratch.clone());
        let end = CancellationToken::new();
        let store = self.store.acting_as(Service::Worker);
        let (blobs, bus) = (self.blobs.clone(), self.bus.clone());
        let task = tokio::spawn(worker::run(config, store, blobs, bus, end.clone()));
        Agent { name, scratch, end, task }
    }

    pub fn spec(&self, draft: &str) -> TrainingSpec {
        let mut draft: TrainingDraft = serde_json::from_str(draft).unwrap();
        draft.dataset = "rows".into();
        draft.target = Some("label".into());
        let dataset =
            DatasetRef { name: "rows".parse().unwrap(), version: 1, sha256: self.data.sha256 };
        let spec = TrainingSpec::parse(draft, dataset, None, &self.profile, &Limits::default());
        TrainingSpec { resources: RESOURCES, ..spec.unwrap() }
    }

    /// A child with this specification and nobody around it.
    pub fn bare_child(&self, spec: TrainingSpec) -> Child {
        let scratch = self.folder.path().join("bare");
        fs::create_dir(&scratch).unwrap();
        fs::write(scratch.join(DATA_FILE), rows()).unwrap();
        let (data, limits) = (self.data.clone(), ReadLimits::default());
        let task = Task::Train { data, limits, spec: Box::new(spec), member: None };
        fs::write(scratch.join(TASK_FILE), serde_json::to_vec(&task).unwrap()).unwrap();
        Command::new(env!("CARGO_BIN_EXE_worker-child"))
            .args(["child", "--memory-bytes", "536870912", "--cpu-milli", "1000"])
            .args(["--max-runtime", "600", "--scratch"])
            .arg(scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Queues a job; a profile of the dataset where there is no specification.
    pub async fn submit(&self, spec: Option<TrainingSpec>) -> JobId {
        let size = (spec.as_ref().map_or(RESOURCES, |spec| spec.resources), 600);
        let job = NewJob {
            workers: spec.as_ref().map_or(1, |spec| spec.workers),
            spec,
            ..NewJob::new("a job".to_owned(), self.owner, (self.dataset, 1), size)
        };
        let mut tx = self.store.begin_for(self.tenant).await.unwrap();
        jobs::submit(&mut tx, &job).await.unwrap();
        tx.commit().await.unwrap();
        job.id
    }

    /// Queues a job that asks version 1 of the one model there is about the dataset.
    pub async fn ask(&self, model: &Name, inquiry: Inquiry) -> JobId {
        let mut tx = self.store.begin_for(self.tenant).await.unwrap();
        let found = models::get(&mut tx, "acme", model.as_str()).await.unwrap().unwrap();
        let named = format!("acme/{model}");
        let asks = Inquires { version: (found.id, 1), named, inquiry };
        let size = (RESOURCES, 600);
        let job = NewJob {
            inquires: Some(asks),
            ..NewJob::new("a question".to_owned(), self.owner, (self.dataset, 1), size)
        };
        jobs::submit(&mut tx, &job).await.unwrap();
        tx.commit().await.unwrap();
        job.id
    }

    /// As the scheduler does: under the lead, as a plan, with a hint to the worker.
    pub async fn command(&self, command: world::Command) {
        let mut tx = self.store.acting_as(Service::Scheduler).begin().await.unwrap();
        let holder = Uuid::from_u128(1);
        let lead = leader::acquire(&mut tx, "scheduler", holder, LEASE).await.unwrap().unwrap();
        let lead = schedule::follow(&mut tx, &lead, &mut Cursor::default()).await.unwrap();
        let lead = lead.expect("the lead is ours").lead;
        let applied = schedule::apply(&mut tx, lead, &[command], &retry(), &[]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(applied.skipped, [], "not the time for it");
        for worker in applied.workers {
            self.bus.publish(Hint::Worker(worker));
        }
    }

    pub async fn start(&self, job: JobId, number: u32, agent: &Agent) -> Attempt {
        let attempt = Attempt { job, number: NonZeroU32::new(number).unwrap() };
        let worker = self.registered(agent).await.id;
        self.command(world::Command::Start {
            attempt,
            seats: Seats::one(worker, Devices::default()),
            rate: Rate::FREE,
        })
        .await;
        attempt
    }

    /// The scheduler gives the attempt up.
    pub async fn reclaim(&self, attempt: Attempt) {
        self.command(world::Command::Lose { attempt }).await;
    }

    pub async fn cancel(&self, job: JobId, agent: &Agent) {
        let mut tx = self.store.begin_for(self.tenant).await.unwrap();
        jobs::cancel(&mut tx, job, &retry()).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        self.bus.publish(Hint::Worker(self.registered(agent).await.id));
    }

    pub async fn registered(&self, agent: &Agent) -> Worker {
        eventually(async || {
            let workers = self.workers().await;
            workers.into_iter().find(|w| w.name == agent.name && w.state == "up")
        })
        .await
    }

    pub async fn workers(&self) -> Vec<Worker> {
        let mut tx = self.store.begin().await.unwrap();
        workers::list(&mut tx, None, workers::MOST).await.unwrap().items
    }

    /// Somebody else registers under the agent's name.
    pub async fn replace(&self, agent: &Agent) {
        let mut tx = self.store.acting_as(Service::Worker).begin().await.unwrap();
        let id = WorkerId::generate();
        let new = NewWorker { id, name: &agent.name, pool: "default", capacity: RESOURCES };
        workers::register(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Gives up the one worker there is; a heartbeat at the same moment may save it once more.
    pub async fn bury_all(&self) {
        eventually(async || {
            let mut tx = self.store.acting_as(Service::Scheduler).begin().await.ok()?;
            let buried = workers::bury_silent(&mut tx, Duration::ZERO).await.ok()?;
            tx.commit().await.ok()?;
            (buried.len() == 1).then_some(())
        })
        .await;
    }

    pub async fn job(&self, job: JobId) -> Job {
        let mut tx = self.store.begin_for(self.tenant).await.unwrap();
        jobs::get(&mut tx, job).await.unwrap().unwrap()
    }

    /// The job once it is `status`, even if the database is away for a while.
    pub async fn until(&self, job: JobId, status: JobStatus) -> Job {
        eventually(async || {
            let mut tx = self.store.begin_for(self.tenant).await.ok()?;
            let job = jobs::get(&mut tx, job).await.ok()?;
            job.filter(|job| job.status == status)
        })
        .await
    }

    /// The first event of this kind that attempt `number` has left.
    pub async fn until_event(&self, attempt: Attempt, kind: &str) -> Event {
        eventually(async || {
            let mut tx = self.store.begin_for(self.tenant).await.unwrap();
            let events = store::events::after(&mut tx, attempt.job, 0, 100_000).await.unwrap();
            events.into_iter().find(|e| e.kind == kind && e.data["attempt"] == attempt.number.get())
        })
        .await
    }

    pub async fn dataset_version(&self) -> Version {
        let mut tx = self.store.begin_for(self.tenant).await.unwrap();
        datasets::version(&mut tx, "rows", None).await.unwrap().unwrap()
    }

    /// Every published version of the model of that name.
    pub async fn versions(&self, model: &Name) -> Vec<ModelVersion> {
        let mut tx = self.store.begin_for(self.tenant).await.unwrap();
        let Some(model) = models::get(&mut tx, "acme", model.as_str()).await.unwrap() else {
            return Vec::new();
        };
        models::versions(&mut tx, model.id, None, None).await.unwrap().items
    }

    /// What the object store keeps of jobs.
    pub fn jobs_folder(&self) -> PathBuf {
        self.folder.path().join(format!("blobs/tenants/{}/jobs", self.tenant))
    }

    /// Checkpoints that are stored, of all jobs.
    pub fn checkpoints(&self) -> usize {
        let Ok(jobs) = fs::read_dir(self.jobs_folder()) else { return 0 };
        let folders = jobs.map(|job| job.unwrap().path().join("checkpoints"));
        folders.filter_map(|folder| fs::read_dir(folder).ok()).map(Iterator::count).sum()
    }
}

pub struct Agent {
    name: String,
    scratch: PathBuf,
    end: CancellationToken,
    task: JoinHandle<Result<(), AgentError>>,
}

impl Agent {
    /// Leaves as on SIGTERM.
    pub async fn leave(self) {
        self.end.cancel();
        self.ended().await.unwrap();
    }

    pub async fn ended(self) -> Result<(), AgentError> {
        timeout(PATIENCE, self.task).await.expect("an agent ends in time").unwrap()
    }

    pub fn scratch_is_empty(&self) -> bool {
        fs::read_dir(&self.scratch).unwrap().next().is_none()
    }

    pub async fn until_idle(&self) {
        eventually(async || self.scratch_is_empty().then_some(())).await;
    }

    /// The id of the process that works in the agent's scratch folder.
    pub async fn child(&self) -> rustix::process::Pid {
        eventually(async || child_in(&self.scratch)).await
    }
}

fn child_in(scratch: &Path) -> Option<rustix::process::Pid> {
    fs::read_dir("/proc").unwrap().find_map(|entry| {
        let entry = entry.ok()?;
        let folder = fs::read_link(entry.path().join("cwd")).ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        folder.starts_with(scratch).then(|| rustix::process::Pid::from_raw(pid))?
    })
}

/// What `look` finds, once it finds something.
pub async fn eventually<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let mut again = interval(LOOK_AGAIN_EVERY);
    let found = async {
        loop {
            again.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("it happens in time")
}

async fn tenant(store: &Store) -> (TenantId, UserId) {
    let mut tx = store.begin().await.unwrap();
    let id = TenantId::generate();
    let slug = "acme".parse().unwrap();
    tenants::create(&mut tx, id, &slug, "A company").await.unwrap().unwrap();
    let owner =
        people::ensure_user(&mut tx, UserId::generate(), "owner@acme.example", "Owner").await;
    let owner = owner.unwrap();
    assert!(people::add_member(&mut tx, id, owner, Role::Owner).await.unwrap());
    tx.commit().await.unwrap();
    (id, owner)
}

async fn push(store: &Store, tenant: TenantId, data: &DataFile) -> Version {
    let mut tx = store.begin_for(tenant).await.unwrap();
    let version = NewVersion {
        sha256: data.sha256,
        bytes: data.bytes,
        format: data.format,
        compression: data.compression,
    };
    let name = "rows".parse().unwrap();
    let (version, _) = datasets::add_version(&mut tx, &name, &version).await.unwrap();
    tx.commit().await.unwrap();
    version
}

/// A label that three numbers decide.
fn rows() -> String {
    let mut text = String::from("a,b,c,label\n");
    for row in 0..ROWS {
        let number = |factor: u32| f64::from(row * factor % 101) / 101.0;
        let (a, b, c) = (number(7), number(31), number(57));
        let label = if a + b > c + 0.5 { "yes" } else { "no" };
        text += &format!("{a},{b},{c},{label}\n");
    }
    text
}
