//! Scaled dot-product attention of several heads over plain slices, forward and backward. A head's
//! part of every row is copied next to each other and padded to whole vectors; scores exist for a
//! block of places at a time. Of the forward pass only one number a row is kept, the logarithm of
//! the softmax's denominator, from which the backward pass makes the probabilities again (Dao et al.,
//! "FlashAttention", 2022): memory grows with the length, not with its square.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::{ROWS, ROWS_TURNED, dot, largest, multiply, padded, sum};
use crate::ops::{
    product::Rows,
    simd::{exp, vectorized},
};

/// Places whose scores are held at once; whole [`ROWS`].
const BLOCK: usize = 4 * ROWS;

/// Who sees what.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub heads: usize,
    /// A place sees itself and what is before it. Where there are more keys than queries, the queries
    /// are the last places.
    pub causal: bool,
    /// Of each sequence, how many of its places are not padding; nobody sees the others.
    pub lengths: Option<Vec<usize>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub queries: usize,
    pub keys: usize,
    /// Of all heads together.
    pub width: usize,
    pub heads: usize,
}

impl Sizes {
    fn head(&self) -> usize {
        self.width / self.heads
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head() as f32).sqrt()
    }

    fn visible(&self, query: usize, length: usize, causal: bool) -> usize {
        let before = if causal { self.keys - self.queries + query + 1 } else { self.keys };
        before.min(length)
    }
}

impl View {
    fn length(&self, sequence: usize, keys: usize) -> usize {
        self.lengths.as_ref().map_or(keys, |lengths| lengths[sequence].min(keys))
    }
}

/// The output, `[batch, queries, width]` as the queries are, and the logarithm of each softmax's
/// denominator, `[batch, heads, queries]`. A place that sees nothing gets zeros.
pub(super) fn forward(
    [query, key, value]: [&[f32]; 3],
    sizes: Sizes,
    view: &View,
) -> (Vec<f32>, Vec<f32>) {
    let Sizes { queries, keys, width, heads } = sizes;
    let mut output = vec![0.0; query.len()];
    let mut logs = vec![0.0; query.len() / width * heads];
    if output.is_empty() {
        return (output, logs);
    }
    output
        .par_chunks_mut(queries * width)
        .zip(logs.par_chunks_mut(queries * heads))
        .enumerate()
        .for_each(|(b, (output, logs))| {
            vectorized(Forward {
                query: &query[b * queries * width..][..queries * width],
                key: &key[b * keys * width..][..keys * width],
                value: &value[b * keys * width..][..keys * width],
                sizes,
                causal: view.causal,
                length: view.length(b, keys),
                output,
                logs,
            });
        });
    (output, logs)
}

/// The gradients of query, key and value for that of the output.
pub(super) fn backward(
    [query, key, value]: [&[f32]; 3],
    logs: &[f32],
    grad: &[f32],
    sizes: Sizes,
    view: &View,
) -> [Vec<f32>; 3] {
    let Sizes { queries, keys, width, heads } = sizes;
    let mut grads = [vec![0.0; query.len()], vec![0.0; key.len()], vec![0.0; key.len()]];
    if query.is_empty() {
        return grads;
    }
    let [grad_query, grad_key, grad_value] = &mut grads;
    grad_query
        .par_chunks_mut(queries * width)
        .zip(grad_key.par_chunks_mut(keys * width))
        .zip(grad_value.par_chunks_mut(keys * width))
        .enumerate()
        .for_each(|(b, ((grad_query, grad_key), grad_value))| {
            vectorized(Backward {
                query: &query[b * queries * width..][..queries * width],
                key: &key[b * keys * width..][..keys * width],
                value: &value[b * keys * width..][..keys * width],
                logs: &logs[b * queries * heads..][..queries * heads],
                grad: &grad[b * queries * width..][..queries * width],
                sizes,
                causal: view.causal,
                length: view.length(b, keys),
                grads: [grad_query, grad_key, grad_value],
            });
        });
    grads
}

