//! What the platform's processes stand on: a Postgres of their own, an object store, maybe a Redis, and
//! a folder for all of it. It knows how each process is started there.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
};

use boot::postgres::{DATABASE, Embedded, Options, SUPERUSER, find_binaries};
use store::Service;
use tempfile::TempDir;

use crate::{
    Client, Process,
    client::Address,
    process::{cupola_as, run},
    wait_until,
};

/// Short, so that a lost worker or leader is noticed within a test.
const LEASE_SECS: &str = "2";
const MASTER_KEY: &str = "CUPOLA_MASTER_KEY";
const WORKER_MEMORY_BYTES: &str = "8589934592";

pub(crate) type Environment = Vec<(&'static str, String)>;

/// Fields in the order in which they end.
pub(crate) struct Ground {
    pub postgres: Embedded,
    environment: Environment,
    pub dir: Folder,
}

/// How a worker is started.
pub(crate) struct WorkerSettings<'a> {
    pub name: &'a str,
    pub cpu_milli: u64,
    pub pool: &'a str,
    /// What is written before the program, to start it in other surroundings.
    pub launcher: &'a [String],
}

impl Ground {
    /// With a Postgres that is up and migrated. `more` is set for every process besides the usual.
    pub fn start(more: Environment) -> Self {
        let dir = Folder::new();
        let explicit = env::var_os("CUPOLA_PG_BIN");
        let bin_dir = find_binaries(explicit.as_deref().map(Path::new)).unwrap();
        let data_dir = dir.path().join("postgres");
        // durable, because it may be killed: what was committed must be there when it is back
        let postgres = Embedded::start(Options { data_dir, durable: true, bin_dir }).unwrap();
        let owner_url = ("DATABASE_URL", postgres.url(SUPERUSER, DATABASE));
        run(&["migrate"], &[owner_url]);

        let mut environment = vec![
            (MASTER_KEY, "7".repeat(64)),
            ("OBJECT_STORE_URL", format!("file://{}", dir.path().join("objects").display())),
        ];
        environment.extend(patience());
        // so that what was begun a moment ago can be stopped for somebody with a guarantee
        let impatience = ["CUPOLA_MIN_RUNTIME_SECS", "CUPOLA_GRACE_SECS"];
        environment.extend(impatience.map(|name| (name, "1".into())));
        environment.extend(more);
        Self { postgres, environment, dir }
    }

    /// For processes that are started from now on.
    pub fn without_encryption(mut self) -> Self {
        self.environment.retain(|(name, _)| *name != MASTER_KEY);
        self
    }

    /// As its owner, for whoever looks at everything.
    pub fn owner_url(&self) -> String {
        self.postgres.url(SUPERUSER, DATABASE)
    }

    /// With the service's own login.
    fn environment(&self, service: Service) -> Environment {
        let mut environment = self.environment.clone();
        environment.push(("DATABASE_URL", self.postgres.url(service.login(), DATABASE)));
        environment
    }

    /// The API, and its operator.
    pub async fn start_gateway(&self) -> (Process, Client) {
        let key = run(&["admin", "operator-key"], &self.environment(Service::Gateway));
        let arguments = ["gateway", "--listen", "127.0.0.1:0"];
        let mut gateway = self.start_process(Service::Gateway, &arguments, "gateway");
        let address = Address::new(gateway.field_of("gateway listening", "url").await);
        (gateway, Client::new(address, key.trim()))
    }

    /// What `cupola admin …` says, and whether it succeeds.
    pub fn admin(&self, arguments: &[&str]) -> (bool, String) {
        let output =
            cupola_as(&[&["admin"], arguments].concat(), &self.environment(Service::Gateway));
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }

    pub fn start_scheduler(&self, log: &str) -> Process {
        self.start_process(Service::Scheduler, &["scheduler"], log)
    }

    /// A replica that answers predictions at an address, and its URL, once gateways can find it.
    pub async fn start_replica(&self, address: &str) -> (Process, String) {
        let arguments = ["serving", "--listen", address];
        let mut replica = self.start_process(Service::Serving, &arguments, "serving");
        let url = replica.field_of("gateways can find this replica", "url").await;
        (replica, url)
    }

    pub fn start_worker(&self, settings: &WorkerSettings<'_>) -> Process {
        let WorkerSettings { name, cpu_milli, pool, launcher } = settings;
        let mut environment = self.environment(Service::Worker);
        environment.extend([
            ("CUPOLA_WORKER_NAME", (*name).to_owned()),
            ("CUPOLA_WORKER_CPU_MILLI", cpu_milli.to_string()),
            ("CUPOLA_WORKER_MEMORY_BYTES", WORKER_MEMORY_BYTES.to_owned()),
            ("CUPOLA_WORKER_POOL", (*pool).to_owned()),
            ("CUPOLA_SCRATCH_DIR", self.scratch(name)),
        ]);
        let log = self.dir.log(&format!("worker-{name}"));
        Process::start_through(launcher, &["worker"], environment, log)
    }

    /// The folder that a worker works in.
    pub fn scratch(&self, worker: &str) -> String {
        self.dir.path().join(format!("scratch-{worker}")).display().to_string()
    }

    fn start_process(&self, service: Service, arguments: &[&str], log: &str) -> Process {
        Process::start(arguments, self.environment(service), self.dir.log(log))
    }
}

/// Starts a gateway that has ended again; clients find it at its new address.
pub(crate) async fn start_gateway_again(gateway: &mut Process, operator: &Client) {
    gateway.start_again();
    let url = gateway.field_of("gateway listening", "url").await;
    operator.address().set(url);
    ready(operator).await;
}

/// Once everything answers that clients need.
pub(crate) async fn ready(operator: &Client) {
    wait_until("/readyz", async || operator.try_get("/readyz").await).await;
}

pub(crate) fn patience() -> [(&'static str, String); 2] {
    ["CUPOLA_LEASE_SECS", "CUPOLA_LEADER_LEASE_SECS"].map(|name| (name, LEASE_SECS.to_owned()))
}

/// Kept, and named, when the test fails.
pub(crate) struct Folder(Option<TempDir>);

impl Folder {
    pub fn new() -> Self {
        Self(Some(testkit::reachable_dir().unwrap()))
    }

    pub fn path(&self) -> &Path {
        self.0.as_ref().expect("it is there until the end").path()
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}.log"))
    }

    /// It stays when this is gone; where it is.
    pub fn keep(&mut self) -> PathBuf {
        self.0.take().expect("it is there until the end").keep()
    }

    /// Whether others than its user can enter a folder in it.
    pub fn is_private(&self, folder: &str) -> bool {
        fs::metadata(self.path().join(folder)).unwrap().permissions().mode() & 0o077 == 0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(dir) = self.0.take()
        {
            eprintln!("the logs of every process are kept in {}", dir.keep().display());
        }
    }
}
