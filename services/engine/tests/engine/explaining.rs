//! What an answer is made of adds up as its definition says, and what features are worth is what shuffling them costs.

use std::fs;

use domain::{
    Digest,
    child::{CONFIG_FILE, WEIGHTS_FILE},
    dataset::{Compression, Format},
    explain::{Attribution, Explain, ExplainMethod, Explanation},
    importance::{Importances, Shuffling},
    model::{FittedColumn, FittedInput},
    predict::{Prediction, Row},
    spec::Metric,
};
use engine::{Asking, EngineError, Model, importance};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::{
    datasets::{folder_zip, ratings, reviews, strokes},
    families::{pattern_draft, pattern_scratch, rating_draft, review_draft, sales_draft},
    samples::{Scratch, client_rows, line, rings, rows, with},
};

const fn steps(steps: u32) -> Explain {
    Explain { method: ExplainMethod::IntegratedGradients, steps }
}

fn trained(csv: String, draft: Value) -> Scratch {
    let scratch = Scratch::new(csv);
    scratch.run(with(json!({"dataset": "sample", "batch_size": 8}), draft));
    scratch
}

fn explained(model: &Model, row: &Row, how: Explain) -> (Prediction, Explanation) {
    match model.explain(std::slice::from_ref(row), how).unwrap().remove(0) {
        Prediction::Explained { prediction, explanation } => (*prediction, explanation),
        other => panic!("no reasons: {other:?}"),
    }
}

/// All that holds of every explanation.
#[track_caller]
fn adds_up(model: &Model, row: &Row, how: Explain, within: f64) -> Explanation {
    let (prediction, found) = explained(model, row, how);
    let alone = model.predict(std::slice::from_ref(row)).unwrap().remove(0);
    assert_eq!(prediction, alone);
    let value = match &prediction {
        Prediction::Class { class, probabilities } => {
            assert_eq!(found.class.as_ref(), Some(class));
            probabilities[class]
        }
        Prediction::Value { value } => *value,
        other => panic!("{other:?}"),
    };
    assert!((found.value - value).abs() < 1e-5 * value.abs().max(1.0), "{found:?} {prediction:?}");
    let sum: f64 = found.attributions.iter().map(Attribution::amount).sum();
    let delta = sum - (found.value - found.baseline);
    assert!((delta - found.convergence_delta).abs() < 1e-12, "{found:?}");
    assert!(found.convergence_delta.abs() <= within, "{found:?}");
    found
}

fn features(found: &Explanation) -> Vec<&str> {
    let features = found.attributions.iter().map(|it| match it {
        Attribution::Feature { feature, .. } => feature.as_str(),
        other => panic!("{other:?}"),
    });
    features.collect()
}

#[test]
fn of_a_linear_model_each_feature_adds_its_weight_times_its_way() {
    let scratch =
        trained(line(80), json!({"target": "y", "epochs": 3, "model": {"family": "linear"}}));
    let model = scratch.model();
    let weights = scratch.weights();
    let (_, kernel) = weights.iter().find(|(name, _)| name.ends_with("kernel")).unwrap();
    let FittedInput::Table { columns } = &model.config().input else { panic!("a table") };
    for row in &client_rows(&line(80))[..10] {
        // whatever the number of steps
        for how in [steps(1), steps(7)] {
            let found = adds_up(&model, row, how, 1e-3);
            assert_eq!(found.attributions.len(), columns.len());
            for (i, (column, got)) in columns.iter().zip(&found.attributions).enumerate() {
                let FittedColumn::Scale { name, fill, scale, indicator: false, .. } = column else {
                    panic!("{column:?}")
                };
                let way = (row[name].as_f64().unwrap() - fill) / scale;
                let added = f64::from(kernel[i]) * way * model.config().target_scale;
                assert!(
                    (got.amount() - added).abs() < 1e-5 * added.abs().max(1.0),
                    "{found:?} {added}"
                );
            }
        }
    }
}

