//! Every family of models learns what there is to learn in a small dataset, and the published model
//! answers raw rows.

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    child::Event,
    dataset::{Compression, Format},
    predict::Prediction,
};
use engine::Model;
use serde_json::{Value, json};

use crate::{
    datasets::{
        folder_zip, idx_zip, monthly, panel, pattern, png, ratings, reviews, sales, strokes, taken,
    },
    samples::{Scratch, client_rows, metric, rows, with},
};

pub fn review_draft(model: Value) -> Value {
    json!({
        "dataset": "sample", "target": "label", "epochs": 10, "batch_size": 8, "max_length": 12,
        "tokenizer": {"kind": "word", "vocab_size": 60}, "model": model,
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
    })
}

fn class(prediction: &Prediction) -> &str {
    match prediction {
        Prediction::Class { class, .. } => class,
        other => panic!("not a class: {other:?}"),
    }
}

#[track_caller]
fn tells_reviews_apart(model: Value) {
    let scratch = Scratch::new(reviews(200));
    let (ending, _) = scratch.run(review_draft(model));
    assert!(metric(&ending, "val_accuracy") >= 0.9, "{ending:?}");
    let answers = scratch.model().predict(&rows(json!([
        {"text": "a great story of people"},
        {"text": "Who was AWFUL? The film!"},
    ])));
    let answers = answers.unwrap();
    assert_eq!((class(&answers[0]), class(&answers[1])), ("yes", "no"));
}

#[test]
fn an_lstm_reads() {
    tells_reviews_apart(json!({"family": "lstm", "units": [8], "embedding_dim": 8}));
}

#[test]
fn a_stack_of_grus_reads() {
    tells_reviews_apart(json!({"family": "gru", "units": [8, 8], "embedding_dim": 8}));
}

#[test]
fn recurrent_layers_read_both_ways() {
    for family in ["bidirectional_lstm", "bidirectional_gru"] {
        tells_reviews_apart(json!({"family": family, "units": [6], "embedding_dim": 8}));
    }
}

#[test]
fn a_transformer_reads() {
    for options in [
        json!({"positions": "learned", "normalize_first": false}),
        json!({"positions": "sinusoidal", "normalize_first": true}),
    ] {
        let model = json!({"family": "transformer", "embedding_dim": 8, "num_heads": 2});
        tells_reviews_apart(with(model, options));
    }
}

#[test]
fn a_list_of_layers_reads() {
    tells_reviews_apart(json!({"layers": [
        {"type": "Embedding", "output_dim": 8},
        {"type": "Conv1D", "filters": 8, "kernel_size": 3, "padding": "same", "activation": "relu"},
        {"type": "GlobalMaxPooling1D"},
        {"type": "Dense", "units": 1, "activation": "sigmoid"},
    ]}));
}

pub fn pattern_scratch() -> Scratch {
    Scratch::with(pattern(), Format::Text, Compression::None)
}

pub fn pattern_draft() -> Value {
    json!({
        "dataset": "sample", "context": 16, "epochs": 12, "batch_size": 8,
        "model": {"family": "transformer", "embedding_dim": 16, "num_heads": 2, "num_layers": 1},
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
    })
}

#[test]
fn a_language_model_goes_on_as_the_text_does() {
    let scratch = pattern_scratch();
    let (ending, _) = scratch.run(pattern_draft());
    assert!(metric(&ending, "val_perplexity") < 1.5, "{ending:?}");
    let model = scratch.model();
    let ask = |row: Value| match model.predict(&rows(json!([row]))).unwrap().remove(0) {
        Prediction::Text { text, tokens } => (text, tokens),
        other => panic!("{other:?}"),
    };
    let greedy = json!({"prompt": "hello wor", "max_tokens": 30, "temperature": 0});
    assert_eq!(ask(greedy), ("ld. hello world. hello world. ".to_owned(), 30));
    let draw = |seed| json!({"prompt": "h", "max_tokens": 40, "temperature": 50, "seed": seed});
    assert_eq!(ask(draw(1)), ask(draw(1)));
    assert_ne!(ask(draw(1)), ask(draw(2)));
    let one = with(draw(1), json!({"prompt": "hello ", "top_k": 1, "max_tokens": 6}));
    assert_eq!(ask(one).0, "world.");
}

