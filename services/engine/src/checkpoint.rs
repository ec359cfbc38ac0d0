//! Everything a run needs to go on as if it had never stopped, in one file: weights, the optimizer's
//! and the schedule's state, the best weights so far, the predictions of the unfinished epoch, and
//! where the run stands. Workers that train together tell each other the same in files of this kind.

use std::{collections::BTreeMap, fs, path::Path};

use domain::{
    Digest,
    child::DataFile,
    spec::{Layer, Shape, TrainingSpec},
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    error::EngineError,
    evaluation::Ledger,
    files::{self, f32_bytes},
    network::{Array, Network},
    optimize::{Accumulation, Held, Optimizer, Plateau, Stopping},
};

const FORMAT: u32 = 2;
/// Key of the sealed state among the file's metadata.
const STATE: &str = "cupola.state";
/// Steps and rows that no run reaches, so that sums of them stay in range.
const MAX_STEPS: u64 = 1 << 40;
const OUTPUTS: &str = "epoch.outputs";
const TARGETS: &str = "epoch.targets";
/// What stands before the names of a network's arrays.
const WEIGHTS: &str = "weights.";
const BEST: &str = "best.";
const OPTIMIZER: &str = "optimizer.";
const ACCUMULATED: &str = "accumulated.";

/// A finished fit of a run with several.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fold {
    pub metrics: BTreeMap<String, f64>,
    /// Steps and epochs of the run up to its end.
    pub step: u64,
    pub epochs: u32,
    /// Its epoch whose weights it gave.
    pub best_epoch: u32,
}

/// The best epoch so far.
#[derive(Debug, Clone)]
pub(crate) struct Best {
    pub arrays: Vec<Array>,
    pub metrics: BTreeMap<String, f64>,
}

/// What has been learned, beside where a run stands.
#[derive(Clone, Copy)]
pub(crate) struct Learned<'a> {
    pub network: &'a Network,
    pub optimizer: &'a Optimizer,
    pub accumulation: &'a Accumulation,
    pub best: Option<&'a Best>,
}

/// Where a run stands between two batches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub folds: Vec<Fold>,
    /// Steps of the run, one a batch.
    pub step: u64,
    /// Those before the fit under way.
    pub start_step: u64,
    /// Epochs of the fit that are finished.
    pub epoch: u32,
    /// Batches of the current epoch that are done.
    pub batch: usize,
    /// Of the current epoch.
    pub ledger: Ledger,
    /// Of the last finished epoch.
    pub metrics: BTreeMap<String, f64>,
    pub plateau: Plateau,
    pub stopping: Stopping,
    /// Early stopping has ended the fit.
    pub stopped: bool,
    pub best: Option<Best>,
}

impl Progress {
    /// At the start of the fit that follows `folds`.
    pub fn after(folds: Vec<Fold>) -> Self {
        let step = folds.last().map_or(0, |fold| fold.step);
        Self { folds, step, start_step: step, ..Self::default() }
    }

    /// Of the whole run.
    pub fn epochs_done(&self) -> u32 {
        self.folds.last().map_or(0, |fold| fold.epochs) + self.epoch
    }
}

/// The state as text, and the digest of it and of all tensors.
#[derive(Serialize, Deserialize)]
struct Sealed {
    content: Digest,
    state: String,
}

#[derive(Serialize, Deserialize)]
struct State {
    format: u32,
    /// Of the specification and the data: a checkpoint fits no other run.
    run: Digest,
    folds: Vec<Fold>,
    step: u64,
    start_step: u64,
    epoch: u32,
    batch: usize,
    loss_sum: f64,
    correct: u64,
    rows: u64,
    metrics: BTreeMap<String, f64>,
    plateau: Plateau,
    stopping: Stopping,
    stopped: bool,
    best: Option<BTreeMap<String, f64>>,
    optimizer_steps: u64,
    held: Held,
}

