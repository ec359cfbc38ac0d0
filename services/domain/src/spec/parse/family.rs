//! The layers that a family's name stands for: the short way to a network that fits the task.

use super::*;

/// The layers of `model`'s family before the output layer.
pub(super) fn hidden(
    model: &ModelDraft,
    task: Task,
    input: &Input,
    shape: Shape,
    e: &mut FieldErrors,
) -> Vec<Layer> {
    let family = model.family.unwrap_or_else(|| default(input));
    let fits = match shape {
        Shape::Features(_) => matches!(family, Family::Linear | Family::Mlp),
        Shape::Tokens { .. } => sequence(family),
        Shape::Sequence { .. } => {
            sequence(family) || matches!(family, Family::Linear | Family::Mlp | Family::Cnn)
        }
        Shape::Image { .. } => matches!(family, Family::Linear | Family::Mlp | Family::Cnn),
        Shape::Pair { .. } => matches!(family, Family::MatrixFactorization | Family::TwoTower),
    };
    if !fits {
        let (name, usual) = (word(&family), word(&default(input)));
        e.add(
            "model.family",
            format!("{name} does not read this data ({shape}); use {usual} or give layers"),
        );
        return vec![];
    }
    match family {
        Family::Linear => flat(shape),
        Family::Mlp => [flat(shape), mlp(model, task)].concat(),
        Family::Lstm | Family::Gru | Family::BidirectionalLstm | Family::BidirectionalGru => {
            recurrent(model, family, shape)
        }
        Family::Transformer => transformer(model, task, shape),
        Family::Cnn if matches!(shape, Shape::Sequence { .. }) => causal(model, shape),
        Family::Cnn => convolutions(model),
        Family::MatrixFactorization => {
            vec![Layer::MatrixFactorization { embedding_dim: model.embedding_dim.unwrap_or(16) }]
        }
        Family::TwoTower => vec![Layer::TwoTower {
            embedding_dim: model.embedding_dim.unwrap_or(16),
            units: model.units.clone().unwrap_or_else(|| vec![32, 16]),
        }],
    }
}

const fn sequence(family: Family) -> bool {
    matches!(
        family,
        Family::Lstm
            | Family::Gru
            | Family::BidirectionalLstm
            | Family::BidirectionalGru
            | Family::Transformer
    )
}

pub(super) const fn default(input: &Input) -> Family {
    match input {
        Input::Table { .. } | Input::Series(_) => Family::Mlp,
        Input::Text { .. } => Family::BidirectionalLstm,
        Input::Corpus { .. } => Family::Transformer,
        Input::Images { .. } => Family::Cnn,
        Input::Ratings(_) => Family::MatrixFactorization,
    }
}

fn flat(shape: Shape) -> Vec<Layer> {
    if matches!(shape, Shape::Features(_)) { vec![] } else { vec![Layer::Flatten {}] }
}

fn dropout(model: &ModelDraft) -> Option<Layer> {
    model.dropout.filter(|&rate| rate > 0.0).map(|rate| Layer::Dropout { rate })
}

/// Classifiers drop a fifth unless told otherwise; a regression would lose more than it gains.
fn mlp(model: &ModelDraft, task: Task) -> Vec<Layer> {
    let classes = matches!(task, Task::BinaryClassification | Task::MulticlassClassification);
    let rate = model.dropout.unwrap_or(if classes { 0.2 } else { 0.0 });
    let dropout = (rate > 0.0).then_some(Layer::Dropout { rate });
    let activation = model.activation.unwrap_or(Activation::Relu);
    let normalize = model.batch_normalization.unwrap_or(false);
    let units = model.units.clone().unwrap_or_else(|| vec![128, 64]);
    let mut layers = vec![];
    for units in units {
        if normalize {
            layers.push(Layer::dense(units, Activation::Linear));
            layers.push(Layer::batch_normalization());
            layers.push(Layer::Activation { activation });
        } else {
            layers.push(Layer::dense(units, activation));
        }
        layers.extend(dropout.clone());
    }
    layers
}

fn embedding(model: &ModelDraft, shape: Shape, width: u32) -> Vec<Layer> {
    match shape {
        Shape::Tokens { .. } => vec![Layer::Embedding {
            output_dim: model.embedding_dim.unwrap_or(width),
            embeddings_initializer: Initializer::RandomUniform,
        }],
        _ => vec![],
    }
}

