//! The agent's loop: look for new work, renew the leases, pass on what is asked of each attempt.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::Arc,
    time::Duration,
};

use boot::{
    bus::{self, Bus},
    ticker,
};
use domain::{
    Timestamp, WorkerId,
    hint::Hint,
    job::{Attempt, StopReason},
};
use registry::Blobs;
use store::{
    Store, StoreError,
    attempts::{Assignment, Directive},
    workers::{Registered, Standing},
};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    task::{AbortHandle, JoinSet},
    time::{Instant, Interval, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    AgentConfig, AgentError, Context, SharedContext, asks,
    attempt::{Progress, perform},
    decide::Order,
    reports::Reports,
    work::Work,
};

/// Between looks for work, when no hint says that there is some.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A hint brings the next heartbeat forward, but never closer to the last one than this: a worker that is
/// given work all the time would else do little but renew its lease.
const BEATS_APART: Duration = Duration::from_millis(250);
/// How far before the newest assignment that it knows a worker looks for others: after a hint, and from
/// time to time. A plan is carried out moments after the time that its assignments bear.
const BACK_AFTER_HINT: Duration = Duration::from_secs(1);
const BACK: Duration = Duration::from_secs(10);
/// Between looks at everything, also for attempts that have been lost track of.
const SEARCH_EVERY: Duration = Duration::from_secs(30);
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
    run_with(config, store, blobs, bus, shutdown, perform).await
}

/// The same, with attempts carried out as `perform` does it.
pub async fn run_with<P, F>(
    config: AgentConfig,
    store: Store,
    blobs: Blobs,
    bus: Bus,
    shutdown: CancellationToken,
    perform: P,
) -> Result<(), AgentError>
where
    P: Fn(Work) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    clear_leftovers(&config.scratch)
        .map_err(|source| AgentError::Scratch { path: config.scratch.clone(), source })?;
    let mut hints = bus.subscribe();
    let mut agent = Agent {
        next_beat: ticker(config.heartbeat),
        next_search: ticker(SEARCH_EVERY),
        last_beat: Instant::now(),
        renewed_at: None,
        newest: None,
        perform,
        context: Arc::new(Context {
            reports: Reports::start(store.clone(), config.retry),
            config,
            store,
            blobs,
            bus,
        }),
        id: WorkerId::generate(),
        live: BTreeMap::new(),
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

/// An attempt that this process runs.
struct Live {
    orders: watch::Sender<Order>,
    progress: Progress,
    task: AbortHandle,
}

struct Agent<P> {
    context: SharedContext,
    perform: P,
    id: WorkerId,
    next_beat: Interval,
    last_beat: Instant,
    /// The lease. Beats that hints bring forward ask what to do, and leave it as it is: each renewal is a
    /// version of the worker's row, and all are walked over while a reader's snapshot keeps them.
    renewed_at: Option<Instant>,
    /// The newest assignment that it has seen.
    newest: Option<Timestamp>,
    next_search: Interval,
    /// By rank: of an attempt of several workers more than one part may run here.
    live: BTreeMap<(Attempt, u32), Live>,
    tasks: JoinSet<()>,
    /// The database did not answer the last time.
    cut_off: bool,
}

impl<P, F> Agent<P>
where
    P: Fn(Work) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    /// Keeps trying while the database is away.
    async fn register(&mut self) -> Result<(), AgentError> {
        loop {
            let answer = asks::register(&self.context, self.id).await;
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
                    self.look(Some(BACK_AFTER_HINT)).await;
                    self.next_beat.reset_at(self.last_beat + BEATS_APART);
                }
                _ = look.tick() => self.look(Some(BACK)).await,
                _ = self.next_beat.tick() => self.beat().await?,
                _ = self.next_search.tick() => self.search().await,
            }
            self.forget_ended();
        }
    }

    /// Starts what is assigned and not started, as far back as it says.
    async fn look(&mut self, back: Option<Duration>) {
        let since = self.newest.zip(back).map(|(newest, back)| newest - back);
        let answer = asks::assigned_to(&self.context, self.id, since).await;
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
        let part = (assignment.attempt, assignment.rank);
        self.newest = self.newest.max(Some(assignment.assigned_at));
        if self.live.contains_key(&part) {
            return;
        }
        let (orders, received) = watch::channel(Order::Run);
        let progress = Progress::default();
        let work = Work {
            assignment,
            context: self.context.clone(),
            orders: received,
            progress: progress.clone(),
        };
        let task = self.tasks.spawn((self.perform)(work));
        self.live.insert(part, Live { orders, progress, task });
    }

    /// Renews the leases and passes on the directives; finds out whether the scheduler still counts
    /// on this worker.
    async fn beat(&mut self) -> Result<(), AgentError> {
        self.last_beat = Instant::now();
        self.forget_ended();
        let running: Vec<_> = self.attempts().into_iter().map(|a| (a, self.step(a))).collect();
        let half = self.context.config.heartbeat / 2;
        let renews = self.renewed_at.is_none_or(|at| at.elapsed() >= half);
        let answer = asks::heartbeat(&self.context, self.id, &running, renews).await;
        let (directives, standing) = match self.heard(answer) {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => {
                error!(worker.id = %self.id, %error, "the heartbeat was refused");
                return Ok(());
            }
            None => return Ok(()),
        };
        if renews {
            self.renewed_at = Some(self.last_beat);
        }
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

    /// Starts whatever is assigned, and gives up what this worker has begun and knows nothing of any more:
    /// its task has died.
    async fn search(&mut self) {
        self.look(None).await;
        self.forget_ended();
        let known: Vec<_> = self.live.keys().copied().collect();
        let answer = asks::give_up_forgotten(&self.context, self.id, &known).await;
        if let Some(Err(error)) = self.heard(answer) {
            error!(worker.id = %self.id, %error, "could not look for lost attempts");
        }
    }

    /// Of which it runs at least a part.
    fn attempts(&self) -> Vec<Attempt> {
        let attempts: BTreeSet<_> = self.live.keys().map(|(attempt, _)| *attempt).collect();
        attempts.into_iter().collect()
    }

    /// As of the part that leads, if it is here.
    fn step(&self, attempt: Attempt) -> Option<u64> {
        self.live.get(&(attempt, 0)).and_then(|live| live.progress.step())
    }

    fn direct(&self, attempt: &Attempt, directive: Directive) {
        for (_, live) in self.live.range((*attempt, 0)..=(*attempt, u32::MAX)) {
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
        let attempts = self.attempts();
        let answer = asks::give_back(&self.context, self.id, &attempts).await;
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
        let answer = asks::gone(&self.context, self.id).await;
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

/// Returns at the next hint for this worker, or when some were missed. One look answers all that are there.
async fn meant_for(id: WorkerId, hints: &mut broadcast::Receiver<Hint>) {
    loop {
        match hints.recv().await {
            Ok(hint) if hint != Hint::Worker(id) => {}
            Ok(_) | Err(RecvError::Lagged(_)) => break,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
    bus::skip(hints);
}
