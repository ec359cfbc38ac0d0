//! Layers on images.

use burn::tensor::Tensor;
use domain::spec::{Activation, Layer};

use super::{Pass, forward::Value};
use crate::{
    convolution::{self, Then},
    ops::activation::activate,
};

pub(super) fn apply(layer: &Layer, x: Tensor<4>) -> Value {
    match layer {
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

/// A `Conv2D`; what follows comes after its own activation, which then is none or a rectifier.
pub(super) fn convolve(layer: &Layer, then: Then, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
    let Layer::Conv2D { strides, padding, activation, use_bias, .. } = layer else { return x };
    let kernel = pass.weight("kernel");
    let bias = use_bias.then(|| pass.weight("bias"));
    let rectify = *activation == Activation::Relu;
    let stand = (*strides as usize, *padding);
    let then = Then { rectify: rectify || then.rectify, ..then };
    let x = convolution::conv2d(x, kernel, bias, stand, then);
    if rectify { x } else { activate(x, *activation) }
}
