//! The layers of a network as operations, under the meaning that the engine gives them when it
//! predicts. An image is `[batch, channels, rows, columns]` here, as ONNX has it, and
//! `[batch, rows, columns, channels]` in the engine; everything else lies as it does there.

mod any;
mod attention;
mod image;
mod pair;
mod recurrent;
mod sequence;

use domain::spec::{Layer, Shape};

use crate::{
    OnnxError,
    graph::{Edge, Graph},
    weights::{Array, Weights},
};

/// What goes from one layer to the next.
#[derive(Clone)]
pub enum Value {
    Features(Edge),
    /// Numbers of tokens, and how many of each row are not padding, where rows differ.
    Tokens {
        ids: Edge,
        lengths: Option<Edge>,
    },
    /// Without lengths every row is full.
    Sequence {
        x: Edge,
        lengths: Option<Edge>,
    },
    Image(Edge),
    /// Places of vectors.
    Pair {
        user: Edge,
        item: Edge,
    },
}

/// Where layers are drawn, and what with.
pub struct Drawing<'a, 'w> {
    pub graph: &'a mut Graph,
    pub weights: &'a Weights<'w>,
    /// Of the layer that is drawn: what its tensors' names begin with.
    prefix: String,
    /// Of what the layer gets.
    shape: Shape,
}

impl<'a, 'w> Drawing<'a, 'w> {
    pub fn new(graph: &'a mut Graph, weights: &'a Weights<'w>, shape: Shape) -> Self {
        Self { graph, weights, prefix: String::new(), shape }
    }

    /// All layers but for the last one's activation, which belongs to the answer; and the shape of what
    /// they make.
    pub fn network(mut self, layers: &[Layer], value: Value) -> Result<(Value, Shape), OnnxError> {
        let value = self.run(layers, value, "layers", true)?;
        Ok((value, self.shape))
    }

    fn run(
        &mut self,
        layers: &[Layer],
        mut value: Value,
        prefix: &str,
        last: bool,
    ) -> Result<Value, OnnxError> {
        for (i, layer) in layers.iter().enumerate() {
            let prefix = format!("{prefix}.{i}");
            let no_fit = |why| OnnxError::Layer { place: prefix.clone(), why };
            let made = layer.output(&self.shape).map_err(no_fit)?;
            let is_last = last && i + 1 == layers.len();
            self.prefix.clone_from(&prefix);
            value = self.layer(layer, value, is_last)?;
            self.shape = made;
        }
        Ok(value)
    }

    fn layer(&mut self, layer: &Layer, value: Value, last: bool) -> Result<Value, OnnxError> {
        match layer {
            Layer::Dense { .. }
            | Layer::Activation { .. }
            | Layer::Dropout { .. }
            | Layer::BatchNormalization { .. }
            | Layer::LayerNormalization { .. }
            | Layer::Flatten {}
            | Layer::Residual { .. } => self.any(layer, value, last),
            layer => match value {
                Value::Tokens { ids, lengths } => self.embedding(layer, &ids, lengths),
                Value::Sequence { x, lengths } => self.sequence(layer, x, lengths),
                Value::Image(x) => self.image(layer, x),
                Value::Pair { user, item } => self.pair(layer, &user, &item).map(Value::Features),
                Value::Features(_) => Err(self.refused(layer)),
            },
        }
    }

    /// A layer that this release cannot express.
    fn refused(&self, layer: &Layer) -> OnnxError {
        OnnxError::NoSuchOperation { place: self.prefix.clone(), layer: layer.name() }
    }

    fn array(&self, name: &str, shape: &[usize]) -> Result<Array, OnnxError> {
        self.weights.array(&format!("{}.{name}", self.prefix), shape)
    }

    fn weight(&mut self, name: &str, shape: &[usize]) -> Result<Edge, OnnxError> {
        Ok(self.array(name, shape)?.draw(self.graph))
    }

    /// Features, channels, or the vocabulary.
    fn width(&self) -> usize {
        match self.shape {
            Shape::Features(width) => width,
            Shape::Sequence { features, .. } => features,
            Shape::Image { channels, .. } => channels,
            Shape::Tokens { vocabulary, .. } => vocabulary,
            Shape::Pair { .. } => 0,
        }
    }
}
