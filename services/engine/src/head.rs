//! What the last layer's numbers mean for a task: the loss, its gradient and the answer. The network
//! ends before the last activation, because the loss of a sigmoid or a softmax is exact only when it
//! is taken from the numbers before it; of each the gradient is then simply answer minus truth.

use domain::spec::{Loss, Task};
use rayon::prelude::*;

use crate::{
    attention::largest,
    ops::simd::{self, vectorized},
    unit::Unit,
};

/// Logits that one thread takes at a time, about.
const GROUP_NUMBERS: usize = 1 << 15;

#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub task: Task,
    pub loss: Loss,
    pub outputs: usize,
    /// Share of each truth that is spread over all classes.
    pub smoothing: f64,
    /// How much each class counts; empty where all count the same.
    pub class_weights: Vec<f64>,
    /// Numbers are learned as `(y - center) / scale`, where a batch does not bring its own.
    pub unit: Unit,
}

impl Head {
    /// For judging a model rather than teaching it: every row counts once and truth is truth.
    pub fn judge(&self) -> Self {
        Self { smoothing: 0.0, class_weights: vec![], ..self.clone() }
    }

    /// Numbers of the target that belong to one row.
    pub fn targets(&self) -> usize {
        match self.loss {
            Loss::BinaryCrossentropy | Loss::CategoricalCrossentropy => 1,
            _ => self.outputs,
        }
    }

    pub fn is_probability(&self) -> bool {
        matches!(self.loss, Loss::BinaryCrossentropy | Loss::CategoricalCrossentropy)
    }

    /// The sum of all rows' losses; `gradients` becomes the derivative of their mean by each logit. Rows
    /// go in groups whose sums are added in order, whichever threads made them.
    pub fn losses(&self, logits: &[f32], targets: &[f64], gradients: &mut [f32]) -> f64 {
        let (outputs, width) = (self.outputs, self.targets());
        let share = 1.0 / (logits.len() / outputs).max(1) as f64;
        let rows = (GROUP_NUMBERS / outputs).max(1);
        let of_group = |((logits, targets), gradients): ((&[f32], &[f64]), &mut [f32])| {
            let rows = logits.chunks_exact(outputs).zip(targets.chunks_exact(width));
            let rows = rows.zip(gradients.chunks_exact_mut(outputs));
            rows.map(|((logits, targets), gradient)| self.loss(logits, targets, share, gradient))
                .sum::<f64>()
        };
        let groups = logits.par_chunks(rows * outputs).zip(targets.par_chunks(rows * width));
        let groups = groups.zip(gradients.par_chunks_mut(rows * outputs));
        let sums: Vec<f64> = groups.map(of_group).collect();
        sums.iter().sum()
    }

    /// One row's loss; `gradient` becomes `share` times its derivative by each of `logits`.
    fn loss(&self, logits: &[f32], targets: &[f64], share: f64, gradient: &mut [f32]) -> f64 {
        let weight = self.class_weights.get(targets[0] as usize).map_or(1.0, |weight| *weight);
        let share = share * weight;
        let loss = match self.loss {
            Loss::BinaryCrossentropy => {
                let z = f64::from(logits[0]);
                let target = targets[0] * (1.0 - self.smoothing) + 0.5 * self.smoothing;
                gradient[0] = (share * (sigmoid(z) - target)) as f32;
                z.max(0.0) - z * target + (-z.abs()).exp().ln_1p()
            }
            Loss::CategoricalCrossentropy => self.crossentropy(logits, targets[0], share, gradient),
            Loss::MeanSquaredError => {
                mean(logits, targets, share, gradient, |error| (error * error, 2.0 * error))
            }
            Loss::MeanAbsoluteError => {
                let slope = |error: f64| if error == 0.0 { 0.0 } else { error.signum() };
                mean(logits, targets, share, gradient, |error| (error.abs(), slope(error)))
            }
            // Keras' with delta 1
            Loss::Huber => mean(logits, targets, share, gradient, |error| {
                if error.abs() <= 1.0 {
                    (0.5 * error * error, error)
                } else {
                    (error.abs() - 0.5, error.signum())
                }
            }),
        };
        loss * weight
    }

    /// A language model has thousands of classes for each token: single precision, whole vectors.
    fn crossentropy(&self, logits: &[f32], target: f64, share: f64, gradient: &mut [f32]) -> f64 {
        let class = target as usize;
        let spread = self.smoothing / self.outputs as f64;
        let log_sum = vectorized(
            #[inline(always)]
            || shares(logits, share as f32, (share * spread) as f32, gradient),
        );
        gradient[class] -= (share * (1.0 - self.smoothing)) as f32;
        let mut expected = (1.0 - self.smoothing) * f64::from(logits[class]);
        if spread > 0.0 {
            expected += spread * logits.iter().map(|&z| f64::from(z)).sum::<f64>();
        }
        log_sum - expected
    }

    /// Of one row: the probability of the positive class, of every class, or the values.
    pub fn answer(&self, logits: &[f32], unit: Unit, answers: &mut Vec<f64>) {
        match self.loss {
            Loss::BinaryCrossentropy => answers.push(sigmoid(f64::from(logits[0]))),
            Loss::CategoricalCrossentropy => {
                let start = answers.len();
                answers.resize(start + logits.len(), 0.0);
                softmax(logits, &mut answers[start..]);
            }
            _ => answers.extend(logits.iter().map(|&z| unit.value(f64::from(z)))),
        }
    }
}

