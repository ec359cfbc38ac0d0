//! Any bytes as a checkpoint: a run goes on from it or refuses it. Its digests are put right first: a
//! chance change would otherwise be refused by them, and nothing behind them would be tried.
#![no_main]

mod scratch;
mod trial;

use std::{collections::HashMap, fs, sync::LazyLock};

use domain::{Digest, child::CHECKPOINT_FILE};
use engine::Ending;
use libfuzzer_sys::fuzz_target;
use safetensors::SafeTensors;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use trial::Trial;

/// Key of the training state among the file's metadata.
const STATE: &str = "cupola.state";
/// Marks an input that is a state alone, for the tensors of a sound checkpoint.
const STATE_ALONE: u8 = b's';

struct Sound {
    trial: Trial,
    checkpoint: Vec<u8>,
    state: Value,
}

/// A run with everything in its state that one can have.
static SOUND: LazyLock<Sound> = LazyLock::new(|| {
    let mut csv = "x,y,kind\n".to_owned();
    for i in 0..24 {
        csv.push_str(&format!("{i}.5,{},{}\n", (i * 7) % 11, if i % 3 == 0 { "b" } else { "a" }));
    }
    let draft = json!({
        "dataset": "points", "target": "kind", "epochs": 3, "batch_size": 4, "seed": 1,
        "model": {"layers": [
            {"type": "Dense", "units": 3, "activation": "relu"},
            {"type": "BatchNormalization"},
            {"type": "Dropout", "rate": 0.2},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
        "optimizer": {"type": "Adam"}, "gradient": {"accumulation_steps": 2},
        "schedule": {"curve": {"type": "reduce_on_plateau", "patience": 1}},
        "early_stopping": {"monitor": "val_loss", "patience": 2},
        "validation": {"folds": 2, "stratified": true},
    });
    let trial = Trial::new("checkpoint", &csv, draft);
    let mut checkpoint = vec![];
    // the first steps of the first fold, and some of the second with a best epoch behind it
    for step in 0..12 {
        let ending = trial.run(true).expect("a sound run goes on");
        assert!(matches!(ending, Ending::Stopped { .. }));
        checkpoint = trial.read(CHECKPOINT_FILE);
        trial::seed(&format!("step-{step:02}"), &checkpoint);
        let mut alone = vec![STATE_ALONE];
        alone.extend_from_slice(state(&checkpoint).expect("it has a state").as_bytes());
        trial::seed(&format!("state-{step:02}"), &alone);
    }
    let state = state(&checkpoint).expect("it has a state");
    let state = serde_json::from_str(&state).expect("a state is JSON");
    Sound { trial, checkpoint, state }
});

fn state(file: &[u8]) -> Option<String> {
    let (_, metadata) = SafeTensors::read_metadata(file).ok()?;
    let sealed: Value = serde_json::from_str(metadata.metadata().as_ref()?.get(STATE)?).ok()?;
    Some(sealed["state"].as_str()?.to_owned())
}

/// The file with digests that fit, or as it is where it has none to put right. `state` stands in for
/// its own.
fn sealed(file: &[u8], state: &str, run: &Value) -> Option<Vec<u8>> {
    let mut state: Value = serde_json::from_str(state).ok()?;
    state.as_object_mut()?.insert("run".to_owned(), run.clone());
    let state = state.to_string();
    let tensors = SafeTensors::deserialize(file).ok()?;
    let mut list: Vec<_> = tensors.iter().collect();
    list.sort_by_key(|(name, _)| *name);
    let mut sha = Sha256::new();
    sha.update(&state);
    for (name, tensor) in &list {
        sha.update(name);
        sha.update((tensor.data().len() as u64).to_le_bytes());
        sha.update(tensor.data());
    }
    let sealed = json!({"content": Digest::from_bytes(sha.finalize().into()), "state": state});
    let metadata = HashMap::from([(STATE.to_owned(), sealed.to_string())]);
    safetensors::serialize(list, Some(metadata)).ok()
}

fuzz_target!(init: { LazyLock::force(&SOUND); }, |input: &[u8]| {
    let Sound { trial, checkpoint, state: sound } = &*SOUND;
    let run = &sound["run"];
    let file = match input.split_first() {
        Some((&STATE_ALONE, text)) => {
            let Ok(text) = std::str::from_utf8(text) else { return };
            let Some(file) = sealed(checkpoint, text, run) else { return };
            file
        }
        _ => state(input)
            .and_then(|state| sealed(input, &state, run))
            .unwrap_or_else(|| input.to_vec()),
    };
    fs::write(trial.folder.join(CHECKPOINT_FILE), file).expect("the temporary folder can be written");
    let _ = trial.run(true);
});
