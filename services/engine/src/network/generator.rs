//! A language model place by place: keys and values of earlier places are kept, so that one more
//! token costs its own place and not the whole text again. Layers that keep a state of another kind
//! (recurrent ones, convolutions) read the whole text for each token.

use burn::tensor::{Int, Tensor, TensorData};
use domain::spec::Layer;

use super::{
    Frozen, Inputs, Pass,
    forward::{Value, apply},
    numbers, sequence,
};
use crate::{attention, generate::Feed};

pub(crate) struct Generator<'a> {
    network: &'a Frozen,
    cache: attention::Cache,
    /// What was fed, where it is read again for each token.
    text: Option<Vec<u32>>,
}

impl<'a> Generator<'a> {
    pub fn new(network: &'a Frozen) -> Self {
        let blocks =
            network.layers.list.iter().filter(|l| matches!(l, Layer::TransformerDecoder(_)));
        let cache = attention::Cache::new(blocks.count());
        let text = (!network.layers.list.iter().all(Layer::goes_place_by_place)).then(Vec::new);
        Self { network, cache, text }
    }

    /// What the model foretells after what it is fed.
    pub fn logits(&mut self, feed: Feed<'_>) -> Vec<f32> {
        match &mut self.text {
            Some(text) => {
                match feed {
                    Feed::Start(tokens) => *text = tokens.to_vec(),
                    Feed::More(token) => text.push(token),
                }
                whole(self.network, text)
            }
            None => self.next(feed),
        }
    }

    fn next(&mut self, feed: Feed<'_>) -> Vec<f32> {
        let tokens = match feed {
            Feed::Start(tokens) => {
                self.cache.clear();
                tokens
            }
            Feed::More(token) => &[token],
        };
        let mut pass = Pass::inference(&self.network.weights);
        let device = pass.device.clone();
        let places = self.cache.places();
        let ids: Vec<i32> = tokens.iter().map(|&id| id as i32).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, tokens.len()]), &device);
        let mut x = Tensor::<3>::zeros([1, tokens.len(), 1], &device);
        let mut ids = Some(ids);
        let mut block = 0;
        let last = self.network.layers.list.len() - 1;
        for (i, layer) in self.network.layers.list.iter().enumerate() {
            match layer {
                Layer::Embedding { .. } => {
                    let ids = ids.take().expect("a language model has one embedding");
                    x = burn::tensor::module::embedding(pass.weight("embeddings"), ids);
                }
                Layer::PositionEmbedding { kind } => {
                    x = sequence::with_positions(x, *kind, places, &mut pass);
                }
                Layer::TransformerDecoder(spec) => {
                    let weights = sequence::block_weights(&mut pass);
                    x = attention::step(x, &weights, spec, &mut self.cache.layers[block]);
                    block += 1;
                }
                layer => {
                    let value = Value::Sequence { x, lengths: None };
                    let Value::Sequence { x: made, .. } = apply(layer, value, i == last, &mut pass)
                    else {
                        unreachable!("a language model gives one result a token")
                    };
                    x = made;
                }
            }
        }
        let [_, length, width] = x.dims();
        numbers(x.slice([0..1, length - 1..length, 0..width]))
    }
}

fn whole(network: &Frozen, text: &[u32]) -> Vec<f32> {
    let ids = text.iter().map(|&id| id as i32).collect();
    let inputs = Inputs::Tokens { ids, length: text.len(), lengths: vec![text.len()] };
    let mut logits = network.run(inputs);
    let vocabulary = logits.len() / text.len().max(1);
    logits.split_off(logits.len() - vocabulary)
}
