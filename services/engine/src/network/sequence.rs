//! Layers on sequences, and the one that makes a sequence of tokens.

use burn::tensor::{Int, Tensor};
use domain::spec::{Activation, Layer, Positions, Recurrent, Transformer, sinusoidal};

use super::{Pass, forward::Value, tensor};
use crate::{
    attention::{self, BlockWeights},
    convolution,
    ops::{
        activation::activate,
        recurrent::{self, Cell, Direction, RecurrentWeights},
    },
};

pub(super) fn embedding(ids: Tensor<2, Int>, lengths: Vec<usize>, pass: &mut Pass) -> Value {
    let x = burn::tensor::module::embedding(pass.weight("embeddings"), ids);
    Value::Sequence { x, lengths: Some(lengths) }
}

pub(super) fn apply(
    layer: &Layer,
    x: Tensor<3>,
    lengths: Option<Vec<usize>>,
    pass: &mut Pass,
) -> Value {
    match layer {
        Layer::PositionEmbedding { kind } => {
            Value::Sequence { x: with_positions(x, *kind, 0, pass), lengths }
        }
        Layer::Lstm(r) => read(Cell::Lstm, r, 1, x, lengths, pass),
        Layer::Gru(r) => read(Cell::Gru, r, 1, x, lengths, pass),
        Layer::Bidirectional { layer } => match layer.as_ref() {
            Layer::Lstm(r) => read(Cell::Lstm, r, 2, x, lengths, pass),
            Layer::Gru(r) => read(Cell::Gru, r, 2, x, lengths, pass),
            _ => unreachable!("shapes are checked: Bidirectional holds LSTM or GRU"),
        },
        Layer::Conv1D { padding, dilation_rate, activation, .. } => {
            let (kernel, bias) = (pass.weight("kernel"), pass.weight("bias"));
            let dilation = *dilation_rate as usize;
            let rectify = *activation == Activation::Relu;
            let stand = (*padding, dilation);
            let x = convolution::conv1d(x, kernel, Some(bias), stand, rectify);
            let x = if rectify { x } else { activate(x, *activation) };
            let length = x.dims()[1];
            let shorter =
                |lengths: Vec<usize>| lengths.into_iter().map(|n| n.min(length)).collect();
            Value::Sequence { x, lengths: lengths.map(shorter) }
        }
        Layer::GlobalAveragePooling1D {} => {
            let lengths = lengths_of(&x, lengths);
            Value::Features(convolution::global_average_pool1d(x, &lengths))
        }
        Layer::GlobalMaxPooling1D {} => {
            let lengths = lengths_of(&x, lengths);
            Value::Features(convolution::global_max_pool1d(x, &lengths))
        }
        Layer::TransformerEncoder(t) => transformer(t, false, x, lengths, pass),
        Layer::TransformerDecoder(t) => transformer(t, true, x, lengths, pass),
        layer => unreachable!("shapes are checked: {} reads no sequences", layer.name()),
    }
}

fn lengths_of(x: &Tensor<3>, lengths: Option<Vec<usize>>) -> Vec<usize> {
    let [rows, length, _] = x.dims();
    lengths.unwrap_or_else(|| vec![length; rows])
}

/// Adds the positions of the places from `from` on. The sines are as large as 1 and fresh embeddings
/// are not: those are multiplied by the square root of their width first ("Attention is all you
/// need", 3.4).
pub(super) fn with_positions(
    x: Tensor<3>,
    kind: Positions,
    from: usize,
    pass: &mut Pass,
) -> Tensor<3> {
    let [_, length, width] = x.dims();
    let to = from + length;
    let (x, table): (_, Tensor<2>) = match kind {
        Positions::Sinusoidal => {
            let table = tensor(sinusoidal(to, width), [to, width], &pass.device);
            (x * (width as f64).sqrt(), table)
        }
        Positions::Learned => (x, pass.weight("embeddings")),
    };
    x + table.slice([from..to, 0..width]).unsqueeze()
}

fn recurrent_weights(pass: &mut Pass) -> RecurrentWeights {
    RecurrentWeights {
        kernel: pass.weight("kernel"),
        recurrent_kernel: pass.weight("recurrent_kernel"),
        bias: pass.weight("bias"),
    }
}

/// Keras' dropout of recurrent layers: one mask of inputs and one of states a row, the same at every
/// step.
fn read(
    cell: Cell,
    r: &Recurrent,
    directions: usize,
    x: Tensor<3>,
    lengths: Option<Vec<usize>>,
    pass: &mut Pass,
) -> Value {
    let weights: Vec<RecurrentWeights> = (0..directions).map(|_| recurrent_weights(pass)).collect();
    let [rows, _, features] = x.dims();
    let x = pass.drop(x, [rows, 1, features], r.dropout);
    let directions = weights
        .iter()
        .enumerate()
        .map(|(i, weights)| Direction {
            weights,
            state_mask: pass.mask(rows * r.units as usize, r.recurrent_dropout),
            reverse: i == 1,
        })
        .collect();
    if r.return_sequences {
        let x = recurrent::sequence(cell, x, lengths.as_deref(), directions);
        Value::Sequence { x, lengths }
    } else {
        Value::Features(recurrent::last(cell, x, lengths.as_deref(), directions))
    }
}

fn transformer(
    t: &Transformer,
    causal: bool,
    x: Tensor<3>,
    lengths: Option<Vec<usize>>,
    pass: &mut Pass,
) -> Value {
    let weights = block_weights(pass);
    let mut masks = |n| pass.mask(n, t.dropout);
    let x = attention::block(x, &weights, t, causal, lengths.as_deref(), &mut masks);
    Value::Sequence { x, lengths }
}

pub(super) fn block_weights(pass: &mut Pass) -> BlockWeights {
    let mut dense =
        |name: &str| (pass.weight(&format!("{name}.kernel")), pass.weight(&format!("{name}.bias")));
    let [query, key, value, output] = ["query", "key", "value", "output"].map(&mut dense);
    let [inner, outer] = ["inner", "outer"].map(&mut dense);
    let mut norm =
        |name: &str| (pass.weight(&format!("{name}.gamma")), pass.weight(&format!("{name}.beta")));
    let [norm_1, norm_2] = ["norm_1", "norm_2"].map(&mut norm);
    BlockWeights { query, key, value, output, inner, outer, norm_1, norm_2 }
}
