//! Workers and serving replicas as child processes of `cupola up`: started, started again when they die, and ended
//! with it. Their stdin is a pipe that closes when this process goes, however it goes: then they leave at
//! once, since Postgres goes too.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    config::{MASTER_KEY_FILE, Patience, Shared},
    serve::{self, Predicting},
};

const RESTART_AFTER: Duration = Duration::from_secs(1);
/// What a worker gets to write checkpoints and hand its work back; longer than it takes itself.
const GRACE: Duration = Duration::from_secs(100);

pub struct ChildProcess {
    /// The command that it is.
    name: &'static str,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl ChildProcess {
    pub fn worker(name: &str, shared: &Shared, scratch: &Path, patience: Patience) -> Self {
        let arguments = vec![
            format!("--name={name}"),
            format!("--scratch={}", scratch.display()),
            format!("--lease-secs={}", patience.lease_secs),
            format!("--retry-pause-secs={}", patience.retry_pause_secs),
        ];
        Self::new("worker", arguments, shared)
    }

    /// On a free port of this machine.
    pub fn replica(shared: &Shared, predicting: &Predicting) -> Self {
        let arguments = vec![
            "--listen=127.0.0.1:0".to_owned(),
            format!("--model-memory-bytes={}", predicting.model_memory_bytes),
            format!("--predict-batch-rows={}", predicting.predict_batch_rows),
            format!("--predict-patience-secs={}", predicting.predict_patience_secs),
        ];
        Self::new("serving", arguments, shared)
    }

    fn new(name: &'static str, arguments: Vec<String>, shared: &Shared) -> Self {
        let mut environment = vec![
            ("DATABASE_URL", shared.database.database_url.clone()),
            ("OBJECT_STORE_URL", shared.object_store_url.clone()),
        ];
        environment.extend(shared.redis_url.clone().map(|url| ("REDIS_URL", url)));
        let files = &shared.master_keys.master_key_file;
        let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        if !files.is_empty() {
            environment.push((MASTER_KEY_FILE, files.join(",")));
        }
        Self { name, arguments, environment }
    }

    /// Until `end`; then SIGTERM, and patience while it hands its work back.
    pub async fn keep_running(self, end: CancellationToken) -> anyhow::Result<()> {
        while !end.is_cancelled() {
            let mut child = self.spawn()?;
            // held apart: waiting for a child closes the stdin that it still owns
            let _lifeline = child.stdin.take();
            tokio::select! {
                status = child.wait() => {
                    warn!(process.name = self.name, ?status, "a process ended; starting another");
                    end.run_until_cancelled(tokio::time::sleep(RESTART_AFTER)).await;
                }
                () = end.cancelled() => return stop(child).await,
            }
        }
        Ok(())
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        Command::new(serve::own_program()?)
            .args([self.name, "--lifeline"])
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            // its own group: a Ctrl-C in the terminal reaches `up` alone, which then ends it in order
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("a child process could not be started")
    }
}

async fn stop(mut child: Child) -> anyhow::Result<()> {
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        // one that has just ended needs no telling
        let _ = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        child.kill().await.context("a child process could not be ended")?;
    }
    Ok(())
}
