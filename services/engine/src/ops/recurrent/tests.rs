//! The fused layers against the same ones made of plain operations, and against Keras.

mod keras;
mod reference;

use burn::tensor::{Device, Tensor, TensorData};

use super::*;
use reference::Reference;

/// A layer and what it reads.
pub(super) struct Case {
    pub cell: Cell,
    pub batch: usize,
    pub time: usize,
    pub features: usize,
    pub units: usize,
    pub lengths: Option<Vec<usize>>,
    pub masked: bool,
    pub reverse: Vec<bool>,
}

/// Result, then the slopes by x, each direction's kernel, recurrent kernel and bias.
type Numbers = Vec<Vec<f32>>;

/// Numbers without a pattern, within +-`scale`.
pub(super) fn wave<const D: usize>(shape: [usize; D], seed: usize, scale: f32) -> Tensor<D> {
    let n = shape.iter().product();
    let values = (0..n).map(|i| {
        let hashed = ((i + 1) as u64 * 0x9E37_79B9 + seed as u64 * 0x85EB_CA6B) ^ 0x5bd1;
        let mixed = hashed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 40;
        scale * (mixed as f32 / (1 << 23) as f32 - 1.0)
    });
    let data = TensorData::new(values.collect::<Vec<f32>>(), shape);
    Tensor::from_data(data, &Device::flex().autodiff())
}

pub(super) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

impl Case {
    fn new(cell: Cell) -> Self {
        Self {
            cell,
            batch: 5,
            time: 7,
            features: 3,
            units: 6,
            lengths: None,
            masked: false,
            reverse: vec![false],
        }
    }

    fn x(&self) -> Tensor<3> {
        wave([self.batch, self.time, self.features], 1, 1.0).require_grad()
    }

    fn weights(&self) -> Vec<RecurrentWeights> {
        let (gates, biases) = (self.cell.gates() * self.units, self.cell.biases());
        let one = |i: usize| RecurrentWeights {
            kernel: wave([self.features, gates], 2 + 10 * i, 0.8).require_grad(),
            recurrent_kernel: wave(
                [self.units, gates],
                3 + 10 * i,
                0.9 / (self.units as f32).sqrt(),
            )
            .require_grad(),
            bias: wave([biases * gates], 4 + 10 * i, 0.5).require_grad(),
        };
        (0..self.reverse.len()).map(one).collect()
    }

    fn masks(&self) -> Vec<Option<Vec<f32>>> {
        let mask = |i| {
            let draws = numbers(wave([self.batch, self.units], 7 + i, 1.0));
            draws.into_iter().map(|x| if x < -0.4 { 0.0 } else { 1.0 / 0.7 }).collect()
        };
        (0..self.reverse.len()).map(|i| self.masked.then(|| mask(i))).collect()
    }

    fn directions<'a>(&self, weights: &'a [RecurrentWeights]) -> Vec<Direction<'a>> {
        let rest = self.masks().into_iter().zip(&self.reverse);
        let direction =
            |(weights, (state_mask, &reverse))| Direction { weights, state_mask, reverse };
        weights.iter().zip(rest).map(direction).collect()
    }

    /// The result and the slopes of a weighted sum of it.
    fn fused(&self, whole: bool) -> Numbers {
        let (x, weights) = (self.x(), self.weights());
        let (lengths, directions) = (self.lengths.as_deref(), self.directions(&weights));
        if whole {
            slopes(sequence(self.cell, x.clone(), lengths, directions), &x, &weights)
        } else {
            slopes(last(self.cell, x.clone(), lengths, directions), &x, &weights)
        }
    }

    fn plain(&self, whole: bool) -> Numbers {
        let (x, weights) = (self.x(), self.weights());
        let (sequences, lasts) = self.plain_results(&x, &weights);
        if whole { slopes(sequences, &x, &weights) } else { slopes(lasts, &x, &weights) }
    }

    fn plain_results(&self, x: &Tensor<3>, weights: &[RecurrentWeights]) -> (Tensor<3>, Tensor<2>) {
        let run = |direction: Direction<'_>| Reference { case: self, direction }.run(x);
        let (sequences, lasts) = self.directions(weights).into_iter().map(run).unzip();
        (Tensor::cat(sequences, 2), Tensor::cat(lasts, 1))
    }

    fn check(&self) {
        for whole in [true, false] {
            let (fused, plain) = (self.fused(whole), self.plain(whole));
            assert_eq!(fused.len(), plain.len());
            for (i, (fused, plain)) in fused.iter().zip(&plain).enumerate() {
                let size = plain.iter().fold(1.0_f32, |size, x| size.max(x.abs()));
                let gap = largest_gap(fused, plain);
                assert!(gap <= 1e-5 * size, "{:?}, whole {whole}, part {i}: {gap:e}", self.cell);
            }
        }
    }
}

