//! Between plain numbers and tensors: the tensor library's own, and the storage of its CPU backend,
//! which operations written by hand work on.

use burn::{
    backend::flex::FlexTensor,
    tensor::{Device, Tensor, TensorData},
};
use rayon::prelude::*;

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

/// Large arrays are cleared by all threads: by one, clearing would be among the slower parts of what
/// fills them.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    const LINE: usize = 256;
    const PARALLEL_FROM: usize = 1 << 16;
    if len < PARALLEL_FROM {
        return vec![0.0; len];
    }
    let lines = (0..len.div_ceil(LINE)).into_par_iter().with_min_len(64).map(|_| [0.0; LINE]);
    let mut zeros = lines.collect::<Vec<[f32; LINE]>>().into_flattened();
    zeros.truncate(len);
    zeros
}

/// With its numbers in order and nothing between them.
pub(crate) fn contiguous(stored: &FlexTensor) -> FlexTensor {
    if stored.as_slice::<f32>().is_some() { stored.clone() } else { stored.to_contiguous() }
}

pub(crate) fn slice(stored: &FlexTensor) -> &[f32] {
    stored.as_slice().expect("made contiguous before, and every tensor here is of f32")
}

pub(crate) fn shape(stored: &FlexTensor) -> Vec<usize> {
    stored.layout().shape().to_vec()
}

/// Its numbers in order, without a copy if nobody else has the tensor.
pub(crate) fn into_values(stored: FlexTensor) -> Vec<f32> {
    stored.into_data().try_into_vec_as().expect("every tensor here is made of f32 on the CPU")
}

pub(crate) fn stored(values: Vec<f32>, shape: impl Into<Vec<usize>>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}
