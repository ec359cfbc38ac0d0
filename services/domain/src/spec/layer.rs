//! The layers of a network, under Keras' names and with Keras' defaults. A specification's layers run
//! one after another; what each makes of a shape is said in [`super::shape`].

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum Layer {
    #[serde(alias = "dense")]
    Dense {
        units: u32,
        #[serde(default)]
        activation: Activation,
        #[serde(default = "yes")]
        use_bias: bool,
        #[serde(default)]
        kernel_initializer: Initializer,
    },
    Activation {
        activation: Activation,
    },
    #[serde(alias = "dropout")]
    Dropout {
        rate: f64,
    },
    BatchNormalization {
        #[serde(default = "momentum")]
        momentum: f64,
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    LayerNormalization {
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    Flatten {},
    /// One learned vector a token; the number of tokens is that of the fitted vocabulary.
    Embedding {
        output_dim: u32,
        #[serde(default = "embeddings")]
        embeddings_initializer: Initializer,
    },
    /// Adds to each place of a sequence a vector that says which place it is.
    PositionEmbedding {
        #[serde(default)]
        kind: Positions,
    },
    #[serde(rename = "LSTM")]
    Lstm(Recurrent),
    #[serde(rename = "GRU")]
    Gru(Recurrent),
    /// An LSTM or GRU that reads the sequence both ways; both results side by side.
    Bidirectional {
        #[schema(no_recursion)]
        layer: Box<Layer>,
    },
    Conv1D {
        filters: u32,
        kernel_size: u32,
        #[serde(default)]
        padding: Padding1D,
        #[serde(default = "one")]
        dilation_rate: u32,
        #[serde(default)]
        activation: Activation,
        #[serde(default)]
        kernel_initializer: Initializer,
    },
    GlobalAveragePooling1D {},
    GlobalMaxPooling1D {},
    Conv2D {
        filters: u32,
        /// Of the square kernel's side.
        kernel_size: u32,
        #[serde(default = "one")]
        strides: u32,
        #[serde(default)]
        padding: Padding2D,
        #[serde(default)]
        activation: Activation,
        #[serde(default = "yes")]
        use_bias: bool,
        #[serde(default)]
        kernel_initializer: Initializer,
    },
    MaxPooling2D {
        #[serde(default = "two")]
        pool_size: u32,
    },
    AveragePooling2D {
        #[serde(default = "two")]
        pool_size: u32,
    },
    GlobalAveragePooling2D {},
    /// Adds its input to what the layers inside make of it; where the width changes, the input goes
    /// through a projection first.
    Residual {
        #[schema(no_recursion)]
        layers: Vec<Layer>,
    },
    /// Self-attention over the whole sequence, then a feed-forward network.
    TransformerEncoder(Transformer),
    /// The same, but each place sees itself and what is before it.
    TransformerDecoder(Transformer),
    /// The rating of a pair: overall mean, the user's and the item's bias, and the product of their
    /// vectors.
    MatrixFactorization {
        embedding_dim: u32,
    },
    /// Users and items each go through an embedding and dense layers; the rating is the product of the
    /// two results plus both biases and the overall mean.
    TwoTower {
        embedding_dim: u32,
        units: Vec<u32>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recurrent {
    pub units: u32,
    /// The result of every step instead of the last one's.
    #[serde(default)]
    pub return_sequences: bool,
    /// Share of the inputs dropped, the same ones at every step.
    #[serde(default)]
    pub dropout: f64,
    /// Share of the state dropped, the same parts at every step (Gal and Ghahramani, 2016).
    #[serde(default)]
    pub recurrent_dropout: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transformer {
    pub num_heads: u32,
    /// Width of the feed-forward network between its two dense layers.
    pub intermediate_dim: u32,
    #[serde(default)]
    pub dropout: f64,
    #[serde(default = "relu")]
    pub activation: Activation,
    /// Normalise before attention and feed-forward (pre-norm) instead of after them.
    #[serde(default = "yes")]
    pub normalize_first: bool,
    #[serde(default = "small")]
    pub layer_norm_epsilon: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    #[default]
    Linear,
    Relu,
    /// `x` above 0, `0.2 x` below.
    LeakyRelu,
    Elu,
    /// By the error function, not the approximation by tanh.
    Gelu,
    /// `x * sigmoid(x)`.
    Silu,
    Sigmoid,
    Tanh,
    Softmax,
}

impl Activation {
    /// Of a leaky rectifier below 0; Keras' default.
    pub const LEAK: f32 = 0.2;
}

/// How kernels start; Xavier's is `glorot`. Biases start at zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Initializer {
    Zeros,
    /// From -0.05 to 0.05.
    RandomUniform,
    /// Mean 0, standard deviation 0.05.
    RandomNormal,
    #[default]
    #[serde(alias = "xavier_uniform")]
    GlorotUniform,
    #[serde(alias = "xavier_normal")]
    GlorotNormal,
    HeUniform,
    HeNormal,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Sines and cosines ("Attention is all you need", 3.5), after the embeddings were multiplied
    /// by the square root of their width (3.4).
    #[default]
    Sinusoidal,
    Learned,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Padding1D {
    #[default]
    Valid,
    Same,
    /// Padded at the start alone: a place sees nothing that comes after it.
    Causal,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Padding2D {
    #[default]
    Valid,
    Same,
}

impl Padding1D {
    /// Zeros before the first of `length` places and after the last, for a window that spans `reach`
    /// places besides its own. `same` is TensorFlow's: as many windows as strides fit, and of an odd
    /// number of zeros one more at the end.
    pub fn zeros(self, length: usize, reach: usize, stride: usize) -> [usize; 2] {
        match self {
            Self::Valid => [0, 0],
            Self::Causal => [reach, 0],
            Self::Same => {
                let windows = length.div_ceil(stride);
                let zeros = ((windows - 1) * stride + reach + 1).saturating_sub(length);
                [zeros / 2, zeros - zeros / 2]
            }
        }
    }
}

impl From<Padding2D> for Padding1D {
    /// Along either side.
    fn from(padding: Padding2D) -> Self {
        match padding {
            Padding2D::Valid => Self::Valid,
            Padding2D::Same => Self::Same,
        }
    }
}

impl Layer {
    /// A dense layer with Keras' defaults.
    pub const fn dense(units: u32, activation: Activation) -> Self {
        let kernel_initializer = Initializer::GlorotUniform;
        Self::Dense { units, activation, use_bias: true, kernel_initializer }
    }

    /// Whether the result at a place of a sequence depends on what comes after it.
    pub fn looks_ahead(&self) -> bool {
        match self {
            Self::TransformerEncoder(_) | Self::Bidirectional { .. } => true,
            Self::Conv1D { padding, .. } => *padding != Padding1D::Causal,
            Self::Residual { layers } => layers.iter().any(Self::looks_ahead),
            _ => false,
        }
    }

    pub const fn batch_normalization() -> Self {
        Self::BatchNormalization { momentum: momentum(), epsilon: epsilon() }
    }

    /// Whether its result at a place can be made from that place alone and from what attention has seen
    /// before: then a language model writes one token after another without reading all again.
    pub fn goes_place_by_place(&self) -> bool {
        match self {
            Self::Dense { .. }
            | Self::Activation { .. }
            | Self::Dropout { .. }
            | Self::BatchNormalization { .. }
            | Self::LayerNormalization { .. }
            | Self::Embedding { .. }
            | Self::PositionEmbedding { .. }
            | Self::TransformerDecoder(_) => true,
            Self::Residual { layers } => layers.iter().all(|layer| {
                layer.goes_place_by_place() && !matches!(layer, Self::TransformerDecoder(_))
            }),
            _ => false,
        }
    }

    /// Whether it counts on every row of a batch having as many steps as a row may have.
    pub fn needs_full_length(&self) -> bool {
        match self {
            Self::Flatten {} | Self::Conv1D { padding: Padding1D::Valid, .. } => true,
            Self::Residual { layers } => layers.iter().any(Self::needs_full_length),
            _ => false,
        }
    }

    /// Its name in Keras.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Dense { .. } => "Dense",
            Self::Activation { .. } => "Activation",
            Self::Dropout { .. } => "Dropout",
            Self::BatchNormalization { .. } => "BatchNormalization",
            Self::LayerNormalization { .. } => "LayerNormalization",
            Self::Flatten {} => "Flatten",
            Self::Embedding { .. } => "Embedding",
            Self::PositionEmbedding { .. } => "PositionEmbedding",
            Self::Lstm(_) => "LSTM",
            Self::Gru(_) => "GRU",
            Self::Bidirectional { .. } => "Bidirectional",
            Self::Conv1D { .. } => "Conv1D",
            Self::GlobalAveragePooling1D {} => "GlobalAveragePooling1D",
            Self::GlobalMaxPooling1D {} => "GlobalMaxPooling1D",
            Self::Conv2D { .. } => "Conv2D",
            Self::MaxPooling2D { .. } => "MaxPooling2D",
            Self::AveragePooling2D { .. } => "AveragePooling2D",
            Self::GlobalAveragePooling2D {} => "GlobalAveragePooling2D",
            Self::Residual { .. } => "Residual",
            Self::TransformerEncoder(_) => "TransformerEncoder",
            Self::TransformerDecoder(_) => "TransformerDecoder",
            Self::MatrixFactorization { .. } => "MatrixFactorization",
            Self::TwoTower { .. } => "TwoTower",
        }
    }
}

const fn yes() -> bool {
    true
}
const fn one() -> u32 {
    1
}
const fn two() -> u32 {
    2
}
const fn momentum() -> f64 {
    0.99
}
const fn epsilon() -> f64 {
    1e-3
}
const fn small() -> f64 {
    1e-5
}
const fn relu() -> Activation {
    Activation::Relu
}
const fn embeddings() -> Initializer {
    Initializer::RandomUniform
}
