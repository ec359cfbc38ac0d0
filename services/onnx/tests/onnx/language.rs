//! Language models: the scores of all places at once.

use domain::{dataset::Format, predict::Prediction};
use serde_json::{Value, json};

use crate::support::{TOLERANCE, Trained, rows, trained};

const CONTEXT: usize = 16;

fn text() -> String {
    (0..60).map(|i| ["hello world. ", "who walks home? ", "HELLO; "][i % 3]).collect()
}

/// The number of each character; those of `[PAD]` and `[UNK]` are 0 and 1.
fn ids(model: &Trained, text: &str) -> Vec<usize> {
    let tokenizer: Value = serde_json::from_slice(model.tokenizer.as_ref().unwrap()).unwrap();
    let vocabulary = &tokenizer["model"]["vocab"];
    text.chars().map(|c| vocabulary[c.to_string()].as_u64().unwrap_or(1) as usize).collect()
}

/// Of each text, of each of its places, the scores of what comes next.
fn logits(model: &Trained, texts: &[Vec<usize>]) -> Option<Vec<Vec<Vec<f64>>>> {
    let asked: Vec<Value> = texts.iter().map(|ids| json!({ "input_ids": ids })).collect();
    let mut outputs = model.run(json!([asked]))?;
    let logits: Vec<Vec<Vec<f64>>> = serde_json::from_value(outputs[0]["logits"].take()).unwrap();
    Some(logits)
}

fn crossentropy(logits: &[f64], next: usize) -> f64 {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + logits.iter().map(|z| (z - most).exp()).sum::<f64>().ln() - logits[next]
}

fn best(logits: &[f64]) -> usize {
    (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best })
}

#[track_caller]
fn goes_on(model: Value) {
    let draft = json!({"task": "language_modeling", "context": CONTEXT, "epochs": 4, "batch_size": 8, "model": model,
                       "optimizer": {"type": "Adam", "learning_rate": 0.01}});
    let model = trained(text(), Format::Text, draft);
    the_loss_of_what_was_held_back(&model);
    the_likeliest_texts(&model);
}

/// Windows one after another from the end of what was learned, as training has judged them.
fn the_loss_of_what_was_held_back(model: &Trained) {
    let config = model.model.config();
    let text = text();
    let held_back = (text.len() as f64 * config.spec.validation_split) as usize;
    let ids = ids(model, &text[text.len() - held_back..]);
    let windows = (ids.len() - 1) / CONTEXT;
    let window = |i: usize| ids[i * CONTEXT..][..CONTEXT].to_vec();
    let Some(logits) = logits(model, &(0..windows).map(window).collect::<Vec<_>>()) else { return };
    let logits: Vec<&Vec<f64>> = logits.iter().flatten().collect();
    let losses: Vec<f64> =
        logits.iter().zip(&ids[1..]).map(|(logits, &next)| crossentropy(logits, next)).collect();
    let loss = losses.iter().sum::<f64>() / losses.len() as f64;
    let far = (loss - config.metrics["val_loss"]).abs();
    println!("{} tokens: the loss differs by {far:e}", losses.len());
    assert!(losses.len() >= 50 && far < TOLERANCE, "{loss} {:?}", config.metrics);
}

fn the_likeliest_texts(model: &Trained) {
    let text = text();
    let prompts: Vec<&str> = (0..52).map(|i| &text[i..][..4 + i % 5]).collect();
    let mut whole = vec![];
    for prompts in prompts.chunks(16) {
        let ask = |prompt: &&str| json!({"prompt": prompt, "max_tokens": 7, "temperature": 0});
        let asked: Vec<Value> = prompts.iter().map(ask).collect();
        for (prompt, answer) in prompts.iter().zip(model.model.predict(&rows(&asked)).unwrap()) {
            let Prediction::Text { text, tokens: 7 } = answer else { panic!("{answer:?}") };
            whole.push((prompt.len(), ids(model, &format!("{prompt}{text}"))));
        }
    }
    // what comes later changes nothing: all are read at once, padded to the longest
    let longest = whole.iter().map(|(_, ids)| ids.len()).max().unwrap();
    let padded = |(_, ids): &(usize, Vec<usize>)| {
        let mut ids = ids.clone();
        ids.resize(longest, 0);
        ids
    };
    let padded: Vec<Vec<usize>> = whole.iter().map(padded).collect();
    let Some(logits) = logits(model, &padded) else { return };
    for ((start, ids), logits) in whole.iter().zip(&logits) {
        let told: Vec<usize> = logits[start - 1..ids.len() - 1].iter().map(|z| best(z)).collect();
        assert_eq!(told, ids[*start..]);
    }
}

#[test]
fn a_decoder_without_a_cache() {
    goes_on(json!({"family": "transformer", "embedding_dim": 12, "num_heads": 2, "num_layers": 2}));
    goes_on(json!({
        "family": "transformer", "embedding_dim": 8, "num_heads": 4, "num_layers": 1,
        "positions": "learned", "normalize_first": false,
    }));
}

#[test]
fn recurrent_layers_and_causal_convolutions() {
    goes_on(json!({"layers": [
        {"type": "Embedding", "output_dim": 8},
        {"type": "Conv1D", "filters": 8, "kernel_size": 4, "padding": "causal"},
        {"type": "GRU", "units": 10, "return_sequences": true},
        {"type": "Dense", "units": 1, "activation": "softmax"},
    ]}));
}
