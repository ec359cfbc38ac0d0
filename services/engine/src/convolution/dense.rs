//! Gradients of a convolution where most of the outputs' gradient is not zero.

use pulp::Simd;

use super::{
    forward::ROWS,
    fused::Fused,
    vectors::{Aligned, load, pack, store},
    window::Walk,
};

/// Pixels whose gradients are read while a part of the kernel's gradient stays in registers.
const BLOCK: usize = 128;

/// The gradient of a convolution's own outputs, where only maxima of squares are made of them.
pub(super) struct Squares {
    rows: Vec<f32>,
    places: Vec<u32>,
    filters: usize,
    area: usize,
}

impl Squares {
    pub fn new(fused: &Fused) -> Self {
        let (filters, side) = (fused.window.filters, fused.then.pool);
        let rows = if side > 1 { fused.output_len() * side * side } else { 0 };
        Self { rows: vec![0.0; rows], places: vec![], filters, area: side * side }
    }

    /// Square by square.
    #[inline(always)]
    pub fn fill<S: Simd>(&mut self, simd: S, gradient: &[f32], picks: &[u8]) -> &[f32] {
        let Self { rows, places, filters, area } = self;
        let filters = *filters;
        places.resize(filters.next_multiple_of(S::U32_LANES), 0);
        let zero = simd.splat_f32s(0.0);
        let made = gradient.chunks_exact(filters).zip(picks.chunks_exact(filters));
        for (square, (gradient, picks)) in rows.chunks_exact_mut(*area * filters).zip(made) {
            places.iter_mut().zip(picks).for_each(|(place, pick)| *place = u32::from(*pick));
            for f in (0..filters).step_by(S::F32_LANES) {
                let g = load(simd, &gradient[f..]);
                let place = S::as_simd_u32s(&places[f..]).0[0];
                for (j, row) in (0_u32..).zip(square.chunks_exact_mut(filters)) {
                    let picked = simd.equal_u32s(place, simd.splat_u32s(j));
                    store(simd, &mut row[f..], simd.select_f32s(picked, g, zero));
                }
            }
        }
        rows
    }
}

/// The sum of a kernel's gradient, in panels of filters.
pub(super) struct KernelSums {
    pub sums: Aligned,
    packed: Aligned,
    filters: usize,
    panel: usize,
}

impl KernelSums {
    pub fn new(taps: usize, filters: usize, panel: usize) -> Self {
        let width = filters.next_multiple_of(panel);
        let packed = Aligned::zeros(BLOCK * width);
        Self { sums: Aligned::zeros(width * taps), packed, filters, panel }
    }

    /// Adds what an image on its canvas has for it.
    #[inline(always)]
    pub fn add<S: Simd>(&mut self, simd: S, canvas: &[f32], walk: &Walk, gradient: &[f32]) {
        let Self { sums, packed, filters, panel } = self;
        let taps = walk.runs.len() * walk.run_len;
        let blocks = gradient.chunks(BLOCK * *filters).zip(walk.origins.chunks(BLOCK));
        for (gradient, origins) in blocks {
            pack(gradient, *filters, *panel, packed);
            let panels = packed.chunks_exact(origins.len() * *panel);
            for (gradient, sums) in panels.zip(sums.chunks_exact_mut(taps * *panel)) {
                let gradient = S::as_simd_f32s(gradient).0;
                add_taps(simd, canvas, walk, origins, gradient, S::as_mut_simd_f32s(sums).0);
            }
        }
    }
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

/// Adds to the canvas of an image what the gradient of each pixel gives to its window. `weights` are
/// the kernel's pieces, two vectors wide, whose zeros at a run's end may reach beyond the image.
#[inline(always)]
pub(super) fn spread<S: Simd>(
    simd: S,
    walk: &Walk,
    filters: usize,
    gradient: &[f32],
    weights: &[f32],
    canvas: &mut [f32],
) {
    let panel = 2 * S::F32_LANES;
    let starts =
        walk.runs.iter().flat_map(|run| (0..walk.run_len).step_by(panel).map(move |k| run + k));
    for (start, weights) in starts.zip(weights.chunks_exact(panel * filters)) {
        let (weights, _) = S::as_simd_f32s(weights).0.as_chunks::<2>();
        let blocks = walk.origins.chunks(ROWS).zip(gradient.chunks(ROWS * filters));
        for (origins, gradient) in blocks {
            let to = &mut canvas[start..];
            match origins.len() {
                6 => spread_block::<S, 6>(simd, origins, filters, gradient, weights, to),
                5 => spread_block::<S, 5>(simd, origins, filters, gradient, weights, to),
                4 => spread_block::<S, 4>(simd, origins, filters, gradient, weights, to),
                3 => spread_block::<S, 3>(simd, origins, filters, gradient, weights, to),
                2 => spread_block::<S, 2>(simd, origins, filters, gradient, weights, to),
                _ => spread_block::<S, 1>(simd, origins, filters, gradient, weights, to),
            }
        }
    }
}

#[inline(always)]
fn spread_block<S: Simd, const R: usize>(
    simd: S,
    origins: &[usize],
    filters: usize,
    gradient: &[f32],
    weights: &[[S::f32s; 2]],
    canvas: &mut [f32],
) {
    let rows: [&[f32]; R] = std::array::from_fn(|r| &gradient[r * filters..][..filters]);
    let mut sums = [[simd.splat_f32s(0.0); 2]; R];
    for (f, [low, high]) in weights.iter().enumerate().take(filters) {
        for r in 0..R {
            let g = simd.splat_f32s(rows[r][f]);
            sums[r][0] = simd.mul_add_f32s(g, *low, sums[r][0]);
            sums[r][1] = simd.mul_add_f32s(g, *high, sums[r][1]);
        }
    }
    for (origin, [low, high]) in origins.iter().zip(sums) {
        let to = S::as_mut_simd_f32s(&mut canvas[*origin..][..2 * S::F32_LANES]).0;
        to[0] = simd.add_f32s(to[0], low);
        to[1] = simd.add_f32s(to[1], high);
    }
}
