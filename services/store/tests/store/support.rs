//! A database with tenants, data and jobs in it, and the short ways to move a job along.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use domain::{
    DatasetId, Digest, JobId, Resources, TenantId, UserId, WorkerId,
    access::Role,
    dataset::{Compression, Format},
    job::{Attempt, JobState, JobStatus, Refused, Report, RetryPolicy},
    model::{FittedInput, ModelConfig},
    name::Name,
    registry::VersionFile,
    spec::{
        Activation, Augmentation, DatasetRef, Estimate, Gradient, Input, Layer, Loss, Optimizer,
        Preprocess, Regularization, Schedule, Task, TrainingSpec,
    },
    spend::Rate,
    world::{Command, Devices, Seat, Seats},
};
use store::{
    Service, Store, SystemTx, TenantTx,
    attempts::{self, Recorded},
    changes::Cursor,
    datasets::{self, NewVersion},
    jobs::{self, Job, NewJob, Submitted},
    leader::{self, Held, LeaderLease},
    models::{Artifact, Made},
    people,
    schedule::{self, Applied, News},
    tenants::{self, TenantLimits},
    workers::{self, NewWorker, Registered},
};
use testkit::TestDb;
use uuid::Uuid;

pub const LEASE: Duration = Duration::from_secs(60);
pub const RESOURCES: Resources = Resources::cpu(1_000, 1 << 30);
const CONNECTIONS: u32 = 24;

/// Without pauses, so that a job can be started again at once.
pub fn retry() -> RetryPolicy {
    RetryPolicy { max_tries: 3, backoff: chrono::Duration::zero(), ..RetryPolicy::default() }
}

/// Declared in this order, so that the connections end before the database is dropped.
pub struct World {
    pub store: Store,
    pub owner: Store,
    pub acme: Tenant,
    pub worker: WorkerId,
    pub db: TestDb,
}

#[derive(Clone)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: Name,
    pub owner: UserId,
    pub dataset: DatasetId,
}

impl World {
    pub async fn create() -> Self {
        let db = TestDb::create().await;
        let store = Store::connect(&db.url(), CONNECTIONS, Service::Gateway).unwrap();
        let owner = Store::connect_as_owner(&db.owner_url(), 1).unwrap();
        let acme = tenant(&store, "acme").await;
        let worker = register(&store, "one").await;
        Self { store, owner, acme, worker, db }
    }

    pub async fn tenant(&self, slug: &str) -> Tenant {
        tenant(&self.store, slug).await
    }

    pub async fn worker(&self, name: &str) -> WorkerId {
        register(&self.store, name).await
    }

