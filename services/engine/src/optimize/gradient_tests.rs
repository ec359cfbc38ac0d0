//! Clipping, accumulation and penalties against Keras 3.15 (TensorFlow 2.21), which computed the
//! numbers below from the same inputs.

use std::collections::HashMap;

use super::*;

fn gradients() -> Vec<Vec<f32>> {
    vec![vec![3.0, -4.0, 0.5], vec![0.1, -0.2], vec![12.0, 0.0]]
}

fn assert_close(got: &[Vec<f32>], expected: &[&[f32]]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(*expected) {
            assert!((got - expected).abs() < 1e-6, "{got} is not {expected}");
        }
    }
}

#[test]
fn each_number_is_clipped() {
    let mut got = gradients();
    clip(&Gradient { clipvalue: Some(1.0), ..Gradient::default() }, &mut got);
    assert_close(&got, &[&[1.0, -1.0, 0.5], &[0.1, -0.2], &[1.0, 0.0]]);
}

#[test]
fn each_tensor_is_clipped() {
    let mut got = gradients();
    clip(&Gradient { clipnorm: Some(1.0), ..Gradient::default() }, &mut got);
    let first = [0.597_022_35, -0.796_029_8, 0.099_503_726];
    assert_close(&got, &[&first, &[0.1, -0.2], &[1.0, 0.0]]);
}

#[test]
fn all_tensors_are_clipped_together() {
    let mut got = gradients();
    clip(&Gradient { global_clipnorm: Some(2.0), ..Gradient::default() }, &mut got);
    let first = [0.461_129_37, -0.614_839_14, 0.076_854_89];
    assert_close(&got, &[&first, &[0.015_370_979, -0.030_741_948], &[1.844_517_5, 0.0]]);
    let mut short = gradients();
    clip(&Gradient { global_clipnorm: Some(100.0), ..Gradient::default() }, &mut short);
    assert_eq!(short, gradients());
    clip(&Gradient::default(), &mut short);
    assert_eq!(short, gradients());
}

#[test]
fn large_gradients_are_clipped_alike_on_any_number_of_threads() {
    let limits = Gradient {
        clipvalue: Some(0.9),
        clipnorm: Some(100.0),
        global_clipnorm: Some(50.0),
        accumulation_steps: 1,
    };
    let clipped = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut gradients: Vec<Vec<f32>> =
            [200_003, 9].map(|n| (0..n).map(|i| (i as f32).sin()).collect()).into();
        pool.install(|| clip(&limits, &mut gradients));
        gradients
    };
    let one = clipped(1);
    assert_eq!(one, clipped(2));
    let squares = one.iter().flatten().map(|&g| f64::from(g) * f64::from(g));
    assert!((squares.sum::<f64>().sqrt() - 50.0).abs() < 1e-4);
}

#[test]
fn what_is_not_a_number_is_not_hidden() {
    let limits = [
        Gradient { clipvalue: Some(1.0), ..Gradient::default() },
        Gradient { clipnorm: Some(1.0), ..Gradient::default() },
        Gradient { global_clipnorm: Some(1.0), ..Gradient::default() },
    ];
    for limits in limits {
        let mut got = [[f32::NAN, 5.0]];
        clip(&limits, &mut got);
        assert!(got[0][0].is_nan(), "{limits:?}");
    }
}

#[test]
fn penalties_and_their_derivatives_are_those_of_keras() {
    let values = [1.5, -2.0, 0.0, 0.25];
    let both = Regularization { l1: 0.01, l2: 0.02 };
    assert!((penalty(both, &values) - 0.163_75).abs() < 1e-9);
    let mut gradient = vec![vec![1.0; 4]];
    add_penalty_gradient(both, &values, &mut gradient[0]);
    assert_close(&gradient, &[&[1.07, 0.91, 1.0, 1.02]]);
    let none = Regularization::default();
    add_penalty_gradient(none, &values, &mut gradient[0]);
    assert_close(&gradient, &[&[1.07, 0.91, 1.0, 1.02]]);
    assert_eq!(penalty(none, &values), 0.0);
}

