//! A recurrent layer's whole sequence as one differentiable operation. Its inputs are the product of
//! the layer's input with the kernel, which stays a large product of the tensor library, and the
//! recurrent weights. Groups of rows and directions run in parallel; how rows are grouped does not
//! depend on the number of threads, so neither do the results.

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
    Cell,
    packing::{End, Packing},
    reading::Reading,
    sweep::{self, Forward, Part, SLOTS, Slopes, Swept, Trace},
};
use crate::ops::{
    flex::{contiguous, slice, stored},
    product::Panels,
    simd::vectorized,
};

/// Rows swept together.
pub(super) const GROUP: usize = 8;
/// Multiplications from which on a second thread pays.
const PARALLEL_FROM: usize = 1 << 22;

/// Everything about a call that is not a tensor.
#[derive(Debug)]
pub(super) struct Plan {
    pub cell: Cell,
    pub units: usize,
    pub batch: usize,
    /// Steps of the projections: those of the longest row.
    pub steps: usize,
    /// Steps of a sequence that comes out; `None` for the last state alone.
    pub sequence: Option<usize>,
    pub directions: Vec<Way>,
    /// One for every [`GROUP`] rows.
    pub groups: Vec<Packing>,
}

#[derive(Debug)]
pub(super) struct Way {
    pub reverse: bool,
    pub state_mask: Option<Vec<f32>>,
}

impl Plan {
    /// Columns of one direction's kernels.
    fn columns(&self) -> usize {
        self.cell.gates() * self.units
    }

    fn part(&self, group: usize, direction: usize) -> Part<'_> {
        let way = &self.directions[direction];
        Part {
            cell: self.cell,
            units: self.units,
            packing: &self.groups[group],
            reverse: way.reverse,
            state_mask: way.state_mask.as_deref(),
        }
    }

    /// The recurrent kernel and the biases of each direction.
    fn split<'a>(&self, weights: &'a [f32]) -> Vec<(&'a [f32], &'a [f32])> {
        let rows = self.units + self.cell.biases();
        let directions = weights.chunks_exact(rows * self.columns());
        directions.map(|weights| weights.split_at(self.units * self.columns())).collect()
    }

    /// Runs `f` for every group and direction, those of a group side by side.
    fn for_each<R: Send>(&self, f: impl Fn(usize, usize) -> R + Send + Sync) -> Vec<R> {
        let directions = self.directions.len();
        let tasks = 0..self.groups.len() * directions;
        let of_task = |i| f(i / directions, i % directions);
        if self.is_small() {
            return tasks.map(of_task).collect();
        }
        tasks.into_par_iter().map(of_task).collect()
    }

    /// So small that another thread would come too late to help.
    fn is_small(&self) -> bool {
        let rows: usize = self.groups.iter().map(Packing::packed).sum();
        rows * self.directions.len() * self.units * self.columns() < PARALLEL_FROM
    }

    /// Shape of what comes out.
    fn shape(&self) -> Vec<usize> {
        let width = self.directions.len() * self.units;
        match self.sequence {
            Some(time) => vec![self.batch, time, width],
            None => vec![self.batch, width],
        }
    }
}

/// What the backward pass needs of one group in one direction.
#[derive(Debug)]
pub(super) struct Kept {
    trace: Trace,
    /// The left side of the recurrent product: `[packed rows, units]`.
    recurrent: FlexTensor,
}