impl State {
    /// What sums and differences of its numbers rely on.
    fn check(&self) -> Result<(), String> {
        let start = self.folds.last().map_or(0, |fold| fold.step);
        let of_fold = |fold: &Fold| u64::from(fold.epochs) + u64::from(fold.best_epoch);
        let epochs = self.folds.iter().map(of_fold).chain([self.epoch.into()]);
        let steps = [self.step, self.optimizer_steps, self.rows, self.held.rows];
        let in_order = self.folds.iter().map(|fold| fold.step).chain([self.step]).is_sorted();
        if start != self.start_step
            || !in_order
            || epochs.sum::<u64>() > u64::from(u32::MAX)
            || steps.into_iter().any(|steps| steps > MAX_STEPS)
        {
            return Err("its numbers of steps and epochs do not fit together".into());
        }
        Ok(())
    }

    /// Without what tensors hold.
    fn progress(self) -> Progress {
        Progress {
            folds: self.folds,
            step: self.step,
            start_step: self.start_step,
            epoch: self.epoch,
            batch: self.batch,
            ledger: Ledger::default(),
            metrics: self.metrics,
            plateau: self.plateau,
            stopping: self.stopping,
            stopped: self.stopped,
            best: None,
        }
    }
}

pub(crate) fn run_digest(spec: &TrainingSpec, data: &DataFile) -> Digest {
    let mut bytes = serde_json::to_vec(spec).expect("a specification is plain JSON");
    bytes.extend_from_slice(data.sha256.as_bytes());
    Digest::of(&bytes)
}

type Entry = (String, Dtype, Vec<usize>, Vec<u8>);

fn arrays(prefix: &'static str, arrays: &[Array]) -> impl Iterator<Item = Entry> {
    arrays.iter().map(move |a| {
        (format!("{prefix}{}", a.name), Dtype::F32, a.shape.clone(), f32_bytes(&a.values))
    })
}

fn slots<'a>(
    prefix: &'static str,
    slots: impl Iterator<Item = (String, &'a [f32])>,
) -> impl Iterator<Item = Entry> {
    slots.map(move |(name, values)| {
        (format!("{prefix}{name}"), Dtype::F32, vec![values.len()], f32_bytes(values))
    })
}

/// Without `learned` the file says where the run stands, and no more.
pub(crate) fn save(
    path: &Path,
    run: Digest,
    progress: &Progress,
    learned: Option<Learned<'_>>,
) -> Result<(), EngineError> {
    let Ledger { loss_sum, correct, rows, outputs, targets } = &progress.ledger;
    let best = learned.and_then(|learned| learned.best);
    let mut tensors: Vec<Entry> = vec![];
    if let Some(Learned { network, optimizer, accumulation, .. }) = learned {
        tensors.extend(arrays(WEIGHTS, &network.arrays));
        tensors.extend(best.iter().flat_map(|best| arrays(BEST, &best.arrays)));
        tensors.extend(slots(OPTIMIZER, optimizer.slots()));
        tensors.extend(slots(ACCUMULATED, accumulation.slots()));
    }
    let target_bytes = targets.iter().flat_map(|t| t.to_le_bytes()).collect();
    tensors.push((OUTPUTS.into(), Dtype::F32, vec![outputs.len()], f32_bytes(outputs)));
    tensors.push((TARGETS.into(), Dtype::F64, vec![targets.len()], target_bytes));
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let state = State {
        format: FORMAT,
        run,
        folds: progress.folds.clone(),
        step: progress.step,
        start_step: progress.start_step,
        epoch: progress.epoch,
        batch: progress.batch,
        loss_sum: *loss_sum,
        correct: *correct,
        rows: *rows,
        metrics: progress.metrics.clone(),
        plateau: progress.plateau.clone(),
        stopping: progress.stopping.clone(),
        stopped: progress.stopped,
        best: best.map(|best| best.metrics.clone()),
        optimizer_steps: learned.map_or(0, |learned| learned.optimizer.steps()),
        held: learned.map_or_else(Held::default, |learned| learned.accumulation.held()),
    };
    write(path, &state, &tensors)
}

fn write(path: &Path, state: &State, tensors: &[Entry]) -> Result<(), EngineError> {
    let state = serde_json::to_string(state).expect("the state is plain JSON");
    let all = tensors.iter().map(|(name, .., bytes)| (name.as_str(), &bytes[..]));
    let sealed = Sealed { content: content(&state, all), state };
    let sealed = serde_json::to_string(&sealed).expect("a sealed state is plain JSON");
    let metadata = [(STATE.to_owned(), sealed)].into();
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes);
        (name.as_str(), view.expect("the bytes were made for this shape"))
    });
    files::write_with(path, |file| {
        safetensors::serialize_to_file(views, Some(metadata), file).map_err(files::write_error)
    })
}

