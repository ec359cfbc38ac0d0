//! Files, and what the engine makes of them.

use std::{fs, path::Path};

use advice::{Curves, Finding, Run, judge};
use domain::{
    Digest,
    child::{CONFIG_FILE, DATA_FILE, DataFile, Event},
    dataset::{Compression, Format, Profile, ReadLimits},
    evaluation::Evaluation,
    job::Cause,
    model::ModelConfig,
    spec::{DatasetRef, Limits, TrainingDraft, TrainingSpec},
};
use engine::StopFlag;
use serde_json::Value;
use tempfile::TempDir;

pub struct File {
    folder: TempDir,
    data: DataFile,
    pub profile: Profile,
}

/// A training and what was seen of it.
pub struct Trained {
    pub spec: TrainingSpec,
    pub curves: Curves,
    pub evaluation: Option<Evaluation>,
    pub cause: Option<Cause>,
}

impl File {
    pub fn csv(text: &str) -> Self {
        Self::of(text.as_bytes(), Format::Csv)
    }

    pub fn of(bytes: &[u8], format: Format) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DATA_FILE), bytes).unwrap();
        let compression = Compression::None;
        let (sha256, length) = (Digest::of(bytes), bytes.len() as u64);
        let data = DataFile { format, compression, sha256, bytes: length };
        let limits = ReadLimits::default();
        let profile = engine::profile(&folder.path().join(DATA_FILE), &data, &limits).unwrap();
        Self { folder, data, profile }
    }

    pub fn spec(&self, draft: TrainingDraft) -> TrainingSpec {
        let name = "sample".parse().unwrap();
        let dataset = DatasetRef { name, version: 1, sha256: self.data.sha256 };
        TrainingSpec::parse(draft, dataset, None, &self.profile, &Limits::default()).unwrap()
    }

    pub fn train(&self, draft: Value) -> Trained {
        self.train_draft(serde_json::from_value(draft).unwrap())
    }

    pub fn train_draft(&self, draft: TrainingDraft) -> Trained {
        let spec = self.spec(draft);
        let scratch = tempfile::tempdir().unwrap();
        fs::copy(self.folder.path().join(DATA_FILE), scratch.path().join(DATA_FILE)).unwrap();
        let limits = ReadLimits::default();
        let run = engine::Run {
            spec: &spec,
            data: &self.data,
            limits: &limits,
            scratch: scratch.path(),
            member: None,
        };
        let mut points = Vec::new();
        let ending = engine::train(run, &StopFlag::default(), &mut |event| {
            if let Event::Epoch { metrics, .. } = event {
                points.extend(metrics);
            }
        });
        let evaluation = ending.as_ref().ok().and_then(|_| evaluation(scratch.path()));
        let cause = ending.err().map(|error| error.cause());
        Trained { spec, curves: Curves::new(points), evaluation, cause }
    }

    pub fn findings(&self, trained: &Trained) -> Vec<Finding> {
        judge(&Run {
            spec: &trained.spec,
            curves: &trained.curves,
            profile: Some(&self.profile),
            evaluation: trained.evaluation.as_ref(),
            cause: trained.cause.as_ref(),
        })
    }

    /// What is found in a run, and the run that its first finding's change makes.
    #[track_caller]
    pub fn followed(&self, trained: &Trained, rule: &str) -> (Finding, Trained) {
        let found = self.findings(trained);
        let first =
            found.into_iter().next().unwrap_or_else(|| panic!("nothing: {:?}", trained.curves));
        assert_eq!(first.rule, rule, "{first:?} {:?}", trained.curves);
        println!("{rule}: {}", first.symptom);
        let (words, draft) = first.change.clone().unwrap_or_else(|| panic!("no change: {first:?}"));
        println!("  {words}");
        let next = self.train_draft(draft);
        (first, next)
    }
}

fn evaluation(scratch: &Path) -> Option<Evaluation> {
    let config: ModelConfig =
        serde_json::from_slice(&fs::read(scratch.join(CONFIG_FILE)).unwrap()).unwrap();
    config.evaluations.into_iter().next()
}

/// Numbers between -1 and 1 that look like chance and are the same each time (Knuth's multiplier).
pub struct Chance(u64);

impl Chance {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    }
}

/// Points of which the sign of `a + b` decides the class, but for a little noise.
pub fn sides(rows: u32) -> String {
    let mut chance = Chance::new(1);
    let mut csv = "a,b,c,side\n".to_owned();
    for _ in 0..rows {
        let (a, b, c) = (chance.next(), chance.next(), chance.next());
        let side = if a + b + 0.3 * chance.next() > 0.0 { "left" } else { "right" };
        csv += &format!("{a:.4},{b:.4},{c:.4},{side}\n");
    }
    csv
}
