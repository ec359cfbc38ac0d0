//! Shapes: what goes from one layer to the next. A network is checked against the shape of its input
//! before anything is queued; the message says what the layer got and what it needs.

use serde::{Deserialize, Serialize};

use super::{Layer, Padding1D, Padding2D, Positions, Recurrent, Series};

/// Of one row, without the batch. A length is the longest that a row may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    Features(usize),
    Tokens { length: usize, vocabulary: usize },
    Sequence { length: usize, features: usize },
    Image { height: usize, width: usize, channels: usize },
    Pair { users: usize, items: usize },
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Features(width) => write!(f, "{width} features"),
            Self::Tokens { length, .. } => write!(f, "up to {length} tokens"),
            Self::Sequence { length, features } => {
                write!(f, "a sequence of up to {length} steps of {features} features")
            }
            Self::Image { height, width, channels } => {
                write!(f, "an image of {height} x {width} x {channels}")
            }
            Self::Pair { .. } => write!(f, "a user and an item"),
        }
    }
}

impl Layer {
    /// What the layer makes of `input`, or what it would need.
    pub fn output(&self, input: &Shape) -> Result<Shape, String> {
        use Shape::{Features, Image, Pair, Sequence, Tokens};
        let input = *input;
        match self {
            Self::Dense { units, .. } => self.dense_output(input, *units as usize),
            Self::Activation { .. }
            | Self::Dropout { .. }
            | Self::BatchNormalization { .. }
            | Self::LayerNormalization { .. } => match input {
                Tokens { .. } | Pair { .. } => {
                    self.needs(input, "numbers; put Embedding before it")
                }
                shape => Ok(shape),
            },
            Self::Flatten {} => match input {
                Features(width) => Ok(Features(width)),
                Sequence { length, features } => Ok(Features(length * features)),
                Image { height, width, channels } => Ok(Features(height * width * channels)),
                Tokens { .. } | Pair { .. } => self.needs(input, "numbers"),
            },
            Self::Residual { layers } => residual(layers, input),
            Self::Embedding { output_dim, .. } => match input {
                Tokens { length, .. } => Ok(Sequence { length, features: *output_dim as usize }),
                _ => self.needs(input, "tokens; it can only come first, on text"),
            },
            Self::PositionEmbedding { .. } => self.steps(input).map(|_| input),
            Self::Lstm(r) | Self::Gru(r) => Ok(read(self.steps(input)?[0], r, 1)),
            Self::Bidirectional { layer } => match layer.as_ref() {
                Self::Lstm(r) | Self::Gru(r) => Ok(read(self.steps(input)?[0], r, 2)),
                other => Err(format!("Bidirectional holds {} and needs LSTM or GRU", other.name())),
            },
            Self::Conv1D { filters, kernel_size, padding, dilation_rate, .. } => {
                let reach = (*kernel_size as usize).saturating_sub(1) * *dilation_rate as usize;
                let length = self.slid_steps(input, reach, *padding)?;
                Ok(Sequence { length, features: *filters as usize })
            }
            Self::GlobalAveragePooling1D {} | Self::GlobalMaxPooling1D {} => {
                Ok(Features(self.steps(input)?[1]))
            }
            Self::TransformerEncoder(t) | Self::TransformerDecoder(t) => {
                self.attended(input, t.num_heads as usize)
            }
            Self::Conv2D { filters, kernel_size, strides, padding, .. } => {
                let (size, stride) = (*kernel_size as usize, *strides as usize);
                let advice = "use padding `same`";
                let [height, width] = self.slid_pixels(input, (size, stride), *padding, advice)?;
                Ok(Image { height, width, channels: *filters as usize })
            }
            Self::MaxPooling2D { pool_size } | Self::AveragePooling2D { pool_size } => {
                let [_, _, channels] = self.pixels(input)?;
                let pool = (*pool_size as usize, *pool_size as usize);
                let padding = Padding2D::Valid;
                let [height, width] = self.slid_pixels(input, pool, padding, "pool less")?;
                Ok(Image { height, width, channels })
            }
            Self::GlobalAveragePooling2D {} => Ok(Features(self.pixels(input)?[2])),
            Self::MatrixFactorization { .. } | Self::TwoTower { .. } => match input {
                Pair { .. } => Ok(Features(1)),
                _ => self.needs(
                    input,
                    "a user and an item; it can only come first, in a recommendation",
                ),
            },
        }
    }