/// The state, then names and bytes of the tensors by name.
fn content<'a>(state: &str, tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> Digest {
    let mut sha = Sha256::new();
    sha.update(state);
    for (name, bytes) in tensors {
        sha.update(name);
        sha.update((bytes.len() as u64).to_le_bytes());
        sha.update(bytes);
    }
    Digest::from_bytes(sha.finalize().into())
}

/// A checkpoint that belongs to the run and is whole.
pub(crate) struct Saved {
    bytes: Vec<u8>,
    state: State,
}

/// The one at `path`, if there is one.
pub(crate) fn read(path: &Path, run: Digest) -> Result<Option<Saved>, EngineError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(EngineError::io(path.display())(e)),
    };
    Saved::parse(bytes, run).map(Some).map_err(EngineError::BadCheckpoint)
}

impl Saved {
    pub(crate) fn parse(bytes: Vec<u8>, run: Digest) -> Result<Self, String> {
        let damaged = |e: &dyn std::fmt::Display| format!("the file is damaged ({e})");
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e))?;
        let sealed = metadata.metadata().as_ref().and_then(|m| m.get(STATE));
        let sealed = sealed.ok_or("the file holds no training state")?;
        let sealed: Sealed = serde_json::from_str(sealed).map_err(|e| damaged(&e))?;
        let mut tensors: Vec<_> = file.iter().collect();
        tensors.sort_by_key(|(name, _)| *name);
        let all = tensors.iter().map(|(name, t)| (*name, t.data()));
        if sealed.content != content(&sealed.state, all) {
            return Err(damaged(&"its content does not match its digest"));
        }
        let state: State = serde_json::from_str(&sealed.state).map_err(|e| damaged(&e))?;
        if state.format != FORMAT {
            return Err(format!("its format is {} and this engine reads {FORMAT}", state.format));
        }
        if state.run != run {
            return Err("it belongs to another specification or other data".into());
        }
        state.check()?;
        Ok(Self { bytes, state })
    }

    pub fn folds(&self) -> &[Fold] {
        &self.state.folds
    }

    /// Where the run stands, of a file that says no more.
    pub fn progress(self) -> Progress {
        self.state.progress()
    }

    pub fn restore(
        self,
        spec: &TrainingSpec,
        layers: &[Layer],
        input: Shape,
    ) -> Result<(Network, Optimizer, Accumulation, Progress), String> {
        let Self { bytes, state } = self;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| e.to_string())?;
        let network = Network::restore(layers, input, |expected| {
            files::read_arrays(&file, WEIGHTS, expected)
        })?;
        let sizes = network.trained_sizes();
        let slot = |prefix: &'static str| {
            let file = &file;
            move |name: &str, size: usize| {
                let expected = vec![(name.to_owned(), vec![size])];
                let mut found = files::read_arrays(file, prefix, expected)?;
                found.pop().map(|array| array.values).ok_or_else(|| "nothing was read".to_owned())
            }
        };
        let steps = state.optimizer_steps;
        let optimizer = Optimizer::restore(&spec.optimizer, steps, &sizes, &mut slot(OPTIMIZER))?;
        let batches = spec.gradient.accumulation_steps;
        let accumulation =
            Accumulation::restore(batches, state.held, &sizes, &mut slot(ACCUMULATED))?;
        let best = match state.best.clone() {
            None => None,
            Some(metrics) => {
                let expected =
                    network.arrays.iter().map(|a| (a.name.clone(), a.shape.clone())).collect();
                Some(Best { arrays: files::read_arrays(&file, BEST, expected)?, metrics })
            }
        };
        let outputs = files::tensor(&file, OUTPUTS, Dtype::F32)?;
        let targets = files::tensor(&file, TARGETS, Dtype::F64)?;
        let ledger = Ledger {
            loss_sum: state.loss_sum,
            correct: state.correct,
            rows: state.rows,
            outputs: files::numbers(outputs.data(), f32::from_le_bytes),
            targets: files::numbers(targets.data(), f64::from_le_bytes),
        };
        let progress = Progress { ledger, best, ..state.progress() };
        Ok((network, optimizer, accumulation, progress))
    }
}
