//! Any bytes as weights from elsewhere: they are refused, or they are a model that loads and answers. An input
//! that begins with a mark is the header alone, before as many zeros as it asks for.
#![no_main]

mod scratch;
mod trial;

use std::sync::LazyLock;

use domain::{
    child::{CONFIG_FILE, WEIGHTS_FILE},
    model::ModelConfig,
};
use engine::{Model, import};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

use trial::Trial;

/// Marks an input that is a header alone.
const HEADER_ALONE: u8 = b'h';
/// So many zeros follow a header.
const DATA_BYTES: usize = 256;

/// What the weights are to belong to.
static BLUEPRINT: LazyLock<ModelConfig> = LazyLock::new(|| {
    let mut csv = "x,kind\n".to_owned();
    for i in 0..12 {
        csv.push_str(&format!("{i}.5,{}\n", if i % 3 == 0 { "b" } else { "a" }));
    }
    let draft = json!({
        "dataset": "points", "target": "kind", "epochs": 1, "seed": 1,
        "model": {"layers": [
            {"type": "Dense", "units": 2, "activation": "relu"},
            {"type": "BatchNormalization"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
    });
    let trial = Trial::new("import", &csv, draft);
    trial.run(false).expect("a sound run ends");
    let weights = trial.read(WEIGHTS_FILE);
    trial::seed("whole", &weights);
    let length = weights.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)) as usize;
    let header = weights.get(8..8 + length).expect("it has a header");
    trial::seed("header", &[&[HEADER_ALONE], header].concat());
    serde_json::from_slice(&trial.read(CONFIG_FILE)).expect("a config is JSON")
});

fn file(input: &[u8]) -> Vec<u8> {
    match input.split_first() {
        Some((&HEADER_ALONE, header)) => {
            let length = (header.len() as u64).to_le_bytes();
            [&length[..], header, &[0; DATA_BYTES][..]].concat()
        }
        _ => input.to_vec(),
    }
}

fuzz_target!(init: { LazyLock::force(&BLUEPRINT); }, |input: &[u8]| {
    let Ok(made) = import(BLUEPRINT.clone(), &file(input)) else { return };
    let model = Model::load(&made.config, &made.weights).expect("what was imported loads");
    let row = [("x".to_owned(), Value::from(1.5))].into_iter().collect();
    model.predict(&[row]).expect("it answers");
});
