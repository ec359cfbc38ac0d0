//! What can be set, once for all commands: every flag is an environment variable too.

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use boot::bus::Bus;
use clap::Args;
use domain::{Resources, job::RetryPolicy};
use planner::Policy;
use registry::{Blobs, LocalMaster, MasterKey, Masters, TenantKeys};
use store::{Service, Store};
use tokio_util::sync::CancellationToken;

#[derive(Args, Clone, Debug)]
pub struct Database {
    /// Postgres, as `postgres://user:password@host/database`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
}

/// What every replica shares.
#[derive(Args, Clone, Debug)]
pub struct Shared {
    #[command(flatten)]
    pub database: Database,
    /// Redis, as `redis://host`; carries hints between processes. Without it Postgres does.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Where bytes live: `file:///folder` or `s3://bucket/prefix` (with the usual AWS_ variables).
    #[arg(long, env = "OBJECT_STORE_URL")]
    pub object_store_url: String,
    #[command(flatten)]
    pub master_keys: MasterKeys,
    /// Ends this process when its stdin closes, for children of `cupola up`.
    #[arg(long, hide = true)]
    pub lifeline: bool,
}

/// What encrypts data at rest, and the secrets in Postgres.
#[derive(Args, Clone, Debug, Default)]
pub struct MasterKeys {
    /// Files with a master key each, from `cupola admin new-master-key`: the first is in use, the others still
    /// open what they have closed. CUPOLA_MASTER_KEY may hold a key itself. Without any, nothing is encrypted.
    #[arg(long, env = MASTER_KEY_FILE, value_delimiter = ',')]
    pub master_key_file: Vec<PathBuf>,
}

pub const MASTER_KEY_FILE: &str = "CUPOLA_MASTER_KEY_FILE";
const MASTER_KEY: &str = "CUPOLA_MASTER_KEY";

impl MasterKeys {
    pub fn open(&self) -> anyhow::Result<Option<Masters>> {
        let mut masters = Vec::<Arc<dyn MasterKey>>::new();
        // not as a flag: everybody on the machine can read those
        if let Ok(text) = env::var(MASTER_KEY) {
            masters.push(Arc::new(LocalMaster::from_text(&text, MASTER_KEY)?));
        }
        for file in &self.master_key_file {
            masters.push(Arc::new(LocalMaster::from_file(file)?));
        }
        Ok(Masters::new(masters))
    }

    /// Whether somebody has named one.
    pub fn is_given(&self) -> bool {
        !self.master_key_file.is_empty() || env::var_os(MASTER_KEY).is_some()
    }
}

/// How patient the platform is; the defaults suit a network, tests use less.
#[derive(Args, Clone, Copy, Debug)]
pub struct Patience {
    /// Seconds for which an attempt holds its resources without a heartbeat.
    #[arg(long, env = "CUPOLA_LEASE_SECS", default_value_t = 15.0)]
    pub lease_secs: f64,
    /// Seconds for which the scheduler's lead holds without being renewed.
    #[arg(long, env = "CUPOLA_LEADER_LEASE_SECS", default_value_t = 10.0)]
    pub leader_lease_secs: f64,
    /// Seconds of pause before a job that failed is tried again; doubles with each further try.
    #[arg(long, env = "CUPOLA_RETRY_PAUSE_SECS", default_value_t = 2.0)]
    pub retry_pause_secs: f64,
}

impl Patience {
    pub fn lease(&self) -> Duration {
        Duration::from_secs_f64(self.lease_secs.clamp(0.5, 3_600.0))
    }

    pub fn leader_lease(&self) -> Duration {
        Duration::from_secs_f64(self.leader_lease_secs.clamp(0.5, 3_600.0))
    }

    pub fn retry(&self) -> RetryPolicy {
        let pause = self.retry_pause_secs.clamp(0.0, 300.0) * 1_000.0;
        RetryPolicy {
            backoff: chrono::Duration::milliseconds(pause as i64),
            ..RetryPolicy::default()
        }
    }
}

