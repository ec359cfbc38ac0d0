//! The arrays that a list of layers needs: names, shapes, and how they start.

use domain::spec::{Initializer, Layer, Positions, Recurrent, Shape, Transformer};

use crate::{
    chance::Chance,
    error::EngineError,
    optimize::{initial, orthogonal},
};

/// What training does with an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Trained, and what penalties and weight decay apply to.
    Kernel,
    /// Trained.
    Other,
    /// Kept by the layer itself: running statistics.
    State,
}

impl Role {
    pub const fn is_trained(self) -> bool {
        !matches!(self, Self::State)
    }
}

pub(super) struct Declared {
    pub name: String,
    pub shape: Vec<usize>,
    pub role: Role,
    pub start: Start,
}

pub(super) enum Start {
    Constant(f32),
    Random {
        initializer: Initializer,
        fan_in: usize,
        fan_out: usize,
    },
    /// Keras' start of recurrent kernels.
    Orthogonal,
    /// Keras' `unit_forget_bias`: ones for the forget gate, which is the second of four.
    ForgetGate,
    /// Small normal numbers, and none in row 0, which stands for what is unknown.
    Vectors {
        deviation: f32,
    },
}

impl Start {
    pub fn values(&self, shape: &[usize], chance: &mut Chance) -> Vec<f32> {
        let len = shape.iter().product();
        match self {
            Self::Constant(value) => vec![*value; len],
            Self::Random { initializer, fan_in, fan_out } => {
                initial(*initializer, shape, *fan_in, *fan_out, chance)
            }
            Self::Orthogonal => orthogonal(shape[0], shape[1], chance),
            Self::ForgetGate => {
                let units = len / 4;
                (0..len).map(|i| if i / units == 1 { 1.0 } else { 0.0 }).collect()
            }
            Self::Vectors { deviation } => {
                let width = shape[1];
                let draw = |i| if i < width { 0.0 } else { chance.normal() * deviation };
                (0..len).map(draw).collect()
            }
        }
    }
}

pub(super) fn declare(layers: &[Layer], input: Shape) -> Result<Vec<Declared>, EngineError> {
    let mut arrays = Arrays { list: vec![], prefix: String::new() };
    let mut shape = input;
    for (i, layer) in layers.iter().enumerate() {
        arrays.prefix = format!("layers.{i}");
        arrays.layer(layer, shape);
        shape = layer
            .output(&shape)
            .map_err(|why| EngineError::LayerDoesNotFit { layer: i.to_string(), why })?;
    }
    Ok(arrays.list)
}

struct Arrays {
    list: Vec<Declared>,
    prefix: String,
}

impl Arrays {
    fn add(&mut self, name: &str, shape: impl Into<Vec<usize>>, role: Role, start: Start) {
        let name = format!("{}.{name}", self.prefix);
        self.list.push(Declared { name, shape: shape.into(), role, start });
    }

    fn kernel(&mut self, name: &str, shape: [usize; 2], initializer: Initializer) {
        let [fan_in, fan_out] = shape;
        self.add(name, shape, Role::Kernel, Start::Random { initializer, fan_in, fan_out });
    }

    fn constant(&mut self, name: &str, width: usize, value: f32) {
        self.add(name, [width], Role::Other, Start::Constant(value));
    }

    fn within(&mut self, part: &str, fill: impl FnOnce(&mut Self)) {
        let outer = self.prefix.clone();
        self.prefix = format!("{outer}.{part}");
        fill(self);
        self.prefix = outer;
    }

    fn layer(&mut self, layer: &Layer, input: Shape) {
        let width = width(input);
        match layer {
            Layer::Dense { units, use_bias, kernel_initializer, .. } => {
                let units = *units as usize;
                self.kernel("kernel", [width, units], *kernel_initializer);
                if *use_bias {
                    self.constant("bias", units, 0.0);
                }
            }
            Layer::BatchNormalization { .. } => {
                self.constant("gamma", width, 1.0);
                self.constant("beta", width, 0.0);
                self.add("moving_mean", [width], Role::State, Start::Constant(0.0));
                self.add("moving_variance", [width], Role::State, Start::Constant(1.0));
            }
            Layer::LayerNormalization { .. } => self.norm("", width),
            Layer::Embedding { output_dim, embeddings_initializer } => {
                let shape = [width, *output_dim as usize];
                self.kernel("embeddings", shape, *embeddings_initializer);
            }
            Layer::PositionEmbedding { kind: Positions::Learned } => {
                if let Shape::Sequence { length, features } = input {
                    self.kernel("embeddings", [length, features], Initializer::RandomUniform);
                }
            }
            Layer::Lstm(r) => self.lstm(r, width),
            Layer::Gru(r) => self.gru(r, width),
            Layer::Bidirectional { layer } => {
                for direction in ["forward", "backward"] {
                    self.within(direction, |arrays| arrays.layer(layer, input));
                }
            }
            Layer::Conv1D { filters, kernel_size, kernel_initializer, .. } => {
                let (size, filters) = (*kernel_size as usize, *filters as usize);
                self.convolution([size, width, filters].into(), *kernel_initializer, true);
            }
            Layer::Conv2D { filters, kernel_size, use_bias, kernel_initializer, .. } => {
                let (size, filters) = (*kernel_size as usize, *filters as usize);
                let shape = [size, size, width, filters].into();
                self.convolution(shape, *kernel_initializer, *use_bias);
            }
            Layer::Residual { layers } => self.residual(layers, input),
            Layer::TransformerEncoder(t) | Layer::TransformerDecoder(t) => {
                self.transformer(t, width);
            }
            Layer::MatrixFactorization { embedding_dim } => {
                self.pair(input, *embedding_dim as usize, &[]);
            }
            Layer::TwoTower { embedding_dim, units } => {
                self.pair(input, *embedding_dim as usize, units);
            }
            Layer::Activation { .. }
            | Layer::Dropout { .. }
            | Layer::Flatten {}
            | Layer::PositionEmbedding { kind: Positions::Sinusoidal }
            | Layer::GlobalAveragePooling1D {}
            | Layer::GlobalMaxPooling1D {}
            | Layer::MaxPooling2D { .. }
            | Layer::AveragePooling2D { .. }
            | Layer::GlobalAveragePooling2D {} => {}
        }
    }

