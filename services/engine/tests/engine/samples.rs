//! Files, specifications and runs that the tests share.

use std::{
    fs,
    path::{Path, PathBuf},
};

use domain::{
    Digest,
    child::{CONFIG_FILE, DATA_FILE, DataFile, Event, WEIGHTS_FILE},
    dataset::{Compression, Format, Profile, ReadLimits},
    spec::{DatasetRef, Limits, TrainingSpec},
};
use engine::{Ending, EngineError, Model, Run, StopFlag};
use tempfile::TempDir;

/// A scratch folder with a dataset in it.
pub struct Scratch {
    folder: TempDir,
    pub data: DataFile,
    pub limits: ReadLimits,
}

impl Scratch {
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self::with(bytes, Format::Csv, Compression::None)
    }

    pub fn with(bytes: impl AsRef<[u8]>, format: Format, compression: Compression) -> Self {
        let bytes = bytes.as_ref();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DATA_FILE), bytes).unwrap();
        let data =
            DataFile { format, compression, sha256: Digest::of(bytes), bytes: bytes.len() as u64 };
        Self { folder, data, limits: ReadLimits::default() }
    }

    pub fn limited(mut self, change: impl FnOnce(&mut ReadLimits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn profile(&self) -> Result<Profile, EngineError> {
        engine::profile(&self.path().join(DATA_FILE), &self.data, &self.limits)
    }

    /// The code and message with which the file is refused.
    pub fn refusal(&self) -> (String, String) {
        let cause = self.profile().unwrap_err().cause();
        (cause.code, cause.message)
    }

    /// The specification that a client's draft becomes for this dataset.
    pub fn spec(&self, draft: serde_json::Value) -> TrainingSpec {
        let draft = serde_json::from_value(draft).unwrap();
        let dataset =
            DatasetRef { name: "sample".parse().unwrap(), version: 1, sha256: self.data.sha256 };
        TrainingSpec::parse(draft, dataset, &self.profile().unwrap(), &Limits::default()).unwrap()
    }

    pub fn train(&self, spec: &TrainingSpec) -> Result<(Ending, Vec<Event>), EngineError> {
        let stop = StopFlag::default();
        self.train_until(spec, &stop, |_| false)
    }

    /// Trains, and asks for a stop once an event satisfies `until`.
    pub fn train_until(
        &self,
        spec: &TrainingSpec,
        stop: &StopFlag,
        until: impl Fn(&Event) -> bool,
    ) -> Result<(Ending, Vec<Event>), EngineError> {
        let mut events = vec![];
        let run = Run { spec, data: &self.data, limits: &self.limits, scratch: self.path() };
        let ending = engine::train(run, stop, &mut |event| {
            if until(&event) {
                stop.stop();
            }
            events.push(event);
        })?;
        Ok((ending, events))
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    /// The bytes of the published files.
    pub fn model_files(&self) -> (Vec<u8>, Vec<u8>) {
        (self.read(CONFIG_FILE), self.read(WEIGHTS_FILE))
    }

    pub fn model(&self) -> Model {
        let (config, weights) = self.model_files();
        Model::load(&config, &weights).unwrap()
    }
}

/// The epochs' metrics, exactly as emitted.
pub fn epochs(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|e| matches!(e, Event::Epoch { .. })).collect()
}

pub fn metric(ending: &Ending, name: &str) -> f64 {
    match ending {
        Ending::Trained { metrics } => metrics[name],
        Ending::Stopped { step } => panic!("stopped at step {step}"),
    }
}

pub fn breast_cancer() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/breast-cancer.csv");
    fs::read(path).unwrap()
}

/// A file of the real datasets, where the folder that holds them is known.
pub fn real_data(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("CUPOLA_DATA") else {
        println!("skipped: CUPOLA_DATA is unset");
        return None;
    };
    Some(fs::read(PathBuf::from(folder).join(name)).unwrap())
}

/// Three classes in rings around a point, a text column that helps and one that does not.
pub fn rings(rows: u32) -> String {
    let mut csv = String::from("x,y,colour,noise,ring\n");
    for i in 0..rows {
        let ring = i % 3;
        let angle = f64::from(i) * 0.7;
        let radius = f64::from(ring) * 2.0 + 1.0 + (f64::from(i) * 1.3).sin() * 0.3;
        let (x, y) = (radius * angle.cos(), radius * angle.sin());
        let colour = if i % 7 == 0 { "" } else { ["red", "green", "blue"][ring as usize] };
        csv +=
            &format!("{x:.4},{y:.4},{colour},{},{}\n", i % 5, ["in", "mid", "out"][ring as usize]);
    }
    csv
}

/// `y = 3 a - 2 b + 100`, with a hole in `a` now and then.
pub fn line(rows: u32) -> String {
    let mut csv = String::from("a,b,y\n");
    for i in 0..rows {
        let (a, b) = ((f64::from(i) * 0.9).sin() * 10.0, (f64::from(i) * 0.4).cos() * 5.0);
        let y = 3.0 * a - 2.0 * b + 100.0;
        let hole = if i % 50 == 49 { String::from("?") } else { format!("{a:.4}") };
        csv += &format!("{hole},{b:.4},{y:.4}\n");
    }
    csv
}
