//! Numbers of Keras 3.15.1 (TensorFlow 2.21.0): `LSTM(2)` and `GRU(2)` over rows of 3 and 2 steps,
//! every input and weight a sine: x, kernel, recurrent kernel and bias are sin(i * (0.7 + s / 10))
//! for i = 1, 2, .. and s = 1, 2, 3, 4; the slopes are those of the states' sum weighted likewise
//! with s = 5, padding left out.

use burn::tensor::{Device, Tensor, TensorData};

use super::{
    super::{Cell, Direction, RecurrentWeights, last, sequence},
    largest_gap, numbers,
};

fn sine<const D: usize>(shape: [usize; D], seed: u8) -> Tensor<D> {
    let n: usize = shape.iter().product();
    let step = 0.7 + 0.1 * f64::from(seed);
    let values: Vec<f32> = (1..=n).map(|i| (i as f64 * step).sin() as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff())
}

fn check(cell: Cell, expected: [&[f32]; 5], reverse_last: &[f32]) {
    let columns = 2 * cell.gates();
    let x = sine([2, 3, 2], 1).require_grad();
    let weights = RecurrentWeights {
        kernel: sine([2, columns], 2).require_grad(),
        recurrent_kernel: sine([2, columns], 3).require_grad(),
        bias: sine([cell.biases() * columns], 4).require_grad(),
    };
    let one = |reverse| vec![Direction { weights: &weights, state_mask: None, reverse }];
    let result = sequence(cell, x.clone(), Some(&[3, 2]), one(false));
    let gradients = (result.clone() * sine([2, 3, 2], 5)).sum().backward();
    let got = [
        numbers(result),
        numbers(x.grad(&gradients).unwrap()),
        numbers(weights.kernel.grad(&gradients).unwrap()),
        numbers(weights.recurrent_kernel.grad(&gradients).unwrap()),
        numbers(weights.bias.grad(&gradients).unwrap()),
    ];
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let gap = largest_gap(got, expected);
        assert!(gap < 2e-6, "{cell:?} part {i}: {gap:e}");
    }
    let reverse = numbers(last(cell, x, Some(&[3, 2]), one(true)));
    assert!(largest_gap(&reverse, reverse_last) < 1e-6, "{cell:?} reversed: {reverse:?}");
}

#[test]
fn lstm_equals_keras() {
    let expected: [&[f32]; 5] = [&LSTM_Y, &LSTM_DX, &LSTM_DK, &LSTM_DR, &LSTM_DB];
    check(Cell::Lstm, expected, &LSTM_REVERSE);
}

#[test]
fn gru_equals_keras() {
    let expected: [&[f32]; 5] = [&GRU_Y, &GRU_DX, &GRU_DK, &GRU_DR, &GRU_DB];
    check(Cell::Gru, expected, &GRU_REVERSE);
}

const LSTM_Y: [f32; 12] = [
    -0.612_836_84,
    -0.158_824_5,
    -0.452_391_06,
    -0.125_459_16,
    -0.122_452_46,
    0.018_936_502,
    -0.081_309_54,
    0.195_757_3,
    -0.635_635_44,
    -0.009_778_505,
    0.0,
    0.0,
];
const LSTM_DX: [f32; 12] = [
    -0.101_076_886,
    -0.132_049_46,
    0.414_810_33,
    0.135_215_73,
    0.022_706_762,
    0.021_473_177,
    -0.416_774_48,
    -0.409_879_86,
    0.372_48,
    0.107_644_46,
    0.0,
    0.0,
];
const LSTM_DK: [f32; 16] = [
    0.046_377_353,
    0.026_110_021,
    0.012_300_588,
    0.007_381_414_5,
    -0.287_483_93,
    -0.471_870_78,
    0.038_350_52,
    0.049_337_074,
    0.009_774_54,
    -0.029_993_426,
    -0.019_727_144,
    -0.008_576_819,
    0.056_179_985,
    -0.353_827_03,
    -0.048_217_386,
    -0.024_487_477,
];
const LSTM_DR: [f32; 16] = [
    -0.008_882_033,
    -0.023_181_13,
    -0.036_231_887,
    -0.008_040_539,
    0.045_694_653,
    0.233_066_32,
    -0.058_628_414,
    -0.034_714_036,
    0.003_704_089_2,
    -0.005_563_733_6,
    -0.007_413_476_2,
    -0.005_161_025,
    0.007_115_695,
    -0.027_965_594,
    0.002_695_566,
    -0.008_963_754,
];
const LSTM_DB: [f32; 8] = [
    -0.023_727_596,
    -0.003_277_912_7,
    0.075_193_66,
    -0.001_229_797_5,
    0.314_751_1,
    -0.751_846_43,
    0.045_244_023,
    0.009_023_506,
];
const LSTM_REVERSE: [f32; 4] = [-0.653_625_85, -0.115_217_25, -0.135_837_12, 0.076_628_044];
const GRU_Y: [f32; 12] = [
    -0.076_780_54,
    -0.043_128_565,
    -0.150_800_27,
    -0.049_139_66,
    -0.007_274_627_7,
    0.536_123_6,
    -0.055_275_86,
    0.192_980_72,
    -0.119_429_32,
    0.148_263_53,
    0.0,
    0.0,
];
const GRU_DX: [f32; 12] = [
    0.006_687_866_5,
    -0.001_302_475_7,
    0.053_634_994,
    0.106_454_13,
    -0.139_004_2,
    -0.160_482_97,
    0.220_141,
    0.212_686_03,
    -0.060_080_927,
    -0.011_046_533,
    0.0,
    0.0,
];
const GRU_DK: [f32; 12] = [
    -0.093_801_156,
    0.060_526_237,
    -0.001_684_203_5,
    -0.000_093_853_57,
    0.046_744_302,
    -0.026_500_516,
    -0.073_726_36,
    0.181_091_74,
    -0.001_126_227_1,
    -0.003_935_422_7,
    0.052_586_23,
    -0.051_479_355,
];
const GRU_DR: [f32; 12] = [
    0.002_832_851,
    0.031_070_335,
    -0.000_340_108_38,
    0.000_099_164_405,
    0.001_578_037_2,
    0.000_185_102_22,
    -0.010_457_529,
    0.005_360_554,
    -0.000_063_001_4,
    0.000_064_312_55,
    0.000_254_326_85,
    0.000_074_433_38,
];
const GRU_DB: [f32; 12] = [
    -0.076_191_545,
    -0.124_127_686,
    0.005_193_565,
    -0.014_294_44,
    -0.095_362_98,
    -0.207_278_77,
    -0.076_191_545,
    -0.124_127_686,
    0.005_193_565,
    -0.014_294_44,
    -0.021_145_262,
    -0.028_009_584,
];
const GRU_REVERSE: [f32; 4] = [-0.028_111_499, 0.424_248_04, -0.109_154_09, 0.182_201_15];
