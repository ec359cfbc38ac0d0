//! The optimizers, with the formulas of Keras 3 (`keras/src/optimizers`): each is one pass over a
//! tensor's weights, gradient and moments.

use domain::spec;
use rayon::prelude::*;

use super::Find;
use crate::ops::simd::{CHUNK, PARALLEL_FROM, vectorized};

/// One tensor of a step.
pub(crate) struct TensorUpdate<'a> {
    pub values: &'a mut [f32],
    pub gradient: &'a [f32],
    /// Kernels decay; biases, norms and the vector of padding do not.
    pub decays: bool,
}

pub(crate) struct Optimizer {
    spec: spec::Optimizer,
    step: u64,
    /// What is remembered of each tensor's gradients, in the order of [`slot_names`].
    slots: Vec<Vec<Vec<f32>>>,
}

impl Optimizer {
    pub fn new(spec: &spec::Optimizer, sizes: &[usize]) -> Self {
        let start = match *spec {
            spec::Optimizer::Adagrad { initial_accumulator_value, .. } => {
                initial_accumulator_value as f32
            }
            _ => 0.0,
        };
        let slots = |&size| slot_names(spec).iter().map(|_| vec![start; size]).collect();
        Self { spec: spec.clone(), step: 0, slots: sizes.iter().map(slots).collect() }
    }

    /// As it was after `step` steps; `get` finds an array of [`Self::slots`] by its name and size.
    pub fn restore(
        spec: &spec::Optimizer,
        step: u64,
        sizes: &[usize],
        get: Find<'_>,
    ) -> Result<Self, String> {
        let mut slots = Vec::with_capacity(sizes.len());
        for (tensor, &size) in sizes.iter().enumerate() {
            let mut arrays = Vec::new();
            for slot in slot_names(spec) {
                arrays.push(sized(&format!("{tensor}.{slot}"), size, get)?);
            }
            slots.push(arrays);
        }
        Ok(Self { spec: spec.clone(), step, slots })
    }

    /// Steps taken so far.
    pub const fn steps(&self) -> u64 {
        self.step
    }

    /// What a checkpoint keeps beside [`Self::steps`]: `3.m` is the momentum of the fourth tensor.
    pub fn slots(&self) -> impl Iterator<Item = (String, &[f32])> {
        let names = slot_names(&self.spec);
        self.slots.iter().enumerate().flat_map(move |(tensor, arrays)| {
            let named = names.iter().zip(arrays);
            named.map(move |(name, array)| (format!("{tensor}.{name}"), array.as_slice()))
        })
    }

    /// Takes over `share` of what another one remembers of its gradients.
    pub fn blend(&mut self, other: &Self, share: f64) {
        let theirs = other.slots.iter().flatten();
        self.slots.iter_mut().flatten().zip(theirs).for_each(|(m, o)| blend(m, o, share));
    }

    /// Changes all tensors, which come in the same order and sizes at every step.
    pub fn step(&mut self, learning_rate: f64, tensors: &mut [TensorUpdate<'_>]) {
        assert_eq!(tensors.len(), self.slots.len(), "every step updates the same tensors");
        self.step += 1;
        let rule = Rule::new(&self.spec, learning_rate, self.step);
        let mut parts = Vec::with_capacity(tensors.len());
        let mut total = 0;
        for (tensor, slots) in tensors.iter_mut().zip(&mut self.slots) {
            total += tensor.values.len();
            cut(tensor, slots, &mut parts);
        }
        let run = |part: Part<'_>| {
            vectorized(
                #[inline(always)]
                || part.apply(rule),
            );
        };
        if total < PARALLEL_FROM {
            parts.into_iter().for_each(run);
        } else {
            parts.into_par_iter().for_each(run);
        }
    }
}

/// Moves numbers by `share` of the way to others: to a mean, where each that is added has its share of
/// all so far.
pub(crate) fn blend(values: &mut [f32], others: &[f32], share: f64) {
    for (value, &other) in values.iter_mut().zip(others) {
        let from = f64::from(*value);
        *value = (from + (f64::from(other) - from) * share) as f32;
    }
}

