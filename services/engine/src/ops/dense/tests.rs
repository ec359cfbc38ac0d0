//! Against the same layer made of the tensor library's operations, at sizes that fill no vector and no
//! group, and whatever number of threads there is.

use burn::tensor::{Device, Tensor, activation};
use domain::spec::Activation;

use super::{GROUP, WIDE, dense};
use crate::ops::flex::{numbers, tensor};

const ALL: [Activation; 9] = [
    Activation::Linear,
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Elu,
    Activation::Gelu,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Softmax,
];

fn values(n: usize, step: usize, scale: f32) -> Vec<f32> {
    (0..n).map(|i| (((i * step) % 101) as f32 / 50.0 - 1.0) * scale).collect()
}

fn composed(
    x: Tensor<2>,
    kernel: Tensor<2>,
    bias: Option<Tensor<1>>,
    kind: Activation,
) -> Tensor<2> {
    let z = x.matmul(kernel);
    let z = if let Some(bias) = bias { z + bias.unsqueeze() } else { z };
    match kind {
        Activation::Linear => z,
        Activation::Relu => activation::relu(z),
        Activation::LeakyRelu => activation::leaky_relu(z, 0.2),
        Activation::Elu => activation::elu(z, 1.0),
        Activation::Gelu => activation::gelu(z),
        Activation::Silu => activation::silu(z),
        Activation::Sigmoid => activation::sigmoid(z),
        Activation::Tanh => activation::tanh(z),
        Activation::Softmax => activation::softmax(z, 1),
    }
}

type Layer = fn(Tensor<2>, Tensor<2>, Option<Tensor<1>>, Activation) -> Tensor<2>;

/// What comes out, and the gradients of input, kernel and bias for a gradient that differs everywhere.
fn run(layer: Layer, [rows, width, units]: [usize; 3], biased: bool, kind: Activation) -> Vec<f32> {
    let device = Device::flex().autodiff();
    let scale = 1.0 / (width as f32).sqrt();
    let x = tensor(values(rows * width, 7, 1.0), [rows, width], &device).require_grad();
    let kernel = tensor(values(width * units, 13, scale), [width, units], &device).require_grad();
    let bias = tensor(values(units, 3, 0.5), [units], &device).require_grad();
    let y = layer(x.clone(), kernel.clone(), biased.then(|| bias.clone()), kind);
    let slope = tensor(values(rows * units, 11, 1.0), [rows, units], &device);
    let mut gradients = (y.clone() * slope).sum().backward();
    let mut all = numbers(y);
    all.extend(x.grad_remove(&mut gradients).map(numbers).unwrap());
    all.extend(kernel.grad_remove(&mut gradients).map(numbers).unwrap());
    if biased {
        all.extend(bias.grad_remove(&mut gradients).map(numbers).unwrap());
    }
    all
}

fn assert_near(sizes: [usize; 3], biased: bool, kind: Activation) {
    let (got, expected) = (run(dense, sizes, biased, kind), run(composed, sizes, biased, kind));
    assert_eq!(got.len(), expected.len());
    for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let off = (got - expected).abs();
        assert!(off <= 2e-4 * expected.abs() + 2e-4, "{kind:?} {sizes:?} at {i}: {got} {expected}");
    }
}

#[test]
fn equals_the_composed_layer_at_odd_sizes() {
    for kind in ALL {
        for sizes in [[1, 1, 1], [1, 5, 3], [3, 1, 17], [33, 30, 9], [GROUP + 1, 7, 5]] {
            assert_near(sizes, true, kind);
        }
        assert_near([GROUP - 1, 12, 8], false, kind);
    }
}

#[test]
fn equals_the_composed_layer_where_the_kernel_is_wide() {
    for kind in [Activation::Linear, Activation::Relu, Activation::Gelu] {
        assert_near([GROUP + 3, 256, WIDE / 256], true, kind);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let sizes = [[4 * GROUP + 3, 96, 130], [GROUP + 1, 512, WIDE / 512]];
        pool.install(|| sizes.map(|sizes| run(dense, sizes, true, Activation::Gelu)))
    };
    assert_eq!(of(1), of(3));
}
