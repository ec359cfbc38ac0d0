//! Layers on images.

use burn::tensor::Tensor;
use domain::spec::Layer;

use super::{Pass, forward::Value};
use crate::{convolution, ops::activation::activate};

pub(super) fn apply(layer: &Layer, x: Tensor<4>, pass: &mut Pass) -> Value {
    match layer {
        Layer::Conv2D { strides, padding, activation, use_bias, .. } => {
            let kernel = pass.weight("kernel");
            let bias = use_bias.then(|| pass.weight("bias"));
            let x = convolution::conv2d(x, kernel, bias, *strides as usize, *padding);
            Value::Image(activate(x, *activation))
        }
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
