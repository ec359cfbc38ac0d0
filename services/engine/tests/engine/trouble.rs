//! Whatever comes in, nothing panics: each trouble is an error that says where it is and what to do, or
//! has an answer.

use domain::{
    dataset::{Compression, Format},
    predict::Prediction,
};
use engine::Model;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    datasets::{idx_zip, monthly, png, rare, ratings, reviews, strokes},
    families::{
        pattern_draft, pattern_scratch, rating_draft, review_draft, sales_draft, stroke_draft,
    },
    samples::{Scratch, client_rows, line, rows, with},
};

fn gru() -> Value {
    json!({"family": "gru", "units": [3], "embedding_dim": 4})
}

/// One small model of every kind.
fn models() -> Vec<(&'static str, Scratch)> {
    let short = |draft| with(draft, json!({"epochs": 1}));
    let images = idx_zip(&strokes(16, 1), &[]);
    let factors = json!({"family": "matrix_factorization", "embedding_dim": 2});
    let drafts = vec![
        ("table", Scratch::new(line(60)), json!({"dataset": "sample", "target": "y"})),
        ("text", Scratch::new(reviews(40)), review_draft(gru())),
        ("language", pattern_scratch(), pattern_draft()),
        ("images", Scratch::with(images, Format::Images, Compression::None), stroke_draft()),
        ("series", Scratch::new(monthly(60)), sales_draft(json!({"family": "lstm", "units": [3]}))),
        ("ratings", Scratch::new(ratings()), rating_draft(factors)),
    ];
    let train = |(name, scratch, draft): (_, Scratch, Value)| {
        scratch.run(short(draft));
        (name, scratch)
    };
    drafts.into_iter().map(train).collect()
}

/// A row that each of them reads.
fn request(name: &str) -> Vec<domain::predict::Row> {
    match name {
        "table" => rows(json!([{"a": 1, "b": null}])),
        "text" => rows(json!([{"text": "a good film"}, {"text": ""}])),
        "language" => rows(json!([{"prompt": "hello", "max_tokens": 20}])),
        "images" => rows(json!([{"image": vec![7; 64]}])),
        "series" => client_rows(&monthly(60)),
        _ => rows(json!([{"user": "u1", "item": "i1"}])),
    }
}

#[track_caller]
fn refused(scratch: &Scratch, draft: Value, field: &str, words: &[&str]) {
    let errors = scratch.parse(draft).unwrap_err();
    let error = errors.0.iter().find(|e| e.field == field);
    let message = &error.unwrap_or_else(|| panic!("nothing of {field}: {errors}")).message;
    words.iter().for_each(|word| assert!(message.contains(word), "no `{word}`: {message}"));
}

#[test]
fn columns_that_are_no_use_are_refused_before_anything_is_queued() {
    let csv = "x,empty,same,inf,y\n1,,5,1,0\n2,NA,5,inf,1\n3,?,5,3,0\n4,,5,4,1\n5,,5,5,0\n";
    let scratch = Scratch::new(csv);
    let of = |more| with(json!({"dataset": "sample", "target": "y"}), more);
    refused(&scratch, of(json!({"features": ["z"]})), "features[0]", &["`z`", "columns are x"]);
    let words = &["`empty`", "empty in every row"];
    refused(&scratch, of(json!({"features": ["empty"]})), "features[0]", words);
    refused(&scratch, of(json!({})), "features", &["`inf`", "1 rows", "mend them or add"]);
    refused(&scratch, of(json!({"target": "same"})), "target", &["`same`", "choose another"]);
    refused(&scratch, of(json!({"target": "none"})), "target", &["`none`", "columns are"]);
    refused(&scratch, of(json!({"target": "empty"})), "target", &["no value"]);
    refused(&Scratch::new("x,y\n1,2\n"), of(json!({})), "target", &["1 rows", "add rows"]);
}

#[test]
fn layers_that_do_not_fit_say_what_they_got_and_what_they_need() {
    let lists = [
        (json!([{"type": "LSTM", "units": 3}, {"type": "Dense", "units": 1}]), 0, "a sequence"),
        (json!([{"type": "Dense", "units": 1}, {"type": "Flatten"}]), 1, "Dense with 1 units"),
        (json!([{"type": "Dense", "units": 2}]), 0, "Dense with 2 units"),
        (json!([{"type": "Embedding", "output_dim": 2}]), 0, "tokens"),
    ];
    for (layers, at, words) in lists {
        let draft = json!({
            "dataset": "sample", "target": "y", "model": {"layers": layers},
            "features": ["a", "b"], "task": "regression",
        });
        refused(&Scratch::new(line(20)), draft, &format!("model.layers[{at}]"), &[words, "needs"]);
    }
    let layers = json!([
        {"type": "Embedding", "output_dim": 4},
        {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 4, "return_sequences": true}},
        {"type": "Dense", "units": 8, "activation": "softmax"},
    ]);
    let draft = with(pattern_draft(), json!({"model": {"layers": layers}}));
    refused(&pattern_scratch(), draft, "model.layers[1]", &["Bidirectional", "TransformerDecoder"]);
    let test = json!({"test": {"dataset": "more"}});
    refused(&pattern_scratch(), with(pattern_draft(), test), "test", &["validation.split"]);
}

