//! One fit: steps and epochs from where it starts, or where a checkpoint stands, to its end.

use std::time::{Duration, Instant};

use domain::{
    Digest,
    child::{CHECKPOINT_FILE, Event, Member},
    spec::Optimizer as Kind,
};

use super::{
    Fit, Run, StopFlag,
    ahead::{Batches, Pace},
    order,
};
use crate::{
    balance,
    base::Base,
    checkpoint::{self, Fold, Learned, Progress, Saved},
    error::EngineError,
    head::Head,
    network::Network,
    optimize::{Accumulation, Optimizer, Rate},
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
    pub(super) member: Member,
    pub(super) digest: Digest,
    pub(super) prepared: &'a Prepared,
    pub(super) fits: usize,
    pub(super) head: Head,
    pub(super) network: Network,
    pub(super) optimizer: Optimizer,
    pub(super) accumulation: Accumulation,
    pub(super) rate: Rate,
    pub(super) progress: Progress,
    resumed_from: Option<u64>,
    /// The step of the newest checkpoint; before there is one, that of the start.
    kept: u64,
    /// Steps between two points of the history.
    history_every: u64,
    last_step_event: Option<Instant>,
    last_save: Instant,
}

impl<'a> Session<'a> {
    pub fn start(
        run: Run<'a>,
        prepared: &'a Prepared,
        base: Option<&Base>,
        folds: Vec<Fold>,
        fits: usize,
    ) -> Result<Self, EngineError> {
        let spec = run.spec;
        let layers = prepared.fitted.layers(spec);
        let network = match base {
            Some(base) => base.network(&layers)?,
            None => Network::init(&layers, prepared.fitted.input.shape(), spec.seed)?,
        };
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
        let member = run.member.unwrap_or(Member::ALONE);
        let batches = batches_per_epoch(run, &prepared.training).div_ceil(member.of.into());
        let steps = batches.div_ceil(spec.gradient.accumulation_steps.max(1).into());
        let total = steps * u64::from(spec.epochs);
        let full = spec.optimizer.learning_rate();
        let rate = Rate::new(full, &spec.schedule, total, progress.plateau.clone());
        Self {
            run,
            member,
            digest: checkpoint::run_digest(spec, run.data),
            prepared,
            fits,
            head,
            network,
            optimizer,
            accumulation,
            rate,
            kept: progress.step,
            progress,
            resumed_from: None,
            history_every: (batches * u64::from(spec.epochs) * fits as u64)
                .div_ceil(HISTORY_POINTS)
                .max(1),
            last_step_event: None,
            last_save: Instant::now(),
        }
    }

    /// The step from which the run can go on.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// The first event of a run.
    pub fn announce(&self, on_event: &mut dyn FnMut(Event)) {
        let fits = self.fits as u64;
        let epochs = self.run.spec.epochs;
        let batches = batches_per_epoch(self.run, &self.prepared.training);
        let per_epoch = batches.div_ceil(self.member.of.into());
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
        let together = match self.member.of {
            1 => String::new(),
            workers => format!("{workers} workers together: "),
        };
        let line = format!(
            "{of}{together}{} rows to train on, {} held back for validation, {}, on {threads}",
            training.rows(),
            validation.rows(),
            self.prepared.fitted.input.shape()
        );
        on_event(Event::Log { line });
    }

    /// False if it was asked to stop; then the checkpoint is written. One of several workers has written
    /// it at the end of the last round, after which the others cannot be asked for what they know.
    pub fn fit(
        &mut self,
        stop: &StopFlag,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<bool, EngineError> {
        while self.progress.epoch < self.epochs() && !self.progress.stopped {
            let mut batches = self.batches();
            // a worker of many may have no part of so few rows
            let of_epoch = batches.len().min(if self.is_full_batch() { 1 } else { usize::MAX });
            while self.progress.batch < of_epoch {
                if stop.is_set() {
                    if self.is_alone() {
                        self.save(on_event)?;
                    }
                    return Ok(false);
                }
                self.batch(&mut batches, of_epoch, on_event)?;
                if self.progress.batch < of_epoch && self.is_alone() && self.is_due(false) {
                    self.save(on_event)?;
                }
            }
            if !self.end_epoch(stop, on_event)? {
                return Ok(false);
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
    pub(super) fn epochs(&self) -> u32 {
        let folds = &self.progress.folds;
        if self.run.spec.early_stopping.is_none() || !self.is_of_all_rows() {
            return self.run.spec.epochs;
        }
        let best: u32 = folds.iter().map(|fold| fold.best_epoch).sum();
        (f64::from(best) / folds.len() as f64).round().max(1.0) as u32
    }

    /// The fit that follows the folds.
    pub(super) fn is_of_all_rows(&self) -> bool {
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
        let (seed, training) = (spec.seed, &self.prepared.training);
        let epoch = u64::from(self.progress.epoch);
        let first = epoch * batches_per_epoch(self.run, training);
        let (size, pace) = match self.is_full_batch() {
            true => (FULL_BATCH_ROWS, Pace::OneStep { seed, step: first }),
            false => (spec.batch_size as usize, Pace::Steps { seed, first }),
        };
        let order = order::of_epoch(spec, training, epoch);
        Batches::new(training, order, size, epoch, pace, self.member)
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

    pub(super) fn is_alone(&self) -> bool {
        self.member.of == 1
    }

    pub(super) fn learned(&self) -> Learned<'_> {
        Learned {
            network: &self.network,
            optimizer: &self.optimizer,
            accumulation: &self.accumulation,
            best: self.progress.best.as_ref(),
        }
    }

    pub(super) fn is_due(&self, at_epoch_end: bool) -> bool {
        match self.run.spec.checkpoint_every {
            Some(steps) => self.progress.step.is_multiple_of(u64::from(steps.max(1))),
            None => at_epoch_end && self.last_save.elapsed() >= CHECKPOINT_EVERY,
        }
    }

    pub(super) fn save(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<(), EngineError> {
        let path = self.run.scratch.join(CHECKPOINT_FILE);
        checkpoint::save(&path, self.digest, &self.progress, Some(self.learned()))?;
        self.last_save = Instant::now();
        let step = self.progress.step;
        self.kept = step;
        // the epoch that the last step belonged to
        let epoch = self.progress.epochs_done() + u32::from(self.progress.batch > 0);
        on_event(Event::Checkpoint { step, epoch });
        Ok(())
    }
}

/// Of all workers together.
fn batches_per_epoch(run: Run<'_>, training: &Samples) -> u64 {
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
