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

/// What the products of a row are added to.
#[derive(Clone, Copy)]
pub(crate) enum Onto<'a> {
    /// What is there.
    Out,
    /// The same for each row, whatever is there.
    Row(&'a [f32]),
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
    product_onto(simd, rows, left, right, (Onto::Out, out));
}

/// The same, but onto what `onto` says.
#[inline(always)]
pub(crate) fn product_onto<S: Simd>(
    simd: S,
    rows: usize,
    left: Rows<&[f32]>,
    right: &Panels,
    (onto, out): (Onto<'_>, Rows<&mut [f32]>),
) {
    let Rows { values, stride } = out;
    let panel_width = 2 * S::F32_LANES;
    let panel_len = (right.depth * panel_width).max(1);
    if rows == 1 {
        return add_row(simd, left.values, right, (onto, &mut values[..right.width]));
    }
    for (i, panel) in right.values.chunks_exact(panel_len).enumerate() {
        let (panel, _) = S::as_simd_f32s(panel).0.as_chunks::<2>();
        let panel = &panel[..right.depth];
        let from = i * panel_width;
        let width = panel_width.min(right.width - from);
        let onto = onto.columns(from, width);
        let mut row = 0;
        while row < rows {
            let part = Rows { values: &left.values[row * left.stride..], stride: left.stride };
            let out = Rows { values: &mut values[row * stride + from..], stride };
            let block = (rows - row).min(BLOCK);
            match block {
                4 => add_block::<S, 4>(simd, part, panel, (onto, out), width),
                3 => add_block::<S, 3>(simd, part, panel, (onto, out), width),
                2 => add_block::<S, 2>(simd, part, panel, (onto, out), width),
                _ => add_block::<S, 1>(simd, part, panel, (onto, out), width),
            }
            row += block;
        }
    }
}

impl<'a> Onto<'a> {
    /// Of each row, so many numbers.
    #[inline(always)]
    fn columns(self, from: usize, width: usize) -> Self {
        match self {
            Self::Out => Self::Out,
            Self::Row(row) => Self::Row(&row[from..][..width]),
        }
    }
}

/// A single row with several panels at once: one panel's sums would wait for each other.
#[inline(always)]
fn add_row<S: Simd>(simd: S, left: &[f32], right: &Panels, (onto, out): (Onto<'_>, &mut [f32])) {
    const PANELS: usize = 4;
    let panel_width = 2 * S::F32_LANES;
    let panel_len = (right.depth * panel_width).max(1);
    let left = &left[..right.depth];
    let mut from = 0;
    for panels in right.values.chunks(PANELS * panel_len) {
        let (panels, _) = S::as_simd_f32s(panels).0.as_chunks::<2>();
        if right.width - from < PANELS * panel_width {
            for panel in panels.chunks(right.depth.max(1)) {
                let width = panel_width.min(right.width - from);
                let [[sum]] = sums(simd, [left], [panel]);
                add(simd, onto.columns(from, width), &mut out[from..][..width], sum);
                from += width;
            }
            continue;
        }
        let mut group: [&[Pair<S>]; PANELS] = [&[]; PANELS];
        for (place, panel) in group.iter_mut().zip(panels.chunks_exact(right.depth)) {
            *place = panel;
        }
        let [sums] = sums(simd, [left], group);
        for sum in sums {
            add(simd, onto.columns(from, panel_width), &mut out[from..][..panel_width], sum);
            from += panel_width;
        }
    }
}

/// Two vectors of a panel's row.
type Pair<S> = [<S as Simd>::f32s; 2];

#[inline(always)]
fn add_block<S: Simd, const N: usize>(
    simd: S,
    left: Rows<&[f32]>,
    panel: &[Pair<S>],
    (onto, out): (Onto<'_>, Rows<&mut [f32]>),
    width: usize,
) {
    let mut rows: [&[f32]; N] = [&[]; N];
    for (n, row) in rows.iter_mut().enumerate() {
        *row = &left.values[n * left.stride..][..panel.len()];
    }
    let sums = sums::<S, N, 1>(simd, rows, [panel]);
    for (row, sum) in out.values.chunks_mut(out.stride).zip(sums) {
        add(simd, onto, &mut row[..width], sum[0]);
    }
}

/// The products of `N` rows with `M` panels. What they wait for is short: nothing in the loop but loads
/// and multiplications, `2 N M` sums side by side.
#[inline(always)]
fn sums<S: Simd, const N: usize, const M: usize>(
    simd: S,
    rows: [&[f32]; N],
    panels: [&[Pair<S>]; M],
) -> [[Pair<S>; M]; N] {
    /// Numbers of a row between two looks at its length.
    const AT_ONCE: usize = 4;
    let mut sums = [[[simd.splat_f32s(0.0); 2]; M]; N];
    let depth = panels[0].len();
    let whole = depth / AT_ONCE * AT_ONCE;
    for from in (0..whole).step_by(AT_ONCE) {
        let (mut xs, mut pairs) = ([&[][..]; N], [&[][..]; M]);
        for (xs, row) in xs.iter_mut().zip(&rows) {
            *xs = &row[from..from + AT_ONCE];
        }
        for (pairs, panel) in pairs.iter_mut().zip(&panels) {
            *pairs = &panel[from..from + AT_ONCE];
        }
        for k in 0..AT_ONCE {
            for (sums, xs) in sums.iter_mut().zip(&xs) {
                multiply_add(simd, xs[k], &pairs, k, sums);
            }
        }
    }
    for k in whole..depth {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            multiply_add(simd, row[k], &panels, k, sums);
        }
    }
    sums
}

/// Adds a number's products with row `k` of the panels.
#[inline(always)]
fn multiply_add<S: Simd, const M: usize>(
    simd: S,
    x: f32,
    panels: &[&[Pair<S>]; M],
    k: usize,
    sums: &mut [Pair<S>; M],
) {
    let x = simd.splat_f32s(x);
    for (sum, panel) in sums.iter_mut().zip(panels) {
        sum[0] = simd.mul_add_e_f32s(x, panel[k][0], sum[0]);
        sum[1] = simd.mul_add_e_f32s(x, panel[k][1], sum[1]);
    }
}

/// Adds a panel's sums to a row, which may be shorter.
#[inline(always)]
fn add<S: Simd>(simd: S, onto: Onto<'_>, row: &mut [f32], sum: [S::f32s; 2]) {
    if row.len() == 2 * S::F32_LANES {
        let (vectors, _) = S::as_mut_simd_f32s(row);
        let before = match onto {
            Onto::Out => [vectors[0], vectors[1]],
            Onto::Row(before) => S::as_simd_f32s(before).0.as_chunks::<2>().0[0],
        };
        vectors[0] = simd.add_f32s(before[0], sum[0]);
        vectors[1] = simd.add_f32s(before[1], sum[1]);
    } else {
        if let Onto::Row(before) = onto {
            row.copy_from_slice(before);
        }
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

    struct Product<'a> {
        rows: usize,
        left: Rows<&'a [f32]>,
        right: &'a Panels,
        onto: Onto<'a>,
        out: Rows<&'a mut [f32]>,
    }

    impl WithSimd for Product<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self { rows, left, right, onto, out } = self;
            product_onto(simd, rows, left, right, (onto, out));
        }
    }

    #[test]
    fn equals_the_sum_of_products_at_every_size() {
        for (rows, depth, width) in
            [(1, 1, 1), (3, 5, 7), (4, 8, 16), (6, 3, 40), (9, 12, 23), (1, 4, 100)]
        {
            let left: Vec<f32> = (0..rows * (depth + 2)).map(|i| (i % 7) as f32 - 3.0).collect();
            let at = |k: usize, j: usize| ((3 * k + 5 * j) % 11) as f32 - 5.0;
            let right = Panels::new(depth, width, at);
            let row: Vec<f32> = (0..width).map(|j| j as f32).collect();
            for onto in [Onto::Out, Onto::Row(&row)] {
                let mut out = vec![1.0; rows * (width + 1)];
                vectorized(Product {
                    rows,
                    left: Rows { values: &left, stride: depth + 2 },
                    right: &right,
                    onto,
                    out: Rows { values: &mut out, stride: width + 1 },
                });
                for i in 0..rows {
                    for j in 0..width {
                        let sum: f32 =
                            (0..depth).map(|k| left[i * (depth + 2) + k] * at(k, j)).sum();
                        let before = if matches!(onto, Onto::Out) { 1.0 } else { row[j] };
                        assert_eq!(out[i * (width + 1) + j], before + sum, "{i} {j}");
                    }
                    assert_eq!(out[i * (width + 1) + width], 1.0, "beyond the width");
                }
            }
        }
    }
}
