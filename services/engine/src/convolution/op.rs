//! The operations of this module as the tensor library sees them: what runs forward, what is kept, and
//! what runs backward.

use std::sync::Arc;

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        flex::FlexTensor,
        tensor::FloatTensor,
    },
    tensor::Tensor,
};

use super::{
    backward::{Asked, Given, backward},
    forward::{Made, forward},
    fused::Fused,
    norm::{self, Line, Plan},
    norm_pooled::{self, Picked},
    pooling::{self, Pool},
    vectors::Widest,
};
use crate::ops::flex::{contiguous, into_values, shape, slice, stored};

#[backend_extension(Flex, Autodiff)]
pub trait Windows: Backend {
    fn convolve(
        images: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        fused: Fused,
    ) -> FloatTensor<Self>;

    fn max_pool(images: FloatTensor<Self>, pool: Pool) -> FloatTensor<Self>;

    /// Each channel by mean and variance, which are constants, then scaled and shifted.
    fn normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        moments: norm::Moments,
        plan: Plan,
    ) -> FloatTensor<Self>;
}

impl Windows for Flex {
    fn convolve(
        images: FlexTensor,
        kernel: FlexTensor,
        bias: FlexTensor,
        fused: Fused,
    ) -> FlexTensor {
        convolved(&fused, &images, &kernel, &bias).0
    }

    fn max_pool(images: FlexTensor, pool: Pool) -> FlexTensor {
        let images = contiguous(&images);
        stored(pooling::maxima(&pool, slice(&images)), pool.output(shape(&images)[0]))
    }

    fn normalize(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        moments: norm::Moments,
        plan: Plan,
    ) -> FlexTensor {
        normalized(&x, &moments.line(&into_values(gamma), &into_values(beta)), plan).0
    }
}

/// What is made, and which place of its square each maximum is of.
fn convolved(
    fused: &Fused,
    images: &FlexTensor,
    kernel: &FlexTensor,
    bias: &FlexTensor,
) -> (FlexTensor, Vec<u8>) {
    let (images, kernel, bias) = (contiguous(images), contiguous(kernel), contiguous(bias));
    let Made { out, picks } = forward(Widest, fused, slice(&images), slice(&kernel), slice(&bias));
    let [rows, columns] = fused.output();
    (stored(out, [shape(&images)[0], rows, columns, fused.window.filters]), picks)
}

#[derive(Debug)]
struct ConvolveBackward;

#[derive(Debug, Clone)]
struct Convolved {
    images: FlexTensor,
    kernel: FlexTensor,
    out: FlexTensor,
    picks: Arc<Vec<u8>>,
    fused: Fused,
}

impl Backward<Flex, 3> for ConvolveBackward {
    type State = Convolved;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let Convolved { images, kernel, out, picks, fused } = ops.state;
        let (images, kernel) = (contiguous(&images), contiguous(&kernel));
        let [of_images, of_kernel, of_bias] = ops.parents;
        let given = Given {
            images: slice(&images),
            kernel: slice(&kernel),
            out: slice(&out),
            picks: &picks,
            gradient: slice(&gradient),
        };
        let asked = Asked { images: of_images.is_some(), kernel: of_kernel.is_some() };
        let slopes = backward(Widest, &fused, given, asked);
        if let Some(node) = of_images {
            gradients.register::<Flex>(node.id, stored(slopes.images, shape(&images)));
        }
        if let Some(node) = of_kernel {
            gradients.register::<Flex>(node.id, stored(slopes.kernel, shape(&kernel)));
        }
        if let Some(node) = of_bias {
            gradients.register::<Flex>(node.id, stored(slopes.bias, [fused.window.filters]));
        }
    }
}

#[derive(Debug)]
struct MaxPoolBackward;

impl Backward<Flex, 1> for MaxPoolBackward {
    type State = (FlexTensor, FlexTensor, Pool);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let (images, maxima, pool) = ops.state;
        let images = contiguous(&images);
        if let [Some(node)] = ops.parents {
            let values = pooling::gradient(&pool, slice(&images), slice(&maxima), slice(&gradient));
            gradients.register::<Flex>(node.id, stored(values, shape(&images)));
        }
    }
}

