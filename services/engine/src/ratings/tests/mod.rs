//! Ratings read, drawn and ranked, and the model of a pair against its formula.

use std::collections::HashSet;

use burn::tensor::{Device, Int, Tensor, TensorData};
use domain::{
    dataset::ReadLimits,
    field::FieldErrors,
    model::FittedRatings,
    predict::Row,
    spec::{Input, Ratings, Task},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ranking::Ranking, read::Pairs, *};
use crate::{
    chance::{Chance, Purpose},
    error::EngineError,
    examples::{csv, spec},
};

fn columns(user: &str, item: &str, implicit: bool) -> Ratings {
    Ratings { user: user.into(), item: item.into(), implicit, negatives: 3 }
}

fn read(file: &std::path::Path, ratings: &Ratings) -> Result<RawRatings, EngineError> {
    let spec = spec(Task::Recommendation, "rating", Input::Ratings(ratings.clone()));
    RawRatings::read(file, &csv(), &ReadLimits::default(), &spec, ratings)
}

fn read_text(text: &str, ratings: &Ratings) -> Result<RawRatings, EngineError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    read(file.path(), ratings)
}

fn chance() -> Chance {
    Chance::new(1, Purpose::Sampling, 0, 0)
}

const TEXT: &str = "u,i,rating\nzoe,x,4\nann,x,2\nann,y,\nann,y,3\n,y,3\nbob,z,1\nzoe,new,5\n";

#[test]
fn ids_are_those_of_training_and_the_rest_is_unknown() {
    let raw = read_text(TEXT, &columns("u", "i", false)).unwrap();
    assert_eq!((raw.rows(), raw.rows_without_target), (5, 1));
    assert_eq!(raw.warnings, ["1 rows without `u` or `i` are left out"]);
    let training = [0, 1, 2];
    let fitted = raw.fit(&training);
    let expected = FittedRatings {
        users: vec!["ann".into(), "zoe".into()],
        items: vec!["x".into(), "y".into()],
        mean: 3.0,
        deviation: (2.0_f64 / 3.0).sqrt(),
    };
    assert_eq!(fitted, expected);
    assert_eq!(check(&fitted), Ok(()));
    let rated = raw.rated(&fitted, &training);
    let pairs = rated.batch(&[0, 1, 2, 3, 4], Draw::Training, &mut chance());
    assert_eq!(pairs.users, [2, 1, 1, 0, 2]);
    assert_eq!(pairs.items, [1, 1, 2, 0, 0]);
    assert_eq!(pairs.targets, [4.0, 2.0, 3.0, 1.0, 5.0]);
}

#[test]
fn implicit_rows_draw_items_that_the_user_did_not_take() {
    // The rating is not read: it need not even be a number.
    let text = "u,i\na,p\na,q\na,r\nb,q\nb,s\nb,t\nall,p\nall,q\nall,r\nall,s\nall,t\n";
    let raw = read_text(text, &columns("u", "i", true)).unwrap();
    let training: Vec<u32> = (0..11).filter(|&i| i != 2).collect();
    let fitted = raw.fit(&training);
    assert_eq!((fitted.mean, fitted.deviation), (0.0, 1.0));
    let rated = raw.rated(&fitted, &training);
    let drawn = |rows: &[u32], draw| {
        let mut drawn = HashSet::new();
        for seed in 0..30 {
            let pairs = rated.batch(rows, draw, &mut Chance::new(seed, Purpose::Sampling, 0, 0));
            assert_eq!(
                pairs,
                rated.batch(rows, draw, &mut Chance::new(seed, Purpose::Sampling, 0, 0))
            );
            let negative = pairs.items.iter().zip(&pairs.targets).filter(|(_, t)| **t == 0.0);
            drawn.extend(negative.map(|(&item, _)| item));
        }
        drawn
    };
    // Items in order are p, q, r, s, t at 1 to 5; `a` took p and q in training and r later.
    assert_eq!(drawn(&[0], Draw::Training), HashSet::from([3, 4, 5]));
    assert_eq!(drawn(&[2], Draw::Validation), HashSet::from([4, 5]));
    let pairs = rated.batch(&[0, 6], Draw::Training, &mut chance());
    assert_eq!(pairs.targets, [1.0, 0.0, 0.0, 0.0, 1.0], "nothing is left to draw for `all`");
}