    pub async fn begin_as(&self, service: Service) -> SystemTx<'static> {
        self.store.acting_as(service).begin().await.unwrap()
    }

    /// Sees everything, and may do anything.
    pub async fn begin_as_owner(&self) -> SystemTx<'static> {
        self.owner.begin().await.unwrap()
    }

    pub async fn begin_for(&self, tenant: &Tenant) -> TenantTx<'static> {
        self.store.begin_for(tenant.id).await.unwrap()
    }

    pub async fn limit_queue(&self, tenant: &Tenant, max_queued_jobs: u32) {
        let mut tx = self.begin_as(Service::Gateway).await;
        let limits = TenantLimits {
            max_running_jobs: 2,
            max_queued_jobs,
            max_storage_bytes: 1 << 30,
            max_egress_bytes: 1 << 30,
        };
        tenants::set_limits(&mut tx, tenant.slug.as_str(), &limits).await.unwrap().unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn try_submit(&self, tenant: &Tenant) -> (JobId, Submitted) {
        let mut tx = self.begin_for(tenant).await;
        let job = new_job(tenant);
        let submitted = jobs::submit(&mut tx, &job).await.unwrap();
        tx.commit().await.unwrap();
        (job.id, submitted)
    }

    pub async fn submit(&self, tenant: &Tenant) -> JobId {
        let (id, submitted) = self.try_submit(tenant).await;
        assert_eq!(submitted, Submitted::Accepted);
        id
    }

    /// As the scheduler does: under the lead, as a plan.
    pub async fn command(&self, command: Command) -> Applied {
        let mut tx = self.begin_as(Service::Scheduler).await;
        let lead = self.lead(&mut tx).await;
        let lead = held(&mut tx, &lead).await.expect("the lead is ours");
        let applied = schedule::apply(&mut tx, lead, &[command], &retry(), &[]).await.unwrap();
        tx.commit().await.unwrap();
        applied
    }

    pub async fn lead(&self, tx: &mut SystemTx<'_>) -> LeaderLease {
        let holder = Uuid::from_u128(1);
        leader::acquire(tx, "scheduler", holder, LEASE).await.unwrap().expect("nobody else leads")
    }

    /// A submitted job's first attempt, assigned to the world's worker and started.
    pub async fn running(&self, tenant: &Tenant) -> Attempt {
        let first = attempt(self.submit(tenant).await, 1);
        self.start(first).await;
        first
    }

    /// As [`Self::running`], of a job of as many workers.
    pub async fn running_on(&self, tenant: &Tenant, workers: &[WorkerId]) -> Attempt {
        let job = NewJob { workers: workers.len() as u32, ..new_job(tenant) };
        let mut tx = self.begin_for(tenant).await;
        assert_eq!(jobs::submit(&mut tx, &job).await.unwrap(), Submitted::Accepted);
        tx.commit().await.unwrap();
        let first = attempt(job.id, 1);
        self.start_on(first, workers).await;
        first
    }

    pub async fn start(&self, attempt: Attempt) {
        self.start_on(attempt, &[self.worker]).await;
    }

    async fn start_on(&self, attempt: Attempt, workers: &[WorkerId]) {
        let applied = self.command(start_on(attempt, workers)).await;
        assert_eq!(applied.skipped, [], "{attempt} could not be assigned");
        assert_eq!(self.started(attempt).await, Recorded::Recorded);
    }

    pub async fn started(&self, attempt: Attempt) -> Recorded {
        let mut tx = self.begin_as(Service::Worker).await;
        let recorded = attempts::started(&mut tx, attempt, None, &retry()).await.unwrap();
        tx.commit().await.unwrap();
        recorded
    }

    pub async fn report(&self, attempt: Attempt, report: Report) -> Result<JobState, Refused> {
        let mut tx = self.begin_as(Service::Worker).await;
        let outcome = attempts::report(&mut tx, attempt, report, &retry()).await.unwrap();
        tx.commit().await.unwrap();
        outcome
    }

    /// The attempt's worker is lost and another attempt runs.
    pub async fn superseded(&self, attempt: Attempt) -> Attempt {
        assert_eq!(self.command(Command::Lose { attempt }).await.skipped, []);
        let next = next(attempt);
        self.start(next).await;
        next
    }

    pub async fn cancel(&self, tenant: &Tenant, id: JobId) -> Job {
        let mut tx = self.begin_for(tenant).await;
        let job = jobs::cancel(&mut tx, id, &retry()).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        job
    }

    pub async fn job(&self, tenant: &Tenant, id: JobId) -> Job {
        let mut tx = self.begin_for(tenant).await;
        jobs::get(&mut tx, id).await.unwrap().unwrap()
    }

    pub async fn status(&self, tenant: &Tenant, id: JobId) -> JobStatus {
        self.job(tenant, id).await.status
    }

    /// Every event of the job, as its followers see them.
    pub async fn events(&self, tenant: &Tenant, id: JobId) -> Vec<store::events::Event> {
        let mut tx = self.begin_for(tenant).await;
        store::events::after(&mut tx, id, 0, 100_000).await.unwrap()
    }
}

async fn tenant(store: &Store, slug: &str) -> Tenant {
    let slug: Name = slug.parse().unwrap();
    let id = TenantId::generate();
    let mut tx = store.begin().await.unwrap();
    tenants::create(&mut tx, id, &slug, "A company").await.unwrap().unwrap();
    let email = format!("owner@{slug}.example");
    let owner = people::ensure_user(&mut tx, UserId::generate(), &email, "Owner").await.unwrap();
    assert!(people::add_member(&mut tx, id, owner, Role::Owner).await.unwrap());
    tx.commit().await.unwrap();

    let mut tx = store.begin_for(id).await.unwrap();
    let version = NewVersion {
        sha256: data_digest(),
        bytes: 100,
        format: Format::Csv,
        compression: Compression::None,
    };
    let name: Name = "flowers".parse().unwrap();
    let (version, is_new) = datasets::add_version(&mut tx, &name, &version).await.unwrap();
    assert!(is_new);
    tx.commit().await.unwrap();
    Tenant { id, slug, owner, dataset: version.dataset }
}

