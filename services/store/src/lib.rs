//! The only crate that speaks SQL. One module per aggregate; functions take a transaction, never a
//! pool, and never commit: what belongs together lands together, as the caller decides.
//!
//! [`TenantTx`] sees one tenant's rows, by row-level security; [`SystemTx`] sees those of all, in the tables that
//! its [`Service`] needs. Which one a function takes says on whose behalf it works. What is read most has no
//! transaction of its own to wait for: [`reads`].

pub mod admin;
mod amounts;
pub mod attempts;
pub mod audit;
mod begun;
pub mod budgets;
pub mod changes;
pub mod contents;
pub mod cron;
pub mod datasets;
pub mod egress;
pub mod endpoints;
mod error;
pub mod events;
pub mod hints;
pub mod idempotency;
pub mod invariants;
pub mod invitations;
pub mod jobs;
pub mod keys;
pub mod leader;
pub mod models;
mod page;
pub mod people;
pub mod picture;
pub mod pools;
pub mod predictions;
pub mod principals;
mod readers;
pub mod reads;
pub mod replicas;
pub mod schedule;
mod service;
pub mod sessions;
pub mod sharing;
pub mod signing;
pub mod storage;
pub mod tenant_keys;
pub mod tenants;
mod tx;
pub mod uploads;
pub mod usage;
pub mod workers;

use std::{io, str::FromStr, sync::Arc, time::Duration};

use domain::TenantId;
use sqlx::{
    Connection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;
use uuid::Uuid;

use begun::begun;
use readers::Readers;
use reads::Known;

pub use error::StoreError;
pub use page::{Page, PageRequest};
pub use service::Service;
pub use tx::{SystemTx, TenantTx, Tx};

/// Every migration, embedded.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// For a connection, and for the first answer on it: a server that takes connections and says nothing is
/// away, and whoever asks is to hear so.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const MAX_LIFETIME: Duration = Duration::from_secs(1_800);
/// A connection that was used a moment ago is not asked first whether it is still there: that would be a
/// round trip more for every transaction.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// A process that hangs in the middle of a transaction loses it, and its locks, after this long: it
/// must not hold up the scheduler.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "5s";
/// A statement is planned once and its plan kept by the connection. What we ask is a few rows each time, found
/// by an index. Planned while its tables are small it would read them from end to end, and go on so when they
/// are large; planned anew each time, because how many ids are asked for is known then, it would take longer
/// to plan than to answer.
const BY_INDEX: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // what is switched off counts as very dear, and what is dear would be compiled
    ("jit", "off"),
];

#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    readers: Arc<Readers>,
    known: Arc<Known>,
    /// That a transaction for no tenant takes.
    role: &'static str,
}

impl Store {
    /// A pool of at most `max_connections`, and half as many that are for [`reads`] alone; connects when first used,
    /// so that a service can start before its database. The URL's login has to be the service's, or one that may take
    /// its role.
    pub fn connect(url: &str, max_connections: u32, service: Service) -> Result<Self, StoreError> {
        Self::open(url, max_connections, service.role())
    }

    /// For whoever looks at everything, as the checks of [`invariants`] do: as the owner of the database, in no
    /// role.
    pub fn connect_as_owner(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Self::open(url, max_connections, "none")
    }

    fn open(url: &str, max_connections: u32, role: &'static str) -> Result<Self, StoreError> {
        let pool = pool(url, max_connections)?;
        let readers = Readers::new(pool.clone(), max_connections.div_ceil(2));
        Ok(Self { pool, readers: Arc::new(readers), known: Arc::default(), role })
    }

    /// As another service, on the same connections.
    #[must_use]
    pub fn acting_as(&self, service: Service) -> Self {
        Self { role: service.role(), ..self.clone() }
    }

    /// A transaction that sees `tenant` alone.
    pub async fn begin_for(&self, tenant: TenantId) -> Result<TenantTx<'static>, StoreError> {
        // safe: a uuid formatted by us
        let seen =
            format!("set local role cupola_tenant; set local app.tenant_id = '{}'", tenant.uuid());
        Ok(TenantTx { tx: in_time(begun(&self.pool, &seen)).await?, tenant })
    }

    /// A transaction of somebody who has shown no credential: it sees what is public alone. Its tenant is none
    /// that there is.
    pub async fn begin_for_visitor(&self) -> Result<TenantTx<'static>, StoreError> {
        let tx = in_time(begun(&self.pool, "set local role cupola_visitor")).await?;
        Ok(TenantTx { tx, tenant: TenantId::from_uuid(Uuid::nil()) })
    }

    /// A transaction that sees every tenant, and may do what its service has to.
    pub async fn begin(&self) -> Result<SystemTx<'static>, StoreError> {
        // safe: a name of ours
        let seen = format!("set local role {}", self.role);
        Ok(SystemTx { tx: in_time(begun(&self.pool, &seen)).await? })
    }

    /// Whether the database answers and has been migrated.
    pub async fn check(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let tenants = sqlx::query_scalar!(r#"select exists (select from tenant) as "yes!""#);
        in_time(tenants.fetch_one(tx.conn())).await?;
        in_time(tx.tx.commit()).await
    }

    pub async fn close(&self) {
        self.readers.close();
        self.pool.close().await;
    }
}

fn pool(url: &str, max_connections: u32) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url)?
        .application_name("cupola")
        .options([("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT)])
        .options(BY_INDEX);
    Ok(PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ANSWER_WITHIN)
        .max_lifetime(MAX_LIFETIME)
        .test_before_acquire(false)
        .before_acquire(|connection, was| {
            Box::pin(async move {
                if was.idle_for > TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options))
}

async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    let silence = |_| sqlx::Error::Io(io::ErrorKind::TimedOut.into());
    Ok(timeout(ANSWER_WITHIN, answer).await.map_err(silence)??)
}
