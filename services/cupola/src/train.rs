//! `cupola train`: the engine by itself, so that a specification can be tried on a laptop without a
//! server. It reads a file, trains, and leaves the model beside its history. An interrupted run goes
//! on where its checkpoint stands.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use anyhow::{Context, bail};
use domain::{
    Digest,
    child::{CHECKPOINT_FILE, CONFIG_FILE, DATA_FILE, DataFile, Event, TEST_FILE, WEIGHTS_FILE},
    dataset::{Compression, Format, Profile, ReadLimits},
    field::FieldErrors,
    spec::{DatasetRef, Estimate, Limits, TestSet, TrainingDraft, TrainingSpec},
};
use engine::{Ending, Run, StopFlag};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

/// One line of JSON for each epoch.
const HISTORY_FILE: &str = "history.jsonl";

#[derive(clap::Args)]
pub struct Arguments {
    /// The specification, as it would be submitted; without `dataset`.
    #[arg(long)]
    spec: PathBuf,
    /// A .csv, .tsv, .jsonl or .txt file, also as .gz or .zst, or a .zip of images.
    #[arg(long)]
    data: PathBuf,
    /// Another file with the same columns, on which the finished model is tested.
    #[arg(long)]
    test: Option<PathBuf>,
    /// The folder that takes the model, its history, and the checkpoint of an interrupted run.
    #[arg(long)]
    out: PathBuf,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("make the folder {}", arguments.out.display()))?;
    let data = place(&arguments.data, &arguments.out.join(DATA_FILE))?;
    let test = match &arguments.test {
        Some(path) => Some(place(path, &arguments.out.join(TEST_FILE))?),
        None => None,
    };
    let limits = ReadLimits::default();
    let profile = engine::profile(&arguments.out.join(DATA_FILE), &data, &limits)
        .with_context(|| format!("{}", arguments.data.display()))?;
    describe(&profile);
    let spec = resolve(&arguments.spec, &data, test, &profile)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone()).context("listen for Ctrl-C")?;
    }
    let run =
        Run { spec: &spec, data: &data, limits: &limits, scratch: &arguments.out, member: None };
    let Estimate { seconds, memory_bytes, .. } = spec.estimate;
    println!("estimate: {seconds:.1} s, {} MiB", memory_bytes >> 20);
    let started = Instant::now();
    let mut shown = Shown::start(&arguments.out, started)?;
    let ending = engine::train(run, &StopFlag::from(stop), &mut |event| shown.event(&event))?;
    shown.bar.finish_and_clear();
    for name in [DATA_FILE, TEST_FILE] {
        remove(&arguments.out.join(name))?;
    }
    match ending {
        Ending::Stopped { step } => {
            println!("stopped at step {step}; the same command goes on from there");
        }
        Ending::Trained { metrics } => {
            remove(&arguments.out.join(CHECKPOINT_FILE))?;
            for (name, value) in metrics {
                println!("{name:>32}  {value:.6}");
            }
            let peak =
                peak_mebibytes().map_or(String::new(), |peak| format!(", {peak} MiB at most"));
            println!("took: {:.1} s{peak}", started.elapsed().as_secs_f64());
            let out = arguments.out.display();
            println!("{out}/{WEIGHTS_FILE}, {out}/{CONFIG_FILE}, {out}/{HISTORY_FILE}");
        }
    }
    Ok(())
}

/// Links the file to where the engine looks for it, and says what it is by its name.
pub fn place(path: &Path, to: &Path) -> anyhow::Result<DataFile> {
    let (sha256, bytes) = fs::File::open(path)
        .and_then(|mut file| Digest::of_reader(&mut file))
        .with_context(|| format!("read {}", path.display()))?;
    let (format, compression) = kind_of(path)?;
    remove(to)?;
    let whole = fs::canonicalize(path).with_context(|| format!("read {}", path.display()))?;
    std::os::unix::fs::symlink(whole, to).with_context(|| format!("make {}", to.display()))?;
    Ok(DataFile { format, compression, sha256, bytes })
}

/// What a file is, by its name.
pub fn kind_of(path: &Path) -> anyhow::Result<(Format, Compression)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let (stem, compression) = match name.rsplit_once('.') {
        Some((stem, "gz")) => (stem, Compression::Gzip),
        Some((stem, "zst")) => (stem, Compression::Zstd),
        _ => (name.as_str(), Compression::None),
    };
    let format = match stem.rsplit_once('.').map(|(_, extension)| extension) {
        Some("csv") => Format::Csv,
        Some("tsv") => Format::Tsv,
        Some("jsonl" | "ndjson") => Format::Jsonl,
        Some("txt") => Format::Text,
        Some("zip") => Format::Images,
        _ => bail!("{}: name it .csv, .tsv, .jsonl, .txt or .zip", path.display()),
    };
    Ok((format, compression))
}