/// Runs `sweep` for every group and direction.
fn sweep_each<R: Send>(
    projections: &FlexTensor,
    weights: &FlexTensor,
    plan: &Plan,
    sweep: impl Fn(Forward<'_>) -> R + Send + Sync,
) -> Vec<R> {
    let (projections, weights) = (contiguous(projections), contiguous(weights));
    let (projections, weights) = (slice(&projections), plan.split(slice(&weights)));
    let (units, columns) = (plan.units, plan.columns());
    let panels = |(kernel, _): &(&[f32], _)| {
        Panels::new(units, columns, |row, column| kernel[row * columns + column])
    };
    let kernels: Vec<Panels> = weights.iter().map(panels).collect();
    plan.for_each(|group, direction| {
        sweep(Forward {
            part: plan.part(group, direction),
            projections,
            steps: plan.steps,
            width: plan.directions.len() * columns,
            column: direction * columns,
            recurrent_kernel: &kernels[direction],
            bias: weights[direction].1,
        })
    })
}

fn forward(projections: &FlexTensor, weights: &FlexTensor, plan: &Plan) -> (FlexTensor, Vec<Kept>) {
    let swept = sweep_each(projections, weights, plan, |forward| vectorized(forward));
    let hidden: Vec<&[f32]> = swept.iter().map(|swept| &swept.hidden[..]).collect();
    let result = stored(gather(&hidden, plan, |end| end.packed), plan.shape());
    let keep = |Swept { trace, recurrent, .. }: Swept| {
        let rows = recurrent.len() / plan.units;
        Kept { trace, recurrent: stored(recurrent, [rows, plan.units]) }
    };
    (result, swept.into_iter().map(keep).collect())
}

/// The same where nothing is learned.
fn read(projections: &FlexTensor, weights: &FlexTensor, plan: &Plan) -> FlexTensor {
    let all = plan.sequence.is_some();
    let read =
        sweep_each(projections, weights, plan, |forward| vectorized(Reading { forward, all }));
    let hidden: Vec<&[f32]> = read.iter().map(Vec::as_slice).collect();
    stored(gather(&hidden, plan, |end| end.place), plan.shape())
}

/// The states of all groups where they belong in the result; what no row reaches stays zero.
/// `last` tells where a row's last state lies.
fn gather(hidden: &[&[f32]], plan: &Plan, last: impl Fn(&End) -> usize + Sync) -> Vec<f32> {
    let (units, directions) = (plan.units, plan.directions.len());
    let width = directions * units;
    let row_size = width * plan.sequence.unwrap_or(1);
    let mut result = vec![0.0; plan.batch * row_size];
    let of_group = |(group, result): (usize, &mut [f32])| {
        let mut put = |row: usize, time: usize, direction: usize, packed: usize| {
            let at = (row - group * GROUP) * row_size + time * width + direction * units;
            let hidden = &hidden[group * directions + direction][packed * units..];
            result[at..at + units].copy_from_slice(&hidden[..units]);
        };
        let packing = &plan.groups[group];
        for (direction, way) in plan.directions.iter().enumerate() {
            if plan.sequence.is_none() {
                packing.ends().for_each(|end| put(end.row, 0, direction, last(&end)));
                continue;
            }
            for step in 0..packing.steps() {
                for (i, packed) in packing.step(step).enumerate() {
                    let (row, time) = packing.place(step, i, way.reverse);
                    put(row, time, direction, packed);
                }
            }
        }
    };
    if plan.is_small() {
        result.chunks_mut(GROUP * row_size).enumerate().for_each(of_group);
    } else {
        result.par_chunks_mut(GROUP * row_size).enumerate().for_each(of_group);
    }
    result
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

fn backward(
    slopes: &FlexTensor,
    weights: &FlexTensor,
    kept: &[Kept],
    plan: &Plan,
) -> Vec<Gradient> {
    let (slopes, weights) = (contiguous(slopes), contiguous(weights));
    let (slopes, weights) = (slice(&slopes), plan.split(slice(&weights)));
    let (units, columns) = (plan.units, plan.columns());
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
fn projection_slopes(gradients: &[Gradient], plan: &Plan) -> FlexTensor {
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
    stored(result, [plan.batch * plan.steps, width])
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
    /// `projections` are `[batch * steps, directions * gates * units]`; `weights` hold for each
    /// direction the recurrent kernel's rows and then the biases, `gates * units` wide.
    fn recurrent_sweep(
        projections: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        plan: Arc<Plan>,
    ) -> FloatTensor<Self>;
}

impl RecurrentSweep for Flex {
    fn recurrent_sweep(
        projections: FlexTensor,
        weights: FlexTensor,
        plan: Arc<Plan>,
    ) -> FlexTensor {
        read(&projections, &weights, &plan)
    }
}

#[derive(Debug)]
struct Sweep;

impl Backward<Flex, 2> for Sweep {
    type State = (FlexTensor, Arc<Vec<Kept>>, Arc<Plan>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [projections, weights] = ops.parents;
        let slopes = gradients.consume::<Flex>(&ops.node);
        let (values, kept, plan) = ops.state;
        let parts = backward(&slopes, &values, &kept, &plan);
        if let Some(node) = projections {
            gradients.register::<Flex>(node.id, projection_slopes(&parts, &plan));
        }
        if let Some(node) = weights {
            gradients.register::<Flex>(node.id, weight_slopes(&parts, &plan));
        }
    }
}

impl<C: CheckpointStrategy> RecurrentSweep for Autodiff<Flex, C> {
    fn recurrent_sweep(
        projections: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        plan: Arc<Plan>,
    ) -> FloatTensor<Self> {
        let prepared =
            Sweep.prepare::<C>([projections.node(), weights.node()]).compute_bound().stateful();
        let (projections, weights) = (projections.into_primitive(), weights.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let (result, kept) = forward(&projections, &weights, &plan);
                prepared.finish((weights, Arc::new(kept), plan), result)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(forward(&projections, &weights, &plan).0)
            }
        }
    }
}
