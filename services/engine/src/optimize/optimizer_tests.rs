//! The optimizers against Keras, and what a run may rely on: convergence, threads, resuming.

use std::collections::HashMap;

use super::*;

const START: [f32; 4] = [1.5, -2.0, 0.5, 3.0];
const CURVATURE: [f32; 4] = [1.0, 10.0, 0.1, 0.0];
const LOWEST: [f32; 4] = [0.0, 1.0, -1.0, 0.0];
/// Steps after which weights are compared.
const COMPARED: [u64; 3] = [1, 5, 10];

fn parse(json: &str) -> spec::Optimizer {
    serde_json::from_str(json).unwrap()
}

fn every_optimizer() -> [spec::Optimizer; 9] {
    [
        r#"{"type": "GD", "learning_rate": 0.05}"#,
        r#"{"type": "SGD", "learning_rate": 0.05}"#,
        r#"{"type": "SGD", "learning_rate": 0.02, "momentum": 0.9}"#,
        r#"{"type": "SGD", "learning_rate": 0.02, "momentum": 0.9, "nesterov": true}"#,
        r#"{"type": "Adagrad", "learning_rate": 0.1}"#,
        r#"{"type": "RMSprop", "learning_rate": 0.05}"#,
        r#"{"type": "RMSprop", "learning_rate": 0.02, "rho": 0.8, "momentum": 0.9}"#,
        r#"{"type": "Adam", "learning_rate": 0.1}"#,
        r#"{"type": "AdamW", "learning_rate": 0.1}"#,
    ]
    .map(parse)
}

/// The gradient of `CURVATURE * (w - LOWEST)² / 2`.
fn slope(values: &[f32]) -> Vec<f32> {
    let terms = CURVATURE.iter().zip(values).zip(&LOWEST);
    terms.map(|((c, w), low)| c * (w - low)).collect()
}

fn take_step(optimizer: &mut Optimizer, values: &mut [f32], decays: bool) {
    let rate = optimizer.spec.learning_rate();
    let gradient = slope(values);
    optimizer.step(rate, &mut [TensorUpdate { values, gradient: &gradient, decays }]);
}

/// Weights after 1, 5 and 10 steps are those of Keras 3.15 (TensorFlow 2.21, a float64 variable),
/// from `opt.apply([curvature * (w - lowest)], [w])` with the options given. Keras rounds Adam's
/// betas to float32 before it takes their powers, which moves weights by some millionths.
fn assert_as_keras(json: &str, expected: [[f64; 4]; 3]) {
    let spec = parse(json);
    let mut optimizer = Optimizer::new(&spec, &[4]);
    let mut values = START;
    let tolerance = if json.contains("Adam") { 1e-5 } else { 2e-6 };
    for (after, expected) in COMPARED.into_iter().zip(expected) {
        while optimizer.steps() < after {
            take_step(&mut optimizer, &mut values, true);
        }
        for (got, expected) in values.iter().zip(expected) {
            assert!(
                (f64::from(*got) - expected).abs() < tolerance,
                "{json}, {after}: {got}, not {expected}"
            );
        }
    }
}