pub fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

pub fn resolve(
    path: &Path,
    data: &DataFile,
    test: Option<DataFile>,
    profile: &Profile,
) -> anyhow::Result<TrainingSpec> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let mut json: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let object = json.as_object_mut().context("the specification must be a JSON object")?;
    object.entry("dataset").or_insert(json!("local"));
    object.remove("test");
    let json = serde_json::to_string(&json).context("the specification")?;
    let mut reader = serde_json::Deserializer::from_str(&json);
    let mut draft: TrainingDraft = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| anyhow::anyhow!("{}: {}", error.path(), error.inner()))?;
    if draft.workers.take().is_some_and(|workers| workers > 1) {
        println!("`workers`: this is one, and trains alone");
    }
    // alone on the machine, a run may have all of it
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as i64);
    let asked = draft.resources.get_or_insert_default();
    asked.cpu_milli.get_or_insert(1_000 * cpus);
    asked.memory_bytes.get_or_insert(memory_of_machine());
    draft.max_runtime.get_or_insert(Limits::default().max_runtime_secs);
    let name: domain::name::Name = draft.dataset.parse().context("dataset")?;
    let dataset = |sha256| DatasetRef { name: name.clone(), version: 1, sha256 };
    let test = test.map(|data| TestSet { dataset: dataset(data.sha256), data });
    let dataset = dataset(data.sha256);
    TrainingSpec::parse(draft, dataset, test, profile, &Limits::default()).map_err(
        |FieldErrors(errors)| {
            let lines: Vec<_> =
                errors.iter().map(|e| format!("  {}: {}", e.field, e.message)).collect();
            anyhow::anyhow!("the specification does not fit the data\n{}", lines.join("\n"))
        },
    )
}

/// In bytes; 4 GiB where the system does not say.
fn memory_of_machine() -> i64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = |line: &str| line.split_whitespace().nth(1)?.parse::<i64>().ok();
    let total = info.lines().find(|line| line.starts_with("MemTotal:")).and_then(kilobytes);
    total.map_or(4 << 30, |kilobytes| (kilobytes * 1_024).min(256 << 30))
}

/// The most memory that this process has had at once, where the system says.
fn peak_mebibytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1_024)
}

fn describe(profile: &Profile) {
    println!("{} rows, {} columns", profile.rows, profile.columns.len());
    profile.warnings.iter().for_each(|warning| println!("  note: {warning}"));
}

struct Shown {
    bar: ProgressBar,
    history: fs::File,
    started: Instant,
}

impl Shown {
    fn start(out: &Path, started: Instant) -> anyhow::Result<Self> {
        let style = ProgressStyle::with_template("[{bar:30}] step {pos}/{len}  {msg}  {eta} left")
            .context("the bar's template")?
            .progress_chars("=> ");
        let path = out.join(HISTORY_FILE);
        // a run that goes on from its checkpoint goes on with its history
        let goes_on = out.join(CHECKPOINT_FILE).exists();
        let mut options = fs::OpenOptions::new();
        let history = options.create(true).write(true).append(goes_on).truncate(!goes_on);
        let history = history.open(&path).with_context(|| format!("write {}", path.display()))?;
        Ok(Self { bar: ProgressBar::new(0).with_style(style), history, started })
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Started { total_steps, parameters, resumed_from_step, .. } => {
                self.bar.set_length(*total_steps);
                self.say(&format!("{parameters} parameters"));
                if let Some(step) = resumed_from_step {
                    self.say(&format!("going on from step {step}"));
                }
            }
            Event::Step { step, loss, .. } => {
                self.bar.set_position(*step);
                self.bar.set_message(format!("loss {loss:.4}"));
            }
            Event::Epoch { epoch, step, metrics } => {
                self.bar.set_position(*step);
                let values: String =
                    metrics.iter().map(|(name, value)| format!("  {name} {value:.4}")).collect();
                self.say(&format!("epoch {epoch:>3}{values}"));
                // of this process: where a run was interrupted, they begin anew
                let seconds = self.started.elapsed().as_secs_f64();
                let line =
                    json!({"epoch": epoch, "step": step, "seconds": seconds, "metrics": metrics});
                if let Err(error) = writeln!(self.history, "{line}") {
                    self.say(&format!("warning: {HISTORY_FILE}: {error}"));
                }
            }
            Event::Log { line } => self.say(line),
            _ => {}
        }
    }

    /// Above the bar, or plainly where there is no terminal to draw one on.
    fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            println!("{line}");
        } else {
            self.bar.println(line);
        }
    }
}