fn largest_gap(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let gaps = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    gaps.fold(0.0, |largest, gap| if gap <= largest || largest.is_nan() { largest } else { gap })
}

fn slopes<const D: usize>(
    result: Tensor<D>,
    x: &Tensor<3>,
    weights: &[RecurrentWeights],
) -> Numbers {
    let values = numbers(result.clone());
    let loss = (result.clone() * wave(result.dims(), 5, 1.0)).sum();
    let gradients = loss.backward();
    let mut all = vec![values, numbers(x.grad(&gradients).unwrap())];
    for weights in weights {
        all.push(numbers(weights.kernel.grad(&gradients).unwrap()));
        all.push(numbers(weights.recurrent_kernel.grad(&gradients).unwrap()));
        all.push(numbers(weights.bias.grad(&gradients).unwrap()));
    }
    all
}

const CELLS: [Cell; 2] = [Cell::Lstm, Cell::Gru];

#[test]
fn equals_plain_operations_in_either_direction() {
    for cell in CELLS {
        for reverse in [vec![false], vec![true], vec![false, true]] {
            Case { reverse, ..Case::new(cell) }.check();
        }
    }
}

#[test]
fn equals_plain_operations_with_lengths_and_masks() {
    let lengths = vec![3, 7, 0, 1, 6, 2, 2, 5, 4, 7, 1];
    for cell in CELLS {
        for masked in [false, true] {
            for reverse in [vec![false], vec![true], vec![false, true]] {
                let lengths = Some(lengths.clone());
                let case = Case { batch: 11, lengths, masked, reverse, ..Case::new(cell) };
                case.check();
            }
        }
    }
}

/// Nothing is recorded in a prediction, which has a loop of its own.
#[test]
fn a_prediction_equals_what_training_computes() {
    for cell in CELLS {
        for batch in [1, 2, 8, 11] {
            let lengths = (0..batch).map(|row| [70, 3, 0, 41][row % 4]).collect();
            let (reverse, lengths) = (vec![false, true], Some(lengths));
            let sizes = Case { batch, time: 70, features: 5, units: 9, ..Case::new(cell) };
            let case = Case { reverse, lengths, ..sizes };
            let weights = plain_weights(&case);
            let (x, lengths) = (case.x().inner(), case.lengths.as_deref());
            let all = sequence(cell, x.clone(), lengths, case.directions(&weights));
            let last = last(cell, x, lengths, case.directions(&weights));
            for (predicted, whole) in [(numbers(all), true), (numbers(last), false)] {
                let gap = largest_gap(&predicted, &case.fused(whole)[0]);
                assert!(gap <= 1e-6, "{cell:?}, {batch} rows, whole {whole}: {gap:e}");
            }
        }
    }
}

#[test]
fn padding_that_all_rows_share_comes_back_as_zeros() {
    for cell in CELLS {
        let lengths = Some(vec![3, 1, 2, 3, 0]);
        Case { lengths, reverse: vec![false, true], ..Case::new(cell) }.check();
    }
}

#[test]
fn equals_plain_operations_at_the_smallest_sizes() {
    for cell in CELLS {
        for reverse in [vec![false], vec![true]] {
            let reverse = || reverse.clone();
            Case { time: 1, reverse: reverse(), ..Case::new(cell) }.check();
            Case { batch: 1, reverse: reverse(), masked: true, ..Case::new(cell) }.check();
            Case {
                batch: 1,
                time: 1,
                features: 1,
                units: 1,
                reverse: reverse(),
                ..Case::new(cell)
            }
            .check();
        }
    }
}

