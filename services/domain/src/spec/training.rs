//! How a network is trained: optimizer, schedule, gradients, regularisation, stopping. Names and
//! defaults are those of Keras.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum Optimizer {
    /// Gradient descent over all rows at once: one step an epoch.
    #[serde(rename = "GD", alias = "gd")]
    Gd {
        #[serde(default = "hundredth")]
        learning_rate: f64,
    },
    #[serde(rename = "SGD", alias = "sgd")]
    Sgd {
        #[serde(default = "hundredth")]
        learning_rate: f64,
        #[serde(default)]
        momentum: f64,
        #[serde(default)]
        nesterov: bool,
    },
    #[serde(alias = "adagrad")]
    Adagrad {
        #[serde(default = "thousandth")]
        learning_rate: f64,
        #[serde(default = "tenth")]
        initial_accumulator_value: f64,
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    #[serde(rename = "RMSprop", alias = "rmsprop")]
    RmsProp {
        #[serde(default = "thousandth")]
        learning_rate: f64,
        #[serde(default = "nine_tenths")]
        rho: f64,
        #[serde(default)]
        momentum: f64,
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    #[serde(alias = "adam")]
    Adam {
        #[serde(default = "thousandth")]
        learning_rate: f64,
        #[serde(default = "nine_tenths")]
        beta_1: f64,
        #[serde(default = "beta_2")]
        beta_2: f64,
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    #[serde(alias = "adamw")]
    AdamW {
        #[serde(default = "thousandth")]
        learning_rate: f64,
        #[serde(default = "nine_tenths")]
        beta_1: f64,
        #[serde(default = "beta_2")]
        beta_2: f64,
        #[serde(default = "epsilon")]
        epsilon: f64,
        /// Decoupled from the gradient (Loshchilov and Hutter, 2019); of kernels alone.
        #[serde(default = "weight_decay")]
        weight_decay: f64,
    },
}

impl Optimizer {
    pub const fn learning_rate(&self) -> f64 {
        match self {
            Self::Gd { learning_rate }
            | Self::Sgd { learning_rate, .. }
            | Self::Adagrad { learning_rate, .. }
            | Self::RmsProp { learning_rate, .. }
            | Self::Adam { learning_rate, .. }
            | Self::AdamW { learning_rate, .. } => *learning_rate,
        }
    }
}

impl Optimizer {
    /// Adam with Keras' defaults but for its rate.
    pub const fn adam(learning_rate: f64) -> Self {
        let (beta_1, beta_2, epsilon) = (nine_tenths(), beta_2(), epsilon());
        Self::Adam { learning_rate, beta_1, beta_2, epsilon }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::adam(thousandth())
    }
}

/// The learning rate over time: a linear warm-up from zero, then the curve.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Steps until the full rate is reached.
    pub warmup_steps: u32,
    pub curve: Curve,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Curve {
    #[default]
    Constant,
    /// Times `gamma` every `step_size` epochs.
    Step { step_size: u32, gamma: f64 },
    /// Half a cosine from the full rate to `alpha` of it at the last step.
    Cosine {
        #[serde(default)]
        alpha: f64,
    },
    /// With the inverse square root of the step ("Attention is all you need", 5.3).
    InverseSquareRoot,
    /// Times `factor` after `patience` epochs without a better validation loss (training loss where no
    /// rows are held back).
    ReduceOnPlateau {
        #[serde(default = "tenth")]
        factor: f64,
        #[serde(default = "ten")]
        patience: u32,
        #[serde(default = "min_delta")]
        min_delta: f64,
        #[serde(default)]
        min_learning_rate: f64,
    },
}

/// What happens to gradients before the optimizer sees them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gradient {
    /// Each number at most so far from zero.
    pub clipvalue: Option<f64>,
    /// Each tensor at most so long.
    pub clipnorm: Option<f64>,
    /// All tensors together at most so long.
    pub global_clipnorm: Option<f64>,
    /// Batches whose mean gradient makes one step.
    pub accumulation_steps: u32,
}

impl Default for Gradient {
    fn default() -> Self {
        Self { clipvalue: None, clipnorm: None, global_clipnorm: None, accumulation_steps: 1 }
    }
}

/// Penalties on kernels, added to the loss as in Keras: `l1 * sum|w| + l2 * sum w²`; both are an
/// elastic net.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Regularization {
    pub l1: f64,
    pub l2: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyStopping {
    /// A metric of each epoch; metrics whose name says loss or error are better when smaller.
    pub monitor: String,
    /// Epochs without a better value before training stops.
    pub patience: u32,
    pub min_delta: f64,
    /// Publish the weights of the best epoch instead of the last one's.
    pub restore_best_weights: bool,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self { monitor: "val_loss".into(), patience: 5, min_delta: 0.0, restore_best_weights: true }
    }
}

/// How much each class counts in the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// Rows / (classes * rows of the class), as scikit-learn's `balanced`.
    Balanced,
    #[serde(untagged)]
    Given(BTreeMap<String, f64>),
}

/// Random changes of training batches; never of validation, test or prediction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Images are padded by so many pixels and cut back to their size at a random place.
    pub random_crop: u32,
    /// Up to so many degrees either way.
    pub random_rotation: f64,
    /// Up to this share larger or smaller.
    pub random_scale: f64,
    pub horizontal_flip: bool,
    pub vertical_flip: bool,
    /// Up to this share of the full range brighter or darker.
    pub random_brightness: f64,
    /// Standard deviation of noise, as a share of the full range.
    pub gaussian_noise: f64,
    /// The chance of each token to be replaced by the unknown token.
    pub token_dropout: f64,
}

/// `folds` models are trained, each validated on the part that the others were trained on; then one on
/// all rows, which is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CrossValidation {
    pub folds: u32,
    /// Each fold with the classes in the same shares.
    pub stratified: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
}

const fn hundredth() -> f64 {
    0.01
}
const fn thousandth() -> f64 {
    0.001
}
const fn tenth() -> f64 {
    0.1
}
const fn nine_tenths() -> f64 {
    0.9
}
const fn beta_2() -> f64 {
    0.999
}
const fn epsilon() -> f64 {
    1e-7
}
const fn weight_decay() -> f64 {
    0.004
}
const fn min_delta() -> f64 {
    1e-4
}
const fn ten() -> u32 {
    10
}
