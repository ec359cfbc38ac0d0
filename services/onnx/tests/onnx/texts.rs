//! Text: tokens in, read as the exported tokenizer does.

use domain::{dataset::Format, model::FittedInput, spec::Keep};
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use crate::support::{Draws, Trained, rows, trained};

const FILLER: [&str; 10] =
    ["the", "film", "was", "a", "story", "of", "people", "who", "walk", "home"];
const TELLING: [[&str; 2]; 2] = [["bad", "awful"], ["good", "great"]];

/// Up to twenty words, and one that says what the label is.
fn reviews(count: u32, seed: u64) -> Vec<(String, &'static str)> {
    let mut draws = Draws::new(seed);
    let mut review = || {
        let good = draws.below(2) as usize;
        let length = 1 + draws.below(20);
        let mut words: Vec<&str> = (0..length).map(|_| FILLER[draws.below(10) as usize]).collect();
        words.push(TELLING[good][draws.below(2) as usize]);
        (words.join(" "), ["no", "yes"][good])
    };
    (0..count).map(|_| review()).collect()
}

/// The tokens that `preprocessing.json` asks for, made by another reader of `tokenizer.json`.
fn tokens(model: &Trained, text: &str) -> Vec<u32> {
    let FittedInput::Text(fitted) = &model.model.config().input else { panic!("no text") };
    let tokenizer = Tokenizer::from_bytes(model.tokenizer.as_ref().unwrap()).unwrap();
    let mut ids = tokenizer.encode_fast(text, false).unwrap().get_ids().to_vec();
    if ids.is_empty() {
        ids.push(1);
    }
    if let Some(excess) = ids.len().checked_sub(fitted.max_length as usize) {
        let start = match fitted.keep {
            Keep::First => fitted.max_length as usize,
            Keep::Last => 0,
            Keep::Ends => fitted.max_length as usize / 4,
        };
        ids.drain(start..start + excess);
    }
    ids
}

#[track_caller]
fn reads(model: Value) {
    let mut csv = String::from("text,label\n");
    reviews(160, 1).iter().for_each(|(text, label)| csv += &format!("{text},{label}\n"));
    let draft = json!({
        "target": "label", "task": "binary_classification", "epochs": 2, "batch_size": 16,
        "max_length": 12, "tokenizer": {"kind": "wordpiece", "vocab_size": 60},
        "features": ["text"], "model": model,
    });
    let model = trained(csv, Format::Csv, draft);
    let mut texts: Vec<Value> = reviews(60, 7).into_iter().map(|(text, _)| json!(text)).collect();
    texts.extend([json!("Größe <b>zyx</b> ???"), json!(""), Value::Null, json!("a")]);
    let asked: Vec<Value> = texts.iter().map(|text| json!({ "text": text })).collect();
    let read =
        |text: &Value| json!({ "input_ids": tokens(&model, text.as_str().unwrap_or_default()) });
    let fed: Vec<Value> = texts.iter().map(read).collect();
    model.agrees(&rows(&asked), &fed, 16);
}

#[test]
fn recurrent_layers_one_way() {
    reads(json!({"family": "lstm", "units": [7], "embedding_dim": 6}));
    reads(json!({"family": "gru", "units": [6, 5], "embedding_dim": 6}));
}

#[test]
fn recurrent_layers_both_ways() {
    reads(json!({"family": "bidirectional_lstm", "units": [5, 4], "embedding_dim": 6}));
    reads(json!({"family": "bidirectional_gru", "units": [5], "embedding_dim": 6}));
}

#[test]
fn transformers() {
    for (positions, normalize_first) in [("learned", false), ("sinusoidal", true)] {
        reads(json!({
            "family": "transformer", "embedding_dim": 8, "num_heads": 2, "num_layers": 2,
            "positions": positions, "normalize_first": normalize_first,
        }));
    }
}

#[test]
fn convolutions_and_pooling() {
    let embedding = json!({"type": "Embedding", "output_dim": 6});
    let answer = json!({"type": "Dense", "units": 1, "activation": "sigmoid"});
    let convolution = |padding: &str, size: u32, dilation: u32| {
        json!({"type": "Conv1D", "filters": 6, "kernel_size": size, "padding": padding,
               "dilation_rate": dilation, "activation": "relu"})
    };
    reads(json!({"layers": [
        embedding, convolution("same", 4, 1), convolution("causal", 3, 2),
        {"type": "Residual", "layers": [convolution("same", 3, 1)]},
        {"type": "LayerNormalization"}, {"type": "GlobalMaxPooling1D"}, answer,
    ]}));
    reads(json!({"layers": [
        embedding, convolution("valid", 3, 2), {"type": "BatchNormalization"},
        {"type": "Residual", "layers": [
            {"type": "GRU", "units": 9, "return_sequences": true},
        ]},
        {"type": "GlobalAveragePooling1D"}, answer,
    ]}));
    reads(json!({"layers": [
        embedding, {"type": "LSTM", "units": 4, "return_sequences": true},
        {"type": "Flatten"}, answer,
    ]}));
}
