//! Products of matrices in plain slices, by the `gemm` crate: its kernels reach nine tenths of what the
//! processor's multipliers can do, from a few dozen rows on.

use std::mem::MaybeUninit;

use gemm::Parallelism;

use super::fresh::{Empty, filled};

/// Multiplications and additions from which on a second thread pays.
const PARALLEL_FROM: usize = 1 << 22;

/// A row-major matrix, or one that is read across.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    turned: bool,
}

impl<'a> Matrix<'a> {
    /// As many rows as `values` hold.
    pub fn new(values: &'a [f32], columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        assert_eq!(values.len(), rows * columns, "a matrix has whole rows");
        Self { values, rows, columns, turned: false }
    }

    pub fn turned(self) -> Self {
        Self { rows: self.columns, columns: self.rows, turned: !self.turned, ..self }
    }

    /// How far rows and columns lie apart.
    const fn strides(&self) -> (isize, isize) {
        if self.turned { (1, self.rows as isize) } else { (self.columns as isize, 1) }
    }
}

/// Who works on a product. The result is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workers {
    /// This thread, which is one of many at the same work.
    One,
    /// All, if the product is large enough.
    All,
}

/// `a b`, row by row.
pub(crate) fn product(a: Matrix<'_>, b: Matrix<'_>, workers: Workers) -> Vec<f32> {
    let len = a.rows * b.columns;
    let [out] = filled(len, len.max(1), |_, [out]| [multiply(a, b, out, workers)]);
    out
}

/// `a b` in `out`, which is filled by it.
pub(crate) fn multiply<'a>(
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &'a mut Empty,
    workers: Workers,
) -> &'a mut [f32] {
    assert_eq!(a.columns, b.rows, "the matrices of a product fit each other");
    assert_eq!(out.len(), a.rows * b.columns, "the product fits its place");
    if a.columns == 0 || out.is_empty() {
        out.fill(MaybeUninit::new(0.0));
        return all_of(out);
    }
    let work = out.len() * a.columns;
    let parallelism = match workers {
        Workers::All if work >= PARALLEL_FROM => Parallelism::Rayon(0),
        _ => Parallelism::None,
    };
    run(a, b, out, parallelism);
    all_of(out)
}

#[expect(unsafe_code, reason = "the compiler cannot see that all of it was written")]
fn all_of(out: &mut Empty) -> &mut [f32] {
    // SAFETY: only called after every number was written.
    unsafe { out.assume_init_mut() }
}

#[expect(unsafe_code, reason = "the crate's only function takes pointers")]
fn run(a: Matrix<'_>, b: Matrix<'_>, out: &mut Empty, parallelism: Parallelism) {
    let (a_rows, a_columns) = a.strides();
    let (b_rows, b_columns) = b.strides();
    // SAFETY: each slice holds rows times columns numbers, which is what its strides reach: checked
    // when the matrix was made and above for `out`, which nobody else holds. `out` is written and not
    // read (`read_dst` is false), and no number is conjugated, f32 being real.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr().cast::<f32>(),
            1,
            b.columns as isize,
            false,
            a.values.as_ptr(),
            a_columns,
            a_rows,
            b.values.as_ptr(),
            b_columns,
            b_rows,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::ops::flex::{numbers, tensor};

    fn values(n: usize, step: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * step) % 13) as f32 - 6.0).collect()
    }

    #[test]
    fn equals_the_sums_of_products_read_along_or_across() {
        for [m, k, n] in
            [[1, 1, 1], [3, 5, 7], [33, 17, 9], [64, 1, 40], [2, 100, 1], [130, 257, 131]]
        {
            let (a, b) = (values(m * k, 5), values(k * n, 7));
            let (a, b) = (Matrix::new(&a, k), Matrix::new(&b, n));
            let out = product(a, b, Workers::All);
            for (i, row) in out.chunks_exact(n).enumerate() {
                for (j, got) in row.iter().enumerate() {
                    let sum: f32 = (0..k).map(|p| a.values[i * k + p] * b.values[p * n + j]).sum();
                    assert_eq!(*got, sum, "{m} {k} {n} at {i} {j}");
                }
            }
            // (a b)' = b' a'
            let across = product(b.turned(), a.turned(), Workers::One);
            let turned = (0..m * n).map(|i| across[i % n * m + i / n]);
            assert!(turned.eq(out.iter().copied()), "{m} {k} {n}");
        }
    }

    /// Long sums are cut into parts whose length must not depend on who works on them. The tensor
    /// library's own products are those of the same crate, also many small ones at once.
    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let waves = |n: usize, pace: f32| (0..n).map(|i| (i as f32 * pace).sin()).collect();
        let device = Device::flex();
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut made: Vec<Vec<f32>> = vec![];
            for [m, k, n] in [[67, 3_001, 41], [700, 65, 131], [1, 3_000, 1_500], [5_000, 900, 1]] {
                let (a, b): (Vec<f32>, Vec<f32>) = (waves(m * k, 0.7), waves(k * n, 1.3));
                pool.install(|| {
                    let (left, right) = (Matrix::new(&a, k), Matrix::new(&b, n));
                    let along = product(left, right, Workers::All);
                    let across = product(right.turned(), left.turned(), Workers::All);
                    let [a, b] = [(a.clone(), [m, k]), (b.clone(), [k, n])]
                        .map(|(values, shape)| tensor::<2>(values, shape, &device));
                    made.extend([along, across, numbers(a.clone().matmul(b.clone()))]);
                    let many = a.reshape([1, m, k]).repeat_dim(0, 5).matmul(b.unsqueeze());
                    made.push(numbers::<3>(many));
                });
            }
            made
        };
        let alone = on(1);
        for threads in [2, 3, 16] {
            assert!(alone == on(threads), "{threads}");
        }
    }

    #[test]
    fn a_sum_of_nothing_is_zero() {
        let nothing = Matrix::new(&[], 0);
        assert!(product(nothing.turned(), nothing, Workers::One).is_empty());
        let (a, b) = (Matrix { rows: 2, ..nothing }, Matrix::new(&[], 3));
        assert_eq!(product(a, b, Workers::One), [0.0; 6]);
    }
}
