//! The end of an epoch: its figures, what is decided by them, and what is kept.

use std::collections::BTreeMap;

use domain::child::Event;

use super::{StopFlag, judge, session::Session};
use crate::{checkpoint::Best, error::EngineError, optimize::Decision};

impl Session<'_> {
    /// False if it was asked to stop.
    pub(super) fn end_epoch(
        &mut self,
        stop: &StopFlag,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<bool, EngineError> {
        if self.is_alone() {
            self.judge_epoch(on_event)?;
            let more = self.progress.epoch < self.epochs() && !self.progress.stopped;
            if more && self.is_due(true) {
                self.save(on_event)?;
            }
            return Ok(true);
        }
        if !self.meet(stop, on_event)? {
            return Ok(false);
        }
        if self.member.rank > 0 {
            return self.follow(stop, on_event);
        }
        self.judge_epoch(on_event)?;
        self.tell_verdict(on_event)?;
        self.save(on_event)?;
        Ok(true)
    }

    fn judge_epoch(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<(), EngineError> {
        let spec = self.run.spec;
        let ledger = std::mem::take(&mut self.progress.ledger);
        let mut metrics = judge::of_ledger(&ledger, &self.head, &spec.metrics, "");
        let mut watched = ledger.loss();
        if self.prepared.validation.rows() > 0 {
            let verdict = judge::judge(&self.network, &self.head, &self.prepared.validation, spec)?;
            watched = verdict.loss();
            metrics.extend(verdict.metrics(&self.head, spec, "val_"));
        }
        let loss = watched.unwrap_or(f64::NAN);
        if !loss.is_finite() {
            return Err(EngineError::LossNotFinite { step: self.progress.step, loss });
        }
        let last = self.optimizer.steps().saturating_sub(1);
        let rate = self.rate.at(last, u64::from(self.progress.epoch));
        self.rate.end_epoch(loss);
        self.progress.plateau = self.rate.plateau().clone();
        self.progress.epoch += 1;
        self.progress.batch = 0;
        self.watch(&metrics)?;
        self.tell(&metrics, rate, on_event);
        self.progress.metrics = metrics;
        Ok(())
    }

    /// Early stopping: whether this epoch is the best, or the last.
    fn watch(&mut self, metrics: &BTreeMap<String, f64>) -> Result<(), EngineError> {
        let Some(rules) = &self.run.spec.early_stopping else { return Ok(()) };
        if self.is_of_all_rows() {
            return Ok(());
        }
        match self.progress.stopping.end_epoch(rules, self.progress.epoch, metrics)? {
            Decision::Improved if rules.restore_best_weights => {
                self.progress.best =
                    Some(Best { arrays: self.network.arrays.clone(), metrics: metrics.clone() });
            }
            Decision::Improved | Decision::Waiting => {}
            Decision::Stop => self.progress.stopped = true,
        }
        Ok(())
    }

    fn tell(&self, metrics: &BTreeMap<String, f64>, rate: f64, on_event: &mut dyn FnMut(Event)) {
        let fold = self.progress.folds.len();
        let mut shown = metrics.clone();
        if fold + 1 < self.fits {
            shown = metrics.iter().map(|(n, v)| (format!("fold_{}_{n}", fold + 1), *v)).collect();
        }
        shown.insert("learning_rate".into(), rate);
        let epoch = self.progress.epochs_done();
        on_event(Event::Epoch { epoch, step: self.progress.step, metrics: shown });
        if self.progress.stopped {
            let best = self.progress.stopping.best_epoch().unwrap_or(self.progress.epoch);
            let line = format!("stopped early after epoch {epoch}; epoch {best} was the best");
            on_event(Event::Log { line });
        }
    }
}
