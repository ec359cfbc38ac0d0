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
use crate::ops::flex::zeros;

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
    made.zip(x.par_chunks(pool.input_len())).for_each(|(((out, from), places), x)| {
        vectors.run(Image { pool, x, line, rectify, out, from, places });
    });
    (out, Picked { from, places })
}

struct Image<'a> {
    pool: &'a Pool,
    x: &'a [f32],
    line: &'a Line,
    rectify: bool,
    out: &'a mut [f32],
    from: &'a mut [f32],
    places: &'a mut [u8],
}

impl WithSimd for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { pool, x, line, rectify, out, from, places } = self;
        let mut at = vec![0; pool.channels.next_multiple_of(S::U32_LANES)];
        let (channels, offsets) = (pool.channels, pool.offsets());
        let made = out.chunks_exact_mut(channels).zip(from.chunks_exact_mut(channels));
        let made = made.zip(places.chunks_exact_mut(channels));
        for (((out, from), places), corner) in made.zip(pool.corners()) {
            let square = &x[corner..];
            for c in (0..channels).step_by(S::F32_LANES) {
                let (scale, shift) = (load(simd, &line.scale[c..]), load(simd, &line.shift[c..]));
                let mut best: Option<[S::f32s; 2]> = None;
                let mut place = simd.splat_u32s(0);
                for (j, offset) in (0_u32..).zip(&offsets) {
                    let x = load(simd, &square[offset + c..offset + channels]);
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
                S::as_mut_simd_u32s(&mut at[c..]).0[0] = place;
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
    vectors: impl Vectors,
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
            let made = (gradient, maxima, places);
            vectors.run(Gradient { pool, x, made, scale, tilt, to });
        },
    );
    to
}

struct Gradient<'a> {
    pool: &'a Pool,
    x: &'a [f32],
    /// The maxima's gradient, themselves if they are rectified, and where they are from.
    made: (&'a [f32], Option<&'a [f32]>, &'a [u8]),
    scale: &'a [f32],
    tilt: &'a Line,
    to: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { pool, x, made: (gradient, maxima, places), scale, tilt, to } = self;
        let zero = simd.splat_f32s(0.0);
        let mut at = vec![0; pool.channels.next_multiple_of(S::U32_LANES)];
        let (channels, offsets) = (pool.channels, pool.offsets());
        if pool.input.iter().any(|n| n % pool.size != 0) {
            tilted(x, tilt, to);
        }
        let numbers = gradient.chunks_exact(channels).zip(places.chunks_exact(channels));
        for (i, ((gradient, places), corner)) in numbers.zip(pool.corners()).enumerate() {
            let maxima = maxima.map(|maxima| &maxima[i * channels..][..channels]);
            let (x, to) = (&x[corner..], &mut to[corner..]);
            at.iter_mut().zip(places).for_each(|(at, place)| *at = u32::from(*place));
            for c in (0..channels).step_by(S::F32_LANES) {
                let (slope, shift) = (load(simd, &tilt.scale[c..]), load(simd, &tilt.shift[c..]));
                let mut given = simd.mul_f32s(load(simd, &gradient[c..]), load(simd, &scale[c..]));
                if let Some(maxima) = maxima {
                    let dropped = simd.less_than_or_equal_f32s(load(simd, &maxima[c..]), zero);
                    given = simd.select_f32s(dropped, zero, given);
                }
                let at = S::as_simd_u32s(&at[c..]).0[0];
                for (j, offset) in (0_u32..).zip(&offsets) {
                    let x = load(simd, &x[offset + c..offset + channels]);
                    let own = simd.add_f32s(simd.mul_f32s(x, slope), shift);
                    let picked = simd.equal_u32s(at, simd.splat_u32s(j));
                    let with = simd.add_f32s(own, given);
                    let y = simd.select_f32s(picked, with, own);
                    store(simd, &mut to[offset + c..offset + channels], y);
                }
            }
        }
    }
}

/// Also what fills no square.
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
