//! One child process: started with nothing but its scratch folder, listened to, and ended.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
};

use domain::{Resources, child::Event};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
};

use crate::{MAX_EVENT_BYTES, MAX_LINE_BYTES, bounds::Taken};

/// Said and not yet heard; a child that says more waits.
const UNHEARD: usize = 64;

#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Event(Event),
    /// On stderr, or not an event.
    Line(String),
}

pub(crate) struct Process {
    child: Child,
    /// The child leaves when this closes, however the agent ends.
    _lifeline: Option<ChildStdin>,
    pid: Option<Pid>,
    /// Ends when the child has.
    pub said: mpsc::Receiver<Said>,
}

impl Process {
    pub(crate) fn start(
        program: &Path,
        scratch: &Path,
        resources: Resources,
        max_runtime: u64,
    ) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg("child")
            .arg("--scratch")
            .arg(scratch)
            .args(["--memory-bytes", &resources.memory_bytes.to_string()])
            .args(["--cpu-milli", &resources.cpu_milli.to_string()])
            .args(["--max-runtime", &max_runtime.to_string()])
            .env_clear()
            .env("RAYON_NUM_THREADS", crate::threads(resources).to_string())
            .current_dir(scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // a terminal's Ctrl-C is for the agent, which then asks for a checkpoint
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (to, said) = mpsc::channel(UNHEARD);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(forward(stdout, MAX_EVENT_BYTES, event_or_line, to.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(forward(stderr, MAX_LINE_BYTES, line, to));
        }
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self { _lifeline: child.stdin.take(), pid, child, said })
    }

    /// A checkpoint at the next step, please, and then the end. One that has ended hears nothing.
    pub(crate) fn ask_to_stop(&self) {
        // the process is not reaped before `wait`, so its id is still its own
        if let Some(pid) = self.pid {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// One that has ended already is no failure.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.start_kill();
    }

    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// What it has taken so far; `scratch` is its folder.
    pub(crate) fn taken(&self, scratch: &Path) -> Taken {
        Taken::now(scratch, self.pid)
    }
}

/// Passes on line after line until the pipe ends or nobody listens. What a line has beyond `limit` is
/// skipped.
async fn forward(
    pipe: impl AsyncRead + Unpin,
    limit: usize,
    meaning: fn(&[u8]) -> Said,
    to: mpsc::Sender<Said>,
) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut pipe).take(limit as u64).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if !line.ends_with(b"\n") && skip_line(&mut pipe).await.is_err() {
            return;
        }
        if to.send(meaning(line.trim_ascii_end())).await.is_err() {
            return;
        }
    }
}

async fn skip_line(pipe: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<()> {
    loop {
        let chunk = pipe.fill_buf().await?;
        let end = chunk.iter().position(|&byte| byte == b'\n');
        let (read, done) = (end.map_or(chunk.len(), |at| at + 1), end.is_some());
        pipe.consume(read);
        if done || read == 0 {
            return Ok(());
        }
    }
}

fn event_or_line(said: &[u8]) -> Said {
    serde_json::from_slice(said).map_or_else(|_| line(said), Said::Event)
}

fn line(said: &[u8]) -> Said {
    let cut = &said[..said.len().min(MAX_LINE_BYTES)];
    Said::Line(String::from_utf8_lossy(cut).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn heard(bytes: &[u8], limit: usize) -> Vec<Said> {
        let (to, mut said) = mpsc::channel(UNHEARD);
        forward(bytes, limit, event_or_line, to).await;
        let mut heard = Vec::new();
        said.recv_many(&mut heard, UNHEARD).await;
        heard
    }

    #[tokio::test]
    async fn what_is_no_event_is_a_line() {
        let said =
            heard(b"{\"event\":\"stopped\",\"step\":3}\n{\"event\":\"x\"}\n\xff\n", 100).await;
        let line = |text: &str| Said::Line(text.into());
        assert_eq!(
            said,
            [Said::Event(Event::Stopped { step: 3 }), line("{\"event\":\"x\"}"), line("\u{fffd}")]
        );
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut_and_the_next_one_heard() {
        let said = heard(b"123456789\nabc\n123456", 5).await;
        assert_eq!(said, ["12345", "abc", "12345"].map(|text| Said::Line(text.into())));
    }

    /// A child that was granted so much says how many threads it is told to compute with.
    async fn threads_told(cpu_milli: u64) -> u64 {
        let scratch = tempfile::tempdir().unwrap();
        let program = scratch.path().join("child");
        std::fs::write(&program, "#!/bin/sh\necho $RAYON_NUM_THREADS\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let resources = Resources::cpu(cpu_milli, 1 << 30);
        let mut process = Process::start(&program, scratch.path(), resources, 60).unwrap();
        let said = process.said.recv().await;
        process.wait().await.unwrap();
        match said {
            Some(Said::Event(event)) => panic!("{event:?}"),
            Some(Said::Line(line)) => line.parse().unwrap(),
            None => panic!("it said nothing"),
        }
    }

    #[tokio::test]
    async fn a_child_computes_with_what_it_was_granted_and_may_use() {
        let usable = std::thread::available_parallelism().unwrap().get() as u64;
        assert_eq!(threads_told(1).await, 1);
        assert_eq!(threads_told(1_001).await, 2.min(usable));
        assert_eq!(threads_told(64_000_000).await, usable);
    }
}
