//! The loops of a convolution: outputs of several pixels at once are kept in vector registers while
//! the window's numbers go by, so that each weight that is loaded is used for all of them. Pixels lie
//! one after another with their channels side by side, which makes filters the vector's lanes.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::window::{Walk, Window};
use crate::ops::{product::panel_width, simd::vectorized};

/// Pixels (or taps) at once: with two vectors of filters for each, what 16 registers hold.
const ROWS: usize = 6;
/// Pixels whose gradients are read while a part of the kernel's gradient stays in registers.
const BLOCK: usize = 128;
/// Into so many parts the kernel's gradient is summed; fixed, so that the sum does not depend on how
/// many threads there are.
const PARTS: usize = 8;

/// `images` through the window, `[images, rows, columns, filters]`.
pub(super) fn forward(window: &Window, images: &[f32], kernel: &[f32], bias: &[f32]) -> Vec<f32> {
    let walk = window.walk();
    let mut out = vec![0.0; images.len() / window.input_len() * window.output_len()];
    let weights = panels(kernel, window.filters);
    out.par_chunks_mut(window.output_len())
        .zip(images.par_chunks(window.input_len()))
        .for_each_init(
            || vec![0.0; walk.canvas_len],
            |canvas, (out, image)| {
                window.draw(image, &walk, canvas);
                let (walk, weights) = (&walk, &weights[..]);
                vectorized(Correlate { canvas, walk, weights, bias, out });
            },
        );
    out
}

/// The gradient of the images from that of the outputs.
pub(super) fn input_gradient(window: &Window, gradient: &[f32], kernel: &[f32]) -> Vec<f32> {
    let walk = window.backward_walk();
    let mut out = vec![0.0; gradient.len() / window.output_len() * window.input_len()];
    let (flipped, bias) = (window.flip(kernel), vec![0.0; window.channels]);
    let weights = panels(&flipped, window.channels);
    out.par_chunks_mut(window.input_len())
        .zip(gradient.par_chunks(window.output_len()))
        .for_each_init(
            || vec![0.0; walk.canvas_len],
            |canvas, (out, gradient)| {
                window.draw_backward(gradient, &walk, canvas);
                let (walk, weights, bias) = (&walk, &weights[..], &bias[..]);
                vectorized(Correlate { canvas, walk, weights, bias, out });
            },
        );
    out
}

/// The gradient of the kernel from the images and that of the outputs.
pub(super) fn kernel_gradient(window: &Window, images: &[f32], gradient: &[f32]) -> Vec<f32> {
    let walk = window.walk();
    let batch = images.len() / window.input_len();
    let part = batch.div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f32>> = images
        .par_chunks(part * window.input_len())
        .zip(gradient.par_chunks(part * window.output_len()))
        .map(|(images, gradient)| vectorized(Gather { window, walk: &walk, images, gradient }))
        .collect();
    let mut sum = vec![0.0; window.taps() * window.filters];
    for part in parts {
        for (sum, x) in sum.iter_mut().zip(part) {
            *sum += x;
        }
    }
    sum
}

/// Rows of `width` numbers as panels two vectors wide, the last one filled up with zeros.
fn panels(rows: &[f32], width: usize) -> Vec<f32> {
    let mut packed = vec![];
    pack(rows, width, panel_width(), &mut packed);
    packed
}

fn pack(rows: &[f32], width: usize, panel: usize, packed: &mut Vec<f32>) {
    packed.clear();
    for start in (0..width).step_by(panel) {
        let end = (start + panel).min(width);
        for row in rows.chunks_exact(width) {
            packed.extend_from_slice(&row[start..end]);
            packed.resize(packed.len() + panel - (end - start), 0.0);
        }
    }
}

