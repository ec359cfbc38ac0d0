//! Whose turn it is. The tenant with the fewest running jobs goes first, and each job started makes
//! its tenant wait for the others, so tenants with equally many take turns; between equals the
//! older job goes first. Within a tenant: priority, then age, then id.
//!
//! A job that cannot start now gives the turn on to the next of its tenant. So a tenant's large job
//! that waits for room may be overtaken by smaller ones for as long as those keep coming: accepted
//! until the planner reserves room ahead of time.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use domain::{
    JobId, TenantId, Timestamp,
    spec::Resources,
    world::{Phase, PlannedJob, WaitReason, World},
};

/// One job, asked whether it can start, with how its tenant stands at this moment.
pub struct Turn {
    pub job: JobId,
    pub tenant: TenantId,
    pub resources: Resources,
    pub last_attempt: u32,
    pub running: u32,
    pub max_running: u32,
}

pub struct Turns<'a> {
    lines: BTreeMap<TenantId, Line<'a>>,
    /// The tenants with jobs left to ask, by the [`Line::key`] of each.
    next: BTreeSet<Key>,
}

/// Running jobs, age of the job whose turn it is.
type Key = (u32, Timestamp, TenantId);

#[derive(Default)]
struct Line<'a> {
    running: u32,
    max_running: u32,
    waiting: VecDeque<Waiting<'a>>,
}

struct Waiting<'a> {
    id: JobId,
    job: &'a PlannedJob,
    last_attempt: u32,
}

impl Line<'_> {
    fn key(&self, tenant: TenantId) -> Option<Key> {
        self.waiting.front().map(|next| (self.running, next.job.created_at, tenant))
    }
}

impl<'a> Turns<'a> {
    /// The turns of the waiting jobs, less those that have their reason already.
    pub fn of(world: &'a World, out_of_turn: &BTreeMap<JobId, WaitReason>) -> Self {
        let mut lines: BTreeMap<TenantId, Line<'a>> = BTreeMap::new();
        for (id, job) in &world.jobs {
            let line = lines.entry(job.tenant).or_default();
            match job.phase {
                Phase::Live { .. } => line.running = line.running.saturating_add(1),
                Phase::Waiting { .. } if out_of_turn.contains_key(id) => {}
                Phase::Waiting { last_attempt, .. } => {
                    line.waiting.push_back(Waiting { id: *id, job, last_attempt });
                }
            }
        }
        for (tenant, line) in &mut lines {
            // A tenant that is not in the picture may run nothing.
            line.max_running = world.tenants.get(tenant).map_or(0, |share| share.max_running);
            line.waiting
                .make_contiguous()
                .sort_by_key(|w| (Reverse(w.job.priority), w.job.created_at, w.id));
        }
        let next = lines.iter().filter_map(|(tenant, line)| line.key(*tenant)).collect();
        Self { lines, next }
    }

    pub fn next(&mut self) -> Option<Turn> {
        let (.., tenant) = self.next.pop_first()?;
        let line = self.lines.get_mut(&tenant)?;
        let Waiting { id, job, last_attempt } = line.waiting.pop_front()?;
        self.next.extend(line.key(tenant));
        Some(Turn {
            job: id,
            tenant,
            resources: job.resources,
            last_attempt,
            running: line.running,
            max_running: line.max_running,
        })
    }

    /// Counts a job that was started, and puts its tenant behind those that run fewer.
    pub fn started(&mut self, tenant: TenantId) {
        if let Some(line) = self.lines.get_mut(&tenant) {
            if let Some(key) = line.key(tenant) {
                self.next.remove(&key);
            }
            line.running = line.running.saturating_add(1);
            self.next.extend(line.key(tenant));
        }
    }
}
