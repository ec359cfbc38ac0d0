//! Everything a run needs to go on as if it had never stopped, in one file: weights, the optimizer's
//! state, the predictions of the unfinished epoch and where in it the run stands.

use std::{collections::BTreeMap, fs, path::Path};

use burn::{optim::ModuleOptimizer, tensor::Bytes};
use domain::{
    Digest,
    child::{CHECKPOINT_FILE, DataFile},
    spec::TrainingSpec,
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    error::EngineError,
    files::{self, f32_bytes},
    network::{Array, Network, tensors},
    tally::Tally,
};

const FORMAT: u32 = 1;
/// Key of the state among the file's metadata.
const STATE: &str = "cupola.state";
const OPTIMIZER: &str = "optimizer";
const OUTPUTS: &str = "epoch.outputs";
const TARGETS: &str = "epoch.targets";

/// Where a run stands between two steps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub step: u64,
    /// Epochs that are finished.
    pub epoch: u32,
    /// Batches of the current epoch that are done.
    pub batch: usize,
    /// Of the current epoch.
    pub tally: Tally,
    /// Of the last finished epoch.
    pub metrics: BTreeMap<String, f64>,
}

#[derive(Serialize, Deserialize)]
struct State {
    format: u32,
    /// Of the specification and the data: a checkpoint fits no other run.
    run: Digest,
    /// Of all tensors.
    content: Digest,
    step: u64,
    epoch: u32,
    batch: usize,
    loss_sum: f64,
    correct: u64,
    rows: u64,
    metrics: BTreeMap<String, f64>,
}

pub(crate) fn run_digest(spec: &TrainingSpec, data: &DataFile) -> Digest {
    let mut bytes = serde_json::to_vec(spec).expect("a specification is plain JSON");
    bytes.extend_from_slice(data.sha256.as_bytes());
    Digest::of(&bytes)
}

pub(crate) fn save(
    scratch: &Path,
    run: Digest,
    progress: &Progress,
    network: &Network,
    optimizer: &ModuleOptimizer,
) -> Result<(), EngineError> {
    let path = scratch.join(CHECKPOINT_FILE);
    let optimizer = optimizer.into_bytes().map_err(|e| {
        EngineError::io(path.display())(std::io::Error::other(format!("optimizer state: {e}")))
    })?;
    let weights = network.to_arrays();
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> =
        weights.into_iter().map(|a| (a.name, Dtype::F32, a.shape, f32_bytes(&a.values))).collect();
    let Progress { step, epoch, batch, tally, metrics } = progress;
    let targets = tally.targets.iter().flat_map(|t| t.to_le_bytes()).collect();
    let outputs = f32_bytes(&tally.outputs);
    tensors.push((OPTIMIZER.into(), Dtype::U8, vec![optimizer.len()], optimizer.to_vec()));
    tensors.push((OUTPUTS.into(), Dtype::F32, vec![tally.outputs.len()], outputs));
    tensors.push((TARGETS.into(), Dtype::F64, vec![tally.targets.len()], targets));
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let state = State {
        format: FORMAT,
        run,
        content: content(tensors.iter().map(|(name, .., bytes)| (name.as_str(), &bytes[..]))),
        step: *step,
        epoch: *epoch,
        batch: *batch,
        loss_sum: tally.loss_sum,
        correct: tally.correct,
        rows: tally.rows,
        metrics: metrics.clone(),
    };
    let state = serde_json::to_string(&state).expect("the state is plain JSON");
    let metadata = [(STATE.to_owned(), state)].into();
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes);
        (name.as_str(), view.expect("the bytes were made for this shape"))
    });
    files::write_with(&path, |file| {
        safetensors::serialize_to_file(views, Some(metadata), file).map_err(files::write_error)
    })
}

/// Names and bytes of the tensors by name.
fn content<'a>(tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> Digest {
    let mut sha = Sha256::new();
    for (name, bytes) in tensors {
        sha.update(name);
        sha.update((bytes.len() as u64).to_le_bytes());
        sha.update(bytes);
    }
    Digest::from_bytes(sha.finalize().into())
}

/// What a checkpoint holds, as plain data.
pub(crate) struct Saved {
    pub progress: Progress,
    pub weights: Vec<Array>,
    pub optimizer: Bytes,
}

/// The checkpoint in the scratch folder, if there is one.
pub(crate) fn load(
    scratch: &Path,
    run: Digest,
    spec: &TrainingSpec,
    inputs: usize,
) -> Result<Option<Saved>, EngineError> {
    let path = scratch.join(CHECKPOINT_FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(EngineError::io(path.display())(e)),
    };
    parse(&bytes, run, spec, inputs).map(Some).map_err(EngineError::BadCheckpoint)
}

fn parse(bytes: &[u8], run: Digest, spec: &TrainingSpec, inputs: usize) -> Result<Saved, String> {
    let damaged = |e: &dyn std::fmt::Display| format!("the file is damaged ({e})");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e))?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e))?;
    let state = metadata.metadata().as_ref().and_then(|m| m.get(STATE));
    let state = state.ok_or("the file holds no training state")?;
    let state: State = serde_json::from_str(state).map_err(|e| damaged(&e))?;
    if state.format != FORMAT {
        return Err(format!("its format is {} and this engine reads {FORMAT}", state.format));
    }
    if state.run != run {
        return Err("it belongs to another specification or other data".into());
    }
    let mut tensors_found: Vec<_> = file.iter().collect();
    tensors_found.sort_by_key(|(name, _)| *name);
    if state.content != content(tensors_found.iter().map(|(name, t)| (*name, t.data()))) {
        return Err(damaged(&"its content does not match its digest"));
    }
    let tally = Tally {
        loss_sum: state.loss_sum,
        correct: state.correct,
        rows: state.rows,
        outputs: files::numbers(
            files::tensor(&file, OUTPUTS, Dtype::F32)?.data(),
            f32::from_le_bytes,
        ),
        targets: files::numbers(
            files::tensor(&file, TARGETS, Dtype::F64)?.data(),
            f64::from_le_bytes,
        ),
    };
    let optimizer = files::tensor(&file, OPTIMIZER, Dtype::U8)?.data().to_vec();
    let State { step, epoch, batch, metrics, .. } = state;
    Ok(Saved {
        progress: Progress { step, epoch, batch, tally, metrics },
        weights: files::read_arrays(&file, tensors(&spec.layers, inputs))?,
        optimizer: Bytes::from_bytes_vec(optimizer),
    })
}
