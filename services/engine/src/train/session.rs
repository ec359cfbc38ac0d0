//! One fit: steps and epochs from where it starts, or where a checkpoint stands, to its end.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use domain::{Digest, child::Event, spec::Optimizer as Kind};

use super::{
    Fit, Run, StopFlag,
    ahead::{Batches, Pace},
    judge, order,
};
use crate::{
    balance,
    checkpoint::{self, Fold, Progress, Saved},
    error::EngineError,
    head::Head,
    network::Network,
    optimize::{Accumulation, Decision, Optimizer, Rate},
    samples::Samples,
    source::Prepared,
};

/// Rows of a full-batch step that go through the network at once.
const FULL_BATCH_ROWS: usize = 4_096;
const STEP_EVENT_EVERY: Duration = Duration::from_millis(250);
/// Of the losses of batches, in a whole run.
const HISTORY_POINTS: u64 = 1_000;
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Session<'a> {
    pub(super) run: Run<'a>,
    digest: Digest,
    pub(super) prepared: &'a Prepared,
    fits: usize,
    pub(super) head: Head,
    pub(super) network: Network,
    pub(super) optimizer: Optimizer,
    accumulation: Accumulation,
    pub(super) rate: Rate,
    pub(super) progress: Progress,
    resumed_from: Option<u64>,
    /// Steps between two points of the history.
    history_every: u64,
    last_step_event: Option<Instant>,
    last_save: Instant,
}

impl<'a> Session<'a> {
    pub fn start(
        run: Run<'a>,
        prepared: &'a Prepared,
        folds: Vec<Fold>,
        fits: usize,
    ) -> Result<Self, EngineError> {
        let spec = run.spec;
        let layers = prepared.fitted.layers(spec);
        let network = Network::init(&layers, prepared.fitted.input.shape(), spec.seed)?;
        let progress = Progress::after(folds);
        let sizes = network.trained_sizes();
        let optimizer = Optimizer::new(&spec.optimizer, &sizes);
        let accumulation = Accumulation::new(spec.gradient.accumulation_steps, &sizes);
        Ok(Self::new(run, prepared, fits, network, optimizer, accumulation, progress))
    }

    /// Where the checkpoint stands.
    pub fn resume(
        run: Run<'a>,
        prepared: &'a Prepared,
        saved: Saved,
        fits: usize,
    ) -> Result<Self, EngineError> {
        let layers = prepared.fitted.layers(run.spec);
        let (network, optimizer, accumulation, progress) = saved
            .restore(run.spec, &layers, prepared.fitted.input.shape())
            .map_err(EngineError::BadCheckpoint)?;
        let mut session =
            Self::new(run, prepared, fits, network, optimizer, accumulation, progress);
        session.resumed_from = Some(session.progress.step);
        Ok(session)
    }

    fn new(
        run: Run<'a>,
        prepared: &'a Prepared,
        fits: usize,
        network: Network,
        optimizer: Optimizer,
        accumulation: Accumulation,
        progress: Progress,
    ) -> Self {
        let spec = run.spec;
        let head = Head {
            task: spec.task,
            loss: spec.loss,
            outputs: prepared.fitted.outputs(spec),
            smoothing: spec.label_smoothing,
            class_weights: class_weights(run, prepared),
            unit: prepared.fitted.unit,
        };
        let batches = steps_per_epoch(run, &prepared.training);
        let steps = batches.div_ceil(spec.gradient.accumulation_steps.max(1).into());
        let total = steps * u64::from(spec.epochs);
        let full = spec.optimizer.learning_rate();
        let rate = Rate::new(full, &spec.schedule, total, progress.plateau.clone());
        Self {
            run,
            digest: checkpoint::run_digest(spec, run.data),
            prepared,
            fits,
            head,
            network,
            optimizer,
            accumulation,
            rate,
            progress,
            resumed_from: None,
            history_every: (batches * u64::from(spec.epochs) * fits as u64)
                .div_ceil(HISTORY_POINTS)
                .max(1),
            last_step_event: None,
            last_save: Instant::now(),
        }
    }

    /// Steps taken by the whole run.
    pub fn step(&self) -> u64 {
        self.progress.step
    }

    /// The first event of a run.
    pub fn announce(&self, on_event: &mut dyn FnMut(Event)) {
        let fits = self.fits as u64;
        let epochs = self.run.spec.epochs;
        let per_epoch = steps_per_epoch(self.run, &self.prepared.training);
        on_event(Event::Started {
            total_steps: per_epoch * u64::from(epochs) * fits,
            epochs: epochs * self.fits as u32,
            parameters: self.network.parameters(),
            resumed_from_step: self.resumed_from,
        });
    }

    pub fn describe(&self, on_event: &mut dyn FnMut(Event)) {
        let Prepared { training, validation, .. } = self.prepared;
        let of = match self.fits {
            1 => String::new(),
            fits if self.progress.folds.len() + 1 == fits => "all folds together: ".to_owned(),
            fits => format!("fold {} of {}: ", self.progress.folds.len() + 1, fits - 1),
        };
        let threads = match rayon::current_num_threads() {
            1 => "one thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        let line = format!(
            "{of}{} rows to train on, {} held back for validation, {}, on {threads}",
            training.rows(),
            validation.rows(),
            self.prepared.fitted.input.shape()
        );
        on_event(Event::Log { line });
    }