/// The index of the largest, the first of equals.
pub(crate) fn best(logits: &[f32]) -> usize {
    let mut best = 0;
    for (i, &z) in logits.iter().enumerate() {
        if z > logits[best] {
            best = i;
        }
    }
    best
}

/// Of the outputs' errors: loss and slope of each.
fn mean(
    logits: &[f32],
    targets: &[f64],
    share: f64,
    gradient: &mut [f32],
    of: impl Fn(f64) -> (f64, f64),
) -> f64 {
    let n = logits.len() as f64;
    let mut sum = 0.0;
    for ((&z, &target), gradient) in logits.iter().zip(targets).zip(gradient) {
        let (loss, slope) = of(f64::from(z) - target);
        sum += loss;
        *gradient = (share * slope / n) as f32;
    }
    sum / n
}

/// Fills in `share` times the probabilities, less `spread`, and returns the logarithm of the sum of
/// exponentials.
#[inline(always)]
fn shares(logits: &[f32], share: f32, spread: f32, filled: &mut [f32]) -> f64 {
    let max = largest(logits);
    for (p, &z) in filled.iter_mut().zip(logits) {
        *p = simd::exp(z - max);
    }
    let sum = simd::sum_in_lanes(filled, |p| p);
    let factor = (f64::from(share) / sum) as f32;
    filled.iter_mut().for_each(|p| *p = *p * factor - spread);
    f64::from(max) + sum.ln()
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Fills in the probabilities and returns the logarithm of the sum of exponentials.
fn softmax(logits: &[f32], probabilities: &mut [f64]) -> f64 {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let mut sum = 0.0;
    for (p, &z) in probabilities.iter_mut().zip(logits) {
        *p = (f64::from(z) - max).exp();
        sum += *p;
    }
    probabilities.iter_mut().for_each(|p| *p /= sum);
    max + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(task: Task, loss: Loss, outputs: usize) -> Head {
        let unit = Unit::ITSELF;
        Head { task, loss, outputs, smoothing: 0.0, class_weights: vec![], unit }
    }

    fn binary() -> Head {
        head(Task::BinaryClassification, Loss::BinaryCrossentropy, 1)
    }

    fn many(outputs: usize) -> Head {
        head(Task::MulticlassClassification, Loss::CategoricalCrossentropy, outputs)
    }

    #[test]
    fn losses_are_those_of_scikit_learn() {
        // log_loss([1], [[0.3, 0.7]]) with 0.7 = sigmoid(0.8472979)
        let mut g = [0.0];
        let loss = binary().losses(&[0.847_297_9], &[1.0], &mut g);
        assert!((loss - 0.356_674_943_938_732_4).abs() < 1e-7, "{loss}");
        assert!((g[0] + 0.3).abs() < 1e-7);
        // log_loss([2], [softmax([1, 2, 3])])
        let mut g = [0.0; 3];
        let loss = many(3).losses(&[1.0, 2.0, 3.0], &[2.0], &mut g);
        assert!((loss - 0.407_605_964_444_380_13).abs() < 1e-7, "{loss}");
        assert!((g.iter().sum::<f32>()).abs() < 1e-7);
    }

    #[test]
    fn smoothing_and_class_weights_are_those_of_keras() {
        // keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
        // of [0, 0, 1] and [1., 2., 3.]
        let smooth = Head { smoothing: 0.1, ..many(3) };
        let loss = smooth.losses(&[1.0, 2.0, 3.0], &[2.0], &mut [0.0; 3]);
        assert!((loss - 0.507_605_964_444_380_1).abs() < 1e-7, "{loss}");
        let weighted = Head { class_weights: vec![1.0, 3.0], ..binary() };
        let (mut once, mut thrice) = ([0.0], [0.0]);
        let loss = binary().losses(&[0.5], &[1.0], &mut once);
        assert_eq!(weighted.losses(&[0.5], &[1.0], &mut thrice), 3.0 * loss);
        assert_eq!(thrice[0], 3.0 * once[0]);
    }

    #[test]
    fn extreme_logits_stay_finite() {
        assert_eq!(binary().losses(&[1e30], &[1.0], &mut [0.0]), 0.0);
        assert!(binary().losses(&[-1e30], &[1.0], &mut [0.0]).is_finite());
        assert!(many(2).losses(&[1e30, -1e30], &[1.0], &mut [0.0; 2]).is_finite());
        let mut probabilities = vec![];
        many(2).answer(&[1e30, -1e30], Unit::ITSELF, &mut probabilities);
        assert_eq!(probabilities, [1.0, 0.0]);
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let regression = |loss| head(Task::Regression, loss, 1);
        let losses = [Loss::MeanSquaredError, Loss::MeanAbsoluteError, Loss::Huber];
        for head in losses.map(regression).into_iter().chain([binary()]) {
            let (mut gradient, mut none) = ([0.0], [0.0]);
            let (z, step) = (0.25_f32, 0.015_625_f32);
            head.losses(&[z], &[1.0], &mut gradient);
            let rise = head.losses(&[z + step], &[1.0], &mut none)
                - head.losses(&[z - step], &[1.0], &mut none);
            let slope = rise / f64::from(2.0 * step);
            assert!((slope - f64::from(gradient[0])).abs() < 1e-4, "{slope} {gradient:?}");
        }
    }
}
