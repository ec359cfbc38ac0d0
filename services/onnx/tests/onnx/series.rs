//! Forecasts: windows of raw values in, values in their own unit out.

use domain::{dataset::Format, predict::Prediction};
use serde_json::{Map, Value, json};

use crate::support::{Draws, Trained, trained};

const LOOKBACK: usize = 14;
const HORIZON: usize = 4;

/// Days of two shops from just before a leap day on, with a price, a kind of day and a delivery.
fn days(count: usize, shop: &str) -> Vec<Map<String, Value>> {
    let mut draws = Draws::new(shop.len() as u64);
    let months = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut date = [2024, 1, 20];
    (0..count)
        .map(|i| {
            let [year, month, day] = date;
            date[2] += 1;
            let leap = year % 4 == 0 || month != 2;
            if date[2] > months[month - 1] - usize::from(!leap) {
                date = if month == 12 { [year + 1, 1, 1] } else { [year, month + 1, 1] };
            }
            let price = 2.0 + draws.unit();
            let kind = ["plain", "feast", "rain"][draws.below(3) as usize];
            let sales = 50.0 * shop.len() as f64 + i as f64 - 9.0 * price
                + if i % 7 < 2 { 20.0 } else { 0.0 }
                + draws.unit();
            let row = json!({
                "day": format!("{year}-{month:02}-{day:02}"), "shop": shop, "price": price,
                "kind": kind, "delivery": format!("2024-0{}-11", 1 + draws.below(9)),
                "sales": sales,
            });
            let Value::Object(mut row) = row else { unreachable!() };
            if draws.unit() < 0.1 {
                row["price"] = Value::Null;
            }
            if draws.unit() < 0.1 {
                row["kind"] = Value::Null;
            }
            row
        })
        .collect()
}

fn csv(rows: &[Map<String, Value>]) -> String {
    let names: Vec<&str> = rows[0].keys().map(String::as_str).collect();
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut csv = names.join(",") + "\n";
    for row in rows {
        csv += &(names.iter().map(|name| cell(&row[*name])).collect::<Vec<_>>().join(",") + "\n");
    }
    csv
}

/// Of windows that no training has seen: what the engine answers, and the rows as the graph takes them.
fn asked(model: &Trained, shops: &[&str]) -> (Vec<Prediction>, Vec<Value>) {
    let (mut answers, mut fed) = (vec![], vec![]);
    for shop in shops {
        let mut all = days(230, shop);
        for row in &mut all[150..] {
            row["kind"] =
                if row["price"].is_null() { json!("unseen") } else { row["kind"].clone() };
        }
        for start in (150..210).step_by(2) {
            let mut window = all[start..start + LOOKBACK + HORIZON].to_vec();
            window[LOOKBACK..].iter_mut().for_each(|row| row["sales"] = Value::Null);
            answers.extend(model.model.predict(&window).unwrap());
            let column = |name: &str| window.iter().map(|r| r[name].clone()).collect::<Vec<_>>();
            fed.push(json!({
                "sales": column("sales")[..LOOKBACK], "shop": shop, "day": column("day"),
                "price": column("price"), "kind": column("kind"), "delivery": column("delivery"),
            }));
        }
    }
    answers.insert(0, answers[0].clone());
    (answers, fed)
}

fn draft(model: Value, more: Value) -> Value {
    let mut series = json!({"time": "day", "season": 7, "horizon": HORIZON, "lookback": LOOKBACK});
    series.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"target": "sales", "epochs": 2, "batch_size": 16, "model": model, "series": series})
}

fn rich() -> Value {
    json!({
        "series": "shop", "known": ["price", "kind", "delivery"],
        "calendar": ["hour_of_day", "day_of_week", "day_of_month", "month_of_year", "day_of_year"],
    })
}

#[track_caller]
fn forecasts_two_shops(family: Value) {
    let rows = [days(140, "north"), days(140, "downtown")].concat();
    let model = trained(csv(&rows), Format::Csv, draft(family, rich()));
    let (answers, fed) = asked(&model, &["north", "downtown", "new"]);
    model.compare(&answers, &fed, 32);
}

#[test]
fn the_flat_families_and_convolutions() {
    forecasts_two_shops(json!({"family": "mlp", "units": [8]}));
    forecasts_two_shops(json!({"family": "linear"}));
    forecasts_two_shops(json!({"family": "cnn", "filters": [5, 4]}));
}

#[test]
fn recurrent_layers_and_transformers() {
    forecasts_two_shops(json!({"family": "lstm", "units": [6]}));
    forecasts_two_shops(json!({"family": "bidirectional_gru", "units": [5]}));
    forecasts_two_shops(json!({"family": "transformer", "embedding_dim": 8}));
}

#[test]
fn one_series_of_values_alone() {
    let rows = days(140, "north");
    let family = json!({"family": "gru", "units": [6]});
    let model = trained(csv(&rows), Format::Csv, draft(family, json!({})));
    let (mut answers, mut fed) = asked(&model, &["north", "north"]);
    // a window that never changes is scaled by the series' deviation
    let mut flat = days(LOOKBACK, "north");
    flat.iter_mut().for_each(|row| row["sales"] = json!(7.5));
    answers.extend(model.model.predict(&flat).unwrap());
    fed.push(json!({ "sales": vec![7.5; LOOKBACK] }));
    model.compare(&answers, &fed, 32);
}
