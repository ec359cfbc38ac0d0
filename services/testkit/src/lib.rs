//! Real servers for tests. `with-services` starts one Postgres and one Redis for a whole run and
//! says where they are; a test takes a database of its own from there ([`TestDb`]). A test that
//! means to kill a server starts one for itself ([`Cluster`], [`Redis`]).
//!
//! ```text
//! cargo run -q -p testkit --bin with-services -- cargo nextest run
//! ```

mod clients;
mod cluster;
mod database;
mod full_disk;
mod much;
mod redis;
mod s3;

use std::{fs, os::unix::fs::PermissionsExt};

use anyhow::Context;
use tempfile::TempDir;

pub use clients::{CLIENTS_VARIABLE, python_with_clients};
pub use cluster::Cluster;
pub use database::{TestDb, make_template};
pub use full_disk::FullDisk;
pub use much::{explain_to_clients, fill_with_much};
pub use redis::Redis;
pub use s3::S3;

/// The superuser's URL of a migrated database in the run's cluster.
pub const POSTGRES_VARIABLE: &str = "CUPOLA_TEST_PG";
/// The URL of the run's Redis.
pub const REDIS_VARIABLE: &str = "CUPOLA_TEST_REDIS";

/// A new folder that the server's user can pass through when the tests run as root.
pub fn reachable_dir() -> anyhow::Result<TempDir> {
    let dir = tempfile::Builder::new()
        .prefix("cupola-test-")
        .tempdir()
        .context("could not make a temporary folder")?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711))?;
    Ok(dir)
}

/// A clock that stands still until the test moves it, at a moment that is easy to recognise.
pub fn manual_clock() -> domain::Clock {
    domain::Clock::manual("2026-01-01T00:00:00Z".parse().expect("a literal in RFC 3339"))
}
