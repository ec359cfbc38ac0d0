//! What can keep an embedded Postgres from running, each with its remedy.

use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "found no PostgreSQL server on this machine (no folder with `initdb` and `postgres`); \
         {remedy}, or set CUPOLA_PG_BIN to the folder that holds them"
    )]
    NotFound { remedy: &'static str },

    #[error(
        "CUPOLA_PG_BIN={}: no program `{missing}` there; name the folder that holds `initdb` and \
         `postgres`, for example /usr/lib/postgresql/15/bin",
        dir.display()
    )]
    NotInFolder { dir: PathBuf, missing: &'static str },

    #[error(
        "PostgreSQL does not run as root, and /etc/passwd has neither `postgres` nor `nobody` to \
         run it as; add a user `postgres`, or start this program as another user"
    )]
    NoServerUser,

    #[error(
        "the server runs as user `{user}`, who cannot pass through {}; \
         `chmod o+x {}`, or choose a folder such as /var/lib/cupola",
        dir.display(), dir.display()
    )]
    Unreachable { dir: PathBuf, user: String },

    #[error(
        "{} is not a folder that belongs to the server's user; remove it or choose another data \
         folder",
        path.display()
    )]
    NotOurs { path: PathBuf },

    #[error(
        "Postgres in {} is already run by {}; stop it, or choose another data folder",
        data_dir.display(),
        pid.map_or("another process".to_owned(), |pid| format!("process {pid}"))
    )]
    AlreadyRunning { pid: Option<u32>, data_dir: PathBuf },

    #[error("`{program}` could not make the cluster:\n{output}")]
    Init { program: &'static str, output: String },

    #[error("Postgres did not start; the end of {}:\n{said}", log.display())]
    Start { log: PathBuf, said: String },

    #[error("could not {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}
