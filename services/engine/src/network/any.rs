//! Layers on numbers of any shape.

use burn::tensor::Tensor;
use domain::spec::{Activation, Layer, Padding2D};

use super::{
    Pass,
    forward::{Value, run},
};
use crate::{
    attention,
    convolution::{self, Then},
    ops::{self, activation::activate},
};

/// `$made` of the tensor `$x`, whatever its rank. (A function that is generic in the rank cannot be
/// handed over as a value.)
macro_rules! of_any_rank {
    ($value:expr, $x:ident => $made:expr) => {
        match $value {
            Value::Features($x) => Value::Features($made),
            Value::Sequence { x: $x, lengths } => Value::Sequence { x: $made, lengths },
            Value::Image($x) => Value::Image($made),
            other => other,
        }
    };
}

pub(super) fn activation(value: Value, activation: Activation) -> Value {
    of_any_rank!(value, x => activate(x, activation))
}

pub(super) fn dropout(value: Value, rate: f64, pass: &mut Pass) -> Value {
    of_any_rank!(value, x => {
        let shape = x.dims();
        pass.drop(x, shape, rate)
    })
}

pub(super) fn layer_normalization(value: Value, epsilon: f64, pass: &mut Pass) -> Value {
    let (gamma, beta) = (pass.weight("gamma"), pass.weight("beta"));
    of_any_rank!(value, x => attention::layer_norm(x, gamma, beta, epsilon))
}

pub(super) fn batch_normalization(
    value: Value,
    (momentum, epsilon): (f64, f64),
    then: Then,
    pass: &mut Pass,
) -> Value {
    let affine: [Tensor<1>; 2] = [pass.weight("gamma"), pass.weight("beta")];
    let place = pass.place();
    let moving: [Tensor<1>; 2] = [pass.weight("moving_mean"), pass.weight("moving_variance")];
    let training = pass.is_training();
    let mut of_batch = None;
    let value = of_any_rank!(value, x => {
        let how = (epsilon, training);
        let (y, moments) = convolution::batch_norm(x, affine, moving.clone(), how, then);
        of_batch = moments;
        y
    });
    if let Some((mean, variance)) = of_batch {
        for (i, (old, new)) in moving.into_iter().zip([mean, variance]).enumerate() {
            let old = if old.is_autodiff() { old.inner() } else { old };
            pass.keep(place + i, old * momentum + new * (1.0 - momentum));
        }
    }
    value
}

pub(super) fn flatten(value: Value) -> Value {
    match value {
        Value::Sequence { x, .. } => Value::Features(x.flatten(1, 2)),
        Value::Image(x) => Value::Features(x.flatten(1, 3)),
        other => other,
    }
}

pub(super) fn dense(
    value: Value,
    activation: Activation,
    use_bias: bool,
    pass: &mut Pass,
) -> Value {
    let kernel: Tensor<2> = pass.weight("kernel");
    let bias = use_bias.then(|| pass.weight::<1>("bias"));
    let run = |x: Tensor<2>| ops::dense::dense(x, kernel, bias, activation);
    match value {
        Value::Features(x) => Value::Features(run(x)),
        Value::Sequence { x, lengths } => Value::Sequence { x: of_each_step(x, run), lengths },
        _ => unreachable!("shapes are checked: Dense gets numbers"),
    }
}

fn of_each_step(x: Tensor<3>, run: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<3> {
    let [rows, length, width] = x.dims();
    let y = run(x.reshape([rows * length, width]));
    let units = y.dims()[1];
    y.reshape([rows, length, units])
}

/// What the layers make, and what they got, as a sum: where the width differs, a projection brings
/// the one to the other's.
pub(super) fn residual(layers: &[Layer], value: Value, pass: &mut Pass) -> Value {
    let skipped = value.clone();
    let made = run(layers, value, false, pass);
    match (skipped, made) {
        (Value::Features(skipped), Value::Features(x)) => {
            let same = skipped.dims() == x.dims();
            let skipped = if same { skipped } else { skipped.matmul(pass.weight("projection")) };
            Value::Features(skipped + x)
        }
        (Value::Sequence { x: skipped, .. }, Value::Sequence { x, lengths }) => {
            let same = skipped.dims() == x.dims();
            let project = |x: Tensor<2>| x.matmul(pass.weight("projection"));
            let skipped = if same { skipped } else { of_each_step(skipped, project) };
            Value::Sequence { x: skipped + x, lengths }
        }
        (Value::Image(skipped), Value::Image(x)) => {
            let same = skipped.dims() == x.dims();
            let skipped = if same { skipped } else { projected(skipped, &x, pass) };
            Value::Image(skipped + x)
        }
        _ => unreachable!("shapes are checked: a residual's two ways meet"),
    }
}

/// Where the layers inside have made the image smaller, of every so many pixels.
fn projected(skipped: Tensor<4>, made: &Tensor<4>, pass: &mut Pass) -> Tensor<4> {
    let kernel: Tensor<2> = pass.weight("projection");
    let [from, to] = kernel.dims();
    let stride = skipped.dims()[1].div_ceil(made.dims()[1]);
    let kernel = kernel.reshape([1, 1, from, to]);
    convolution::conv2d(skipped, kernel, None, (stride, Padding2D::Same), Then::NOTHING)
}