#[test]
fn a_column_may_be_missing_in_all_rows_to_train_on() {
    let mut csv = String::from("x,hole,word,day,y\n");
    for i in 0..40 {
        let hole = if i == 11 { "3.5,once,2026-01-31" } else { ",," };
        csv += &format!("{i},{hole},{}\n", i * 2);
    }
    for imputation in ["mean", "median", "mode", "zero", "constant"] {
        for seed in 0..3 {
            let scratch = Scratch::new(&csv);
            scratch.run(json!({
                "dataset": "sample", "target": "y", "epochs": 1, "seed": seed,
                "features": ["x", "hole", "word", "day"], "validation": {"split": 0.5},
                "preprocess": {"imputation": imputation, "missing_indicator": true},
            }));
            let row = json!({"x": 1, "hole": null, "word": "new", "day": null});
            let answers = scratch.model().predict(&rows(json!([row]))).unwrap();
            assert!(matches!(answers[0], Prediction::Value { value } if value.is_finite()));
        }
    }
}

#[test]
fn a_constant_target_and_two_rows_are_trained_on() {
    let spec = Scratch::new(line(20)).spec(json!({
        "dataset": "sample", "target": "y", "epochs": 2, "batch_size": 8, "features": ["a", "b"],
    }));
    let same = Scratch::new("a,b,y\n1,2,7\n3,4,7\n5,6,7\n7,8,7\n9,1,7\n");
    same.train(&spec).unwrap();
    let answer = same.model().predict(&rows(json!([{"a": 1, "b": 2}]))).unwrap().remove(0);
    assert!(matches!(answer, Prediction::Value { value } if (value - 7.0).abs() < 5.0));
    for csv in ["a,b,y\n1,2,7\n", "a,b,y\n1,2,7\n3,4,8\n"] {
        Scratch::new(csv).train(&spec).unwrap();
    }
    let two = Scratch::new("text,label\na b,yes\nc d,no\n");
    two.run(with(review_draft(gru()), json!({"features": ["text"], "batch_size": 1})));
}

#[test]
fn texts_may_be_empty_or_short_for_every_network() {
    let mut csv = reviews(40);
    csv += "\"\",yes\n<br />,no\n,yes\ngood,yes\n";
    let dense = json!({"type": "Dense", "units": 1, "activation": "sigmoid"});
    let embedding = json!({"type": "Embedding", "output_dim": 4});
    let conv = json!({"type": "Conv1D", "filters": 3, "kernel_size": 4});
    let pool = json!({"type": "GlobalAveragePooling1D"});
    for model in [
        gru(),
        json!({"family": "bidirectional_lstm", "units": [3], "embedding_dim": 4}),
        json!({"family": "transformer", "embedding_dim": 4}),
        json!({"layers": [embedding, conv, {"type": "GlobalMaxPooling1D"}, dense]}),
        json!({"layers": [embedding, conv, pool, dense]}),
        json!({"layers": [embedding, pool, dense]}),
        json!({"layers": [embedding, {"type": "Flatten"}, dense]}),
    ] {
        let scratch = Scratch::new(&csv);
        scratch.run(with(review_draft(model.clone()), json!({"epochs": 1, "batch_size": 1})));
        let loaded = scratch.model();
        for text in ["", " ", "<p></p>", "good", "never ¿seen☃ \u{0} before"] {
            let alone = loaded.predict(&rows(json!([{"text": text}]))).unwrap();
            let beside = json!([{"text": text}, {"text": "a film of people who walk home"}]);
            let beside = loaded.predict(&rows(beside)).unwrap();
            let (
                Prediction::Class { probabilities: a, .. },
                Prediction::Class { probabilities: b, .. },
            ) = (&alone[0], &beside[0])
            else {
                panic!("{alone:?}")
            };
            // what a text is answered does not depend on the texts beside it
            assert!((a["yes"] - b["yes"]).abs() < 1e-5, "{text:?} {a:?} {b:?} {model}");
        }
        let errors = loaded.predict(&rows(json!([{"text": 5}, {}]))).unwrap_err();
        assert!(errors.0.iter().any(|e| e.field == "rows[1].text"), "{errors}");
    }
}

