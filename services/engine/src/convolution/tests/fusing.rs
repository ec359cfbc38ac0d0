//! Convolutions with what follows them, and the same on all widths of vectors and numbers of threads.

use proptest::prelude::*;
use pulp::{Scalar, Scalar128b, Scalar512b, Simd, WithSimd};

use super::*;
use crate::convolution::{
    backward::{Asked, Given, Slopes, backward},
    forward::{Made, forward},
    vectors::{Vectors, Widest},
};

fn then(rectify: bool, pool: usize) -> Then {
    Then { rectify, pool }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_image_rectified_and_pooled(
        sides in [2_usize..12, 2..12],
        size in 1_usize..4,
        strides in 1_usize..3,
        channels in 1_usize..20,
        filters in 1_usize..20,
        same: bool,
        rectify: bool,
        side in 1_usize..4,
    ) {
        prop_assume!(same || sides.iter().all(|&n| n >= size));
        let padding = if same { Padding2D::Same } else { Padding2D::Valid };
        let window = Window::of_image(sides, [size, size, channels, filters], strides, padding);
        prop_assume!(window.output.iter().all(|&n| n >= side));
        check_fused(&window, Then { rectify, pool: side }, 2, 0.0);
    }

    #[test]
    fn any_sequence_rectified(
        steps in 1_usize..12,
        size in 1_usize..5,
        dilation in 1_usize..4,
        features in 1_usize..30,
        filters in 1_usize..20,
    ) {
        let shape = [size, features, filters];
        let window = Window::of_sequence(steps, shape, dilation, Padding1D::Causal);
        check_fused(&window, then(true, 1), 3, 0.0);
    }
}

/// Long runs and short ones, whole vectors and parts of them, one image and one pixel.
#[test]
fn layers_of_real_networks_rectified_and_pooled_are_the_definition_to_the_bit() {
    let valid = |input, kernel| Window::of_image(input, kernel, 1, Padding2D::Valid);
    check_fused(&valid([28, 28], [3, 3, 1, 32]), then(true, 2), 2, 0.0);
    check_fused(&valid([13, 13], [3, 3, 32, 64]), then(true, 2), 3, 0.0);
    check_fused(&valid([13, 13], [3, 3, 32, 17]), then(true, 1), 1, 0.0);
    check_fused(&valid([9, 7], [3, 3, 67, 5]), then(false, 3), 10, 0.0);
    check_fused(&valid([1, 1], [1, 1, 40, 1]), then(true, 1), 1, 0.0);
    check_fused(&valid([2, 2], [1, 1, 40, 1]), then(true, 2), 1, 0.0);
    let strided = Window::of_image([15, 13], [5, 5, 10, 10], 2, Padding2D::Same);
    check_fused(&strided, then(true, 2), 2, 0.0);
    check_fused(&strided, then(true, 1), 2, 0.0);
}

#[test]
fn not_a_number_is_not_hidden_by_what_follows() {
    let pixels = vec![1.0, f32::NAN, 2.0, 3.0];
    let one = || learned(vec![1.0], [1, 1, 1, 1]);
    let x = || learned(pixels.clone(), [1, 2, 2, 1]);
    let stand = (1, Padding2D::Valid);
    assert!(values(conv2d(x(), one(), None, stand, then(true, 2)))[0].is_nan());
    assert!(values(conv2d(x(), one(), None, stand, then(true, 1)))[1].is_nan());
}

#[derive(Clone, Copy)]
struct Only<S>(S);

impl<S: Simd> Vectors for Only<S> {
    fn run<O: WithSimd>(self, op: O) -> O::Output {
        self.0.vectorize(op)
    }
}

fn waves(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * 0.7).sin()).collect()
}

/// Output and gradients of images, kernel and bias, of sums that rounding touches.
fn made(vectors: impl Vectors, fused: &Fused, batch: usize) -> [Vec<f32>; 4] {
    let window = &fused.window;
    let images = &waves(batch * window.input_len());
    let kernel = &waves(window.taps() * window.filters);
    let Made { out, picks } = forward(vectors, fused, images, kernel, &vec![0.1; window.filters]);
    let gradient = &waves(out.len());
    let given = Given { images, kernel, out: &out, picks: &picks, gradient };
    let Slopes { images, kernel, bias } =
        backward(vectors, fused, given, Asked { images: true, kernel: true });
    [out, images, kernel, bias]
}

/// One of each way to the gradients.
fn layers() -> [Fused; 5] {
    let layer = |input, kernel, strides, rectify, side| {
        let window = Window::of_image(input, kernel, strides, Padding2D::Same);
        Fused::new(window, then(rectify, side))
    };
    [
        layer([13, 11], [3, 3, 5, 18], 1, false, 1),
        layer([13, 11], [3, 3, 9, 18], 1, true, 2),
        layer([9, 9], [3, 3, 3, 7], 1, true, 2),
        layer([9, 10], [3, 3, 5, 33], 2, true, 1),
        layer([9, 10], [3, 3, 13, 5], 1, true, 1),
    ]
}

#[test]
fn every_width_of_vectors_makes_the_same() {
    for fused in layers() {
        let widest = made(Widest, &fused, 3);
        let others = [
            made(Only(Scalar::new()), &fused, 3),
            made(Only(Scalar128b), &fused, 3),
            made(Only(Scalar512b), &fused, 3),
        ];
        for other in others {
            widest.iter().zip(&other).for_each(|(a, b)| assert_close(a, b, 1e-3));
        }
    }
}

/// Maxima of normalised numbers, and the gradient of these.
fn picked(vectors: impl Vectors) -> (Vec<f32>, Vec<u8>, Vec<f32>) {
    let pool = Pool { size: 2, input: [7, 5], channels: 21 };
    let x = waves(2 * 7 * 5 * 21);
    let line = norm::Line { scale: waves(21), shift: vec![0.1; 21] };
    let (out, picked) = norm_pooled::normalize(vectors, &pool, &x, &line, true);
    let gradient = (&waves(out.len())[..], Some(&out[..]));
    let lines = (&line.scale[..], &line);
    let of_x = norm_pooled::input_gradient(vectors, &pool, &x, &picked, gradient, lines);
    (out, picked.places, of_x)
}

#[test]
fn every_width_of_vectors_picks_the_same() {
    let widest = picked(Widest);
    assert_eq!(widest, picked(Only(Scalar::new())));
    assert_eq!(widest, picked(Only(Scalar512b)));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let x = waves(20 * 715);
            let moments = norm::Moments::of(&x, 5, 1e-3);
            let line = moments.line(&[0.3; 5], &[0.1; 5]);
            let sums = norm::gradient_sums(&x, &x, &moments, Some(&line));
            let tilt = norm::tilt(x.len() / 5, &moments, &line.scale, Some(&sums));
            let of_x = norm::input_gradient(&x, &x, &line, &tilt, true);
            (layers().map(|fused| made(Widest, &fused, 20)), of_x, sums.normalized)
        })
    };
    let alone = on(1);
    assert_eq!(alone, on(2));
    assert_eq!(alone, on(5));
}
