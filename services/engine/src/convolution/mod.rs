//! Convolutions, pooling and batch normalisation as functions of tensors and explicit weights, with
//! Keras' meaning and layout: an image is `[batch, rows, columns, channels]`, a sequence
//! `[batch, steps, features]`, a kernel ends in `[.., inputs, filters]`. Channels lie side by side, so
//! filters fill a vector register whatever the image's width, and flattening needs no transposition.
//!
//! The tensor library's own convolution spends most of its time moving data; these walk the image where
//! it lies.

mod backward;
mod dense;
mod forward;
mod fused;
mod norm;
mod norm_pooled;
mod op;
mod pooling;
mod sparse;
#[cfg(test)]
mod tests;
mod vectors;
mod window;

use burn::{backend::Flex, tensor::Tensor};
use domain::spec::{Padding1D, Padding2D};

use fused::Fused;
pub(crate) use fused::Then;
use pooling::Pool;
pub(crate) use pooling::{
    average_pool2d, global_average_pool1d, global_average_pool2d, global_max_pool1d, max_pool2d,
};
use window::Window;

use crate::ops::flex::{contiguous, numbers, slice, tensor};

/// `x` is `[batch, rows, columns, channels]` and `kernel` `[rows, columns, channels, filters]`. The
/// window must fit the image, which a network's check of shapes says.
pub(crate) fn conv2d(
    x: Tensor<4>,
    kernel: Tensor<4>,
    bias: Option<Tensor<1>>,
    (strides, padding): (usize, Padding2D),
    then: Then,
) -> Tensor<4> {
    let [_, rows, columns, _] = x.dims();
    let window = Window::of_image([rows, columns], kernel.dims(), strides, padding);
    let bias = bias.unwrap_or_else(|| Tensor::zeros([window.filters], &x.device()));
    op::convolve(x, kernel, bias, Fused::new(window, then))
}

/// `x` is `[batch, steps, features]` and `kernel` `[steps, features, filters]`. Sequences have no squares.
pub(crate) fn conv1d(
    x: Tensor<3>,
    kernel: Tensor<3>,
    bias: Option<Tensor<1>>,
    (padding, dilation): (Padding1D, usize),
    rectify: bool,
) -> Tensor<3> {
    let [batch, steps, features] = x.dims();
    let [size, _, filters] = kernel.dims();
    let window = Window::of_sequence(steps, kernel.dims(), dilation, padding);
    let bias = bias.unwrap_or_else(|| Tensor::zeros([filters], &x.device()));
    let x = x.reshape([batch, 1, steps, features]);
    let kernel = kernel.reshape([1, size, features, filters]);
    let out = op::convolve(x, kernel, bias, Fused::new(window, Then { rectify, pool: 1 }));
    out.reshape([batch, window.output[1], filters])
}

/// Normalises the last axis of `x`: in training by the batch's own mean and (population) variance,
/// which are returned without gradients for the moving ones, else by the moving ones. Only an image is
/// pooled.
pub(crate) fn batch_norm<const D: usize>(
    x: Tensor<D>,
    [gamma, beta]: [Tensor<1>; 2],
    [moving_mean, moving_variance]: [Tensor<1>; 2],
    (epsilon, training): (f64, bool),
    then: Then,
) -> (Tensor<D>, Option<(Tensor<1>, Tensor<1>)>) {
    let epsilon = epsilon as f32;
    let mut plan = norm::Plan { of_batch: training, rectify: then.rectify, pool: None };
    if let &[_, rows, columns, channels] = &x.dims()[..]
        && then.pool > 1
    {
        plan.pool = Some(Pool { size: then.pool, input: [rows, columns], channels });
    }
    if !training {
        let (mean, variance) = (numbers(plain(moving_mean)), numbers(plain(moving_variance)));
        let moments = norm::Moments { mean, variance, epsilon };
        return (op::normalize(x, gamma, beta, moments, plan), None);
    }
    let channels = gamma.dims()[0];
    let values = plain(x.clone()).try_into_primitive::<Flex>();
    let values = contiguous(&values.expect("every tensor here is on the CPU"));
    let moments = norm::Moments::of(slice(&values), channels, epsilon);
    let device = plain(gamma.clone()).device();
    let vector = |values: &[f32]| tensor(values.to_vec(), [channels], &device);
    let of_batch = (vector(&moments.mean), vector(&moments.variance));
    (op::normalize(x, gamma, beta, moments, plan), Some(of_batch))
}

fn plain<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if x.device().is_autodiff() { x.inner() } else { x }
}
