//! A private Redis on a unix socket that keeps nothing.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use boot::lifeline;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::reachable_dir;

const READY_WITHIN: Duration = Duration::from_secs(10);
const POLL_EVERY: Duration = Duration::from_millis(10);
const MISSING: &str = "found no `redis-server` on this machine; run `apt-get install -y \
                       --no-install-recommends redis-server` (macOS: `brew install redis`, Red \
                       Hat: `dnf install -y redis`)";

/// Killed when dropped.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    dir: TempDir,
}

impl Redis {
    /// Call it from a thread that lives as long as the server is wanted: where Linux can, it ends
    /// the server with the thread.
    pub fn start() -> anyhow::Result<Self> {
        let dir = reachable_dir()?;
        let mut redis = Self { child: spawn(&dir)?, dir };
        redis.wait_until_ready()?;
        Ok(redis)
    }

    /// As `kill -9`. Waits until it is gone.
    pub fn kill(&mut self) {
        // both calls fail only if it has ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// An empty one, at the same place.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.child = spawn(&self.dir)?;
        self.wait_until_ready()
    }

    /// Whatever it holds is gone, and so is whoever listened to it.
    pub fn flush(&self) -> anyhow::Result<()> {
        let ask = |command| answer(&socket(&self.dir), command).context("redis does not answer");
        ensure!(ask("FLUSHALL")? == "+OK", "redis would not be flushed");
        ensure!(ask("CLIENT KILL TYPE pubsub")?.starts_with(':'), "redis keeps its listeners");
        Ok(())
    }

    pub fn url(&self) -> String {
        format!("redis+unix://{}", socket(&self.dir).display())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        while !answer(&socket(&self.dir), "PING").is_ok_and(|answer| answer == "+PONG") {
            let ended = self.child.try_wait().context("could not wait for redis-server")?;
            if ended.is_some() || Instant::now() >= deadline {
                let said = fs::read_to_string(log(&self.dir)).unwrap_or_default();
                bail!("redis-server did not start; it said:\n{said}");
            }
            thread::sleep(POLL_EVERY);
        }
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // it holds nothing worth a farewell
        self.kill();
    }
}

fn spawn(dir: &TempDir) -> anyhow::Result<Child> {
    let mut command = Command::new("redis-server");
    command
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"])
        .args(["--unixsocketperm", "700", "--unixsocket"])
        .arg(socket(dir))
        .arg("--dir")
        .arg(dir.path())
        .arg("--logfile")
        .arg(log(dir))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0);
    lifeline::end_with_parent(&mut command, Signal::TERM);
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow::Error::msg(MISSING),
        _ => anyhow::Error::new(error).context("could not run redis-server"),
    })
}

fn socket(dir: &TempDir) -> PathBuf {
    dir.path().join("redis.sock")
}

fn log(dir: &TempDir) -> PathBuf {
    dir.path().join("redis.log")
}

/// The first line of what it says to a command.
fn answer(socket: &Path, command: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(READY_WITHIN))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let (mut line, mut byte) = (Vec::new(), [0]);
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(line.trim_ascii_end()).into_owned())
}
