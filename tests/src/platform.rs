//! The platform's processes, apart ([`Platform`]) or as one ([`Up`]).

use std::fs;

use boot::postgres::SUPERUSER;

use crate::{
    Client, Process,
    client::Address,
    ground::{self, Environment, Folder, Ground, WorkerSettings},
    wait_until,
};

/// More requests than anybody can ask for.
const UNLIMITED: [&str; 5] = [
    "CUPOLA_RATE_PER_ADDRESS",
    "CUPOLA_RATE_PER_CREDENTIAL",
    "CUPOLA_RATE_PER_TENANT",
    "CUPOLA_RATE_PER_VISITOR",
    "CUPOLA_MAX_REQUESTS_AT_ONCE",
];
/// What a worker offers: room for four jobs, whatever the machine has.
const WORKER_CPU_MILLI: u64 = 4_000;

/// Gateway, scheduler and worker as separate processes. Fields in the order in which they end.
pub struct Platform {
    pub gateway: Process,
    pub scheduler: Process,
    pub worker: Process,
    pub operator: Client,
    ground: Ground,
}

impl Platform {
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Hints travel through this Redis instead of through Postgres.
    pub async fn start_with(redis_url: Option<String>) -> Self {
        Self::start_on(redis_url.map(|url| ("REDIS_URL", url)).into_iter().collect()).await
    }

    /// Without limits on requests.
    pub async fn start_for_a_benchmark() -> Self {
        Self::start_on(UNLIMITED.map(|name| (name, "1000000".to_owned())).into()).await
    }

    async fn start_on(more: Environment) -> Self {
        let ground = Ground::start(more);
        let scheduler = ground.start_scheduler("scheduler");
        let worker = worker(&ground, "one");
        let (gateway, operator) = ground.start_gateway().await;
        let platform = Self { gateway, scheduler, worker, operator, ground };
        platform.ready().await;
        platform
    }

    /// Another worker beside the first one.
    pub fn start_worker(&self, name: &str) -> Process {
        worker(&self.ground, name)
    }

    /// A serving replica at an address, and its URL; port 0 is a free one.
    pub async fn start_replica(&self, address: &str) -> (Process, String) {
        self.ground.start_replica(address).await
    }

    /// What `cupola admin …` says, and whether it succeeds.
    pub fn admin(&self, arguments: &[&str]) -> (bool, String) {
        self.ground.admin(arguments)
    }

    /// After its end; clients find it at its new address.
    pub async fn start_gateway_again(&mut self) {
        ground::start_gateway_again(&mut self.gateway, &self.operator).await;
    }

    /// The server's process, once there is one; kill it and another takes its place.
    pub async fn postgres_pid(&self) -> u32 {
        wait_until("a Postgres", async || self.ground.postgres.pid()).await
    }

    /// Of its database, whom row-level security does not bind.
    pub fn owner_url(&self) -> String {
        self.ground.owner_url()
    }

    /// Once everything answers that clients need.
    pub async fn ready(&self) {
        ground::ready(&self.operator).await;
    }
}

fn worker(ground: &Ground, name: &str) -> Process {
    let (cpu_milli, pool) = (WORKER_CPU_MILLI, "default");
    ground.start_worker(&WorkerSettings { name, cpu_milli, pool, launcher: &[] })
}

/// A gateway by itself, without limits on requests, and nobody who would run a job. Fields in the order in
/// which they end.
pub struct Gateway {
    process: Process,
    pub operator: Client,
    ground: Ground,
}

impl Gateway {
    /// With or without a key for what is stored.
    pub async fn start(is_encrypted: bool) -> Self {
        let ground = Ground::start(UNLIMITED.map(|name| (name, "1000000".to_owned())).into());
        let ground = if is_encrypted { ground } else { ground.without_encryption() };
        let (process, operator) = ground.start_gateway().await;
        ground::ready(&operator).await;
        Self { process, operator, ground }
    }

    /// Of a database of its server, as the owner.
    pub fn database_url(&self, database: &str) -> String {
        self.ground.postgres.url(SUPERUSER, database)
    }

    /// It ends; the database stays.
    pub async fn stop(&mut self) {
        self.process.stop().await;
    }
}

/// `cupola up`: everything in one, on a Postgres of its own.
pub struct Up {
    pub process: Process,
    pub operator: Client,
    dir: Folder,
}

impl Up {
    pub async fn start() -> Self {
        Self::start_with(Vec::new()).await
    }

    /// With more in its environment than the usual.
    pub async fn start_with(more: Environment) -> Self {
        let dir = Folder::new();
        let process = up(&dir, "up", more);
        let address = Address::new(String::new());
        let mut up = Self { process, operator: Client::new(address, ""), dir };
        let url = up.process.field_of("gateway listening", "url").await;
        let key = fs::read_to_string(up.dir.path().join("data/operator.key")).unwrap();
        up.operator = Client::new(Address::new(url), key.trim());
        ground::ready(&up.operator).await;
        up
    }

    /// On the same folder, after its end.
    pub async fn start_again(&mut self) {
        ground::start_gateway_again(&mut self.process, &self.operator).await;
    }

    /// Whether a folder of its data can be entered by its user alone.
    pub fn is_private(&self, folder: &str) -> bool {
        self.dir.is_private(&format!("data/{folder}"))
    }

    /// A second one on the same folder.
    pub fn start_beside(&self) -> Process {
        up(&self.dir, "beside", Vec::new())
    }
}

fn up(dir: &Folder, log: &str, more: Environment) -> Process {
    let data = dir.path().join("data");
    let data = data.to_str().expect("the folder's name is ours");
    let arguments = ["up", "--listen", "127.0.0.1:0", "--data-dir", data];
    let environment = [ground::patience().to_vec(), more].concat();
    Process::start(&arguments, environment, dir.log(log))
}