async fn register(store: &Store, name: &str) -> WorkerId {
    let id = WorkerId::generate();
    let mut tx = store.acting_as(Service::Worker).begin().await.unwrap();
    let new = NewWorker { id, name, pool: "default", capacity: RESOURCES };
    assert_eq!(workers::register(&mut tx, &new).await.unwrap(), Registered::Registered);
    tx.commit().await.unwrap();
    id
}

fn data_digest() -> Digest {
    Digest::of(b"data")
}

pub fn attempt(job: JobId, number: u32) -> Attempt {
    Attempt { job, number: NonZeroU32::new(number).unwrap() }
}

pub fn next(attempt: Attempt) -> Attempt {
    Attempt { number: attempt.number.checked_add(1).unwrap(), ..attempt }
}

pub fn start(attempt: Attempt, worker: WorkerId) -> Command {
    start_on(attempt, &[worker])
}

pub fn start_on(attempt: Attempt, workers: &[WorkerId]) -> Command {
    let seat = |worker: &WorkerId| Seat { worker: *worker, devices: Devices::default() };
    let seats = Seats::new(workers.iter().map(seat).collect()).unwrap();
    Command::Start { attempt, seats, rate: Rate::FREE }
}

pub fn new_job(tenant: &Tenant) -> NewJob {
    let data = (tenant.dataset, 1);
    let job = NewJob::new("train flowers".to_owned(), tenant.owner, data, (RESOURCES, 600));
    NewJob { spec: Some(spec()), ..job }
}

pub fn spec() -> TrainingSpec {
    TrainingSpec {
        task: Task::Regression,
        dataset: DatasetRef { name: "flowers".parse().unwrap(), version: 1, sha256: data_digest() },
        target: "height".to_owned(),
        classes: Vec::new(),
        input: Input::Table { features: Vec::new(), preprocess: Preprocess::default() },
        layers: vec![Layer::dense(1, Activation::Linear)],
        loss: Loss::MeanSquaredError,
        label_smoothing: 0.0,
        class_weight: None,
        oversample: false,
        group_by_length: false,
        optimizer: Optimizer::Gd { learning_rate: 0.01 },
        schedule: Schedule::default(),
        gradient: Gradient::default(),
        regularization: Regularization::default(),
        augmentation: Augmentation::default(),
        early_stopping: None,
        epochs: 1,
        batch_size: 1,
        validation_split: 0.0,
        stratified: false,
        cross_validation: None,
        test: None,
        metrics: Vec::new(),
        seed: 0,
        pool: "default".parse().unwrap(),
        resources: RESOURCES,
        workers: 1,
        estimate: Estimate::default(),
        max_runtime: 600,
        checkpoint_every: None,
        registered_model_name: "flowers".parse().unwrap(),
        base_model: None,
    }
}

/// What an attempt has produced; `mark` makes its bytes differ from another's.
pub fn artifact(mark: &str) -> Artifact {
    let weights_sha256 = Digest::of(mark.as_bytes());
    let config = ModelConfig {
        format: domain::model::CONFIG_FORMAT,
        engine: "test".to_owned(),
        task: Task::Regression,
        target: "height".to_owned(),
        classes: Vec::new(),
        input: FittedInput::Table { columns: Vec::new() },
        layers: Vec::new(),
        loss: Loss::MeanSquaredError,
        target_center: 0.0,
        target_scale: 1.0,
        tensors: Vec::new(),
        weights_sha256,
        dataset_sha256: data_digest(),
        spec: spec(),
        metrics: BTreeMap::from([("loss".to_owned(), 0.5)]),
        evaluations: Vec::new(),
    };
    let made =
        Made { weights_sha256, weights_bytes: 10, config_sha256: Digest::of(b"config"), config };
    let files = vec![VersionFile {
        path: "model.safetensors".parse().unwrap(),
        sha256: weights_sha256,
        bytes: 10,
    }];
    Artifact { made, files }
}

/// As its leader follows it.
pub async fn news(world: &World, cursor: &mut Cursor) -> News {
    let mut tx = world.begin_as(Service::Scheduler).await;
    let lead = world.lead(&mut tx).await;
    let news = schedule::follow(&mut tx, &lead, cursor).await.unwrap();
    tx.commit().await.unwrap();
    news.expect("the lead is ours")
}

/// Proof of the lead, if it is this one.
pub async fn held(tx: &mut SystemTx<'_>, lead: &LeaderLease) -> Option<Held> {
    let news = schedule::follow(tx, lead, &mut Cursor::default()).await.unwrap();
    news.map(|news| news.lead)
}
