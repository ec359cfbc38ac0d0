//! What happens in a step: rows to gradients, gradients to better weights.

use domain::spec::Optimizer as Kind;

use super::{judge, session::Session};
use crate::{
    evaluation::needs_predictions,
    network::{Draws, Pass, Role},
    ops::seed::backward_from,
    optimize::{TensorUpdate, add_penalty_gradient, clip, penalty},
    samples::Batch,
};

/// Rows of a full-batch step that go through the network at once.
const FULL_BATCH_ROWS: usize = 4_096;

impl Session<'_> {
    /// The mean loss of the rows with its penalties, and its derivative by every array.
    pub(super) fn gradients(&mut self, rows: &[u32]) -> (f64, Vec<Vec<f32>>) {
        let mut loss = 0.0;
        let mut sum: Vec<Vec<f32>> = vec![];
        for (part, chunk) in rows.chunks(self.chunk_rows()).enumerate() {
            let share = chunk.len() as f64 / rows.len() as f64;
            let (part_loss, gradients) = self.backward(chunk, part as u64, share as f32);
            loss += share * part_loss;
            if sum.is_empty() {
                sum = gradients;
            } else {
                for (sum, part) in sum.iter_mut().zip(gradients) {
                    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                }
            }
        }
        let regularization = self.run.spec.regularization;
        if regularization.l1 > 0.0 || regularization.l2 > 0.0 {
            let mut total = 0.0;
            for ((array, role), gradient) in self.network.trained_mut().zip(&mut sum) {
                if role == Role::Kernel {
                    total += penalty(regularization, &array.values);
                    add_penalty_gradient(regularization, &array.values, gradient);
                }
            }
            loss += total;
            self.progress.ledger.loss_sum += total * rows.len() as f64;
        }
        (loss, sum)
    }

    /// Full batches go through in pieces, so that memory does not grow with the data.
    fn chunk_rows(&self) -> usize {
        match self.run.spec.optimizer {
            Kind::Gd { .. } => FULL_BATCH_ROWS,
            _ => usize::MAX,
        }
    }

    fn backward(&mut self, rows: &[u32], part: u64, share: f32) -> (f64, Vec<Vec<f32>>) {
        let within = self.progress.step - self.progress.start_step;
        let draws = Draws { seed: self.run.spec.seed, step: within << 16 | part };
        let epoch = u64::from(self.progress.epoch);
        let Batch { inputs, targets, units } =
            self.prepared.training.batch(rows, epoch, Some(draws));
        let weights = self.network.lend();
        let mut pass = Pass::training(&weights, draws);
        let logits = self.network.forward(inputs, &mut pass);
        let keep = needs_predictions(&self.run.spec.metrics);
        let ledger = &mut self.progress.ledger;
        let (mut loss, mut add) = (0.0, |logits: &[f32]| {
            let units = units.as_deref();
            judge::add(ledger, &self.head, logits, &targets, units, keep)
        });
        let slopes = backward_from(logits, |logits| {
            let (mean, mut gradient) = add(logits);
            loss = mean;
            if share != 1.0 {
                gradient.iter_mut().for_each(|g| *g *= share);
            }
            gradient
        });
        let kept = pass.kept();
        let gradients = self.network.take_back(weights, slopes);
        for (place, values) in kept {
            self.network.arrays[place].values = values;
        }
        (loss, gradients)
    }

    pub(super) fn update(&mut self, mut gradients: Vec<Vec<f32>>) {
        let spec = self.run.spec;
        clip(&spec.gradient, &mut gradients);
        let within = self.optimizer.steps();
        let rate = self.rate.at(within, u64::from(self.progress.epoch));
        let mut updates: Vec<TensorUpdate<'_>> = self
            .network
            .trained_mut()
            .zip(&gradients)
            .map(|((array, role), gradient)| TensorUpdate {
                values: &mut array.values,
                gradient,
                decays: role == Role::Kernel,
            })
            .collect();
        self.optimizer.step(rate, &mut updates);
    }
}