#[test]
fn the_derivative_is_the_slope_of_the_penalty() {
    let both = Regularization { l1: 0.3, l2: 0.7 };
    for w in [-1.5f32, -0.01, 0.01, 2.0] {
        let step = 1e-3;
        let slope = (penalty(both, &[w + step]) - penalty(both, &[w - step]))
            / (f64::from(w + step) - f64::from(w - step));
        let mut gradient = [0.0];
        add_penalty_gradient(both, &[w], &mut gradient);
        assert!((f64::from(gradient[0]) - slope).abs() < 1e-5, "{w}: {gradient:?}, {slope}");
    }
}

const BATCHES: [[f32; 2]; 3] = [[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]];

/// Keras' step of SGD with a rate of 1 and `gradient_accumulation_steps=3` is the negative of this.
#[test]
fn equal_batches_accumulate_as_in_keras() {
    let mut accumulation = Accumulation::new(3, &[2]);
    for _ in 0..2 {
        let done = BATCHES.map(|batch| {
            let mut gradients = vec![batch.to_vec()];
            let is_done = accumulation.add(&mut gradients, 32);
            if is_done {
                assert_close(&gradients, &[&[1.5, 0.416_666_66]]);
            }
            is_done
        });
        assert_eq!(done, [false, false, true]);
    }
}

#[test]
fn batches_count_by_their_rows_and_the_last_may_come_early() {
    let mut accumulation = Accumulation::new(4, &[2]);
    assert!(!accumulation.finish(&mut [BATCHES[0]]));
    assert!(!accumulation.add(&mut [BATCHES[0]], 3));
    assert!(!accumulation.add(&mut [BATCHES[1]], 1));
    let mut gradients = [[9.0, 9.0]];
    assert!(accumulation.finish(&mut gradients));
    assert_eq!(gradients, [[1.5, 1.25]]);
    assert_eq!(accumulation.held(), Held::default());
    assert!(!accumulation.finish(&mut gradients));
}

#[test]
fn one_batch_a_step_passes_through() {
    for batches in [0, 1] {
        let mut accumulation = Accumulation::new(batches, &[2]);
        let mut gradients = BATCHES;
        assert!(accumulation.add(&mut gradients, 32));
        assert_eq!(gradients, BATCHES);
        assert_eq!(accumulation.slots().count(), 0);
    }
}

#[test]
fn accumulation_goes_on_where_it_was_saved() {
    let mut whole = Accumulation::new(3, &[2]);
    let mut resumed = Accumulation::new(3, &[2]);
    for (batch, rows) in BATCHES.into_iter().zip([5, 7, 3]) {
        let saved: HashMap<String, Vec<f32>> =
            resumed.slots().map(|(name, mean)| (name, mean.to_vec())).collect();
        let held = serde_json::to_string(&resumed.held()).unwrap();
        let held = serde_json::from_str(&held).unwrap();
        let mut get = |name: &str, _| saved.get(name).cloned().ok_or_else(|| name.to_owned());
        resumed = Accumulation::restore(3, held, &[2], &mut get).unwrap();
        let (mut expected, mut got) = ([batch], [batch]);
        assert_eq!(whole.add(&mut expected, rows), resumed.add(&mut got, rows));
        assert_eq!(expected, got);
    }
    let mut wrong = |_: &str, _| Ok(vec![0.0; 3]);
    let held = Held { batches: 1, rows: 5 };
    let message = Accumulation::restore(3, held, &[2], &mut wrong).err().unwrap();
    assert_eq!(message, "`0.mean` has 3 numbers where the tensor has 2");
    let message = Accumulation::restore(1, held, &[2], &mut wrong).err().unwrap();
    assert_eq!(message, "1 batches are held where 1 make a step");
}
