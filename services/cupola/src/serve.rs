//! Each service by itself, as a replica against shared Postgres, object store and Redis.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use boot::{lifeline, shutdown};
use clap::Args;
use domain::Clock;
use gateway::{Passwords, Signer};
use ipnet::IpNet;
use serving::Predictor;
use store::Store;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{Backends, Capacity, Patience, Shared, Sharing};

/// Loaded models are kept up to this much memory.
const MODEL_CACHE_BYTES: usize = 1 << 30;
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// Address of the API; port 0 takes a free one, which the log tells.
    #[arg(long, env = "CUPOLA_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where clients reach it, if not at that address: the issuer of access tokens.
    #[arg(long, env = "CUPOLA_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Networks of proxies in front of this gateway, whose X-Forwarded-For is believed.
    #[arg(long, env = "CUPOLA_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,
    /// The most bytes of one uploaded dataset.
    #[arg(long, env = "CUPOLA_MAX_UPLOAD_BYTES", default_value_t = 4 << 30)]
    pub max_upload_bytes: u64,
}

#[derive(Args, Debug)]
pub struct GatewayArguments {
    #[command(flatten)]
    pub shared: Shared,
    #[command(flatten)]
    pub listen: Listen,
}

#[derive(Args, Debug)]
pub struct SchedulerArguments {
    #[command(flatten)]
    pub shared: Shared,
    #[command(flatten)]
    pub patience: Patience,
    #[command(flatten)]
    pub sharing: Sharing,
}

#[derive(Args, Debug)]
pub struct WorkerArguments {
    #[command(flatten)]
    pub shared: Shared,
    #[command(flatten)]
    pub patience: Patience,
    #[command(flatten)]
    pub capacity: Capacity,
}

/// Signals, and the parent's end where there is one.
fn end_of(shared: &Shared) -> CancellationToken {
    let end = shutdown::on_signal();
    if shared.lifeline {
        lifeline::cancel_with_parent(end.clone());
    }
    end
}

pub async fn gateway(arguments: GatewayArguments) -> anyhow::Result<()> {
    let end = end_of(&arguments.shared);
    let backends = arguments.shared.open(&end)?;
    let listener = bind(&arguments.listen)?;
    serve_gateway(backends, listener, &arguments.listen, end).await
}

pub fn bind(listen: &Listen) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen.listen).with_context(|| {
        format!("cannot listen on {}; name another address with --listen", listen.listen)
    })
}

pub fn public_url(listen: &Listen, listener: &TcpListener) -> anyhow::Result<String> {
    let address = listener.local_addr().context("the socket has no address")?;
    Ok(listen.public_url.clone().unwrap_or_else(|| format!("http://{address}")))
}

pub async fn serve_gateway(
    backends: Backends,
    listener: TcpListener,
    listen: &Listen,
    end: CancellationToken,
) -> anyhow::Result<()> {
    let Backends { store, blobs, bus } = backends;
    let public_url = public_url(listen, &listener)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let metrics = gateway::install_metrics().context("metrics were set up twice")?;
    let Some(signer) = load_signer(&store, &public_url, &end).await else { return Ok(()) };
    info!(url = public_url, "gateway listening");
    let app = gateway::App {
        predictor: Predictor::new(blobs.clone(), MODEL_CACHE_BYTES, cores),
        signer,
        passwords: Passwords::new().context("the system gave no random bytes")?,
        clock: Clock::System,
        config: gateway::Config {
            max_upload_bytes: listen.max_upload_bytes,
            public_url,
            trusted_proxies: listen.trusted_proxies.clone(),
            ..gateway::Config::default()
        },
        metrics: Some(metrics),
        store,
        blobs,
        bus,
    };
    gateway::serve(app, listener, end).await.context("the gateway stopped")
}

/// Waits for the database where it is not up yet; `None` if asked to end meanwhile.
async fn load_signer(store: &Store, issuer: &str, end: &CancellationToken) -> Option<Signer> {
    loop {
        match Signer::load(store, issuer).await {
            Ok(signer) => return Some(signer),
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "waiting for the database")
            }
        }
        end.run_until_cancelled(tokio::time::sleep(RETRY_AFTER)).await?;
    }
}

pub async fn scheduler(arguments: SchedulerArguments) -> anyhow::Result<()> {
    let end = end_of(&arguments.shared);
    let Backends { store, bus, .. } = arguments.shared.open(&end)?;
    info!("scheduler started");
    scheduler::run(store, bus, scheduler_config(arguments.patience, arguments.sharing), end).await;
    Ok(())
}

pub fn scheduler_config(patience: Patience, sharing: Sharing) -> scheduler::Config {
    scheduler::Config {
        leader_lease: patience.leader_lease(),
        attempt_lease: patience.lease(),
        retry: patience.retry(),
        policy: sharing.policy(),
        ..scheduler::Config::default()
    }
}

pub async fn worker(arguments: WorkerArguments) -> anyhow::Result<()> {
    let end = shutdown::on_signal();
    if arguments.shared.lifeline {
        // the parent was killed, and its Postgres goes with it: nobody is left to hand work back to,
        // and the next one to start wants the scratch folder
        lifeline::exit_with_parent();
    }
    let Backends { store, blobs, bus } = arguments.shared.open(&end)?;
    let name = arguments.capacity.name.clone().unwrap_or_else(default_name);
    let scratch = arguments
        .capacity
        .scratch
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("cupola-{name}")));
    let lease = arguments.patience.lease();
    let config = worker::AgentConfig {
        lease,
        heartbeat: lease / 3,
        retry: arguments.patience.retry(),
        pool: arguments.capacity.pool.clone(),
        ..worker::AgentConfig::new(name, arguments.capacity.resources(), scratch, own_program()?)
    };
    worker::run(config, store, blobs, bus, end).await.context("the worker stopped")
}

/// The machine's name: one worker per machine needs no other.
fn default_name() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}

pub fn own_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("the path of this program is unknown")
}