#[test]
fn ranking_is_over_all_items_that_were_not_trained_on() {
    let mut text = String::from("u,i\n");
    // Every item is known through `all`; a took i00 in training and i03, i20 and one unknown later.
    (0..25).for_each(|i| text += &format!("all,i{i:02}\n"));
    text += "a,i00\na,i03\na,i20\na,zzz\nnew,i01\n";
    let raw = read_text(&text, &columns("u", "i", true)).unwrap();
    let training: Vec<u32> = (0..26).collect();
    let rated = raw.rated(&raw.fit(&training), &training);
    let falling = |_: i32| (0..25).map(|i| -(i as f32)).collect::<Vec<f32>>();
    let discount = |place: f64| 1.0 / (place + 1.0).log2();
    let only_a = rated.ranking(&[26, 27, 28], falling).unwrap();
    // i00 is out: i03 is third, i20 twentieth, and three are wanted.
    let expected = discount(3.0) / (discount(1.0) + discount(2.0) + discount(3.0));
    assert!((only_a.ndcg - expected).abs() < 1e-12);
    assert_eq!(only_a.hit_rate, 1.0);
    let rising = |_: i32| (0..25).map(|i| i as f32).collect::<Vec<f32>>();
    let both = rated.ranking(&[26, 29], rising).unwrap();
    assert_eq!(both, Ranking { hit_rate: 0.0, ndcg: 0.0 });
    let mut asked = vec![];
    rated.ranking(&[26, 29], |user| {
        asked.push(user);
        vec![]
    });
    assert_eq!(asked, [1, 0], "a user that is not known is asked for at 0");
    assert_eq!(rated.ranking(&[], falling), None);
    assert_eq!(rated.ranking(&[25], falling), None, "what was trained on cannot be wanted");
}

#[test]
fn a_request_may_name_anyone() {
    let raw = read_text(TEXT, &columns("u", "i", false)).unwrap();
    let fitted = raw.fit(&[0, 1, 2]);
    let ask = |rows: Value| {
        let rows: Vec<Row> =
            rows.as_array().unwrap().iter().map(|r| r.as_object().unwrap().clone()).collect();
        let mut errors = FieldErrors::default();
        let pairs = encode_request(&fitted, &columns("u", "i", false), &rows, &mut errors);
        (pairs.users, pairs.items, errors.to_string())
    };
    let rows = json!([{"u": " zoe ", "i": "y"}, {"u": 7, "i": "new"}]);
    assert_eq!(ask(rows), (vec![2, 0], vec![2, 0], String::new()));
    assert_eq!(
        ask(json!([{"u": null, "i": {}}, {"i": "x"}])).2,
        "rows[0].u: null; give an id, which need not have been in training; rows[0].i: expected \
         text, a number or null; got an object; rows[1].u: the column is missing; give a value, or \
         null where it is unknown"
    );
    let twice = FittedRatings { users: vec!["a".into(), "a".into()], ..fitted.clone() };
    assert!(check(&twice).is_err());
    assert!(check(&FittedRatings { deviation: 0.0, ..fitted }).is_err());
}

#[test]
fn files_that_are_no_ratings_are_refused() {
    let refused = |text: &str| match read_text(text, &columns("u", "i", false)) {
        Err(e) => e.to_string(),
        Ok(_) => panic!("{text} is read"),
    };
    assert!(refused("u,x,rating\n1,2,3\n").contains("no column `i`"));
    assert!(refused("u,i,rating\n1,2,good\n").contains("`good` is not a number"));
    let empty = read_text("u,i,rating\n", &columns("u", "i", false)).unwrap();
    let fitted = empty.fit(&[]);
    assert_eq!((fitted.mean, fitted.deviation), (0.0, 1.0));
    let pairs = empty.rated(&fitted, &[]).batch(&[], Draw::Training, &mut chance());
    assert_eq!(pairs, Pairs::default());
}

proptest! {
    #[test]
    fn no_request_panics(
        users in prop::collection::vec(prop_oneof![
            Just(Value::Null), any::<f64>().prop_map(Value::from), any::<bool>().prop_map(Value::from),
            "[a-z]{0,3}".prop_map(Value::from), Just(json!([])),
        ], 0..150)
    ) {
        let fitted = FittedRatings {
            users: vec!["a".into(), "true".into()], items: vec![], mean: 0.0, deviation: 1.0,
        };
        let rows: Vec<Row> = users
            .into_iter()
            .map(|user| Row::from_iter([("u".to_owned(), user), ("i".to_owned(), json!(1))]))
            .collect();
        let mut errors = FieldErrors::default();
        let pairs = encode_request(&fitted, &columns("u", "i", false), &rows, &mut errors);
        prop_assert!(errors.0.len() <= 100);
        prop_assert!(pairs.users.iter().all(|&place| (0..=2).contains(&place)));
    }
}

