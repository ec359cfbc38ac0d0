//! Everything on one machine with nothing configured: a Postgres of its own in the data folder,
//! migrated; gateway and scheduler in this process; workers, and serving replicas if wanted, as children.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use boot::{
    lifeline,
    postgres::{self, Embedded, Options},
    shutdown,
};
use clap::Args;
use registry::LocalMaster;
use store::{Service, Store};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::{
    admin,
    children::ChildProcess,
    config::{Database, MasterKeys, Patience, Shared, Sharing},
    serve::{self, Listen},
};

pub const OPERATOR_KEY_FILE: &str = "operator.key";
const MASTER_KEY_FILE: &str = "master.key";
pub const URL_FILE: &str = "url";
const SCHEDULER_CONNECTIONS: u32 = 4;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataDir,
    #[command(flatten)]
    pub listen: Listen,
    #[command(flatten)]
    pub patience: Patience,
    #[command(flatten)]
    pub sharing: Sharing,
    /// Processes that answer predictions in place of the gateway's own.
    #[arg(long, env = "CUPOLA_SERVING_REPLICAS", default_value_t = 0)]
    pub serving_replicas: u8,
    /// Postgres to use instead of one of our own, with the login `cupola_app`, which does for all services; migrate
    /// it first with `cupola migrate`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Where bytes live; a folder in the data folder if absent.
    #[arg(long, env = "OBJECT_STORE_URL")]
    pub object_store_url: Option<String>,
    #[command(flatten)]
    pub master_keys: MasterKeys,
    /// Folder of Postgres' programs, if they are not where one looks for them.
    #[arg(long, env = "CUPOLA_PG_BIN")]
    pub pg_bin: Option<PathBuf>,
    /// Ends this process when its stdin closes.
    #[arg(long, hide = true)]
    pub lifeline: bool,
}

#[derive(Args, Clone, Debug)]
pub struct DataDir {
    /// Folder of everything that is kept: /var/lib/cupola for root, else ~/.local/share/cupola.
    #[arg(long = "data-dir", env = "CUPOLA_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

impl DataDir {
    pub fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.data_dir {
            return std::path::absolute(path).context("CUPOLA_DATA_DIR is no path");
        }
        if rustix::process::geteuid().is_root() {
            return Ok("/var/lib/cupola".into());
        }
        if let Some(data) = std::env::var_os("XDG_DATA_HOME") {
            return Ok(Path::new(&data).join("cupola"));
        }
        let home =
            std::env::var_os("HOME").context("HOME is unset; name a folder with --data-dir")?;
        Ok(Path::new(&home).join(".local/share/cupola"))
    }
}

pub fn run(runtime: &Runtime, arguments: Arguments) -> anyhow::Result<()> {
    let data = arguments.data.path()?;
    fs::create_dir_all(&data).with_context(|| {
        format!("{} cannot be made; name another folder with --data-dir", data.display())
    })?;
    // before anything else, so that a busy port is said at once and nothing was started in vain
    let listener = serve::bind(arguments.listen.listen)?;
    let embedded = match &arguments.database_url {
        Some(_) => None,
        None => Some(start_postgres(&arguments, &data)?),
    };
    let outcome = runtime.block_on(async {
        let end = shutdown::on_signal();
        if arguments.lifeline {
            lifeline::cancel_with_parent(end.clone());
        }
        serve_all(&arguments, &data, embedded.as_ref(), listener, end).await
    });
    // Postgres goes last, when nobody needs it any more
    drop(embedded);
    outcome
}

fn start_postgres(arguments: &Arguments, data: &Path) -> anyhow::Result<Embedded> {
    let bin_dir = postgres::find_binaries(arguments.pg_bin.as_deref())?;
    let options = Options { data_dir: data.join("postgres"), durable: true, bin_dir };
    Ok(Embedded::start(options)?)
}

/// What tenants store is for this user's eyes alone.
pub fn private_folder(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("{} cannot be made", path.display()))
}