    /// False if it was asked to stop; then the checkpoint is written.
    pub fn fit(
        &mut self,
        stop: &StopFlag,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<bool, EngineError> {
        while self.progress.epoch < self.epochs() && !self.progress.stopped {
            let mut batches = self.batches();
            let of_epoch = if self.is_full_batch() { 1 } else { batches.len() };
            while self.progress.batch < of_epoch {
                if stop.is_set() {
                    self.save(on_event)?;
                    return Ok(false);
                }
                self.batch(&mut batches, of_epoch, on_event)?;
                if self.progress.batch < of_epoch && self.is_due(false) {
                    self.save(on_event)?;
                }
            }
            self.end_epoch(on_event)?;
            let more = self.progress.epoch < self.epochs() && !self.progress.stopped;
            if more && self.is_due(true) {
                self.save(on_event)?;
            }
        }
        Ok(true)
    }

    pub fn finish(self) -> Result<Fit, EngineError> {
        let Self { mut network, head, progress, .. } = self;
        let restore = self.run.spec.early_stopping.as_ref().is_some_and(|s| s.restore_best_weights);
        let epochs = progress.epochs_done();
        let mut metrics = progress.metrics;
        let mut best_epoch = progress.epoch;
        if restore && let Some(best) = progress.best {
            network.arrays = best.arrays;
            metrics = best.metrics;
            best_epoch = progress.stopping.best_epoch().unwrap_or(best_epoch);
        }
        let mut folds = progress.folds;
        folds.push(Fold { metrics: metrics.clone(), step: progress.step, epochs, best_epoch });
        Ok(Fit { network, head, metrics, folds, step: progress.step })
    }

    /// Where folds were stopped early, the fit on all rows has nothing held back to be stopped by:
    /// it takes as many epochs as the folds' best ones on average.
    fn epochs(&self) -> u32 {
        let folds = &self.progress.folds;
        if self.run.spec.early_stopping.is_none() || !self.is_of_all_rows() {
            return self.run.spec.epochs;
        }
        let best: u32 = folds.iter().map(|fold| fold.best_epoch).sum();
        (f64::from(best) / folds.len() as f64).round().max(1.0) as u32
    }

    /// The fit that follows the folds.
    fn is_of_all_rows(&self) -> bool {
        self.fits > 1 && self.progress.folds.len() + 1 == self.fits
    }

    /// All rows make one step, and go through the network in pieces, so that memory does not grow with
    /// the data.
    pub(super) fn is_full_batch(&self) -> bool {
        matches!(self.run.spec.optimizer, Kind::Gd { .. })
    }

    /// Of the epoch under way, from its first on.
    fn batches(&self) -> Batches<'a> {
        let spec = self.run.spec;
        let (seed, within) = (spec.seed, self.progress.step - self.progress.start_step);
        let (size, pace) = match self.is_full_batch() {
            true => (FULL_BATCH_ROWS, Pace::OneStep { seed, step: within }),
            false => {
                let first = within - self.progress.batch as u64;
                (spec.batch_size as usize, Pace::Steps { seed, first })
            }
        };
        let epoch = u64::from(self.progress.epoch);
        let order = order::of_epoch(spec, &self.prepared.training, epoch);
        Batches::new(&self.prepared.training, order, size, epoch, pace)
    }

    /// One batch: its gradients, and a step where enough of them are gathered.
    fn batch(
        &mut self,
        batches: &mut Batches<'_>,
        of_epoch: usize,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<(), EngineError> {
        let (loss, mut gradients, rows) = self.gradients(batches)?;
        self.progress.step += 1;
        self.progress.batch += 1;
        if !loss.is_finite() {
            return Err(EngineError::LossNotFinite { step: self.progress.step, loss });
        }
        let ready = self.accumulation.add(&mut gradients, rows as u64);
        let last = self.progress.batch == of_epoch;
        if ready || (last && self.accumulation.finish(&mut gradients)) {
            self.update(gradients);
        }
        let step = self.progress.step;
        let kept = step.is_multiple_of(self.history_every);
        if kept || self.last_step_event.is_none_or(|last| last.elapsed() >= STEP_EVENT_EVERY) {
            self.last_step_event = Some(Instant::now());
            let epoch = self.progress.epochs_done() + 1;
            on_event(Event::Step { step, epoch, loss, kept });
        }
        Ok(())
    }

    fn end_epoch(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<(), EngineError> {
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
                self.progress.best = Some(checkpoint::Best {
                    arrays: self.network.arrays.clone(),
                    metrics: metrics.clone(),
                });
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

    fn is_due(&self, at_epoch_end: bool) -> bool {
        match self.run.spec.checkpoint_every {
            Some(steps) => self.progress.step.is_multiple_of(u64::from(steps.max(1))),
            None => at_epoch_end && self.last_save.elapsed() >= CHECKPOINT_EVERY,
        }
    }

    fn save(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<(), EngineError> {
        let Self { run, digest, progress, network, optimizer, accumulation, .. } = &*self;
        checkpoint::save(run.scratch, *digest, progress, network, optimizer, accumulation)?;
        self.last_save = Instant::now();
        let step = self.progress.step;
        // the epoch that the last step belonged to
        let epoch = self.progress.epochs_done() + u32::from(self.progress.batch > 0);
        on_event(Event::Checkpoint { step, epoch });
        Ok(())
    }
}

fn steps_per_epoch(run: Run<'_>, training: &Samples) -> u64 {
    let rows = match training.targets() {
        Some(targets) if run.spec.oversample => balance::oversampled_rows(targets),
        _ => training.rows() as u64,
    };
    match run.spec.optimizer {
        Kind::Gd { .. } => 1,
        _ => rows.div_ceil(run.spec.batch_size.into()),
    }
}

fn class_weights(run: Run<'_>, prepared: &Prepared) -> Vec<f64> {
    match (&run.spec.class_weight, prepared.training.targets()) {
        (Some(weight), Some(targets)) => balance::class_weights(weight, &run.spec.classes, targets),
        _ => vec![],
    }
}
