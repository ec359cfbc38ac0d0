//! The agent's loop: look for new work, renew the leases, pass on what is asked of each attempt.

use std::{collections::HashMap, io, path::Path, sync::Arc, time::Duration};

use boot::bus::Bus;
use domain::{
    WorkerId,
    hint::Hint,
    job::{Attempt, Cause, Report, StopReason},
    world::WorkerState,
};
use registry::Blobs;
use store::{
    Store, StoreError,
    attempts::{self, Assignment, Directive},
    workers::{self, NewWorker, Registered, Standing},
};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    task::{AbortHandle, JoinSet},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    AgentConfig, AgentError, Context, SharedContext,
    attempt::{Progress, perform},
    decide::Order,
};

/// Between looks for work, when no hint says that there is some.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For a child's checkpoint, its upload and the last words.
const LEAVE_WITHIN: Duration = Duration::from_secs(90);

/// Takes and runs attempts until `shutdown`, and leaves without losing any.
pub async fn run(
    config: AgentConfig,
    store: Store,
    blobs: Blobs,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    clear_leftovers(&config.scratch)
        .map_err(|source| AgentError::Scratch { path: config.scratch.clone(), source })?;
    let mut hints = bus.subscribe();
    let mut agent = Agent {
        next_beat: ticker(config.heartbeat),
        context: Arc::new(Context { config, store, blobs, bus }),
        id: WorkerId::generate(),
        live: HashMap::new(),
        tasks: JoinSet::new(),
        cut_off: false,
    };
    let registered = shutdown.run_until_cancelled(agent.register()).await;
    if registered.transpose()?.is_none() {
        return Ok(());
    }
    agent.serve(&mut hints, &shutdown).await?;
    agent.leave().await;
    Ok(())
}