fn normalized(x: &FlexTensor, line: &Line, plan: Plan) -> (FlexTensor, Option<Picked>) {
    let x = contiguous(x);
    let Some(pool) = plan.pool else {
        return (stored(norm::normalize(slice(&x), line, plan.rectify), shape(&x)), None);
    };
    let (out, picked) = norm_pooled::normalize(Widest, &pool, slice(&x), line, plan.rectify);
    (stored(out, pool.output(shape(&x)[0])), Some(picked))
}

#[derive(Debug)]
struct NormalizeBackward;

#[derive(Debug, Clone)]
struct Normalized {
    x: FlexTensor,
    moments: norm::Moments,
    line: Line,
    plan: Plan,
    out: FlexTensor,
    picked: Option<Arc<Picked>>,
}

impl Backward<Flex, 3> for NormalizeBackward {
    type State = Normalized;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let gradient = slice(&gradient);
        let Normalized { x, moments, line, plan, out, picked } = ops.state;
        let x = contiguous(&x);
        let (values, channels) = (slice(&x), line.scale.len());
        let from = picked.as_ref().map_or(values, |picked| &picked.from);
        let sums = norm::gradient_sums(from, gradient, &moments, plan.rectify.then_some(&line));
        let [of_x, of_gamma, of_beta] = ops.parents;
        if let Some(node) = of_x {
            let of_batch = plan.of_batch.then_some(&sums);
            let tilt = norm::tilt(values.len() / channels, &moments, &line.scale, of_batch);
            let of_x = match (&picked, &plan.pool) {
                (Some(picked), Some(pool)) => {
                    let gradient = (gradient, plan.rectify.then(|| slice(&out)));
                    let lines = (&line.scale[..], &tilt);
                    norm_pooled::input_gradient(Widest, pool, values, picked, gradient, lines)
                }
                _ => norm::input_gradient(values, gradient, &line, &tilt, plan.rectify),
            };
            gradients.register::<Flex>(node.id, stored(of_x, shape(&x)));
        }
        if let Some(node) = of_gamma {
            gradients.register::<Flex>(node.id, stored(sums.normalized, [channels]));
        }
        if let Some(node) = of_beta {
            gradients.register::<Flex>(node.id, stored(sums.plain, [channels]));
        }
    }
}

impl<C: CheckpointStrategy> Windows for Autodiff<Flex, C> {
    fn convolve(
        images: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        fused: Fused,
    ) -> FloatTensor<Self> {
        let nodes = [images.node(), kernel.node(), bias.node()];
        let (images, kernel) = (images.into_primitive(), kernel.into_primitive());
        let (out, picks) = convolved(&fused, &images, &kernel, &bias.into_primitive());
        match ConvolveBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let picks = Arc::new(picks);
                let state = Convolved { images, kernel, out: out.clone(), picks, fused };
                prepared.finish(state, out)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }

    fn max_pool(images: FloatTensor<Self>, pool: Pool) -> FloatTensor<Self> {
        let node = images.node();
        let images = images.into_primitive();
        let out = Flex::max_pool(images.clone(), pool);
        match MaxPoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((images, out.clone(), pool), out),
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }

    fn normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        moments: norm::Moments,
        plan: Plan,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), gamma.node(), beta.node()];
        let x = x.into_primitive();
        let [gamma, beta] = [gamma, beta].map(|line| into_values(line.into_primitive()));
        let line = moments.line(&gamma, &beta);
        let (out, picked) = normalized(&x, &line, plan);
        match NormalizeBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let picked = picked.map(Arc::new);
                let state = Normalized { x, moments, line, plan, out: out.clone(), picked };
                prepared.finish(state, out)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }
}

pub(super) fn convolve(
    images: Tensor<4>,
    kernel: Tensor<4>,
    bias: Tensor<1>,
    fused: Fused,
) -> Tensor<4> {
    let (images, kernel) = (images.into_dispatch(), kernel.into_dispatch());
    let out = <Dispatch as Windows>::convolve(images, kernel, bias.into_dispatch(), fused);
    Tensor::from_dispatch(out)
}

pub(super) fn max_pool(images: Tensor<4>, pool: Pool) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Windows>::max_pool(images.into_dispatch(), pool))
}

pub(super) fn normalize<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    moments: norm::Moments,
    plan: Plan,
) -> Tensor<D> {
    let (x, gamma) = (x.into_dispatch(), gamma.into_dispatch());
    let beta = beta.into_dispatch();
    Tensor::from_dispatch(<Dispatch as Windows>::normalize(x, gamma, beta, moments, plan))
}