#[test]
fn equals_plain_operations_over_two_hundred_steps() {
    for cell in CELLS {
        let lengths = Some(vec![200, 150, 199, 20, 200, 77, 200, 3, 200]);
        let case = Case { batch: 9, time: 200, features: 8, units: 20, ..Case::new(cell) };
        Case { lengths, masked: true, reverse: vec![false, true], ..case }.check();
    }
}

#[test]
fn slopes_equal_finite_differences() {
    for cell in CELLS {
        let lengths = Some(vec![3, 2, 4]);
        let case = Case { batch: 3, time: 4, features: 2, units: 3, lengths, ..Case::new(cell) };
        let slopes = numbers({
            let (x, weights) = (case.x(), case.weights());
            let gradients = weighted_sum(&case, x.clone(), &weights).backward();
            x.grad(&gradients).unwrap()
        });
        let x = numbers(case.x());
        let shifted = |i: usize, by: f32| {
            let mut x = x.clone();
            x[i] += by;
            let x = Tensor::from_data(TensorData::new(x, [3, 4, 2]), &Device::flex());
            numbers(weighted_sum(&case, x, &plain_weights(&case)))[0]
        };
        for (i, slope) in slopes.iter().enumerate() {
            let difference = (shifted(i, 1e-2) - shifted(i, -1e-2)) / 2e-2;
            assert!((slope - difference).abs() < 5e-4, "{cell:?} {i}: {slope} {difference}");
        }
    }
}

fn weighted_sum(case: &Case, x: Tensor<3>, weights: &[RecurrentWeights]) -> Tensor<1> {
    let direction = Direction { weights: &weights[0], state_mask: None, reverse: false };
    let result = sequence(case.cell, x, case.lengths.as_deref(), vec![direction]);
    let factors = numbers(wave(result.dims(), 5, 1.0));
    let factors = Tensor::from_data(TensorData::new(factors, result.dims()), &result.device());
    (result * factors).sum()
}

/// Without a record of operations, as in prediction.
fn plain_weights(case: &Case) -> Vec<RecurrentWeights> {
    let plain = |weights: RecurrentWeights| RecurrentWeights {
        kernel: weights.kernel.inner(),
        recurrent_kernel: weights.recurrent_kernel.inner(),
        bias: weights.bias.inner(),
    };
    case.weights().into_iter().map(plain).collect()
}

#[test]
fn same_bits_twice_and_with_any_number_of_threads() {
    for cell in CELLS {
        let lengths = (0..19).map(|i| 60 - 3 * (i % 7)).collect();
        let case = Case {
            batch: 19,
            time: 60,
            features: 24,
            units: 70,
            lengths: Some(lengths),
            masked: true,
            reverse: vec![false, true],
            ..Case::new(cell)
        };
        let bits = |threads: usize| -> Vec<Vec<u32>> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let numbers = pool.install(|| case.fused(true));
            numbers.iter().map(|part| part.iter().map(|x| x.to_bits()).collect()).collect()
        };
        let once = bits(1);
        for threads in [1, 2, 3] {
            assert!(once == bits(threads), "{cell:?} {threads}");
        }
    }
}

#[test]
fn nothing_to_read_gives_zeros() {
    let case = Case { lengths: Some(vec![0; 5]), ..Case::new(Cell::Gru) };
    let weights = case.weights();
    let direction = || vec![Direction { weights: &weights[0], state_mask: None, reverse: false }];
    let result = sequence(case.cell, case.x(), case.lengths.as_deref(), direction());
    assert_eq!((result.dims(), numbers(result.abs().max())), ([5, 7, 6], vec![0.0]));
    let result = last(case.cell, case.x(), case.lengths.as_deref(), direction());
    assert_eq!((result.dims(), numbers(result.abs().max())), ([5, 6], vec![0.0]));
}
