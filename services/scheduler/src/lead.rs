//! What a leader knows: the queue that its plans are made of, and from where it follows the changes.

use std::collections::{BTreeMap, VecDeque};

use domain::{JobId, TenantId, Timestamp, wait::WaitReason};
use planner::{Plan, Policy, Queue};
use store::{
    Store, StoreError,
    changes::Cursor,
    leader::{self, LeaderLease},
    schedule::{self, Applied},
    usage, workers,
};
use tokio::time::Instant;

use crate::{Config, watch::Watch};

/// Of each tenant and pool, so many waiting jobs have their reason written.
const REASONS_EACH: usize = 20;
/// Looked at in one plan, so that a plan's time does not grow with the number of tenants.
const REASONS_PER_PLAN: usize = 500;
/// A job that starts at once needs no reason.
const MILLISECONDS_BETWEEN_REASONS: i64 = 500;
const SECONDS_BETWEEN_AVERAGES: i64 = 60;

pub struct Lead {
    pub lease: LeaderLease,
    pub(crate) renewed_at: Instant,
    queue: Queue,
    cursor: Cursor,
    watch: Watch,
    /// What was last written of why jobs wait.
    reasons: BTreeMap<JobId, WaitReason>,
    /// Tenants whose jobs' reasons are to be looked at, in turn.
    to_explain: VecDeque<TenantId>,
    explained_at: Timestamp,
    kept_at: Timestamp,
    /// Hours since 1970, when what files take was last looked at.
    metered_hour: Option<i64>,
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
        let changes = self.cursor.read(&mut tx).await?;
        let facts = schedule::look(&mut tx, &changes).await?;
        let Some(lead) = leader::hold(&mut tx, &self.lease).await? else { return Ok(None) };
        let now = lead.now;
        let silent = if self.watch.look(now, config.attempt_lease, config.tick) {
            workers::bury_silent(&mut tx, config.attempt_lease).await?
        } else {
            Vec::new()
        };
        let mut written = !silent.is_empty();
        self.queue.advance(now);
        self.queue.learn(facts);
        silent.into_iter().for_each(|worker| self.queue.set_worker(worker, None));

        let plan = self.queue.plan(now);
        let applied = schedule::apply(&mut tx, lead, &plan.commands, &config.retry).await?;
        written |= !plan.commands.is_empty();
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
            let averages: Vec<_> = self.queue.averages().collect();
            schedule::keep_averages(&mut tx, &averages).await?;
            let hour = now.timestamp() / 3_600;
            if self.metered_hour != Some(hour) {
                usage::note_storage(&mut tx).await?;
                self.metered_hour = Some(hour);
            }
        }
        let skipped = schedule::look_at_jobs(&mut tx, &applied.skipped).await?;
        if written || keeping {
            tx.commit().await?;
        } else {
            // nobody has to wait until the disk knows that the lease was looked at
            drop(tx);
        }
        skipped.into_iter().for_each(|(id, job)| self.queue.set_job(id, job));
        if keeping {
            let mut tx = store.begin().await?;
            if self.cursor.truncate(&mut tx).await? {
                tx.commit().await?;
            }
        }
        Ok(Some((plan, applied)))
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