#[test]
fn recurrent_and_causal_layers_go_on_with_a_text_too() {
    let embedding = json!({"type": "Embedding", "output_dim": 12});
    let dense = json!({"type": "Dense", "units": 1, "activation": "softmax"});
    for layer in [
        json!({"type": "GRU", "units": 16, "return_sequences": true}),
        json!({"type": "Conv1D", "filters": 16, "kernel_size": 6, "padding": "causal",
               "activation": "relu"}),
    ] {
        let scratch = pattern_scratch();
        let model = json!({"layers": [embedding, layer, dense]});
        scratch.run(with(pattern_draft(), json!({"model": model})));
        let asked = rows(json!([{"prompt": "hello wor", "max_tokens": 20, "temperature": 0}]));
        let answer = scratch.model().predict(&asked).unwrap().remove(0);
        assert!(
            matches!(&answer, Prediction::Text { text, .. } if text == "ld. hello world. hel"),
            "{answer:?} {layer}"
        );
    }
}

pub fn stroke_draft() -> Value {
    json!({
        "dataset": "sample", "epochs": 8, "batch_size": 8,
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "model": {"layers": [
            {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same",
             "use_bias": false},
            {"type": "BatchNormalization", "momentum": 0.8},
            {"type": "Activation", "activation": "relu"},
            {"type": "Residual", "layers": [
                {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"},
            ]},
            {"type": "MaxPooling2D"},
            {"type": "Flatten"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
    })
}

#[test]
fn a_convolutional_network_sees_images_of_an_idx_file() {
    let (training, test) = (strokes(96, 1), strokes(20, 2));
    let scratch = Scratch::with(idx_zip(&training, &test), Format::Images, Compression::None);
    let (ending, _) = scratch.run(stroke_draft());
    assert!(metric(&ending, "val_accuracy") >= 0.9, "{ending:?}");
    assert!(metric(&ending, "test_accuracy") >= 0.9, "{ending:?}");
    let model = scratch.model();
    let numbers = |i: usize| json!({"image": test[i].0});
    let answers = model.predict(&rows(json!([numbers(0), numbers(1)]))).unwrap();
    assert_eq!((class(&answers[0]), class(&answers[1])), ("0", "1"));
    assert_eq!(model.config().evaluations.len(), 2);
}

#[test]
fn the_cnn_family_sees_images_in_folders() {
    let shown = strokes(96, 1);
    let scratch = Scratch::with(folder_zip(&shown), Format::Images, Compression::None);
    let draft = json!({
        "dataset": "sample", "epochs": 12, "batch_size": 4,
        "model": {"family": "cnn", "filters": [4]},
    });
    let (ending, _) = scratch.run(draft);
    assert!(metric(&ending, "val_accuracy") >= 0.9, "{ending:?}");
    let file = |i: usize| json!({"image": STANDARD.encode(png(8, 8, &shown[i].0))});
    let answers = scratch.model().predict(&rows(json!([file(0), file(1)]))).unwrap();
    assert_eq!((class(&answers[0]), class(&answers[1])), ("across", "down"));
}

pub fn sales_draft(model: Value) -> Value {
    json!({
        "dataset": "sample", "target": "sales", "epochs": 60, "batch_size": 16, "model": model,
        "series": {"time": "month", "season": 12, "horizon": 6, "lookback": 24,
                   "calendar": ["month_of_year"]},
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "regularization": {"l2": 1e-4},
    })
}

#[track_caller]
fn beats_last_year(model: Value) {
    let csv = monthly(96);
    let scratch = Scratch::new(&csv);
    let (ending, _) = scratch.run(sales_draft(model));
    let error = metric(&ending, "val_mean_absolute_error");
    let naive = metric(&ending, "val_seasonal_naive_mean_absolute_error");
    println!("{error} where last year's values err by {naive}");
    // a trend of 2 a month: last year's value is 24 too low
    assert!((naive - 24.0).abs() < 0.1, "{naive}");
    assert!(error < 0.5 * naive, "{error} {naive}");
    let answers = scratch.model().predict(&client_rows(&csv)).unwrap();
    let Prediction::Forecast { series: None, times, values } = &answers[0] else {
        panic!("{answers:?}")
    };
    assert_eq!((answers.len(), times[0].as_str(), times[5].as_str()), (1, "2023-01", "2023-06"));
    for (i, value) in values.iter().enumerate() {
        assert!((value - sales(96 + i as u32, 0)).abs() < 24.0, "{values:?}");
    }
}

#[test]
fn forecasters_beat_the_season_before() {
    beats_last_year(json!({"family": "mlp", "units": [16]}));
    beats_last_year(json!({"family": "cnn", "filters": [8, 8]}));
}

#[test]
fn a_recurrent_forecaster_beats_the_season_before() {
    beats_last_year(json!({"family": "lstm", "units": [12]}));
}

#[test]
fn one_forecaster_knows_two_series() {
    let csv = panel(72);
    let scratch = Scratch::new(&csv);
    let mut draft = sales_draft(json!({"family": "mlp", "units": [16]}));
    draft["series"]["series"] = json!("shop");
    let (ending, _) = scratch.run(draft);
    let error = metric(&ending, "val_mean_absolute_error");
    assert!(error < 0.5 * metric(&ending, "val_seasonal_naive_mean_absolute_error"), "{error}");
    let answers = scratch.model().predict(&client_rows(&csv)).unwrap();
    for (answer, (shift, shop)) in answers.iter().zip([(0, "north"), (1, "south")]) {
        let Prediction::Forecast { series, values, .. } = answer else { panic!("{answer:?}") };
        assert_eq!((series.as_deref(), values.len()), (Some(shop), 6));
        assert!((values[0] - sales(72, shift)).abs() < 24.0, "{shop} {values:?}");
    }
}

pub fn rating_draft(model: Value) -> Value {
    json!({
        "dataset": "sample", "target": "rating", "epochs": 30, "batch_size": 16, "model": model,
        "recommendation": {"user": "user", "item": "item"},
        "optimizer": {"type": "Adam", "learning_rate": 0.02},
    })
}

fn items(model: &Model, user: &str, top: u32) -> Vec<(String, f64)> {
    let asked = rows(json!([{"user": user, "top": top}]));
    match model.predict(&asked).unwrap().remove(0) {
        Prediction::Items { items } => items.into_iter().map(|s| (s.item, s.score)).collect(),
        other => panic!("{other:?}"),
    }
}

fn is_even(item: &str) -> bool {
    item[1..].parse::<u32>().unwrap() % 2 == 0
}

#[test]
fn recommenders_learn_who_likes_what() {
    for model in [
        json!({"family": "matrix_factorization", "embedding_dim": 4}),
        json!({"family": "two_tower", "embedding_dim": 4, "units": [8, 4]}),
    ] {
        let scratch = Scratch::new(ratings());
        let (ending, _) = scratch.run(rating_draft(model));
        // the mean alone is 1.5 off
        assert!(metric(&ending, "val_root_mean_squared_error") < 0.8, "{ending:?}");
        let model = scratch.model();
        let asked = rows(json!([{"user": "u0", "item": "i2"}, {"user": "u0", "item": "i3"}]));
        let answers = model.predict(&asked).unwrap();
        let [Prediction::Value { value: liked }, Prediction::Value { value: not }] = answers[..]
        else {
            panic!("{answers:?}")
        };
        assert!(liked > 3.5 && not < 2.5, "{liked} {not}");
        let best = items(&model, "u1", 4);
        assert_eq!(best.len(), 4);
        assert!(best.iter().all(|(item, _)| !is_even(item)), "{best:?}");
        assert!(best.is_sorted_by(|a, b| a.1 >= b.1), "{best:?}");
    }
}

#[test]
fn what_users_took_says_what_they_may_take() {
    let scratch = Scratch::new(taken());
    let draft = json!({
        "dataset": "sample", "epochs": 40, "batch_size": 16, "metrics": ["hit_rate", "ndcg"],
        "recommendation": {"user": "user", "item": "item", "implicit": true},
        "optimizer": {"type": "Adam", "learning_rate": 0.02},
        "model": {"family": "matrix_factorization", "embedding_dim": 4},
    });
    let (ending, events) = scratch.run(draft);
    assert!(metric(&ending, "val_hit_rate") > 0.8, "{ending:?}");
    assert!(events.iter().any(|e| matches!(e, Event::Epoch { metrics, .. }
        if metrics.contains_key("val_ndcg"))));
    let model = scratch.model();
    for (user, even) in [("u0", true), ("u7", false)] {
        let best = items(&model, user, 5);
        assert!(
            best.iter().all(|(item, score)| is_even(item) == even && (0.0..=1.0).contains(score)),
            "{user} {best:?}"
        );
    }
}
