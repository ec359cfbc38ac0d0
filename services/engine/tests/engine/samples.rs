//! Files, specifications and runs that the tests share.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use domain::{
    Digest,
    child::{CONFIG_FILE, DATA_FILE, DataFile, Event, TEST_FILE, WEIGHTS_FILE},
    dataset::{Compression, Format, Profile, ReadLimits},
    field::FieldErrors,
    predict::Row,
    spec::{DatasetRef, Limits, TestSet, TrainingSpec},
};
use engine::{Ending, EngineError, Model, Run, StopFlag};
use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;

/// A scratch folder with a dataset in it, and perhaps one to test on.
pub struct Scratch {
    folder: TempDir,
    pub data: DataFile,
    pub limits: ReadLimits,
    test: Option<TestSet>,
}

impl Scratch {
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self::with(bytes, Format::Csv, Compression::None)
    }

    pub fn with(bytes: impl AsRef<[u8]>, format: Format, compression: Compression) -> Self {
        let bytes = bytes.as_ref();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DATA_FILE), bytes).unwrap();
        let data = described(bytes, format, compression);
        Self { folder, data, limits: ReadLimits::default(), test: None }
    }

    /// The finished model is tested on another file of the same format.
    pub fn tested_on(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        fs::write(self.path().join(TEST_FILE), bytes).unwrap();
        let data = described(bytes, self.data.format, Compression::None);
        let dataset = dataset("held-out", data.sha256);
        self.test = Some(TestSet { dataset, data });
        self
    }

    /// Another folder with the same files and nothing trained.
    pub fn again(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in [DATA_FILE, TEST_FILE] {
            if let Ok(bytes) = fs::read(self.path().join(name)) {
                fs::write(folder.path().join(name), bytes).unwrap();
            }
        }
        Self { folder, data: self.data.clone(), limits: self.limits, test: self.test.clone() }
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
    pub fn spec(&self, draft: Value) -> TrainingSpec {
        self.parse(draft).unwrap()
    }

    pub fn parse(&self, draft: Value) -> Result<TrainingSpec, FieldErrors> {
        let draft = serde_json::from_value(draft).unwrap();
        let dataset = dataset("sample", self.data.sha256);
        let (test, profile) = (self.test.clone(), self.profile().unwrap());
        TrainingSpec::parse(draft, dataset, test, &profile, &Limits::default())
    }

    /// Trains what a draft becomes to its end.
    pub fn run(&self, draft: Value) -> (Ending, Vec<Event>) {
        self.train(&self.spec(draft)).unwrap()
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
        let run = Run {
            spec,
            data: &self.data,
            limits: &self.limits,
            scratch: self.path(),
            member: None,
        };
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

    /// The published numbers by the names of their tensors.
    pub fn weights(&self) -> BTreeMap<String, Vec<f32>> {
        let bytes = self.read(WEIGHTS_FILE);
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let number = |b: &[u8]| f32::from_le_bytes(b.try_into().unwrap());
        let numbers = |data: &[u8]| data.chunks_exact(4).map(number).collect();
        file.iter().map(|(name, t)| (name.to_owned(), numbers(t.data()))).collect()
    }

    pub fn model(&self) -> Model {
        let (config, weights) = self.model_files();
        Model::load(&config, &weights).unwrap()
    }
}

fn described(bytes: &[u8], format: Format, compression: Compression) -> DataFile {
    DataFile { format, compression, sha256: Digest::of(bytes), bytes: bytes.len() as u64 }
}

pub fn dataset(name: &str, sha256: Digest) -> DatasetRef {
    DatasetRef { name: name.parse().unwrap(), version: 1, sha256 }
}

/// A draft with the fields of `more` in place of its own.
pub fn with(mut draft: Value, more: Value) -> Value {
    let fields = draft.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    draft
}

pub fn rows(value: Value) -> Vec<Row> {
    serde_json::from_value(value).unwrap()
}

/// The file's rows as a client would send them.
pub fn client_rows(csv: &str) -> Vec<Row> {
    let mut lines = csv.lines().map(|l| l.split(','));
    let names: Vec<&str> = lines.next().unwrap().collect();
    let value = |cell: &str| match cell.parse::<f64>() {
        Ok(n) => serde_json::json!(n),
        Err(_) if cell.is_empty() || cell == "?" => Value::Null,
        Err(_) => serde_json::json!(cell),
    };
    lines.map(|l| names.iter().map(|n| (*n).to_owned()).zip(l.map(value)).collect()).collect()
}

/// The epochs' metrics, exactly as emitted.
pub fn epochs(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|e| matches!(e, Event::Epoch { .. })).collect()
}

/// What epoch after epoch has under a name; epochs without it are left out.
pub fn history(events: &[Event], name: &str) -> Vec<f64> {
    let value = |event: &Event| match event {
        Event::Epoch { metrics, .. } => metrics.get(name).copied(),
        _ => None,
    };
    events.iter().filter_map(value).collect()
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
