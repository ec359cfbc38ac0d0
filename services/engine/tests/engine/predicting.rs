//! A loaded model answers as the network did in training, and refuses what it cannot read.

use domain::{
    child::Event,
    predict::{Prediction, Row},
    spec::TrainingSpec,
};
use engine::Model;
use serde_json::{Value, json};

use crate::{
    datasets::reviews,
    families::{pattern_draft, pattern_scratch, review_draft},
    samples::{Scratch, client_rows, line, metric, rings, rows, with},
};

fn trained_rings() -> Scratch {
    let scratch = Scratch::new(rings(150));
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "ring", "epochs": 4, "batch_size": 8,
    }));
    scratch.train(&spec).unwrap();
    scratch
}

#[test]
fn predictions_have_the_error_that_training_measured() {
    // The rate is too small to move a weight, so what training measured is true of the final ones.
    let scratch = Scratch::new(line(200));
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "y", "epochs": 1, "validation": {"split": 0.0},
        "optimizer": {"type": "SGD", "learning_rate": 1e-30},
    }));
    let (ending, _) = scratch.train(&spec).unwrap();
    let text = line(200);
    let truth: Vec<f64> =
        text.lines().skip(1).map(|l| l.rsplit(',').next().unwrap().parse().unwrap()).collect();
    let answers = scratch.model().predict(&client_rows(&text)).unwrap();
    let errors = answers.iter().zip(&truth).map(|(answer, truth)| match answer {
        Prediction::Value { value } => (value - truth).abs(),
        other => panic!("a regression answers with a value, not {other:?}"),
    });
    let error = errors.sum::<f64>() / truth.len() as f64;
    let measured = metric(&ending, "mean_absolute_error");
    assert!((error - measured).abs() < 1e-4 * measured, "{error} {measured}");
}

#[test]
fn classes_come_with_probabilities_that_sum_to_one() {
    let scratch = trained_rings();
    let model = scratch.model();
    let text = rings(150);
    let answers = model.predict(&client_rows(&text)).unwrap();
    assert_eq!(answers.len(), 150);
    for answer in answers {
        let Prediction::Class { class, probabilities } = answer else { panic!() };
        assert!((probabilities.values().sum::<f64>() - 1.0).abs() < 1e-9);
        let best = probabilities.values().copied().fold(0.0, f64::max);
        assert_eq!(probabilities[&class], best);
    }
    assert!(model.memory_bytes() > 0);
}

#[test]
fn every_error_of_every_row_is_named_at_once() {
    let model = trained_rings().model();
    let errors = model
        .predict(&rows(json!([
            {"x": 1, "y": 2, "colour": "red", "noise": 1},
            {"x": "one", "colour": [1], "noise": null},
            {"x": 1, "y": 1e39, "colour": "unseen", "noise": true, "more": {}},
        ])))
        .unwrap_err();
    let fields: Vec<&str> = errors.0.iter().map(|e| e.field.as_str()).collect();
    let expected = ["rows[1].x", "rows[1].y", "rows[1].colour", "rows[2].y", "rows[2].noise"];
    assert_eq!(fields, expected);
    assert!(errors.0[0].message.contains("got the text `one`"), "{errors}");
    assert!(errors.0[1].message.contains("missing"), "{errors}");
    let many = vec![serde_json::Map::new(); 1_000];
    assert_eq!(model.predict(&many).unwrap_err().0.len(), 100);
    assert_eq!(model.predict(&[]).unwrap(), []);
}

#[test]
fn unseen_and_missing_categories_set_no_input() {
    let model = trained_rings().model();
    let answers = model
        .predict(&rows(json!([
            {"x": 1, "y": 2, "colour": "unseen", "noise": 1},
            {"x": 1, "y": 2, "colour": null, "noise": 1},
            {"x": 1, "y": 2, "colour": " NA ", "noise": 1},
            {"x": 1, "y": 2, "colour": " red ", "noise": 1},
        ])))
        .unwrap();
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_ne!(answers[0], answers[3]);
}

#[test]
fn booleans_are_known_however_they_are_written() {
    let mut csv = String::from("on,y\n");
    (0..40).for_each(|i| csv += if i % 2 == 0 { "True,1\n" } else { "False,0\n" });
    let scratch = Scratch::new(csv);
    let spec = scratch.spec(json!({
        "dataset": "sample", "target": "y", "epochs": 30,
        "optimizer": {"type": "Adam", "learning_rate": 0.05},
    }));
    scratch.train(&spec).unwrap();
    let answers = scratch
        .model()
        .predict(&rows(json!([{"on": true}, {"on": "True"}, {"on": false}])))
        .unwrap();
    assert_eq!(answers[0], answers[1]);
    let class = |answer: &Prediction| match answer {
        Prediction::Class { class, .. } => class.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((class(&answers[0]).as_str(), class(&answers[2]).as_str()), ("1", "0"));
}

#[test]
fn one_model_answers_many_threads() {
    let model = trained_rings().model();
    let text = rings(150);
    let rows = client_rows(&text);
    let expected = model.predict(&rows).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(model.predict(&rows).unwrap(), expected));
        }
    });
}

