//! What the last layer's numbers mean for a task: the loss, its gradient and the answer. The network
//! ends before the last activation, because the loss of a sigmoid or a softmax is exact only when it
//! is taken from the numbers before it; of each the gradient is then simply answer minus truth.

use domain::spec::{Loss, Task};

use crate::unit::Unit;

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

    /// One row's loss; `gradient` becomes its derivative by each of `logits`.
    pub fn loss(&self, logits: &[f32], targets: &[f64], gradient: &mut [f64]) -> f64 {
        let loss = match self.loss {
            Loss::BinaryCrossentropy => {
                let z = f64::from(logits[0]);
                let target = targets[0] * (1.0 - self.smoothing) + 0.5 * self.smoothing;
                gradient[0] = sigmoid(z) - target;
                z.max(0.0) - z * target + (-z.abs()).exp().ln_1p()
            }
            Loss::CategoricalCrossentropy => self.crossentropy(logits, targets[0], gradient),
            Loss::MeanSquaredError => {
                self.mean(logits, targets, gradient, |error| (error * error, 2.0 * error))
            }
            Loss::MeanAbsoluteError => {
                let slope = |error: f64| if error == 0.0 { 0.0 } else { error.signum() };
                self.mean(logits, targets, gradient, |error| (error.abs(), slope(error)))
            }
            // Keras' with delta 1
            Loss::Huber => self.mean(logits, targets, gradient, |error| {
                if error.abs() <= 1.0 {
                    (0.5 * error * error, error)
                } else {
                    (error.abs() - 0.5, error.signum())
                }
            }),
        };
        let Some(&weight) = self.class_weights.get(targets[0] as usize) else { return loss };
        gradient.iter_mut().for_each(|g| *g *= weight);
        loss * weight
    }

    fn crossentropy(&self, logits: &[f32], target: f64, gradient: &mut [f64]) -> f64 {
        let class = target as usize;
        let log_sum = softmax(logits, gradient);
        let share = self.smoothing / self.outputs as f64;
        gradient[class] -= 1.0 - self.smoothing;
        let mut expected = (1.0 - self.smoothing) * f64::from(logits[class]);
        if share > 0.0 {
            gradient.iter_mut().for_each(|g| *g -= share);
            expected += share * logits.iter().map(|&z| f64::from(z)).sum::<f64>();
        }
        log_sum - expected
    }

    /// Of the outputs' errors: loss and slope of each.
    fn mean(
        &self,
        logits: &[f32],
        targets: &[f64],
        gradient: &mut [f64],
        of: impl Fn(f64) -> (f64, f64),
    ) -> f64 {
        let n = logits.len() as f64;
        let mut sum = 0.0;
        for ((&z, &target), gradient) in logits.iter().zip(targets).zip(gradient) {
            let (loss, slope) = of(f64::from(z) - target);
            sum += loss;
            *gradient = slope / n;
        }
        sum / n
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
        let loss = binary().loss(&[0.847_297_9], &[1.0], &mut g);
        assert!((loss - 0.356_674_943_938_732_4).abs() < 1e-7, "{loss}");
        assert!((g[0] + 0.3).abs() < 1e-7);
        // log_loss([2], [softmax([1, 2, 3])])
        let mut g = [0.0; 3];
        let loss = many(3).loss(&[1.0, 2.0, 3.0], &[2.0], &mut g);
        assert!((loss - 0.407_605_964_444_380_13).abs() < 1e-12, "{loss}");
        assert!((g.iter().sum::<f64>()).abs() < 1e-12);
    }

    #[test]
    fn smoothing_and_class_weights_are_those_of_keras() {
        // keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
        // of [0, 0, 1] and [1., 2., 3.]
        let smooth = Head { smoothing: 0.1, ..many(3) };
        let loss = smooth.loss(&[1.0, 2.0, 3.0], &[2.0], &mut [0.0; 3]);
        assert!((loss - 0.507_605_964_444_380_1).abs() < 1e-12, "{loss}");
        let weighted = Head { class_weights: vec![1.0, 3.0], ..binary() };
        let (mut once, mut thrice) = ([0.0], [0.0]);
        let loss = binary().loss(&[0.5], &[1.0], &mut once);
        assert_eq!(weighted.loss(&[0.5], &[1.0], &mut thrice), 3.0 * loss);
        assert_eq!(thrice[0], 3.0 * once[0]);
    }

    #[test]
    fn extreme_logits_stay_finite() {
        assert_eq!(binary().loss(&[1e30], &[1.0], &mut [0.0]), 0.0);
        assert!(binary().loss(&[-1e30], &[1.0], &mut [0.0]).is_finite());
        assert!(many(2).loss(&[1e30, -1e30], &[1.0], &mut [0.0; 2]).is_finite());
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
            head.loss(&[z], &[1.0], &mut gradient);
            let rise = head.loss(&[z + step], &[1.0], &mut none)
                - head.loss(&[z - step], &[1.0], &mut none);
            let slope = rise / f64::from(2.0 * step);
            assert!((slope - gradient[0]).abs() < 1e-4, "{slope} {gradient:?}");
        }
    }
}
