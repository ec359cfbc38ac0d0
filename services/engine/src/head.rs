//! What the last layer's numbers mean for a task: the loss, its gradient and the answer. The network
//! ends before the last activation, because the loss of a sigmoid or a softmax is exact only when it
//! is taken from the numbers before it; of each the gradient is then simply answer minus truth.

use domain::spec::Task;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub task: Task,
    pub outputs: usize,
    /// A regression learns `(y - center) / scale`.
    pub center: f64,
    pub scale: f64,
}

impl Head {
    /// One row's loss; `gradient` becomes its derivative by each of `logits`.
    pub fn loss(&self, logits: &[f32], target: f64, gradient: &mut [f64]) -> f64 {
        match self.task {
            Task::BinaryClassification => {
                let z = f64::from(logits[0]);
                gradient[0] = sigmoid(z) - target;
                z.max(0.0) - z * target + (-z.abs()).exp().ln_1p()
            }
            Task::MulticlassClassification => {
                let class = target as usize;
                let log_sum = softmax(logits, gradient);
                gradient[class] -= 1.0;
                log_sum - f64::from(logits[class])
            }
            Task::Regression => {
                let error = f64::from(logits[0]) - (target - self.center) / self.scale;
                gradient[0] = 2.0 * error;
                error * error
            }
        }
    }

    /// The probability of the positive class, or the value in the target's own unit.
    pub fn answer(&self, logit: f32) -> f64 {
        match self.task {
            Task::Regression => f64::from(logit) * self.scale + self.center,
            _ => sigmoid(f64::from(logit)),
        }
    }

    /// Of every class, in order.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f64> {
        if self.task == Task::BinaryClassification {
            let positive = self.answer(logits[0]);
            return vec![1.0 - positive, positive];
        }
        let mut probabilities = vec![0.0; logits.len()];
        softmax(logits, &mut probabilities);
        probabilities
    }
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

    fn head(task: Task, outputs: usize) -> Head {
        Head { task, outputs, center: 0.0, scale: 1.0 }
    }

    #[test]
    fn losses_are_those_of_scikit_learn() {
        // log_loss([1], [[0.3, 0.7]]) with 0.7 = sigmoid(0.8472979)
        let mut g = [0.0];
        let loss = head(Task::BinaryClassification, 1).loss(&[0.847_297_9], 1.0, &mut g);
        assert!((loss - 0.356_674_943_938_732_4).abs() < 1e-7, "{loss}");
        assert!((g[0] + 0.3).abs() < 1e-7);
        // log_loss([2], [softmax([1, 2, 3])])
        let mut g = [0.0; 3];
        let loss = head(Task::MulticlassClassification, 3).loss(&[1.0, 2.0, 3.0], 2.0, &mut g);
        assert!((loss - 0.407_605_964_444_380_13).abs() < 1e-12, "{loss}");
        assert!((g.iter().sum::<f64>()).abs() < 1e-12);
    }

    #[test]
    fn extreme_logits_stay_finite() {
        let binary = head(Task::BinaryClassification, 1);
        assert_eq!(binary.loss(&[1e30], 1.0, &mut [0.0]), 0.0);
        assert!(binary.loss(&[-1e30], 1.0, &mut [0.0]).is_finite());
        let many = head(Task::MulticlassClassification, 2);
        assert!(many.loss(&[1e30, -1e30], 1.0, &mut [0.0; 2]).is_finite());
        assert_eq!(many.probabilities(&[1e30, -1e30]), [1.0, 0.0]);
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let regression = Head { task: Task::Regression, outputs: 1, center: 3.0, scale: 2.0 };
        for head in [head(Task::BinaryClassification, 1), regression] {
            let (mut gradient, mut none) = ([0.0], [0.0]);
            let (z, step) = (0.25_f32, 0.015_625_f32);
            head.loss(&[z], 1.0, &mut gradient);
            let rise =
                head.loss(&[z + step], 1.0, &mut none) - head.loss(&[z - step], 1.0, &mut none);
            let slope = rise / f64::from(2.0 * step);
            assert!((slope - gradient[0]).abs() < 1e-4, "{slope} {gradient:?}");
        }
    }
}
