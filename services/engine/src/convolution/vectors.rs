//! What the loops of a convolution share: which vectors they run with, memory that vectors read
//! without straddling cache lines, and matrices cut into panels of two vectors.

use std::ops::{Deref, DerefMut};

use pulp::{Simd, WithSimd};

use crate::ops::simd::vectorized;

/// Which vectors the loops are made of. A run takes the widest; tests compare all widths.
pub(super) trait Vectors: Copy + Sync {
    fn run<O: WithSimd>(self, op: O) -> O::Output;
}

#[derive(Clone, Copy)]
pub(super) struct Widest;

impl Vectors for Widest {
    #[inline]
    fn run<O: WithSimd>(self, op: O) -> O::Output {
        vectorized(op)
    }
}

/// Numbers in a cache line.
const LINE: usize = 16;

/// Numbers that start with a cache line.
pub(super) struct Aligned {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub fn zeros(len: usize) -> Self {
        let values = vec![0.0; len + LINE];
        let start = values.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        Self { values, start, len }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..][..self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.len]
    }
}

/// The first vector of `numbers`, or all of them if they are fewer.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, numbers: &[f32]) -> S::f32s {
    let n = numbers.len().min(S::F32_LANES);
    match S::as_simd_f32s(&numbers[..n]) {
        ([vector], _) => *vector,
        (_, part) => simd.partial_load_f32s(part),
    }
}

#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, numbers: &mut [f32], vector: S::f32s) {
    let n = numbers.len().min(S::F32_LANES);
    match S::as_mut_simd_f32s(&mut numbers[..n]) {
        ([to], _) => *to = vector,
        (_, part) => simd.partial_store_f32s(part, vector),
    }
}

/// A matrix of rows `width` long as panels of `panel` columns, the last one filled up with zeros.
pub(super) fn panels(rows: &[f32], width: usize, panel: usize) -> Aligned {
    let mut packed = Aligned::zeros(rows.len() / width * width.next_multiple_of(panel));
    pack(rows, width, panel, &mut packed);
    packed
}

#[inline(always)]
pub(super) fn pack(rows: &[f32], width: usize, panel: usize, packed: &mut [f32]) {
    let count = rows.len() / width;
    let panels = packed.chunks_exact_mut((count * panel).max(1));
    for (start, packed) in (0..width).step_by(panel).zip(panels) {
        let n = panel.min(width - start);
        for (to, row) in packed.chunks_exact_mut(panel).zip(rows.chunks_exact(width)) {
            let (to, rest) = to.split_at_mut(n);
            to.copy_from_slice(&row[start..start + n]);
            rest.fill(0.0);
        }
    }
}

/// The rows again.
pub(super) fn unpack(panels: &[f32], rows: usize, width: usize, panel: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * width];
    for (start, panels) in (0..width).step_by(panel).zip(panels.chunks_exact(rows * panel)) {
        let n = panel.min(width - start);
        for (to, from) in out.chunks_exact_mut(width).zip(panels.chunks_exact(panel)) {
            to[start..start + n].copy_from_slice(&from[..n]);
        }
    }
    out
}

/// A kernel `[taps, filters]` with the taps side by side: for each run of neighbouring taps, each
/// piece of it (`piece` taps, the last one filled up with zeros), each filter.
pub(super) fn pieces(kernel: &[f32], filters: usize, run_len: usize, piece: usize) -> Aligned {
    let runs = kernel.len() / (run_len * filters);
    let mut out = Aligned::zeros(runs * run_len.next_multiple_of(piece) * filters);
    let mut chunks = out.chunks_exact_mut(piece * filters);
    for run in kernel.chunks_exact(run_len * filters) {
        for (taps, rows) in run.chunks(piece * filters).zip(&mut chunks) {
            for (tap, weights) in taps.chunks_exact(filters).enumerate() {
                for (row, weight) in rows.chunks_exact_mut(piece).zip(weights) {
                    row[tap] = *weight;
                }
            }
        }
    }
    out
}

/// The kernel of such runs in one piece each.
pub(super) fn joined(rows: &[f32], filters: usize, run_len: usize, piece: usize) -> Vec<f32> {
    let runs = rows.len() / (piece * filters);
    let mut kernel = vec![0.0; runs * run_len * filters];
    for (run, rows) in
        kernel.chunks_exact_mut(run_len * filters).zip(rows.chunks_exact(piece * filters))
    {
        for (f, row) in rows.chunks_exact(piece).enumerate() {
            for (weights, value) in run.chunks_exact_mut(filters).zip(row) {
                weights[f] = *value;
            }
        }
    }
    kernel
}
