//! From a batch to the last layer's numbers, layer by layer. That layers fit what they get was checked
//! with the specification.

use burn::tensor::{Int, Tensor, TensorData};
use domain::spec::{Activation, Layer};

use super::{Inputs, Pass, any, image, pair, sequence, tensor};
use crate::convolution::Then;

/// What goes from one layer to the next.
#[derive(Clone)]
pub(super) enum Value {
    Features(Tensor<2>),
    Tokens {
        ids: Tensor<2, Int>,
        lengths: Vec<usize>,
    },
    /// Right-padded; without lengths every row is full.
    Sequence {
        x: Tensor<3>,
        lengths: Option<Vec<usize>>,
    },
    /// Rows, columns, channels.
    Image(Tensor<4>),
    Pair {
        users: Vec<i32>,
        items: Vec<i32>,
    },
}

pub(super) fn forward(layers: &[Layer], inputs: Inputs, pass: &mut Pass) -> Tensor<2> {
    match run(layers, value(inputs, pass), true, pass) {
        Value::Features(x) => x,
        Value::Sequence { x, .. } => x.flatten(0, 1),
        Value::Tokens { .. } | Value::Image(_) | Value::Pair { .. } => {
            unreachable!("a specification ends with a layer that gives numbers")
        }
    }
}

/// `last`: the last layer's activation is left to the loss.
pub(super) fn run(layers: &[Layer], mut value: Value, last: bool, pass: &mut Pass) -> Value {
    let mut rest = layers;
    while let [layer, after @ ..] = rest {
        let (then, after) = followed_by(layer, after, last);
        rest = after;
        value = match (layer, value) {
            (Layer::Conv2D { .. }, Value::Image(x)) => {
                Value::Image(image::convolve(layer, then, x, pass))
            }
            (Layer::BatchNormalization { momentum, epsilon }, value) => {
                any::batch_normalization(value, (*momentum, *epsilon), then, pass)
            }
            (layer, value) => apply(layer, value, last && after.is_empty(), pass),
        };
    }
    value
}

/// Which of the layers `after` a convolution or a normalisation are done along with it, and those that
/// are left.
fn followed_by<'a>(layer: &Layer, mut after: &'a [Layer], last: bool) -> (Then, &'a [Layer]) {
    let mut then = Then::NOTHING;
    let fits = matches!(
        layer,
        Layer::BatchNormalization { .. }
            | Layer::Conv2D { activation: Activation::Linear | Activation::Relu, .. }
    );
    if !fits {
        return (then, after);
    }
    if let [Layer::Activation { activation: Activation::Relu }, more @ ..] = after
        && !(last && more.is_empty())
    {
        (then.rectify, after) = (true, more);
    }
    if let [Layer::MaxPooling2D { pool_size }, more @ ..] = after
        && *pool_size as usize <= Then::LARGEST_POOL
    {
        (then.pool, after) = (*pool_size as usize, more);
    }
    (then, after)
}

pub(super) fn value(inputs: Inputs, pass: &Pass) -> Value {
    let device = &pass.device;
    match inputs {
        Inputs::Features { values, width } => {
            let rows = values.len() / width;
            Value::Features(tensor(values, [rows, width], device))
        }
        Inputs::Tokens { ids, length, lengths } => {
            let data = TensorData::new(ids, [lengths.len(), length]);
            Value::Tokens { ids: Tensor::from_data(data, device), lengths }
        }
        Inputs::Sequence { values, length, features } => {
            let rows = values.len() / (length * features);
            Value::Sequence { x: tensor(values, [rows, length, features], device), lengths: None }
        }
        Inputs::Images { values, height, width, channels } => {
            let rows = values.len() / (height * width * channels);
            Value::Image(tensor(values, [rows, height, width, channels], device))
        }
        Inputs::Pairs { users, items } => Value::Pair { users, items },
    }
}

pub(super) fn apply(layer: &Layer, value: Value, last: bool, pass: &mut Pass) -> Value {
    match layer {
        Layer::Dense { activation, use_bias, .. } => {
            let activation = if last { Activation::Linear } else { *activation };
            any::dense(value, activation, *use_bias, pass)
        }
        Layer::Activation { .. } if last => value,
        Layer::Activation { activation } => any::activation(value, *activation),
        Layer::Dropout { rate } => any::dropout(value, *rate, pass),
        Layer::BatchNormalization { momentum, epsilon } => {
            any::batch_normalization(value, (*momentum, *epsilon), Then::NOTHING, pass)
        }
        Layer::LayerNormalization { epsilon } => any::layer_normalization(value, *epsilon, pass),
        Layer::Flatten {} => any::flatten(value),
        Layer::Residual { layers } => any::residual(layers, value, pass),
        layer => match value {
            Value::Tokens { ids, lengths } => sequence::embedding(ids, lengths, pass),
            Value::Sequence { x, lengths } => sequence::apply(layer, x, lengths, pass),
            Value::Image(x) => image::apply(layer, x),
            Value::Pair { users, items } => Value::Features(pair::apply(layer, users, items, pass)),
            Value::Features(_) => unreachable!("shapes are checked: {} fits", layer.name()),
        },
    }
}
