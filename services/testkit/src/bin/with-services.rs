//! Runs a command with a throwaway Postgres and Redis beside it, and leaves with its exit code.
//!
//! ```text
//! with-services COMMAND [ARGUMENT]...
//! ```
//!
//! The command finds them through `CUPOLA_TEST_PG`, the superuser's URL of a migrated database, and
//! `CUPOLA_TEST_REDIS`. Both servers end with this process, however it ends.

use std::{
    env,
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    process::{ExitCode, ExitStatus},
};

use anyhow::Context;
use boot::{
    shutdown,
    telemetry::{self, LogFormat},
};
use rustix::process::{Pid, Signal, kill_process};
use testkit::{Cluster, POSTGRES_VARIABLE, REDIS_VARIABLE, Redis, make_template};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

const EXIT_USAGE: u8 = 2;
/// Shells add the signal's number to this.
const EXIT_SIGNAL: i32 = 128;

/// One thread, because Linux ties the servers' lives to the thread that started them.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let command: Vec<OsString> = env::args_os().skip(1).collect();
    let Some((program, arguments)) = command.split_first() else {
        eprintln!("usage: with-services COMMAND [ARGUMENT]...");
        return ExitCode::from(EXIT_USAGE);
    };
    match run(program, arguments).await {
        Ok(status) => exit_code(status),
        Err(error) => {
            eprintln!("with-services: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(program: &OsString, arguments: &[OsString]) -> anyhow::Result<ExitStatus> {
    telemetry::init(LogFormat::Human)?;
    let stop = shutdown::on_signal();
    let redis = Redis::start()?;
    let cluster = Cluster::start().await?;
    make_template(&cluster.owner_url()).await?;
    let child = Command::new(program)
        .args(arguments)
        .env(POSTGRES_VARIABLE, cluster.owner_url())
        .env(REDIS_VARIABLE, redis.url())
        .spawn()
        .with_context(|| format!("could not run {}", program.display()))?;
    wait(child, &stop).await
}

/// Hands a request to leave on to the command, and waits for it either way.
async fn wait(mut child: Child, stop: &CancellationToken) -> anyhow::Result<ExitStatus> {
    let ended = tokio::select! {
        status = child.wait() => Some(status),
        () = stop.cancelled() => None,
    };
    if let Some(status) = ended {
        return status.context("could not wait for the command");
    }
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    if let Some(pid) = pid {
        // It fails only for a command that has just ended.
        let _ = kill_process(pid, Signal::TERM);
    }
    child.wait().await.context("could not wait for the command")
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(EXIT_SIGNAL + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
