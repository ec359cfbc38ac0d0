//! Recommendations: users and items by name, some of whom training has not seen.

use domain::dataset::Format;
use serde_json::{Value, json};

use crate::support::{Draws, rows, trained};

fn rated(implicit: bool) -> String {
    let mut draws = Draws::new(4);
    let mut csv = String::from(if implicit { "user,item\n" } else { "user,item,rating\n" });
    for user in 0..24 {
        for item in 0..16 {
            let fits = user % 2 == item % 2;
            if draws.unit() < 0.7 && (fits || !implicit) {
                let rating = if fits { 4.5 } else { 1.5 } + 0.3 * (draws.unit() - 0.5);
                let rating = if implicit { String::new() } else { format!(",{rating:.2}") };
                csv += &format!("{user},i{item}{rating}\n");
            }
        }
    }
    csv
}

#[track_caller]
fn recommends(implicit: bool, model: Value) {
    let mut draft = json!({"epochs": 5, "batch_size": 16, "model": model,
                           "recommendation": {"user": "user", "item": "item"}});
    if implicit {
        draft["recommendation"]["implicit"] = json!(true);
    } else {
        draft["target"] = json!("rating");
    }
    let model = trained(rated(implicit), Format::Csv, draft);
    let asked: Vec<Value> = (0..26)
        .flat_map(|user| (0..20).step_by(5).map(move |i| (user, i)))
        .map(|(user, item)| json!({"user": user, "item": format!(" i{item}")}))
        .collect();
    model.agrees(&rows(&asked), &asked, 256);
}

#[test]
fn matrix_factorisations_of_ratings_and_of_what_was_taken() {
    let model = json!({"family": "matrix_factorization", "embedding_dim": 4});
    recommends(false, model.clone());
    recommends(true, model);
}

#[test]
fn two_towers() {
    let model = json!({"family": "two_tower", "embedding_dim": 4, "units": [8, 3]});
    recommends(false, model.clone());
    recommends(true, model);
}
