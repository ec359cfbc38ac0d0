//! Decoding place by place: the keys and values of earlier places are kept, so that one more place
//! costs its own row and not the whole sequence again.

use burn::tensor::Tensor;
use domain::spec::Transformer;

use super::{
    block::{BlockWeights, sublayers},
    kernel::{self, Sizes, View},
};
use crate::ops::flex::{numbers, tensor};

/// What every block of a causal network keeps of one sequence.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    pub layers: Vec<LayerCache>,
}

/// What one block keeps: a row a place.
#[derive(Debug, Clone, Default)]
pub(crate) struct LayerCache {
    keys: Vec<f32>,
    values: Vec<f32>,
    places: usize,
}

impl Cache {
    pub fn new(blocks: usize) -> Self {
        Self { layers: vec![LayerCache::default(); blocks] }
    }

    /// Places fed so far: the position of the next one.
    pub fn places(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.places)
    }

    pub fn clear(&mut self) {
        self.layers.fill(LayerCache::default());
    }
}

/// What a causal block makes of the next places of one sequence, `[1, places, width]`.
pub(crate) fn step(
    x: Tensor<3>,
    weights: &BlockWeights,
    spec: &Transformer,
    cache: &mut LayerCache,
) -> Tensor<3> {
    let [sequences, queries, width] = x.dims();
    assert_eq!(sequences, 1, "a cache is of one sequence");
    let device = x.device();
    let heads = spec.num_heads as usize;
    sublayers(x, weights, spec, &mut |_| None, |[query, key, value]| {
        cache.keys.extend(numbers(key));
        cache.values.extend(numbers(value));
        cache.places += queries;
        let sizes = Sizes { queries, keys: cache.places, width, heads };
        let view = View { heads, causal: true, lengths: None };
        let (output, _) =
            kernel::forward([&numbers(query), &cache.keys, &cache.values], sizes, &view);
        tensor(output, [1, queries, width], &device)
    })
}
