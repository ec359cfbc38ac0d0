//! Convolutions against Keras 3.15 (TensorFlow 2.21), and against the definition written as plain
//! loops, whose gradients are exact too.

mod fusing;
mod normalizing;
mod pooling;

use burn::tensor::{Device, Gradients};
use proptest::prelude::*;

use super::*;

/// Eighths that binary fractions hold exactly; the same were given to Keras.
pub(super) fn ramp(len: usize, step: usize, modulus: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * step % modulus) as f32 - (modulus / 2) as f32) / 8.0).collect()
}

pub(super) fn learned<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    let device = Device::flex().autodiff();
    tensor(values, shape, &device).require_grad()
}

pub(super) fn ramp_of<const D: usize>(shape: [usize; D], step: usize, modulus: usize) -> Tensor<D> {
    learned(ramp(shape.iter().product(), step, modulus), shape)
}

pub(super) fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    plain(x).try_into_vec_as().unwrap()
}

pub(super) fn gradient<const D: usize>(x: &Tensor<D>, gradients: &Gradients) -> Vec<f32> {
    x.grad(gradients).unwrap().try_into_vec_as().unwrap()
}

pub(super) fn assert_close(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= tolerance, "{i}: {got} instead of {expected}");
    }
}

/// `Conv2D(3, size, strides, padding)` with the ramps as kernel and image.
fn keras_2d(padding: Padding2D, strides: usize, size: usize) -> (Vec<usize>, Vec<f32>) {
    let x = ramp_of([1, 5, 4, 2], 7, 11);
    let kernel = ramp_of([size, size, 2, 3], 5, 13);
    let y = conv2d(
        x,
        kernel,
        Some(learned(vec![0.5, -0.25, 1.0], [3])),
        (strides, padding),
        Then::NOTHING,
    );
    (y.dims().to_vec(), values(y))
}

#[test]
fn images_are_convolved_as_keras_does() {
    let (shape, y) = keras_2d(Padding2D::Valid, 1, 3);
    assert_eq!(shape, [1, 3, 2, 3]);
    let expected = [
        -0.3125, 0.59375, 1.46875, 1.109375, -0.859375, 1.0, -0.46875, -0.234375, 2.0, 1.46875,
        -2.03125, 0.328125, 0.40625, -0.03125, 1.328125, 0.96875, -0.96875, 0.515625,
    ];
    assert_close(&y, &expected, 0.0);
    let (shape, y) = keras_2d(Padding2D::Same, 2, 3);
    assert_eq!(shape, [1, 3, 2, 3]);
    let expected = [
        -0.671875, 0.71875, 1.0625, 0.640625, -0.09375, 0.765625, -0.46875, -0.234375, 2.0, 1.3125,
        -0.234375, 0.421875, 0.828125, -0.34375, 0.6875, 0.71875, -0.265625, 1.765625,
    ];
    assert_close(&y, &expected, 0.0);
    let (shape, y) = keras_2d(Padding2D::Valid, 2, 2);
    assert_eq!(shape, [1, 2, 2, 3]);
    let expected = [
        1.265625, 0.375, 0.46875, 0.796875, -0.34375, 0.71875, 1.109375, -0.609375, 1.296875,
        -0.046875, -0.640625, 1.375,
    ];
    assert_close(&y, &expected, 0.0);
}

/// An even kernel is padded by one zero, which stands at the end.
#[test]
fn an_odd_number_of_zeros_has_one_more_at_the_end() {
    let (shape, y) = keras_2d(Padding2D::Same, 1, 2);
    assert_eq!(shape, [1, 5, 4, 3]);
    let first_row = [
        1.265625, 0.375, 0.46875, 0.34375, 0.015625, 1.28125, 0.796875, -0.34375, 0.71875, 0.34375,
        -0.84375, 1.1875,
    ];
    assert_close(&y[..12], &first_row, 0.0);
    let last_row = [
        0.84375, -0.375, 0.40625, 0.28125, 0.0, 0.5, 0.0625, -0.140625, 1.453125, 0.53125,
        -0.140625, 1.1875,
    ];
    assert_close(&y[48..], &last_row, 0.0);
}

/// `Conv1D(2, size, dilation_rate, padding)` with the ramps as kernel and sequences.
fn keras_1d(padding: Padding1D, size: usize, dilation: usize) -> (Vec<usize>, Vec<f32>) {
    let x = ramp_of([2, 6, 2], 7, 11);
    let kernel = ramp_of([size, 2, 2], 5, 13);
    let y = conv1d(x, kernel, Some(learned(vec![0.5, -0.25], [2])), (padding, dilation), false);
    (y.dims().to_vec(), values(y))
}

