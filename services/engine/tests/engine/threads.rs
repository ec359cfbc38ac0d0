//! A model's bytes do not depend on the number of threads that made it: every family, large enough that
//! its products, its elementwise passes and its sums are shared out.

use domain::{
    child::Event,
    dataset::{Compression, Format},
};
use engine::Ending;
use rayon::ThreadPoolBuilder;
use serde_json::{Value, json};

use crate::{
    datasets::{Draws, idx_zip, monthly, noisy_line, ratings, reviews, strokes, taken},
    families::{rating_draft, review_draft, sales_draft},
    samples::{Scratch, rows, with},
};

/// Fewer than this machine has or more, and one that divides no group evenly.
const POOLS: [usize; 4] = [1, 2, 3, 16];

/// Trains in pools of every size, and asks each model for `asked`.
#[track_caller]
fn same_with_any_number_of_threads(scratch: &Scratch, draft: Value, asked: &Value) {
    let spec = scratch.spec(draft);
    let on = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let scratch = scratch.again();
        let (ending, mut events) = pool.install(|| scratch.train(&spec)).unwrap();
        assert!(matches!(ending, Ending::Trained { .. }), "{ending:?}");
        let said = format!("on {threads} threads").replace("1 threads", "one thread");
        let says = |event: &Event| matches!(event, Event::Log { line } if line.ends_with(&said));
        assert_eq!(events.extract_if(.., |event| says(event)).count(), 1, "{events:?}");
        let answers = pool.install(|| scratch.model().predict(&rows(asked.clone()))).unwrap();
        (scratch.model_files(), events, answers)
    };
    let [alone, others @ ..] = POOLS.map(on);
    for (other, threads) in others.into_iter().zip(&POOLS[1..]) {
        assert_eq!(alone.1, other.1, "events on {threads} threads");
        assert!(alone.0 == other.0, "the model's files on {threads} threads");
        assert_eq!(alone.2, other.2, "answers on {threads} threads");
    }
}

#[test]
fn dense_layers_with_batch_normalization_and_dropout() {
    let scratch = Scratch::new(noisy_line(1_400, 30, 0.5));
    let mut asked = json!([{"a": 0.5, "b": 1.0}]);
    (0..30).for_each(|i| asked[0][format!("c{i}")] = json!(0.1));
    let draft = json!({
        "dataset": "sample", "target": "y", "epochs": 2, "batch_size": 600,
        "regularization": {"l1": 1e-5, "l2": 1e-4}, "gradient": {"global_clipnorm": 1.0},
        "model": {"layers": [
            {"type": "Dense", "units": 300, "activation": "gelu"},
            {"type": "BatchNormalization"},
            {"type": "Dropout", "rate": 0.2},
            {"type": "Dense", "units": 90, "activation": "tanh"},
            {"type": "Dense", "units": 1},
        ]},
    });
    same_with_any_number_of_threads(&scratch, draft.clone(), &asked);
    // a kernel that all threads share, and small steps that are gathered
    let wide = json!({
        "epochs": 1, "gradient": {"accumulation_steps": 2}, "batch_size": 280,
        "model": {"layers": [
            {"type": "Dense", "units": 1100, "activation": "relu"},
            {"type": "Residual", "layers": [{"type": "Dense", "units": 490, "activation": "elu"}]},
            {"type": "Dense", "units": 1},
        ]},
    });
    same_with_any_number_of_threads(&scratch, with(draft, wide), &asked);
}

