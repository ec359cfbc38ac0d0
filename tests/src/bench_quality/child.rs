//! One training run as a process of its own: what it reached, how long it took, and how much memory
//! it held at most.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::Value;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    closed_form,
    row::{Data, Row},
};

/// How often its memory is looked at. The system keeps the peak itself, so that only what is
/// taken in the last moments before the end is missed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Lines of a failed run that are shown.
const SHOWN_LINES: usize = 20;

pub struct Measured {
    pub metrics: BTreeMap<String, f64>,
    pub seconds: f64,
    /// Where the system tells.
    pub peak_bytes: Option<u64>,
    pub estimate: Option<Estimate>,
}

/// What `cupola train` thought before it began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub seconds: f64,
    pub mebibytes: f64,
}

pub fn train(row: &Row, binary: &Path, data: &Path) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let spec = folder.path().join("spec.json");
    fs::write(&spec, serde_json::to_vec(&row.spec)?).context("write the specification")?;
    let file = data_file(row, data, folder.path())?;
    let out = folder.path().join("out");
    let mut command = Command::new(binary);
    command.arg("train").arg("--spec").arg(&spec).arg("--data").arg(&file).arg("--out").arg(&out);
    if let Some(test) = &row.test {
        command.arg("--test").arg(data.join(test));
    }
    let ran = run(&mut command)?;
    let config = fs::read(out.join("config.json")).context("read config.json")?;
    let config: Value = serde_json::from_slice(&config).context("config.json")?;
    let mut metrics = metrics(&config)?;
    if let Some(kind) = row.closed_form {
        let difference = closed_form::difference(kind, &config, &file, &out)?;
        metrics.insert("max_difference_from_closed_form".to_owned(), difference);
    }
    let estimate = ran.lines.iter().find_map(|line| estimate(line));
    Ok(Measured { metrics, seconds: ran.seconds, peak_bytes: ran.peak_bytes, estimate })
}

/// The file itself, or the archive of several, made here.
fn data_file(row: &Row, data: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let files = match &row.data {
        Data::File(file) => return Ok(data.join(file)),
        Data::Zip { zip } => zip,
    };
    let path = folder.join("data.zip");
    let mut zip = ZipWriter::new(File::create(&path).context("make the archive")?);
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for file in files {
        let source = data.join(file);
        let name = source.file_name().context("a data file without a name")?;
        zip.start_file(name.to_string_lossy(), stored).context("write the archive")?;
        let mut file = File::open(&source).with_context(|| format!("{}", source.display()))?;
        std::io::copy(&mut file, &mut zip).context("write the archive")?;
    }
    zip.finish().context("write the archive")?;
    Ok(path)
}

struct Ran {
    lines: Vec<String>,
    seconds: f64,
    peak_bytes: Option<u64>,
}

/// Shows each line as it comes.
fn run(command: &mut Command) -> anyhow::Result<Ran> {
    let start = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("start `cupola train`")?;
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
                eprintln!("    {line}");
                lines.push(line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.wait().context("wait for `cupola train`")?;
    let seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        let from = lines.len().saturating_sub(SHOWN_LINES);
        bail!("`cupola train` ended with {status}: {}", lines[from..].join(" / "));
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

/// Of the finished model; the number of its parameters too.
fn metrics(config: &Value) -> anyhow::Result<BTreeMap<String, f64>> {
    let metrics = config["metrics"].as_object().context("config.json has no metrics")?;
    let number = |(name, value): (&String, &Value)| Some((name.clone(), value.as_f64()?));
    let mut metrics: BTreeMap<_, _> = metrics.iter().filter_map(number).collect();
    let tensors = config["tensors"].as_array().context("config.json has no tensors")?;
    let size = |tensor: &Value| {
        let shape = tensor["shape"].as_array()?;
        shape.iter().map(Value::as_u64).product::<Option<u64>>()
    };
    let parameters: u64 = tensors.iter().filter_map(size).sum();
    metrics.insert("parameters".to_owned(), parameters as f64);
    Ok(metrics)
}

/// `estimate: 12.5 s, 340 MiB`
fn estimate(line: &str) -> Option<Estimate> {
    let (seconds, mebibytes) = line.trim().strip_prefix("estimate:")?.split_once(',')?;
    let number = |text: &str, unit: &str| text.trim().strip_suffix(unit)?.trim().parse().ok();
    Some(Estimate { seconds: number(seconds, "s")?, mebibytes: number(mebibytes, "MiB")? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_estimate_is_read_where_there_is_one() {
        let found = estimate("estimate: 12.5 s, 340 MiB");
        assert_eq!(found, Some(Estimate { seconds: 12.5, mebibytes: 340.0 }));
        assert_eq!(estimate("estimate: soon"), None);
        assert_eq!(estimate("epoch 1"), None);
    }

    #[test]
    fn a_child_is_measured_and_its_failure_shown() {
        let ran = run(Command::new("sh").args(["-c", "echo one; echo two >&2"])).unwrap();
        let mut lines = ran.lines;
        lines.sort_unstable();
        assert_eq!(lines, ["one", "two"]);
        let failed = run(Command::new("sh").args(["-c", "echo why; exit 3"]));
        let message = failed.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(message.contains("why") && message.contains('3'), "{message}");
    }

    #[test]
    fn parameters_are_counted() {
        let config = json!({"metrics": {"loss": 0.5, "odd": null},
            "tensors": [{"name": "a", "shape": [3, 4]}, {"name": "b", "shape": [4]}]});
        let found = metrics(&config).unwrap();
        assert_eq!(found, [("loss".to_owned(), 0.5), ("parameters".to_owned(), 16.0)].into());
    }
}
