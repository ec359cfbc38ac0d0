//! Batch normalisation of the last axis (Ioffe and Szegedy, 2015), whatever comes before it. Sums are
//! made in blocks whose size depends on the shape alone, so that threads do not change them.

use rayon::prelude::*;

use super::pooling::Pool;
use crate::ops::{fresh::filled, simd::vectorized};

/// Numbers that one block holds at least.
const BLOCK: usize = 1 << 16;
/// So many numbers are worked on with one period of factors.
const PERIOD: usize = 512;

/// How numbers are normalised, and what follows.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The moments are those of the batch.
    pub of_batch: bool,
    pub rectify: bool,
    pub pool: Option<Pool>,
}

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
        let share = |sums: Vec<f64>| sums.into_iter().map(|sum| (sum / rows) as f32).collect();
        let zeros = &vec![0.0; channels][..];
        let [sum, _] = sums(x, x, [zeros; 3], |x, _, _| [x, 0.0]);
        let mean: Vec<f32> = share(sum);
        let [squares, _] = sums(x, x, [&mean, zeros, zeros], |x, _, [mean, ..]| {
            let off = x - mean;
            [off * off, 0.0]
        });
        Self { mean, variance: share(squares), epsilon }
    }

    fn inverse_deviation(&self) -> Vec<f32> {
        self.variance.iter().map(|v| 1.0 / (v + self.epsilon).sqrt()).collect()
    }

    /// What normalising, scaling and shifting is in one: a factor, and what is added.
    pub fn line(&self, gamma: &[f32], beta: &[f32]) -> Line {
        let scale: Vec<f32> =
            self.inverse_deviation().iter().zip(gamma).map(|(s, gamma)| s * gamma).collect();
        let shift = (0..beta.len()).map(|c| beta[c] - self.mean[c] * scale[c]).collect();
        Line { scale, shift }
    }
}

/// `x * scale + shift`, of each channel.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

/// Rectified if `rectify`.
pub(super) fn normalize(x: &[f32], line: &Line, rectify: bool) -> Vec<f32> {
    let factors = [&line.scale[..], &line.shift, &line.shift];
    if rectify {
        // what is no number must show
        let rectified = |y| if y < 0.0 { 0.0 } else { y };
        map(x, x, factors, |x, _, [scale, shift, _]| rectified(x * scale + shift))
    } else {
        map(x, x, factors, |x, _, [scale, shift, _]| x * scale + shift)
    }
}

/// Of each channel, the gradient's sum and its sum weighted by the normalised numbers.
pub(super) struct GradientSums {
    pub plain: Vec<f32>,
    pub normalized: Vec<f32>,
}

/// With the line of a rectified output, which lets nothing through where that is zero.
pub(super) fn gradient_sums(
    x: &[f32],
    gradient: &[f32],
    moments: &Moments,
    rectified: Option<&Line>,
) -> GradientSums {
    let mean = &moments.mean[..];
    let [plain, weighted] = match rectified {
        Some(line) => {
            sums(x, gradient, [mean, &line.scale, &line.shift], |x, g, [mean, scale, shift]| {
                let g = if x * scale + shift <= 0.0 { 0.0 } else { g };
                [g, (x - mean) * g]
            })
        }
        None => sums(x, gradient, [mean; 3], |x, g, [mean, ..]| [g, (x - mean) * g]),
    };
    let inverse = moments.inverse_deviation();
    GradientSums {
        plain: plain.into_iter().map(|sum| sum as f32).collect(),
        normalized: weighted.iter().zip(inverse).map(|(sum, s)| *sum as f32 * s).collect(),
    }
}

