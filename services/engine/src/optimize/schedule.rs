//! The learning rate over time: a warm-up, then a curve, or a rate that falls when the loss does
//! not.

use std::f64::consts::PI;

use domain::spec::{Curve, Schedule};
use serde::{Deserialize, Serialize};

/// The learning rate as a function of the step and, through [`Plateau`], of the losses so far.
pub(crate) struct Rate {
    full: f64,
    schedule: Schedule,
    total_steps: u64,
    plateau: Plateau,
}

/// What a checkpoint keeps of a [`Rate`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plateau {
    best: Option<f64>,
    /// Epochs since the best one or the last reduction.
    wait: u32,
    /// What the reductions so far make together.
    scale: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { best: None, wait: 0, scale: 1.0 }
    }
}

impl Rate {
    /// `total_steps` are those of the whole training; `plateau` is the default one at its start.
    pub fn new(full: f64, schedule: &Schedule, total_steps: u64, plateau: Plateau) -> Self {
        Self { full, schedule: schedule.clone(), total_steps, plateau }
    }

    /// The rate of the step that follows `step` others, in an epoch that follows `epoch` others.
    ///
    /// The warm-up is that of "Attention is all you need" (Vaswani and others, 2017, 5.3), where
    /// the first step is number 1: a warm-up from number 0 would spend a step on a rate of zero.
    pub fn at(&self, step: u64, epoch: u64) -> f64 {
        let warmup = u64::from(self.schedule.warmup_steps);
        let number = step + 1;
        let warm = if number < warmup { number as f64 / warmup as f64 } else { 1.0 };
        self.full * warm * self.curve(step, epoch)
    }

    /// The share of the full rate after the warm-up.
    fn curve(&self, step: u64, epoch: u64) -> f64 {
        let warmup = u64::from(self.schedule.warmup_steps);
        match self.schedule.curve {
            Curve::Constant => 1.0,
            // `torch.optim.lr_scheduler.StepLR`
            Curve::Step { step_size, gamma } => {
                gamma.powf((epoch / u64::from(step_size.max(1))) as f64)
            }
            // `keras.optimizers.schedules.CosineDecay`; Loshchilov and Hutter (2017), equation 5
            Curve::Cosine { alpha } => {
                let steps = self.total_steps.saturating_sub(warmup).max(1);
                let progress = step.saturating_sub(warmup).min(steps) as f64 / steps as f64;
                (1.0 - alpha) * 0.5 * (1.0 + (PI * progress).cos()) + alpha
            }
            // Vaswani and others (2017), equation 3, with the full rate at the end of the warm-up
            Curve::InverseSquareRoot => {
                let warmup = warmup.max(1);
                (warmup as f64 / (step + 1).max(warmup) as f64).sqrt()
            }
            Curve::ReduceOnPlateau { .. } => self.plateau.scale,
        }
    }

    /// Takes in the loss of an epoch; true if the rate is smaller from now on
    /// (`keras.callbacks.ReduceLROnPlateau` without a cooldown).
    pub fn end_epoch(&mut self, loss: f64) -> bool {
        let Curve::ReduceOnPlateau { factor, patience, min_delta, min_learning_rate } =
            self.schedule.curve
        else {
            return false;
        };
        let Plateau { best, wait, scale } = &mut self.plateau;
        if loss.is_finite() && best.is_none_or(|best| loss < best - min_delta) {
            (*best, *wait) = (Some(loss), 0);
            return false;
        }
        *wait = wait.saturating_add(1);
        let rate = self.full * *scale;
        if *wait < patience || rate <= min_learning_rate {
            return false;
        }
        *scale = (rate * factor).max(min_learning_rate) / self.full;
        *wait = 0;
        true
    }

    /// As another worker's: `plateau` is what it keeps.
    pub fn resume(&mut self, plateau: Plateau) {
        self.plateau = plateau;
    }