#[test]
fn a_dense_network_is_explained_by_the_columns_that_the_caller_names() {
    let scratch = trained(rings(200), json!({"target": "ring", "epochs": 8}));
    let model = scratch.model();
    for row in &client_rows(&rings(200))[..12] {
        let found = adds_up(&model, row, steps(200), 0.01);
        // the inputs of a category are one feature
        assert_eq!(features(&found), ["x", "y", "colour", "noise"]);
        let rough = adds_up(&model, row, steps(2), 1.0);
        assert!((found.baseline - rough.baseline).abs() < 1e-12);
    }
    // a row of which nothing is known is the baseline itself, but for being marked as unknown
    let nothing = rows(json!([{"x": null, "y": null, "colour": null, "noise": null}]));
    let found = adds_up(&model, &nothing[0], steps(50), 0.01);
    assert_eq!(found.attributions[2].amount(), 0.0, "{found:?}");
}

#[test]
fn of_many_classes_the_one_that_is_answered_is_explained() {
    let mut csv = "a,b,label\n".to_owned();
    for i in 0..150_u32 {
        let (a, b) = (i * 7 % 31, i * 11 % 29);
        let label = ["low", "mid", "high"][((a + b) / 20).min(2) as usize];
        csv += &format!("{a},{b},{label}\n");
    }
    let scratch = trained(csv.clone(), json!({"target": "label", "epochs": 20}));
    let model = scratch.model();
    let mut classes = std::collections::BTreeSet::new();
    for row in client_rows(&csv).iter().take(30) {
        classes.extend(adds_up(&model, row, steps(300), 0.01).class);
    }
    assert!(classes.len() > 1, "{classes:?}");
}

#[track_caller]
fn explains_texts(model: Value) {
    let scratch = Scratch::new(reviews(120));
    scratch.run(with(review_draft(model), json!({"epochs": 5})));
    let model = scratch.model();
    let asked = rows(json!([
        {"text": "a great story of people"}, {"text": "Who was AWFUL? The film!"}, {"text": "never-before-seen words"},
    ]));
    for row in &asked[1..] {
        assert!(!adds_up(&model, row, steps(500), 0.02).attributions.is_empty());
    }
    let found = adds_up(&model, &asked[0], steps(500), 0.02);
    let tokens = found.attributions.iter().map(|it| match it {
        Attribution::Token { token, .. } => token.trim(),
        Attribution::Feature { .. } => panic!("{found:?}"),
    });
    assert_eq!(tokens.collect::<Vec<_>>(), ["a", "great", "story", "of", "people"]);
    let finer = found.convergence_delta.abs();
    let rough = explained(&model, &asked[0], steps(3)).1.convergence_delta.abs();
    assert!(finer <= rough + 1e-4, "{finer} {rough}");
}

#[test]
fn tokens_of_a_recurrent_network_add_up() {
    explains_texts(json!({"family": "lstm", "embedding_dim": 8, "units": [8]}));
}

#[test]
fn tokens_of_a_transformer_add_up() {
    explains_texts(
        json!({"family": "transformer", "embedding_dim": 8, "num_heads": 2, "num_layers": 1}),
    );
}

#[test]
fn tokens_of_a_convolution_add_up() {
    explains_texts(json!({"layers": [
        {"type": "Embedding", "output_dim": 8},
        {"type": "Conv1D", "filters": 8, "kernel_size": 3, "padding": "same", "activation": "relu"},
        {"type": "BatchNormalization"},
        {"type": "GlobalMaxPooling1D"},
        {"type": "Dense", "units": 1, "activation": "sigmoid"},
    ]}));
}