#[test]
fn sequences_are_convolved_as_keras_does() {
    let (shape, y) = keras_1d(Padding1D::Causal, 3, 2);
    assert_eq!(shape, [2, 6, 2]);
    let expected = [
        1.046875, -0.34375, 1.046875, -0.484375, 0.046875, -0.484375, 0.0, -0.203125, 1.75,
        -0.484375, 0.75, 0.078125, 0.1875, -0.15625, 0.1875, -0.296875, 1.140625, -0.34375,
        0.234375, 0.453125, -0.296875, -0.203125, 0.765625, -0.671875,
    ];
    assert_close(&y, &expected, 0.0);
    let (shape, y) = keras_1d(Padding1D::Same, 4, 1);
    assert_eq!(shape, [2, 6, 2]);
    let expected = [
        0.984375, -1.140625, 0.71875, -0.484375, 0.625, -0.015625, 0.875, -0.0625, -0.34375,
        -0.3125, 1.203125, -0.703125, 0.125, 0.328125, 0.84375, -0.078125, -0.28125, -0.640625,
        0.65625, 0.0, 0.875, 0.140625, 0.015625, -0.609375,
    ];
    assert_close(&y, &expected, 0.0);
    let (shape, y) = keras_1d(Padding1D::Valid, 2, 3);
    assert_eq!(shape, [2, 3, 2]);
    let expected = [
        1.15625, 0.078125, 0.84375, -0.765625, 0.359375, -0.40625, 0.3125, -0.34375, 0.171875,
        -0.15625, 0.890625, -0.828125,
    ];
    assert_close(&y, &expected, 0.0);
}

#[test]
fn a_causal_convolution_does_not_see_ahead() {
    let kernel = || ramp_of([3, 1, 4], 5, 13);
    let mut steps = ramp(20, 7, 11);
    let read = |steps: &[f32]| {
        let x = learned(steps.to_vec(), [1, 20, 1]);
        values(conv1d(x, kernel(), None, (Padding1D::Causal, 4), false))
    };
    let before = read(&steps);
    steps[13] = 100.0;
    let after = read(&steps);
    assert_eq!(before[..13 * 4], after[..13 * 4]);
    assert_ne!(before[13 * 4..], after[13 * 4..]);
}

/// Every pair of an input and an output that a tap of the window connects.
fn connections(window: &Window, mut each: impl FnMut(usize, usize, usize)) {
    let [rows, columns] = window.output;
    for (y, x) in (0..rows * columns).map(|i| (i / columns, i % columns)) {
        for (i, j) in (0..window.kernel[0] * window.kernel[1])
            .map(|i| (i / window.kernel[1], i % window.kernel[1]))
        {
            let from = [
                (y * window.stride[0] + i * window.dilation[0]).checked_sub(window.before[0]),
                (x * window.stride[1] + j * window.dilation[1]).checked_sub(window.before[1]),
            ];
            if let [Some(from_y), Some(from_x)] = from
                && from_y < window.input[0]
                && from_x < window.input[1]
            {
                each(from_y * window.input[1] + from_x, i * window.kernel[1] + j, y * columns + x);
            }
        }
    }
}

/// The numbers of a convolution: images, kernel and bias.
struct Numbers {
    x: Vec<f32>,
    kernel: Vec<f32>,
    bias: Vec<f32>,
}

/// Outputs by the definition.
fn outputs(window: &Window, numbers: &Numbers) -> Vec<f32> {
    let (channels, filters) = (window.channels, window.filters);
    let batch = numbers.x.len() / window.input_len();
    let pixels = window.output[0] * window.output[1];
    let mut out = numbers.bias.repeat(batch * pixels);
    for n in 0..batch {
        connections(window, |from, tap, to| {
            for c in 0..channels {
                let x = numbers.x[n * window.input_len() + from * channels + c];
                let row = &numbers.kernel[(tap * channels + c) * filters..][..filters];
                for (f, weight) in row.iter().enumerate() {
                    out[(n * pixels + to) * filters + f] += x * weight;
                }
            }
        });
    }
    out
}

/// Gradients of images, kernel and bias by the definition.
fn slopes(window: &Window, numbers: &Numbers, up: &[f32]) -> [Vec<f32>; 3] {
    let (channels, filters) = (window.channels, window.filters);
    let pixels = window.output[0] * window.output[1];
    let mut of_x = vec![0.0; numbers.x.len()];
    let mut of_kernel = vec![0.0; numbers.kernel.len()];
    for n in 0..numbers.x.len() / window.input_len() {
        connections(window, |from, tap, to| {
            for (c, f) in (0..channels * filters).map(|i| (i / filters, i % filters)) {
                let at = n * window.input_len() + from * channels + c;
                let weight = (tap * channels + c) * filters + f;
                let up = up[(n * pixels + to) * filters + f];
                of_x[at] += up * numbers.kernel[weight];
                of_kernel[weight] += up * numbers.x[at];
            }
        });
    }
    let mut of_bias = vec![0.0; filters];
    up.iter().enumerate().for_each(|(i, up)| of_bias[i % filters] += up);
    [of_x, of_kernel, of_bias]
}