#[test]
fn requests_are_refused_with_the_row_and_the_field() {
    let far = json!({"prompt": "a", "temperature": -1, "max_tokens": 0, "top_p": 2});
    let cases = [
        ("table", json!([{"b": 1}]), "rows[0].a"),
        ("table", json!([{"a": "word", "b": 1}]), "rows[0].a"),
        ("text", json!([{}]), "rows[0].text"),
        ("language", json!([{"prompt": "a"}, {"prompt": ""}]), "rows[1].prompt"),
        ("language", json!([{}]), "rows[0].prompt"),
        ("language", json!([far]), "rows[0].temperature"),
        ("images", json!([{"image": vec![1; 63]}]), "rows[0].image"),
        ("images", json!([{"image": [1, 300]}]), "rows[0].image"),
        ("images", json!([{"image": "no base64!"}]), "rows[0].image"),
        ("images", json!([{}]), "rows[0].image"),
        ("series", json!([{"month": "2020-01", "sales": 1}]), "rows"),
        ("series", json!([]), "rows"),
        ("series", json!([{"month": "soon", "sales": 1}]), "rows[0].month"),
        ("ratings", json!([{"user": null, "item": "i1"}]), "rows[0].user"),
        ("ratings", json!([{"top": 3}]), "rows[0].user"),
        ("ratings", json!([{"user": "u1"}, {"user": "u1", "top": 0}]), "rows[1].top"),
    ];
    let models: Vec<(&str, Model)> =
        models().into_iter().map(|(name, scratch)| (name, scratch.model())).collect();
    for (name, asked, field) in cases {
        let (_, model) = models.iter().find(|(n, _)| *n == name).unwrap();
        let errors = model.predict(&rows(asked.clone())).unwrap_err();
        let fields: Vec<&str> = errors.0.iter().map(|e| e.field.as_str()).collect();
        assert!(fields.contains(&field), "{name} {asked}: {errors}");
    }
    for (name, model) in &models {
        let answers = model.predict(&request(name)).unwrap();
        assert!(!answers.is_empty(), "{name}");
        if *name != "series" {
            assert_eq!(model.predict(&[]).unwrap(), [], "{name}");
        }
    }
}

#[test]
fn strangers_have_answers() {
    for (name, scratch) in models() {
        let model = scratch.model();
        let asked = match name {
            "table" => json!([{"a": -1e30, "b": 1e30}]),
            "text" => json!([{"text": "nothing here was in training"}]),
            "language" => json!([{"prompt": "¿☃ÄZ", "max_tokens": 5, "temperature": 0}]),
            "images" => {
                let large = png(31, 17, &[200; 31 * 17]);
                json!([{"image": base64::Engine::encode(
                    &base64::engine::general_purpose::STANDARD, large)}])
            }
            "ratings" => json!([{"user": "nobody", "item": "nothing"}, {"user": 7, "item": 7}]),
            _ => continue,
        };
        match model.predict(&rows(asked)) {
            Ok(answers) => assert!(!answers.is_empty()),
            Err(errors) => {
                let why = &errors.0[0].message;
                assert!(name == "table" && why.contains("too far outside"), "{name}: {why}");
            }
        }
        if name == "ratings" {
            let best = model.predict(&rows(json!([{"user": "nobody", "top": 99}]))).unwrap();
            assert!(matches!(&best[0], Prediction::Items { items } if items.len() == 16));
        }
    }
}

#[test]
fn too_little_of_a_series_or_a_text_is_refused() {
    let spec = Scratch::new(monthly(60)).spec(sales_draft(json!({"family": "linear"})));
    let cause = Scratch::new(monthly(20)).train(&spec).unwrap_err().cause();
    println!("{cause:?}");
    assert!(!cause.retryable && cause.message.contains("24"), "{cause:?}");
    let spec = pattern_scratch().spec(pattern_draft());
    let short = Scratch::with("too short", Format::Text, Compression::None);
    let cause = short.train(&spec).unwrap_err().cause();
    assert_eq!(cause.code, "text_too_short");
    assert!(cause.message.contains("17") && cause.message.contains("lower the context"));
    let nobody = Scratch::new("user,item,rating\n,i1,3\nu1,,4\n");
    let spec = Scratch::new(ratings())
        .spec(rating_draft(json!({"family": "matrix_factorization", "embedding_dim": 2})));
    assert_eq!(nobody.train(&spec).unwrap_err().cause().code, "no_rows");
}