#[test]
fn what_cannot_be_explained_is_refused_by_its_family() {
    let refused = |scratch: &Scratch, row: Value, word: &str| {
        let errors = scratch.model().explain(&rows(json!([row])), steps(5)).unwrap_err();
        assert_eq!(errors.0[0].field, "explain");
        assert!(errors.0[0].message.starts_with(word), "{errors}");
        assert!(errors.0[0].message.contains("tables and of texts"), "{errors}");
    };
    let words = pattern_scratch();
    words.run(with(pattern_draft(), json!({"epochs": 1})));
    refused(&words, json!({"prompt": "hello"}), "a language model");
    let shown = Scratch::with(folder_zip(&strokes(24, 1)), Format::Images, Compression::None);
    shown
        .run(json!({"dataset": "sample", "epochs": 1, "model": {"family": "cnn", "filters": [4]}}));
    refused(&shown, json!({"image": ""}), "a picture");
    let rated = Scratch::new(ratings());
    rated.run(with(rating_draft(json!({"family": "matrix_factorization"})), json!({"epochs": 1})));
    refused(&rated, json!({"user": "u1", "item": "i1"}), "a recommender");
    let sold = Scratch::new(crate::datasets::monthly(96));
    sold.run(with(sales_draft(json!({"family": "mlp", "units": [4]})), json!({"epochs": 1})));
    refused(&sold, json!({"month": "2020-01", "sales": 1}), "a forecaster");

    let table = trained(line(60), json!({"target": "y", "epochs": 1}));
    let model = table.model();
    let row = client_rows(&line(60)).remove(0);
    for (how, many, field) in [(0, 1, "explain.steps"), (501, 1, "explain.steps"), (5, 33, "rows")]
    {
        let errors = model.explain(&vec![row.clone(); many], steps(how)).unwrap_err();
        assert_eq!(errors.0[0].field, field, "{errors}");
    }
    // what is wrong with a row is told as without
    let errors = model.explain(&[row, Row::new()], steps(5)).unwrap_err();
    assert!(errors.0[0].field.starts_with("rows[1]."), "{errors}");
}

/// What the features of a model, given as its two files, are worth on a file.
fn measured(
    files: &(Vec<u8>, Vec<u8>),
    data: &Scratch,
    how: Shuffling,
) -> Result<Importances, EngineError> {
    let folder = data.again();
    fs::write(folder.path().join(CONFIG_FILE), &files.0).unwrap();
    fs::write(folder.path().join(WEIGHTS_FILE), &files.1).unwrap();
    let asking = Asking { data: &folder.data, limits: &folder.limits, scratch: folder.path() };
    importance(asking, how, 1 << 30)
}

const fn shuffled(metric: Metric, n_repeats: u32) -> Shuffling {
    Shuffling { n_repeats, seed: 7, metric, held_back: false }
}

#[test]
fn every_shuffling_costs_what_it_costs_by_hand() {
    let scratch = trained(line(80), json!({"target": "y", "epochs": 3}));
    let few: Vec<String> = line(80).lines().take(4).map(str::to_owned).collect();
    let few = Scratch::new(few.join("\n") + "\n");
    let (model, text) = (scratch.model(), String::from_utf8(few.read("data")).unwrap());
    let asked = client_rows(&text);
    let mean_square = |asked: &[Row]| {
        let answers = model.predict(asked).unwrap();
        let error = |(answer, row): (&Prediction, &Row)| match answer {
            Prediction::Value { value } => (value - row["y"].as_f64().unwrap()).powi(2),
            other => panic!("{other:?}"),
        };
        answers.iter().zip(asked).map(error).sum::<f64>() / asked.len() as f64
    };
    let found =
        measured(&scratch.model_files(), &few, shuffled(Metric::MeanSquaredError, 40)).unwrap();
    assert_eq!(found.rows, 3);
    let close = |a: f64, b: f64| (a - b).abs() < 1e-4 * b.abs().max(1.0);
    assert!(close(found.baseline_score, mean_square(&asked)), "{found:?}");
    for feature in &found.features {
        // all ways of dealing three values out anew
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let costs = orders.map(|order| {
            let mut dealt = asked.clone();
            for (row, from) in dealt.iter_mut().zip(order) {
                row[&feature.feature] = asked[from][&feature.feature].clone();
            }
            mean_square(&dealt) - mean_square(&asked)
        });
        assert_eq!(feature.importances.len(), 40);
        let known = |found: &f64| costs.iter().any(|cost| close(*found, *cost));
        assert!(feature.importances.iter().all(known), "{feature:?} {costs:?}");
        let distinct =
            costs.iter().filter(|cost| feature.importances.iter().any(|it| close(*it, **cost)));
        assert!(distinct.count() > 3, "{feature:?}");
        let mean = feature.importances.iter().sum::<f64>() / 40.0;
        assert!((feature.importances_mean - mean).abs() < 1e-9);
    }
    let again =
        measured(&scratch.model_files(), &few, shuffled(Metric::MeanSquaredError, 40)).unwrap();
    assert_eq!(found, again, "the same seed shuffles the same");
}

