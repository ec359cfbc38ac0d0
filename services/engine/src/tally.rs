//! Losses and predictions gathered row by row, and the metrics made of them under Keras' names.

use std::collections::BTreeMap;

use domain::spec::{Metric, Task};

use crate::{head::Head, metrics};

#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub loss_sum: f64,
    pub correct: u64,
    pub rows: u64,
    /// Of tasks with one output, for the metrics that need every prediction at once.
    pub outputs: Vec<f32>,
    pub targets: Vec<f64>,
}

impl Tally {
    /// Adds a batch. Returns its mean loss and the derivative of that by each of `logits`.
    pub fn add(&mut self, head: Head, logits: &[f32], targets: &[f64]) -> (f64, Vec<f32>) {
        let mut gradients = Vec::with_capacity(logits.len());
        let mut gradient = vec![0.0; head.outputs];
        let mut batch_loss = 0.0;
        for (logits, &target) in logits.chunks_exact(head.outputs).zip(targets) {
            batch_loss += head.loss(logits, target, &mut gradient);
            gradients.extend(gradient.iter().map(|g| (g / targets.len() as f64) as f32));
            self.correct += u64::from(match head.task {
                Task::BinaryClassification => {
                    metrics::is_positive(head.answer(logits[0])) == (target == 1.0)
                }
                Task::MulticlassClassification => best(logits) == target as usize,
                Task::Regression => false,
            });
        }
        if head.outputs == 1 {
            self.outputs.extend_from_slice(logits);
            self.targets.extend_from_slice(targets);
        }
        self.loss_sum += batch_loss;
        self.rows += targets.len() as u64;
        (batch_loss / targets.len() as f64, gradients)
    }

    pub fn loss(&self) -> f64 {
        self.loss_sum / self.rows as f64
    }

    /// `loss` and the wanted metrics; validation's names start with `val_`.
    pub fn metrics(&self, head: Head, wanted: &[Metric], prefix: &str) -> BTreeMap<String, f64> {
        let answers: Vec<f64> = self.outputs.iter().map(|&z| head.answer(z)).collect();
        let value = |metric| match metric {
            Metric::Accuracy => Some(self.correct as f64 / self.rows as f64),
            Metric::Precision => Some(metrics::precision(&answers, &self.targets)),
            Metric::Recall => Some(metrics::recall(&answers, &self.targets)),
            Metric::Auc => metrics::auc(&answers, &self.targets),
            Metric::MeanAbsoluteError => {
                Some(metrics::mean_absolute_error(&answers, &self.targets))
            }
            Metric::R2 => metrics::r2(&answers, &self.targets),
        };
        wanted
            .iter()
            .filter_map(|&m| Some((format!("{prefix}{}", m.as_str()), value(m)?)))
            .chain([(format!("{prefix}loss"), self.loss())])
            .collect()
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
