//! A private Postgres, for whoever has not configured one: found on the machine, initialised in a
//! data folder, reachable through a unix socket only, restarted when it dies, and shut down cleanly
//! with us, even if we are killed.
//!
//! ```text
//! <data_dir>/lock           flock: who holds it owns the folder; inside, the owner's pid
//! <data_dir>/pgdata/        the cluster; complete, or absent (`pgdata.new` is one in the making)
//! <data_dir>/postgres.log   what the server says; `.1` is the one before
//! <data_dir>/run/           the socket; where the path would be too long, `socket_dir` names
//!                           the folder used instead
//! ```
//!
//! The rules that make it safe:
//! 1. **The lock decides.** While we hold it no second supervisor exists, so whatever
//!    `postmaster.pid` says about a dead server may be put right.
//! 2. **Never as root.** Postgres refuses to; a root caller gets a server that runs as `postgres`
//!    (or `nobody`) and that owns `pgdata` and the socket's folder, both closed to others. Access
//!    to the socket is the authentication.
//! 3. **One thread spawns and lives as long as the server**, because Linux ties "tell me when my
//!    parent dies" to the thread.

mod account;
mod binaries;
mod cluster;
mod error;
mod folder;
mod server;
mod supervisor;

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use account::Account;
use folder::Folder;
use server::Server;
use supervisor::Supervisor;

pub use binaries::{BinDir, find_binaries};
pub use error::PostgresError;

/// The cluster's superuser, and the database that is made with the cluster.
pub const SUPERUSER: &str = "cupola";
pub const DATABASE: &str = "cupola";

/// Names the socket's file; nothing listens on it.
const PORT: u16 = 5432;

#[derive(Clone, Debug)]
pub struct Options {
    pub data_dir: PathBuf,
    /// True for data that must survive a power cut; false for tests.
    pub durable: bool,
    pub bin_dir: BinDir,
}

/// A running cluster. Dropping it stops the server.
#[derive(Debug)]
pub struct Embedded {
    supervisor: Supervisor,
    socket_dir: PathBuf,
    /// Declared last, so that the lock goes after the server.
    folder: Folder,
}

impl Embedded {
    /// Initialises the cluster if the folder has none, and returns once it accepts connections.
    /// Blocks: about a second the first time, under 0.1 s later, longer after a crash.
    pub fn start(options: Options) -> Result<Self, PostgresError> {
        let account = Account::for_server()?;
        let folder = Folder::own(&options.data_dir, account)?;
        folder.check_reachable(options.bin_dir.path())?;
        cluster::ensure(&folder, &options.bin_dir, options.durable)?;
        let socket_dir = folder.socket_dir()?;
        let supervisor = Supervisor::start(Server {
            program: options.bin_dir.program("postgres"),
            root: folder.root().to_owned(),
            data: folder.pgdata(),
            socket_dir: socket_dir.clone(),
            account: folder.account().cloned(),
            durable: options.durable,
        })?;
        Ok(Self { supervisor, socket_dir, folder })
    }

    /// `postgres://user@localhost:5432/database?host=<socket folder>`, as sqlx and libpq read it.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!(
            "postgres://{}@localhost:{PORT}/{}?host={}",
            percent_encoded(user.as_bytes()),
            percent_encoded(database.as_bytes()),
            percent_encoded(self.socket_dir.as_os_str().as_bytes()),
        )
    }

    /// The server's process, `None` in the moment between a crash and the restart.
    pub fn pid(&self) -> Option<u32> {
        self.supervisor.pid()
    }

    /// Ends all sessions, shuts the server down cleanly and waits for it, as dropping does.
    pub fn stop(self) {
        drop(self);
    }

    fn socket_is_elsewhere(&self) -> bool {
        !self.socket_dir.starts_with(self.folder.root())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.supervisor.stop();
        if self.socket_is_elsewhere() {
            // Only a courtesy to whoever looks after that folder: the next start makes it anew.
            let _ = fs::remove_dir(&self.socket_dir);
        }
    }
}

/// Everything but RFC 3986's unreserved characters, so that it fits any part of a URL.
fn percent_encoded(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| PostgresError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_odd_characters_survives_the_url() {
        assert_eq!(percent_encoded("/a b/ü?&".as_bytes()), "%2Fa%20b%2F%C3%BC%3F%26");
    }
}