/// What the gradient of the input is beside `gradient * scale`: `x * slope + shift`. It is there only
/// where the moments are those of the batch and move with it, and then makes of the gradient
/// `gamma / deviation * (g - mean(g) - normalised * mean(g * normalised))`.
pub(super) fn tilt(
    rows: usize,
    moments: &Moments,
    scale: &[f32],
    of_batch: Option<&GradientSums>,
) -> Line {
    let (channels, rows) = (scale.len(), rows.max(1) as f32);
    let inverse = moments.inverse_deviation();
    let (mut slope, mut shift) = (vec![0.0; channels], vec![0.0; channels]);
    if let Some(sums) = of_batch {
        for c in 0..channels {
            slope[c] = -scale[c] * inverse[c] * sums.normalized[c] / rows;
            shift[c] = -scale[c] * sums.plain[c] / rows - slope[c] * moments.mean[c];
        }
    }
    Line { scale: slope, shift }
}

pub(super) fn input_gradient(
    x: &[f32],
    gradient: &[f32],
    line: &Line,
    tilt: &Line,
    rectified: bool,
) -> Vec<f32> {
    let factors = [&line.scale[..], &line.shift, &tilt.scale, &tilt.shift];
    if rectified {
        map(x, gradient, factors, |x, g, [scale, shift, slope, tilt]| {
            let g = if x * scale + shift <= 0.0 { 0.0 } else { g };
            g * scale + (x * slope + tilt)
        })
    } else {
        map(x, gradient, factors, |x, g, [scale, _, slope, tilt]| g * scale + (x * slope + tilt))
    }
}

/// The channels' factors again and again, so that the inner loops are long.
fn period(factors: &[f32]) -> Vec<f32> {
    factors.repeat((PERIOD / factors.len()).max(1))
}

/// Numbers of a block: whole periods.
fn block(period: usize) -> usize {
    period * (BLOCK / period).max(1)
}

/// Sums of the two numbers that `f(x, y, factors)` gives over each channel.
fn sums(
    x: &[f32],
    y: &[f32],
    factors: [&[f32]; 3],
    f: impl Fn(f32, f32, [f32; 3]) -> [f32; 2] + Copy + Sync,
) -> [Vec<f64>; 2] {
    let channels = factors[0].len();
    let [a, b, c] = factors.map(period);
    let period = a.len();
    let block = block(period);
    let parts: Vec<[Vec<f32>; 2]> = x
        .par_chunks(block)
        .zip(y.par_chunks(block))
        .map(|(x, y)| {
            let mut first = vec![0.0_f32; period];
            let mut second = vec![0.0_f32; period];
            vectorized(
                #[inline(always)]
                || {
                    for (x, y) in x.chunks(period).zip(y.chunks(period)) {
                        let sums = first.iter_mut().zip(&mut second);
                        let numbers = x.iter().zip(y).zip(a.iter().zip(&b).zip(&c));
                        for ((first, second), ((x, y), ((a, b), c))) in sums.zip(numbers) {
                            let terms = f(*x, *y, [*a, *b, *c]);
                            *first += terms[0];
                            *second += terms[1];
                        }
                    }
                },
            );
            [first, second]
        })
        .collect();
    let mut total = [vec![0.0; channels], vec![0.0; channels]];
    for part in parts {
        for (total, sums) in total.iter_mut().zip(part) {
            for row in sums.chunks_exact(channels) {
                total.iter_mut().zip(row).for_each(|(total, sum)| *total += f64::from(*sum));
            }
        }
    }
    total
}

/// `f(x, y, factors)` of every number.
fn map<const N: usize>(
    x: &[f32],
    y: &[f32],
    factors: [&[f32]; N],
    f: impl Fn(f32, f32, [f32; N]) -> f32 + Copy + Sync,
) -> Vec<f32> {
    let factors = factors.map(period);
    let period = factors[0].len();
    let block = block(period);
    let [out] = filled(x.len(), block, |i, [out]| {
        let (x, y) = (&x[i * block..][..out.len()], &y[i * block..][..out.len()]);
        let out = out.write_copy_of_slice(x);
        vectorized(
            #[inline(always)]
            || {
                for (out, y) in out.chunks_mut(period).zip(y.chunks(period)) {
                    let n = out.len();
                    let y = &y[..n];
                    let factors = factors.each_ref().map(|factors| &factors[..n]);
                    for i in 0..n {
                        out[i] = f(out[i], y[i], factors.map(|factors| factors[i]));
                    }
                }
            },
        );
        [out]
    });
    out
}
