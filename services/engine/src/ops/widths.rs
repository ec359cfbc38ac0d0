//! Every operation written by hand, on vectors of 1, 4, 8 and 16 numbers made of plain ones, against
//! this processor's own: what runs where there is no AVX, on NEON, with AVX and with AVX-512. Sizes fill
//! no vector evenly, or all of them.

use burn::tensor::{Device, Gradients, Tensor};
use domain::spec::Transformer;
use domain::spec::{Activation, Loss, Optimizer as OptimizerSpec, Padding1D, Padding2D, Task};

use super::{
    dense::dense,
    flex::{numbers, tensor},
    recurrent::{Cell, Direction, RecurrentWeights, last, sequence},
    simd::forced::with_lanes,
};
use crate::{
    attention::{BlockWeights, block, layer_norm},
    convolution::{Then, batch_norm, conv1d, conv2d, max_pool2d},
    head::Head,
    optimize::{Optimizer, TensorUpdate},
    unit::Unit,
};

const LANES: [usize; 4] = [1, 4, 8, 16];

/// Numbers without a pattern, within one.
fn waves(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| (seed as f32 + i as f32 * 1.37).sin()).collect()
}

fn learned<const D: usize>(shape: [usize; D], seed: usize, scale: f32) -> Tensor<D> {
    let values = waves(shape.iter().product(), seed).into_iter().map(|x| x * scale).collect();
    tensor(values, shape, &Device::flex().autodiff()).require_grad()
}

/// The gradients of a sum in which every number counts differently, and the numbers.
fn backward<const D: usize>(y: Tensor<D>) -> (Vec<f32>, Gradients) {
    let shape = y.dims();
    let factors = tensor(waves(shape.iter().product(), 5), shape, &y.device());
    (numbers(y.clone()), (y * factors).sum().backward())
}

fn of<const D: usize>(x: &Tensor<D>, gradients: &Gradients) -> Vec<f32> {
    x.grad(gradients).map(numbers).unwrap_or_default()
}

/// Each part within 3e-5 of its largest number.
#[track_caller]
fn same_on_every_width(what: &str, run: impl Fn() -> Vec<Vec<f32>> + Sync) {
    let native = run();
    for lanes in LANES {
        let made = with_lanes(lanes, &run);
        assert_eq!(made.len(), native.len());
        for (part, (made, native)) in made.iter().zip(&native).enumerate() {
            assert_eq!(made.len(), native.len());
            let size = native.iter().fold(1.0_f32, |size, x| size.max(x.abs()));
            for (i, (got, expected)) in made.iter().zip(native).enumerate() {
                let near = (got - expected).abs() <= 3e-5 * size;
                assert!(near, "{what}, {lanes} lanes, part {part} at {i}: {got} {expected}");
            }
        }
    }
}

#[test]
fn the_forced_width_is_the_one_that_kernels_see() {
    struct Lanes;
    impl pulp::WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    let seen = |lanes| with_lanes(lanes, || rayon::join(see, see));
    fn see() -> usize {
        super::simd::vectorized(Lanes)
    }
    assert_eq!(LANES.map(seen), LANES.map(|lanes| (lanes, lanes)));
}

#[test]
fn dense_layers() {
    for activation in [
        Activation::Linear,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Elu,
        Activation::Gelu,
        Activation::Silu,
        Activation::Sigmoid,
        Activation::Tanh,
    ] {
        for [rows, width, units] in [[1, 1, 1], [3, 5, 17], [300, 32, 16], [257, 19, 33]] {
            same_on_every_width(&format!("{activation:?} {units}"), || {
                let x = learned([rows, width], 1, 1.0);
                let (kernel, bias) = (learned([width, units], 2, 0.5), learned([units], 3, 0.5));
                let y = dense(x.clone(), kernel.clone(), Some(bias.clone()), activation);
                let (y, gradients) = backward(y);
                vec![y, of(&x, &gradients), of(&kernel, &gradients), of(&bias, &gradients)]
            });
        }
    }
}

