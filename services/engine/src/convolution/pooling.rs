//! Pooling of images `[batch, rows, columns, channels]` by windows that lie side by side; what does
//! not fill a window is left out, as in Keras. And pooling of everything: of an image, or of a
//! sequence's real steps.

use burn::tensor::{Bool, Tensor, TensorData};
use rayon::prelude::*;

use super::op;
use crate::ops::{flex::tensor, simd::vectorized};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    pub size: usize,
    pub input: [usize; 2],
    pub channels: usize,
}

impl Pool {
    pub fn output(&self, batch: usize) -> [usize; 4] {
        let [rows, columns] = self.input.map(|n| n / self.size);
        [batch, rows, columns, self.channels]
    }

    pub(super) fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    pub(super) fn output_len(&self) -> usize {
        self.output(1).iter().product()
    }

    /// Of each output pixel, where its window starts.
    pub(super) fn corners(self) -> impl Iterator<Item = usize> {
        let [rows, columns] = self.input.map(|n| n / self.size);
        let at = move |y: usize, x: usize| (y * self.input[1] + x) * self.size * self.channels;
        (0..rows).flat_map(move |y| (0..columns).map(move |x| at(y, x)))
    }

    /// Where the places of a window are, row by row, from its start on.
    pub(super) fn offsets(&self) -> Vec<usize> {
        let at = |i: usize| (i / self.size * self.input[1] + i % self.size) * self.channels;
        (0..self.size * self.size).map(at).collect()
    }
}

pub(super) fn maxima(pool: &Pool, images: &[f32]) -> Vec<f32> {
    let mut out = vec![f32::NEG_INFINITY; images.len() / pool.input_len() * pool.output_len()];
    let images = images.par_chunks(pool.input_len());
    let offsets = pool.offsets();
    out.par_chunks_mut(pool.output_len()).zip(images).for_each(|(out, image)| {
        vectorized(|| {
            for (pixel, corner) in out.chunks_exact_mut(pool.channels).zip(pool.corners()) {
                for offset in &offsets {
                    for (max, x) in pixel.iter_mut().zip(&image[corner + offset..]) {
                        // Not `f32::max`: a NaN must show.
                        *max = if *x > *max || x.is_nan() { *x } else { *max };
                    }
                }
            }
        });
    });
    out
}

/// The first place that holds a window's maximum gets its gradient.
pub(super) fn gradient(pool: &Pool, images: &[f32], maxima: &[f32], gradient: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; images.len()];
    let outputs = maxima.par_chunks(pool.output_len()).zip(gradient.par_chunks(pool.output_len()));
    let images = images.par_chunks(pool.input_len());
    let offsets = pool.offsets();
    out.par_chunks_mut(pool.input_len()).zip(images).zip(outputs).for_each(
        |((out, image), (maxima, gradient))| {
            let mut left = vec![0.0; pool.channels];
            vectorized(|| {
                let pixels = maxima.chunks_exact(pool.channels);
                let pixels = pixels.zip(gradient.chunks_exact(pool.channels));
                for ((maxima, gradient), corner) in pixels.zip(pool.corners()) {
                    left.copy_from_slice(gradient);
                    for place in offsets.iter().map(|offset| corner + offset) {
                        let pairs = image[place..].iter().zip(maxima).zip(&mut left);
                        for (out, ((x, max), left)) in out[place..].iter_mut().zip(pairs) {
                            let given = if x == max { *left } else { 0.0 };
                            *out = given;
                            *left -= given;
                        }
                    }
                }
            });
        },
    );
    out
}

pub(crate) fn max_pool2d(x: Tensor<4>, size: usize) -> Tensor<4> {
    let [_, rows, columns, channels] = x.dims();
    op::max_pool(x, Pool { size, input: [rows, columns], channels })
}

pub(crate) fn average_pool2d(x: Tensor<4>, size: usize) -> Tensor<4> {
    let [batch, rows, columns, channels] = x.dims();
    let [rows, columns] = [rows / size, columns / size];
    let x = x.slice([0..batch, 0..rows * size, 0..columns * size, 0..channels]);
    let x = x.reshape([batch * rows, size, columns * size * channels]).mean_dim(1);
    let x = x.reshape([batch * rows * columns, size, channels]).mean_dim(1);
    x.reshape([batch, rows, columns, channels])
}

pub(crate) fn global_average_pool2d(x: Tensor<4>) -> Tensor<2> {
    let [batch, rows, columns, channels] = x.dims();
    x.reshape([batch, rows * columns, channels]).mean_dim(1).reshape([batch, channels])
}

/// Of each row's real steps, the first `lengths[row]`; zero of a row that has none.
pub(crate) fn global_average_pool1d(x: Tensor<3>, lengths: &[usize]) -> Tensor<2> {
    let [batch, steps, features] = x.dims();
    let share = (0..batch * steps)
        .map(|i| {
            let length = lengths.get(i / steps).map_or(steps, |n| *n).min(steps);
            if i % steps < length { 1.0 / length as f32 } else { 0.0 }
        })
        .collect();
    let share = tensor(share, [batch, 1, steps], &x.device());
    Tensor::<3>::matmul(share, x).reshape([batch, features])
}

/// Of each row's real steps, the first `lengths[row]`; zero of a row that has none.
pub(crate) fn global_max_pool1d(x: Tensor<3>, lengths: &[usize]) -> Tensor<2> {
    let [batch, steps, features] = x.dims();
    let length = |row: usize| lengths.get(row).map_or(steps, |n| *n).min(steps);
    let padding: Vec<bool> =
        (0..batch * steps).map(|i| i % steps >= length(i / steps).max(1)).collect();
    let empty: Vec<bool> = (0..batch).map(|row| length(row) == 0).collect();
    let device = x.device();
    let padding =
        Tensor::<3, Bool>::from_data(TensorData::new(padding, [batch, steps, 1]), &device);
    let empty = Tensor::<2, Bool>::from_data(TensorData::new(empty, [batch, 1]), &device);
    let x = x.mask_fill(padding.expand([batch, steps, features]), f32::MIN);
    let x = x.max_dim(1).reshape([batch, features]);
    x.mask_fill(empty.expand([batch, features]), 0.0)
}