#[test]
fn files_that_are_not_a_model_are_refused() {
    let (config, weights) = trained_rings().model_files();
    let refusal = |config: &[u8], weights: &[u8]| match Model::load(config, weights) {
        Ok(_) => panic!("loaded"),
        Err(error) => {
            let cause = error.cause();
            assert_eq!(cause.code, "wrong_model_file");
            cause.message
        }
    };
    assert!(refusal(b"{}", &weights).contains("config.json"));
    let mut other = weights.clone();
    *other.last_mut().unwrap() ^= 1;
    assert!(refusal(&config, &other).contains("digest"));
    let change = |path: &str, value: Value| {
        let mut json: Value = serde_json::from_slice(&config).unwrap();
        *json.pointer_mut(path).unwrap() = value;
        serde_json::to_vec(&json).unwrap()
    };
    let bad = [
        ("/format", json!(1), "format is 1"),
        ("/layers/0/units", json!(4_294_967_295_u32), "needs [6, 4294967295]"),
        ("/layers/4/units", json!(2), "the layers give 2 features"),
        ("/layers", json!([]), "the layers give 6 features"),
        ("/classes", json!([]), "classes"),
        ("/input/columns", json!([]), "no inputs"),
        ("/input/columns/0/scale", json!(0.0), "column `x`"),
    ];
    for (path, value, words) in bad {
        let message = refusal(&change(path, value), &weights);
        assert!(message.contains(words), "{path}: {message}");
    }
}

#[test]
fn the_same_model_comes_back_from_its_files() {
    let scratch = trained_rings();
    let (config, _) = scratch.model_files();
    let model = scratch.model();
    let mut again = serde_json::to_vec_pretty(model.config()).unwrap();
    again.push(b'\n');
    assert!(again == config, "config.json does not survive being read and written");
    let spec: &TrainingSpec = &model.config().spec;
    let (_, events) = scratch.train(spec).unwrap();
    assert!(matches!(events[0], Event::Started { .. }));
    assert!(scratch.model_files().0 == config, "the published specification trains the same model");
}

/// Each alone, and all together with one that is wrong between them.
fn alone_and_together(model: &Model, requests: &[Vec<Row>]) {
    let mut requests = requests.to_vec();
    requests.insert(1, vec![Row::new()]);
    let together = model.predict_each(&requests);
    assert_eq!(together.len(), requests.len());
    for (rows, answer) in requests.iter().zip(together) {
        match (model.predict(rows), answer) {
            (Err(alone), Err(together)) => assert_eq!(alone, together),
            (Ok(alone), Ok(together)) => {
                assert_eq!(alone.len(), together.len());
                alone.iter().zip(&together).for_each(|(a, b)| assert_near(a, b));
            }
            (alone, together) => panic!("{alone:?} and {together:?}"),
        }
    }
}

fn assert_near(a: &Prediction, b: &Prediction) {
    match (a, b) {
        (Prediction::Value { value: a }, Prediction::Value { value: b }) => {
            assert!((a - b).abs() < 1e-4, "{a} and {b}");
        }
        (
            Prediction::Class { class, probabilities },
            Prediction::Class { class: other, probabilities: others },
        ) => {
            assert_eq!(class, other);
            for (class, p) in probabilities {
                assert!((p - others[class]).abs() < 1e-5, "{probabilities:?} and {others:?}");
            }
        }
        (a, b) => panic!("{a:?} and {b:?}"),
    }
}

#[test]
fn requests_that_are_answered_together_get_what_each_gets_alone() {
    let scratch = Scratch::new(line(60));
    scratch.run(json!({"dataset": "sample", "target": "y", "epochs": 1}));
    let of = |n: i32| rows(json!((0..n).map(|i| json!({"a": i, "b": null})).collect::<Vec<_>>()));
    alone_and_together(&scratch.model(), &[of(1), of(3), of(200), of(1)]);

    // texts of every length, so that they are answered in another order than they came in
    let scratch = Scratch::new(reviews(40));
    let gru = json!({"family": "gru", "units": [3], "embedding_dim": 4});
    scratch.run(with(review_draft(gru), json!({"epochs": 1})));
    let text = |words: usize| json!({"text": "good ".repeat(words)});
    let of = |from: usize, n: usize| {
        rows(json!((0..n).map(|i| text((from + 7 * i) % 23)).collect::<Vec<_>>()))
    };
    alone_and_together(&scratch.model(), &[of(20, 1), of(3, 30), of(0, 2), of(9, 1)]);
}

#[test]
fn the_pieces_of_a_text_are_the_text_and_end_where_they_are_not_wanted() {
    let scratch = pattern_scratch();
    scratch.run(with(pattern_draft(), json!({"epochs": 1})));
    let model = scratch.model();
    // hot enough for every token that there is
    let asked = rows(json!([{"prompt": "hello", "max_tokens": 60, "temperature": 50, "seed": 3}]));
    let mut told = String::new();
    let answer = model.generate_in_pieces(&asked[0], &mut |piece| {
        told.push_str(piece);
        true
    });
    assert_eq!(answer, Ok(model.predict(&asked).unwrap().remove(0)));
    assert!(matches!(answer, Ok(Prediction::Text { text, tokens: 60 }) if text == told));
    let mut pieces = 0;
    let answer = model.generate_in_pieces(&asked[0], &mut |_| {
        pieces += 1;
        pieces < 3
    });
    assert!(matches!(answer, Ok(Prediction::Text { tokens: 1..60, .. })), "{answer:?}");
    assert_eq!(pieces, 3);
}
