//! The operations written by hand, as the tensor library sees them: on plain tensors, and on those
//! whose gradients are asked for.

use std::sync::Arc;

use burn::backend::{
    Autodiff, Backend, Flex,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    flex::FlexTensor,
    tensor::FloatTensor,
};

use super::{
    kernel::{self, Sizes, View},
    norm::{self, Moments},
};
use crate::ops::flex::{contiguous, shape, slice, stored};

#[backend_extension(Flex, Autodiff)]
pub(crate) trait Fused: Backend {
    /// Attention of `[batch, queries, width]` over two `[batch, keys, width]`.
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        view: View,
    ) -> FloatTensor<Self>;
    fn normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;
}

impl Fused for Flex {
    fn attend(query: FlexTensor, key: FlexTensor, value: FlexTensor, view: View) -> FlexTensor {
        attend(&[query, key, value].map(|input| contiguous(&input)), &view).0
    }

    fn normalize(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, epsilon: f32) -> FlexTensor {
        normalize(&[x, gamma, beta].map(|input| contiguous(&input)), epsilon).0
    }
}

impl<C: CheckpointStrategy> Fused for Autodiff<Flex, C> {
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        view: View,
    ) -> FloatTensor<Self> {
        let nodes = [query.node(), key.node(), value.node()];
        let inputs = [query, key, value].map(|input| contiguous(&input.into_primitive()));
        let (output, logs) = attend(&inputs, &view);
        match Attend.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((inputs, Arc::new(logs), view), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), gamma.node(), beta.node()];
        let inputs = [x, gamma, beta].map(|input| contiguous(&input.into_primitive()));
        let (output, moments) = normalize(&inputs, epsilon);
        match Normalize.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let [x, gamma, _] = inputs;
                prep.finish((x, gamma, Arc::new(moments)), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[derive(Debug)]
struct Attend;

impl Backward<Flex, 3> for Attend {
    type State = ([FlexTensor; 3], Arc<Vec<f32>>, View);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = contiguous(&grads.consume::<Flex>(&ops.node));
        let (inputs, logs, view) = ops.state;
        let [query, key, value] = &inputs;
        let slices = [slice(query), slice(key), slice(value)];
        let made = kernel::backward(slices, &logs, slice(&grad), sizes(&inputs, &view), &view);
        for ((node, input), made) in ops.parents.into_iter().zip(&inputs).zip(made) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, stored(made, shape(input)));
            }
        }
    }
}

#[derive(Debug)]
struct Normalize;

impl Backward<Flex, 3> for Normalize {
    type State = (FlexTensor, FlexTensor, Arc<Vec<Moments>>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = contiguous(&grads.consume::<Flex>(&ops.node));
        let (x, gamma, moments) = ops.state;
        let made = norm::backward(slice(&x), slice(&gamma), &moments, slice(&grad));
        let inputs = [&x, &gamma, &gamma];
        for ((node, input), made) in ops.parents.into_iter().zip(inputs).zip(made) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, stored(made, shape(input)));
            }
        }
    }
}

fn attend(inputs: &[FlexTensor; 3], view: &View) -> (FlexTensor, Vec<f32>) {
    let [query, key, value] = inputs;
    let slices = [slice(query), slice(key), slice(value)];
    let (output, logs) = kernel::forward(slices, sizes(inputs, view), view);
    (stored(output, shape(query)), logs)
}

fn sizes([query, key, _]: &[FlexTensor; 3], view: &View) -> Sizes {
    let (query, key) = (shape(query), shape(key));
    Sizes { queries: query[1], keys: key[1], width: query[2], heads: view.heads }
}

fn normalize([x, gamma, beta]: &[FlexTensor; 3], epsilon: f32) -> (FlexTensor, Vec<Moments>) {
    let (y, moments) = norm::forward(slice(x), slice(gamma), slice(beta), epsilon);
    (stored(y, shape(x)), moments)
}
