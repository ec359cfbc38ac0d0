use burn::tensor::TensorData;

use super::*;

/// What `BatchNormalization()` makes in training of the ramp, with gamma 0.5, 1, ... and beta 0, 0.25,
/// ..., and its gradients where the loss is the sum of outputs by another ramp.
struct Keras<'a> {
    y: &'a [f32],
    of_x: &'a [f32],
    of_gamma: &'a [f32],
    of_beta: &'a [f32],
    mean: &'a [f32],
    variance: &'a [f32],
    moving_variance: &'a [f32],
    inference: &'a [f32],
}

fn check_norm<const D: usize>(shape: [usize; D], keras: &Keras) {
    let channels = shape[D - 1];
    let x = ramp_of(shape, 7, 11);
    let gamma = learned((1..=channels).map(|c| c as f32 * 0.5).collect(), [channels]);
    let beta = learned((0..channels).map(|c| c as f32 * 0.25).collect(), [channels]);
    let device = Device::flex();
    let moving = || [Tensor::zeros([channels], &device), Tensor::ones([channels], &device)];
    let weights = || [gamma.clone(), beta.clone()];
    let (y, moments) = batch_norm(x.clone(), weights(), moving(), (1e-3, true), Then::NOTHING);
    assert_close(&values(y.clone()), keras.y, 2e-6);
    let (mean, variance) = moments.unwrap();
    assert!(!mean.device().is_autodiff());
    assert_close(&values(mean), keras.mean, 1e-6);
    assert_close(&values(variance.clone()), keras.variance, 1e-6);
    assert_close(&values(variance * 0.01 + 0.99), keras.moving_variance, 1e-6);
    let up = ramp_of(shape, 5, 13);
    let gradients = (y * up).sum().backward();
    assert_close(&gradient(&x, &gradients), keras.of_x, 2e-5);
    assert_close(&gradient(&gamma, &gradients), keras.of_gamma, 1e-5);
    assert_close(&gradient(&beta, &gradients), keras.of_beta, 1e-6);
    let mean = Tensor::from_data(TensorData::from(keras.mean), &device) * 0.01;
    let variance = Tensor::from_data(TensorData::from(keras.moving_variance), &device);
    let (y, moments) = batch_norm(x, weights(), [mean, variance], (1e-3, false), Then::NOTHING);
    assert!(moments.is_none());
    assert_close(&values(y), keras.inference, 2e-6);
}

#[test]
fn features_are_normalised_as_keras_does() {
    let keras = Keras {
        y: &[
            -0.85038, 1.55856, 2.46284, 0.409442, 0.686187, 1.15428, 0.28346, -0.186187, -0.15428,
            0.157478, -1.05856, -1.46284,
        ],
        of_x: &[
            -0.06752, -0.12747, -1.395199, -0.275447, -0.04249, 5.205359, 0.022507, 0.04249,
            -5.205359, 0.32046, 0.12747, 1.3952,
        ],
        of_gamma: &[0.724397, -1.090466, 1.744746],
        of_beta: &[-1.5, 1.0, 0.25],
        mean: &[0.21875, 0.0625, -0.4375],
        variance: &[0.245117, 0.019531, 0.019531],
        moving_variance: &[0.992451, 0.990195, 0.990195],
        inference: &[
            -0.314626, 0.50048, 0.12993, 0.312431, 0.374926, -0.058401, 0.249725, 0.249372,
            -0.246732, 0.18702, 0.123818, -0.435063,
        ],
    };
    check_norm([4, 3], &keras);
}

#[test]
fn sequences_are_normalised_as_keras_does() {
    let keras = Keras {
        y: &[
            -0.631807, 0.732072, -0.137349, 1.599803, 0.357108, -0.714145, 0.851566, 0.153586,
            -0.466988, 1.021316, 0.02747, -1.292632,
        ],
        of_x: &[
            -0.603288, -0.167164, 0.807603, -0.728379, 0.075845, 1.34668, -0.655914, 0.785466,
            -0.517569, 0.224251, 0.893322, -1.460855,
        ],
        of_gamma: &[1.091927, -0.915938],
        of_beta: &[-0.375, 0.125],
        mean: &[-0.145833, 0.041667],
        variance: &[0.142795, 0.185764],
        moving_variance: &[0.991428, 0.991858],
        inference: &[
            -0.312958, 0.500479, -0.124744, 0.876826, 0.06347, -0.126765, 0.251684, 0.249582,
            -0.25022, 0.625928, -0.062006, -0.377662,
        ],
    };
    check_norm([2, 3, 2], &keras);
}

#[test]
fn images_are_normalised_as_keras_does() {
    let keras = Keras {
        y: &[
            -0.735167, 0.852854, -0.294067, 1.817421, 0.147033, -0.754757, 0.588134, 0.20981,
            -0.588134, 1.174376, -0.147033, -1.397801, 0.294067, -0.433235, 0.735167, 0.531332,
        ],
        of_x: &[
            -0.614987, -0.212195, 0.717074, -1.066142, 0.137701, 1.854095, -0.441672, 1.000148,
            -0.514045, 0.146201, 0.818016, -1.113352, 0.238643, -1.967299, -0.34073, 1.358543,
        ],
        of_gamma: &[1.065992, -0.356689],
        of_beta: &[-0.25, -0.125],
        mean: &[0.0, 0.015625],
        variance: &[0.179688, 0.150146],
        moving_variance: &[0.991797, 0.991501],
        inference: &[
            -0.313632, 0.500786, -0.125453, 0.8772, 0.062726, -0.126571, 0.250905, 0.249843,
            -0.250905, 0.626257, -0.062726, -0.377513, 0.125453, -0.001099, 0.313632, 0.375314,
        ],
    };
    check_norm([2, 2, 2, 2], &keras);
}