#[test]
fn convolutions_with_augmentation() {
    let (training, test) = (strokes(200, 1), strokes(40, 2));
    let scratch = Scratch::with(idx_zip(&training, &test), Format::Images, Compression::None);
    let asked = json!([{"image": test[0].0}]);
    let draft = json!({
        "dataset": "sample", "epochs": 2, "batch_size": 70,
        "augmentation": {"random_crop": 1, "random_rotation": 10, "horizontal_flip": true,
                         "gaussian_noise": 0.1},
        "model": {"layers": [
            {"type": "Conv2D", "filters": 20, "kernel_size": 3, "padding": "same",
             "activation": "relu"},
            {"type": "Conv2D", "filters": 24, "kernel_size": 3, "padding": "same"},
            {"type": "BatchNormalization"},
            {"type": "Activation", "activation": "relu"},
            {"type": "MaxPooling2D"},
            {"type": "Residual", "layers": [
                {"type": "Conv2D", "filters": 40, "kernel_size": 3, "padding": "same",
                 "activation": "silu"},
                {"type": "AveragePooling2D"},
            ]},
            {"type": "Dropout", "rate": 0.2},
            {"type": "Flatten"},
            {"type": "Dense", "units": 450, "activation": "relu"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
    });
    same_with_any_number_of_threads(&scratch, draft, &asked);
    let family = json!({
        "dataset": "sample", "epochs": 1, "batch_size": 100,
        "model": {"family": "cnn", "filters": [24, 40]},
    });
    same_with_any_number_of_threads(&scratch, family, &asked);
}

/// The reviews' words six times over, so that batches are large.
fn long_reviews(rows: u32) -> Scratch {
    let csv = reviews(rows);
    let (head, rows) = csv.split_once('\n').unwrap();
    let repeated = rows.lines().map(|row| {
        let (text, label) = row.split_once(',').unwrap();
        format!("\n{},{label}", [text; 6].join(" "))
    });
    Scratch::new(head.to_owned() + &repeated.collect::<String>())
}

fn reads_the_same(model: Value) {
    let more = json!({"epochs": 1, "batch_size": 60, "max_length": 40});
    let asked = json!([{"text": "a great story of people"}, {"text": ""}]);
    same_with_any_number_of_threads(&long_reviews(160), with(review_draft(model), more), &asked);
}

#[test]
fn recurrent_layers_both_ways() {
    reads_the_same(json!({"family": "bidirectional_lstm", "units": [40, 24],
        "embedding_dim": 48, "dropout": 0.2, "recurrent_dropout": 0.1}));
    reads_the_same(json!({"family": "gru", "units": [50], "embedding_dim": 64}));
}

#[test]
fn an_encoder() {
    reads_the_same(json!({"family": "transformer", "embedding_dim": 48, "num_heads": 3,
        "num_layers": 2, "dropout": 0.1}));
    reads_the_same(json!({"layers": [
        {"type": "Embedding", "output_dim": 48},
        {"type": "Conv1D", "filters": 64, "kernel_size": 3, "padding": "same",
         "activation": "relu"},
        {"type": "LayerNormalization"},
        {"type": "GlobalAveragePooling1D"},
        {"type": "Dense", "units": 1, "activation": "sigmoid"},
    ]}));
}

#[test]
fn a_decoder_of_a_corpus() {
    let mut draws = Draws::new(3);
    let words: Vec<_> = (0..40).map(|i| format!("w{}x{i}", i * 37 % 11)).collect();
    let text: String = (0..900).map(|_| words[draws.below(40) as usize].clone() + " ").collect();
    let scratch = Scratch::with(text, Format::Text, Compression::None);
    let draft = json!({
        "dataset": "sample", "context": 40, "epochs": 1, "batch_size": 24,
        "model": {"family": "transformer", "embedding_dim": 64, "num_heads": 4, "num_layers": 2,
                  "dropout": 0.1},
        "optimizer": {"type": "AdamW", "learning_rate": 0.01},
    });
    let asked = json!([{"prompt": "w3x", "max_tokens": 20, "temperature": 1, "seed": 3}]);
    same_with_any_number_of_threads(&scratch, draft, &asked);
}

#[test]
fn forecasters_of_series() {
    let csv = monthly(240);
    let scratch = Scratch::new(&csv);
    let asked: Vec<Value> = csv
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .map(|(month, sales)| json!({"month": month, "sales": sales.parse::<f64>().unwrap()}))
        .collect();
    for model in
        [json!({"family": "lstm", "units": [60]}), json!({"family": "cnn", "filters": [80, 80]})]
    {
        let more = json!({"epochs": 1, "batch_size": 90});
        let draft = with(sales_draft(model), more);
        same_with_any_number_of_threads(&scratch, draft, &json!(asked));
    }
}

#[test]
fn recommenders() {
    let asked = json!([{"user": "u1", "top": 4}]);
    for model in [
        json!({"family": "matrix_factorization", "embedding_dim": 900}),
        json!({"family": "two_tower", "embedding_dim": 400, "units": [300, 40]}),
    ] {
        let draft = with(rating_draft(model), json!({"epochs": 2, "batch_size": 150}));
        same_with_any_number_of_threads(&Scratch::new(ratings()), draft, &asked);
    }
    let draft = json!({
        "dataset": "sample", "epochs": 2, "batch_size": 100, "metrics": ["hit_rate", "ndcg"],
        "recommendation": {"user": "user", "item": "item", "implicit": true},
        "model": {"family": "matrix_factorization", "embedding_dim": 900},
    });
    same_with_any_number_of_threads(&Scratch::new(taken()), draft, &asked);
}
