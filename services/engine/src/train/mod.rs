//! Training: mini-batches in an order that depends on seed and epoch alone, metrics after each epoch,
//! checkpoints on the way. A run that stops at any step and goes on from its checkpoint ends with the
//! same bytes as one that never stopped.
//!
//! A run is one fit, or with cross-validation one for each fold and then one on all rows. As in Keras,
//! `loss` and the training metrics are taken over the epoch's batches while the weights change, with
//! penalties, class weights and label smoothing; `val_…` over the held-back rows after it, without
//! them, so that figures of different specifications compare. A regression's loss is that of the
//! standardised target; its `mean_absolute_error` is in the target's own unit.
//!
//! A run may be one of several that train one network together: see `gang`.

mod ahead;
mod epoch;
mod gang;
mod judge;
mod order;
mod session;
mod step;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

use domain::{
    child::{CHECKPOINT_FILE, DATA_FILE, DataFile, Event, Member, TEST_FILE},
    dataset::{Format, ReadLimits},
    evaluation::{Evaluation, EvaluationSplit},
    spec::{Input, TrainingSpec},
};

use crate::{
    base::Base,
    checkpoint::{self, Fold},
    error::EngineError,
    export::export,
    images::RawImages,
    network::Network,
    ops,
    source::{Part, Prepared, Source},
    table::Room,
};
pub(crate) use judge::{Verdict, judge};
use session::Session;

/// One run: `scratch` holds the dataset's file and perhaps a checkpoint to go on from, and takes
/// what the run writes.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    pub spec: &'a TrainingSpec,
    pub data: &'a DataFile,
    pub limits: &'a ReadLimits,
    pub scratch: &'a Path,
    /// Where it is one of several.
    pub member: Option<Member>,
}

/// Asks a run to write a checkpoint at the next step and stop.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// For signal handlers, which want the bare flag.
impl From<Arc<AtomicBool>> for StopFlag {
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// `model.safetensors` and `config.json` are in the scratch folder.
    Trained { metrics: BTreeMap<String, f64> },
    /// `checkpoint.safetensors` is in the scratch folder. Or all is done, and the first of several workers
    /// has the model.
    Stopped { step: u64 },
}

/// Trains to the end or until `stop` is set. The caller reports the ending.
///
/// The work is one of the thread pool's own: from outside, every operation that asks for the pool would
/// wait until a thread has woken up, and back. An event is handed to the caller's thread, and the run
/// goes on when it has been dealt with. A caller that is a thread of the pool does the work itself: it
/// may be the only one, and would wait for itself.
pub fn train(
    run: Run<'_>,
    stop: &StopFlag,
    on_event: &mut dyn FnMut(Event),
) -> Result<Ending, EngineError> {
    ops::allocator::keep_freed_memory();
    ops::denormals::flush_denormals();
    if rayon::current_thread_index().is_some() {
        return work(run, stop, on_event);
    }
    let (events, told) = mpsc::channel();
    let (done, dealt_with) = mpsc::channel();
    let mut ending = None;
    let place = &mut ending;
    rayon::in_place_scope(|scope| {
        // `events` moves in: the caller listens until it is dropped
        scope.spawn(move |_| {
            *place = Some(work(run, stop, &mut |event| {
                if events.send(event).is_ok() {
                    let _ = dealt_with.recv();
                }
            }));
        });
        for event in told {
            on_event(event);
            let _ = done.send(());
        }
    });
    ending.expect("a scope ends when its work has")
}

fn work(
    run: Run<'_>,
    stop: &StopFlag,
    on_event: &mut dyn FnMut(Event),
) -> Result<Ending, EngineError> {
    let Run { spec, data, limits, scratch, member } = run;
    let leads = member.is_none_or(|member| member.rank == 0);
    let file = scratch.join(DATA_FILE);
    let source = Source::read(&file, data, limits, spec, Part::Training, room(run))?;
    if spec.estimate.seconds > spec.max_runtime as f64 {
        let (seconds, may) = (spec.estimate.seconds, spec.max_runtime);
        let line = format!("warning: the run may take {seconds:.0} seconds of the {may} it has");
        on_event(Event::Log { line });
    }
    for note in &source.notes {
        on_event(Event::Log { line: note.clone() });
    }
    let fits = source.fits(spec)?;
    // before hours of training, not after them
    let test = if leads { read_test(run)? } else { None };
    let base = Base::read(run)?;
    let digest = checkpoint::run_digest(spec, data);
    let mut saved = checkpoint::read(&scratch.join(CHECKPOINT_FILE), digest)?;
    let mut folds = saved.as_ref().map_or_else(Vec::new, |saved| saved.folds().to_vec());
    if folds.len() >= fits {
        let why = format!("{} fits are finished of a run of {fits}", folds.len());
        return Err(EngineError::BadCheckpoint(why));
    }
    let mut first = true;
    loop {
        let fit = folds.len();
        let prepared = source.prepare(spec, source.split(spec, fit)?, base.as_ref())?;
        let mut session = match saved.take() {
            Some(saved) => Session::resume(run, &prepared, saved, fits)?,
            None => {
                let folds = std::mem::take(&mut folds);
                Session::start(run, &prepared, base.as_ref(), folds, fits)?
            }
        };
        if first {
            session.announce(on_event);
            first = false;
        }
        session.describe(on_event);
        if !session.fit(stop, on_event)? {
            return Ok(Ending::Stopped { step: session.kept() });
        }
        let is_last = fit + 1 == fits;
        let fitted = session.finish()?;
        if is_last && !leads {
            return Ok(Ending::Stopped { step: fitted.step });
        }
        if is_last {
            return publish(run, &prepared, fitted, test, on_event);
        }
        folds = fitted.folds;
    }
}

