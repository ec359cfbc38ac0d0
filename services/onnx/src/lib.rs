//! A stored model as an ONNX file: its network, what is done to raw values before it, and what its
//! numbers mean, as far as standard operators can say it. What they cannot (reading a text into tokens,
//! a date, an image file) is told in `preprocessing.json`, step by step.
//!
//! It needs the two files of a model and neither the tensor library nor the engine. The engine checks
//! a model whenever it loads one; what is relied on here is checked again, and an error says what is
//! wrong.

mod answer;
mod graph;
mod inputs;
mod layers;
mod proto;
mod weights;

use std::{fs, io, path::Path};

use domain::{
    Digest,
    child::{CONFIG_FILE, ONNX_FILE, PREPROCESSING_FILE, TOKENIZER_FILE, WEIGHTS_FILE},
    model::{CONFIG_FORMAT, FittedInput, ModelConfig},
};
use prost::Message;
use serde_json::json;

use graph::Graph;
use layers::Drawing;
use proto::{Entry, IR_VERSION, ML_DOMAIN, ML_OPSET, Model, OPSET, OperatorSet};
use weights::Weights;

/// The format of `preprocessing.json`.
const PREPROCESSING_FORMAT: u32 = 1;

/// Larger files cannot be read as one message.
const MAX_BYTES: usize = i32::MAX as usize;

/// What an export leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxFiles {
    pub model: Vec<u8>,
    pub preprocessing: Vec<u8>,
    /// Of models that read text.
    pub tokenizer: Option<Vec<u8>>,
}

#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error("config.json: {0}")]
    Config(String),
    #[error("the weights: {0}")]
    Weights(String),
    #[error("{place}: {why}")]
    Layer { place: String, why: String },
    #[error(
        "{place}: {layer} has no counterpart among ONNX' operators here; take the model as \
         safetensors, or train one without that layer"
    )]
    NoSuchOperation { place: String, layer: &'static str },
    #[error("the layers give {gives}, which is no answer to {task}")]
    NoAnswer { gives: String, task: String },
    #[error(
        "as ONNX the model would have {bytes} bytes and the format ends at {MAX_BYTES}; take it as \
         safetensors"
    )]
    TooLarge { bytes: usize },
    #[error("{name}: {why}")]
    File { name: &'static str, why: io::Error },
}

/// Exports the model of a folder into files beside it.
pub fn export_beside(folder: &Path) -> Result<(), OnnxError> {
    let read = |name| fs::read(folder.join(name)).map_err(|why| OnnxError::File { name, why });
    let write = |name, bytes: &[u8]| {
        fs::write(folder.join(name), bytes).map_err(|why| OnnxError::File { name, why })
    };
    let OnnxFiles { model, preprocessing, tokenizer } =
        export(&read(CONFIG_FILE)?, &read(WEIGHTS_FILE)?)?;
    write(PREPROCESSING_FILE, &preprocessing)?;
    if let Some(tokenizer) = tokenizer {
        write(TOKENIZER_FILE, &tokenizer)?;
    }
    write(ONNX_FILE, &model)
}

/// Exports the model that `config.json` and `model.safetensors` describe.
pub fn export(config_json: &[u8], weights: &[u8]) -> Result<OnnxFiles, OnnxError> {
    let config: ModelConfig =
        serde_json::from_slice(config_json).map_err(|why| OnnxError::Config(why.to_string()))?;
    if config.format != CONFIG_FORMAT {
        let why = format!("its format is {} and this release reads {CONFIG_FORMAT}", config.format);
        return Err(OnnxError::Config(why));
    }
    if Digest::of(weights) != config.weights_sha256 {
        let why = "the weights are not those whose digest it names".to_owned();
        return Err(OnnxError::Config(why));
    }
    let weights = Weights::open(weights)?;
    let mut graph = Graph::default();
    let read = graph.within("inputs", |graph| inputs::draw(graph, &config))?;
    let (made, shape) = graph.within("network", |graph| {
        Drawing::new(graph, &weights, config.input.shape()).network(&config.layers, read.value)
    })?;
    let answers =
        graph.within("answer", |graph| answer::draw(graph, &config, made, shape, read.unit))?;
    let preprocessing = json!({
        "format": PREPROCESSING_FORMAT,
        "model": ONNX_FILE,
        "task": config.task,
        "target": config.target,
        "classes": config.classes,
        "inputs": read.described,
        "outputs": answers,
    });
    let mut preprocessing =
        serde_json::to_vec_pretty(&preprocessing).expect("plain JSON is written");
    preprocessing.push(b'\n');
    let tokenizer = match &config.input {
        FittedInput::Text(text) | FittedInput::Corpus(text) => {
            Some(serde_json::to_vec(&text.tokenizer).expect("plain JSON is written"))
        }
        _ => None,
    };
    Ok(OnnxFiles { model: encoded(&config, graph)?, preprocessing, tokenizer })
}

fn encoded(config: &ModelConfig, graph: Graph) -> Result<Vec<u8>, OnnxError> {
    let set = |domain: &str, version| OperatorSet {
        domain: Some(domain.to_owned()),
        version: Some(version),
    };
    let json = |value| serde_json::Value::to_string(&value);
    let metadata = [
        ("task", json(json!(config.task)).trim_matches('"').to_owned()),
        ("target", config.target.clone()),
        ("classes", json(json!(config.classes))),
        ("engine", config.engine.clone()),
        ("weights_sha256", config.weights_sha256.to_string()),
        ("dataset_sha256", config.dataset_sha256.to_string()),
    ];
    let entry = |(key, value): (&str, String)| Entry { key: Some(key.into()), value: Some(value) };
    let model = Model {
        ir_version: Some(IR_VERSION),
        producer_name: "cupola".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: format!("What goes in and comes out is told in {PREPROCESSING_FILE}."),
        graph: Some(graph.finish("cupola")),
        opset_import: vec![set("", OPSET), set(ML_DOMAIN, ML_OPSET)],
        metadata_props: metadata.into_iter().map(entry).collect(),
    };
    match model.encoded_len() {
        bytes if bytes > MAX_BYTES => Err(OnnxError::TooLarge { bytes }),
        _ => Ok(model.encode_to_vec()),
    }
}
