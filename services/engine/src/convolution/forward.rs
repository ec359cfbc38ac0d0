//! A convolution's outputs: those of several pixels at once are kept in vector registers while the
//! window's numbers go by, so that each weight that is loaded is used for all of them. Pixels lie one
//! after another with their channels side by side, which makes filters the vector's lanes. What
//! follows, a rectifier and the maxima of squares, is done while an image's outputs are still near.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    fused::Fused,
    vectors::{Aligned, Vectors, panels, store as store_vector},
    window::{Walk, Window},
};
use crate::ops::{flex::zeros, product::PanelWidth};

/// Pixels at once: with two vectors of filters for each, what 16 registers hold.
pub(super) const ROWS: usize = 6;

pub(super) struct Made {
    /// `[images, rows, columns, filters]`
    pub out: Vec<f32>,
    /// Of each maximum, which of its square's places had it first. Empty without squares.
    pub picks: Vec<u8>,
}

pub(super) fn forward(
    vectors: impl Vectors,
    fused: &Fused,
    images: &[f32],
    kernel: &[f32],
    bias: &[f32],
) -> Made {
    let (window, walk) = (&fused.window, fused.walk());
    let panel = vectors.run(PanelWidth);
    let weights = panels(kernel, window.filters, panel);
    let bias = panels(bias, window.filters, panel);
    let mut out = zeros(images.len() / window.input_len() * fused.output_len());
    let pooled = fused.then.pool > 1;
    let mut picks = vec![0; if pooled { out.len() } else { 0 }];
    let stride = if pooled { bias.len() } else { window.filters };
    let scratch = || {
        let sums = if pooled { walk.origins.len() * stride } else { 0 };
        (Aligned::zeros(walk.canvas_len), Aligned::zeros(sums), vec![0; stride])
    };
    let run = |(canvas, sums, places): &mut (Aligned, Aligned, Vec<u32>),
               image: &[f32],
               out: &mut [f32],
               picks: &mut [u8]| {
        window.draw(image, &walk, canvas);
        let (walk, weights, bias) = (&walk, &weights[..], &bias[..]);
        let (filters, rectify) = (window.filters, fused.then.rectify);
        if pooled {
            let out_sums = Rows { values: sums, stride, width: stride };
            let rectify = false;
            vectors.run(Correlate { canvas, walk, weights, bias, rectify, out: out_sums });
            let side = fused.then.pool;
            vectors.run(Maxima {
                sums,
                side,
                filters,
                rectify: fused.then.rectify,
                places,
                out,
                picks,
            });
        } else {
            let out = Rows { values: out, stride, width: filters };
            vectors.run(Correlate { canvas, walk, weights, bias, rectify, out });
        }
    };
    let images = images.par_chunks(window.input_len());
    let each = out.par_chunks_mut(fused.output_len()).zip(images);
    if pooled {
        each.zip(picks.par_chunks_mut(fused.output_len()))
            .for_each_init(scratch, |scratch, ((out, image), picks)| {
                run(scratch, image, out, picks)
            });
    } else {
        each.for_each_init(scratch, |scratch, (out, image)| run(scratch, image, out, &mut []));
    }
    Made { out, picks }
}

/// The gradient of the images from that of the outputs, as a convolution of its own.
pub(super) struct Mirrored {
    walk: Walk,
    weights: Aligned,
    bias: Aligned,
}

impl Mirrored {
    pub fn new(window: &Window, kernel: &[f32], panel: usize) -> Self {
        let width = window.channels.next_multiple_of(panel);
        let weights = panels(&window.flip(kernel), window.channels, panel);
        Self { walk: window.backward_walk(), weights, bias: Aligned::zeros(width) }
    }

    pub fn canvas(&self) -> Aligned {
        Aligned::zeros(self.walk.canvas_len)
    }

    #[inline(always)]
    pub fn run<S: Simd>(
        &self,
        simd: S,
        window: &Window,
        gradient: &[f32],
        canvas: &mut [f32],
        out: &mut [f32],
    ) {
        window.draw_backward(gradient, &self.walk, canvas);
        let (walk, weights, bias) = (&self.walk, &self.weights[..], &self.bias[..]);
        let out = Rows { values: out, stride: window.channels, width: window.channels };
        Correlate { canvas, walk, weights, bias, rectify: false, out }.with_simd(simd);
    }
}

/// Rows of `width` numbers, `stride` apart.
struct Rows<'a> {
    values: &'a mut [f32],
    stride: usize,
    width: usize,
}