/// What follows the outputs by the definition, and the place among them that each number is of: none
/// where a rectifier lets nothing through.
fn finished(window: &Window, then: Then, out: &[f32]) -> Vec<(f32, Option<usize>)> {
    let Then { rectify, pool: side } = then;
    let [rows, columns] = window.output;
    let filters = window.filters;
    let (high, wide) = (rows / side, columns / side);
    let images = out.len() / (rows * columns * filters);
    let number = |i: usize| {
        let (f, q, n) = (i % filters, i / filters % (high * wide), i / filters / (high * wide));
        let (top, left) = (q / wide * side, q % wide * side);
        let places = (0..side * side).map(|j| {
            let pixel = (top + j / side) * columns + left + j % side;
            (n * rows * columns + pixel) * filters + f
        });
        let best = places.reduce(|best, at| if out[at] > out[best] { at } else { best }).unwrap();
        if rectify && out[best] <= 0.0 { (0.0, None) } else { (out[best], Some(best)) }
    };
    (0..images * high * wide * filters).map(number).collect()
}

fn check(window: &Window, batch: usize, tolerance: f32) {
    check_fused(window, Then::NOTHING, batch, tolerance);
}

fn check_fused(window: &Window, then: Then, batch: usize, tolerance: f32) {
    let [rows, columns] = window.input;
    let x = ramp_of([batch, rows, columns, window.channels], 7, 11);
    let kernel = [window.kernel[0], window.kernel[1], window.channels, window.filters];
    let kernel = ramp_of(kernel, 5, 13);
    let bias = ramp_of([window.filters], 3, 7);
    let y = op::convolve(x.clone(), kernel.clone(), bias.clone(), Fused::new(*window, then));
    let up = ramp(y.dims().iter().product(), 3, 17);
    let numbers = Numbers {
        x: values(x.clone()),
        kernel: values(kernel.clone()),
        bias: values(bias.clone()),
    };
    let out = outputs(window, &numbers);
    let finished = finished(window, then, &out);
    let expected: Vec<f32> = finished.iter().map(|(y, _)| *y).collect();
    assert_close(&values(y.clone()), &expected, tolerance);
    let mut up_of_out = vec![0.0; out.len()];
    for ((_, place), up) in finished.iter().zip(&up) {
        if let Some(place) = place {
            up_of_out[*place] += up;
        }
    }
    let [of_x, of_kernel, of_bias] = slopes(window, &numbers, &up_of_out);
    let up = tensor(up, y.dims(), &y.device());
    let gradients = (y * up).sum().backward();
    assert_close(&gradient(&x, &gradients), &of_x, tolerance);
    assert_close(&gradient(&kernel, &gradients), &of_kernel, tolerance);
    assert_close(&gradient(&bias, &gradients), &of_bias, tolerance);
}

/// Sides, kernel, strides and channels that fill registers and ones that do not; sums of eighths are
/// exact whatever their order.
#[test]
fn a_layer_of_a_real_network_is_the_definition_to_the_bit() {
    check(&Window::of_image([28, 28], [3, 3, 1, 16], 1, Padding2D::Same), 3, 0.0);
    check(&Window::of_image([14, 14], [3, 3, 16, 32], 1, Padding2D::Same), 9, 0.0);
    check(&Window::of_image([15, 13], [5, 5, 3, 10], 2, Padding2D::Same), 2, 0.0);
    check(&Window::of_sequence(50, [3, 19, 21], 4, Padding1D::Causal), 2, 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_image_and_its_gradients(
        sides in [1_usize..9, 1..9],
        size in 1_usize..5,
        strides in 1_usize..4,
        channels in 1_usize..20,
        filters in 1_usize..20,
        same: bool,
    ) {
        prop_assume!(same || sides.iter().all(|&n| n >= size));
        let padding = if same { Padding2D::Same } else { Padding2D::Valid };
        check(&Window::of_image(sides, [size, size, channels, filters], strides, padding), 2, 0.0);
    }

    #[test]
    fn any_sequence_and_its_gradients(
        steps in 1_usize..12,
        size in 1_usize..5,
        dilation in 1_usize..4,
        features in 1_usize..9,
        filters in 1_usize..20,
        padding in prop_oneof![
            Just(Padding1D::Same), Just(Padding1D::Causal), Just(Padding1D::Valid)
        ],
    ) {
        prop_assume!(padding != Padding1D::Valid || (size - 1) * dilation < steps);
        check(&Window::of_sequence(steps, [size, features, filters], dilation, padding), 3, 0.0);
    }
}

#[test]
fn nothing_is_needed_of_inputs_without_gradients() {
    let device = Device::flex().autodiff();
    let x = tensor(ramp(18, 7, 11), [1, 3, 3, 2], &device);
    let kernel = ramp_of([2, 2, 2, 1], 5, 13);
    let y = conv2d(x, kernel.clone(), None, (1, Padding2D::Valid), Then::NOTHING);
    assert_eq!(gradient(&kernel, &y.sum().backward()).len(), 8);
    let inner = conv2d(
        Tensor::zeros([1, 3, 3, 2], &Device::flex()),
        plain(kernel),
        None,
        (1, Padding2D::Valid),
        Then::NOTHING,
    );
    assert_eq!(inner.dims(), [1, 2, 2, 1]);
}

#[test]
fn a_batch_of_none_stays_none() {
    let kernel = ramp_of([3, 3, 2, 4], 5, 13);
    let y =
        conv2d(learned(vec![], [0, 5, 5, 2]), kernel, None, (1, Padding2D::Same), Then::NOTHING);
    assert_eq!(y.dims(), [0, 5, 5, 4]);
}
