//! The platform's processes, apart ([`Platform`]) or as one ([`Up`]).

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path, thread};

use boot::postgres::{DATABASE, Embedded, Options, SUPERUSER, find_binaries};
use tempfile::TempDir;

use crate::{Client, Process, client::Address, process::run, wait_until};

/// Short, so that a lost worker or leader is noticed within a test.
const LEASE_SECS: &str = "2";
/// What a worker offers: room for four jobs, whatever the machine has.
const WORKER_CPU_MILLI: &str = "4000";
const WORKER_MEMORY_BYTES: &str = "8589934592";

/// Gateway, scheduler and worker as separate processes. Fields in the order in which they end.
pub struct Platform {
    pub gateway: Process,
    pub scheduler: Process,
    pub worker: Process,
    pub operator: Client,
    postgres: Embedded,
    redis_url: Option<String>,
    dir: Folder,
}

impl Platform {
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Hints travel through this Redis instead of through Postgres.
    pub async fn start_with(redis_url: Option<String>) -> Self {
        let dir = Folder::new();
        let explicit = env::var_os("CUPOLA_PG_BIN");
        let bin_dir = find_binaries(explicit.as_deref().map(Path::new)).unwrap();
        let data_dir = dir.path().join("postgres");
        // durable, because it may be killed: what was committed must be there when it is back
        let postgres = Embedded::start(Options { data_dir, durable: true, bin_dir }).unwrap();
        let owner_url = ("DATABASE_URL", postgres.url(SUPERUSER, DATABASE));
        run(&["migrate"], &[owner_url]);

        let environment = environment(&postgres, redis_url.as_deref(), dir.path());
        let key = run(&["admin", "operator-key"], &environment);
        let service = |name: &str| {
            let arguments: &[_] = if name == "gateway" {
                &["gateway", "--listen", "127.0.0.1:0"]
            } else {
                &["scheduler"]
            };
            Process::start(arguments, environment.clone(), dir.log(name))
        };
        let mut gateway = service("gateway");
        let scheduler = service("scheduler");
        let worker = worker("one", environment.clone(), &dir);
        let address = Address::new(gateway.field_of("gateway listening", "url").await);
        let operator = Client::new(address, key.trim());
        let platform = Self { gateway, scheduler, worker, operator, postgres, redis_url, dir };
        platform.ready().await;
        platform
    }

    /// Another worker beside the first one.
    pub fn start_worker(&self, name: &str) -> Process {
        let redis_url = self.redis_url.as_deref();
        worker(name, environment(&self.postgres, redis_url, self.dir.path()), &self.dir)
    }

    /// After its end; clients find it at its new address.
    pub async fn start_gateway_again(&mut self) {
        self.gateway.start_again();
        let url = self.gateway.field_of("gateway listening", "url").await;
        self.operator.address().set(url);
        self.ready().await;
    }

    /// The server's process, once there is one; kill it and another takes its place.
    pub async fn postgres_pid(&self) -> u32 {
        wait_until("a Postgres", async || self.postgres.pid()).await
    }

    /// Once everything answers that clients need.
    pub async fn ready(&self) {
        wait_until("/readyz", async || self.operator.try_get("/readyz").await).await;
    }
}

fn environment(
    postgres: &Embedded,
    redis_url: Option<&str>,
    dir: &Path,
) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        ("DATABASE_URL", postgres.url(testkit::APP_ROLE, DATABASE)),
        ("OBJECT_STORE_URL", format!("file://{}", dir.join("objects").display())),
    ];
    environment.extend(patience());
    // so that what was begun a moment ago can be stopped for somebody with a guarantee
    environment.extend(["CUPOLA_MIN_RUNTIME_SECS", "CUPOLA_GRACE_SECS"].map(|n| (n, "1".into())));
    environment.extend(redis_url.map(|url| ("REDIS_URL", url.to_owned())));
    environment
}

fn patience() -> [(&'static str, String); 2] {
    ["CUPOLA_LEASE_SECS", "CUPOLA_LEADER_LEASE_SECS"].map(|name| (name, LEASE_SECS.to_owned()))
}

fn worker(name: &str, mut environment: Vec<(&'static str, String)>, dir: &Folder) -> Process {
    let scratch = dir.path().join(format!("scratch-{name}"));
    environment.extend([
        ("CUPOLA_WORKER_NAME", name.to_owned()),
        ("CUPOLA_WORKER_CPU_MILLI", WORKER_CPU_MILLI.to_owned()),
        ("CUPOLA_WORKER_MEMORY_BYTES", WORKER_MEMORY_BYTES.to_owned()),
        ("CUPOLA_SCRATCH_DIR", scratch.display().to_string()),
    ]);
    Process::start(&["worker"], environment, dir.log(&format!("worker-{name}")))
}

/// `cupola up`: everything in one, on a Postgres of its own.
pub struct Up {
    pub process: Process,
    pub operator: Client,
    dir: Folder,
}

impl Up {
    pub async fn start() -> Self {
        let dir = Folder::new();
        let process = up(&dir, "up");
        let address = Address::new(String::new());
        let mut up = Self { process, operator: Client::new(address, ""), dir };
        let url = up.process.field_of("gateway listening", "url").await;
        let key = fs::read_to_string(up.dir.path().join("data/operator.key")).unwrap();
        up.operator = Client::new(Address::new(url), key.trim());
        up.ready().await;
        up
    }

    /// On the same folder, after its end.
    pub async fn start_again(&mut self) {
        self.process.start_again();
        let url = self.process.field_of("gateway listening", "url").await;
        self.operator.address().set(url);
        self.ready().await;
    }

    /// Whether a folder of its data can be entered by its user alone.
    pub fn is_private(&self, folder: &str) -> bool {
        let path = self.dir.path().join("data").join(folder);
        fs::metadata(path).unwrap().permissions().mode() & 0o077 == 0
    }

    /// A second one on the same folder.
    pub fn start_beside(&self) -> Process {
        up(&self.dir, "beside")
    }

    async fn ready(&self) {
        wait_until("/readyz", async || self.operator.try_get("/readyz").await).await;
    }
}

fn up(dir: &Folder, log: &str) -> Process {
    let data = dir.path().join("data");
    let data = data.to_str().expect("the folder's name is ours");
    let arguments = ["up", "--listen", "127.0.0.1:0", "--data-dir", data];
    Process::start(&arguments, patience().to_vec(), dir.log(log))
}

/// Kept, and named, when the test fails.
struct Folder(Option<TempDir>);

impl Folder {
    fn new() -> Self {
        Self(Some(testkit::reachable_dir().unwrap()))
    }

    fn path(&self) -> &Path {
        self.0.as_ref().expect("it is there until the end").path()
    }

    fn log(&self, name: &str) -> std::path::PathBuf {
        self.path().join(format!("{name}.log"))
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
