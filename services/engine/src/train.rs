//! Training: mini-batches in an order that depends on seed and epoch alone, metrics after each epoch,
//! checkpoints on the way. A run that stops at any step and goes on from its checkpoint ends with the
//! same bytes as one that never stopped.
//!
//! As in Keras, `loss` and the training metrics are taken over the epoch's batches while the weights
//! change, and `val_…` over the held-back rows after it. A regression's loss is that of the
//! standardised target; its `mean_absolute_error` is in the target's own unit.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use burn::{
    optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig, momentum::MomentumConfig},
    tensor::Device,
};
use domain::{
    Digest,
    child::{DATA_FILE, DataFile, Event},
    dataset::ReadLimits,
    spec::{Layer, Optimizer, TrainingSpec},
};

use crate::{
    chance::{Chance, Purpose},
    checkpoint::{self, Progress},
    error::EngineError,
    export::export,
    head::Head,
    network::{Dropout, Network, numbers, tensor},
    prepare::{Part, Prepared, prepare},
    tally::Tally,
};

const STEP_EVENT_EVERY: Duration = Duration::from_millis(250);
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
const EVALUATION_ROWS: usize = 1_024;

/// One run: `scratch` holds the dataset's file and perhaps a checkpoint to go on from, and takes
/// what the run writes.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    pub spec: &'a TrainingSpec,
    pub data: &'a DataFile,
    pub limits: &'a ReadLimits,
    pub scratch: &'a Path,
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
    /// `checkpoint.safetensors` is in the scratch folder.
    Stopped { step: u64 },
}

/// Trains to the end or until `stop` is set. The caller reports the ending.
pub fn train(
    run: Run<'_>,
    stop: &StopFlag,
    on_event: &mut dyn FnMut(Event),
) -> Result<Ending, EngineError> {
    let prepared = prepare(&run.scratch.join(DATA_FILE), run.data, run.limits, run.spec)?;
    let mut session = Session::start(run, &prepared, on_event)?;
    while session.progress.epoch < run.spec.epochs {
        let epoch = u64::from(session.progress.epoch);
        let rows = prepared.training.rows() as u32;
        let order = Chance::new(run.spec.seed, Purpose::Order, epoch, 0).permutation(rows);
        let batches = order.len().div_ceil(run.spec.batch_size as usize);
        while session.progress.batch < batches {
            if stop.is_set() {
                session.save(on_event)?;
                return Ok(Ending::Stopped { step: session.progress.step });
            }
            session.step(&order, on_event)?;
            if session.progress.batch < batches && session.is_due(false) {
                session.save(on_event)?;
            }
        }
        session.end_epoch(on_event)?;
        if session.progress.epoch < run.spec.epochs && session.is_due(true) {
            session.save(on_event)?;
        }
    }
    let Session { network, progress, .. } = session;
    export(run.scratch, run.spec, run.data, &prepared, &network, &progress)?;
    Ok(Ending::Trained { metrics: progress.metrics })
}

struct Session<'a> {
    spec: &'a TrainingSpec,
    scratch: &'a Path,
    digest: Digest,
    prepared: &'a Prepared,
    head: Head,
    device: Device,
    network: Network,
    optimizer: ModuleOptimizer,
    progress: Progress,
    last_step_event: Option<Instant>,
    last_save: Instant,
}

impl<'a> Session<'a> {
    /// Fresh, or where the checkpoint in the scratch folder stands.
    fn start(
        run: Run<'a>,
        prepared: &'a Prepared,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Self, EngineError> {
        let Run { spec, data, scratch, .. } = run;
        let device = Device::flex().autodiff();
        let width = prepared.training.width;
        let digest = checkpoint::run_digest(spec, data);
        let saved = checkpoint::load(scratch, digest, spec, width)?;
        let resumed_from_step = saved.as_ref().map(|saved| saved.progress.step);
        let mut optimizer = optimizer(&spec.optimizer);
        let (network, progress) = match saved {
            None => (Network::init(&spec.layers, width, spec.seed, &device), Progress::default()),
            Some(saved) => {
                optimizer = optimizer
                    .from_bytes(saved.optimizer)
                    .map_err(|e| EngineError::BadCheckpoint(format!("optimizer state: {e}")))?;
                (Network::from_arrays(&spec.layers, saved.weights, &device), saved.progress)
            }
        };
        let steps_per_epoch = prepared.training.rows().div_ceil(spec.batch_size as usize) as u64;
        on_event(Event::Started {
            total_steps: steps_per_epoch * u64::from(spec.epochs),
            epochs: spec.epochs,
            parameters: network.parameters(),
            resumed_from_step,
        });
        on_event(Event::Log { line: describe(prepared) });
        Ok(Self {
            spec,
            scratch,
            digest,
            prepared,
            head: head(spec, prepared),
            device,
            network,
            optimizer,
            progress,
            last_step_event: None,
            last_save: Instant::now(),
        })
    }

    /// The epoch under way, counted from 1.
    fn epoch(&self) -> u32 {
        self.progress.epoch + 1
    }