#[test]
fn configs_that_were_tampered_with_are_refused() {
    let cases = [
        ("text", "/input/vocabulary", json!(5), "tokens"),
        ("text", "/input/max_length", json!(0), "no tokens"),
        ("text", "/input/tokenizer", json!({}), ""),
        ("text", "/input/tokenizer/model/vocab", json!({"a": 4_000_000_000_u32}), ""),
        ("text", "/layers/0/output_dim", json!(0), ""),
        ("text", "/layers/1/units", json!(4_000_000_000_u32), "needs"),
        ("language", "/task", json!("regression"), "Regression"),
        ("language", "/input/vocabulary", json!(1), "tokens"),
        ("language", "/layers/2/num_heads", json!(0), "layers[2]"),
        ("images", "/input/height", json!(0), "0 x 8 x 1"),
        ("images", "/input/width", json!(4_000_000_000_u32), "not read"),
        ("images", "/layers/0/strides", json!(0), "layers[0]"),
        ("series", "/input/series/lookback", json!(0), "at least 1"),
        ("series", "/input/fitted/deviation", json!(0.0), "above 0"),
        ("ratings", "/input/fitted/users", json!(["b", "a"]), "sorted"),
        ("ratings", "/input/fitted/users", json!([]), "shape"),
        ("table", "/target_scale", json!("much"), "config.json"),
        ("table", "/tensors", json!(7), "config.json"),
        ("table", "/loss", json!("categorical_crossentropy"), ""),
    ];
    let files: Vec<_> = models().into_iter().map(|(n, s)| (n, s.model_files())).collect();
    for (name, path, value, words) in cases {
        let (_, (config, weights)) = files.iter().find(|(n, _)| *n == name).unwrap();
        let mut config: Value = serde_json::from_slice(config).unwrap();
        let place = config.pointer_mut(path);
        *place.unwrap_or_else(|| panic!("{name} has no {path}")) = value;
        let loaded = Model::load(&serde_json::to_vec(&config).unwrap(), weights);
        let Err(error) = loaded else { panic!("{name} {path} was loaded") };
        let cause = error.cause();
        assert_eq!(cause.code, "wrong_model_file");
        assert!(cause.message.contains(words), "{name} {path}: {}", cause.message);
    }
}

/// Every place of a config where a number stands.
fn numbers(value: &Value, path: String, into: &mut Vec<String>) {
    match value {
        Value::Number(_) => into.push(path),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| numbers(v, format!("{path}/{i}"), into));
        }
        Value::Object(fields) => {
            fields.iter().filter(|(name, _)| *name != "spec").for_each(|(name, v)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                numbers(v, format!("{path}/{name}"), into);
            });
        }
        _ => {}
    }
}

#[test]
fn no_number_of_a_config_makes_a_model_panic() {
    for (name, scratch) in models() {
        let (config, weights) = scratch.model_files();
        let config: Value = serde_json::from_slice(&config).unwrap();
        let mut paths = vec![];
        numbers(&config, String::new(), &mut paths);
        for path in paths.iter().filter(|path| !path.contains("/evaluations")) {
            for value in [json!(0), json!(1), json!(4_294_967_295_u32), json!(-1), json!(1e300)] {
                let mut other = config.clone();
                *other.pointer_mut(path).unwrap() = value;
                let loaded = Model::load(&serde_json::to_vec(&other).unwrap(), &weights);
                if let Ok(model) = loaded {
                    let _ = model.predict(&request(name));
                }
            }
        }
    }
}

#[test]
fn no_flipped_byte_makes_a_model_panic() {
    let files: Vec<_> = models().into_iter().map(|(n, s)| (n, s.model_files())).collect();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let flips = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let strategy = (0..files.len(), any::<bool>(), flips);
    runner
        .run(&strategy, |(which, in_weights, flips)| {
            let (name, (config, weights)) = &files[which];
            let (mut config, mut weights) = (config.clone(), weights.clone());
            for (place, byte) in flips {
                let file = if in_weights { &mut weights } else { &mut config };
                let place = place.index(file.len());
                file[place] = byte;
            }
            if in_weights {
                // a digest that fits lets the damage through to what reads the weights
                let mut json: Value = serde_json::from_slice(&config).unwrap();
                json["weights_sha256"] = json!(domain::Digest::of(&weights));
                config = serde_json::to_vec(&json).unwrap();
            }
            if let Ok(model) = Model::load(&config, &weights) {
                let _ = model.predict(&request(name));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_rare_class_may_be_absent_where_it_is_judged() {
    // one row of the class alone: held back it is not trained on, trained on it is not judged
    let csv = rare(30).replace(",yes", ",no") + "9,9,yes\n";
    for seed in 0..4 {
        for validation in [json!({"split": 0.2}), json!({"folds": 3})] {
            let scratch = Scratch::new(&csv);
            scratch.run(json!({
                "dataset": "sample", "target": "ill", "epochs": 1, "seed": seed,
                "validation": validation, "class_weight": "balanced", "oversample": true,
            }));
        }
    }
}