/// `m` is a mean or sum of gradients, `v` one of their squares.
const fn slot_names(spec: &spec::Optimizer) -> &'static [&'static str] {
    match *spec {
        spec::Optimizer::Gd { .. } => &[],
        spec::Optimizer::Sgd { momentum: 0.0, .. } => &[],
        spec::Optimizer::Sgd { .. } => &["m"],
        spec::Optimizer::Adagrad { .. } => &["v"],
        spec::Optimizer::RmsProp { momentum: 0.0, .. } => &["v"],
        spec::Optimizer::RmsProp { .. } => &["v", "m"],
        spec::Optimizer::Adam { .. } | spec::Optimizer::AdamW { .. } => &["m", "v"],
    }
}

/// An array of a checkpoint, if it has the right size.
pub(super) fn sized(name: &str, size: usize, get: Find<'_>) -> Result<Vec<f32>, String> {
    let array = get(name, size)?;
    if array.len() != size {
        return Err(format!("`{name}` has {} numbers where the tensor has {size}", array.len()));
    }
    Ok(array)
}

/// A step's formula with all that is the same for every weight.
#[derive(Clone, Copy)]
enum Rule {
    Descent { rate: f32 },
    Momentum { rate: f32, momentum: f32 },
    Nesterov { rate: f32, momentum: f32 },
    Adagrad { rate: f32, epsilon: f32 },
    RmsProp { rate: f32, rho: f32, rest: f32, epsilon: f32 },
    RmsPropMomentum { rate: f32, rho: f32, rest: f32, epsilon: f32, momentum: f32 },
    Adam { rate: f32, rest_1: f32, rest_2: f32, epsilon: f32, decay: f32 },
}

impl Rule {
    fn new(spec: &spec::Optimizer, learning_rate: f64, step: u64) -> Self {
        let rate = learning_rate as f32;
        match *spec {
            spec::Optimizer::Gd { .. } => Self::Descent { rate },
            spec::Optimizer::Sgd { momentum: 0.0, .. } => Self::Descent { rate },
            spec::Optimizer::Sgd { momentum, nesterov, .. } => {
                let momentum = momentum as f32;
                match nesterov {
                    true => Self::Nesterov { rate, momentum },
                    false => Self::Momentum { rate, momentum },
                }
            }
            spec::Optimizer::Adagrad { epsilon, .. } => {
                Self::Adagrad { rate, epsilon: epsilon as f32 }
            }
            spec::Optimizer::RmsProp { rho, momentum, epsilon, .. } => {
                let (rest, rho, epsilon) = ((1.0 - rho) as f32, rho as f32, epsilon as f32);
                match momentum as f32 {
                    0.0 => Self::RmsProp { rate, rho, rest, epsilon },
                    momentum => Self::RmsPropMomentum { rate, rho, rest, epsilon, momentum },
                }
            }
            spec::Optimizer::Adam { beta_1, beta_2, epsilon, .. } => {
                Self::adam(learning_rate, step, (beta_1, beta_2), epsilon, 0.0)
            }
            spec::Optimizer::AdamW { beta_1, beta_2, epsilon, weight_decay, .. } => {
                Self::adam(learning_rate, step, (beta_1, beta_2), epsilon, weight_decay)
            }
        }
    }

    /// Kingma and Ba (2015), section 2, in the order with one correction for both moments.
    fn adam(rate: f64, step: u64, betas: (f64, f64), epsilon: f64, weight_decay: f64) -> Self {
        let left = |beta: f64| 1.0 - beta.powf(step as f64);
        Self::Adam {
            rate: (rate * left(betas.1).sqrt() / left(betas.0)) as f32,
            rest_1: (1.0 - betas.0) as f32,
            rest_2: (1.0 - betas.1) as f32,
            epsilon: epsilon as f32,
            decay: (rate * weight_decay) as f32,
        }
    }
}

/// Part of a tensor; a slot that the optimizer has no use for is empty.
struct Part<'a> {
    values: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    decays: bool,
}

