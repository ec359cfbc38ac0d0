//! Models that are trained on the spot, exported, and asked both ways.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use domain::child::{ONNX_FILE, PREPROCESSING_FILE, TOKENIZER_FILE};
use domain::{
    Digest,
    child::{CONFIG_FILE, DATA_FILE, DataFile, WEIGHTS_FILE},
    dataset::{Compression, Format, ReadLimits},
    predict::{Prediction, Row},
    spec::{DatasetRef, Limits, TrainingSpec},
};
use engine::{Model, Run, StopFlag};
use flate2::read::GzDecoder;
use onnx::OnnxFiles;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Answers may differ by so much, of their size where that is above 1.
pub const TOLERANCE: f64 = 1e-4;

pub struct Trained {
    folder: TempDir,
    pub model: Model,
    pub tokenizer: Option<Vec<u8>>,
}

/// Trains what a draft says on the data, and exports it.
pub fn trained(data: impl AsRef<[u8]>, format: Format, draft: Value) -> Trained {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), data.as_ref(), format, draft);
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let (config, weights) = (read(CONFIG_FILE), read(WEIGHTS_FILE));
    let model = Model::load(&config, &weights).unwrap();
    let OnnxFiles { model: onnx, preprocessing, tokenizer } =
        onnx::export(&config, &weights).unwrap();
    fs::write(folder.path().join(ONNX_FILE), onnx).unwrap();
    fs::write(folder.path().join(PREPROCESSING_FILE), preprocessing).unwrap();
    if let Some(tokenizer) = &tokenizer {
        fs::write(folder.path().join(TOKENIZER_FILE), tokenizer).unwrap();
    }
    Trained { folder, model, tokenizer }
}

pub fn train(folder: &Path, bytes: &[u8], format: Format, draft: Value) {
    fs::write(folder.join(DATA_FILE), bytes).unwrap();
    let (compression, sha256) = (Compression::None, Digest::of(bytes));
    let data = DataFile { format, compression, sha256, bytes: bytes.len() as u64 };
    let limits = ReadLimits::default();
    let profile = engine::profile(&folder.join(DATA_FILE), &data, &limits).unwrap();
    let dataset = DatasetRef { name: "sample".parse().unwrap(), version: 1, sha256 };
    let mut draft = draft;
    draft["dataset"] = json!("sample");
    let draft = serde_json::from_value(draft).unwrap();
    let spec = TrainingSpec::parse(draft, dataset, None, &profile, &Limits::default()).unwrap();
    let run = Run { spec: &spec, data: &data, limits: &limits, scratch: folder, member: None };
    engine::train(run, &StopFlag::default(), &mut |_| {}).unwrap();
}

impl Trained {
    /// What onnxruntime makes of batches of rows, output by output; none where there is no onnxruntime.
    pub fn run(&self, batches: Value) -> Option<Vec<Value>> {
        let python = testkit::python_with_clients()?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/onnx_predict.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let asked = json!({ "batches": batches }).to_string();
        child.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Some(serde_json::from_slice(&done.stdout).unwrap())
    }

    /// Asks both for the rows: one of them alone, and all in groups as the engine takes them.
    /// `fed` are the rows as the graph takes them.
    #[track_caller]
    pub fn agrees(&self, rows: &[Row], fed: &[Value], group: usize) {
        assert!(rows.len() >= 50 && rows.len() == fed.len(), "{} rows", rows.len());
        let mut expected = self.model.predict(&rows[..1]).unwrap();
        expected.extend(self.model.predict(rows).unwrap());
        self.compare(&expected, fed, group);
    }

    /// The same of answers that are known: the first row's alone, then those of all.
    #[track_caller]
    pub fn compare(&self, expected: &[Prediction], fed: &[Value], group: usize) {
        let mut batches = vec![json!([fed[0]])];
        batches.extend(fed.chunks(group).map(|rows| json!(rows)));
        let Some(batches) = self.run(json!(batches)) else { return };
        let answers: Vec<Answer> = batches.iter().flat_map(answers).collect();
        assert_eq!(answers.len(), expected.len());
        let classes = &self.model.config().classes;
        let mut far = 0.0_f64;
        for (answer, expected) in answers.iter().zip(expected) {
            far = far.max(answer.differs(expected, classes));
        }
        println!("{} answers differ by {far:e} at most", expected.len());
        assert!(far < TOLERANCE, "{far}");
    }
}

/// One row's of onnxruntime.
#[derive(Debug)]
struct Answer {
    label: Option<String>,
    numbers: Vec<f64>,
}

fn answers(outputs: &Value) -> Vec<Answer> {
    let labels = outputs.get("label").map(|labels| labels.as_array().unwrap());
    let numbers = ["probabilities", "value", "values"].iter().find_map(|name| outputs.get(name));
    let rows = numbers.unwrap().as_array().unwrap().iter().enumerate();
    let number = |number: &Value| number.as_f64().unwrap();
    rows.map(|(i, row)| Answer {
        label: labels.map(|labels| labels[i].as_str().unwrap().to_owned()),
        numbers: match row.as_array() {
            Some(row) => row.iter().map(number).collect(),
            None => vec![number(row)],
        },
    })
    .collect()
}

impl Answer {
    /// By how much, of the size of what is expected.
    fn differs(&self, expected: &Prediction, classes: &[String]) -> f64 {
        let numbers = match expected {
            Prediction::Class { class, probabilities } => {
                let mut order: Vec<f64> = probabilities.values().copied().collect();
                order.sort_by(f64::total_cmp);
                let even = order[order.len() - 1] - order[order.len() - 2] < TOLERANCE;
                assert!(even || self.label.as_ref() == Some(class), "{self:?} {expected:?}");
                classes.iter().map(|class| probabilities[class]).collect()
            }
            Prediction::Value { value } => vec![*value],
            Prediction::Forecast { values, .. } => values.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(numbers.len(), self.numbers.len());
        let far = |(a, b): (&f64, &f64)| (a - b).abs() / b.abs().max(1.0);
        self.numbers.iter().zip(&numbers).map(far).fold(0.0, f64::max)
    }
}

/// The first lines of a packed file of the real data, where there is any.
pub fn real(path: &str, lines: usize) -> Option<String> {
    let Some(folder) = std::env::var_os("CUPOLA_DATA") else {
        println!("skipped: CUPOLA_DATA names no folder with {path}");
        return None;
    };
    let file = fs::File::open(Path::new(&folder).join(path)).unwrap();
    let lines = BufReader::new(GzDecoder::new(file)).lines().take(lines + 1);
    Some(lines.map(|line| line.unwrap() + "\n").collect())
}

pub fn rows(values: &[Value]) -> Vec<Row> {
    values.iter().map(|value| value.as_object().unwrap().clone()).collect()
}

/// Knuth's linear congruential generator (MMIX): numbers from 0 to before 1.
pub struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        let mut draws = Self(seed);
        draws.unit();
        draws
    }

    pub fn unit(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn below(&mut self, n: u32) -> u32 {
        (self.unit() * f64::from(n)) as u32
    }
}
