//! The processes, and the tenants with their caps and their data.

use std::{fs, process::Command};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::Redis;

use super::{
    look::Look,
    orders::{TENANTS, TINY_DISK_POOL, Tenant},
};
use crate::{
    Client, Process, data,
    ground::{Ground, WorkerSettings, ready},
};

pub const WORKERS: usize = 3;
/// Room for two jobs each: less than the tenants together may run, so that they have to share.
const WORKER_CPU_MILLI: u64 = 2_000;
const MEMORY_EACH: u64 = 1 << 33;
/// Short, so that a job that can only die has died five times soon.
const RETRY_PAUSE_SECS: &str = "0.5";
const PAGE_KIB: usize = 4;

/// Fields in the order in which they end.
pub struct World {
    pub gateway: Process,
    pub schedulers: [Process; 2],
    pub workers: Vec<Process>,
    pub operator: Client,
    pub look: Look,
    pub redis: Redis,
    pub ground: Ground,
}

impl World {
    /// Everything is up, and every tenant has pushed its data; their clients.
    pub async fn start() -> (Self, Vec<Client>) {
        let redis = Redis::start().unwrap();
        let ground = Ground::start(vec![
            ("REDIS_URL", redis.url()),
            ("CUPOLA_RETRY_PAUSE_SECS", RETRY_PAUSE_SECS.to_owned()),
        ]);
        let schedulers = ["scheduler-1", "scheduler-2"].map(|log| ground.start_scheduler(log));
        let worker = |which| {
            let (name, cpu_milli) = (worker_name(which), WORKER_CPU_MILLI);
            let (name, pool) = (name.as_str(), "default");
            ground.start_worker(&WorkerSettings { name, cpu_milli, pool, launcher: &[] })
        };
        let workers = (0..WORKERS).map(worker).collect();
        let (gateway, operator) = ground.start_gateway().await;
        ready(&operator).await;
        operator.post("/v1/pools", &json!({"name": TINY_DISK_POOL})).await.ok();
        let mut tenants = Vec::new();
        for tenant in &TENANTS {
            tenants.push(settle(&operator, tenant).await);
        }
        let look = Look::at(&ground.owner_url());
        (Self { gateway, schedulers, workers, operator, look, redis, ground }, tenants)
    }
}

pub fn worker_name(which: usize) -> String {
    format!("worker-{which}")
}

async fn settle(operator: &Client, tenant: &Tenant) -> Client {
    let Tenant { slug, max_running_jobs, limit_cpu_milli, guaranteed_cpu_milli } = tenant;
    let client = operator.tenant(slug).await;
    let memory_bytes = MEMORY_EACH;
    let limit = limit_cpu_milli
        .map(|cpu_milli| json!({"cpu_milli": cpu_milli, "memory_bytes": memory_bytes}));
    let guaranteed = json!({"cpu_milli": guaranteed_cpu_milli, "memory_bytes": memory_bytes});
    let limits = json!({"limits": {"max_running_jobs": max_running_jobs}});
    set(operator, Method::PATCH, &format!("/v1/tenants/{slug}"), &limits).await;
    let quota = json!({"guaranteed": guaranteed, "limit": limit});
    set(operator, Method::PUT, &format!("/v1/tenants/{slug}/quotas/default"), &quota).await;
    client.push_csv("clouds", &data::two_clouds(1).0).await;
    client
}

async fn set(operator: &Client, method: Method, path: &str, body: &Value) {
    let request = operator.request(method, path).json(body);
    operator.answer_to(request).await.expect("nothing is done to the gateway yet").ok();
}

/// What starts a program with a folder on a disk of so many pages; `None` where this user may mount no
/// file system for itself.
pub fn tiny_disk(folder: &str, pages: usize) -> Option<Vec<String>> {
    fs::create_dir_all(folder).unwrap();
    let size = PAGE_KIB * pages;
    let script = format!(r#"mount -t tmpfs -o size={size}k,mode=700 tiny "$0" && exec "$@""#);
    let as_user: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
    as_user.into_iter().find_map(|flags| {
        let words = ["unshare", "--mount"].into_iter().chain(flags.iter().copied());
        let words: Vec<_> = words.chain(["sh", "-c", &script, folder]).collect();
        let tried = Command::new(words[0]).args(&words[1..]).arg("true").output();
        tried
            .is_ok_and(|tried| tried.status.success())
            .then(|| words.into_iter().map(str::to_owned).collect())
    })
}
