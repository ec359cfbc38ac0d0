//! Gradients of the operations written by hand against differences of what they give, whatever the
//! shape: no row, one row, widths that fill no vector. (Rectifiers and maxima have a corner: what
//! follows a convolution, and pooling, are compared with their definition to the bit, beside them.)

use burn::tensor::{Device, Gradients, Tensor};
use domain::spec::{Activation, Loss, Padding1D, Padding2D, Task, Transformer};
use proptest::prelude::*;

use super::{
    activation::activate,
    dense::dense,
    flex::{numbers, tensor},
    recurrent::{Cell, Direction, RecurrentWeights, last, sequence},
    seed::backward_from,
};
use crate::{
    attention::{BlockWeights, block, layer_norm},
    convolution::{Then, batch_norm, conv1d, conv2d},
    head::Head,
    unit::Unit,
};

/// Numbers without a pattern, within one.
fn waves(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| (seed as f32 * 0.9 + i as f32 * 1.37).sin()).collect()
}

fn leaf<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
    tensor(values.to_vec(), shape, &Device::flex().autodiff()).require_grad()
}

/// What an operation gives, and the gradients of its sum weighted by [`waves`] for each input.
struct Made {
    y: Vec<f32>,
    gradients: Vec<Vec<f32>>,
}

fn backward<const D: usize>(y: Tensor<D>) -> (Vec<f32>, Gradients) {
    let shape = y.dims();
    let factors = tensor(waves(shape.iter().product(), 5), shape, &y.device());
    (numbers(y.clone()), (y * factors).sum().backward())
}

/// An input that nothing depends on has no gradient, which is zero.
fn of<const D: usize>(x: &Tensor<D>, gradients: &Gradients) -> Vec<f32> {
    x.grad(gradients).map_or_else(|| vec![0.0; x.dims().iter().product()], numbers)
}

/// Moves each input by itself a little to both sides in one direction.
fn check(sizes: &[usize], run: impl Fn(&[Vec<f32>]) -> Made) -> Result<(), TestCaseError> {
    const STEP: f32 = 0.04;
    let inputs: Vec<Vec<f32>> = sizes.iter().enumerate().map(|(i, &n)| waves(n, i + 1)).collect();
    let made = run(&inputs);
    let loss = |inputs: &[Vec<f32>]| {
        let y = run(inputs).y;
        let terms = y.iter().zip(waves(y.len(), 5));
        terms.map(|(y, factor)| f64::from(*y) * f64::from(factor)).sum::<f64>()
    };
    for (i, gradient) in made.gradients.iter().enumerate() {
        let mut way = waves(inputs[i].len(), 31 + i);
        let length = way.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-3);
        way.iter_mut().for_each(|x| *x /= length);
        let moved = |by: f32| {
            let mut inputs = inputs.clone();
            inputs[i].iter_mut().zip(&way).for_each(|(x, way)| *x += by * way);
            loss(&inputs)
        };
        let expected = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
        prop_assert_eq!(gradient.len(), way.len());
        let slope: f64 = gradient.iter().zip(&way).map(|(g, w)| f64::from(g * w)).sum();
        let near = (slope - expected).abs() <= 4e-3 * (1.0 + expected.abs());
        prop_assert!(near, "input {}: {} where differences say {}", i, slope, expected);
    }
    Ok(())
}

fn smooth() -> impl Strategy<Value = Activation> {
    prop::sample::select(vec![
        Activation::Linear,
        Activation::Gelu,
        Activation::Silu,
        Activation::Elu,
        Activation::Sigmoid,
        Activation::Tanh,
    ])
}