struct Correlate<'a> {
    canvas: &'a [f32],
    walk: &'a Walk,
    weights: &'a [f32],
    bias: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { canvas, walk, weights, bias, out } = self;
        let (filters, panel) = (bias.len(), 2 * S::F32_LANES);
        let taps = walk.runs.len() * walk.run_len;
        let pixels = walk.origins.len();
        for (bias, (panel_at, weights)) in bias
            .chunks(panel)
            .zip((0..filters).step_by(panel).zip(weights.chunks_exact(taps * panel)))
        {
            let (low, high) = bias.split_at(bias.len().min(S::F32_LANES));
            let start = [simd.partial_load_f32s(low), simd.partial_load_f32s(high)];
            let weights = S::as_simd_f32s(weights).0;
            let mut pixel = 0;
            while pixel < pixels {
                // The last block reaches back over pixels that were done: it makes the same of them.
                let first = pixel.min(pixels.saturating_sub(ROWS));
                if let Some(origins) = walk.origins[first..].first_chunk::<ROWS>() {
                    let sums = window_sums(simd, canvas, walk, origins, weights, start);
                    store(simd, &sums, &mut out[first * filters + panel_at..], filters, bias.len());
                    pixel = first + ROWS;
                } else {
                    let origins = [walk.origins[pixel]];
                    let sums = window_sums(simd, canvas, walk, &origins, weights, start);
                    store(simd, &sums, &mut out[pixel * filters + panel_at..], filters, bias.len());
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
        let rows = origins.map(|origin| &canvas[origin + run..][..walk.run_len]);
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
    out: &mut [f32],
    stride: usize,
    width: usize,
) {
    for (r, [low, high]) in sums.iter().enumerate() {
        let row = &mut out[r * stride..][..width];
        if let ([to_low, to_high], []) = S::as_mut_simd_f32s(row) {
            (*to_low, *to_high) = (*low, *high);
        } else {
            let (to_low, to_high) = row.split_at_mut(width.min(S::F32_LANES));
            simd.partial_store_f32s(to_low, *low);
            simd.partial_store_f32s(to_high, *high);
        }
    }
}

struct Gather<'a> {
    window: &'a Window,
    walk: &'a Walk,
    images: &'a [f32],
    gradient: &'a [f32],
}

impl WithSimd for Gather<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { window, walk, images, gradient } = self;
        let panel = 2 * S::F32_LANES;
        let (taps, filters) = (window.taps(), window.filters);
        let mut canvas = vec![0.0; walk.canvas_len];
        let mut packed = vec![];
        let mut sums = vec![0.0; filters.div_ceil(panel) * taps * panel];
        let images = images.chunks_exact(window.input_len());
        for (image, gradient) in images.zip(gradient.chunks_exact(window.output_len())) {
            window.draw(image, walk, &mut canvas);
            let blocks = gradient.chunks(BLOCK * filters).zip(walk.origins.chunks(BLOCK));
            for (gradient, origins) in blocks {
                pack(gradient, filters, panel, &mut packed);
                let panels = packed.chunks_exact(origins.len() * panel);
                for (gradient, sums) in panels.zip(sums.chunks_exact_mut(taps * panel)) {
                    let gradient = S::as_simd_f32s(gradient).0;
                    add_taps(simd, &canvas, walk, origins, gradient, S::as_mut_simd_f32s(sums).0);
                }
            }
        }
        unpack(&sums, taps, filters, panel)
    }
}

fn unpack(panels: &[f32], rows: usize, width: usize, panel: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * width];
    for (start, panels) in (0..width).step_by(panel).zip(panels.chunks_exact(rows * panel)) {
        let n = panel.min(width - start);
        for (to, from) in out.chunks_exact_mut(width).zip(panels.chunks_exact(panel)) {
            to[start..start + n].copy_from_slice(&from[..n]);
        }
    }
    out
}

/// Adds to the sums of every tap what a block of pixels has for it.
#[inline(always)]
fn add_taps<S: Simd>(
    simd: S,
    canvas: &[f32],
    walk: &Walk,
    origins: &[usize],
    gradient: &[S::f32s],
    sums: &mut [S::f32s],
) {
    for (run, sums) in walk.runs.iter().zip(sums.chunks_exact_mut(2 * walk.run_len)) {
        let (strips, rest) = sums.as_chunks_mut::<2>().0.as_chunks_mut::<ROWS>();
        let (small, single) = rest.as_chunks_mut::<3>();
        let small_at = run + ROWS * strips.len();
        let single_at = small_at + 3 * small.len();
        for (i, strip) in strips.iter_mut().enumerate() {
            add_strip(simd, canvas, run + ROWS * i, origins, gradient, strip);
        }
        for (i, strip) in small.iter_mut().enumerate() {
            add_strip(simd, canvas, small_at + 3 * i, origins, gradient, strip);
        }
        for (i, strip) in single.as_chunks_mut::<1>().0.iter_mut().enumerate() {
            add_strip(simd, canvas, single_at + i, origins, gradient, strip);
        }
    }
}

#[inline(always)]
fn add_strip<S: Simd, const R: usize>(
    simd: S,
    canvas: &[f32],
    offset: usize,
    origins: &[usize],
    gradient: &[S::f32s],
    sums: &mut [[S::f32s; 2]; R],
) {
    let mut kept = *sums;
    for (origin, [low, high]) in origins.iter().zip(gradient.as_chunks::<2>().0) {
        let Some(taps) = canvas[origin + offset..].first_chunk::<R>() else { continue };
        for r in 0..R {
            let x = simd.splat_f32s(taps[r]);
            kept[r][0] = simd.mul_add_f32s(x, *low, kept[r][0]);
            kept[r][1] = simd.mul_add_f32s(x, *high, kept[r][1]);
        }
    }
    *sums = kept;
}
