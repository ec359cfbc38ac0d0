//! A recurrent layer's whole sequence as one differentiable operation: one large product of all inputs
//! with the kernels of all directions, then the loops over time.

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
    ops::FloatTensorOps,
    tensor::FloatTensor,
};
use rayon::prelude::*;

use super::{
    plan::{GROUP, Plan, gather},
    reading,
    sweep::{self, Forward, SLOTS, Slopes, Swept, Trace},
};
use crate::ops::{
    flex::{contiguous, slice, stored},
    matrix::{Matrix, Workers, product},
    product::Panels,
    simd::vectorized,
};

/// The numbers of the operation's tensors, in their order.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub x: &'a [f32],
    pub kernels: &'a [f32],
    pub weights: &'a [f32],
}

impl<'a> Inputs<'a> {
    fn of(tensors: &'a [FlexTensor; 3]) -> Self {
        let [x, kernels, weights] = tensors.each_ref().map(slice);
        Self { x, kernels, weights }
    }

    fn x(self, plan: &Plan) -> Matrix<'a> {
        Matrix::new(self.x, plan.features)
    }

    fn kernels(self, plan: &Plan) -> Matrix<'a> {
        Matrix::new(self.kernels, plan.directions.len() * plan.columns())
    }
}

/// What the backward pass needs of one group in one direction.
#[derive(Debug)]
pub(super) struct Kept {
    trace: Trace,
    /// The left side of the recurrent product: `[packed rows, units]`.
    recurrent: FlexTensor,
}

fn forward(inputs: Inputs<'_>, plan: &Plan) -> (FlexTensor, Vec<Kept>) {
    let (columns, weights) = (plan.columns(), plan.split(inputs.weights));
    let projections = product(inputs.x(plan), inputs.kernels(plan), Workers::All);
    let kernels: Vec<Panels> =
        weights.iter().map(|(kernel, _)| plan.recurrent_kernel(kernel)).collect();
    let swept = plan.for_each(|group, direction| {
        vectorized(Forward {
            part: plan.part(group, direction),
            projections: &projections,
            steps: plan.steps,
            width: plan.directions.len() * columns,
            column: direction * columns,
            recurrent_kernel: &kernels[direction],
            bias: weights[direction].1,
        })
    });
    let hidden: Vec<&[f32]> = swept.iter().map(|swept| &swept.hidden[..]).collect();
    let result = stored(gather(&hidden, plan, |end| end.packed), plan.shape());
    let keep = |Swept { trace, recurrent, .. }: Swept| {
        let rows = recurrent.len() / plan.units;
        Kept { trace, recurrent: stored(recurrent, [rows, plan.units]) }
    };
    (result, swept.into_iter().map(keep).collect())
}

/// The loss' slopes of one group in one direction.
struct Gradient {
    /// Before the gates' activations: `[packed rows, SLOTS * units]`.
    gates: FlexTensor,
    /// Their sums over the rows.
    sums: Vec<f32>,
    /// By the recurrent kernel.
    kernel: FlexTensor,
}

fn backward(slopes: &[f32], weights: &[f32], kept: &[Kept], plan: &Plan) -> Vec<Gradient> {
    let (units, columns, weights) = (plan.units, plan.columns(), plan.split(weights));
    let panels = |(kernel, _): &(&[f32], _)| {
        Panels::new(columns, units, |row, column| kernel[column * columns + row])
    };
    let kernels: Vec<Panels> = weights.iter().map(panels).collect();
    plan.for_each(|group, direction| {
        let Kept { trace, recurrent } = &kept[group * plan.directions.len() + direction];
        let (gates, sums) = vectorized(sweep::Backward {
            part: plan.part(group, direction),
            trace,
            slopes: match plan.sequence {
                Some(time) => Slopes::Sequence(slopes, time),
                None => Slopes::Last(slopes),
            },
            width: plan.directions.len() * units,
            column: direction * units,
            transposed: &kernels[direction],
        });
        let rows = gates.len() / (SLOTS * units);
        let gates = stored(gates, [rows, SLOTS * units]);
        let kernel = match rows {
            0 => stored(vec![0.0; units * columns], [units, columns]),
            _ => Flex::float_matmul(recurrent.transpose(0, 1), gates.narrow(1, 0, columns)),
        };
        Gradient { gates, sums, kernel }
    })
}