fn check_convolution<const D: usize>(
    images: [usize; D],
    window: [usize; D],
    run: impl Fn(Tensor<D>, Tensor<D>, Option<Tensor<1>>) -> Tensor<D>,
) -> Result<(), TestCaseError> {
    let filters = window[D - 1];
    check(&[images.iter().product(), window.iter().product(), filters], |inputs| {
        let (x, kernel) = (leaf(&inputs[0], images), leaf(&inputs[1], window));
        let bias = leaf(&inputs[2], [filters]);
        let (y, gradients) = backward(run(x.clone(), kernel.clone() * 0.3, Some(bias.clone())));
        let gradients = vec![of(&x, &gradients), of(&kernel, &gradients), of(&bias, &gradients)];
        Made { y, gradients }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn of_dense_layers(
        rows in 0_usize..6,
        width in 1_usize..20,
        units in 1_usize..20,
        activation in smooth(),
    ) {
        check(&[rows * width, width * units, units], |inputs| {
            let x = leaf(&inputs[0], [rows, width]);
            let (kernel, bias) = (leaf(&inputs[1], [width, units]), leaf(&inputs[2], [units]));
            let y = dense(x.clone(), kernel.clone() * 0.3, Some(bias.clone()), activation);
            let (y, gradients) = backward(y);
            let of_weights = [of(&kernel, &gradients), of(&bias, &gradients)];
            Made { y, gradients: [vec![of(&x, &gradients)], of_weights.to_vec()].concat() }
        })?;
    }

    #[test]
    fn of_activations(shape in [0_usize..5, 1..5, 1..9], activation in smooth()) {
        check(&[shape.iter().product()], |inputs| {
            let x = leaf(&inputs[0], shape);
            let (y, gradients) = backward(activate(x.clone() * 3.0, activation));
            Made { y, gradients: vec![of(&x, &gradients)] }
        })?;
    }

    #[test]
    fn of_layer_normalization(rows in 0_usize..6, width in 1_usize..40) {
        check(&[rows * width, width, width], |inputs| {
            let x = leaf(&inputs[0], [rows, width]);
            let (gamma, beta) = (leaf(&inputs[1], [width]), leaf(&inputs[2], [width]));
            let (y, gradients) = backward(layer_norm(x.clone(), gamma.clone(), beta.clone(), 0.2));
            let gradients =
                vec![of(&x, &gradients), of(&gamma, &gradients), of(&beta, &gradients)];
            Made { y, gradients }
        })?;
    }

    #[test]
    fn of_batch_normalization(rows in 0_usize..9, channels in 1_usize..20, training: bool) {
        check(&[rows * channels, channels, channels], |inputs| {
            let x = leaf(&inputs[0], [rows, channels]);
            let (gamma, beta) = (leaf(&inputs[1], [channels]), leaf(&inputs[2], [channels]));
            let device = Device::flex();
            let moving = [Tensor::zeros([channels], &device), Tensor::ones([channels], &device)];
            let (affine, how) = ([gamma.clone(), beta.clone()], (0.2, training));
            let (y, gradients) = backward(batch_norm(x.clone(), affine, moving, how, Then::NOTHING).0);
            let gradients =
                vec![of(&x, &gradients), of(&gamma, &gradients), of(&beta, &gradients)];
            Made { y, gradients }
        })?;
    }

    /// Unless padding makes room for it, a window fits the image.
    #[test]
    fn of_convolutions_of_images(
        batch in 0_usize..3,
        places in [1_usize..7, 1..7],
        size in 1_usize..5,
        strides in 1_usize..4,
        channels in 1_usize..6,
        filters in 1_usize..20,
        same: bool,
    ) {
        let (padding, more) = if same { (Padding2D::Same, 0) } else { (Padding2D::Valid, size - 1) };
        let [rows, columns] = places.map(|n| n + more);
        let (images, window) = ([batch, rows, columns, channels], [size, size, channels, filters]);
        check_convolution(images, window, |x, kernel, bias| {
            conv2d(x, kernel, bias, (strides, padding), Then::NOTHING)
        })?;
    }

    #[test]
    fn of_convolutions_of_sequences(
        batch in 0_usize..4,
        places in 1_usize..12,
        size in 1_usize..6,
        dilation in 1_usize..4,
        features in 1_usize..9,
        filters in 1_usize..20,
        padding in prop::sample::select(vec![Padding1D::Valid, Padding1D::Same, Padding1D::Causal]),
    ) {
        let more = if padding == Padding1D::Valid { (size - 1) * dilation } else { 0 };
        let (steps, window) = ([batch, places + more, features], [size, features, filters]);
        check_convolution(steps, window, |x, kernel, bias| {
            conv1d(x, kernel, bias, (padding, dilation), false)
        })?;
    }

    #[test]
    fn of_recurrent_layers(
        // where nothing is read, nothing is recorded either
        batch in 1_usize..11,
        time in 1_usize..6,
        features in 1_usize..5,
        units in 1_usize..10,
        lstm: bool,
        whole: bool,
        ended in 0_usize..4,
    ) {
        let cell = if lstm { Cell::Lstm } else { Cell::Gru };
        let gates = cell.gates() * units;
        let lengths: Vec<usize> = (0..batch).map(|i| time.saturating_sub(i % (ended + 1))).collect();
        let sizes =
            [batch * time * features, features * gates, units * gates, cell.biases() * gates];
        check(&sizes, |inputs| {
            let x = leaf(&inputs[0], [batch, time, features]);
            let weights = RecurrentWeights {
                kernel: leaf(&inputs[1], [features, gates]),
                recurrent_kernel: leaf(&inputs[2], [units, gates]),
                bias: leaf(&inputs[3], [cell.biases() * gates]),
            };
            let scaled = RecurrentWeights {
                recurrent_kernel: weights.recurrent_kernel.clone() * 0.3,
                ..weights.clone()
            };
            let directions = [false, true].map(|reverse| {
                let state_mask = reverse.then(|| waves(batch * units, 4));
                Direction { weights: &scaled, state_mask, reverse }
            });
            let (directions, lengths) = (directions.into(), Some(&lengths[..]));
            let (y, gradients) = if whole {
                backward(sequence(cell, x.clone(), lengths, directions))
            } else {
                backward(last(cell, x.clone(), lengths, directions))
            };
            let of_weights = [&weights.kernel, &weights.recurrent_kernel].map(|w| of(w, &gradients));
            let mut all = vec![of(&x, &gradients)];
            all.extend(of_weights);
            all.push(of(&weights.bias, &gradients));
            Made { y, gradients: all }
        })?;
    }

    #[test]
    fn of_attention(
        batch in 0_usize..3,
        time in 1_usize..20,
        heads in 1_usize..4,
        head in 1_usize..7,
        causal: bool,
        normalize_first: bool,
        padding in 0_usize..3,
    ) {
        let width = heads * head;
        let (matrix, lengths) = (width * width, vec![time.saturating_sub(padding); batch]);
        let spec = Transformer {
            num_heads: heads as u32,
            intermediate_dim: width as u32,
            dropout: 0.0,
            activation: Activation::Gelu,
            normalize_first,
            layer_norm_epsilon: 0.3,
        };
        check(&[batch * time * width, matrix, matrix, matrix], |inputs| {
            let x = leaf(&inputs[0], [batch, time, width]);
            let kernels: Vec<Tensor<2>> =
                inputs[1..].iter().map(|kernel| leaf(kernel, [width, width])).collect();
            let affine = |i: usize| (kernels[i].clone() * 0.4, leaf(&waves(width, i), [width]));
            let norm = |seed| (leaf(&waves(width, seed), [width]), leaf(&waves(width, 3), [width]));
            let weights = BlockWeights {
                query: affine(0),
                key: affine(1),
                value: affine(2),
                output: affine(2),
                inner: affine(2),
                outer: affine(2),
                norm_1: norm(7),
                norm_2: norm(8),
            };
            let seen = Some(&lengths[..]);
            let y = block(x.clone(), &weights, &spec, causal, seen, &mut |_| None);
            let (y, gradients) = backward(y);
            let mut all = vec![of(&x, &gradients)];
            all.extend(kernels.iter().map(|kernel| of(kernel, &gradients)));
            Made { y, gradients: all }
        })?;
    }

    #[test]
    fn of_crossentropy(
        rows in 0_usize..6,
        outputs in 2_usize..40,
        smoothing in 0.0_f64..0.3,
        weighted: bool,
    ) {
        let class_weights = if weighted { (1..=outputs).map(|i| i as f64 / 3.0).collect() } else { vec![] };
        let (task, loss) = (Task::MulticlassClassification, Loss::CategoricalCrossentropy);
        let head = Head { task, loss, outputs, smoothing, class_weights, unit: Unit::ITSELF };
        let targets: Vec<f64> = (0..rows).map(|i| (i * 7 % outputs) as f64).collect();
        let factor = f64::from(waves(1, 5)[0]);
        check(&[rows * outputs], |inputs| {
            let mut gradient = vec![0.0; inputs[0].len()];
            let loss = head.losses(&inputs[0], &targets, &mut gradient) / rows.max(1) as f64;
            gradient.iter_mut().for_each(|g| *g *= factor as f32);
            Made { y: vec![loss as f32], gradients: vec![gradient] }
        })?;
    }
}

#[test]
fn a_backward_pass_begins_with_any_gradient() {
    for shape in [[0, 3], [1, 1], [5, 7]] {
        let x = leaf(&waves(shape.iter().product(), 1), shape);
        let y = || (x.clone() * x.clone() + 1.0) * 0.5;
        let gradients = backward_from(y(), |y| waves(y.len(), 5));
        assert_eq!(of(&x, &gradients), of(&x, &backward(y()).1));
    }
}
