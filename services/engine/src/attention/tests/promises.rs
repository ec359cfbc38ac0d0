//! What a block never does: look at padding, look ahead, decode other than it was trained.

use burn::tensor::{Device, Tensor};
use domain::spec::Activation;

use super::{assert_near, block, numbers, spec, tensor, wave, weights};
use crate::attention::{BlockWeights, Cache, step};

const SHAPE: [usize; 3] = [2, 20, 8];

fn run(x: &[f32], causal: bool, lengths: Option<&[usize]>) -> Vec<f32> {
    let device = Device::flex();
    let spec = spec(Activation::Gelu, true);
    let x = tensor(x.to_vec(), SHAPE, &device);
    numbers(block(x, &weights(8, 12, &device), &spec, causal, lengths, &mut |_| None))
}

fn row(sequence: usize, place: usize) -> std::ops::Range<usize> {
    let start = (sequence * SHAPE[1] + place) * SHAPE[2];
    start..start + SHAPE[2]
}

#[test]
fn a_later_token_changes_no_bit_of_an_earlier_place() {
    let x = wave(SHAPE, 0.5, 1.3, 1.0);
    let before = run(&x, true, None);
    for changed in 0..SHAPE[1] {
        let mut x = x.clone();
        x[row(0, changed)].fill(17.0);
        let after = run(&x, true, None);
        for place in 0..SHAPE[1] {
            let same = before[row(0, place)] == after[row(0, place)];
            assert_eq!(same, place < changed, "{place} after {changed} changed");
        }
        assert_eq!(before[row(1, 0).start..], after[row(1, 0).start..]);
    }
}

#[test]
fn padding_is_seen_by_nobody() {
    let x = wave(SHAPE, 0.5, 1.3, 1.0);
    let mut other = x.clone();
    for place in 13..SHAPE[1] {
        other[row(0, place)].fill(-9.0);
    }
    for causal in [true, false] {
        let [a, b] = [&x, &other].map(|x| run(x, causal, Some(&[13, 20])));
        assert_eq!(a[..row(0, 13).start], b[..row(0, 13).start]);
        assert_eq!(a[row(1, 0).start..], b[row(1, 0).start..]);
        assert_ne!(a, b);
    }
    assert_ne!(run(&x, false, None)[row(0, 0)], run(&other, false, None)[row(0, 0)]);
}

#[test]
fn decoding_place_by_place_gives_what_the_whole_sequence_gives() {
    let device = Device::flex();
    let blocks: [BlockWeights; 2] = [weights(8, 12, &device), weights(8, 12, &device)];
    for normalize_first in [true, false] {
        let spec = spec(Activation::Silu, normalize_first);
        let shape = [1, 20, 8];
        let x: Tensor<3> = tensor(wave(shape, 0.5, 1.3, 1.0), shape, &device);
        let whole = blocks
            .iter()
            .fold(x.clone(), |x, weights| block(x, weights, &spec, true, None, &mut |_| None));
        let mut cache = Cache::new(2);
        for attempt in 0..2 {
            let mut parts = vec![];
            for range in [0..6, 6..7, 7..8, 8..20] {
                assert_eq!(cache.places(), range.start);
                let x = x.clone().slice([0..1, range, 0..8]);
                parts.push(
                    blocks
                        .iter()
                        .zip(&mut cache.layers)
                        .fold(x, |x, (weights, cache)| step(x, weights, &spec, cache)),
                );
            }
            let parts = numbers(Tensor::cat(parts, 1));
            assert_near(&parts, &numbers(whole.clone()), 1e-5);
            cache.clear();
            assert_eq!((attempt, cache.places()), (attempt, 0));
        }
    }
}

#[test]
fn dropout_comes_after_each_of_the_two_networks() {
    let device = Device::flex();
    let x = wave(SHAPE, 0.5, 1.3, 1.0);
    let run = |keep: [f32; 2]| {
        let mut asked = vec![];
        let y = block(
            tensor(x.clone(), SHAPE, &device),
            &weights(8, 12, &device),
            &spec(Activation::Relu, true),
            true,
            None,
            &mut |numbers| {
                asked.push(numbers);
                Some(vec![keep[asked.len() - 1]; numbers])
            },
        );
        assert_eq!(asked, [320, 320]);
        numbers(y)
    };
    assert_eq!(run([0.0, 0.0]), x);
    let [attention, feed_forward, both] = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]].map(run);
    assert_ne!(attention, x);
    assert_ne!(feed_forward, x);
    assert_ne!(both, attention);
    assert_ne!(both, feed_forward);
}
