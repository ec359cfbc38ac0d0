//! Arithmetic over rows that are padded to whole vectors: products of small matrices, sums and
//! maxima. All of it is inlined into kernels that run vectorized.

use pulp::Simd;

use crate::ops::product::Rows;

/// Rows are padded to a multiple of this many numbers.
pub(super) const LANES: usize = 16;
/// Rows of a product are made this many at a time: with two vectors of each, twelve sums, which keeps
/// both multipliers of a processor busy within its sixteen registers.
pub(super) const ROWS: usize = 6;
/// As many rows of a product whose left side is read across, where they are whole vectors.
pub(super) const ROWS_TURNED: usize = 4;

pub(super) const fn padded(len: usize) -> usize {
    len.next_multiple_of(LANES)
}

/// `c = a b`, or `c += a b` if `ADD`; of `a` its transpose if `TURNED`. `a b` has `m` rows, a multiple
/// of `R`, and `n` columns, a multiple of [`LANES`], as are the strides of `b` and `c`.
#[inline(always)]
pub(super) fn multiply<S: Simd, const R: usize, const TURNED: bool, const ADD: bool>(
    simd: S,
    a: Rows<&[f32]>,
    b: Rows<&[f32]>,
    c: (&mut [f32], usize),
    [m, k, n]: [usize; 3],
) {
    let b_stride = b.stride / S::F32_LANES;
    let c_stride = c.1 / S::F32_LANES;
    let b = S::as_simd_f32s(b.values).0;
    let c = S::as_mut_simd_f32s(c.0).0;
    let vectors = n / S::F32_LANES;
    for i in (0..m).step_by(R) {
        let mut j = 0;
        while j + 2 <= vectors {
            tile::<S, R, TURNED, ADD, 2>(
                simd,
                a,
                i,
                (&b[j..], b_stride),
                (&mut c[j..], c_stride),
                k,
            );
            j += 2;
        }
        if j < vectors {
            tile::<S, R, TURNED, ADD, 1>(
                simd,
                a,
                i,
                (&b[j..], b_stride),
                (&mut c[j..], c_stride),
                k,
            );
        }
    }
}

/// `R` rows from `i` by `W` vectors of the product, held in registers.
#[inline(always)]
fn tile<S: Simd, const R: usize, const TURNED: bool, const ADD: bool, const W: usize>(
    simd: S,
    a: Rows<&[f32]>,
    i: usize,
    (b, b_stride): (&[S::f32s], usize),
    (c, c_stride): (&mut [S::f32s], usize),
    k: usize,
) {
    let mut sums = [[simd.splat_f32s(0.0); W]; R];
    if ADD {
        for (r, sums) in sums.iter_mut().enumerate() {
            sums.copy_from_slice(&c[(i + r) * c_stride..][..W]);
        }
    }
    if TURNED {
        for p in 0..k {
            let b = &b[p * b_stride..][..W];
            let a = &a.values[p * a.stride + i..][..R];
            for (sums, &a) in sums.iter_mut().zip(a) {
                let a = simd.splat_f32s(a);
                for (sum, &b) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add_e_f32s(a, b, *sum);
                }
            }
        }
    } else {
        let rows: [&[f32]; R] = std::array::from_fn(|r| &a.values[(i + r) * a.stride..][..k]);
        for p in 0..k {
            let b = &b[p * b_stride..][..W];
            for (sums, row) in sums.iter_mut().zip(rows) {
                let a = simd.splat_f32s(row[p]);
                for (sum, &b) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add_e_f32s(a, b, *sum);
                }
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        c[(i + r) * c_stride..][..W].copy_from_slice(sums);
    }
}

/// Of a row in the order of its lanes: the same on every machine.
#[inline(always)]
pub(super) fn sum(row: &[f32]) -> f32 {
    fold(row, 0.0, |sum, x| sum + x)
}

#[inline(always)]
pub(crate) fn largest(row: &[f32]) -> f32 {
    fold(row, f32::NEG_INFINITY, |most, x| if x > most { x } else { most })
}

#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_whole.iter().zip(b_whole) {
        for l in 0..LANES {
            lanes[l] += a[l] * b[l];
        }
    }
    for (lane, (a, b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += a * b;
    }
    lanes.iter().sum()
}

#[inline(always)]
fn fold(row: &[f32], start: f32, step: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        for l in 0..LANES {
            lanes[l] = step(lanes[l], chunk[l]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = step(*lane, x);
    }
    lanes.into_iter().fold(start, step)
}