/// What a fit leaves.
pub(crate) struct Fit {
    pub network: Network,
    pub head: crate::head::Head,
    pub metrics: BTreeMap<String, f64>,
    /// Of the folds that are finished, this one too.
    pub folds: Vec<Fold>,
    pub step: u64,
}

/// Judges the model on the rows held back and on the test set, and writes it.
fn publish(
    run: Run<'_>,
    prepared: &Prepared,
    fit: Fit,
    test: Option<Source>,
    on_event: &mut dyn FnMut(Event),
) -> Result<Ending, EngineError> {
    let mut metrics = fit.metrics.clone();
    let folds = &fit.folds[..fit.folds.len() - 1];
    metrics.extend(across(folds));
    let mut evaluations = vec![];
    let validation = &prepared.validation;
    if validation.rows() > 0 {
        let verdict = judge::judge(&fit.network, &fit.head, validation, run.spec)?;
        evaluations.push(verdict.evaluation(EvaluationSplit::Validation, &fit.head, run.spec));
        metrics.extend(judge::naive(validation));
    }
    if let Some(test) = test {
        let samples = test.all(run.spec, &prepared.fitted)?;
        if samples.rows() > 0 {
            let verdict = judge::judge(&fit.network, &fit.head, &samples, run.spec)?;
            metrics.extend(verdict.metrics(&fit.head, run.spec, "test_"));
            evaluations.push(verdict.evaluation(EvaluationSplit::Test, &fit.head, run.spec));
        }
    }
    report(&evaluations, on_event);
    export(run, &prepared.fitted, &fit, &metrics, evaluations)?;
    Ok(Ending::Trained { metrics })
}

/// Where a table's rows are kept: as the estimate says.
pub(crate) fn room(run: Run<'_>) -> Room {
    let bytes = if run.spec.estimate.rows_in_file { 0 } else { u64::MAX };
    Room { bytes, folder: run.scratch.to_owned() }
}

/// A test's rows, of which the estimate knows nothing, may take what it leaves.
fn test_room(run: Run<'_>) -> Room {
    let TrainingSpec { resources, estimate, .. } = run.spec;
    let left = resources.memory_bytes.saturating_sub(estimate.memory_bytes);
    Room { bytes: if estimate.rows_in_file { 0 } else { left }, folder: run.scratch.to_owned() }
}

/// The test set of a run: a file of its own, or the part of an image archive that its maker set aside.
fn read_test(run: Run<'_>) -> Result<Option<Source>, EngineError> {
    let Run { spec, data, limits, scratch, .. } = run;
    if let Some(test) = &spec.test {
        if matches!(spec.input, Input::Corpus { .. } | Input::Series(_)) {
            return Err(EngineError::NoTestFile);
        }
        let file = scratch.join(TEST_FILE);
        let room = test_room(run);
        return Source::read(&file, &test.data, limits, spec, Part::Training, room).map(Some);
    }
    let file = scratch.join(DATA_FILE);
    if data.format == Format::Images && RawImages::has_test(&file, limits)? {
        return Source::read(&file, data, limits, spec, Part::Test, test_room(run)).map(Some);
    }
    Ok(None)
}

/// Mean and population standard deviation of each metric over the folds.
fn across(folds: &[Fold]) -> BTreeMap<String, f64> {
    let mut result = BTreeMap::new();
    let Some(first) = folds.first() else { return result };
    for name in first.metrics.keys().filter(|name| name.starts_with("val_")) {
        let values: Vec<f64> =
            folds.iter().filter_map(|fold| fold.metrics.get(name).copied()).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        result.insert(format!("cv_{name}"), mean);
        result.insert(format!("cv_{name}_std"), variance.sqrt());
    }
    result
}

fn report(evaluations: &[Evaluation], on_event: &mut dyn FnMut(Event)) {
    for evaluation in evaluations {
        let figures: Vec<String> =
            evaluation.metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        let on = match evaluation.split {
            EvaluationSplit::Validation => "validation",
            EvaluationSplit::Test => "test",
        };
        let line = format!("{on}, {} rows: {}", evaluation.rows, figures.join(", "));
        on_event(Event::Log { line });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_summed_up_by_mean_and_deviation() {
        let fold = |accuracy: f64| Fold {
            metrics: BTreeMap::from([("val_accuracy".to_owned(), accuracy)]),
            step: 0,
            epochs: 0,
            best_epoch: 0,
        };
        let result = across(&[fold(0.9), fold(0.7)]);
        assert!((result["cv_val_accuracy"] - 0.8).abs() < 1e-12);
        assert!((result["cv_val_accuracy_std"] - 0.1).abs() < 1e-12);
    }
}