#[test]
fn gradient_descent_is_that_of_keras() {
    let expected = [
        [1.425, -0.5, 0.4925, 3.0],
        [1.160_671_4, 0.906_25, 0.462_873_1, 3.0],
        [0.898_105_4, 0.997_070_3, 0.426_665_2, 3.0],
    ];
    assert_as_keras(r#"{"type": "GD", "learning_rate": 0.05}"#, expected);
    assert_as_keras(r#"{"type": "SGD", "learning_rate": 0.05}"#, expected);
}

#[test]
fn momentum_is_that_of_keras() {
    assert_as_keras(
        r#"{"type": "SGD", "learning_rate": 0.02, "momentum": 0.9}"#,
        [
            [1.47, -1.4, 0.497, 3.0],
            [1.123_974_8, 2.741_259_8, 0.460_753_4, 3.0],
            [0.460_679_7, 0.986_800_5, 0.378_009_9, 3.0],
        ],
    );
    assert_as_keras(
        r#"{"type": "SGD", "learning_rate": 0.02, "momentum": 0.9, "nesterov": true}"#,
        [
            [1.443, -0.86, 0.4943, 3.0],
            [1.034_859, 2.247_152_6, 0.449_920_7, 3.0],
            [0.394_723, 0.845_917_9, 0.361_728_4, 3.0],
        ],
    );
}

#[test]
fn adagrad_is_that_of_keras() {
    assert_as_keras(
        r#"{"type": "Adagrad", "learning_rate": 0.1}"#,
        [
            [1.402_150_8, -1.900_005_6, 0.457_142_9, 3.0],
            [1.194_002_4, -1.683_349_8, 0.321_195_2, 3.0],
            [1.037_607, -1.514_888_1, 0.194_092_8, 3.0],
        ],
    );
    assert_as_keras(
        r#"{"type": "Adagrad", "learning_rate": 0.1, "initial_accumulator_value": 0.5,
            "epsilon": 0.01}"#,
        [
            [1.409_710_6, -1.900_028_3, 0.479_444_3, 3.0],
            [1.207_537_8, -1.683_389_4, 0.403_583_3, 3.0],
            [1.052_793_4, -1.514_932_7, 0.320_101_9, 3.0],
        ],
    );
}

#[test]
fn rmsprop_is_that_of_keras() {
    assert_as_keras(
        r#"{"type": "RMSprop", "learning_rate": 0.05}"#,
        [
            [1.341_886_1, -1.841_886_1, 0.341_889_6, 3.0],
            [1.003_352, -1.484_477_3, 0.003_358_3, 3.0],
            [0.736_031_9, -1.179_989_9, -0.263_960_8, 3.0],
        ],
    );
    assert_as_keras(
        r#"{"type": "RMSprop", "learning_rate": 0.02, "rho": 0.8, "momentum": 0.9}"#,
        [
            [1.455_278_6, -1.955_278_6, 0.455_279_1, 3.0],
            [1.061_679, -1.556_020_6, 0.061_682_3, 3.0],
            [0.400_380_4, -0.842_759_1, -0.599_613_3, 3.0],
        ],
    );
    assert_as_keras(
        r#"{"type": "RMSprop", "learning_rate": 0.05, "epsilon": 0.01}"#,
        [
            [1.345_286_8, -1.841_894_9, 0.432_236_9, 3.0],
            [1.009_556_4, -1.484_493_6, 0.218_333_7, 3.0],
            [0.743_289_4, -1.180_009_6, 0.013_647_2, 3.0],
        ],
    );
}

#[test]
fn adam_is_that_of_keras() {
    assert_as_keras(
        r#"{"type": "Adam", "learning_rate": 0.1}"#,
        [
            [1.400_000_9, -1.900_000_7, 0.400_002_8, 3.0],
            [1.004_362_1, -1.501_782_8, 0.004_368_5, 3.0],
            [0.537_960_4, -1.014_194_8, -0.462_029_8, 3.0],
        ],
    );
    assert_as_keras(
        r#"{"type": "Adam", "learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}"#,
        [
            [1.400_297_2, -1.900_014_9, 0.402_895_1, 3.0],
            [1.007_377_7, -1.502_775_9, 0.016_259_8, 3.0],
            [0.555_131, -1.021_060_9, -0.431_119_5, 3.0],
        ],
    );
}

#[test]
fn decoupled_decay_is_that_of_keras() {
    assert_as_keras(
        r#"{"type": "AdamW", "learning_rate": 0.1}"#,
        [
            [1.399_400_9, -1.899_200_7, 0.399_802_8, 2.9988],
            [1.001_797_1, -1.498_201_5, 0.003_777_3, 2.994_004_8],
            [0.534_037_2, -1.008_120_9, -0.462_205_9, 2.988_021_6],
        ],
    );
    assert_as_keras(
        r#"{"type": "AdamW", "learning_rate": 0.1, "weight_decay": 0.3}"#,
        [
            [1.355_000_9, -1.840_000_7, 0.385_002_8, 2.91],
            [0.824_246_8, -1.249_595_7, -0.036_551_7, 2.576_202_1],
            [0.289_694_2, -0.622_121_5, -0.467_432_9, 2.212_272_3],
        ],
    );
}

#[test]
fn only_what_decays_decays() {
    let adam = parse(r#"{"type": "Adam", "learning_rate": 0.1}"#);
    let adamw = parse(r#"{"type": "AdamW", "learning_rate": 0.1, "weight_decay": 0.3}"#);
    let ten_steps = |spec, decays| {
        let mut values = START;
        let mut optimizer = Optimizer::new(spec, &[4]);
        (0..10).for_each(|_| take_step(&mut optimizer, &mut values, decays));
        values
    };
    assert_eq!(ten_steps(&adamw, false), ten_steps(&adam, true));
    assert_ne!(ten_steps(&adamw, true), ten_steps(&adam, true));
}

#[test]
fn every_optimizer_finds_the_lowest_point_of_a_bowl() {
    for spec in every_optimizer() {
        // Adagrad's steps grow ever shorter. Those of RMSprop keep their size: it ends up to half
        // of one off the lowest point.
        let rate = match spec {
            spec::Optimizer::Adagrad { .. } => 1.0,
            _ => spec.learning_rate(),
        };
        let mut optimizer = Optimizer::new(&spec, &[4]);
        let mut values = START;
        for _ in 0..2_000 {
            let gradient = slope(&values);
            let decays = false;
            optimizer.step(
                rate,
                &mut [TensorUpdate { values: &mut values, gradient: &gradient, decays }],
            );
        }
        for i in 0..3 {
            let distance = (values[i] - LOWEST[i]).abs();
            assert!(distance < 0.06, "{spec:?}: {distance} off in {i}");
        }
        assert_eq!(values[3], START[3], "{spec:?}: no slope, no step");
    }
}

#[test]
fn moments_of_what_has_no_gradient_any_more_fade_to_zero() {
    for spec in every_optimizer() {
        if matches!(spec, spec::Optimizer::Adagrad { .. }) {
            continue;
        }
        let mut optimizer = Optimizer::new(&spec, &[3]);
        let mut values = [1.0; 3];
        let mut step = |gradient: [f32; 3]| {
            optimizer.step(
                1e-3,
                &mut [TensorUpdate { values: &mut values, gradient: &gradient, decays: false }],
            );
        };
        step([0.0, 1e-19, 1e-15]);
        (0..100_000).for_each(|_| step([0.0; 3]));
        for (name, slot) in optimizer.slots() {
            assert_eq!(slot, [0.0; 3], "{name} of {spec:?}");
        }
    }
}

/// Sizes on both sides of a chunk, and some that fill no vector.
const SIZES: [usize; 5] = [1, 3 * CHUNK + 5, 7, CHUNK, 2 * CHUNK];

fn waves(sizes: &[usize], step: usize) -> Vec<Vec<f32>> {
    let wave = |&size: &usize| (0..size).map(|i| ((i * 7 + step * 13) as f32).sin()).collect();
    sizes.iter().map(wave).collect()
}

fn large_steps(optimizer: &mut Optimizer, values: &mut [Vec<f32>], steps: std::ops::Range<usize>) {
    for step in steps {
        let gradients = waves(&SIZES, step);
        let tensors = values.iter_mut().zip(&gradients).enumerate();
        let mut tensors: Vec<TensorUpdate<'_>> = tensors
            .map(|(i, (values, gradient))| TensorUpdate { values, gradient, decays: i % 2 == 1 })
            .collect();
        optimizer.step(0.01, &mut tensors);
    }
}

fn bits(arrays: &[Vec<f32>]) -> Vec<u32> {
    arrays.iter().flatten().map(|x| x.to_bits()).collect()
}

#[test]
fn neither_threads_nor_chunks_change_a_bit() {
    for spec in every_optimizer() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut values = waves(&SIZES, 100);
            let mut optimizer = Optimizer::new(&spec, &SIZES);
            pool.install(|| large_steps(&mut optimizer, &mut values, 0..3));
            values
        };
        let values = run(1);
        assert_eq!(bits(&values), bits(&run(2)), "{spec:?}");
        assert_eq!(bits(&values), bits(&run(5)), "{spec:?}");
        // The last numbers of a tensor, alone.
        let first = SIZES[1] - 3;
        let mut alone = vec![waves(&SIZES, 100)[1][first..].to_vec()];
        let mut optimizer = Optimizer::new(&spec, &[3]);
        for step in 0..3 {
            let gradient = &waves(&SIZES, step)[1][first..];
            let update = TensorUpdate { values: &mut alone[0], gradient, decays: true };
            optimizer.step(0.01, &mut [update]);
        }
        assert_eq!(bits(&alone), bits(&[values[1][first..].to_vec()]), "{spec:?}");
    }
}

#[test]
fn a_restored_optimizer_goes_on_bit_for_bit() {
    for spec in every_optimizer() {
        let mut values = waves(&SIZES, 100);
        let mut optimizer = Optimizer::new(&spec, &SIZES);
        large_steps(&mut optimizer, &mut values, 0..2);
        let saved: HashMap<String, Vec<f32>> =
            optimizer.slots().map(|(name, array)| (name, array.to_vec())).collect();
        let mut get = |name: &str, _| saved.get(name).cloned().ok_or_else(|| name.to_owned());
        let mut restored = Optimizer::restore(&spec, optimizer.steps(), &SIZES, &mut get).unwrap();
        let mut continued = values.clone();
        large_steps(&mut optimizer, &mut values, 2..4);
        large_steps(&mut restored, &mut continued, 2..4);
        assert_eq!(bits(&values), bits(&continued), "{spec:?}");
        assert_eq!(restored.steps(), 4);
        assert!(optimizer.slots().eq(restored.slots()), "{spec:?}");
    }
}

#[test]
fn a_wrong_array_is_no_state() {
    let adam = spec::Optimizer::default();
    let names: Vec<String> = Optimizer::new(&adam, &[1, 2]).slots().map(|(name, _)| name).collect();
    assert_eq!(names, ["0.m", "0.v", "1.m", "1.v"]);
    let error = |get: Find<'_>| Optimizer::restore(&adam, 1, &[1, 2], get).err().unwrap();
    assert_eq!(error(&mut |name, _| Err(format!("no {name}"))), "no 0.m");
    let message = error(&mut |_, _| Ok(vec![0.0]));
    assert_eq!(message, "`1.m` has 1 numbers where the tensor has 2");
}

#[test]
fn no_tensor_and_no_number_are_no_trouble() {
    let mut optimizer = Optimizer::new(&spec::Optimizer::default(), &[]);
    optimizer.step(0.1, &mut []);
    let mut optimizer = Optimizer::new(&spec::Optimizer::default(), &[0]);
    optimizer.step(0.1, &mut [TensorUpdate { values: &mut [], gradient: &[], decays: true }]);
    assert_eq!(optimizer.steps(), 1);
}
