//! One attempt, from its assignment to its report.

use std::{
    future::pending,
    io,
    os::unix::process::ExitStatusExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use boot::ticker;
use domain::{
    Digest, TenantId,
    child::{
        BASE_CONFIG_FILE, BASE_WEIGHTS_FILE, CHECKPOINT_FILE, CONFIG_FILE, DATA_FILE, Event,
        TASK_FILE, TEST_FILE, Task, WEIGHTS_FILE,
    },
    comparison::Side,
    job::{Cause, JobKind},
};
use registry::BlobError;
use store::attempts::Assignment;
use tokio::{
    fs,
    time::{Instant, sleep_until},
};
use tracing::warn;

use crate::{
    Context,
    bounds::{Bounds, Taken},
    checkpoints::Uploader,
    decide::{Ending, Exit, Order, blob_cause, ending, io_cause},
    events::Recorder,
    finish::finish,
    patience::{Orders, SOME, with_tries},
    process::{Process, Said},
    rounds::{Call, Rounds},
    work::{Work, member},
};

/// A child that has said its last word and does not leave.
const GOODBYE: Duration = Duration::from_secs(10);
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// How Rust's allocator says that there is no more.
const ALLOCATION_FAILED: &str = "memory allocation of ";

/// The step that a child has reached, for the heartbeat.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<AtomicU64>);

impl Progress {
    pub(crate) fn step(&self) -> Option<u64> {
        // 0 is no step yet
        Some(self.0.load(Ordering::Relaxed)).filter(|&step| step > 0)
    }

    fn set(&self, step: u64) {
        self.0.store(step, Ordering::Relaxed);
    }
}

/// By a child process in a folder of its own.
pub(crate) async fn perform(mut work: Work) {
    let Assignment { attempt, rank, .. } = work.assignment;
    let scratch = &work.context.config.scratch;
    let folder = scratch.join(format!("{}-{}-{rank}", attempt.job, attempt.number));
    let ending = run(&mut work, &folder).await;
    finish(&mut work, &folder, ending).await;
    if work.member().is_some() {
        work.leave().await;
    }
    if let Err(error) = fs::remove_dir_all(&folder).await {
        warn!(folder = %folder.display(), %error, "a scratch folder was not removed");
    }
}

async fn run(work: &mut Work, folder: &Path) -> Ending {
    let Work { assignment, context, orders, .. } = &mut *work;
    let prepared = tokio::select! {
        prepared = prepare(context, assignment, folder) => prepared,
        order = next_order(orders, Order::Run) => return match order {
            Order::Kill => Ending::Superseded,
            Order::Run | Order::Stop(_) => Ending::Stopped,
        },
    };
    let resumed_from = match prepared {
        Ok(resumed_from) => resumed_from,
        Err(cause) => return Ending::Failed(cause),
    };
    let resources = assignment.resources;
    let (given, room) = (Taken::now(folder, None), context.config.scratch_bytes);
    let bounds = Bounds::new(given, room, resources, assignment.workers);
    let program = &context.config.child_program;
    let mut process = match Process::start(program, folder, resources, assignment.max_runtime) {
        Ok(process) => process,
        Err(error) => {
            return Ending::Failed(io_cause(&format!("start {}", program.display()), &error));
        }
    };
    if !work.started(resumed_from).await {
        process.kill();
        let _ = process.wait().await;
        return Ending::Superseded;
    }
    let (leads, member) = (work.leads(), work.member());
    let Work { assignment, context, orders, progress } = work;
    let attempt = assignment.attempt;
    let recorder = || Recorder::start(context.clone(), attempt, orders.clone());
    let rounds = |member| Rounds::start(context.clone(), assignment, member, folder);
    let watch = Watch {
        process,
        folder,
        bounds,
        recorder: leads.then(recorder),
        uploader: Uploader::start(context.clone(), assignment, folder, orders.clone()),
        rounds: member.map(rounds),
        orders,
        progress: progress.clone(),
        order: Order::Run,
        kill_at: None,
        last: None,
        exit: Exit { memory_bytes: resources.memory_bytes, ..Exit::default() },
    };
    watch.run().await
}

/// Fills the scratch folder; answers with the step that the checkpoint in it continues from.
async fn prepare(
    context: &Context,
    assignment: &Assignment,
    folder: &Path,
) -> Result<Option<u64>, Cause> {
    let Assignment { attempt, kind, spec, data, checkpoint, asks, .. } = assignment;
    if asks.is_some_and(|asks| asks.model.is_none()) {
        return Err(withdrawn());
    }
    let unusable = |error: io::Error| io_cause(&format!("use {}", folder.display()), &error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).await.map_err(unusable)?;
    for (of, sha256, name) in given(assignment) {
        let to = folder.join(name);
        let fetch = || context.blobs.fetch_content(of, sha256, &to);
        with_tries(SOME, fetch).await.map_err(|error| blob_cause(&error))?;
    }
    let mut resumed_from = None;
    if let Some(checkpoint) = checkpoint {
        let to = folder.join(CHECKPOINT_FILE);
        let fetch = || context.blobs.fetch_checkpoint(&checkpoint.path, &to);
        match with_tries(SOME, fetch).await {
            Ok(()) => resumed_from = Some(checkpoint.step),
            Err(error @ BlobError::Missing(_)) => {
                warn!(job.id = %attempt.job, %error, "starting from the beginning");
            }
            Err(error) => return Err(blob_cause(&error)),
        }
    }
    let (data, limits) = (data.clone(), context.config.read_limits);
    let task = match (kind, spec) {
        (JobKind::Profile, _) => Task::Profile { data, limits },
        (JobKind::Train, Some(spec)) => {
            let member = member(assignment);
            Task::Train { data, limits, spec: Box::new(spec.clone()), member }
        }
        (JobKind::Evaluate, _) => {
            let held_back_by = assignment.sides.and_then(|sides| sides.held_back_by);
            let memory_bytes = assignment.resources.memory_bytes;
            Task::Evaluate { data, limits, held_back_by, memory_bytes }
        }
        (JobKind::Predict | JobKind::Importance, _) if let Some(asks) = asks => {
            let memory_bytes = assignment.resources.memory_bytes;
            Task::Inquire { data, limits, inquiry: asks.inquiry, memory_bytes }
        }
        (JobKind::Train | JobKind::Predict | JobKind::Importance, _) => {
            return Err(Cause::fatal("internal_error", "the job does not say what it is to do"));
        }
    };
    let task = serde_json::to_vec(&task).expect("a task is plain JSON");
    fs::write(folder.join(TASK_FILE), task).await.map_err(unusable)?;
    Ok(resumed_from)
}

/// The files that a child is given: whose each is, its content, and its name in the scratch folder.
fn given(assignment: &Assignment) -> Vec<(TenantId, Digest, &'static str)> {
    let Assignment { tenant, spec, data, base_of, sides, asks, .. } = assignment;
    let mut files = vec![(*tenant, data.sha256, DATA_FILE)];
    let spec = spec.as_ref();
    if let Some(test) = spec.and_then(|spec| spec.test.as_ref()) {
        files.push((*tenant, test.data.sha256, TEST_FILE));
    }
    if let Some((base, of)) = spec.and_then(|spec| spec.base_model.as_ref()).zip(*base_of) {
        files.push((of, base.config_sha256, BASE_CONFIG_FILE));
        files.push((of, base.weights_sha256, BASE_WEIGHTS_FILE));
    }
    if let Some(sides) = sides {
        for (side, of) in [(Side::A, sides.a), (Side::B, sides.b)] {
            let (config, weights) = side.files();
            files.extend([(of.tenant, of.config, config), (of.tenant, of.weights, weights)]);
        }
    }
    if let Some(of) = asks.and_then(|asks| asks.model) {
        files.extend([(of.tenant, of.config, CONFIG_FILE), (of.tenant, of.weights, WEIGHTS_FILE)]);
    }
    files
}

fn withdrawn() -> Cause {
    let why = "the model was hidden from this tenant, or its version deleted, after the job was submitted; ask \
               another version";
    Cause::fatal("model_withdrawn", why)
}

/// A child that runs, and what is done about what it says and about what is asked of it.
struct Watch<'a> {
    process: Process,
    folder: &'a Path,
    bounds: Bounds,
    /// Of rank 0: what the others say of the same epochs would be said twice.
    recorder: Option<Recorder>,
    uploader: Uploader,
    rounds: Option<Rounds>,
    orders: &'a mut Orders,
    progress: Progress,
    /// The order that is being followed.
    order: Order,
    kill_at: Option<Instant>,
    /// The final event.
    last: Option<Event>,
    exit: Exit,
}

