//! Batch normalisation of an image of which only the maxima of squares are asked: the numbers between
//! are not stored, and the gradient is summed over those that were picked.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    forward::rectified,
    norm::Line,
    pooling::Pool,
    vectors::{Vectors, load, store},
};
use crate::ops::{flex::zeros, simd::vectorized};

/// Of each maximum.
#[derive(Debug)]
pub(super) struct Picked {
    /// The number it was made of.
    pub from: Vec<f32>,
    /// Which place of its square has it first.
    pub places: Vec<u8>,
}

pub(super) fn normalize(
    vectors: impl Vectors,
    pool: &Pool,
    x: &[f32],
    line: &Line,
    rectify: bool,
) -> (Vec<f32>, Picked) {
    let len = x.len() / pool.input_len() * pool.output_len();
    let (mut out, mut from, mut places) = (zeros(len), zeros(len), vec![0; len]);
    let made = out
        .par_chunks_mut(pool.output_len())
        .zip(from.par_chunks_mut(pool.output_len()))
        .zip(places.par_chunks_mut(pool.output_len()));
    made.zip(x.par_chunks(pool.input_len())).for_each_init(
        || vec![0; pool.channels],
        |at, (((out, from), places), x)| {
            vectors.run(Image { pool, x, line, rectify, at, out, from, places });
        },
    );
    (out, Picked { from, places })
}

struct Image<'a> {
    pool: &'a Pool,
    x: &'a [f32],
    line: &'a Line,
    rectify: bool,
    at: &'a mut [u32],
    out: &'a mut [f32],
    from: &'a mut [f32],
    places: &'a mut [u8],
}

impl WithSimd for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { pool, x, line, rectify, at, out, from, places } = self;
        let channels = pool.channels;
        let made = out.chunks_exact_mut(channels).zip(from.chunks_exact_mut(channels));
        for (square, ((out, from), places)) in
            made.zip(places.chunks_exact_mut(channels)).enumerate()
        {
            for c in (0..channels).step_by(S::F32_LANES) {
                let (scale, shift) = (load(simd, &line.scale[c..]), load(simd, &line.shift[c..]));
                let mut best: Option<[S::f32s; 2]> = None;
                let mut place = simd.splat_u32s(0);
                for (j, start) in (0_u32..).zip(pool.places(square)) {
                    let x = load(simd, &x[start + c..start + channels]);
                    let y = simd.add_f32s(simd.mul_f32s(x, scale), shift);
                    let Some([max, of]) = &mut best else {
                        best = Some([y, x]);
                        continue;
                    };
                    let number = simd.equal_f32s(y, y);
                    let better =
                        simd.or_m32s(simd.greater_than_f32s(y, *max), simd.not_m32s(number));
                    *max = simd.select_f32s(better, y, *max);
                    *of = simd.select_f32s(better, x, *of);
                    place = simd.select_u32s(better, simd.splat_u32s(j), place);
                }
                let Some([max, of]) = best else { continue };
                store(simd, &mut out[c..], if rectify { rectified(simd, max) } else { max });
                store(simd, &mut from[c..], of);
                simd.partial_store_u32s(&mut at[c..], place);
            }
            for (place, at) in places.iter_mut().zip(&*at) {
                *place = *at as u8;
            }
        }
    }
}

/// The gradient of `x` from that of the maxima, which are given if they are rectified: what `tilt`
/// makes of every number, and of those that were picked also `scale` times the gradient.
pub(super) fn input_gradient(
    pool: &Pool,
    x: &[f32],
    picked: &Picked,
    (gradient, rectified): (&[f32], Option<&[f32]>),
    (scale, tilt): (&[f32], &Line),
) -> Vec<f32> {
    let (len, input_len) = (pool.output_len(), pool.input_len());
    let mut to = zeros(x.len());
    to.par_chunks_mut(input_len).zip(x.par_chunks(input_len)).enumerate().for_each(
        |(n, (to, x))| {
            let within = n * len..(n + 1) * len;
            let maxima = rectified.map(|maxima| &maxima[within.clone()]);
            let (gradient, places) = (&gradient[within.clone()], &picked.places[within]);
            vectorized(
                #[inline(always)]
                || {
                    tilted(x, tilt, to);
                    add_picked(pool, (gradient, maxima), places, scale, to);
                },
            );
        },
    );
    to
}

#[inline(always)]
fn tilted(x: &[f32], tilt: &Line, to: &mut [f32]) {
    let channels = tilt.scale.len();
    let (slope, shift) = (&tilt.scale[..channels], &tilt.shift[..channels]);
    for (to, x) in to.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
        for c in 0..channels {
            to[c] = x[c] * slope[c] + shift[c];
        }
    }
}

#[inline(always)]
fn add_picked(
    pool: &Pool,
    (gradient, maxima): (&[f32], Option<&[f32]>),
    places: &[u8],
    scale: &[f32],
    to: &mut [f32],
) {
    let channels = scale.len();
    let offsets: Vec<usize> = pool.places(0).collect();
    let numbers = gradient.chunks_exact(channels).zip(places.chunks_exact(channels));
    for (square, (gradient, places)) in numbers.enumerate() {
        let maxima = maxima.map(|maxima| &maxima[square * channels..][..channels]);
        let to = &mut to[pool.place(square, 0)..];
        for c in 0..channels {
            let dropped = maxima.is_some_and(|maxima| maxima[c] <= 0.0);
            let g = if dropped { 0.0 } else { gradient[c] };
            to[offsets[usize::from(places[c])] + c] += g * scale[c];
        }
    }
}
