//! Activations. GELU, SiLU and the rectifier are operations of their own: the tensor library evaluates
//! the error and the exponential function one number at a time, and all of them on one thread.

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

use super::{
    flex::{contiguous, shape, slice, stored, zeros},
    simd::{each_with, exp, sigmoid},
};

pub(crate) fn activate<const D: usize>(x: Tensor<D>, kind: Activation) -> Tensor<D> {
    let bent = |x: Tensor<D>, curve| {
        Tensor::from_dispatch(<Dispatch as Bend>::bend(x.into_dispatch(), curve))
    };
    match kind {
        Activation::Linear => x,
        Activation::Relu => bent(x, Curve::Relu),
        Activation::LeakyRelu => activation::leaky_relu(x, 0.2),
        Activation::Elu => activation::elu(x, 1.0),
        Activation::Gelu => bent(x, Curve::Gelu),
        Activation::Silu => bent(x, Curve::Silu),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Tanh => activation::tanh(x),
        Activation::Softmax => activation::softmax(x, D - 1),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    /// What is no number stays so.
    Relu,
    /// `x Φ(x)` (Hendrycks and Gimpel, 2016), Φ by the error function.
    Gelu,
    /// `x σ(x)`.
    Silu,
}

fn forward(x: &[f32], curve: Curve) -> Vec<f32> {
    let mut y = zeros(x.len());
    match curve {
        Curve::Relu => each_with(
            &mut y,
            x,
            #[inline(always)]
            |y, x| *y = if x < 0.0 { 0.0 } else { x },
        ),
        Curve::Gelu => each_with(
            &mut y,
            x,
            #[inline(always)]
            |y, x| *y = x * normal_cdf(x),
        ),
        Curve::Silu => each_with(
            &mut y,
            x,
            #[inline(always)]
            |y, x| *y = x * sigmoid(x),
        ),
    }
    y
}

/// `gradient` becomes that of `x`.
fn backward(x: &[f32], gradient: &mut [f32], curve: Curve) {
    const DENSITY_AT_0: f32 = 0.398_942_3;
    match curve {
        Curve::Relu => each_with(
            gradient,
            x,
            #[inline(always)]
            |g, x| *g = if x <= 0.0 { 0.0 } else { *g },
        ),
        Curve::Gelu => each_with(
            gradient,
            x,
            #[inline(always)]
            |g, x| *g *= normal_cdf(x) + x * DENSITY_AT_0 * exp(-0.5 * x * x),
        ),
        Curve::Silu => each_with(
            gradient,
            x,
            #[inline(always)]
            |g, x| {
                let share = sigmoid(x);
                *g = *g * share * (1.0 + x * (1.0 - share));
            },
        ),
    }
}

#[backend_extension(Flex, Autodiff)]
trait Bend: Backend {
    fn bend(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self>;
}

impl Bend for Flex {
    fn bend(x: FlexTensor, curve: Curve) -> FlexTensor {
        let x = contiguous(&x);
        stored(forward(slice(&x), curve), shape(&x))
    }
}

impl<C: CheckpointStrategy> Bend for Autodiff<Flex, C> {
    fn bend(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        let node = x.node();
        let x = x.into_primitive();
        let y = Flex::bend(x.clone(), curve);
        match BendBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, curve), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

#[derive(Debug)]
struct BendBackward;

impl Backward<Flex, 1> for BendBackward {
    type State = (FlexTensor, Curve);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let (x, curve) = ops.state;
        if let [Some(node)] = ops.parents {
            let (x, mut values) = (contiguous(&x), slice(&gradient).to_vec());
            backward(slice(&x), &mut values, curve);
            gradients.register::<Flex>(node.id, stored(values, shape(&x)));
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
            near(forward(&[x], Curve::Gelu)[0], gelu, 4e-7);
            near(forward(&[x], Curve::Silu)[0], silu, 0.0);
        }
        assert!(erf(f32::NAN).is_nan());
    }

    #[test]
    fn slopes_are_those_of_the_curves() {
        let h = 1e-2_f32;
        for curve in [Curve::Gelu, Curve::Silu] {
            for i in -50..=50 {
                let x = i as f32 / 10.0;
                let ends = forward(&[x + h, x - h], curve);
                let mut slope = [2.0];
                backward(&[x], &mut slope, curve);
                let slope = slope[0] / 2.0;
                let expected = (ends[0] - ends[1]) / (2.0 * h);
                assert!((slope - expected).abs() < 1e-4, "{curve:?} at {x}: {slope} {expected}");
            }
        }
    }
}
