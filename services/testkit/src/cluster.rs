//! A private Postgres that a test may kill.

use std::{env, path::Path};

use boot::postgres::{DATABASE, Embedded, Options, SUPERUSER, find_binaries};
use store::Service;
use tempfile::TempDir;

use crate::reachable_dir;

/// Throwaway: fast, not durable, gone when dropped. Its database `cupola` is migrated.
#[derive(Debug)]
pub struct Cluster {
    /// Declared first, so that the server goes before its folder.
    postgres: Embedded,
    _dir: TempDir,
}

impl Cluster {
    pub async fn start() -> anyhow::Result<Self> {
        let dir = reachable_dir()?;
        let explicit = env::var_os("CUPOLA_PG_BIN");
        let bin_dir = find_binaries(explicit.as_deref().map(Path::new))?;
        let data_dir = dir.path().join("postgres");
        let postgres = Embedded::start(Options { data_dir, durable: false, bin_dir })?;
        store::admin::migrate(&postgres.url(SUPERUSER, DATABASE)).await?;
        Ok(Self { postgres, _dir: dir })
    }

    /// The migrated database, by a login that may act as any service.
    pub fn url(&self) -> String {
        self.postgres.url(Service::ANY_LOGIN, DATABASE)
    }

    /// The migrated database, as its owner.
    pub fn owner_url(&self) -> String {
        self.postgres.url(SUPERUSER, DATABASE)
    }

    /// Kill this one; another takes its place.
    pub fn pid(&self) -> Option<u32> {
        self.postgres.pid()
    }
}
