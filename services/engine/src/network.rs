//! The network: dense layers in a row, ending before the last activation. Parameters carry ids fixed
//! by their place, because the optimizer's state is stored by id: a resumed run must find its own.

use burn::{
    module::{Module, Param, ParamId},
    tensor::{Device, Tensor, TensorData, activation},
};
use domain::spec::{Activation, Layer};

use crate::chance::{Chance, Purpose};

#[derive(Module, Debug)]
struct Dense {
    kernel: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
pub(crate) struct Weights {
    dense: Vec<Dense>,
}

#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub weights: Weights,
    layers: Vec<Layer>,
}

/// One tensor as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Which dropout masks to draw; without it nothing is dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    pub seed: u64,
    pub step: u64,
}

/// Names and shapes of the tensors, `layers.{i}.kernel` as inputs by units before `layers.{i}.bias`.
pub(crate) fn tensors(layers: &[Layer], inputs: usize) -> Vec<(String, Vec<usize>)> {
    let mut width = inputs;
    let mut tensors = vec![];
    for (i, layer) in layers.iter().enumerate() {
        if let Layer::Dense { units, .. } = layer {
            let units = *units as usize;
            tensors.push((format!("layers.{i}.kernel"), vec![width, units]));
            tensors.push((format!("layers.{i}.bias"), vec![units]));
            width = units;
        }
    }
    tensors
}

impl Network {
    /// Fresh weights: Glorot-uniform kernels and zero biases, Keras' defaults.
    pub fn init(layers: &[Layer], inputs: usize, seed: u64, device: &Device) -> Self {
        let arrays = tensors(layers, inputs).into_iter().enumerate().map(|(i, (name, shape))| {
            let len = shape.iter().product();
            let values = match shape[..] {
                [fan_in, fan_out] => {
                    let limit = (6.0 / (fan_in + fan_out) as f64).sqrt() as f32;
                    let mut chance = Chance::new(seed, Purpose::Weights, i as u64, 0);
                    (0..len).map(|_| (2.0 * chance.unit() - 1.0) * limit).collect()
                }
                _ => vec![0.0; len],
            };
            Array { name, shape, values }
        });
        Self::from_arrays(layers, arrays.collect(), device)
    }

    /// `arrays` are those of [`tensors`], in that order.
    pub fn from_arrays(layers: &[Layer], arrays: Vec<Array>, device: &Device) -> Self {
        let mut dense = vec![];
        let mut arrays = arrays.into_iter();
        while let (Some(kernel), Some(bias)) = (arrays.next(), arrays.next()) {
            let id = 2 * dense.len() as u64;
            dense.push(Dense {
                kernel: param(id, kernel, device),
                bias: param(id + 1, bias, device),
            });
        }
        Self { weights: Weights { dense }, layers: layers.to_vec() }
    }

    pub fn to_arrays(&self) -> Vec<Array> {
        let places = self.layers.iter().enumerate();
        let places = places.filter(|(_, layer)| matches!(layer, Layer::Dense { .. }));
        places
            .zip(&self.weights.dense)
            .flat_map(|((i, _), dense)| {
                [
                    array(format!("layers.{i}.kernel"), dense.kernel.val()),
                    array(format!("layers.{i}.bias"), dense.bias.val()),
                ]
            })
            .collect()
    }

    pub fn parameters(&self) -> u64 {
        self.weights.num_params() as u64
    }

    /// The same weights without gradients.
    pub fn without_gradients(&self) -> Self {
        Self { weights: self.weights.valid(), layers: self.layers.clone() }
    }

    /// The last layer's numbers before its activation.
    pub fn forward(&self, mut x: Tensor<2>, dropout: Option<Dropout>) -> Tensor<2> {
        let mut dense = self.weights.dense.iter();
        let last = self.layers.len() - 1;
        for (i, layer) in self.layers.iter().enumerate() {
            x = match layer {
                Layer::Dense { activation, .. } => {
                    let dense = dense.next().expect("each dense layer has its weights");
                    let bias = dense.bias.val().unsqueeze();
                    let z = x.matmul(dense.kernel.val()) + bias;
                    if i == last { z } else { activate(z, *activation) }
                }
                Layer::Dropout { rate } => match dropout {
                    Some(dropout) => drop_out(x, *rate, dropout, i as u64),
                    None => x,
                },
            };
        }
        x
    }

    /// Plain rows in, plain numbers out.
    pub fn run(&self, inputs: &[f32], width: usize, device: &Device) -> Vec<f32> {
        let rows = inputs.len() / width;
        numbers(self.forward(tensor(inputs.to_vec(), [rows, width], device), None))
    }
}

pub(crate) fn tensor<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("every tensor here is made of f32 on the CPU")
}

fn param<const D: usize>(id: u64, array: Array, device: &Device) -> Param<Tensor<D>> {
    let mut shape = [0; D];
    shape.copy_from_slice(&array.shape);
    let value = tensor(array.values, shape, device);
    let value = if device.is_autodiff() { value.require_grad() } else { value };
    Param::initialized(ParamId::from(id), value)
}

fn array<const D: usize>(name: String, tensor: Tensor<D>) -> Array {
    Array { name, shape: tensor.dims().to_vec(), values: numbers(tensor) }
}

fn activate(z: Tensor<2>, activation: Activation) -> Tensor<2> {
    match activation {
        Activation::Linear => z,
        Activation::Relu => activation::relu(z),
        Activation::Sigmoid => activation::sigmoid(z),
        Activation::Tanh => activation::tanh(z),
        Activation::Softmax => activation::softmax(z, 1),
    }
}

/// Inverted dropout; the mask depends on nothing but seed, step and layer.
fn drop_out(x: Tensor<2>, rate: f64, dropout: Dropout, layer: u64) -> Tensor<2> {
    let [rows, width] = x.dims();
    let mut chance = Chance::new(dropout.seed, Purpose::Dropout, dropout.step, layer);
    let keep = (1.0 / (1.0 - rate)) as f32;
    let mask = (0..rows * width)
        .map(|_| if f64::from(chance.unit()) < rate { 0.0 } else { keep })
        .collect();
    let mask = tensor(mask, [rows, width], &x.device());
    x * mask
}
