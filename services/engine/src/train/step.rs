//! What happens in a step: rows to gradients, gradients to better weights.

use super::{ahead::Batches, judge, session::Session};
use crate::{
    error::EngineError,
    evaluation::kept_outputs,
    network::{Draws, Pass, Role},
    ops::seed::backward_from,
    optimize::{TensorUpdate, add_penalty_gradient, clip, penalty},
    samples::Batch,
};

impl Session<'_> {
    /// Of the batch that comes next: the mean loss of its rows with its penalties, the derivative of
    /// that by every array, and how many rows they are.
    pub(super) fn gradients(
        &mut self,
        batches: &mut Batches<'_>,
    ) -> Result<(f64, Vec<Vec<f32>>, usize), EngineError> {
        let (pieces, rows) = match self.is_full_batch() {
            true => (0..batches.len(), batches.rows()),
            false => {
                let place = self.progress.batch;
                (place..place + 1, batches.rows_of(place))
            }
        };
        let mut loss = 0.0;
        let mut sum: Vec<Vec<f32>> = vec![];
        for piece in pieces {
            let share = batches.rows_of(piece) as f64 / rows as f64;
            let (part_loss, gradients) =
                batches.with(piece, |batch, draws| self.backward(batch, draws, share as f32))?;
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
            self.progress.ledger.loss_sum += total * rows as f64;
        }
        Ok((loss, sum, rows))
    }

    fn backward(&mut self, batch: Batch, draws: Draws, share: f32) -> (f64, Vec<Vec<f32>>) {
        let Batch { inputs, targets, units } = batch;
        let weights = self.network.lend();
        let mut pass = Pass::training(&weights, draws);
        let logits = self.network.forward(inputs, &mut pass);
        let keep = kept_outputs(self.run.spec);
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
