//! Layer normalisation (Ba et al., 2016): each row to mean 0 and variance 1, then scaled and shifted
//! by learned numbers.

use burn::{backend::Dispatch, tensor::Tensor};
use rayon::prelude::*;

use super::{
    lanes::{dot, sum},
    ops::Fused,
};
use crate::ops::simd::vectorized;

/// Rows that one task takes; fixed, so that sums over rows do not depend on the number of threads.
const TASK_ROWS: usize = 64;

/// Over the last axis, by the biased variance, as PyTorch's `LayerNorm`.
pub(crate) fn layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Fused>::normalize(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon as f32,
    ))
}

/// What the backward pass needs of a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    mean: f32,
    /// One over the standard deviation.
    scale: f32,
}

pub(super) fn forward(
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    epsilon: f32,
) -> (Vec<f32>, Vec<Moments>) {
    let width = gamma.len();
    let mut y = vec![0.0; x.len()];
    let mut moments = vec![Moments::default(); x.len() / width];
    y.par_chunks_mut(TASK_ROWS * width)
        .zip(x.par_chunks(TASK_ROWS * width))
        .zip(moments.par_chunks_mut(TASK_ROWS))
        .for_each(|((y, x), moments)| {
            vectorized(
                #[inline(always)]
                || forward_rows(x, (gamma, beta), epsilon, y, moments),
            );
        });
    (y, moments)
}

#[inline(always)]
fn forward_rows(
    x: &[f32],
    (gamma, beta): (&[f32], &[f32]),
    epsilon: f32,
    y: &mut [f32],
    moments: &mut [Moments],
) {
    let width = gamma.len();
    let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width));
    for ((x, y), moments) in rows.zip(moments) {
        let mean = sum(x) / width as f32;
        for (y, x) in y.iter_mut().zip(x) {
            *y = x - mean;
        }
        let scale = 1.0 / (dot(y, y) / width as f32 + epsilon).sqrt();
        *moments = Moments { mean, scale };
        for ((y, gamma), beta) in y.iter_mut().zip(gamma).zip(beta) {
            *y = *y * scale * gamma + beta;
        }
    }
}

/// The gradients of `x`, gamma and beta.
pub(super) fn backward(
    x: &[f32],
    gamma: &[f32],
    moments: &[Moments],
    grad: &[f32],
) -> [Vec<f32>; 3] {
    let width = gamma.len();
    let mut grad_x = vec![0.0; x.len()];
    let tasks = x.len().div_ceil(TASK_ROWS * width);
    let mut sums = vec![0.0; tasks * 2 * width];
    grad_x
        .par_chunks_mut(TASK_ROWS * width)
        .zip(x.par_chunks(TASK_ROWS * width))
        .zip(grad.par_chunks(TASK_ROWS * width))
        .zip(moments.par_chunks(TASK_ROWS))
        .zip(sums.par_chunks_mut(2 * width))
        .for_each(|((((grad_x, x), grad), moments), sums)| {
            vectorized(
                #[inline(always)]
                || backward_rows((x, gamma), moments, grad, grad_x, sums),
            );
        });
    let mut total = vec![0.0; 2 * width];
    for sums in sums.chunks_exact(2 * width) {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total += sum;
        }
    }
    let grad_beta = total.split_off(width);
    [grad_x, total, grad_beta]
}

/// `sums` are those of gamma's gradient, then of beta's.
#[inline(always)]
fn backward_rows(
    (x, gamma): (&[f32], &[f32]),
    moments: &[Moments],
    grad: &[f32],
    grad_x: &mut [f32],
    sums: &mut [f32],
) {
    let width = gamma.len();
    let (grad_gamma, grad_beta) = sums.split_at_mut(width);
    let mut normal = vec![0.0; width];
    let rows = x.chunks_exact(width).zip(grad.chunks_exact(width));
    let rows = rows.zip(grad_x.chunks_exact_mut(width)).zip(moments);
    for (((x, grad), grad_x), moments) in rows {
        for (normal, x) in normal.iter_mut().zip(x) {
            *normal = (x - moments.mean) * moments.scale;
        }
        for ((sum, grad), normal) in grad_gamma.iter_mut().zip(grad).zip(&normal) {
            *sum += grad * normal;
        }
        for (sum, grad) in grad_beta.iter_mut().zip(grad) {
            *sum += grad;
        }
        for ((to, grad), gamma) in grad_x.iter_mut().zip(grad).zip(gamma) {
            *to = grad * gamma;
        }
        let mean = sum(grad_x) / width as f32;
        let slope = dot(grad_x, &normal) / width as f32;
        for (to, normal) in grad_x.iter_mut().zip(&normal) {
            *to = (*to - mean - normal * slope) * moments.scale;
        }
    }
}