    pub const fn plateau(&self) -> &Plateau {
        &self.plateau
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_curve(full: f64, warmup_steps: u32, curve: Curve, total_steps: u64) -> Rate {
        Rate::new(full, &Schedule { warmup_steps, curve }, total_steps, Plateau::default())
    }

    fn assert_close(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-8, "{got} is not {expected}");
        }
    }

    #[test]
    fn the_warm_up_is_a_line_to_the_full_rate() {
        let rate = with_curve(0.1, 4, Curve::Constant, 100);
        let rates: Vec<f64> = (0..6).map(|step| rate.at(step, 0)).collect();
        assert_close(&rates, &[0.025, 0.05, 0.075, 0.1, 0.1, 0.1]);
        assert_eq!(with_curve(0.1, 0, Curve::Constant, 100).at(0, 0), 0.1);
    }

    #[test]
    fn steps_follow_epochs() {
        let rate = with_curve(1.0, 0, Curve::Step { step_size: 3, gamma: 0.5 }, 100);
        let rates: Vec<f64> = (0..7).map(|epoch| rate.at(99, epoch)).collect();
        assert_close(&rates, &[1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]);
    }

    /// From `CosineDecay(0.1, decay_steps=20, alpha=0.1)` of Keras 3.15 at 0, 5, 10 and 19.
    #[test]
    fn the_cosine_is_that_of_keras_after_any_warm_up() {
        let expected = [0.1, 0.086_819_812, 0.055, 0.010_554_024];
        for warmup in [0, 7] {
            let rate =
                with_curve(0.1, warmup, Curve::Cosine { alpha: 0.1 }, 20 + u64::from(warmup));
            let rates = [0, 5, 10, 19].map(|step| rate.at(step + u64::from(warmup), 0));
            assert_close(&rates, &expected);
        }
        let past_the_end = with_curve(0.1, 0, Curve::Cosine { alpha: 0.1 }, 20).at(1_000, 0);
        assert_close(&[past_the_end], &[0.01]);
        let nothing_but_warm_up = with_curve(0.1, 50, Curve::Cosine { alpha: 0.0 }, 20);
        assert_close(&[nothing_but_warm_up.at(19, 0)], &[0.04]);
    }

    /// `min(n^-0.5, n * 4000^-1.5)` for step number n, over its maximum `4000^-0.5`.
    #[test]
    fn the_inverse_square_root_is_that_of_the_transformer() {
        let rate = with_curve(1.0, 4_000, Curve::InverseSquareRoot, 100_000);
        let rates = [1, 1_000, 4_000, 16_000, 100_000].map(|number| rate.at(number - 1, 0));
        assert_close(&rates, &[0.000_25, 0.25, 1.0, 0.5, 0.2]);
        let at_once = with_curve(1.0, 0, Curve::InverseSquareRoot, 10);
        assert_close(&[at_once.at(0, 0), at_once.at(3, 0)], &[1.0, 0.5]);
    }

    const LOSSES: [f64; 15] =
        [1.0, 0.9, 0.9, 0.95, 0.8, 0.79995, 0.85, 0.9, 0.9, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7];
    /// From Keras 3.15: `ReduceLROnPlateau(factor=0.5, patience=2, min_delta=1e-4, min_lr=0.02)` on
    /// a rate of 0.1 and the losses above.
    const RATES: [f64; 15] =
        [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02];

    fn on_plateau(state: Plateau) -> Rate {
        let curve = Curve::ReduceOnPlateau {
            factor: 0.5,
            patience: 2,
            min_delta: 1e-4,
            min_learning_rate: 0.02,
        };
        Rate::new(0.1, &Schedule { warmup_steps: 0, curve }, 0, state)
    }

    #[test]
    fn the_rate_falls_on_a_plateau_as_in_keras_even_if_resumed_at_every_epoch() {
        let mut whole = on_plateau(Plateau::default());
        let mut state = serde_json::to_string(&Plateau::default()).unwrap();
        for (loss, expected) in LOSSES.into_iter().zip(RATES) {
            let before = whole.at(0, 0);
            let is_reduced = whole.end_epoch(loss);
            assert_close(&[whole.at(0, 0)], &[expected]);
            assert_eq!(is_reduced, whole.at(0, 0) < before);
            let mut resumed = on_plateau(serde_json::from_str(&state).unwrap());
            resumed.end_epoch(loss);
            assert_eq!(resumed.at(0, 0), whole.at(0, 0));
            state = serde_json::to_string(resumed.plateau()).unwrap();
        }
        assert_eq!(serde_json::from_str::<Plateau>(&state).unwrap(), *whole.plateau());
    }

    #[test]
    fn a_loss_that_is_no_number_is_no_progress() {
        let mut rate = on_plateau(Plateau::default());
        let reduced = [f64::NAN, f64::INFINITY, 1.0, f64::NAN].map(|loss| rate.end_epoch(loss));
        assert_eq!(reduced, [false, true, false, false]);
    }
}