fn numbers<const D: usize>(shape: [usize; D], values: &[f32], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn places(values: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// Weights of 3 users and 4 items of 2 numbers each, and two towers of 3 and 2 units.
const SHAPES: [&[usize]; 9] = [&[3, 2], &[4, 2], &[3], &[4], &[1], &[2, 3], &[3], &[3, 2], &[2]];

/// The sum of the squared ratings of four pairs, and its derivative by each weight.
fn squares(values: &[Vec<f32>], towers: bool) -> (f32, Vec<Vec<f32>>) {
    let device = Device::flex().autodiff();
    let matrix =
        |i: usize| numbers([SHAPES[i][0], SHAPES[i][1]], &values[i], &device).require_grad();
    let vector = |i: usize| numbers([SHAPES[i][0]], &values[i], &device).require_grad();
    let weights = FactorWeights {
        user_vectors: matrix(0),
        item_vectors: matrix(1),
        user_bias: vector(2),
        item_bias: vector(3),
        mean: vector(4),
    };
    let tower = [(matrix(5), vector(6)), (matrix(7), vector(8))];
    let (users, items) = (places(&[1, 2, 2, 0], &device), places(&[1, 1, 3, 2], &device));
    let ratings = if towers {
        two_tower(users, items, &weights, &tower, &tower)
    } else {
        two_tower(users, items, &weights, &[], &[])
    };
    assert_eq!(ratings.dims(), [4, 1]);
    let sum = ratings.powi_scalar(2).sum();
    let gradients = sum.backward();
    let flat = |gradient: Option<TensorData>, i: usize| {
        gradient.map_or(vec![0.0; values[i].len()], |data| data.try_to_vec::<f32>().unwrap())
    };
    let of_matrix = |t: &Tensor<2>, i| flat(t.grad(&gradients).map(|g| g.into_data()), i);
    let of_vector = |t: &Tensor<1>, i| flat(t.grad(&gradients).map(|g| g.into_data()), i);
    let all = vec![
        of_matrix(&weights.user_vectors, 0),
        of_matrix(&weights.item_vectors, 1),
        of_vector(&weights.user_bias, 2),
        of_vector(&weights.item_bias, 3),
        of_vector(&weights.mean, 4),
        of_matrix(&tower[0].0, 5),
        of_vector(&tower[0].1, 6),
        of_matrix(&tower[1].0, 7),
        of_vector(&tower[1].1, 8),
    ];
    (sum.into_scalar::<f32>(), all)
}

#[test]
fn gradients_are_those_of_small_differences() {
    let mut chance = Chance::new(5, Purpose::Weights, 0, 0);
    let values: Vec<Vec<f32>> = SHAPES
        .iter()
        .map(|shape| (0..shape.iter().product()).map(|_| chance.normal()).collect())
        .collect();
    for towers in [false, true] {
        let (_, gradients) = squares(&values, towers);
        for (i, tensor) in gradients.iter().enumerate() {
            for (j, &gradient) in tensor.iter().enumerate() {
                let step = 1e-2;
                let moved = |by: f32| {
                    let mut values = values.clone();
                    values[i][j] += by;
                    f64::from(squares(&values, towers).0)
                };
                let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
                let gap = (slope - f64::from(gradient)).abs();
                assert!(gap < 2e-2 * (1.0 + slope.abs()), "{towers} {i} {j}: {gradient} {slope}");
            }
        }
        assert_eq!((gradients[0][..2].to_vec(), gradients[2][0]), (vec![0.0; 2], 0.0), "unknown");
    }
}

#[test]
fn a_rating_is_mean_biases_and_product() {
    let device = Device::flex();
    let weights = FactorWeights {
        user_vectors: numbers([2, 2], &[9.0, 9.0, 1.0, 2.0], &device),
        item_vectors: numbers([2, 2], &[9.0, 9.0, 3.0, -0.5], &device),
        user_bias: numbers([2], &[9.0, 0.25], &device),
        item_bias: numbers([2], &[9.0, -0.5], &device),
        mean: numbers([1], &[3.5], &device),
    };
    let (users, items) = (places(&[1, 0, 1, 0], &device), places(&[1, 1, 0, 0], &device));
    let ratings = two_tower(users, items, &weights, &[], &[]);
    let ratings = ratings.into_data().try_to_vec::<f32>().unwrap();
    assert_eq!(ratings, [3.5 + 0.25 - 0.5 + 2.0, 3.0, 3.75, 3.5]);
}