struct Correlate<'a> {
    canvas: &'a [f32],
    walk: &'a Walk,
    weights: &'a [f32],
    /// Filled up to whole panels.
    bias: &'a [f32],
    rectify: bool,
    out: Rows<'a>,
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { canvas, walk, weights, bias, rectify, out } = self;
        let Rows { values, stride, width: row_len } = out;
        let panel = 2 * S::F32_LANES;
        let taps = walk.runs.len() * walk.run_len;
        let pixels = walk.origins.len();
        let (starts, _) = S::as_simd_f32s(bias).0.as_chunks::<2>();
        let panels = starts.iter().zip(weights.chunks_exact(taps * panel));
        for (i, (start, weights)) in panels.enumerate() {
            let width = panel.min(row_len - i * panel);
            let weights = S::as_simd_f32s(weights).0;
            let mut pixel = 0;
            while pixel < pixels {
                // The last block reaches back over pixels that were done: it makes the same of them.
                let first = pixel.min(pixels.saturating_sub(ROWS));
                if let Some(origins) = walk.origins[first..].first_chunk::<ROWS>() {
                    let sums = window_sums(simd, canvas, walk, origins, weights, *start);
                    let out = &mut values[first * stride + i * panel..];
                    store(simd, &sums, rectify, out, stride, width);
                    pixel = first + ROWS;
                } else {
                    let origins = [walk.origins[pixel]];
                    let sums = window_sums(simd, canvas, walk, &origins, weights, *start);
                    let out = &mut values[pixel * stride + i * panel..];
                    store(simd, &sums, rectify, out, stride, width);
                    pixel += 1;
                }
            }
        }
    }
}

/// For `R` pixels the sums of their windows by two vectors of filters.
#[inline(always)]
fn window_sums<S: Simd, const R: usize>(
    simd: S,
    canvas: &[f32],
    walk: &Walk,
    origins: &[usize; R],
    weights: &[S::f32s],
    start: [S::f32s; 2],
) -> [[S::f32s; 2]; R] {
    let mut sums = [start; R];
    for (run, weights) in walk.runs.iter().zip(weights.chunks_exact(2 * walk.run_len)) {
        let mut rows: [&[f32]; R] = [&[]; R];
        for r in 0..R {
            rows[r] = &canvas[origins[r] + run..][..walk.run_len];
        }
        let (weights, _) = weights.as_chunks::<2>();
        for (k, [low, high]) in weights.iter().enumerate().take(walk.run_len) {
            for r in 0..R {
                let x = simd.splat_f32s(rows[r][k]);
                sums[r][0] = simd.mul_add_f32s(x, *low, sums[r][0]);
                sums[r][1] = simd.mul_add_f32s(x, *high, sums[r][1]);
            }
        }
    }
    sums
}

#[inline(always)]
fn store<S: Simd, const R: usize>(
    simd: S,
    sums: &[[S::f32s; 2]; R],
    rectify: bool,
    out: &mut [f32],
    stride: usize,
    width: usize,
) {
    for (r, sums) in sums.iter().enumerate() {
        let [low, high] = if rectify { sums.map(|x| rectified(simd, x)) } else { *sums };
        let row = &mut out[r * stride..][..width];
        if let ([to_low, to_high], []) = S::as_mut_simd_f32s(row) {
            (*to_low, *to_high) = (low, high);
        } else {
            let (to_low, to_high) = row.split_at_mut(width.min(S::F32_LANES));
            simd.partial_store_f32s(to_low, low);
            simd.partial_store_f32s(to_high, high);
        }
    }
}

/// Not a maximum with zero: what is no number must show.
#[inline(always)]
pub(super) fn rectified<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_f32s(x, zero), zero, x)
}

/// Of squares whose pixels lie one after another, the maxima.
struct Maxima<'a> {
    /// Rows as long as `places`.
    sums: &'a [f32],
    side: usize,
    filters: usize,
    rectify: bool,
    places: &'a mut [u32],
    out: &'a mut [f32],
    picks: &'a mut [u8],
}

impl WithSimd for Maxima<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sums, side, filters, rectify, places, out, picks } = self;
        let width = places.len();
        let squares = sums.chunks_exact(side * side * width);
        let pixels = out.chunks_exact_mut(filters).zip(picks.chunks_exact_mut(filters));
        for (square, (out, picks)) in squares.zip(pixels) {
            let places_of = S::as_mut_simd_u32s(places).0;
            for (v, place) in places_of.iter_mut().enumerate() {
                let vector = |row: &[f32]| S::as_simd_f32s(row).0[v];
                let mut rows = square.chunks_exact(width).map(vector);
                let mut max = rows.next().unwrap_or(simd.splat_f32s(0.0));
                let mut at = simd.splat_u32s(0);
                for (j, x) in (1_u32..).zip(rows) {
                    let number = simd.equal_f32s(x, x);
                    let better =
                        simd.or_m32s(simd.greater_than_f32s(x, max), simd.not_m32s(number));
                    max = simd.select_f32s(better, x, max);
                    at = simd.select_u32s(better, simd.splat_u32s(j), at);
                }
                *place = at;
                let max = if rectify { rectified(simd, max) } else { max };
                let from = v * S::F32_LANES;
                let out = &mut out[from.min(filters)..];
                store_vector(simd, out, max);
            }
            for (pick, place) in picks.iter_mut().zip(&*places) {
                *pick = *place as u8;
            }
        }
    }
}