async fn serve_all(
    arguments: &Arguments,
    data: &Path,
    embedded: Option<&Embedded>,
    listener: std::net::TcpListener,
    end: CancellationToken,
) -> anyhow::Result<()> {
    if let Some(embedded) = embedded {
        let owner = embedded.url(postgres::SUPERUSER, postgres::DATABASE);
        admin::migrate(&Database { database_url: owner }).await?;
    }
    for folder in ["objects", "scratch"] {
        private_folder(&data.join(folder))?;
    }
    let shared = shared_by(arguments, data, embedded, Service::Gateway)?;
    // workers give their attempts back first, then the rest ends
    let (first, last) = (end.child_token(), CancellationToken::new());
    let backends = shared.open(Service::Gateway, &last)?;
    let operator_key = ensure_operator_key(&backends.store, data).await?;
    let url = serve::url_of(arguments.listen.public_url.as_deref(), &listener)?;
    fs::write(data.join(URL_FILE), &url).context("the data folder cannot be written")?;
    // a pool of its own: a connection lives on the runtime of the thread that opened it, and the
    // gateway's threads end before the scheduler has said its last word
    let database_url = database_url(arguments, embedded, Service::Scheduler)?;
    let store = Store::connect(&database_url, SCHEDULER_CONNECTIONS, Service::Scheduler)?;
    let scheduler = tokio::spawn(scheduler::run(
        store,
        backends.bus.clone(),
        serve::scheduler_config(arguments.patience, arguments.sharing),
        last.clone(),
    ));
    let shared_by_worker = shared_by(arguments, data, embedded, Service::Worker)?;
    let scratch = data.join("scratch");
    let worker = ChildProcess::worker("local", &shared_by_worker, &scratch, arguments.patience);
    let worker = tokio::spawn(worker.keep_running(first));
    let shared_by_replicas = shared_by(arguments, data, embedded, Service::Serving)?;
    let replicas = (0..arguments.serving_replicas).map(|_| {
        let predicting = &arguments.listen.predicting;
        ChildProcess::replica(&shared_by_replicas, predicting).keep_running(last.clone())
    });
    let replicas: Vec<_> = replicas.map(tokio::spawn).collect();
    welcome(&url, &operator_key, data);
    let gateway = async {
        let listen = (&arguments.listen, shared.redis_url.as_deref());
        let ended = serve::serve_gateway(backends, listener, listen, last.clone()).await;
        // without its API the rest has nobody to serve
        end.cancel();
        ended
    };
    let workers = async {
        let ended = worker.await;
        end.cancel();
        last.cancel();
        ended
    };
    let (gateway, worker) = tokio::join!(gateway, workers);
    for replica in replicas {
        replica.await.context("the keeper of a serving replica broke off")??;
    }
    scheduler.await.context("the scheduler broke off")?;
    gateway?;
    worker.context("the worker's keeper broke off")?
}

/// The service's login in a Postgres of our own; in another one, the login that was named for all.
fn database_url(
    arguments: &Arguments,
    embedded: Option<&Embedded>,
    service: Service,
) -> anyhow::Result<String> {
    match (embedded, &arguments.database_url) {
        (Some(embedded), _) => Ok(embedded.url(service.login(), postgres::DATABASE)),
        (None, Some(url)) => Ok(url.clone()),
        (None, None) => anyhow::bail!("no database"),
    }
}

fn shared_by(
    arguments: &Arguments,
    data: &Path,
    embedded: Option<&Embedded>,
    service: Service,
) -> anyhow::Result<Shared> {
    let database_url = database_url(arguments, embedded, service)?;
    let object_store_url = match &arguments.object_store_url {
        Some(url) => url.clone(),
        None => registry::folder_url(&data.join("objects"))?,
    };
    Ok(Shared {
        database: Database { database_url },
        redis_url: arguments.redis_url.clone(),
        object_store_url,
        master_keys: master_keys(arguments, data)?,
        lifeline: false,
    })
}

/// Those that were named, or one of its own in the data folder.
fn master_keys(arguments: &Arguments, data: &Path) -> anyhow::Result<MasterKeys> {
    if arguments.master_keys.is_given() {
        return Ok(arguments.master_keys.clone());
    }
    let path = data.join(MASTER_KEY_FILE);
    if !path.exists() {
        LocalMaster::create(&path)?;
    }
    Ok(MasterKeys { master_key_file: vec![path] })
}

/// The first operator's key, made at the first start and kept for the owner of the folder alone.
async fn ensure_operator_key(store: &Store, data: &Path) -> anyhow::Result<PathBuf> {
    let path = data.join(OPERATOR_KEY_FILE);
    if !path.exists() {
        let key = admin::operator_key(store, "operator@localhost").await?;
        write_secret(&path, &key)?;
    }
    Ok(path)
}

pub fn write_secret(path: &Path, secret: &str) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    writeln!(file, "{secret}").with_context(|| format!("{} cannot be written", path.display()))
}

fn welcome(url: &str, operator_key: &Path, data: &Path) {
    println!("cupola is up");
    println!("  console        {url}/");
    println!("  API            {url}/v1");
    println!("  documentation  {url}/docs");
    println!("  operator's key {}", operator_key.display());
    println!("  data           {}", data.display());
    println!(
        "  its key        {}: keep a copy, without it the data is lost",
        data.join(MASTER_KEY_FILE).display()
    );
    println!("Ctrl-C ends it; everything accepted is kept.");
}
