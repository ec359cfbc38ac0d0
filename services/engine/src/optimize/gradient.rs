//! What happens to gradients between the loss and the optimizer: penalties on large weights,
//! accumulation over batches, clipping. In this order, as in Keras.

use domain::spec::{Gradient, Regularization};

use super::{Find, optimizer::sized};
use crate::ops::simd::{each, each_with, sum};

/// What the weights of a kernel add to the loss: `l1 * sum|w| + l2 * sum w²`
/// (`keras.regularizers.L1L2`).
pub(crate) fn penalty(regularization: Regularization, values: &[f32]) -> f64 {
    let Regularization { l1, l2 } = regularization;
    if l1 == 0.0 && l2 == 0.0 {
        return 0.0;
    }
    sum(values, |w| l1 * w.abs() + l2 * (w * w))
}

/// Adds the derivative of [`penalty`]. That of `|w|` is taken as 0 at 0.
pub(crate) fn add_penalty_gradient(
    regularization: Regularization,
    values: &[f32],
    gradient: &mut [f32],
) {
    let (l1, l2) = (regularization.l1 as f32, (2.0 * regularization.l2) as f32);
    if l1 == 0.0 && l2 == 0.0 {
        return;
    }
    each_with(gradient, values, |g, w| {
        let sign = if w > 0.0 {
            l1
        } else if w < 0.0 {
            -l1
        } else {
            0.0
        };
        *g += sign + l2 * w;
    });
}

/// Brings gradients within the limits: first each number, then the length of each tensor or of all
/// tensors together (Pascanu and others, 2013, algorithm 1). What is not a number stays so.
pub(crate) fn clip<G: AsRef<[f32]> + AsMut<[f32]>>(limits: &Gradient, gradients: &mut [G]) {
    if let Some(limit) = limits.clipvalue {
        let limit = limit as f32;
        for gradient in &mut *gradients {
            each(gradient.as_mut(), |g| {
                *g = if *g > limit {
                    limit
                } else if *g < -limit {
                    -limit
                } else {
                    *g
                };
            });
        }
    }
    if let Some(limit) = limits.clipnorm {
        for gradient in &mut *gradients {
            let norm = squares(gradient.as_ref()).sqrt();
            shorten(gradient.as_mut(), norm, limit);
        }
    }
    if let Some(limit) = limits.global_clipnorm {
        let norm = gradients.iter().map(|g| squares(g.as_ref())).sum::<f64>().sqrt();
        for gradient in gradients {
            shorten(gradient.as_mut(), norm, limit);
        }
    }
}

fn squares(gradient: &[f32]) -> f64 {
    sum(gradient, |g| g * g)
}

fn shorten(gradient: &mut [f32], norm: f64, limit: f64) {
    if norm > limit {
        let scale = (limit / norm) as f32;
        each(gradient, |g| *g *= scale);
    }
}

/// The mean gradient of several batches, for one step that they make together. A batch counts by
/// its rows, so the step is the one that a single batch of all these rows would make.
pub(crate) struct Accumulation {
    /// Batches that make a step.
    batches: u32,
    held: Held,
    /// Empty where each batch makes a step.
    means: Vec<Vec<f32>>,
}

/// What has been gathered since the last step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Held {
    pub batches: u32,
    pub rows: u64,
}

impl Accumulation {
    pub fn new(batches: u32, sizes: &[usize]) -> Self {
        let means = match batches {
            0 | 1 => Vec::new(),
            _ => sizes.iter().map(|&size| vec![0.0; size]).collect(),
        };
        Self { batches, held: Held::default(), means }
    }

    /// As it was with `held`; `get` finds an array of [`Self::slots`] by its name and size.
    pub fn restore(
        batches: u32,
        held: Held,
        sizes: &[usize],
        get: Find<'_>,
    ) -> Result<Self, String> {
        let mut restored = Self::new(batches, sizes);
        if held.batches == 0 {
            return Ok(restored);
        }
        if held.batches >= batches {
            return Err(format!("{} batches are held where {batches} make a step", held.batches));
        }
        for (tensor, mean) in restored.means.iter_mut().enumerate() {
            *mean = sized(&format!("{tensor}.mean"), mean.len(), get)?;
        }
        Ok(Self { held, ..restored })
    }

    pub const fn held(&self) -> Held {
        self.held
    }

    /// What a checkpoint keeps beside [`Self::held`]; nothing between two steps.
    pub fn slots(&self) -> impl Iterator<Item = (String, &[f32])> {
        let kept = if self.held.batches == 0 { &[][..] } else { &self.means[..] };
        kept.iter().enumerate().map(|(i, mean)| (format!("{i}.mean"), mean.as_slice()))
    }

    /// Takes in the gradients of a batch; true when it is time for a step, with the mean of all
    /// batches since the last one in `gradients`.
    pub fn add<G>(&mut self, gradients: &mut [G], rows: u64) -> bool
    where
        G: AsRef<[f32]> + AsMut<[f32]>,
    {
        if self.means.is_empty() {
            return true;
        }
        assert_eq!(gradients.len(), self.means.len(), "every batch has the same tensors");
        self.held.batches += 1;
        self.held.rows += rows;
        let share = (rows as f64 / self.held.rows.max(1) as f64) as f32;
        let is_first = self.held.batches == 1;
        for (mean, gradient) in self.means.iter_mut().zip(&*gradients) {
            if is_first {
                mean.copy_from_slice(gradient.as_ref());
            } else {
                each_with(mean, gradient.as_ref(), |mean, g| *mean += (g - *mean) * share);
            }
        }
        self.held.batches >= self.batches && self.finish(gradients)
    }

    /// Hands out the mean of the batches that are held, fewer than make a step; false if there are
    /// none.
    pub fn finish<G: AsMut<[f32]>>(&mut self, gradients: &mut [G]) -> bool {
        if self.held.batches == 0 {
            return false;
        }
        self.held = Held::default();
        for (mean, gradient) in self.means.iter().zip(gradients) {
            gradient.as_mut().copy_from_slice(mean);
        }
        true
    }
}

#[cfg(test)]
#[path = "gradient_tests.rs"]
mod tests;