#[test]
fn recurrent_layers() {
    for cell in [Cell::Lstm, Cell::Gru] {
        for [batch, time, features, units] in [[1, 1, 1, 1], [5, 7, 3, 5], [11, 6, 9, 37]] {
            same_on_every_width(&format!("{cell:?} {units}"), || {
                let gates = cell.gates() * units;
                let weights = [1, 2].map(|seed| RecurrentWeights {
                    kernel: learned([features, gates], seed, 0.8),
                    recurrent_kernel: learned([units, gates], seed + 2, 0.3),
                    bias: learned([cell.biases() * gates], seed + 4, 0.5),
                });
                let lengths: Vec<usize> = (0..batch).map(|i| time - i % 3 * (time / 3)).collect();
                let x = learned([batch, time, features], 9, 1.0);
                let directions = || {
                    let direction = |(weights, reverse): (_, bool)| Direction {
                        weights,
                        state_mask: reverse.then(|| waves(batch * units, 4)),
                        reverse,
                    };
                    weights.iter().zip([false, true]).map(direction).collect()
                };
                let mut made = vec![];
                let all = backward(sequence(cell, x.clone(), Some(&lengths), directions()));
                let one = backward(last(cell, x.clone(), Some(&lengths), directions()));
                for (y, gradients) in [all, one] {
                    made.extend([y, of(&x, &gradients)]);
                    for w in &weights {
                        made.extend([of(&w.kernel, &gradients), of(&w.bias, &gradients)]);
                        made.push(of(&w.recurrent_kernel, &gradients));
                    }
                }
                made
            });
        }
    }
}

#[test]
fn attention_and_layer_normalization() {
    for (batch, time, heads, head) in [(1, 1, 1, 1), (2, 7, 3, 5), (2, 33, 2, 16), (1, 20, 1, 40)] {
        let width = heads * head;
        for causal in [true, false] {
            same_on_every_width(&format!("{heads} heads of {head}"), || {
                let affine =
                    |seed| (learned([width, width], seed, 0.4), learned([width], seed + 7, 0.3));
                let norm = |seed| (learned([width], seed, 1.0), learned([width], seed + 7, 0.3));
                let weights = BlockWeights {
                    query: affine(1),
                    key: affine(2),
                    value: affine(3),
                    output: affine(4),
                    inner: affine(5),
                    outer: affine(6),
                    norm_1: norm(7),
                    norm_2: norm(8),
                };
                let spec = Transformer {
                    num_heads: heads as u32,
                    intermediate_dim: width as u32,
                    dropout: 0.0,
                    activation: Activation::Gelu,
                    normalize_first: true,
                    layer_norm_epsilon: 1e-3,
                };
                let x = learned([batch, time, width], 9, 1.0);
                let lengths = vec![time.div_ceil(2); batch];
                let lengths = (!causal).then_some(&lengths[..]);
                let y = block(x.clone(), &weights, &spec, causal, lengths, &mut |_| None);
                let (y, gradients) = backward(y);
                let mut made = vec![y, of(&x, &gradients)];
                // a key's bias moves all of a softmax' scores alike: its gradient is rounding alone
                for (kernel, bias) in [&weights.query, &weights.value] {
                    made.extend([of(kernel, &gradients), of(bias, &gradients)]);
                }
                made.push(of(&weights.key.0, &gradients));
                made
            });
        }
        same_on_every_width(&format!("layer norm of {width}"), || {
            let (gamma, beta) = (learned([width], 1, 1.0), learned([width], 2, 1.0));
            let x = learned([batch * time, width], 3, 2.0);
            let (y, gradients) = backward(layer_norm(x.clone(), gamma.clone(), beta.clone(), 1e-3));
            vec![y, of(&x, &gradients), of(&gamma, &gradients), of(&beta, &gradients)]
        });
    }
}

