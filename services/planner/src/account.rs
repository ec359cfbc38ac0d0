//! One tenant in one pool: its quota, what it uses and has used, and its jobs that wait.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use chrono::Duration;
use domain::{
    JobId, Resources, TenantId, Timestamp,
    world::{PlannedJob, Quota},
};

use crate::{Order, Policy, seconds, shape::Shape};

/// Where a job stands among its tenant's: priority, then age, then id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub priority: Reverse<i32>,
    pub since: Timestamp,
    pub job: JobId,
}

impl Place {
    pub fn of(id: JobId, job: &PlannedJob, order: Order) -> Self {
        let priority = if order == Order::Fifo { 0 } else { job.priority };
        Self { priority: Reverse(priority), since: job.created_at, job: id }
    }
}

/// Where a tenant stands among the others: the smallest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    score: u64,
    since: Timestamp,
    pub tenant: TenantId,
}

#[derive(Debug, Clone)]
pub struct Account {
    pub quota: Quota,
    pub cohort: usize,
    /// By live attempts, also those that are stopping.
    pub used: Resources,
    /// Of that, by those that are stopping.
    pub leaving: Resources,
    pub live: BTreeSet<JobId>,
    /// The jobs that may start as soon as there is room, by what they ask for.
    pub lines: BTreeMap<Shape, BTreeSet<Place>>,
    /// It, or its tenant in all pools together, runs as many jobs as it may.
    pub full: bool,
    /// Its dominant share, averaged over the past with weights that halve with each half-life.
    average: f64,
    as_of: Timestamp,
    /// Counts starts in the whole pool: when this account had its last one.
    pub last_served: u64,
    /// Where it stands in its cohort's orders, if it does.
    pub turn: Option<Turn>,
}

impl Account {
    pub fn new(quota: Quota, cohort: usize, now: Timestamp) -> Self {
        Self {
            quota,
            cohort,
            used: Resources::NONE,
            leaving: Resources::NONE,
            live: BTreeSet::new(),
            lines: BTreeMap::new(),
            full: false,
            average: 0.0,
            as_of: now,
            last_served: 0,
            turn: None,
        }
    }

    /// Nothing would be lost by forgetting it.
    pub fn is_idle(&self) -> bool {
        self.lines.is_empty()
            && self.live.is_empty()
            && self.average < 1e-6
            && self.quota == Quota::default()
    }

    pub fn wait(&mut self, shape: Shape, place: Place) {
        self.lines.entry(shape).or_default().insert(place);
    }

    /// Whether it stood in line.
    pub fn unwait(&mut self, shape: Shape, place: &Place) -> bool {
        let Some(line) = self.lines.get_mut(&shape) else { return false };
        let stood = line.remove(place);
        if line.is_empty() {
            self.lines.remove(&shape);
        }
        stood
    }

    pub fn first(&self) -> Option<&Place> {
        self.lines.values().filter_map(BTreeSet::first).min()
    }

    /// The first `most` in line, in order.
    pub fn first_places(&self, most: usize) -> Vec<Place> {
        let lines = self.lines.values().flat_map(|line| line.iter().take(most));
        let mut places: Vec<_> = lines.copied().collect();
        places.sort_unstable();
        places.truncate(most);
        places
    }

    pub fn waiting(&self) -> usize {
        self.lines.values().map(BTreeSet::len).sum()
    }

    /// Whether a job of its could start within `allowed` if there were room.
    pub fn may_start_within(&self, allowed: &Resources) -> bool {
        !self.full && self.lines.keys().any(|shape| self.used.plus(shape.total()).within(allowed))
    }

    /// How many more jobs may run here.
    pub fn places_left(&self) -> u32 {
        self.quota.max_running.saturating_sub(u32::try_from(self.live.len()).unwrap_or(u32::MAX))
    }

    pub fn borrows(&self) -> bool {
        !self.used.within(&self.quota.guaranteed)
    }

    /// Brings the average up to `now`. Call it before what is used changes.
    pub fn settle(&mut self, whole: &Resources, half_life: Duration, now: Timestamp) {
        self.average = self.average_at(whole, half_life, now);
        self.as_of = self.as_of.max(now);
    }

    pub fn average_at(&self, whole: &Resources, half_life: Duration, now: Timestamp) -> f64 {
        let half_life = half_life.num_milliseconds().max(1) as f64 / 1_000.0;
        let kept = (-seconds(self.as_of, now) / half_life).exp2();
        self.average * kept + self.used.dominant_share(whole) * (1.0 - kept)
    }

    pub fn set_average(&mut self, average: f64, now: Timestamp) {
        (self.average, self.as_of) = (average, now);
    }

    /// Current and average share together, over the weight.
    pub fn score(&self, whole: &Resources, policy: &Policy, now: Timestamp) -> f64 {
        let share = self.used.dominant_share(whole);
        let both = share + self.average_at(whole, policy.half_life, now);
        if self.quota.weight == 0 { f64::INFINITY } else { both / f64::from(self.quota.weight) }
    }

    /// Where it stands now; nowhere if nothing of it waits.
    pub fn turn_at(
        &self,
        tenant: TenantId,
        whole: &Resources,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<Turn> {
        let first = self.first()?;
        let score = match policy.order {
            // positive numbers sort as their bits do
            Order::FairShare => self.score(whole, policy, now).to_bits(),
            Order::Fifo => 0,
            Order::Priority => u64::from(first.priority.0.abs_diff(i32::MAX)),
            Order::RoundRobin => self.last_served,
        };
        Some(Turn { score, since: first.since, tenant })
    }
}
