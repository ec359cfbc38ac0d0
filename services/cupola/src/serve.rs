//! Each service by itself, as a replica against shared Postgres, object store and Redis.

use std::{
    net::{SocketAddr, TcpListener},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use boot::{
    lifeline,
    rates::{self, Rate},
    shutdown,
};
use clap::Args;
use domain::Clock;
use gateway::{Passwords, RequestRates, Signer};
use ipnet::IpNet;
use registry::Masters;
use serving::{Limits, Predictor, Predictors, Replica};
use store::{Service, Store};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{Backends, Capacity, Patience, Shared, Sharing};

/// A publish may wait for a database that is away.
const LEAST_CLEAR_AFTER_SECS: u64 = 3_600;
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
    /// Seconds for which bytes lie in the object store that nothing names, before they are set aside and then
    /// again before they are deleted: longer than anything takes from its upload to its entry.
    #[arg(long, env = "CUPOLA_CLEAR_AFTER_SECS", default_value_t = 86_400)]
    pub clear_after_secs: u64,
    /// Whether public models are shown to people who are not signed in.
    #[arg(long, env = "CUPOLA_VISITORS", default_value_t = true, action = clap::ArgAction::Set)]
    pub visitors: bool,
    #[command(flatten)]
    pub rates: Rates,
    #[command(flatten)]
    pub predicting: Predicting,
}

/// How models answer.
#[derive(Args, Clone, Debug)]
pub struct Predicting {
    /// Bytes of memory that loaded models may take together; those used longest ago make room.
    #[arg(long, env = "CUPOLA_MODEL_MEMORY_BYTES", default_value_t = Limits::MEMORY_BYTES)]
    pub model_memory_bytes: u64,
    /// Rows of waiting requests that are computed together.
    #[arg(long, env = "CUPOLA_PREDICT_BATCH_ROWS", default_value_t = Limits::BATCH_ROWS)]
    pub predict_batch_rows: usize,
    /// Seconds for which a prediction waits for its turn.
    #[arg(long, env = "CUPOLA_PREDICT_PATIENCE_SECS", default_value_t = Limits::PATIENCE.as_secs())]
    pub predict_patience_secs: u64,
}

impl Predicting {
    fn limits(&self) -> Limits {
        Limits {
            memory_bytes: self.model_memory_bytes,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            batch_rows: self.predict_batch_rows.max(1),
            patience: Duration::from_secs(self.predict_patience_secs.clamp(1, 3_600)),
        }
    }
}

/// How often the API may be asked.
#[derive(Args, Clone, Debug)]
pub struct Rates {
    /// Requests a second from one address, and twice as many at once.
    #[arg(long, env = "CUPOLA_RATE_PER_ADDRESS", default_value = "500")]
    pub rate_per_address: NonZeroU32,
    /// Requests a second by one API key or session.
    #[arg(long, env = "CUPOLA_RATE_PER_CREDENTIAL", default_value = "500")]
    pub rate_per_credential: NonZeroU32,
    /// Requests a second of one tenant.
    #[arg(long, env = "CUPOLA_RATE_PER_TENANT", default_value = "2000")]
    pub rate_per_tenant: NonZeroU32,
    /// Requests a second from one address without a credential, for what is public.
    #[arg(long, env = "CUPOLA_RATE_PER_VISITOR", default_value = "50")]
    pub rate_per_visitor: NonZeroU32,
    /// Requests that this process answers at once.
    #[arg(long, env = "CUPOLA_MAX_REQUESTS_AT_ONCE", default_value_t = 1_000)]
    pub max_requests_at_once: usize,
    /// Of them, those of one tenant.
    #[arg(long, env = "CUPOLA_MAX_REQUESTS_AT_ONCE_OF_TENANT", default_value_t = 500)]
    pub max_requests_at_once_of_tenant: usize,
    /// How many gateways there are: each gives its share where Redis does not count for all.
    #[arg(long, env = "CUPOLA_GATEWAYS", default_value = "1")]
    pub gateways: NonZeroU32,
}

