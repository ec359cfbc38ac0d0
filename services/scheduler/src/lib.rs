//! The scheduler: hold the lead; follow what has changed, plan, carry it out; sleep until a hint or the
//! next tick.
//!
//! A leader reads everything once and then follows the changes. There is no path of recovery beside
//! that: whatever goes wrong, it lets go of what it knows and begins anew from what is true.

mod lead;
mod watch;

use std::time::Duration;

use boot::bus::{self, Bus};
use domain::{hint::Hint, job::RetryPolicy};
use planner::Policy;
use store::{
    Store, StoreError,
    leader::{self, LeaderLease},
    schedule::Applied,
};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use uuid::Uuid;

pub use lead::Lead;

const LEADER: &str = "scheduler";
/// So often within a lease it is renewed, after a plan: doing so at each look would be a commit that nothing
/// waits for, and before a plan one that a job waits for.
const RENEWED_EACH: u32 = 4;
/// And so often at least, also if one plan follows another.
const RENEWED_AT_LEAST: u32 = 2;

#[derive(Debug, Clone)]
pub struct Config {
    /// Unasked, the scheduler looks this often.
    pub tick: Duration,
    /// How long the lead holds without being renewed.
    pub leader_lease: Duration,
    /// How long a worker's attempts hold their resources without its heartbeat.
    pub attempt_lease: Duration,
    pub retry: RetryPolicy,
    pub policy: Policy,
    /// A plan's commit carries its hints, for those who listen to Postgres.
    pub commits_tell: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(1),
            leader_lease: Duration::from_secs(10),
            attempt_lease: Duration::from_secs(15),
            retry: RetryPolicy::default(),
            policy: Policy::default(),
            commits_tell: false,
        }
    }
}

/// Runs until `end`. Trouble with the database is waited out: the next tick tries again.
pub async fn run(store: Store, bus: Bus, config: Config, end: CancellationToken) {
    let config = Config { commits_tell: bus.is_through_postgres(), ..config };
    let holder = Uuid::now_v7();
    let mut hints = bus.subscribe();
    let mut lead = None;
    while !end.is_cancelled() {
        match tick(&store, holder, &config, &mut lead).await {
            Ok(Some((more, applied))) => {
                if !applied.told {
                    announce(&bus, &applied);
                }
                if more {
                    continue;
                }
            }
            Ok(None) => {}
            Err(error) => warn!(error = &error as &dyn std::error::Error, "a tick failed"),
        }
        if lead.is_some()
            && let Err(error) = keep(&store, holder, &config, &mut lead, RENEWED_EACH).await
        {
            warn!(error = &error as &dyn std::error::Error, "the lead was not renewed");
        }
        let next = Instant::now() + config.tick;
        end.run_until_cancelled(wait(&mut hints, next)).await;
    }
    if let Some(lead) = lead {
        let _ = step_down(&store, &lead.lease).await;
    }
}

/// One look at what has changed and what follows from it, and whether to look again at once; `None`
/// while another scheduler leads. After an error `lead` is empty: what it knew may not be true.
pub async fn tick(
    store: &Store,
    holder: Uuid,
    config: &Config,
    lead: &mut Option<Lead>,
) -> Result<Option<(bool, Applied)>, StoreError> {
    keep(store, holder, config, lead, RENEWED_AT_LEAST).await?;
    let Some(mut leading) = lead.take() else { return Ok(None) };
    let Some((plan, applied)) = leading.tick(store, config).await? else { return Ok(None) };
    *lead = Some(leading);
    if applied != Applied::default() {
        debug!(
            commands = plan.commands.len(),
            changed = applied.changed.len(),
            skipped = applied.skipped.len(),
            "plan applied"
        );
    }
    // what has ended or was refused is seen at the next look
    let ended = plan.commands.iter().any(|command| {
        matches!(
            command,
            domain::world::Command::Lose { .. } | domain::world::Command::TimeOut { .. }
        )
    });
    Ok(Some((plan.more || ended, applied)))
}

/// Holds the lead, renewed in the last of so many parts of a lease, or finds that it is another's.
async fn keep(
    store: &Store,
    holder: Uuid,
    config: &Config,
    lead: &mut Option<Lead>,
    parts: u32,
) -> Result<(), StoreError> {
    // whether the lead is ours still is looked at where something is written
    if lead.as_ref().is_some_and(|lead| lead.renewed_at.elapsed() < config.leader_lease / parts) {
        return Ok(());
    }
    let (known, asked_at) = (lead.take(), Instant::now());
    let Some(lease) = acquire(store, holder, config).await? else { return Ok(()) };
    *lead = Some(match known {
        Some(mut leading) if leading.lease == lease => {
            leading.renewed_at = asked_at;
            leading
        }
        _ => {
            info!(leader.holder = %holder, "leading");
            Lead::begin(store, lease, config.policy.clone()).await?
        }
    });
    Ok(())
}

fn announce(bus: &Bus, applied: &Applied) {
    for worker in &applied.workers {
        bus.publish(Hint::Worker(*worker));
    }
    for job in &applied.changed {
        bus.publish(Hint::Job(*job));
    }
}

/// Until the queue has changed, or until `next`. One look answers all the hints that are there.
async fn wait(hints: &mut broadcast::Receiver<Hint>, next: Instant) {
    loop {
        match tokio::time::timeout_at(next, hints.recv()).await {
            Ok(Ok(Hint::Queue) | Err(RecvError::Lagged(_))) => break,
            Ok(Ok(_)) => {}
            // the bus is closed: the tick alone is left
            Ok(Err(RecvError::Closed)) => tokio::time::sleep_until(next).await,
            Err(_elapsed) => return,
        }
    }
    bus::skip(hints);
}

async fn acquire(
    store: &Store,
    holder: Uuid,
    config: &Config,
) -> Result<Option<LeaderLease>, StoreError> {
    let mut tx = store.begin().await?;
    let lease = leader::acquire(&mut tx, LEADER, holder, config.leader_lease).await?;
    tx.commit().await?;
    Ok(lease)
}

async fn step_down(store: &Store, lease: &LeaderLease) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    leader::release(&mut tx, lease).await?;
    tx.commit().await
}