/// One sequence.
struct Forward<'a> {
    query: &'a [f32],
    key: &'a [f32],
    value: &'a [f32],
    sizes: Sizes,
    causal: bool,
    length: usize,
    output: &'a mut [f32],
    logs: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let sizes = self.sizes;
        let Sizes { queries, keys, width, .. } = sizes;
        let (head, wide) = (sizes.head(), padded(sizes.head()));
        let (rows, columns) = (queries.next_multiple_of(ROWS), padded(keys));
        let mut query = vec![0.0; rows * wide];
        let mut key_turned = vec![0.0; head * columns];
        let mut value = vec![0.0; columns * wide];
        let mut scores = vec![0.0; BLOCK * columns];
        let mut made = vec![0.0; BLOCK * wide];
        for h in 0..sizes.heads {
            let part = Part { at: h * head, head, width };
            part.take(self.query, sizes.scale(), &mut query, wide);
            part.take_turned(self.key, &mut key_turned, columns);
            part.take(self.value, 1.0, &mut value, wide);
            for start in (0..queries).step_by(BLOCK) {
                let block = BLOCK.min(queries - start);
                let m = block.next_multiple_of(ROWS);
                let last = sizes.visible(start + block - 1, self.length, self.causal);
                let n = padded(last);
                let a = Rows { values: &query[start * wide..], stride: wide };
                let b = Rows { values: &key_turned[..], stride: columns };
                multiply::<S, ROWS, false, false>(simd, a, b, (&mut scores, columns), [m, head, n]);
                for (r, row) in scores.chunks_exact_mut(columns).take(block).enumerate() {
                    let visible = sizes.visible(start + r, self.length, self.causal);
                    self.logs[h * queries + start + r] = softmax(&mut row[..n], visible);
                }
                let a = Rows { values: &scores[..], stride: columns };
                let b = Rows { values: &value[..], stride: wide };
                multiply::<S, ROWS, false, false>(simd, a, b, (&mut made, wide), [m, n, wide]);
                let output = &mut self.output[start * width..];
                part.give(&made[..block * wide], 1.0, output, wide);
            }
        }
    }
}

/// In place over the first `visible` numbers, zero after them; gives the denominator's logarithm.
#[inline(always)]
fn softmax(row: &mut [f32], visible: usize) -> f32 {
    row[visible..].fill(f32::NEG_INFINITY);
    let most = largest(row);
    for x in row.iter_mut() {
        *x = exp(*x - most);
    }
    row[visible..].fill(0.0);
    if visible == 0 {
        return 0.0;
    }
    let total = sum(row);
    let share = 1.0 / total;
    for x in row.iter_mut() {
        *x *= share;
    }
    most + total.ln()
}