impl Watch<'_> {
    async fn run(mut self) -> Ending {
        let mut look = ticker(WATCH_EVERY);
        loop {
            let kill_at = self.kill_at;
            tokio::select! {
                said = self.process.said.recv(), if has_room(self.recorder.as_ref()) => match said {
                    Some(said) => self.hear(said),
                    None => break,
                },
                order = next_order(self.orders, self.order), if self.order != Order::Kill => {
                    self.follow(order);
                }
                () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                    self.process.kill();
                    self.kill_at = None;
                }
                cause = trouble(self.rounds.as_mut()) => self.give_up(cause),
                _ = look.tick() => self.look(),
            }
        }
        if let Ok(status) = self.process.wait().await {
            self.exit = Exit { code: status.code(), signal: status.signal(), ..self.exit };
        }
        if let Some(recorder) = self.recorder {
            recorder.finish().await;
        }
        self.uploader.finish(self.orders).await;
        if let Some(rounds) = self.rounds {
            rounds.finish().await;
        }
        let order = *self.orders.borrow();
        ending(self.last, &self.exit, order)
    }

    fn look(&mut self) {
        let taken = self.process.taken(self.folder);
        self.exit.peak_bytes = self.exit.peak_bytes.max(taken.peak_bytes);
        if let Some(cause) = self.bounds.exceeded(&taken) {
            self.give_up(cause);
        }
    }

    fn give_up(&mut self, cause: Cause) {
        self.last.get_or_insert(Event::Failed { cause });
        self.process.kill();
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Line(line) => {
                self.exit.allocation_failed |= line.starts_with(ALLOCATION_FAILED);
                self.record(Event::Log { line });
            }
            Said::Event(event @ Event::Step { step, kept, .. }) => {
                self.progress.set(step);
                if kept {
                    self.record(event);
                }
            }
            Said::Event(Event::Checkpoint { step, .. }) => {
                self.progress.set(step);
                self.uploader.take(step);
            }
            Said::Event(
                event @ (Event::Started { .. } | Event::Epoch { .. } | Event::Log { .. }),
            ) => {
                if let Event::Epoch { step, .. } = event {
                    self.progress.set(step);
                }
                self.record(event);
            }
            Said::Event(Event::Round { round }) => self.call(Call::Round(round)),
            Said::Event(Event::Verdict { round }) => self.call(Call::Verdict(round)),
            Said::Event(
                event @ (Event::Profiled { .. }
                | Event::Trained { .. }
                | Event::Evaluated { .. }
                | Event::Found { .. }
                | Event::Stopped { .. }
                | Event::Failed { .. }),
            ) => {
                self.last.get_or_insert(event);
                self.end_within(GOODBYE);
            }
        }
    }

    fn record(&mut self, event: Event) {
        if let Some(recorder) = &mut self.recorder {
            recorder.take(event);
        }
    }

    fn call(&self, call: Call) {
        if let Some(rounds) = &self.rounds {
            rounds.take(call);
        }
    }

    fn follow(&mut self, order: Order) {
        self.order = order;
        if let Some(grace) = order.grace() {
            self.process.ask_to_stop();
            self.end_within(grace);
        }
    }

    fn end_within(&mut self, grace: Duration) {
        let at = Instant::now() + grace;
        self.kill_at = Some(self.kill_at.map_or(at, |earlier| earlier.min(at)));
    }
}

/// The first order that is not `known`.
async fn next_order(orders: &mut Orders, known: Order) -> Order {
    // an agent that is gone cannot speak for the attempt any more
    orders.wait_for(|order| *order != known).await.map_or(Order::Kill, |order| *order)
}

fn has_room(recorder: Option<&Recorder>) -> bool {
    recorder.is_none_or(Recorder::has_room)
}

async fn trouble(rounds: Option<&mut Rounds>) -> Cause {
    match rounds {
        Some(rounds) => rounds.trouble().await,
        None => pending().await,
    }
}
