//! Activations, as operations of their own: the tensor library evaluates most of them one number at a
//! time, in one thread. The backward pass needs what came out where the slope is simple by that, and
//! else the slope itself, which shares most of its work with the forward pass.

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        flex::FlexTensor,
        tensor::FloatTensor,
    },
    tensor::{Tensor, activation},
};
use domain::spec::Activation;
use rayon::prelude::*;

use super::{
    flex::{contiguous, into_values, shape, slice, stored, zeros},
    simd::{CHUNK, PARALLEL_FROM, exp, sigmoid, tanh, vectorized},
};

pub(crate) fn activate<const D: usize>(x: Tensor<D>, kind: Activation) -> Tensor<D> {
    match Curve::of(kind) {
        Some(curve) => Tensor::from_dispatch(<Dispatch as Bend>::bend(x.into_dispatch(), curve)),
        None if kind == Activation::Softmax => activation::softmax(x, D - 1),
        None => x,
    }
}

/// An activation of each number by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    Relu,
    /// Keras' slope of 0.2 below 0.
    LeakyRelu,
    Elu,
    /// `x Φ(x)` (Hendrycks and Gimpel, 2016), Φ by the error function.
    Gelu,
    /// `x σ(x)`.
    Silu,
    Sigmoid,
    Tanh,
}

/// What the backward pass takes the slope from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Output,
    Slope,
}

/// `$values` become what is made of each. (Macros, since a closure that is handed to a function would be
/// compiled without the vectors that this one is run with.)
macro_rules! map {
    ($values:expr, |$x:ident| $made:expr) => {
        vectorized(
            #[inline(always)]
            || {
                for value in $values.iter_mut() {
                    let $x = *value;
                    *value = $made;
                }
            },
        )
    };
}

/// `$values` and `$others` become what is made of each of `$values`.
macro_rules! map_twice {
    ($values:expr, $others:expr, |$x:ident| $made:expr) => {
        vectorized(
            #[inline(always)]
            || {
                for (value, other) in $values.iter_mut().zip($others.iter_mut()) {
                    let $x = *value;
                    (*value, *other) = $made;
                }
            },
        )
    };
}

/// `$gradient` becomes what is made of each and of what is kept for it.
macro_rules! slopes {
    ($kept:expr, $gradient:expr, |$at:ident, $g:ident| $made:expr) => {
        vectorized(
            #[inline(always)]
            || {
                for (value, &$at) in $gradient.iter_mut().zip($kept) {
                    let $g = *value;
                    *value = $made;
                }
            },
        )
    };
}

impl Curve {
    /// None of the identity and of softmax, which looks at whole rows.
    pub const fn of(activation: Activation) -> Option<Self> {
        Some(match activation {
            Activation::Relu => Self::Relu,
            Activation::LeakyRelu => Self::LeakyRelu,
            Activation::Elu => Self::Elu,
            Activation::Gelu => Self::Gelu,
            Activation::Silu => Self::Silu,
            Activation::Sigmoid => Self::Sigmoid,
            Activation::Tanh => Self::Tanh,
            Activation::Linear | Activation::Softmax => return None,
        })
    }

    pub const fn kept(self) -> Kept {
        match self {
            Self::Gelu | Self::Silu => Kept::Slope,
            _ => Kept::Output,
        }
    }

    /// In place, by this thread. A NaN stays one.
    pub fn forward(self, values: &mut [f32]) {
        match self {
            Self::Relu => map!(values, |x| if x < 0.0 { 0.0 } else { x }),
            Self::LeakyRelu => map!(values, |x| if x < 0.0 { Activation::LEAK * x } else { x }),
            Self::Elu => map!(values, |x| if x < 0.0 { exp(x) - 1.0 } else { x }),
            Self::Gelu => map!(values, |x| x * normal_cdf(x)),
            Self::Silu => map!(values, |x| x * sigmoid(x)),
            Self::Sigmoid => map!(values, |x| sigmoid(x)),
            Self::Tanh => map!(values, |x| tanh(x)),
        }
    }

