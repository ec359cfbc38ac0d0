//! What a leader knows: the queue that its plans are made of, and from where it follows the changes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::{JobId, TenantId, Timestamp, WorkerId, hint::Hint, wait::WaitReason, world::Seats};
use planner::{Plan, Policy, Queue, Use};
use store::{
    Store, StoreError, SystemTx,
    changes::{Change, Cursor},
    jobs,
    leader::{Held, LeaderLease},
    schedule::{self, Applied, News},
    sharing, storage, workers,
};
use tokio::time::Instant;

use crate::{Config, watch::Watch};

/// Of each tenant and pool, so many waiting jobs have their reason written.
const REASONS_EACH: usize = 20;
/// Looked at in one plan, so that a plan's time does not grow with the number of tenants.
const REASONS_PER_PLAN: usize = 500;
/// A job that starts at once needs no reason.
const MILLISECONDS_BETWEEN_REASONS: i64 = 500;
/// Within a worker's lease.
const LOOKS_FOR_SILENT_EACH: u32 = 8;
const SECONDS_BETWEEN_AVERAGES: i64 = 60;

pub struct Lead {
    pub lease: LeaderLease,
    pub(crate) renewed_at: Instant,
    queue: Queue,
    cursor: Cursor,
    watch: Watch,
    /// When it last looked for workers that are silent.
    listened_at: Option<Instant>,
    /// What was last written of why jobs wait.
    reasons: BTreeMap<JobId, WaitReason>,
    /// Tenants whose jobs' reasons are to be looked at, in turn.
    to_explain: VecDeque<TenantId>,
    explained_at: Timestamp,
    kept_at: Timestamp,
    /// Hours since 1970, when what files take was last looked at, and what is old was merged.
    metered_hour: Option<i64>,
}

/// What a look at the changes has found.
struct Followed {
    lead: Held,
    /// Some workers were silent for too long: they are gone.
    silent: bool,
    /// Beside those who know already, these have something new to look at.
    workers: BTreeSet<WorkerId>,
}

impl Lead {
    /// Reads everything once.
    pub async fn begin(
        store: &Store,
        lease: LeaderLease,
        policy: Policy,
    ) -> Result<Self, StoreError> {
        let renewed_at = Instant::now();
        let mut tx = store.begin().await?;
        let (facts, now, cursor) = schedule::load(&mut tx).await?;
        tx.commit().await?;
        let mut queue = Queue::new(policy, now);
        queue.learn(facts);
        Ok(Self {
            lease,
            renewed_at,
            queue,
            cursor,
            watch: Watch::begin(now),
            listened_at: None,
            reasons: BTreeMap::new(),
            to_explain: VecDeque::new(),
            explained_at: now,
            kept_at: now,
            metered_hour: None,
        })
    }

    /// Follows what has changed, plans, and carries it out. `None` if the lead is another's by now.
    pub async fn tick(
        &mut self,
        store: &Store,
        config: &Config,
    ) -> Result<Option<(Plan, Applied)>, StoreError> {
        let mut tx = store.begin().await?;
        let Some(Followed { lead, silent, mut workers }) = self.follow(&mut tx, config).await?
        else {
            return Ok(None);
        };
        let now = lead.now;
        let plan = self.queue.plan(now);
        let jobs = plan.commands.iter().map(|command| command.attempt().job);
        workers.extend(self.seats(jobs.clone()).flat_map(|seats| seats.iter().map(|s| s.worker)));
        let hints = workers.iter().copied().map(Hint::Worker).chain(jobs.map(Hint::Job));
        let hints: Vec<_> = hints.filter(|_| config.commits_tell).collect();
        let hints: Vec<_> = Hint::together(&hints).collect();
        let mut applied =
            schedule::apply(&mut tx, lead, &plan.commands, &config.retry, &hints).await?;
        workers.extend(applied.workers);
        applied.workers = workers.into_iter().collect();
        let mut written = silent || !plan.commands.is_empty();
        if (now - self.explained_at).num_milliseconds() >= MILLISECONDS_BETWEEN_REASONS {
            self.explained_at = now;
            let changed = self.explain();
            if !changed.is_empty() {
                schedule::explain(&mut tx, &changed).await?;
                written = true;
            }
        }
        let keeping = (now - self.kept_at).num_seconds() >= SECONDS_BETWEEN_AVERAGES;
        if keeping {
            self.kept_at = now;
            self.keep(&mut tx, now).await?;
        }
        let skipped: Vec<_> = applied.skipped.iter().map(|id| Change::Job(*id)).collect();
        let skipped = schedule::look(&mut tx, &skipped).await?;
        if written || keeping {
            tx.commit().await?;
        } else {
            // nobody has to wait until the disk knows that the lease was looked at
            drop(tx);
        }
        self.queue.learn(skipped);
        if keeping {
            let mut tx = store.begin().await?;
            if self.cursor.truncate(&mut tx).await? {
                tx.commit().await?;
            }
            while settle_some(store).await? {}
        }
        Ok(Some((plan, applied)))
    }

