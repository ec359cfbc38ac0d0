//! Tables: every way of preparing a column, with values that are missing and that training never saw.

use domain::dataset::Format;
use serde_json::{Value, json};

use crate::support::{Draws, real, rows, trained};

/// Rows of which some cells are missing. `grade` has an order, `town` many values.
fn people(count: u32, seed: u64) -> Vec<Value> {
    let mut draws = Draws::new(seed);
    let grades = ["low", "mid", "high"];
    (0..count)
        .map(|i| {
            let age = 20.0 + (draws.unit() * 600.0).round() / 10.0;
            let income = 1_000.0 + draws.unit() * 90_000.0;
            let grade = draws.below(3);
            let town = draws.below(if i % 9 == 0 { 40 } else { 6 });
            let (year, month, day) =
                (1900 + draws.below(140), 1 + draws.below(12), draws.below(28));
            let joined = match i % 3 {
                0 => format!("{year}-{month:02}-{:02}", day + 1),
                1 => format!("{year}-{month:02}-{:02}T{:02}:17:00Z", day + 1, day % 24),
                _ => format!("{year}-02-{}", if year % 4 == 0 && year != 1900 { 29 } else { 28 }),
            };
            let member = draws.below(2) == 1;
            let score = age / 10.0 + f64::from(grade) * 2.0 - f64::from(town % 3) + draws.unit();
            let kind = ["a", "b", "c"][(score as usize / 4).min(2)];
            let mut row = json!({
                "age": age, "income": income, "grade": grades[grade as usize],
                "town": format!("town {town}"), "code": i % 4, "joined": joined,
                "member": member, "score": 1_000.0 * score, "kind": kind,
                "good": if score > 8.0 { "yes" } else { "no" },
            });
            for (place, name) in ["age", "grade", "town", "joined", "member"].iter().enumerate() {
                if draws.unit() < 0.1 && place as u32 != i % 5 {
                    row[*name] = Value::Null;
                }
            }
            row
        })
        .collect()
}

fn csv(rows: &[Value]) -> String {
    let names: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = |row: &Value| names.iter().map(|&n| cell(&row[n])).collect::<Vec<_>>().join(",");
    let header = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
    let lines: Vec<String> = std::iter::once(header).chain(rows.iter().map(line)).collect();
    lines.join("\n") + "\n"
}

/// Held-out people, and one of whom nothing is known, or only what nobody has seen.
fn asked() -> Vec<Value> {
    let mut rows = people(70, 99);
    let names: Vec<String> = rows[0].as_object().unwrap().keys().cloned().collect();
    for name in names {
        rows[0][&name] = Value::Null;
        rows[1][&name] = json!(if ["age", "income", "code"].contains(&&*name) {
            json!(-7.25e6)
        } else if name == "joined" {
            json!("0001-01-01")
        } else {
            json!("never seen")
        });
    }
    rows[2]["town"] = json!("  town 1 ");
    rows[3]["grade"] = json!("N/A");
    rows[4]["joined"] = json!("2000-12-31T23:59:59Z");
    rows[5]["joined"] = json!("1968-02-29");
    rows[6]["joined"] = json!("9999-12-31");
    rows
}

#[track_caller]
fn answers_people(mut draft: Value) {
    let targets = ["score", "kind", "good"];
    let target = draft["target"].as_str().unwrap().to_owned();
    draft["drop"] = json!(targets.iter().filter(|name| **name != target).collect::<Vec<_>>());
    draft["epochs"] = json!(3);
    let model = trained(csv(&people(300, 1)), Format::Csv, draft);
    let asked = asked();
    model.agrees(&rows(&asked), &asked, 64);
}

#[test]
fn the_usual_preparation_of_two_classes() {
    answers_people(json!({"target": "good"}));
}

#[test]
fn rare_categories_robust_scales_and_indicators_of_many_classes() {
    answers_people(json!({
        "target": "kind", "model": {"family": "mlp", "batch_normalization": true, "units": [12, 8],
                                    "activation": "gelu"},
        "preprocess": {"scaling": "robust", "imputation": "mode", "missing_indicator": true,
                       "max_categories": 4, "min_frequency": 3},
    }));
}

#[test]
fn orders_hashes_and_numbers_as_categories_of_a_regression() {
    for imputation in ["mode", "median"] {
        answers_people(json!({
            "target": "score", "model": {"family": "mlp", "units": [8], "activation": "elu"},
            "preprocess": {
                "scaling": "min_max", "imputation": imputation, "encoding": "hashing",
                "hash_buckets": 7,
                "columns": {
                    "grade": {"encoding": "ordinal", "categories": ["low", "mid", "high"]},
                    "code": {"kind": "categorical", "encoding": "ordinal"},
                    "member": {"encoding": "ordinal"},
                },
            },
        }));
    }
}

#[test]
fn a_linear_model_with_its_columns_unscaled() {
    answers_people(json!({
        "target": "good", "model": {"family": "linear"},
        "preprocess": {"scaling": "none", "imputation": "constant", "fill_value": 3.5},
    }));
}

#[test]
fn every_activation_and_layer_on_features() {
    let activations = ["relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "linear"];
    let mut layers = vec![];
    for activation in activations {
        layers.push(json!({"type": "Dense", "units": 9, "activation": activation}));
        layers.push(json!({"type": "Activation", "activation": activation}));
    }
    layers.extend([
        json!({"type": "Dense", "units": 6, "use_bias": false}),
        json!({"type": "BatchNormalization"}),
        json!({"type": "LayerNormalization"}),
        json!({"type": "Dropout", "rate": 0.5}),
        json!({"type": "Residual", "layers": [{"type": "Dense", "units": 6}]}),
        json!({"type": "Residual", "layers": [
            {"type": "Dense", "units": 4}, {"type": "Activation", "activation": "tanh"},
        ]}),
        json!({"type": "Flatten"}),
        json!({"type": "Dense", "units": 3, "activation": "softmax"}),
    ]);
    answers_people(json!({"target": "kind", "model": {"layers": layers}}));
}

#[test]
fn columns_that_are_called_as_outputs_are() {
    let mut data = String::from("value,label,/x,y\n");
    (0..120).for_each(|i| data += &format!("{},{},{},{}\n", i % 7, i % 5, i % 3, i % 11 * 2));
    let draft = json!({"target": "y", "task": "regression", "epochs": 1});
    let model = trained(data, Format::Csv, draft);
    let ask = |i: u32| json!({"value": i, "label": f64::from(i) / 2.0, "/x": null});
    let asked: Vec<Value> = (0..50).map(ask).collect();
    model.agrees(&rows(&asked), &asked, 50);
}

#[test]
fn incomes_of_adults() {
    let Some(training) = real("adult/train.csv.gz", 2_000) else { return };
    let held_out = real("adult/test.csv.gz", 300).unwrap();
    let names: Vec<&str> = held_out.lines().next().unwrap().split(',').collect();
    let value = |cell: &str| match cell.trim().parse::<f64>() {
        Ok(number) => json!(number),
        Err(_) if matches!(cell.trim(), "?" | "") => Value::Null,
        Err(_) => json!(cell),
    };
    let row = |line: &str| {
        let cells = names.iter().zip(line.split(','));
        cells.map(|(name, cell)| ((*name).to_owned(), value(cell))).collect::<Value>()
    };
    let asked: Vec<Value> = held_out.lines().skip(1).map(row).collect();
    let draft = json!({"target": "income", "epochs": 2});
    trained(training, Format::Csv, draft).agrees(&rows(&asked), &asked, 64);
}