    /// [`Self::forward`] where [`Self::kept`] asks for slopes, and these.
    pub fn forward_with_slopes(self, values: &mut [f32], slopes: &mut [f32]) {
        const DENSITY_AT_0: f32 = 0.398_942_3;
        match self {
            Self::Gelu => map_twice!(values, slopes, |x| {
                let below = normal_cdf(x);
                (x * below, below + x * DENSITY_AT_0 * exp(-0.5 * x * x))
            }),
            Self::Silu => map_twice!(values, slopes, |x| {
                let share = sigmoid(x);
                (x * share, share * (1.0 + x * (1.0 - share)))
            }),
            _ => self.forward(values),
        }
    }

    /// `gradient` becomes that of the input, by this thread; `kept` is what [`Self::kept`] says.
    pub fn backward(self, kept: &[f32], gradient: &mut [f32]) {
        match self {
            Self::Relu => slopes!(kept, gradient, |y, g| if y > 0.0 { g } else { 0.0 }),
            Self::LeakyRelu => {
                slopes!(kept, gradient, |y, g| if y > 0.0 { g } else { Activation::LEAK * g })
            }
            Self::Elu => slopes!(kept, gradient, |y, g| if y > 0.0 { g } else { g * (y + 1.0) }),
            Self::Gelu | Self::Silu => slopes!(kept, gradient, |slope, g| g * slope),
            Self::Sigmoid => slopes!(kept, gradient, |y, g| g * y * (1.0 - y)),
            Self::Tanh => slopes!(kept, gradient, |y, g| g * (1.0 - y * y)),
        }
    }
}

/// In chunks, by all threads if there are enough of them.
fn forward(values: &mut [f32], curve: Curve) {
    if values.len() < PARALLEL_FROM {
        curve.forward(values);
    } else {
        values.par_chunks_mut(CHUNK).for_each(|chunk| curve.forward(chunk));
    }
}

fn forward_with_slopes(values: &mut [f32], curve: Curve) -> Vec<f32> {
    let mut slopes = zeros(values.len());
    if values.len() < PARALLEL_FROM {
        curve.forward_with_slopes(values, &mut slopes);
    } else {
        let chunks = values.par_chunks_mut(CHUNK).zip(slopes.par_chunks_mut(CHUNK));
        chunks.for_each(|(values, slopes)| curve.forward_with_slopes(values, slopes));
    }
    slopes
}

fn backward(kept: &[f32], gradient: &mut [f32], curve: Curve) {
    if gradient.len() < PARALLEL_FROM {
        curve.backward(kept, gradient);
    } else {
        let chunks = gradient.par_chunks_mut(CHUNK).zip(kept.par_chunks(CHUNK));
        chunks.for_each(|(gradient, kept)| curve.backward(kept, gradient));
    }
}

#[backend_extension(Flex, Autodiff)]
trait Bend: Backend {
    fn bend(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self>;
}

impl Bend for Flex {
    fn bend(x: FlexTensor, curve: Curve) -> FlexTensor {
        let shape = shape(&x);
        let mut values = into_values(x);
        forward(&mut values, curve);
        stored(values, shape)
    }
}

impl<C: CheckpointStrategy> Bend for Autodiff<Flex, C> {
    fn bend(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        let node = x.node();
        let x = x.into_primitive();
        let (y, kept) = match curve.kept() {
            Kept::Slope => {
                let shape = shape(&x);
                let mut values = into_values(x);
                let slopes = forward_with_slopes(&mut values, curve);
                (stored(values, shape.clone()), stored(slopes, shape))
            }
            Kept::Output => {
                let y = Flex::bend(x, curve);
                (y.clone(), y)
            }
        };
        match BendBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((kept, curve), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

#[derive(Debug)]
struct BendBackward;

impl Backward<Flex, 1> for BendBackward {
    type State = (FlexTensor, Curve);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = into_values(gradients.consume::<Flex>(&ops.node));
        let (kept, curve) = ops.state;
        if let [Some(node)] = ops.parents {
            let kept = contiguous(&kept);
            backward(slice(&kept), &mut gradient, curve);
            gradients.register::<Flex>(node.id, stored(gradient, shape(&kept)));
        }
    }
}

#[inline(always)]
fn normal_cdf(x: f32) -> f32 {
    0.5 + 0.5 * erf(x * std::f32::consts::FRAC_1_SQRT_2)
}

/// The error function, within a few units in the last place: an odd rational function up to 4, from
/// where on it is 1 in single precision. The coefficients are those of the Eigen library.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let mut above = -2.726_142_3e-10;
    for c in [
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ] {
        above = above * square + c;
    }
    let mut below = -1.456_607_2e-5;
    for c in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329_2e-3, -1.426_473_9e-2] {
        below = below * square + c;
    }
    x * above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Curve; 7] = [
        Curve::Relu,
        Curve::LeakyRelu,
        Curve::Elu,
        Curve::Gelu,
        Curve::Silu,
        Curve::Sigmoid,
        Curve::Tanh,
    ];

