//! Any JSON as the tokenizer of a published model, or as the whole of its config: the model is refused
//! or it answers.
#![no_main]

mod scratch;
mod trial;

use std::sync::LazyLock;

use domain::child::{CONFIG_FILE, WEIGHTS_FILE};
use engine::Model;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

use trial::Trial;

const KINDS: [&str; 4] = ["character", "word", "wordpiece", "bpe"];
const TEXTS: [&str; 5] =
    ["", "a good film", "Ünïcode — 漢字 🎬", "<br />&amp;&#x1F600;", "\u{0}\t\n"];

struct Published {
    config: Value,
    weights: Vec<u8>,
}

/// A small model with each kind of tokenizer.
static MODELS: LazyLock<Vec<Published>> =
    LazyLock::new(|| KINDS.iter().map(|kind| published(kind)).collect());

fn published(kind: &str) -> Published {
    let mut csv = "text,label\n".to_owned();
    for i in 0..12 {
        let (word, label) = if i % 2 == 0 { ("good", 1) } else { ("dull", 0) };
        csv.push_str(&format!("a {word} film of {i} scenes it was,{label}\n"));
    }
    let draft = json!({
        "dataset": "texts", "target": "label", "features": ["text"], "epochs": 1, "seed": 1,
        "tokenizer": {"kind": kind, "vocab_size": 300}, "max_length": 8,
        "model": {"layers": [
            {"type": "Embedding", "output_dim": 2},
            {"type": "GlobalAveragePooling1D"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
    });
    let trial = Trial::new(&format!("tokenizer-{kind}"), &csv, draft);
    trial.run(false).expect("a sound run ends");
    let config = trial.read(CONFIG_FILE);
    let config: Value = serde_json::from_slice(&config).expect("a config is JSON");
    trial::seed(kind, config["input"]["tokenizer"].to_string().as_bytes());
    trial::seed(&format!("{kind}-config"), config.to_string().as_bytes());
    Published { config, weights: trial.read(WEIGHTS_FILE) }
}

fuzz_target!(init: { LazyLock::force(&MODELS); }, |input: &[u8]| {
    let Ok(json) = serde_json::from_slice::<Value>(input) else { return };
    for Published { config, weights } in MODELS.iter() {
        let mut changed = config.clone();
        if json.get("weights_sha256").is_some() {
            // a whole config, of these weights
            changed = json.clone();
            changed["weights_sha256"] = config["weights_sha256"].clone();
        } else {
            changed["input"]["tokenizer"] = json.clone();
        }
        let Ok(model) = Model::load(changed.to_string().as_bytes(), weights) else { continue };
        for text in TEXTS {
            let row = [("text".to_owned(), Value::from(text))].into_iter().collect();
            let _ = model.predict(&[row]);
        }
    }
});
