//! Where a backward pass begins: with the gradient of the numbers that the network gives, which is all
//! that it needs to know of the loss.

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        flex::FlexTensor,
        tensor::FloatTensor,
    },
    tensor::{Gradients, Tensor},
};

use super::flex::{contiguous, shape, slice, stored};

/// The gradients of all that `outputs` were made of, where `gradient` gives that of a loss by `outputs`.
pub(crate) fn backward_from(
    outputs: Tensor<2>,
    gradient: impl FnOnce(&[f32]) -> Vec<f32>,
) -> Gradients {
    let plain = outputs.clone().inner().try_into_primitive::<Flex>();
    let plain = contiguous(&plain.expect("every tensor here is on the CPU"));
    let gradient = stored(gradient(slice(&plain)), shape(&plain));
    drop(plain);
    let loss = <Dispatch as Seed>::begin(outputs.into_dispatch(), gradient);
    Tensor::<1>::from_dispatch(loss).backward()
}

#[backend_extension(Flex, Autodiff)]
trait Seed: Backend {
    /// A number that stands for the loss.
    fn begin(outputs: FloatTensor<Self>, gradient: FlexTensor) -> FloatTensor<Self>;
}

impl Seed for Flex {
    fn begin(_: FlexTensor, _: FlexTensor) -> FlexTensor {
        stored(vec![0.0], [1])
    }
}

impl<C: CheckpointStrategy> Seed for Autodiff<Flex, C> {
    fn begin(outputs: FloatTensor<Self>, gradient: FlexTensor) -> FloatTensor<Self> {
        let node = outputs.node();
        let loss = Flex::begin(outputs.into_primitive(), gradient.clone());
        match SeedBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(gradient, loss),
            OpsKind::UnTracked(prepared) => prepared.finish(loss),
        }
    }
}

#[derive(Debug)]
struct SeedBackward;

impl Backward<Flex, 1> for SeedBackward {
    type State = FlexTensor;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut grads::Gradients,
        _: &mut Checkpointer,
    ) {
        gradients.consume::<Flex>(&ops.node);
        if let [Some(node)] = ops.parents {
            gradients.register::<Flex>(node.id, ops.state);
        }
    }
}