/// One sequence.
struct Backward<'a> {
    query: &'a [f32],
    key: &'a [f32],
    value: &'a [f32],
    logs: &'a [f32],
    grad: &'a [f32],
    sizes: Sizes,
    causal: bool,
    length: usize,
    grads: [&'a mut [f32]; 3],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let sizes = self.sizes;
        let Sizes { queries, keys, width, .. } = sizes;
        let (head, wide) = (sizes.head(), padded(sizes.head()));
        let (rows, columns) = (queries.next_multiple_of(ROWS), padded(keys));
        let [mut query, mut grad] = [(); 2].map(|()| vec![0.0; rows * wide]);
        let [mut key_turned, mut value_turned] = [(); 2].map(|()| vec![0.0; head * columns]);
        let [mut key, mut grad_key, mut grad_value] = [(); 3].map(|()| vec![0.0; columns * wide]);
        let [mut shares, mut slopes] = [(); 2].map(|()| vec![0.0; BLOCK * columns]);
        let mut made = vec![0.0; BLOCK * wide];
        let [to_query, to_key, to_value] = self.grads;
        for h in 0..sizes.heads {
            let part = Part { at: h * head, head, width };
            part.take(self.query, sizes.scale(), &mut query, wide);
            part.take(self.grad, 1.0, &mut grad, wide);
            part.take(self.key, 1.0, &mut key, wide);
            part.take_turned(self.key, &mut key_turned, columns);
            part.take_turned(self.value, &mut value_turned, columns);
            grad_key.fill(0.0);
            grad_value.fill(0.0);
            for start in (0..queries).step_by(BLOCK) {
                let block = BLOCK.min(queries - start);
                let m = block.next_multiple_of(ROWS);
                let n = padded(sizes.visible(start + block - 1, self.length, self.causal));
                let query = Rows { values: &query[start * wide..], stride: wide };
                let grad = Rows { values: &grad[start * wide..], stride: wide };
                let keys = Rows { values: &key_turned[..], stride: columns };
                let values = Rows { values: &value_turned[..], stride: columns };
                let size = [m, head, n];
                multiply::<S, ROWS, false, false>(simd, query, keys, (&mut shares, columns), size);
                multiply::<S, ROWS, false, false>(simd, grad, values, (&mut slopes, columns), size);
                let scores = shares.chunks_exact_mut(columns).zip(slopes.chunks_exact_mut(columns));
                for (r, (shares, slopes)) in scores.take(block).enumerate() {
                    let visible = sizes.visible(start + r, self.length, self.causal);
                    let log = self.logs[h * queries + start + r];
                    softmax_backward(&mut shares[..n], &mut slopes[..n], visible, log);
                }
                let shares = Rows { values: &shares[..], stride: columns };
                let slopes = Rows { values: &slopes[..], stride: columns };
                let keys = Rows { values: &key[..], stride: wide };
                multiply::<S, ROWS, false, false>(
                    simd,
                    slopes,
                    keys,
                    (&mut made, wide),
                    [m, n, wide],
                );
                let to_query = &mut to_query[start * width..];
                part.give(&made[..block * wide], sizes.scale(), to_query, wide);
                let size = [n, block, wide];
                multiply::<S, ROWS_TURNED, true, true>(
                    simd,
                    slopes,
                    query,
                    (&mut grad_key, wide),
                    size,
                );
                multiply::<S, ROWS_TURNED, true, true>(
                    simd,
                    shares,
                    grad,
                    (&mut grad_value, wide),
                    size,
                );
            }
            part.give(&grad_key[..keys * wide], 1.0, to_key, wide);
            part.give(&grad_value[..keys * wide], 1.0, to_value, wide);
        }
    }
}

/// From scores to probabilities, and from the probabilities' gradients to those of the scores.
#[inline(always)]
fn softmax_backward(shares: &mut [f32], slopes: &mut [f32], visible: usize, log: f32) {
    for share in shares.iter_mut() {
        *share = exp(*share - log);
    }
    shares[visible..].fill(0.0);
    let mean = dot(shares, slopes);
    for (slope, share) in slopes.iter_mut().zip(shares) {
        *slope = *share * (*slope - mean);
    }
}

/// One head's columns of rows that hold all heads side by side.
#[derive(Clone, Copy)]
struct Part {
    at: usize,
    head: usize,
    width: usize,
}

impl Part {
    #[inline(always)]
    fn take(self, from: &[f32], scale: f32, to: &mut [f32], stride: usize) {
        for (from, to) in from.chunks_exact(self.width).zip(to.chunks_exact_mut(stride)) {
            for (to, from) in to.iter_mut().zip(&from[self.at..][..self.head]) {
                *to = from * scale;
            }
        }
    }

    /// Rows become columns.
    #[inline(always)]
    fn take_turned(self, from: &[f32], to: &mut [f32], stride: usize) {
        for (row, from) in from.chunks_exact(self.width).enumerate() {
            let from = &from[self.at..][..self.head];
            for (to, from) in to.chunks_exact_mut(stride).zip(from) {
                to[row] = *from;
            }
        }
    }

    #[inline(always)]
    fn give(self, from: &[f32], scale: f32, to: &mut [f32], stride: usize) {
        for (from, to) in from.chunks_exact(stride).zip(to.chunks_exact_mut(self.width)) {
            for (to, from) in to[self.at..][..self.head].iter_mut().zip(from) {
                *to = from * scale;
            }
        }
    }
}
