//! The Postgres of the benchmarks: a cluster of our own with fsync, started for a side's turn and stopped after it,
//! so that what it costs is counted to that turn and its caches begin alike. Questions about it are asked through `psql`, since only `store` speaks SQL.

use std::{
    env,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context, ensure};
use boot::postgres::{BinDir, Embedded, Options, SUPERUSER, find_binaries};
use tempfile::TempDir;
use testkit::reachable_dir;

const DATABASE: &str = "bench";

pub struct Server {
    folder: TempDir,
    bin: BinDir,
}

impl Server {
    pub fn find() -> anyhow::Result<Self> {
        let explicit = env::var_os("CUPOLA_PG_BIN");
        let bin = find_binaries(explicit.as_deref().map(Path::new))?;
        Ok(Self { folder: reachable_dir()?, bin })
    }

    /// With an empty database.
    pub fn start(&self) -> anyhow::Result<Turn> {
        let options = Options {
            data_dir: self.folder.path().join("postgres"),
            durable: true,
            bin_dir: self.bin.clone(),
        };
        let turn = Turn { postgres: Embedded::start(options)?, psql: self.bin.program("psql") };
        turn.ask("postgres", &format!("drop database if exists {DATABASE} with (force)"))?;
        turn.ask("postgres", &format!("create database {DATABASE}"))?;
        turn.ask("postgres", "checkpoint")?;
        Ok(turn)
    }

    /// `PostgreSQL 15.18`
    pub fn version(&self) -> anyhow::Result<String> {
        let said = Command::new(self.bin.program("postgres")).arg("--version").output()?;
        let said = String::from_utf8_lossy(&said.stdout).replace("postgres (PostgreSQL)", "");
        let number = said.split_whitespace().next().context("postgres --version said nothing")?;
        Ok(format!("PostgreSQL {number}"))
    }
}

pub struct Turn {
    postgres: Embedded,
    psql: PathBuf,
}

impl Turn {
    /// Of the database, as its owner.
    pub fn url(&self) -> String {
        self.postgres.url(SUPERUSER, DATABASE)
    }

    pub fn url_as(&self, role: &str) -> String {
        self.postgres.url(role, DATABASE)
    }

    /// What a statement answers: a value, or several separated by `|`.
    pub fn answer(&self, statement: &str) -> anyhow::Result<String> {
        self.ask(DATABASE, statement)
    }

    pub fn number(&self, statement: &str) -> anyhow::Result<f64> {
        let said = self.answer(statement)?;
        said.parse().with_context(|| format!("{statement}: {said}"))
    }

    fn ask(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        let mut command = Command::new(&self.psql);
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d"]);
        command.arg(self.postgres.url(SUPERUSER, database)).args(["-c", statement]);
        let said = command.output().with_context(|| format!("run {}", self.psql.display()))?;
        let errors = String::from_utf8_lossy(&said.stderr);
        ensure!(said.status.success(), "{statement}: {errors}");
        Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
    }

    /// Of the server, from its next start on.
    pub fn set(&self, setting: &str, value: &str) -> anyhow::Result<()> {
        self.ask("postgres", &format!("alter system set {setting} = '{value}'")).map(drop)
    }

    /// Runs what is written, which may be `copy … from stdin` with its rows.
    pub fn load(
        &self,
        write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut command = Command::new(&self.psql);
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d"]).arg(self.url());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut stdin = BufWriter::new(child.stdin.take().context("psql has no standard input")?);
        write(&mut stdin)?;
        drop(stdin);
        ensure!(child.wait()?.success(), "psql has refused what was to be loaded");
        Ok(())
    }

    /// Somebody who has looked at something and keeps the transaction open.
    pub fn reader(&self) -> anyhow::Result<Reader> {
        let mut command = Command::new(&self.psql);
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d"]).arg(self.url());
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().context("run psql")?;
        let mut stdin = child.stdin.take().context("psql has no standard input")?;
        stdin.write_all(
            b"begin isolation level repeatable read; select count(*) from pg_class;\n",
        )?;
        stdin.flush()?;
        let reader = Reader { child, stdin: Some(stdin) };
        let held = "select count(*) from pg_stat_activity where backend_xmin is not null
                    and state = 'idle in transaction' and application_name = 'psql'";
        while self.number(held)? < 1.0 {}
        Ok(reader)
    }
}

pub struct Reader {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // psql ends with its input; one that has ended already is no failure
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