/// What an agent that was killed has left behind. Only what looks like ours is touched.
fn clear_leftovers(scratch: &Path) -> io::Result<()> {
    std::fs::create_dir_all(scratch)?;
    for entry in std::fs::read_dir(scratch)? {
        let entry = entry?;
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with("job_"));
        if ours && entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn ticker(every: Duration) -> Interval {
    let mut ticker = interval(every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

/// An attempt that this process runs.
struct Live {
    orders: watch::Sender<Order>,
    progress: Progress,
    task: AbortHandle,
}

struct Agent {
    context: SharedContext,
    id: WorkerId,
    next_beat: Interval,
    live: HashMap<Attempt, Live>,
    tasks: JoinSet<()>,
    /// The database did not answer the last time.
    cut_off: bool,
}

impl Agent {
    /// Keeps trying while the database is away.
    async fn register(&mut self) -> Result<(), AgentError> {
        loop {
            let answer = register(&self.context, self.id).await;
            match self.heard(answer) {
                Some(Ok(Registered::Registered)) => break,
                Some(Ok(Registered::NoSuchPool)) => {
                    return Err(AgentError::NoSuchPool { pool: self.context.config.pool.clone() });
                }
                Some(Err(error)) => return Err(error.into()),
                None => sleep(LOOK_EVERY).await,
            }
        }
        let name = &self.context.config.name;
        info!(worker.id = %self.id, worker.name = name, "worker is up");
        self.context.bus.publish(Hint::Queue);
        Ok(())
    }

    async fn serve(
        &mut self,
        hints: &mut broadcast::Receiver<Hint>,
        shutdown: &CancellationToken,
    ) -> Result<(), AgentError> {
        let mut look = ticker(LOOK_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = meant_for(self.id, hints) => {
                    self.look().await;
                    self.beat().await?;
                }
                _ = look.tick() => self.look().await,
                _ = self.next_beat.tick() => self.beat().await?,
            }
            self.forget_ended();
        }
    }

    /// Starts what is assigned and not started.
    async fn look(&mut self) {
        let answer = assigned_to(&self.context, self.id).await;
        let assigned = match self.heard(answer) {
            Some(Ok(assigned)) => assigned,
            Some(Err(error)) => {
                error!(worker.id = %self.id, %error, "could not look for work");
                return;
            }
            None => return,
        };
        for assignment in assigned {
            self.start(assignment);
        }
    }

    fn start(&mut self, assignment: Assignment) {
        let attempt = assignment.attempt;
        if self.live.contains_key(&attempt) {
            return;
        }
        let (orders, received) = watch::channel(Order::Run);
        let progress = Progress::default();
        let work = perform(self.context.clone(), assignment, received, progress.clone());
        let task = self.tasks.spawn(work);
        self.live.insert(attempt, Live { orders, progress, task });
    }

    /// Renews the leases and passes on the directives; finds out whether the scheduler still counts
    /// on this worker.
    async fn beat(&mut self) -> Result<(), AgentError> {
        self.forget_ended();
        let running: Vec<_> =
            self.live.iter().map(|(attempt, live)| (*attempt, live.progress.step())).collect();
        let answer = heartbeat(&self.context, self.id, &running).await;
        let (directives, standing) = match self.heard(answer) {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => {
                error!(worker.id = %self.id, %error, "the heartbeat was refused");
                return Ok(());
            }
            None => return Ok(()),
        };
        for ((attempt, _), directive) in running.iter().zip(directives) {
            self.direct(attempt, directive);
        }
        match standing {
            Standing::Registered => Ok(()),
            Standing::Replaced => {
                Err(AgentError::Replaced { name: self.context.config.name.clone() })
            }
            Standing::GivenUp => {
                warn!(worker.id = %self.id, "given up after a silence; starting anew");
                self.id = WorkerId::generate();
                self.register().await
            }
        }
    }

    fn direct(&self, attempt: &Attempt, directive: Directive) {
        if let Some(live) = self.live.get(attempt) {
            live.orders.send_if_modified(|order| {
                let before = std::mem::replace(order, order.after(directive));
                before != *order
            });
        }
    }

    fn forget_ended(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.live.retain(|_, live| !live.task.is_finished());
    }

    /// Gives back what it has, with a checkpoint where there can be one.
    async fn leave(mut self) {
        info!(worker.id = %self.id, attempts = self.live.len(), "worker is leaving");
        let attempts: Vec<_> = self.live.keys().copied().collect();
        let answer = give_back(&self.context, self.id, &attempts).await;
        if let Some(Err(error)) = self.heard(answer) {
            error!(worker.id = %self.id, %error, "could not say that it is leaving");
        }
        for attempt in &attempts {
            self.direct(attempt, Directive::Stop(StopReason::Preempted));
        }
        self.context.bus.publish(Hint::Queue);
        let deadline = Instant::now() + LEAVE_WITHIN;
        loop {
            tokio::select! {
                ended = self.tasks.join_next() => if ended.is_none() { break },
                // the leases are to hold until the last word; whatever else it says comes too late
                _ = self.next_beat.tick() => if self.beat().await.is_err() { break },
                () = sleep_until(deadline) => {
                    warn!(attempts = self.live.len(), "leaving without the last words");
                    break;
                }
            }
        }
        let answer = gone(&self.context, self.id).await;
        if let Some(Err(error)) = self.heard(answer) {
            error!(worker.id = %self.id, %error, "could not say that it has left");
        }
        self.context.bus.publish(Hint::Queue);
    }

    /// `None` if the database is away, which is logged when it begins and when it ends.
    fn heard<T>(&mut self, answer: Result<T, StoreError>) -> Option<Result<T, StoreError>> {
        let away = answer.as_ref().err().filter(|error| error.is_unavailable());
        match (away, self.cut_off) {
            (Some(error), false) => warn!(%error, "the database is away; attempts go on"),
            (None, true) => info!("the database is back"),
            _ => {}
        }
        self.cut_off = away.is_some();
        (!self.cut_off).then_some(answer)
    }
}

/// Returns at the next hint for this worker, or when some were missed.
async fn meant_for(id: WorkerId, hints: &mut broadcast::Receiver<Hint>) {
    loop {
        match hints.recv().await {
            Ok(hint) if hint != Hint::Worker(id) => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn register(context: &Context, id: WorkerId) -> Result<Registered, StoreError> {
    let AgentConfig { name, pool, capacity, .. } = &context.config;
    let mut tx = context.store.begin().await?;
    let new = NewWorker { id, name, pool, capacity: *capacity };
    let registered = workers::register(&mut tx, &new).await?;
    if registered == Registered::Registered {
        tx.commit().await?;
    }
    Ok(registered)
}

async fn assigned_to(context: &Context, id: WorkerId) -> Result<Vec<Assignment>, StoreError> {
    let mut tx = context.store.begin().await?;
    let assigned = attempts::assigned_to(&mut tx, id).await?;
    tx.commit().await?;
    Ok(assigned)
}

async fn heartbeat(
    context: &Context,
    id: WorkerId,
    running: &[(Attempt, Option<u64>)],
) -> Result<(Vec<Directive>, Standing), StoreError> {
    let mut tx = context.store.begin().await?;
    let directives = attempts::heartbeat(&mut tx, id, running).await?;
    let known: Vec<_> = running.iter().map(|(attempt, _)| *attempt).collect();
    for attempt in attempts::forgotten(&mut tx, id, &known).await? {
        let lost = Cause::retryable("lost_by_worker", "its worker has lost track of it");
        let retry = &context.config.retry;
        // an attempt that has been superseded meanwhile needs no report
        let _ = attempts::report(&mut tx, attempt, Report::Failed(lost), retry).await?;
    }
    let standing = workers::standing(&mut tx, id).await?;
    tx.commit().await?;
    Ok((directives, standing))
}

/// No more work, please; what was never started goes back at once.
async fn give_back(context: &Context, id: WorkerId, live: &[Attempt]) -> Result<(), StoreError> {
    let mut tx = context.store.begin().await?;
    let retry = &context.config.retry;
    workers::set_state(&mut tx, id, WorkerState::Draining).await?;
    let assigned = attempts::assigned_to(&mut tx, id).await?;
    let mut ours: Vec<_> = live.iter().copied().chain(assigned.iter().map(|a| a.attempt)).collect();
    // in the order of ids, as every bulk writer does
    ours.sort();
    ours.dedup();
    for attempt in ours {
        if live.contains(&attempt) {
            attempts::ask_to_move(&mut tx, attempt, retry).await?;
        } else {
            // an attempt that has been superseded meanwhile is not ours to give back
            let _ = attempts::report(&mut tx, attempt, Report::Stopped, retry).await?;
        }
    }
    tx.commit().await
}

async fn gone(context: &Context, id: WorkerId) -> Result<(), StoreError> {
    let mut tx = context.store.begin().await?;
    workers::set_state(&mut tx, id, WorkerState::Gone).await?;
    tx.commit().await
}
