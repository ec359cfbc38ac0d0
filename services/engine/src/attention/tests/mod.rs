//! A block against PyTorch, the operations by hand against the same ones made of the tensor library's,
//! and what attention promises: no sight of padding, none of what comes later.

mod fused;
mod known;
mod promises;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use domain::spec::{Activation, Transformer};

use super::{BlockWeights, block};
use known::{Known, POST_NORM, PRE_NORM};

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

/// `size * sin(phase + pace * i)`: numbers that any language makes the same.
fn wave<const D: usize>(shape: [usize; D], phase: f64, pace: f64, size: f64) -> Vec<f32> {
    let len: usize = shape.iter().product();
    (0..len).map(|i| (size * (phase + pace * i as f64).sin()) as f32).collect()
}

fn learned<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    let tensor = tensor(values, shape, device);
    if device.is_autodiff() { tensor.require_grad() } else { tensor }
}

fn weights(width: usize, inner: usize, device: &Device) -> BlockWeights {
    let affine = |from, to, phase| {
        (
            learned(wave([from, to], phase, 0.7, 0.5), [from, to], device),
            learned(wave([to], phase + 0.5, 0.7, 0.5), [to], device),
        )
    };
    let norm = |phase| {
        let gamma = wave([width], phase, 0.7, 0.3).into_iter().map(|x| x + 1.0).collect();
        let beta = wave([width], phase + 0.5, 0.7, 0.3);
        (learned(gamma, [width], device), learned(beta, [width], device))
    };
    BlockWeights {
        query: affine(width, width, 1.0),
        key: affine(width, width, 2.0),
        value: affine(width, width, 3.0),
        output: affine(width, width, 4.0),
        inner: affine(width, inner, 5.0),
        outer: affine(inner, width, 6.0),
        norm_1: norm(7.0),
        norm_2: norm(8.0),
    }
}

fn spec(activation: Activation, normalize_first: bool) -> Transformer {
    Transformer {
        num_heads: 2,
        intermediate_dim: 12,
        dropout: 0.0,
        activation,
        normalize_first,
        layer_norm_epsilon: 1e-5,
    }
}

/// To multiply by before summing, so that every number counts differently.
fn probe(len: usize) -> Vec<f32> {
    (0..len).map(|i| (0.9 * i as f64).cos() as f32).collect()
}

fn probed<const D: usize>(tensor: Tensor<D>) -> f32 {
    let values = numbers(tensor);
    values.iter().zip(probe(values.len())).map(|(a, b)| a * b).sum()
}

/// The gradients of `(y * probe).sum()`.
fn backward<const D: usize>(y: Tensor<D>) -> Gradients {
    let (shape, device) = (y.dims(), y.device());
    let weights = tensor(probe(shape.iter().product()), shape, &device);
    (y * weights).sum().backward()
}

#[track_caller]
fn assert_near(got: &[f32], expected: &[f32], within: f32) {
    assert_eq!(got.len(), expected.len());
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let off = (got - expected).abs();
        assert!(off <= within * expected.abs().max(1.0), "{i}: {got} where {expected}");
    }
}

fn assert_known(spec: &Transformer, causal: bool, lengths: Option<&[usize]>, known: &Known) {
    let device = Device::flex().autodiff();
    let weights = weights(8, 12, &device);
    let x = learned(wave([2, 5, 8], 0.5, 1.3, 1.0), [2, 5, 8], &device);
    let y = block(x.clone(), &weights, spec, causal, lengths, &mut |_| None);
    assert_near(&numbers(y.clone()), &known.output, 2e-5);
    let grads = backward(y);
    assert_near(&numbers(x.grad(&grads).unwrap()), &known.grad_x, 3e-5);
    let w = &weights;
    let affines = [&w.query, &w.key, &w.value, &w.output, &w.inner, &w.outer];
    let mut sums = vec![];
    for (kernel, bias) in affines {
        sums.push(probed(kernel.grad(&grads).unwrap()));
        sums.push(probed(bias.grad(&grads).unwrap()));
    }
    for (gamma, beta) in [&w.norm_1, &w.norm_2] {
        sums.push(probed(gamma.grad(&grads).unwrap()));
        sums.push(probed(beta.grad(&grads).unwrap()));
    }
    assert_near(&sums, &known.grads, 5e-5);
}

#[test]
fn a_causal_block_that_normalizes_first_is_that_of_pytorch() {
    assert_known(&spec(Activation::Gelu, true), true, None, &PRE_NORM);
}

#[test]
fn a_padded_block_that_normalizes_last_is_that_of_pytorch() {
    assert_known(&spec(Activation::Relu, false), false, Some(&[5, 3]), &POST_NORM);
}