    fn of(curve: Curve, x: f32) -> f32 {
        let mut values = [x];
        curve.forward(&mut values);
        values[0]
    }

    #[test]
    fn erf_and_the_curves_are_right_to_single_precision() {
        // From Python's math module: x, erf(x), x Φ(x), x σ(x).
        let known = [
            (-6.0_f32, -1.0, -5.919_525_9e-9, -1.483_573_9e-2),
            (-1.5, -0.966_105_15, -0.100_210_8, -0.273_638_29),
            (-0.1, -0.112_462_92, -4.601_721_7e-2, -4.750_208_2e-2),
            (0.0, 0.0, 0.0, 0.0),
            (0.7, 0.677_801_19, 0.530_625_43, 0.467_731_43),
            (3.3, 0.999_996_94, 3.298_404_7, 3.182_615),
            (20.0, 1.0, 20.0, 20.0),
        ];
        let near = |got: f32, known: f64, least: f64| {
            let off = (f64::from(got) - known).abs();
            assert!(off <= 3e-7 * known.abs() + least, "{got} for {known}");
        };
        for (x, error, gelu, silu) in known {
            near(erf(x), error, 0.0);
            near(of(Curve::Gelu, x), gelu, 4e-7);
            near(of(Curve::Silu, x), silu, 0.0);
        }
        assert!(erf(f32::NAN).is_nan());
    }

    #[test]
    fn bends_are_those_of_keras() {
        let known = [
            (Curve::Relu, 0.0),
            (Curve::LeakyRelu, -0.3),
            (Curve::Elu, -0.776_869_8),
            (Curve::Sigmoid, 0.182_425_5),
            (Curve::Tanh, -0.905_148_3),
        ];
        for (curve, at) in known {
            assert!((of(curve, -1.5) - at).abs() < 1e-6, "{curve:?}");
        }
        for curve in ALL {
            assert!(of(curve, f32::NAN).is_nan(), "{curve:?} hides that something is no number");
        }
    }

    #[test]
    fn slopes_are_those_of_the_curves() {
        let h = 1e-2_f32;
        for curve in ALL {
            for i in -50..50 {
                let x = (i as f32 + 0.5) / 10.0;
                let kept = match curve.kept() {
                    Kept::Slope => {
                        let (mut value, mut slope) = ([x], [f32::NAN]);
                        curve.forward_with_slopes(&mut value, &mut slope);
                        assert_eq!(value[0], of(curve, x), "{curve:?} at {x}");
                        slope[0]
                    }
                    Kept::Output => of(curve, x),
                };
                let mut slope = [2.0];
                curve.backward(&[kept], &mut slope);
                let slope = slope[0] / 2.0;
                let expected = (of(curve, x + h) - of(curve, x - h)) / (2.0 * h);
                assert!((slope - expected).abs() < 1e-4, "{curve:?} at {x}: {slope} {expected}");
            }
        }
    }
}
