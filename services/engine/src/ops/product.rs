//! Products of a few rows with one small matrix, many times over: what a recurrent layer does at
//! every step. A general matrix product spends longer preparing than multiplying at that size.

use pulp::{Simd, WithSimd};

use super::simd::vectorized;

/// Rows that are multiplied together, so that each part of the matrix is loaded once for them.
const BLOCK: usize = 4;

/// A matrix cut into panels of two vectors' width, each stored row after row and filled up with
/// zeros.
#[derive(Debug)]
pub(crate) struct Panels {
    values: Vec<f32>,
    depth: usize,
    width: usize,
}

/// How many columns a panel has.
pub(crate) struct PanelWidth;

impl WithSimd for PanelWidth {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        2 * S::F32_LANES
    }
}

fn panel_width() -> usize {
    vectorized(PanelWidth)
}

impl Panels {
    /// A matrix of `depth` rows and `width` columns.
    pub fn new(depth: usize, width: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let lanes = panel_width();
        let mut values = vec![0.0; width.next_multiple_of(lanes) * depth];
        let panels = values.chunks_exact_mut((lanes * depth).max(1)).enumerate();
        for (panel, values) in panels {
            for (row, values) in values.chunks_exact_mut(lanes).enumerate() {
                let columns = panel * lanes..width.min((panel + 1) * lanes);
                values.iter_mut().zip(columns).for_each(|(value, column)| *value = at(row, column));
            }
        }
        Self { values, depth, width }
    }
}

/// Rows of `stride` numbers, of which a product reads or writes the first ones.
#[derive(Clone, Copy)]
pub(crate) struct Rows<T> {
    pub values: T,
    pub stride: usize,
}

/// Adds the product of the first `rows` rows of `left` with `right` to those of `out`. Every row's
/// result is the same whichever rows are computed beside it.
#[inline(always)]
pub(crate) fn add_product<S: Simd>(
    simd: S,
    rows: usize,
    left: Rows<&[f32]>,
    right: &Panels,
    out: Rows<&mut [f32]>,
) {
    let Rows { values, stride } = out;
    let panel_width = 2 * S::F32_LANES;
    let panel_len = (right.depth * panel_width).max(1);
    if rows == 1 {
        return add_row(simd, left.values, right, &mut values[..right.width]);
    }
    for (i, panel) in right.values.chunks_exact(panel_len).enumerate() {
        let from = i * panel_width;
        let width = panel_width.min(right.width - from);
        let mut row = 0;
        while row < rows {
            let part = Rows { values: &left.values[row * left.stride..], stride: left.stride };
            let out = Rows { values: &mut values[row * stride + from..], stride };
            let block = (rows - row).min(BLOCK);
            match block {
                4 => add_block::<S, 4>(simd, part, (panel, right.depth), out, width),
                3 => add_block::<S, 3>(simd, part, (panel, right.depth), out, width),
                2 => add_block::<S, 2>(simd, part, (panel, right.depth), out, width),
                _ => add_block::<S, 1>(simd, part, (panel, right.depth), out, width),
            }
            row += block;
        }
    }
}

/// A single row with several panels at once: one panel's sums would wait for each other.
#[inline(always)]
fn add_row<S: Simd>(simd: S, left: &[f32], right: &Panels, out: &mut [f32]) {
    const PANELS: usize = 4;
    let panel_width = 2 * S::F32_LANES;
    let panel_len = (right.depth * panel_width).max(1);
    let left = &left[..right.depth];
    let groups = right.values.chunks(PANELS * panel_len);
    for (out, panels) in out.chunks_mut(PANELS * panel_width).zip(groups) {
        let (panels, _) = S::as_simd_f32s(panels).0.as_chunks::<2>();
        if out.len() < PANELS * panel_width {
            for (out, panel) in out.chunks_mut(panel_width).zip(panels.chunks(right.depth.max(1))) {
                let sums = row_sums::<S, 1>(simd, left, panel);
                add(simd, out, sums[0]);
            }
            continue;
        }
        let sums = row_sums::<S, PANELS>(simd, left, panels);
        for (out, sum) in out.chunks_exact_mut(panel_width).zip(sums) {
            add(simd, out, sum);
        }
    }
}