    fn step(&mut self, order: &[u32], on_event: &mut dyn FnMut(Event)) -> Result<(), EngineError> {
        let size = self.spec.batch_size as usize;
        let start = self.progress.batch * size;
        let rows = &order[start..order.len().min(start + size)];
        let training = &self.prepared.training;
        let mut inputs = Vec::with_capacity(rows.len() * training.width);
        rows.iter().for_each(|&i| inputs.extend_from_slice(training.row(i as usize)));
        let targets: Vec<f64> = rows.iter().map(|&i| training.targets[i as usize]).collect();

        let dropout = Dropout { seed: self.spec.seed, step: self.progress.step };
        let inputs = tensor(inputs, [rows.len(), training.width], &self.device);
        let logits = self.network.forward(inputs, Some(dropout));
        let plain = numbers(logits.clone());
        let (loss, gradient) = self.progress.tally.add(self.head, &plain, &targets);
        self.progress.step += 1;
        self.progress.batch += 1;
        if !loss.is_finite() {
            return Err(EngineError::LossNotFinite { step: self.progress.step, loss });
        }
        // The derivative of this sum by the logits is `gradient`, which is all that the backward
        // pass needs to know of the loss.
        let gradient = tensor(gradient, [rows.len(), self.head.outputs], &self.device);
        let gradients = (logits * gradient).sum().backward();
        let gradients = GradientsParams::from_grads(gradients, &self.network.weights);
        let rate = self.spec.optimizer.learning_rate();
        let weights = self.network.weights.clone();
        self.network.weights = self.optimizer.step(rate, weights, gradients);

        if self.last_step_event.is_none_or(|last| last.elapsed() >= STEP_EVENT_EVERY) {
            self.last_step_event = Some(Instant::now());
            on_event(Event::Step { step: self.progress.step, epoch: self.epoch(), loss });
        }
        Ok(())
    }

    fn end_epoch(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<(), EngineError> {
        let tally = std::mem::take(&mut self.progress.tally);
        let mut metrics = tally.metrics(self.head, &self.spec.metrics, "");
        if self.prepared.validation.rows() > 0 {
            let tally = evaluate(&self.network, self.head, &self.prepared.validation);
            if !tally.loss().is_finite() {
                let step = self.progress.step;
                return Err(EngineError::LossNotFinite { step, loss: tally.loss() });
            }
            metrics.extend(tally.metrics(self.head, &self.spec.metrics, "val_"));
        }
        on_event(Event::Epoch {
            epoch: self.epoch(),
            step: self.progress.step,
            metrics: metrics.clone(),
        });
        self.progress.metrics = metrics;
        self.progress.epoch += 1;
        self.progress.batch = 0;
        Ok(())
    }

    fn is_due(&self, at_epoch_end: bool) -> bool {
        match self.spec.checkpoint_every {
            Some(steps) => self.progress.step.is_multiple_of(u64::from(steps.max(1))),
            None => at_epoch_end && self.last_save.elapsed() >= CHECKPOINT_EVERY,
        }
    }

    fn save(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<(), EngineError> {
        let Self { scratch, digest, progress, network, optimizer, .. } = &*self;
        checkpoint::save(scratch, *digest, progress, network, optimizer)?;
        self.last_save = Instant::now();
        let step = self.progress.step;
        // The epoch that the last step belonged to.
        let epoch = self.progress.epoch + u32::from(self.progress.batch > 0);
        on_event(Event::Checkpoint { step, epoch });
        Ok(())
    }
}

fn head(spec: &TrainingSpec, prepared: &Prepared) -> Head {
    let last_units = spec.layers.iter().rev().find_map(|layer| match layer {
        Layer::Dense { units, .. } => Some(*units as usize),
        Layer::Dropout { .. } => None,
    });
    Head {
        task: spec.task,
        outputs: last_units.expect("a specification ends with a dense layer"),
        center: prepared.target_center,
        scale: prepared.target_scale,
    }
}

fn evaluate(network: &Network, head: Head, part: &Part) -> Tally {
    let device = Device::flex();
    let network = network.without_gradients();
    let mut tally = Tally::default();
    let chunks = part.inputs.chunks(EVALUATION_ROWS * part.width);
    for (inputs, targets) in chunks.zip(part.targets.chunks(EVALUATION_ROWS)) {
        tally.add(head, &network.run(inputs, part.width, &device), targets);
    }
    tally
}

fn optimizer(spec: &Optimizer) -> ModuleOptimizer {
    match spec {
        Optimizer::Adam { beta_1, beta_2, epsilon, .. } => AdamConfig::new()
            .with_beta_1(*beta_1 as f32)
            .with_beta_2(*beta_2 as f32)
            .with_epsilon(*epsilon as f32)
            .init(),
        Optimizer::Sgd { momentum, .. } if *momentum > 0.0 => {
            let momentum = MomentumConfig::new().with_momentum(*momentum).with_dampening(0.0);
            SgdConfig::new().with_momentum(Some(momentum)).init()
        }
        Optimizer::Sgd { .. } => SgdConfig::new().init(),
    }
}

fn describe(prepared: &Prepared) -> String {
    let (training, validation) = (prepared.training.rows(), prepared.validation.rows());
    let mut line = format!(
        "{training} rows to train on, {validation} held back for validation, {} inputs",
        prepared.training.width
    );
    if prepared.rows_without_target > 0 {
        line += &format!("; {} rows without a target left out", prepared.rows_without_target);
    }
    line
}