impl Rates {
    fn of_requests(&self) -> RequestRates {
        RequestRates {
            address: Rate::per_second(self.rate_per_address),
            credential: Rate::per_second(self.rate_per_credential),
            tenant: Rate::per_second(self.rate_per_tenant),
            visitor: Rate::per_second(self.rate_per_visitor),
            at_once: self.max_requests_at_once,
            tenant_at_once: self.max_requests_at_once_of_tenant,
        }
    }
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
pub struct ServingArguments {
    #[command(flatten)]
    pub shared: Shared,
    /// Address for the gateways; port 0 takes a free one, which the log tells.
    #[arg(long, env = "CUPOLA_SERVING_LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// Where gateways reach it, if not at that address; where it listens at all of them, by the machine's name.
    #[arg(long, env = "CUPOLA_SERVING_URL")]
    pub url: Option<String>,
    #[command(flatten)]
    pub predicting: Predicting,
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
    let backends = arguments.shared.open(Service::Gateway, &end)?;
    let listener = bind(arguments.listen.listen)?;
    let listen = (&arguments.listen, arguments.shared.redis_url.as_deref());
    serve_gateway(backends, listener, listen, end).await
}

/// A replica that answers predictions for the gateways.
pub async fn serving(arguments: ServingArguments) -> anyhow::Result<()> {
    let end = end_of(&arguments.shared);
    let (store, blobs, masters) = arguments.shared.open_stores(Service::Serving)?;
    let listener = bind(arguments.listen)?;
    let mut url = url_of(arguments.url.as_deref(), &listener)?;
    let address = listener.local_addr().context("the socket has no address")?;
    if arguments.url.is_none() && address.ip().is_unspecified() {
        url = format!("http://{}:{}", default_name(), address.port());
    }
    info!(url, "serving replica listening");
    let predictor = Predictor::new(blobs, arguments.predicting.limits());
    let ended = Replica { predictor, store, masters, url }.serve(listener, end).await;
    ended.map_err(anyhow::Error::from_boxed).context("the serving replica stopped")
}

pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; name another address with --listen"))
}

/// As it was named, or else the socket's.
pub fn url_of(named: Option<&str>, listener: &TcpListener) -> anyhow::Result<String> {
    let address = listener.local_addr().context("the socket has no address")?;
    Ok(named.map_or_else(|| format!("http://{address}"), str::to_owned))
}

pub async fn serve_gateway(
    backends: Backends,
    listener: TcpListener,
    (listen, redis_url): (&Listen, Option<&str>),
    end: CancellationToken,
) -> anyhow::Result<()> {
    let Backends { store, blobs, bus, masters } = backends;
    let own = Predictor::new(blobs.clone(), listen.predicting.limits());
    let predictor = Predictors::new(own, masters.clone());
    let public_url = url_of(listen.public_url.as_deref(), &listener)?;
    let metrics = gateway::install_metrics().context("metrics were set up twice")?;
    if masters.is_none() {
        warn!("there is no master key: data at rest is not encrypted");
    }
    let signer = load_signer(&store, masters, &public_url, &end).await;
    let Some(signer) = signer else { return Ok(()) };
    info!(url = public_url, "gateway listening");
    let app = gateway::App {
        predictor,
        signer,
        counts: gateway::Counts::default(),
        endpoints: gateway::Endpoints::default(),
        passwords: Passwords::new().context("the system gave no random bytes")?,
        rates: rates::Rates::open(redis_url, listen.rates.gateways)
            .context("REDIS_URL cannot be used")?,
        egress: gateway::Egress::default(),
        metered: gateway::Metered::default(),
        recent: gateway::Recent::default(),
        clock: Clock::System,
        config: gateway::Config {
            max_upload_bytes: listen.max_upload_bytes,
            public_url,
            trusted_proxies: listen.trusted_proxies.clone(),
            rates: listen.rates.of_requests(),
            visitors: listen.visitors,
            clear_after: Duration::from_secs(listen.clear_after_secs.max(LEAST_CLEAR_AFTER_SECS)),
            ..gateway::Config::default()
        },
        metrics: Some(metrics),
        store,
        blobs,
        bus,
    };
    gateway::serve(app, listener, end, console::routes).await.context("the gateway stopped")
}

/// Waits for the database where it is not up yet; `None` if asked to end meanwhile.
async fn load_signer(
    store: &Store,
    masters: Option<Masters>,
    issuer: &str,
    end: &CancellationToken,
) -> Option<Signer> {
    loop {
        match Signer::load(store, masters.clone(), issuer).await {
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
    let Backends { store, bus, .. } = arguments.shared.open(Service::Scheduler, &end)?;
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
    let Backends { store, blobs, bus, .. } = arguments.shared.open(Service::Worker, &end)?;
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
        scratch_bytes: arguments.capacity.scratch_bytes,
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