/// The sums of `N` panels that lie behind each other.
#[inline(always)]
fn row_sums<S: Simd, const N: usize>(
    simd: S,
    left: &[f32],
    panels: &[[S::f32s; 2]],
) -> [[S::f32s; 2]; N] {
    let panels: [&[[S::f32s; 2]]; N] =
        std::array::from_fn(|n| &panels[n * left.len()..][..left.len()]);
    let mut sums = [[simd.splat_f32s(0.0); 2]; N];
    for (k, &x) in left.iter().enumerate() {
        let x = simd.splat_f32s(x);
        for (sum, panel) in sums.iter_mut().zip(&panels) {
            sum[0] = simd.mul_add_e_f32s(x, panel[k][0], sum[0]);
            sum[1] = simd.mul_add_e_f32s(x, panel[k][1], sum[1]);
        }
    }
    sums
}

#[inline(always)]
fn add_block<S: Simd, const N: usize>(
    simd: S,
    left: Rows<&[f32]>,
    (panel, depth): (&[f32], usize),
    out: Rows<&mut [f32]>,
    width: usize,
) {
    let (panel, _) = S::as_simd_f32s(panel).0.as_chunks::<2>();
    let panel = &panel[..depth];
    let left: [&[f32]; N] = std::array::from_fn(|n| &left.values[n * left.stride..][..depth]);
    let mut sums = [[simd.splat_f32s(0.0); 2]; N];
    for (k, pair) in panel.iter().enumerate() {
        for (sum, left) in sums.iter_mut().zip(&left) {
            let x = simd.splat_f32s(left[k]);
            sum[0] = simd.mul_add_e_f32s(x, pair[0], sum[0]);
            sum[1] = simd.mul_add_e_f32s(x, pair[1], sum[1]);
        }
    }
    for (row, sum) in out.values.chunks_mut(out.stride).zip(sums) {
        add(simd, &mut row[..width], sum);
    }
}

/// Adds a panel's sums to a row, which may be shorter.
#[inline(always)]
fn add<S: Simd>(simd: S, row: &mut [f32], sum: [S::f32s; 2]) {
    if row.len() == 2 * S::F32_LANES {
        let (vectors, _) = S::as_mut_simd_f32s(row);
        vectors[0] = simd.add_f32s(vectors[0], sum[0]);
        vectors[1] = simd.add_f32s(vectors[1], sum[1]);
    } else {
        let (first, second) = row.split_at_mut(row.len().min(S::F32_LANES));
        for (part, sum) in [(first, sum[0]), (second, sum[1])] {
            let total = simd.add_f32s(simd.partial_load_f32s(part), sum);
            simd.partial_store_f32s(part, total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Product<'a>(usize, Rows<&'a [f32]>, &'a Panels, Rows<&'a mut [f32]>);

    impl WithSimd for Product<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            add_product(simd, self.0, self.1, self.2, self.3);
        }
    }

    #[test]
    fn equals_the_sum_of_products_at_every_size() {
        for (rows, depth, width) in [(1, 1, 1), (3, 5, 7), (4, 8, 16), (6, 3, 40), (9, 12, 23)] {
            let left: Vec<f32> = (0..rows * (depth + 2)).map(|i| (i % 7) as f32 - 3.0).collect();
            let right = |k: usize, j: usize| ((3 * k + 5 * j) % 11) as f32 - 5.0;
            let panels = Panels::new(depth, width, right);
            let mut out = vec![1.0; rows * (width + 1)];
            let product = Product(
                rows,
                Rows { values: &left, stride: depth + 2 },
                &panels,
                Rows { values: &mut out, stride: width + 1 },
            );
            vectorized(product);
            for row in 0..rows {
                for j in 0..width {
                    let sum: f32 =
                        (0..depth).map(|k| left[row * (depth + 2) + k] * right(k, j)).sum();
                    assert_eq!(out[row * (width + 1) + j], 1.0 + sum, "{row} {j}");
                }
                assert_eq!(out[row * (width + 1) + width], 1.0, "beyond the width");
            }
        }
    }
}