    /// Writes down what is to be known later: by the next leader, by those who pay, and by those who look back.
    pub async fn keep(&mut self, tx: &mut SystemTx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let averages: Vec<_> = self.queue.averages().collect();
        schedule::keep_averages(tx, &averages).await?;
        let had = |one: Use| {
            (one.tenant, sharing::Had { guaranteed: one.guaranteed, borrowed: one.borrowed })
        };
        let pools = self.queue.uses().map(|(pool, capacity, uses)| {
            let tenants = uses.into_iter().map(had).collect();
            (pool, sharing::Moment { capacity, tenants })
        });
        let pools: Vec<_> = pools.collect();
        sharing::note(tx, now, &pools).await?;
        let hour = now.timestamp() / 3_600;
        if self.metered_hour != Some(hour) {
            storage::note(tx).await?;
            sharing::thin(tx, now).await?;
            self.metered_hour = Some(hour);
        }
        Ok(())
    }

    /// Learns what has changed; `None` if the lead is another's by now.
    async fn follow(
        &mut self,
        tx: &mut SystemTx<'_>,
        config: &Config,
    ) -> Result<Option<Followed>, StoreError> {
        let news = schedule::follow(tx, &self.lease, &mut self.cursor).await?;
        let Some(News { lead, changes, facts }) = news else { return Ok(None) };
        let can_tell = self.watch.look(lead.now, config.attempt_lease, config.tick);
        // not with each hint: somebody's silence is not what a hint is about
        let every = config.tick.min(config.attempt_lease / LOOKS_FOR_SILENT_EACH);
        let silent = if can_tell && self.listened_at.is_none_or(|at| at.elapsed() >= every) {
            self.listened_at = Some(Instant::now());
            workers::bury_silent(tx, config.attempt_lease).await?
        } else {
            Vec::new()
        };
        let jobs = changes.iter().filter_map(|change| match change {
            Change::Job(id) => Some(*id),
            _ => None,
        });
        // whoever has told of a gang has told one of its workers at most
        let gangs = self.seats(jobs).filter(|seats| seats.len() > 1);
        let workers = gangs.flat_map(|seats| seats.iter().map(|seat| seat.worker)).collect();
        self.queue.advance(lead.now);
        self.queue.learn(facts);
        silent.iter().for_each(|worker| self.queue.set_worker(*worker, None));
        Ok(Some(Followed { lead, silent: !silent.is_empty(), workers }))
    }

    /// Of those of these jobs that are live.
    fn seats(&self, jobs: impl Iterator<Item = JobId>) -> impl Iterator<Item = &Seats> {
        jobs.filter_map(|id| Some(&self.queue.job(id)?.live()?.seats))
    }

    /// What it knows.
    pub const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Reasons that have changed, of the tenants whose turn it is.
    fn explain(&mut self) -> Vec<(JobId, WaitReason)> {
        if self.to_explain.is_empty() {
            self.reasons.retain(|id, _| self.queue.is_waiting(*id));
            self.to_explain = self.queue.waiting_tenants().into_iter().collect();
        }
        let mut changed = Vec::new();
        for _ in 0..REASONS_PER_PLAN / REASONS_EACH {
            let Some(tenant) = self.to_explain.pop_front() else { break };
            for (job, reason) in self.queue.heads(tenant, REASONS_EACH) {
                if self.reasons.get(&job) != Some(&reason) {
                    self.reasons.insert(job, reason.clone());
                    changed.push((job, reason));
                }
            }
        }
        changed
    }
}

/// Whether there is more to settle.
async fn settle_some(store: &Store) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    let more = jobs::settle_queues(&mut tx).await?;
    tx.commit().await?;
    Ok(more)
}
