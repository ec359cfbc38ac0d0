//! The network: a list of layers that ends before the last activation (the loss wants the numbers
//! before it). Its weights are plain arrays by name; a [`Pass`] lends them to the tensor library for
//! one step. Layers declare their arrays in [`declare`] and take them in the same order in
//! [`forward`].

mod any;
mod declare;
mod forward;
mod generator;
mod image;
mod inputs;
mod pair;
mod pass;
mod path;
mod sequence;

use burn::tensor::{Gradients, Tensor};
use domain::spec::{Layer, Shape};

pub(crate) use declare::Role;
pub(crate) use generator::Generator;
pub(crate) use inputs::Inputs;
pub(crate) use pass::{Draws, Pass, Weight};
pub(crate) use path::Point;

pub(crate) use crate::ops::flex::{numbers, tensor};

use crate::{
    chance::{Chance, Purpose},
    error::EngineError,
};

/// One tensor as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub arrays: Vec<Array>,
    pub roles: Vec<Role>,
    layers: Layers,
}

/// A network that learns no more: its weights stay tensors from one batch to the next.
pub(crate) struct Frozen {
    weights: Vec<Weight>,
    layers: Layers,
}

/// What is done with the weights.
#[derive(Debug, Clone)]
struct Layers {
    list: Vec<Layer>,
    /// Tokens that every batch is padded to: as many as a row may have where a layer counts on that.
    least_tokens: usize,
}

impl Network {
    /// Fresh weights.
    pub fn init(layers: &[Layer], input: Shape, seed: u64) -> Result<Self, EngineError> {
        let declared = declare::declare(layers, input)?;
        let roles = declared.iter().map(|d| d.role).collect();
        let arrays = declared
            .into_iter()
            .enumerate()
            .map(|(i, declared)| {
                let mut chance = Chance::new(seed, Purpose::Weights, i as u64, 0);
                let values = declared.start.values(&declared.shape, &mut chance);
                Array { name: declared.name, shape: declared.shape, values }
            })
            .collect();
        Ok(Self { arrays, roles, layers: Layers::new(layers, input) })
    }

    /// Names and shapes of what the layers have, in order.
    pub fn declared(
        layers: &[Layer],
        input: Shape,
    ) -> Result<Vec<(String, Vec<usize>)>, EngineError> {
        let declared = declare::declare(layers, input)?;
        Ok(declared.into_iter().map(|d| (d.name, d.shape)).collect())
    }

    /// The weights that `read` gives for the names and shapes that the layers declare.
    pub fn restore(
        layers: &[Layer],
        input: Shape,
        read: impl FnOnce(Vec<(String, Vec<usize>)>) -> Result<Vec<Array>, String>,
    ) -> Result<Self, String> {
        let declared = declare::declare(layers, input).map_err(|e| e.to_string())?;
        let roles = declared.iter().map(|d| d.role).collect();
        let arrays = read(declared.into_iter().map(|d| (d.name, d.shape)).collect())?;
        Ok(Self { arrays, roles, layers: Layers::new(layers, input) })
    }

    pub fn layers(&self) -> &[Layer] {
        &self.layers.list
    }

    /// The arrays that training changes, in order.
    pub fn trained_mut(&mut self) -> impl Iterator<Item = (&mut Array, Role)> {
        let roles = self.roles.iter().copied();
        self.arrays.iter_mut().zip(roles).filter(|(_, role)| role.is_trained())
    }

    pub fn trained_sizes(&self) -> Vec<usize> {
        let trained = self.arrays.iter().zip(&self.roles).filter(|(_, role)| role.is_trained());
        trained.map(|(array, _)| array.values.len()).collect()
    }

    /// Numbers that training changes.
    pub fn parameters(&self) -> u64 {
        self.trained_sizes().iter().map(|&size| size as u64).sum()
    }

    /// The last layer's numbers before its activation, a row of them for each row of the batch (for a
    /// language model: for each token).
    pub fn forward(&self, inputs: Inputs, pass: &mut Pass) -> Tensor<2> {
        self.layers.forward(inputs, pass)
    }

    /// The arrays as tensors for one step of training; until [`Self::take_back`] the network has none.
    pub fn lend(&mut self) -> Vec<Weight> {
        let arrays = self.arrays.drain(..).zip(&self.roles);
        arrays.map(|(array, role)| Weight::lent(array, *role)).collect()
    }

    /// The gradient of each trained array, in order.
    pub fn take_back(&mut self, lent: Vec<Weight>, mut gradients: Gradients) -> Vec<Vec<f32>> {
        let mut taken = vec![];
        for weight in lent {
            let (array, gradient) = weight.returned(&mut gradients);
            self.arrays.push(array);
            taken.extend(gradient);
        }
        taken
    }

    pub fn freeze(self) -> Frozen {
        let weights = self.arrays.into_iter().map(Weight::frozen).collect();
        Frozen { weights, layers: self.layers }
    }
}

impl Frozen {
    /// Plain numbers in, plain numbers out.
    pub fn run(&self, inputs: Inputs) -> Vec<f32> {
        numbers(self.layers.forward(inputs, &mut Pass::inference(&self.weights)))
    }
}

impl Layers {
    /// A batch is as long as its longest row, and one of empty texts still has a place.
    fn new(layers: &[Layer], input: Shape) -> Self {
        let least_tokens = match input {
            Shape::Tokens { length, .. } if layers.iter().any(Layer::needs_full_length) => length,
            _ => 1,
        };
        Self { list: layers.to_vec(), least_tokens }
    }

    fn forward(&self, inputs: Inputs, pass: &mut Pass) -> Tensor<2> {
        forward::forward(&self.list, self.at_least(inputs), pass)
    }

    /// As long as the layers need it.
    fn at_least(&self, inputs: Inputs) -> Inputs {
        match inputs {
            Inputs::Tokens { ids, length, lengths } if length < self.least_tokens => {
                padded(&ids, length, lengths, self.least_tokens)
            }
            inputs => inputs,
        }
    }
}

fn padded(ids: &[i32], length: usize, lengths: Vec<usize>, least: usize) -> Inputs {
    let mut longer = vec![0; least * lengths.len()];
    for (row, longer) in ids.chunks_exact(length.max(1)).zip(longer.chunks_exact_mut(least)) {
        longer[..length].copy_from_slice(row);
    }
    Inputs::Tokens { ids: longer, length: least, lengths }
}
