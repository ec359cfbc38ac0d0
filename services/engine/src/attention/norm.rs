//! Layer normalisation (Ba et al., 2016): each row to mean 0 and variance 1, then scaled and shifted
//! by learned numbers.

use burn::{backend::Dispatch, tensor::Tensor};

use super::{
    lanes::{dot, sum},
    ops::Fused,
};
use crate::ops::{fresh::filled_and, simd::vectorized};

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
#[derive(Debug, Clone, Copy)]
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
    let size = TASK_ROWS * gamma.len();
    let ([y], moments) = filled_and(x.len(), size, |task, [y]| {
        let x = &x[task * size..][..y.len()];
        let y = y.write_copy_of_slice(x);
        let moments = vectorized(
            #[inline(always)]
            || forward_rows(y, (gamma, beta), epsilon),
        );
        ([y], moments)
    });
    (y, moments.concat())
}

/// Rows become what is made of them.
#[inline(always)]
fn forward_rows(rows: &mut [f32], (gamma, beta): (&[f32], &[f32]), epsilon: f32) -> Vec<Moments> {
    let width = gamma.len();
    let mut moments = Vec::with_capacity(rows.len() / width);
    for y in rows.chunks_exact_mut(width) {
        let mean = sum(y) / width as f32;
        y.iter_mut().for_each(|y| *y -= mean);
        let scale = 1.0 / (dot(y, y) / width as f32 + epsilon).sqrt();
        moments.push(Moments { mean, scale });
        for ((y, gamma), beta) in y.iter_mut().zip(gamma).zip(beta) {
            *y = *y * scale * gamma + beta;
        }
    }
    moments
}

/// The gradients of `x`, gamma and beta.
pub(super) fn backward(
    x: &[f32],
    gamma: &[f32],
    moments: &[Moments],
    grad: &[f32],
) -> [Vec<f32>; 3] {
    let width = gamma.len();
    let size = TASK_ROWS * width;
    let ([grad_x], sums) = filled_and(x.len(), size, |task, [to]| {
        let x = &x[task * size..][..to.len()];
        let to = to.write_copy_of_slice(&grad[task * size..][..x.len()]);
        let mut sums = vec![0.0; 2 * width];
        vectorized(
            #[inline(always)]
            || backward_rows((x, gamma), &moments[task * TASK_ROWS..], to, &mut sums),
        );
        ([to], sums)
    });
    let mut total = vec![0.0; 2 * width];
    for sums in sums {
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    let grad_beta = total.split_off(width);
    [grad_x, total, grad_beta]
}

/// Gradients of the result become those of `x`. `sums` are those of gamma's gradient, then of beta's.
#[inline(always)]
fn backward_rows(
    (x, gamma): (&[f32], &[f32]),
    moments: &[Moments],
    grad: &mut [f32],
    sums: &mut [f32],
) {
    let width = gamma.len();
    let (grad_gamma, grad_beta) = sums.split_at_mut(width);
    let mut normal = vec![0.0; width];
    let rows = x.chunks_exact(width).zip(grad.chunks_exact_mut(width)).zip(moments);
    for ((x, grad), moments) in rows {
        for (normal, x) in normal.iter_mut().zip(x) {
            *normal = (x - moments.mean) * moments.scale;
        }
        for ((sum, grad), normal) in grad_gamma.iter_mut().zip(&*grad).zip(&normal) {
            *sum += grad * normal;
        }
        for (sum, grad) in grad_beta.iter_mut().zip(&*grad) {
            *sum += grad;
        }
        for (grad, gamma) in grad.iter_mut().zip(gamma) {
            *grad *= gamma;
        }
        let mean = sum(grad) / width as f32;
        let slope = dot(grad, &normal) / width as f32;
        for (grad, normal) in grad.iter_mut().zip(&normal) {
            *grad = (*grad - mean - normal * slope) * moments.scale;
        }
    }
}