fn cut<'a>(tensor: &'a mut TensorUpdate<'_>, slots: &'a mut [Vec<f32>], parts: &mut Vec<Part<'a>>) {
    let mut values = &mut *tensor.values;
    let mut gradient = tensor.gradient;
    assert_eq!(values.len(), gradient.len(), "a gradient has the size of its tensor");
    for slot in &*slots {
        assert_eq!(values.len(), slot.len(), "a tensor keeps its size");
    }
    let mut slots = slots.iter_mut();
    let mut first = slots.next().map(Vec::as_mut_slice).unwrap_or_default();
    let mut second = slots.next().map(Vec::as_mut_slice).unwrap_or_default();
    while !values.is_empty() {
        let (gradient_part, rest) = gradient.split_at(CHUNK.min(gradient.len()));
        gradient = rest;
        parts.push(Part {
            values: chunk(&mut values),
            gradient: gradient_part,
            first: chunk(&mut first),
            second: chunk(&mut second),
            decays: tensor.decays,
        });
    }
}

fn chunk<'a>(rest: &mut &'a mut [f32]) -> &'a mut [f32] {
    let end = CHUNK.min(rest.len());
    rest.split_off_mut(..end).unwrap_or_default()
}

/// A moment that has faded away is zero: subnormal numbers, where it would stay for ever, are many
/// times slower on some CPUs. Keras' backends flush them too.
#[inline(always)]
fn flushed(moment: f32) -> f32 {
    if moment.abs() < f32::MIN_POSITIVE { 0.0 } else { moment }
}

impl Part<'_> {
    #[inline(always)]
    fn apply(self, rule: Rule) {
        match rule {
            Rule::Descent { rate } => self.update(|w, g| *w -= rate * g),
            Rule::Momentum { rate, momentum } => self.update_1(|w, g, m| {
                *m = flushed(momentum * *m - rate * g);
                *w += *m;
            }),
            Rule::Nesterov { rate, momentum } => self.update_1(|w, g, m| {
                *m = flushed(momentum * *m - rate * g);
                *w += momentum * *m - rate * g;
            }),
            Rule::Adagrad { rate, epsilon } => self.update_1(|w, g, v| {
                *v += g * g;
                *w -= rate * g / (*v + epsilon).sqrt();
            }),
            Rule::RmsProp { rate, rho, rest, epsilon } => self.update_1(|w, g, v| {
                *v = flushed(rho * *v + rest * (g * g));
                *w -= rate * g / (*v + epsilon).sqrt();
            }),
            Rule::RmsPropMomentum { rate, rho, rest, epsilon, momentum } => {
                self.update_2(|w, g, v, m| {
                    *v = flushed(rho * *v + rest * (g * g));
                    *m = flushed(momentum * *m + rate * g / (*v + epsilon).sqrt());
                    *w -= *m;
                });
            }
            Rule::Adam { rate, rest_1, rest_2, epsilon, decay } => {
                let decay = if self.decays { decay } else { 0.0 };
                self.update_2(|w, g, m, v| {
                    *w -= *w * decay;
                    *m = flushed(*m + (g - *m) * rest_1);
                    *v = flushed(*v + (g * g - *v) * rest_2);
                    *w -= *m * rate / (v.sqrt() + epsilon);
                });
            }
        }
    }

    #[inline(always)]
    fn update(self, rule: impl Fn(&mut f32, f32)) {
        for (w, &g) in self.values.iter_mut().zip(self.gradient) {
            rule(w, g);
        }
    }

    #[inline(always)]
    fn update_1(self, rule: impl Fn(&mut f32, f32, &mut f32)) {
        for ((w, &g), a) in self.values.iter_mut().zip(self.gradient).zip(self.first) {
            rule(w, g, a);
        }
    }

    #[inline(always)]
    fn update_2(self, rule: impl Fn(&mut f32, f32, &mut f32, &mut f32)) {
        let slots = self.first.iter_mut().zip(self.second);
        for ((w, &g), (a, b)) in self.values.iter_mut().zip(self.gradient).zip(slots) {
            rule(w, g, a, b);
        }
    }
}

#[cfg(test)]
#[path = "optimizer_tests.rs"]
mod tests;
