//! Layers on images.

use burn::tensor::Tensor;
use domain::spec::{Activation, Layer};

use super::{Pass, forward::Value};
use crate::{convolution, ops::activation::activate};

pub(super) fn apply(layer: &Layer, x: Tensor<4>, pass: &mut Pass) -> Value {
    match layer {
        Layer::Conv2D { .. } => Value::Image(convolve(layer, 1, x, pass)),
        Layer::MaxPooling2D { pool_size } => {
            Value::Image(convolution::max_pool2d(x, *pool_size as usize))
        }
        Layer::AveragePooling2D { pool_size } => {
            Value::Image(convolution::average_pool2d(x, *pool_size as usize))
        }
        Layer::GlobalAveragePooling2D {} => Value::Features(convolution::global_average_pool2d(x)),
        layer => unreachable!("shapes are checked: {} reads no images", layer.name()),
    }
}

/// The side of the squares whose maxima are all that the second layer leaves of the first one's
/// outputs, where both are one operation.
pub(super) fn pooled_at_once(first: &Layer, second: Option<&Layer>) -> Option<usize> {
    match (first, second) {
        (
            Layer::Conv2D { activation: Activation::Linear | Activation::Relu, .. },
            Some(Layer::MaxPooling2D { pool_size }),
        ) => Some(*pool_size as usize),
        _ => None,
    }
}

/// A `Conv2D`, and of each square of `pool` rows and columns the maximum.
pub(super) fn convolve(layer: &Layer, pool: usize, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
    let Layer::Conv2D { strides, padding, activation, use_bias, .. } = layer else { return x };
    let kernel = pass.weight("kernel");
    let bias = use_bias.then(|| pass.weight("bias"));
    let rectify = *activation == Activation::Relu;
    let stand = (*strides as usize, *padding);
    let x = convolution::conv2d_then(x, kernel, bias, stand, rectify, pool);
    if rectify { x } else { activate(x, *activation) }
}
