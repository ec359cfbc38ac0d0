//! The scheduler: hold the lead; look at the world, plan, apply; sleep until a hint or the next tick.
//!
//! A tick takes no input and reads the whole state, so there is no path of recovery beside it:
//! after a crash of anything, the next tick sees what is true and goes on from there.

use std::time::Duration;

use boot::bus::Bus;
use domain::{hint::Hint, job::RetryPolicy};
use planner::Policy;
use store::{
    Store, StoreError,
    leader::{self, LeaderLease},
    schedule::{self, Applied},
    workers,
};
use tokio::{sync::broadcast, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use uuid::Uuid;

const LEADER: &str = "scheduler";

#[derive(Debug, Clone)]
pub struct Config {
    /// Unasked, the scheduler looks this often.
    pub tick: Duration,
    /// How long the lead holds without being renewed.
    pub leader_lease: Duration,
    /// How long an attempt holds its resources without a heartbeat.
    pub attempt_lease: Duration,
    pub retry: RetryPolicy,
    pub policy: Policy,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(1),
            leader_lease: Duration::from_secs(10),
            attempt_lease: Duration::from_secs(15),
            retry: RetryPolicy::default(),
            policy: Policy::default(),
        }
    }
}

/// Runs until `end`. Trouble with the database is waited out: the next tick tries again.
pub async fn run(store: Store, bus: Bus, config: Config, end: CancellationToken) {
    let holder = Uuid::now_v7();
    let mut hints = bus.subscribe();
    let mut led = None;
    while !end.is_cancelled() {
        match tick(&store, holder, &config).await {
            Ok(Some((lease, applied))) => {
                if led.as_ref() != Some(&lease) {
                    info!(leader.holder = %holder, "leading");
                }
                led = Some(lease);
                announce(&bus, &applied).await;
                if applied.freed {
                    continue;
                }
            }
            Ok(None) => led = None,
            Err(error) => warn!(error = &error as &dyn std::error::Error, "a tick failed"),
        }
        let next = Instant::now() + config.tick;
        end.run_until_cancelled(wait(&mut hints, next)).await;
    }
    if let Some(lease) = led {
        let _ = step_down(&store, &lease).await;
    }
}

/// One look at the world and what follows from it; `None` while another scheduler leads.
pub async fn tick(
    store: &Store,
    holder: Uuid,
    config: &Config,
) -> Result<Option<(LeaderLease, Applied)>, StoreError> {
    let mut tx = store.begin().await?;
    let lease = leader::acquire(&mut tx, LEADER, holder, config.leader_lease).await?;
    tx.commit().await?;
    let Some(lease) = lease else { return Ok(None) };

    let mut tx = store.begin().await?;
    workers::bury_silent(&mut tx, config.attempt_lease * 2).await?;
    let (world, now) = schedule::load_world(&mut tx).await?;
    let plan = planner::plan(&world, &config.policy, now);
    let applied =
        schedule::apply(&mut tx, &lease, &plan, &config.retry, config.attempt_lease).await?;
    let Some(applied) = applied else { return Ok(None) };
    tx.commit().await?;
    if applied != Applied::default() {
        debug!(
            started = applied.started.len(),
            changed = applied.changed.len(),
            skipped = applied.skipped,
            waiting = plan.waiting.len(),
            "plan applied"
        );
    }
    Ok(Some((lease, applied)))
}

async fn announce(bus: &Bus, applied: &Applied) {
    for worker in &applied.started {
        bus.publish(Hint::Worker(*worker)).await;
    }
    for job in &applied.changed {
        bus.publish(Hint::Job(*job)).await;
    }
}

/// Until the queue has changed, or until `next`.
async fn wait(hints: &mut broadcast::Receiver<Hint>, next: Instant) {
    loop {
        match tokio::time::timeout_at(next, hints.recv()).await {
            Ok(Ok(Hint::Queue) | Err(broadcast::error::RecvError::Lagged(_))) => return,
            Ok(Ok(_)) => {}
            // the bus is closed: the tick alone is left
            Ok(Err(broadcast::error::RecvError::Closed)) => tokio::time::sleep_until(next).await,
            Err(_elapsed) => return,
        }
    }
}

async fn step_down(store: &Store, lease: &LeaderLease) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    leader::release(&mut tx, lease).await?;
    tx.commit().await
}