/// How compute is shared; docs/SCHEDULING.md says what each means.
#[derive(Args, Clone, Copy, Debug)]
pub struct Sharing {
    /// Seconds after which usage counts half as much.
    #[arg(long, env = "CUPOLA_HALF_LIFE_SECS", default_value_t = 3_600)]
    pub half_life_secs: u32,
    /// Seconds that an attempt has run at least before it is stopped for another job.
    #[arg(long, env = "CUPOLA_MIN_RUNTIME_SECS", default_value_t = 60)]
    pub min_runtime_secs: u32,
    /// Seconds that an attempt may take from being asked to stop to having stopped.
    #[arg(long, env = "CUPOLA_GRACE_SECS", default_value_t = 60)]
    pub grace_secs: u32,
}

impl Sharing {
    pub fn policy(&self) -> Policy {
        let seconds = |n: u32| chrono::Duration::seconds(n.into());
        Policy {
            half_life: seconds(self.half_life_secs.max(1)),
            min_runtime: seconds(self.min_runtime_secs),
            grace: seconds(self.grace_secs),
            ..Policy::default()
        }
    }
}

#[derive(Args, Clone, Debug)]
pub struct Capacity {
    /// Name under which this worker is known; one process at a time.
    #[arg(long, env = "CUPOLA_WORKER_NAME")]
    pub name: Option<String>,
    /// Thousandths of a CPU to offer; all of this machine's if absent.
    #[arg(long, env = "CUPOLA_WORKER_CPU_MILLI")]
    pub cpu_milli: Option<u64>,
    /// Bytes of memory to offer; four fifths of this machine's if absent.
    #[arg(long, env = "CUPOLA_WORKER_MEMORY_BYTES")]
    pub memory_bytes: Option<u64>,
    /// Accelerators of the pool's kind to offer.
    #[arg(long, env = "CUPOLA_WORKER_ACCELERATORS", default_value_t = 0)]
    pub accelerators: u32,
    /// The pool to join.
    #[arg(long, env = "CUPOLA_WORKER_POOL", default_value = domain::spec::DEFAULT_POOL)]
    pub pool: String,
    /// Folder for what attempts read and write while they run.
    #[arg(long, env = "CUPOLA_SCRATCH_DIR")]
    pub scratch: Option<PathBuf>,
    /// The most bytes that the files of one attempt may take there, besides what it was given and what its
    /// memory accounts for.
    #[arg(long, env = "CUPOLA_SCRATCH_BYTES", default_value_t = worker::SCRATCH_BYTES)]
    pub scratch_bytes: u64,
}

impl Capacity {
    pub fn resources(&self) -> Resources {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let info = rustix::system::sysinfo();
        let total = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
        Resources {
            cpu_milli: self.cpu_milli.unwrap_or((cores as u64).saturating_mul(1_000)).max(1),
            memory_bytes: self.memory_bytes.unwrap_or(total / 5 * 4).max(1),
            accelerator_milli: u64::from(self.accelerators) * 1_000,
        }
    }
}

const POOL_CONNECTIONS: u32 = 16;

/// Opened once per process.
pub struct Backends {
    pub store: Store,
    pub blobs: Blobs,
    pub bus: Bus,
    pub masters: Option<Masters>,
}

impl Shared {
    pub fn open(&self, service: Service, end: &CancellationToken) -> anyhow::Result<Backends> {
        let (store, blobs, masters) = self.open_stores(service)?;
        let bus = Bus::open(&store, self.redis_url.as_deref(), end.clone())
            .context("REDIS_URL cannot be used")?;
        Ok(Backends { store, blobs, bus, masters })
    }

    /// For a service that gives no hints and takes none.
    pub fn open_stores(&self, service: Service) -> anyhow::Result<(Store, Blobs, Option<Masters>)> {
        let url = &self.database.database_url;
        let store = Store::connect(url, POOL_CONNECTIONS, service)
            .context("DATABASE_URL cannot be used")?;
        let environment: Vec<_> = env::vars().collect();
        let mut blobs = Blobs::open(&self.object_store_url, &environment)?;
        let masters = self.master_keys.open()?;
        if let Some(masters) = &masters {
            blobs = blobs.encrypted_with(TenantKeys::new(store.clone(), masters.clone()));
        }
        Ok((store, blobs, masters))
    }
}
