//! A run on a few rows, to make a model or a checkpoint of.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use domain::{
    Digest,
    child::{DATA_FILE, DataFile},
    dataset::{Compression, Format, ReadLimits},
    spec::{DatasetRef, Limits, TrainingDraft, TrainingSpec},
};
use engine::{Ending, EngineError, Run, StopFlag};
use serde_json::Value;

use crate::scratch;

/// Names the folder that takes the inputs a target starts from where it makes them itself.
const SEEDS_VARIABLE: &str = "CUPOLA_FUZZ_SEEDS";

/// Keeps an input to start from.
pub fn seed(name: &str, bytes: &[u8]) {
    if let Some(folder) = env::var_os(SEEDS_VARIABLE) {
        fs::write(Path::new(&folder).join(name), bytes).expect("the folder of seeds is there");
    }
}

pub struct Trial {
    pub folder: PathBuf,
    spec: TrainingSpec,
    data: DataFile,
}

impl Trial {
    pub fn new(name: &str, csv: &str, draft: Value) -> Self {
        let folder = scratch::folder(name);
        let file = folder.join(DATA_FILE);
        fs::write(&file, csv).expect("the temporary folder can be written");
        let (sha256, bytes) = (Digest::of(csv.as_bytes()), csv.len() as u64);
        let data = DataFile { format: Format::Csv, compression: Compression::None, sha256, bytes };
        let profile =
            engine::profile(&file, &data, &ReadLimits::default()).expect("the rows are sound");
        let draft: TrainingDraft = serde_json::from_value(draft).expect("it is a draft");
        let name = draft.dataset.parse().expect("it is a name");
        let dataset = DatasetRef { name, version: 1, sha256 };
        let spec = TrainingSpec::parse(draft, dataset, None, &profile, &Limits::default())
            .expect("the specification fits the rows");
        Self { folder, spec, data }
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).expect("the run has written it")
    }

    /// To the end, or for one step. Goes on from a checkpoint in the folder if there is one.
    pub fn run(&self, one_step: bool) -> Result<Ending, EngineError> {
        let stop = StopFlag::default();
        if one_step {
            stop.stop();
        }
        let limits = ReadLimits::default();
        let Self { folder, spec, data } = self;
        let run = Run { spec, data, limits: &limits, scratch: folder, member: None };
        engine::train(run, &stop, &mut |_| {})
    }
}