#[test]
fn convolutions_and_what_follows() {
    for [rows, columns, channels, filters] in [[2, 2, 1, 1], [7, 6, 3, 17], [9, 10, 20, 32]] {
        for then in [Then::NOTHING, Then { rectify: true, pool: 2 }] {
            for strides in [1, 2].into_iter().filter(|s| *s * then.pool < rows) {
                let what = format!("{channels} to {filters}, strides {strides}, {then:?}");
                same_on_every_width(&what, || {
                    let x = learned([3, rows, columns, channels], 1, 1.0);
                    let kernel = learned([2, 2, channels, filters], 2, 0.3);
                    let bias = learned([filters], 3, 0.3);
                    let (how, b) = ((strides, Padding2D::Same), Some(bias.clone()));
                    let (y, gradients) = backward(conv2d(x.clone(), kernel.clone(), b, how, then));
                    vec![y, of(&x, &gradients), of(&kernel, &gradients), of(&bias, &gradients)]
                });
            }
            same_on_every_width(&format!("normalisation of {channels}, {then:?}"), || {
                let x = learned([3, rows, columns, channels], 1, 2.0);
                let (gamma, beta) = (learned([channels], 1, 1.0), learned([channels], 2, 1.0));
                let moving = [learned([channels], 3, 1.0), learned([channels], 3, 0.1)];
                let affine = [gamma.clone(), beta.clone()];
                let (y, moments) = batch_norm(x.clone(), affine, moving, (1e-3, true), then);
                let (y, gradients) = backward(y);
                let (mean, variance) = moments.unwrap();
                let made = [of(&x, &gradients), of(&gamma, &gradients), of(&beta, &gradients)];
                made.into_iter().chain([y, numbers(mean), numbers(variance)]).collect()
            });
        }
        same_on_every_width(&format!("pooling and sequences of {channels}"), || {
            let x = learned([3, rows, columns, channels], 1, 1.0);
            let (y, gradients) = backward(max_pool2d(x.clone(), 2));
            let steps = learned([rows, columns, channels], 1, 1.0);
            let kernel = learned([2, channels, filters], 2, 0.3);
            let how = (Padding1D::Causal, 2);
            let (z, others) = backward(conv1d(steps.clone(), kernel.clone(), None, how, true));
            vec![y, of(&x, &gradients), z, of(&steps, &others), of(&kernel, &others)]
        });
    }
}

#[test]
fn losses_and_optimizers() {
    for outputs in [2, 17, 64, 1_000] {
        let head = Head {
            task: Task::MulticlassClassification,
            loss: Loss::CategoricalCrossentropy,
            outputs,
            smoothing: 0.1,
            class_weights: vec![],
            unit: Unit::ITSELF,
        };
        same_on_every_width(&format!("crossentropy of {outputs}"), || {
            let logits = waves(outputs * 9, 1);
            let mut gradients = vec![0.0; logits.len()];
            let targets: Vec<f64> = (0..9).map(|i| f64::from(i % 2)).collect();
            let loss = head.losses(&logits, &targets, &mut gradients);
            vec![vec![loss as f32], gradients]
        });
    }
    for spec in [
        r#"{"type": "SGD", "learning_rate": 0.02, "momentum": 0.9, "nesterov": true}"#,
        r#"{"type": "RMSprop", "learning_rate": 0.02, "rho": 0.8, "momentum": 0.9}"#,
        r#"{"type": "AdamW", "learning_rate": 0.1}"#,
    ] {
        same_on_every_width(spec, || {
            let spec: OptimizerSpec = serde_json::from_str(spec).unwrap();
            let mut optimizer = Optimizer::new(&spec, &[70_003]);
            let (mut values, gradient) = (waves(70_003, 1), waves(70_003, 2));
            for _ in 0..3 {
                let (values, gradient) = (&mut values[..], &gradient[..]);
                optimizer.step(0.02, &mut [TensorUpdate { values, gradient, decays: true }]);
            }
            vec![values]
        });
    }
}
