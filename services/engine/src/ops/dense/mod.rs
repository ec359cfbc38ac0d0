//! A dense layer as one operation: product, bias and activation forward, and their gradients backward.
//! Rows go in groups of a fixed number, so that what a group needs stays in its core's cache from the
//! product to the activation, and sums over groups are made in order: the result does not depend on the
//! number of threads.

#[cfg(test)]
mod tests;

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
use domain::spec::Activation;
use rayon::prelude::*;

use super::{
    activation::{Curve, Kept, activate},
    flex::{contiguous, into_values, shape, slice, stored},
    matrix::{Matrix, Workers, multiply},
    simd::vectorized,
};

/// Rows of a group.
const GROUP: usize = 256;
/// Numbers of a kernel from which on all threads share each product: more would not stay in the cache
/// beside a group's rows, and every group would lay it out anew.
const WIDE: usize = 1 << 19;

/// `activation(x kernel + bias)` of each row of `x`.
pub(crate) fn dense(
    x: Tensor<2>,
    kernel: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    let curve = Curve::of(activation);
    let bias = bias.unwrap_or_else(|| Tensor::zeros([kernel.dims()[1]], &kernel.device()));
    let (x, kernel, bias) = (x.into_dispatch(), kernel.into_dispatch(), bias.into_dispatch());
    let y = Tensor::from_dispatch(<Dispatch as Dense>::dense(x, kernel, bias, curve));
    if curve.is_none() { activate(y, activation) } else { y }
}

/// What comes out, and what the activation's slope is taken from if that is something else.
struct Made {
    y: Vec<f32>,
    z: Option<Vec<f32>>,
}

fn forward(x: &[f32], kernel: &[f32], bias: &[f32], curve: Option<Curve>, rows: usize) -> Made {
    let (width, units) = (kernel.len() / bias.len(), bias.len());
    let (wide, kernel) = (kernel.len() >= WIDE, Matrix::new(kernel, units));
    let mut y = vec![0.0; rows * units];
    if wide {
        multiply(Matrix::new(x, width), kernel, &mut y, Workers::All);
    }
    let affine = |x: &[f32], y: &mut [f32]| {
        if !wide {
            multiply(Matrix::new(x, width), kernel, y, Workers::One);
        }
        add_to_each(y, bias);
    };
    let groups = x.par_chunks(GROUP * width).zip(y.par_chunks_mut(GROUP * units));
    let Some(curve) = curve else {
        groups.for_each(|(x, y)| affine(x, y));
        return Made { y, z: None };
    };
    if curve.kept() == Kept::Output {
        groups.for_each(|(x, y)| {
            affine(x, y);
            curve.forward(y);
        });
        return Made { y, z: None };
    }
    let mut z = vec![0.0; rows * units];
    groups.zip(z.par_chunks_mut(GROUP * units)).for_each(|((x, y), z)| {
        affine(x, y);
        z.copy_from_slice(y);
        curve.forward(y);
    });
    Made { y, z: Some(z) }
}

/// Turns `gradient` into that before the activation; gives those of the bias and, if `of_x`, of `x`.
fn backward(
    kernel: &[f32],
    kept: &[f32],
    curve: Option<Curve>,
    gradient: &mut [f32],
    (units, of_x): (usize, bool),
) -> (Vec<f32>, Option<Vec<f32>>) {
    let (rows, width) = (gradient.len() / units, kernel.len() / units);
    let (wide, kernel) = (kernel.len() >= WIDE, Matrix::new(kernel, units).turned());
    let mut x = of_x.then(|| vec![0.0; rows * width]);
    let bend = |gradient: &mut [f32], kept: &[f32]| {
        if let Some(curve) = curve {
            curve.backward(kept, gradient);
        }
        column_sums(gradient, units)
    };
    let groups = gradient.par_chunks_mut(GROUP * units).zip(kept.par_chunks(GROUP * units));
    let sums: Vec<Vec<f32>> = match &mut x {
        Some(x) if !wide => groups
            .zip(x.par_chunks_mut(GROUP * width))
            .map(|((gradient, kept), x)| {
                let sums = bend(gradient, kept);
                multiply(Matrix::new(gradient, units), kernel, x, Workers::One);
                sums
            })
            .collect(),
        _ => groups.map(|(gradient, kept)| bend(gradient, kept)).collect(),
    };
    if wide && let Some(x) = &mut x {
        multiply(Matrix::new(gradient, units), kernel, x, Workers::All);
    }
    let mut bias = vec![0.0; units];
    sums.iter().for_each(|sums| add_to_each(&mut bias, sums));
    (bias, x)
}

/// Adds `row` to each of `rows`.
fn add_to_each(rows: &mut [f32], row: &[f32]) {
    vectorized(
        #[inline(always)]
        || {
            for to in rows.chunks_exact_mut(row.len()) {
                to.iter_mut().zip(row).for_each(|(to, x)| *to += x);
            }
        },
    );
}

fn column_sums(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    vectorized(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(width) {
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
        },
    );
    sums
}

#[backend_extension(Flex, Autodiff)]
trait Dense: Backend {
    fn dense(
        x: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        curve: Option<Curve>,
    ) -> FloatTensor<Self>;
}

impl Dense for Flex {
    fn dense(
        x: FlexTensor,
        kernel: FlexTensor,
        bias: FlexTensor,
        curve: Option<Curve>,
    ) -> FlexTensor {
        let [x, kernel, bias] = [x, kernel, bias].map(|input| contiguous(&input));
        let shape = [shape(&x)[0], shape(&bias)[0]];
        stored(forward(slice(&x), slice(&kernel), slice(&bias), curve, shape[0]).y, shape)
    }
}

impl<C: CheckpointStrategy> Dense for Autodiff<Flex, C> {
    fn dense(
        x: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        curve: Option<Curve>,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), kernel.node(), bias.node()];
        let [x, kernel, bias] = [x, kernel, bias].map(|input| contiguous(&input.into_primitive()));
        let shape = [shape(&x)[0], shape(&bias)[0]];
        let Made { y, z } = forward(slice(&x), slice(&kernel), slice(&bias), curve, shape[0]);
        let y = stored(y, shape);
        let kept = z.map_or_else(|| y.clone(), |z| stored(z, shape));
        match DenseBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, kernel, kept, curve), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

#[derive(Debug)]
struct DenseBackward;

impl Backward<Flex, 3> for DenseBackward {
    type State = (FlexTensor, FlexTensor, FlexTensor, Option<Curve>);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = into_values(gradients.consume::<Flex>(&ops.node));
        let (x, kernel, kept, curve) = ops.state;
        let [of_x, of_kernel, of_bias] = ops.parents;
        let units = shape(&kept)[1];
        let sizes = (units, of_x.is_some());
        let (bias, made) = backward(slice(&kernel), slice(&kept), curve, &mut gradient, sizes);
        if let (Some(node), Some(made)) = (of_x, made) {
            gradients.register::<Flex>(node.id, stored(made, shape(&x)));
        }
        if let Some(node) = of_kernel {
            let shape = shape(&kernel);
            let mut made = vec![0.0; shape.iter().product()];
            let x = Matrix::new(slice(&x), shape[0]).turned();
            multiply(x, Matrix::new(&gradient, units), &mut made, Workers::All);
            gradients.register::<Flex>(node.id, stored(made, shape));
        }
        if let Some(node) = of_bias {
            gradients.register::<Flex>(node.id, stored(bias, [units]));
        }
    }
}