/// The same model, whose first layer does not look at an input.
fn blind_to(input: usize, scratch: &Scratch) -> (Vec<u8>, Vec<u8>) {
    let (json, mut weights) = scratch.model_files();
    let (from, row) = {
        let file = SafeTensors::deserialize(&weights).unwrap();
        let (_, kernel) = file.iter().find(|(name, _)| name.ends_with("kernel")).unwrap();
        let from = kernel.data().as_ptr() as usize - weights.as_ptr() as usize;
        (from, 4 * kernel.shape()[1])
    };
    weights[from + input * row..][..row].fill(0);
    let mut config: Value = serde_json::from_slice(&json).unwrap();
    config["weights_sha256"] = json!(Digest::of(&weights).to_string());
    (serde_json::to_vec(&config).unwrap(), weights)
}

#[test]
fn a_feature_that_the_model_does_not_look_at_is_worth_nothing() {
    let draft = json!({
        "target": "y", "epochs": 60, "model": {"family": "linear"},
        "optimizer": {"type": "Adam", "learning_rate": 0.1},
    });
    let scratch = trained(line(200), draft);
    let all = measured(&scratch.model_files(), &scratch, shuffled(Metric::R2, 5)).unwrap();
    assert!(all.features.iter().any(|feature| feature.importances_mean > 0.1), "{all:?}");
    let found = measured(&blind_to(0, &scratch), &scratch, shuffled(Metric::R2, 5)).unwrap();
    assert_eq!(found.features[0].importances, [0.0; 5]);
    assert_eq!((found.features[0].importances_mean, found.features[0].importances_std), (0.0, 0.0));
    let explained = Model::load(&blind_to(0, &scratch).0, &blind_to(0, &scratch).1).unwrap();
    let row = &client_rows(&line(200))[0];
    assert_eq!(adds_up(&explained, row, steps(5), 1e-3).attributions[0].amount(), 0.0);
}

#[test]
fn importance_is_judged_on_the_rows_held_back_and_by_metrics_of_either_kind() {
    let scratch = trained(rings(300), json!({"target": "ring", "epochs": 15}));
    let held_back = Shuffling { held_back: true, ..shuffled(Metric::Accuracy, 5) };
    let found = measured(&scratch.model_files(), &scratch, held_back).unwrap();
    assert_eq!(found.rows, 60);
    let trained_accuracy = scratch.model().config().metrics["val_accuracy"];
    assert!((found.baseline_score - trained_accuracy).abs() < 1e-9, "{found:?}");
    let loss = Shuffling { metric: Metric::LogLoss, ..held_back };
    let by_loss = measured(&scratch.model_files(), &scratch, loss).unwrap();
    for (one, other) in found.features.iter().zip(&by_loss.features).take(2) {
        assert!(one.importances_mean > 0.0 && other.importances_mean > 0.0, "{one:?} {other:?}");
    }
    let names: Vec<_> = found.features.iter().map(|feature| feature.feature.as_str()).collect();
    assert_eq!(names, ["x", "y", "colour", "noise"]);
    let text = Scratch::new(reviews(60));
    text.run(with(
        review_draft(json!({"family": "lstm", "embedding_dim": 4, "units": [4]})),
        json!({"epochs": 1}),
    ));
    let error = measured(&text.model_files(), &text, shuffled(Metric::Accuracy, 1)).unwrap_err();
    assert_eq!(error.cause().code, "not_explainable");
}
