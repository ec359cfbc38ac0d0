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
    flex::{contiguous, into_values, shape, slice, stored, zeros},
    fresh::{Empty, filled},
    matrix::{Matrix, Workers, multiply, product},
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

/// What comes out, and the activation's slopes if they are not taken from that.
struct Made {
    y: Vec<f32>,
    slopes: Option<Vec<f32>>,
}

/// A dense layer's numbers, and how many rows there are of its inputs.
#[derive(Clone, Copy)]
struct Layer<'a> {
    x: &'a [f32],
    rows: usize,
    kernel: &'a [f32],
    bias: &'a [f32],
    curve: Option<Curve>,
}

impl Layer<'_> {
    /// `learning`: slopes are asked for.
    fn forward(self, learning: bool) -> Made {
        let with_slopes = learning && self.curve.is_some_and(|curve| curve.kept() == Kept::Slope);
        let (len, size) = (self.rows * self.bias.len(), GROUP * self.bias.len());
        if self.kernel.len() >= WIDE {
            return self.forward_wide(size, with_slopes);
        }
        if with_slopes {
            let [y, slopes] = filled(len, size, |group, [y, slopes]| {
                let y = self.product(group, y);
                let slopes = slopes.write_copy_of_slice(y);
                self.finish(y, Some(&mut *slopes));
                [y, slopes]
            });
            return Made { y, slopes: Some(slopes) };
        }
        let [y] = filled(len, size, |group, [y]| {
            let y = self.product(group, y);
            self.finish(y, None);
            [y]
        });
        Made { y, slopes: None }
    }

    fn forward_wide(self, size: usize, with_slopes: bool) -> Made {
        let (kernel, width) = (Matrix::new(self.kernel, self.bias.len()), self.width());
        let mut y = product(Matrix::new(self.x, width), kernel, Workers::All);
        let groups = y.par_chunks_mut(size);
        if !with_slopes {
            groups.for_each(|y| self.finish(y, None));
            return Made { y, slopes: None };
        }
        let mut slopes = zeros(self.rows * self.bias.len());
        groups
            .zip(slopes.par_chunks_mut(size))
            .for_each(|(y, slopes)| self.finish(y, Some(slopes)));
        Made { y, slopes: Some(slopes) }
    }

    fn width(self) -> usize {
        self.kernel.len() / self.bias.len()
    }

    fn product(self, group: usize, y: &mut Empty) -> &mut [f32] {
        let (units, width) = (self.bias.len(), self.width());
        let (from, rows) = (group * GROUP, y.len() / units);
        let x = Matrix::new(&self.x[from * width..][..rows * width], width);
        multiply(x, Matrix::new(self.kernel, units), y, Workers::One)
    }

    /// From the product to what comes out.
    fn finish(self, y: &mut [f32], slopes: Option<&mut [f32]>) {
        add_to_each(y, self.bias);
        match (self.curve, slopes) {
            (Some(curve), Some(slopes)) => curve.forward_with_slopes(y, slopes),
            (Some(curve), None) => curve.forward(y),
            (None, _) => {}
        }
    }
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
    let bend = |(gradient, kept): (&mut [f32], &[f32])| {
        if let Some(curve) = curve {
            curve.backward(kept, gradient);
        }
        column_sums(gradient, units)
    };
    let groups = gradient.par_chunks_mut(GROUP * units).zip(kept.par_chunks(GROUP * units));
    let sums: Vec<Vec<f32>> = groups.map(bend).collect();
    let mut bias = vec![0.0; units];
    sums.iter().for_each(|sums| add_to_each(&mut bias, sums));
    let gradient: &[f32] = gradient;
    let x = of_x.then(|| {
        if wide {
            return product(Matrix::new(gradient, units), kernel, Workers::All);
        }
        let [x] = filled(rows * width, GROUP * width, |group, [x]| {
            let (from, rows) = (group * GROUP, x.len() / width);
            let gradient = Matrix::new(&gradient[from * units..][..rows * units], units);
            [multiply(gradient, kernel, x, Workers::One)]
        });
        x
    });
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
        stored(layer([&x, &kernel, &bias], curve).forward(false).y, shape)
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
        match DenseBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let Made { y, slopes } = layer([&x, &kernel, &bias], curve).forward(true);
                let y = stored(y, shape);
                let kept = slopes.map_or_else(|| y.clone(), |slopes| stored(slopes, shape));
                prepared.finish((x, kernel, kept, curve), y)
            }
            OpsKind::UnTracked(prepared) => {
                let made = layer([&x, &kernel, &bias], curve).forward(false);
                prepared.finish(stored(made.y, shape))
            }
        }
    }
}

fn layer<'a>([x, kernel, bias]: [&'a FlexTensor; 3], curve: Option<Curve>) -> Layer<'a> {
    let rows = shape(x)[0];
    Layer { x: slice(x), rows, kernel: slice(kernel), bias: slice(bias), curve }
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
            let x = Matrix::new(slice(&x), shape[0]).turned();
            let made = product(x, Matrix::new(&gradient, units), Workers::All);
            gradients.register::<Flex>(node.id, stored(made, shape));
        }
        if let Some(node) = of_bias {
            gradients.register::<Flex>(node.id, stored(bias, [units]));
        }
    }
}