    fn norm(&mut self, prefix: &str, width: usize) {
        self.constant(&format!("{prefix}gamma"), width, 1.0);
        self.constant(&format!("{prefix}beta"), width, 0.0);
    }

    fn lstm(&mut self, r: &Recurrent, width: usize) {
        let units = r.units as usize;
        self.kernel("kernel", [width, 4 * units], Initializer::GlorotUniform);
        self.add("recurrent_kernel", [units, 4 * units], Role::Kernel, Start::Orthogonal);
        self.add("bias", [4 * units], Role::Other, Start::ForgetGate);
    }

    fn gru(&mut self, r: &Recurrent, width: usize) {
        let units = r.units as usize;
        self.kernel("kernel", [width, 3 * units], Initializer::GlorotUniform);
        self.add("recurrent_kernel", [units, 3 * units], Role::Kernel, Start::Orthogonal);
        self.constant("bias", 6 * units, 0.0);
    }

    /// `shape`: the sides of the kernel, channels, filters.
    fn convolution(&mut self, shape: Vec<usize>, initializer: Initializer, bias: bool) {
        let (size, last) = shape.split_at(shape.len() - 2);
        let size = size.iter().fold(1_usize, |size, &side| size.saturating_mul(side));
        let (channels, filters) = (last[0], last[1]);
        let (fan_in, fan_out) = (channels.saturating_mul(size), filters.saturating_mul(size));
        self.add("kernel", shape, Role::Kernel, Start::Random { initializer, fan_in, fan_out });
        if bias {
            self.constant("bias", filters, 0.0);
        }
    }

    fn residual(&mut self, layers: &[Layer], input: Shape) {
        let mut shape = input;
        for (i, layer) in layers.iter().enumerate() {
            self.within(&format!("layers.{i}"), |arrays| arrays.layer(layer, shape));
            shape = layer.output(&shape).unwrap_or(shape);
        }
        if shape != input {
            let (from, to) = (width(input), width(shape));
            self.kernel("projection", [from, to], Initializer::GlorotUniform);
        }
    }

    fn transformer(&mut self, t: &Transformer, width: usize) {
        for name in ["query", "key", "value", "output"] {
            self.kernel(&format!("{name}.kernel"), [width, width], Initializer::GlorotUniform);
            self.constant(&format!("{name}.bias"), width, 0.0);
        }
        let inner = t.intermediate_dim as usize;
        for (name, from, to) in [("inner", width, inner), ("outer", inner, width)] {
            self.kernel(&format!("{name}.kernel"), [from, to], Initializer::GlorotUniform);
            self.constant(&format!("{name}.bias"), to, 0.0);
        }
        self.norm("norm_1.", width);
        self.norm("norm_2.", width);
    }

    /// Row 0 of each is for those that training has not seen.
    fn pair(&mut self, input: Shape, width: usize, units: &[u32]) {
        let Shape::Pair { users, items } = input else { return };
        for (side, n) in [("user", users), ("item", items)] {
            let start = Start::Vectors { deviation: 0.1 };
            self.add(&format!("{side}.embeddings"), [n, width], Role::Kernel, start);
            let start = Start::Constant(0.0);
            self.add(&format!("{side}.biases"), [n], Role::Kernel, start);
            let mut inputs = width;
            for (i, &units) in units.iter().enumerate() {
                let units = units as usize;
                let kernel = format!("{side}.tower.{i}.kernel");
                self.kernel(&kernel, [inputs, units], Initializer::GlorotUniform);
                self.constant(&format!("{side}.tower.{i}.bias"), units, 0.0);
                inputs = units;
            }
        }
        self.constant("mean", 1, 0.0);
    }
}

/// The width that a layer's kernels read: features, channels, or the vocabulary of an embedding.
const fn width(shape: Shape) -> usize {
    match shape {
        Shape::Features(width) => width,
        Shape::Sequence { features, .. } => features,
        Shape::Image { channels, .. } => channels,
        Shape::Tokens { vocabulary, .. } => vocabulary,
        Shape::Pair { .. } => 0,
    }
}
