//! Batch normalisation of the last axis (Ioffe and Szegedy, 2015), whatever comes before it. Sums are
//! made in blocks whose size depends on the shape alone, so that threads do not change them.

use rayon::prelude::*;

use crate::ops::simd::vectorized;

/// Numbers that one block holds at least.
const BLOCK: usize = 1 << 16;
/// So many numbers are worked on with one period of factors.
const PERIOD: usize = 512;

/// Of each channel.
#[derive(Debug, Clone)]
pub struct Moments {
    pub mean: Vec<f32>,
    /// Of the population.
    pub variance: Vec<f32>,
    pub epsilon: f32,
}

impl Moments {
    /// Those of a batch; of no rows they are zero.
    pub fn of(x: &[f32], channels: usize, epsilon: f32) -> Self {
        let rows = (x.len() / channels).max(1) as f64;
        let zeros = vec![0.0; channels];
        let mean = sums(x, x, channels, &zeros, |x, _, _| x);
        let mean: Vec<f32> = mean.into_iter().map(|sum| (sum / rows) as f32).collect();
        let variance = sums(x, x, channels, &mean, |x, _, mean| (x - mean) * (x - mean));
        let variance = variance.into_iter().map(|sum| (sum / rows) as f32).collect();
        Self { mean, variance, epsilon }
    }

    fn inverse_deviation(&self) -> Vec<f32> {
        self.variance.iter().map(|v| 1.0 / (v + self.epsilon).sqrt()).collect()
    }
}

pub(super) fn normalize(x: &[f32], gamma: &[f32], beta: &[f32], moments: &Moments) -> Vec<f32> {
    let scale: Vec<f32> =
        moments.inverse_deviation().iter().zip(gamma).map(|(s, gamma)| s * gamma).collect();
    let shift: Vec<f32> = (0..beta.len()).map(|c| beta[c] - moments.mean[c] * scale[c]).collect();
    map(x, x, [&scale, &shift, &shift], |x, _, [scale, shift, _]| x * scale + shift)
}

/// Of each channel, the gradient's sum and its sum weighted by the normalised numbers.
pub(super) struct GradientSums {
    pub plain: Vec<f32>,
    pub normalized: Vec<f32>,
}

pub(super) fn gradient_sums(x: &[f32], gradient: &[f32], moments: &Moments) -> GradientSums {
    let channels = moments.mean.len();
    let weighted = sums(x, gradient, channels, &moments.mean, |x, g, mean| (x - mean) * g);
    let inverse = moments.inverse_deviation();
    GradientSums {
        plain: channel_sums(gradient, channels),
        normalized: weighted.iter().zip(inverse).map(|(sum, s)| *sum as f32 * s).collect(),
    }
}

/// `gamma / deviation * (g - mean(g) - normalised * mean(g * normalised))`; the means are there only
/// where the moments are those of the batch and move with it.
pub(super) fn input_gradient(
    x: &[f32],
    gradient: &[f32],
    gamma: &[f32],
    moments: &Moments,
    of_batch: Option<&GradientSums>,
) -> Vec<f32> {
    let channels = gamma.len();
    let rows = (x.len() / channels).max(1) as f32;
    let inverse = moments.inverse_deviation();
    let scale: Vec<f32> = inverse.iter().zip(gamma).map(|(s, gamma)| s * gamma).collect();
    let (mut slope, mut shift) = (vec![0.0; channels], vec![0.0; channels]);
    if let Some(sums) = of_batch {
        for c in 0..channels {
            slope[c] = -scale[c] * inverse[c] * sums.normalized[c] / rows;
            shift[c] = -scale[c] * sums.plain[c] / rows - slope[c] * moments.mean[c];
        }
    }
    map(x, gradient, [&scale, &slope, &shift], |x, g, [scale, slope, shift]| {
        g * scale + (x * slope + shift)
    })
}

pub(super) fn channel_sums(x: &[f32], channels: usize) -> Vec<f32> {
    let zeros = vec![0.0; channels];
    sums(x, x, channels, &zeros, |x, _, _| x).into_iter().map(|sum| sum as f32).collect()
}

/// The channels' factors again and again, so that the inner loops are long.
fn period(factors: &[f32]) -> Vec<f32> {
    factors.repeat((PERIOD / factors.len()).max(1))
}

/// Numbers of a block: whole periods.
fn block(period: usize) -> usize {
    period * (BLOCK / period).max(1)
}

/// Sums of `f(x, y, factor)` over each channel.
fn sums(
    x: &[f32],
    y: &[f32],
    channels: usize,
    factors: &[f32],
    f: impl Fn(f32, f32, f32) -> f32 + Copy + Sync,
) -> Vec<f64> {
    let factors = period(factors);
    let block = block(factors.len());
    let parts: Vec<Vec<f32>> = x
        .par_chunks(block)
        .zip(y.par_chunks(block))
        .map(|(x, y)| {
            let mut sums = vec![0.0_f32; factors.len()];
            vectorized(|| {
                for (x, y) in x.chunks(factors.len()).zip(y.chunks(factors.len())) {
                    for (((sum, x), y), factor) in sums.iter_mut().zip(x).zip(y).zip(&factors) {
                        *sum += f(*x, *y, *factor);
                    }
                }
            });
            sums
        })
        .collect();
    let mut total = vec![0.0; channels];
    for part in parts {
        for row in part.chunks_exact(channels) {
            for (total, sum) in total.iter_mut().zip(row) {
                *total += f64::from(*sum);
            }
        }
    }
    total
}

/// `f(x, y, factors)` of every number.
fn map(
    x: &[f32],
    y: &[f32],
    factors: [&[f32]; 3],
    f: impl Fn(f32, f32, [f32; 3]) -> f32 + Copy + Sync,
) -> Vec<f32> {
    let [a, b, c] = factors.map(period);
    let period = a.len();
    let block = block(period);
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(block).zip(x.par_chunks(block)).zip(y.par_chunks(block)).for_each(
        |((out, x), y)| {
            vectorized(|| {
                let rows = x.chunks(period).zip(y.chunks(period));
                for (out, (x, y)) in out.chunks_mut(period).zip(rows) {
                    let numbers = x.iter().zip(y).zip(a.iter().zip(&b).zip(&c));
                    for (out, ((x, y), ((a, b), c))) in out.iter_mut().zip(numbers) {
                        *out = f(*x, *y, [*a, *b, *c]);
                    }
                }
            });
        },
    );
    out
}