    fn needs<T>(&self, input: Shape, what: &str) -> Result<T, String> {
        Err(format!("{} got {input} and needs {what}", self.name()))
    }

    fn dense_output(&self, input: Shape, units: usize) -> Result<Shape, String> {
        match input {
            Shape::Features(_) => Ok(Shape::Features(units)),
            Shape::Sequence { length, .. } => Ok(Shape::Sequence { length, features: units }),
            Shape::Image { .. } => self.needs(input, "features; put Flatten before it"),
            Shape::Tokens { .. } => self.needs(input, "numbers; put Embedding before it"),
            Shape::Pair { .. } => self.needs(input, "numbers"),
        }
    }

    /// Length and features of a sequence.
    fn steps(&self, input: Shape) -> Result<[usize; 2], String> {
        match input {
            Shape::Sequence { length, features } => Ok([length, features]),
            Shape::Features(_) => self.needs(
                input,
                "a sequence; set return_sequences on the recurrent layer before it, or leave out \
                 what made features of the sequence",
            ),
            _ => self.needs(input, "a sequence; put Embedding before it"),
        }
    }

    /// Steps that are left by a window which reaches so many steps back.
    fn slid_steps(&self, input: Shape, reach: usize, padding: Padding1D) -> Result<usize, String> {
        let [length, _] = self.steps(input)?;
        match padding {
            Padding1D::Same | Padding1D::Causal => Ok(length),
            Padding1D::Valid if reach < length => Ok(length - reach),
            Padding1D::Valid => {
                let least = reach + 1;
                self.needs(
                    input,
                    &format!("at least {least} steps; use padding `same` or `causal`"),
                )
            }
        }
    }

    fn attended(&self, input: Shape, heads: usize) -> Result<Shape, String> {
        let [_, features] = self.steps(input)?;
        if heads > 0 && features.is_multiple_of(heads) {
            return Ok(input);
        }
        self.needs(input, &format!("features that {heads} heads divide evenly"))
    }

    /// Height, width and channels of an image.
    fn pixels(&self, input: Shape) -> Result<[usize; 3], String> {
        match input {
            Shape::Image { height, width, channels } => Ok([height, width, channels]),
            _ => self.needs(input, "an image"),
        }
    }

    /// Height and width that are left by a window.
    fn slid_pixels(
        &self,
        input: Shape,
        (size, stride): (usize, usize),
        padding: Padding2D,
        advice: &str,
    ) -> Result<[usize; 2], String> {
        let [height, width, _] = self.pixels(input)?;
        let sides = [height, width].map(|side| slid(side, size, stride, padding));
        match sides {
            [Some(height), Some(width)] => Ok([height, width]),
            _ => self.needs(input, &format!("at least {size} x {size} pixels; {advice}")),
        }
    }
}

/// What a recurrent layer makes of so many steps, in one or both directions.
const fn read(length: usize, layer: &Recurrent, directions: usize) -> Shape {
    let features = directions * layer.units as usize;
    if layer.return_sequences {
        Shape::Sequence { length, features }
    } else {
        Shape::Features(features)
    }
}

/// Places of a window of `size` that moves by `stride`, if there is one.
const fn slid(n: usize, size: usize, stride: usize, padding: Padding2D) -> Option<usize> {
    match padding {
        _ if size == 0 || stride == 0 => None,
        Padding2D::Same => Some(n.div_ceil(stride)),
        Padding2D::Valid if size <= n => Some((n - size) / stride + 1),
        Padding2D::Valid => None,
    }
}

