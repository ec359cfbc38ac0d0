//! One pass through a network: the weights as tensors, the draws of chance, and what the layers want
//! kept.

use burn::tensor::{Device, Gradients, Tensor};

use super::{Array, Role, numbers, tensor};
use crate::chance::{Chance, Purpose};

/// Which dropout masks a training pass draws.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws {
    pub seed: u64,
    pub step: u64,
}

pub(crate) struct Pass<'a> {
    pub device: Device,
    weights: &'a [Weight],
    next: usize,
    draws: Option<Draws>,
    drawn: u64,
    /// New values for arrays that are kept but not trained.
    kept: Vec<(usize, Tensor<1>)>,
}

/// An array as a tensor. Its numbers move from the one to the other and back without a copy.
pub(crate) struct Weight {
    name: String,
    shape: Vec<usize>,
    value: Tensor<1>,
    trained: bool,
}

impl Weight {
    /// For one step, with a gradient if it is trained.
    pub fn lent(array: Array, role: Role) -> Self {
        let Array { name, shape, values } = array;
        let len = values.len();
        let value = tensor(values, [len], &Device::flex().autodiff());
        let trained = role.is_trained();
        let value = if trained { value.require_grad() } else { value };
        Self { name, shape, value, trained }
    }

    /// For as long as nothing is learned.
    pub fn frozen(array: Array) -> Self {
        let Array { name, shape, values } = array;
        let len = values.len();
        Self { name, shape, value: tensor(values, [len], &Device::flex()), trained: false }
    }

    /// The array again, and its gradient if it is trained.
    pub fn returned(self, gradients: &mut Gradients) -> (Array, Option<Vec<f32>>) {
        let Self { name, shape, value, trained } = self;
        let gradient = trained.then(|| match value.grad_remove(gradients) {
            Some(gradient) => numbers(gradient),
            // an array that the batch did not reach
            None => vec![0.0; shape.iter().product()],
        });
        (Array { name, shape, values: numbers(value.inner()) }, gradient)
    }
}

impl<'a> Pass<'a> {
    /// With gradients, and with dropout where a layer has one.
    pub fn training(weights: &'a [Weight], draws: Draws) -> Self {
        Self::new(weights, Device::flex().autodiff(), Some(draws))
    }

    pub fn inference(weights: &'a [Weight]) -> Self {
        Self::new(weights, Device::flex(), None)
    }

    /// As for an answer, with gradients by what the network reads.
    pub fn differentiating(weights: &'a [Weight]) -> Self {
        Self::new(weights, Device::flex().autodiff(), None)
    }

    fn new(weights: &'a [Weight], device: Device, draws: Option<Draws>) -> Self {
        Self { device, weights, next: 0, draws, drawn: 0, kept: vec![] }
    }

    pub fn is_training(&self) -> bool {
        self.draws.is_some()
    }

    /// The next array in the order of declaration, which is the one called `name` in its layer.
    pub fn weight<const D: usize>(&mut self, name: &str) -> Tensor<D> {
        let weight = &self.weights[self.next];
        debug_assert!(weight.name.ends_with(name), "{} is not {name}", weight.name);
        self.next += 1;
        let mut shape = [0; D];
        shape.copy_from_slice(&weight.shape);
        let value = weight.value.clone();
        let value = if self.device.is_autodiff() { value.autodiff() } else { value };
        value.reshape(shape)
    }

    /// Leaves out so many arrays.
    pub fn pass_by(&mut self, arrays: usize) {
        self.next += arrays;
    }

    /// The place of the next array, for one that is kept with [`Pass::keep`].
    pub fn place(&self) -> usize {
        self.next
    }

    /// Stores `value` in the array at `place` after the pass.
    pub fn keep(&mut self, place: usize, value: Tensor<1>) {
        self.kept.push((place, value));
    }

    /// A stream of chance of its own for each mask of a training pass.
    pub fn chance(&mut self) -> Option<Chance> {
        let draws = self.draws?;
        self.drawn += 1;
        Some(Chance::new(draws.seed, Purpose::Dropout, draws.step, self.drawn))
    }

    /// `n` numbers, each 0 with probability `rate` and else such that the mean stays 1 (inverted
    /// dropout). None where nothing is dropped.
    pub fn mask(&mut self, n: usize, rate: f64) -> Option<Vec<f32>> {
        if rate == 0.0 {
            return None;
        }
        let mut chance = self.chance()?;
        let keep = (1.0 / (1.0 - rate)) as f32;
        Some((0..n).map(|_| if f64::from(chance.unit()) < rate { 0.0 } else { keep }).collect())
    }

    /// `x` with such a mask of `shape`, which has ones where the mask is shared.
    pub fn drop<const D: usize>(
        &mut self,
        x: Tensor<D>,
        shape: [usize; D],
        rate: f64,
    ) -> Tensor<D> {
        match self.mask(shape.iter().product(), rate) {
            Some(mask) => x * tensor(mask, shape, &self.device),
            None => x,
        }
    }

    /// The kept values by the place of their array.
    pub fn kept(self) -> Vec<(usize, Vec<f32>)> {
        self.kept.into_iter().map(|(place, value)| (place, numbers(value))).collect()
    }
}
