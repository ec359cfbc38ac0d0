//! A run as a process of its own: what it said, how long it took, and how much memory it held at most.

use std::{
    fmt, fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::Value;

/// How often its memory is looked at. The system keeps the peak itself, so that only what is
/// taken in the last moments before the end is missed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Lines of a failed run that are shown.
const SHOWN_LINES: usize = 20;

pub struct Ran {
    pub lines: Vec<String>,
    pub seconds: f64,
    /// Where the system tells.
    pub peak_bytes: Option<u64>,
}

/// A run that was ended, with what it held until then.
#[derive(Debug)]
pub struct TookLonger {
    name: String,
    pub limit: Duration,
    pub peak_bytes: Option<u64>,
}

impl fmt::Display for TookLonger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} took longer than {:?}", self.name, self.limit)
    }
}

impl std::error::Error for TookLonger {}

/// Until it ends, or for as long as it may run. Gives each line as it comes.
pub fn run(
    command: &mut Command,
    limit: Duration,
    on_line: &mut dyn FnMut(&str),
) -> anyhow::Result<Ran> {
    let name = command.get_program().to_string_lossy().into_owned();
    let start = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("start {name}"))?;
    let (sender, receiver) = mpsc::channel();
    if let Some(pipe) = child.stdout.take() {
        read_lines(pipe, sender.clone());
    }
    if let Some(pipe) = child.stderr.take() {
        read_lines(pipe, sender);
    }
    let mut lines = vec![];
    let mut peak_bytes = None;
    loop {
        let line = receiver.recv_timeout(LOOK_EVERY);
        peak_bytes = peak_bytes.max(high_water(child.id()));
        match line {
            Ok(line) => {
                on_line(&line);
                lines.push(line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if start.elapsed() > limit {
            child.kill().with_context(|| format!("end {name}"))?;
            child.wait().with_context(|| format!("wait for {name}"))?;
            return Err(TookLonger { name, limit, peak_bytes }.into());
        }
    }
    let status = child.wait().with_context(|| format!("wait for {name}"))?;
    let seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        let from = lines.len().saturating_sub(SHOWN_LINES);
        bail!("{name} ended with {status}: {}", lines[from..].join(" / "));
    }
    Ok(Ran { lines, seconds, peak_bytes })
}

/// Until the pipe closes.
fn read_lines(pipe: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if to.send(line).is_err() {
                break;
            }
        }
    });
}

/// The most memory that a process has held, as Linux tells (proc(5), `VmHWM`).
fn high_water(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// What `cupola train` is given.
pub struct Training<'a> {
    pub binary: &'a Path,
    pub spec: &'a Value,
    pub data: &'a Path,
    pub test: Option<&'a Path>,
    /// Takes the specification and, in `out`, what the run leaves.
    pub folder: &'a Path,
}

impl Training<'_> {
    const LIMIT: Duration = Duration::from_secs(24 * 3_600);

    pub fn run(&self, on_line: &mut dyn FnMut(&str)) -> anyhow::Result<Ran> {
        run(&mut self.command()?, Self::LIMIT, on_line)
    }

    /// With its specification written.
    pub fn command(&self) -> anyhow::Result<Command> {
        let spec = self.folder.join("spec.json");
        fs::write(&spec, serde_json::to_vec(self.spec)?).context("write the specification")?;
        let mut command = Command::new(self.binary);
        command.arg("train").arg("--spec").arg(&spec).arg("--data").arg(self.data);
        command.arg("--out").arg(self.folder.join("out"));
        if let Some(test) = self.test {
            command.arg("--test").arg(test);
        }
        Ok(command)
    }

    /// Of the finished model.
    pub fn config(&self) -> anyhow::Result<Value> {
        let config = fs::read(self.folder.join("out/config.json")).context("read config.json")?;
        serde_json::from_slice(&config).context("config.json")
    }
}

/// Of a finished model, by its config.json.
pub fn parameters(config: &Value) -> anyhow::Result<u64> {
    let tensors = config["tensors"].as_array().context("config.json has no tensors")?;
    let size = |tensor: &Value| {
        let shape = tensor["shape"].as_array()?;
        shape.iter().map(Value::as_u64).product::<Option<u64>>()
    };
    Ok(tensors.iter().filter_map(size).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_measured_and_its_failure_shown() {
        let limit = Duration::from_secs(60);
        let mut shown = vec![];
        let mut show = |line: &str| shown.push(line.to_owned());
        let mut command = Command::new("sh");
        let ran = run(command.args(["-c", "echo one; echo two >&2"]), limit, &mut show).unwrap();
        let mut lines = ran.lines;
        lines.sort_unstable();
        shown.sort_unstable();
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(shown, lines);
        let mut command = Command::new("sh");
        let failed = run(command.args(["-c", "echo why; exit 3"]), limit, &mut |_| {});
        let message = failed.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(message.contains("why") && message.contains('3'), "{message}");
    }

    #[test]
    fn a_child_that_takes_too_long_is_ended() {
        let mut command = Command::new("sh");
        let ended = run(command.args(["-c", "exec cat /dev/zero"]), Duration::ZERO, &mut |_| {});
        let message = ended.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(message.contains("took longer"), "{message}");
    }
}