/// The shape inside may change in width alone: the rest must fit for the sum.
fn residual(layers: &[Layer], input: Shape) -> Result<Shape, String> {
    if matches!(input, Shape::Tokens { .. } | Shape::Pair { .. }) {
        return Err(format!("Residual got {input} and needs numbers; put Embedding before it"));
    }
    let mut shape = input;
    for (i, layer) in layers.iter().enumerate() {
        shape = layer.output(&shape).map_err(|why| format!("layers[{i}]: {why}"))?;
    }
    let fits = match (input, shape) {
        (Shape::Features(_), Shape::Features(_)) => true,
        (Shape::Sequence { length: a, .. }, Shape::Sequence { length: b, .. }) => a == b,
        (Shape::Image { .. }, Shape::Image { .. }) => true,
        _ => false,
    };
    if fits {
        Ok(shape)
    } else {
        Err(format!("Residual got {input} and its layers make {shape} of it, which do not add up"))
    }
}

impl Layer {
    /// How many numbers the layer learns on `input`.
    pub fn parameters(&self, input: &Shape) -> u64 {
        let width = match *input {
            Shape::Features(width) => width,
            Shape::Sequence { features, .. } => features,
            Shape::Image { channels, .. } => channels,
            Shape::Tokens { vocabulary, .. } => vocabulary,
            Shape::Pair { users, items } => users.saturating_add(items),
        } as u64;
        let recurrent = |r: &Recurrent, gates: u64, biases: u64| {
            let units = u64::from(r.units);
            gates * units * (width + units + biases)
        };
        match self {
            Self::Dense { units, use_bias, .. } => {
                (width + u64::from(*use_bias)).saturating_mul(u64::from(*units))
            }
            Self::BatchNormalization { .. } | Self::LayerNormalization { .. } => 2 * width,
            Self::Embedding { output_dim, .. } => width.saturating_mul(u64::from(*output_dim)),
            Self::PositionEmbedding { kind: Positions::Learned } => match *input {
                Shape::Sequence { length, features } => {
                    (length as u64).saturating_mul(features as u64)
                }
                _ => 0,
            },
            Self::Lstm(r) => recurrent(r, 4, 1),
            Self::Gru(r) => recurrent(r, 3, 2),
            Self::Bidirectional { layer } => layer.parameters(input).saturating_mul(2),
            Self::Conv1D { filters, kernel_size, .. } => width
                .saturating_mul((*kernel_size).into())
                .saturating_add(1)
                .saturating_mul((*filters).into()),
            Self::Conv2D { filters, kernel_size, use_bias, .. } => width
                .saturating_mul(u64::from(*kernel_size).pow(2))
                .saturating_add(u64::from(*use_bias))
                .saturating_mul((*filters).into()),
            Self::Residual { layers } => {
                let mut shape = *input;
                let mut total = 0_u64;
                for layer in layers {
                    total = total.saturating_add(layer.parameters(&shape));
                    shape = layer.output(&shape).unwrap_or(shape);
                }
                total
            }
            Self::TransformerEncoder(t) | Self::TransformerDecoder(t) => {
                let inner = u64::from(t.intermediate_dim);
                4 * width * (width + 1) + inner * (width + 1) + width * (inner + 1) + 4 * width
            }
            Self::MatrixFactorization { embedding_dim } => {
                width.saturating_mul(u64::from(*embedding_dim) + 1).saturating_add(1)
            }
            Self::TwoTower { embedding_dim, units } => {
                let mut inputs = u64::from(*embedding_dim);
                let mut tower = 0_u64;
                for &units in units {
                    tower = tower.saturating_add((inputs + 1).saturating_mul(units.into()));
                    inputs = units.into();
                }
                width
                    .saturating_mul(u64::from(*embedding_dim) + 1)
                    .saturating_add(2 * tower)
                    .saturating_add(1)
            }
            _ => 0,
        }
    }
}

impl Series {
    /// Features of one step of a window: the value, and what is known of this step and of the one
    /// `horizon` steps later.
    pub fn channels(&self, known: usize) -> usize {
        1 + 2 * (2 * self.calendar.len() + known)
    }
}