/// Blocks and periods end somewhere inside of it.
#[test]
fn a_large_batch_is_normalised_too() {
    let (rows, channels) = (30_011, 7);
    let x = ramp_of([rows, channels], 7, 11);
    let one = || learned(vec![1.0; channels], [channels]);
    let zero = || learned(vec![0.0; channels], [channels]);
    let how = (0.0, true);
    let (y, moments) = batch_norm(x.clone(), [one(), zero()], [zero(), one()], how, Then::NOTHING);
    let (mean, variance) = moments.unwrap();
    let all = values(x.clone());
    for (c, (mean, variance)) in values(mean).into_iter().zip(values(variance)).enumerate() {
        let column: Vec<f64> =
            all.iter().skip(c).step_by(channels).map(|x| f64::from(*x)).collect();
        let exact = column.iter().sum::<f64>() / rows as f64;
        let spread = column.iter().map(|x| (x - exact).powi(2)).sum::<f64>() / rows as f64;
        assert_close(&[mean, variance], &[exact as f32, spread as f32], 1e-5);
    }
    let squares = values(y.clone()).iter().map(|y| f64::from(y * y)).sum::<f64>();
    assert!((squares / (rows * channels) as f64 - 1.0).abs() < 1e-4);
    // Moved or stretched as a whole the output is the same: the gradient neither moves nor stretches.
    let up = ramp_of([rows, channels], 5, 13);
    let of_x = gradient(&x, &(y * up).sum().backward());
    let moved: f64 = of_x.iter().map(|g| f64::from(*g)).sum();
    let stretched: f64 = of_x.iter().zip(&all).map(|(g, x)| f64::from(g * x)).sum();
    assert!(moved.abs() < 0.1 && stretched.abs() < 0.1, "{moved} {stretched}");
}

#[test]
fn a_channel_of_one_value_becomes_beta() {
    let x = learned(vec![4.0; 6], [3, 2]);
    let vector = |v: f32| learned(vec![v; 2], [2]);
    let moving = [vector(0.0), vector(1.0)];
    let (y, _) = batch_norm(x, [vector(3.0), vector(0.5)], moving, (1e-3, true), Then::NOTHING);
    assert_close(&values(y), &[0.5; 6], 1e-6);
}

/// What `batch_norm` makes of an image with what follows, and its gradients; in one operation or in
/// several.
fn made(shape: [usize; 4], then: Then, at_once: bool, training: bool) -> [Vec<f32>; 4] {
    let channels = shape[3];
    let x = ramp_of(shape, 7, 11);
    let (gamma, beta) = (ramp_of([channels], 3, 7), ramp_of([channels], 2, 5));
    let device = Device::flex();
    let moving = [Tensor::zeros([channels], &device), Tensor::ones([channels], &device)];
    let affine = [gamma.clone(), beta.clone()];
    let first = if at_once { then } else { Then::NOTHING };
    let (mut y, _) = batch_norm(x.clone(), affine, moving, (1e-3, training), first);
    if !at_once {
        y = max_pool2d(y, then.pool);
        y = if then.rectify { burn::tensor::activation::relu(y) } else { y };
    }
    let up = ramp(y.dims().iter().product(), 5, 13);
    let gradients = (y.clone() * tensor(up, y.dims(), &y.device())).sum().backward();
    [values(y), gradient(&x, &gradients), gradient(&gamma, &gradients), gradient(&beta, &gradients)]
}

/// Factors of both signs and zero, channels that fill vectors and ones that do not, pixels that fill
/// no square.
#[test]
fn normalising_with_what_follows_is_the_same_as_one_after_the_other() {
    for shape in [[2, 4, 6, 8], [3, 5, 7, 3], [1, 3, 2, 21], [2, 28, 28, 16]] {
        for (rectify, pool, training) in
            [(true, 2, true), (false, 2, true), (true, 1, true), (true, 2, false), (true, 1, false)]
        {
            let then = Then { rectify, pool };
            let at_once = made(shape, then, true, training);
            let apart = made(shape, then, false, training);
            for (at_once, apart) in at_once.iter().zip(&apart) {
                assert_close(at_once, apart, 2e-3);
            }
        }
    }
}

#[test]
fn not_a_number_is_not_hidden_by_what_follows() {
    let vector = || learned(vec![1.0], [1]);
    for pool in [1, 2] {
        let x = learned(vec![1.0, f32::NAN, 2.0, 3.0], [1, 2, 2, 1]);
        let then = Then { rectify: true, pool };
        let moving = [vector(), vector()];
        let (y, _) = batch_norm(x, [vector(), vector()], moving, (1e-3, false), then);
        assert!(values(y).iter().any(|y| y.is_nan()));
    }
}