fn recurrent(model: &ModelDraft, family: Family, shape: Shape) -> Vec<Layer> {
    let units = model.units.clone().unwrap_or_else(|| vec![32]);
    let mut layers = embedding(model, shape, 128);
    let last = units.len().saturating_sub(1);
    for (i, units) in units.into_iter().enumerate() {
        let recurrent = Recurrent {
            units,
            return_sequences: i < last,
            dropout: model.dropout.unwrap_or(0.0),
            recurrent_dropout: model.recurrent_dropout.unwrap_or(0.0),
        };
        layers.push(match family {
            Family::Gru => Layer::Gru(recurrent),
            Family::BidirectionalGru => {
                Layer::Bidirectional { layer: Box::new(Layer::Gru(recurrent)) }
            }
            Family::Lstm => Layer::Lstm(recurrent),
            _ => Layer::Bidirectional { layer: Box::new(Layer::Lstm(recurrent)) },
        });
    }
    layers
}

fn transformer(model: &ModelDraft, task: Task, shape: Shape) -> Vec<Layer> {
    let generates = task == Task::LanguageModeling;
    let width = model.embedding_dim.unwrap_or(if generates { 128 } else { 32 });
    let normalize_first = model.normalize_first.unwrap_or(true);
    let block = Transformer {
        num_heads: model.num_heads.unwrap_or(if generates { 4 } else { 2 }),
        intermediate_dim: model.intermediate_dim.unwrap_or(4 * width),
        dropout: model.dropout.unwrap_or(0.0),
        activation: model.activation.unwrap_or(if generates {
            Activation::Gelu
        } else {
            Activation::Relu
        }),
        normalize_first,
        layer_norm_epsilon: 1e-5,
    };
    let kind = model.positions.unwrap_or_default();
    let mut layers = embedding(model, shape, width);
    if matches!(shape, Shape::Sequence { .. }) {
        layers.push(Layer::dense(width, Activation::Linear));
    }
    layers.push(Layer::PositionEmbedding { kind });
    for _ in 0..model.num_layers.unwrap_or(if generates { 4 } else { 1 }) {
        layers.push(if generates {
            Layer::TransformerDecoder(block.clone())
        } else {
            Layer::TransformerEncoder(block.clone())
        });
    }
    if normalize_first {
        layers.push(Layer::LayerNormalization { epsilon: 1e-5 });
    }
    if !generates {
        layers.push(Layer::GlobalAveragePooling1D {});
        layers.extend(dropout(model));
    }
    layers
}

/// Two convolutions of three steps, each reaching twice as far back as the one before.
fn causal(model: &ModelDraft, shape: Shape) -> Vec<Layer> {
    let mut layers: Vec<Layer> = model
        .filters
        .clone()
        .unwrap_or_else(|| vec![32, 32])
        .into_iter()
        .enumerate()
        .map(|(i, filters)| Layer::Conv1D {
            filters,
            kernel_size: 3,
            padding: Padding1D::Causal,
            dilation_rate: 1 << i.min(16),
            activation: model.activation.unwrap_or(Activation::Relu),
            kernel_initializer: Initializer::HeUniform,
        })
        .collect();
    layers.extend(flat(shape));
    layers.extend(dropout(model));
    layers
}

/// Blocks of two convolutions, each normalised, with a sum around the second; then a pooling.
fn convolutions(model: &ModelDraft) -> Vec<Layer> {
    let activation = model.activation.unwrap_or(Activation::Relu);
    let convolution = |filters| {
        [
            Layer::Conv2D {
                filters,
                kernel_size: 3,
                strides: 1,
                padding: Padding2D::Same,
                activation: Activation::Linear,
                use_bias: false,
                kernel_initializer: Initializer::HeUniform,
            },
            Layer::batch_normalization(),
        ]
    };
    let mut layers = vec![];
    for filters in model.filters.clone().unwrap_or_else(|| vec![16, 32]) {
        layers.extend(convolution(filters));
        layers.push(Layer::Activation { activation });
        layers.push(Layer::MaxPooling2D { pool_size: 2 });
        layers.push(Layer::Residual { layers: convolution(filters).into() });
        layers.push(Layer::Activation { activation });
    }
    layers.push(Layer::Flatten {});
    layers.extend(dropout(model));
    layers
}