/// The slopes by the projections; zero where no row is.
fn projection_slopes(gradients: &[Gradient], plan: &Plan) -> Vec<f32> {
    let (units, columns, directions) = (plan.units, plan.columns(), plan.directions.len());
    let width = directions * columns;
    let mut result = vec![0.0; plan.batch * plan.steps * width];
    result.par_chunks_mut(GROUP * plan.steps * width).enumerate().for_each(|(group, result)| {
        let packing = &plan.groups[group];
        for (direction, way) in plan.directions.iter().enumerate() {
            let mut gates =
                slice(&gradients[group * directions + direction].gates).chunks_exact(SLOTS * units);
            for step in 0..packing.steps() {
                for (i, gates) in gates.by_ref().take(packing.step(step).len()).enumerate() {
                    let (row, time) = packing.place(step, i, way.reverse);
                    let at = ((row - group * GROUP) * plan.steps + time) * width;
                    let result = &mut result[at + direction * columns..][..columns];
                    plan.cell.input_slopes(gates, result);
                }
            }
        }
    });
    result
}

/// The slopes by the recurrent weights: the groups' added up, always in the same order.
fn weight_slopes(gradients: &[Gradient], plan: &Plan) -> FlexTensor {
    let (units, columns, directions) = (plan.units, plan.columns(), plan.directions.len());
    let rows = units + plan.cell.biases();
    let mut result = vec![0.0; directions * rows * columns];
    let mut bias = vec![0.0; columns];
    for (i, gradient) in gradients.iter().enumerate() {
        let result = &mut result[i % directions * rows * columns..][..rows * columns];
        let (kernel, biases) = result.split_at_mut(units * columns);
        kernel.iter_mut().zip(slice(&gradient.kernel)).for_each(|(sum, slope)| *sum += slope);
        plan.cell.input_slopes(&gradient.sums, &mut bias);
        let sums = bias.iter().chain(&gradient.sums[..columns]);
        biases.iter_mut().zip(sums).for_each(|(sum, slope)| *sum += slope);
    }
    stored(result, [directions * rows, columns])
}

#[backend_extension(Flex, Autodiff)]
pub(super) trait RecurrentSweep: Backend {
    /// `x` is `[batch, steps, features]`, `kernels` `[features, directions * gates * units]`; `weights`
    /// hold for each direction the recurrent kernel's rows and then the biases, `gates * units` wide.
    fn recurrent_sweep(
        x: FloatTensor<Self>,
        kernels: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        plan: Arc<Plan>,
    ) -> FloatTensor<Self>;
}

impl RecurrentSweep for Flex {
    fn recurrent_sweep(
        x: FlexTensor,
        kernels: FlexTensor,
        weights: FlexTensor,
        plan: Arc<Plan>,
    ) -> FlexTensor {
        let tensors = [x, kernels, weights].map(|tensor| contiguous(&tensor));
        reading::read(Inputs::of(&tensors), &plan)
    }
}

#[derive(Debug)]
struct Sweep;

#[derive(Debug, Clone)]
struct State {
    tensors: [FlexTensor; 3],
    kept: Arc<Vec<Kept>>,
    plan: Arc<Plan>,
}

impl Backward<Flex, 3> for Sweep {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 3>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [x, kernels, weights] = ops.parents;
        let State { tensors, kept, plan } = ops.state;
        let inputs = Inputs::of(&tensors);
        let slopes = contiguous(&gradients.consume::<Flex>(&ops.node));
        let parts = backward(slice(&slopes), inputs.weights, &kept, &plan);
        if x.is_some() || kernels.is_some() {
            let slopes = projection_slopes(&parts, &plan);
            let slopes = Matrix::new(&slopes, plan.directions.len() * plan.columns());
            if let Some(node) = x {
                let slopes = product(slopes, inputs.kernels(&plan).turned(), Workers::All);
                let shape = [plan.batch, plan.steps, plan.features];
                gradients.register::<Flex>(node.id, stored(slopes, shape));
            }
            if let Some(node) = kernels {
                let slopes = product(inputs.x(&plan).turned(), slopes, Workers::All);
                let shape = [plan.features, plan.directions.len() * plan.columns()];
                gradients.register::<Flex>(node.id, stored(slopes, shape));
            }
        }
        if let Some(node) = weights {
            gradients.register::<Flex>(node.id, weight_slopes(&parts, &plan));
        }
    }
}

impl<C: CheckpointStrategy> RecurrentSweep for Autodiff<Flex, C> {
    fn recurrent_sweep(
        x: FloatTensor<Self>,
        kernels: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        plan: Arc<Plan>,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), kernels.node(), weights.node()];
        let tensors = [x, kernels, weights].map(|tensor| contiguous(&tensor.into_primitive()));
        let (result, kept) = forward(Inputs::of(&tensors), &plan);
        match Sweep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                prepared.finish(State { tensors, kept: Arc::new(kept), plan }, result)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(result),
        }
    }
}
