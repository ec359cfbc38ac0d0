//! The numbers of a stored model, by the names that layers give them.

use safetensors::{Dtype, SafeTensors};

use crate::{
    OnnxError,
    graph::{Edge, Graph},
};

pub struct Weights<'a>(SafeTensors<'a>);

/// One tensor.
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl<'a> Weights<'a> {
    pub fn open(file: &'a [u8]) -> Result<Self, OnnxError> {
        SafeTensors::deserialize(file).map(Self).map_err(|why| OnnxError::Weights(why.to_string()))
    }

    /// The tensor `name`, which has `shape`.
    pub fn array(&self, name: &str, shape: &[usize]) -> Result<Array, OnnxError> {
        let tensor = self.0.tensor(name);
        let tensor = tensor.map_err(|_| OnnxError::Weights(format!("`{name}` is missing")))?;
        let (has, kind) = (tensor.shape(), tensor.dtype());
        if has != shape || kind != Dtype::F32 {
            let why = format!("`{name}` is {kind:?} {has:?} and needs to be F32 {shape:?}");
            return Err(OnnxError::Weights(why));
        }
        let values = tensor.data().as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect();
        Ok(Array { shape: shape.to_vec(), values })
    }
}

impl Array {
    pub fn draw(&self, graph: &mut Graph) -> Edge {
        graph.floats(&self.values, &self.shape)
    }

    /// The same numbers with the axes in another order.
    pub fn transposed(&self, order: &[usize]) -> Self {
        let shape: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        let mut strides = vec![1; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * self.shape[axis];
        }
        let value = |i: usize| {
            let (mut rest, mut place) = (i, 0);
            for (&axis, &side) in order.iter().zip(&shape).rev() {
                place += rest % side * strides[axis];
                rest /= side;
            }
            self.values[place]
        };
        let values = (0..self.values.len()).map(value).collect();
        Self { shape, values }
    }

    /// Of blocks of equal size, side by side along the first axis, the ones at `order`, in that order.
    pub fn blocks(&self, count: usize, order: &[usize]) -> Self {
        let size = self.values.len() / count.max(1);
        let blocks = order.iter().flat_map(|&i| &self.values[i * size..][..size]);
        let mut shape = self.shape.clone();
        shape[0] = shape[0] / count.max(1) * order.len();
        Self { shape, values: blocks.copied().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_and_blocks_change_places() {
        let array = Array { shape: vec![2, 3], values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0] };
        let turned = array.transposed(&[1, 0]);
        assert_eq!(turned.shape, [3, 2]);
        assert_eq!(turned.values, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let swapped = turned.blocks(3, &[2, 0]);
        assert_eq!((swapped.shape, swapped.values), (vec![2, 2], vec![2.0, 5.0, 0.0, 3.0]));
        let array = Array { shape: vec![2, 1, 2], values: vec![0.0, 1.0, 2.0, 3.0] };
        assert_eq!(array.transposed(&[2, 1, 0]).values, [0.0, 2.0, 1.0, 3.0]);
    }
}
