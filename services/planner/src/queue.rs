//! The picture that plans are made of. Every `set_…` says how something is now, whatever was known of
//! it before: saying it twice changes nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::{
    JobId, PoolId, Resources, TenantId, Timestamp, WorkerId,
    spend::Prices,
    world::{Command, Concurrency, Facts, Phase, PlannedJob, Quota, TenantCaps, WorkerView},
};

use crate::{
    Policy, after,
    books::{Books, Tenant},
    enforce,
    pool::{Pool, View},
    start::Shift,
};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub commands: Vec<Command>,
    /// More could start than one plan may start: make the next one at once.
    pub more: bool,
}

#[derive(Debug, Clone)]
pub struct Queue {
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
    pub(crate) books: Books,
    pub(crate) pools: BTreeMap<PoolId, Pool>,
    workers: BTreeMap<WorkerId, PoolId>,
    refresh_at: Timestamp,
    /// Accounts whose decayed usage is still to be counted anew.
    stale: VecDeque<(PoolId, TenantId)>,
}

/// So many in one plan: its time does not grow with the number of tenants.
const REFRESHED_PER_PLAN: usize = 1_000;

/// More of anything is counted as this much, so that no sum of what is real saturates.
const MOST: Resources =
    Resources { cpu_milli: 1 << 50, memory_bytes: 1 << 53, accelerator_milli: 1 << 50 };

/// Above one accelerator there are only whole ones.
fn counted(job: PlannedJob) -> PlannedJob {
    let mut needs = job.needs.least(MOST);
    if needs.accelerator_milli > 1_000 {
        needs.accelerator_milli = needs.accelerator_milli.next_multiple_of(1_000);
    }
    PlannedJob { needs, workers: job.workers.clamp(1, MOST_WORKERS), ..job }
}

/// Of one job.
const MOST_WORKERS: u32 = 64;

impl Queue {
    pub fn new(policy: Policy, now: Timestamp) -> Self {
        Self {
            policy,
            now,
            books: Books::default(),
            pools: BTreeMap::new(),
            workers: BTreeMap::new(),
            refresh_at: now,
            stale: VecDeque::new(),
        }
    }

    /// The time of the changes that follow. It never goes back.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// What a tenant may run in all pools together; `None`: it is gone, and may run nothing.
    pub fn set_tenant(&mut self, id: TenantId, caps: Option<TenantCaps>) {
        match caps {
            Some(caps) => {
                let known = self.books.tenants.get(&id).copied();
                let tenant = known.unwrap_or_else(|| self.tally(id));
                if tenant.caps.budget != caps.budget {
                    self.pools.values_mut().for_each(|pool| pool.changed = true);
                }
                self.books.tenants.insert(id, Tenant { caps, ..tenant });
            }
            None => {
                self.books.tenants.remove(&id);
            }
        }
        self.update_full(id);
    }

    /// One that becomes known while it has live attempts.
    fn tally(&self, id: TenantId) -> Tenant {
        let accounts = self.pools.values().filter_map(|pool| pool.accounts.get(&id));
        let jobs = accounts.flat_map(|account| &account.live);
        let mut tenant = Tenant::default();
        for job in jobs.filter_map(|id| self.books.jobs.get(id)) {
            if let Some(live) = job.live() {
                tenant.add(job.reserved(live.rate));
            }
        }
        tenant
    }

    /// A live attempt ends now, as far as a forecast knows: what it has cost is spent.
    pub(crate) fn charge(&mut self, id: JobId) {
        let Some(job) = self.books.jobs.get(&id) else { return };
        let (Some(live), Some(tenant)) = (job.live(), self.books.tenants.get_mut(&job.tenant))
        else {
            return;
        };
        let millis = (self.now - live.started_at).num_milliseconds().max(0).unsigned_abs();
        let spent = &mut tenant.caps.budget.spent;
        *spent = spent.plus(live.rate.over_millis(millis));
    }

    /// What an attempt that starts from now on costs.
    pub fn set_prices(&mut self, pool: PoolId, prices: Prices) {
        let pool = self.pools.entry(pool).or_default();
        pool.prices = prices;
        pool.changed = true;
    }

    pub fn set_quota(&mut self, tenant: TenantId, pool: PoolId, quota: Option<Quota>) {
        let mut quota = quota.unwrap_or_default();
        quota.guaranteed = quota.guaranteed.least(quota.limit).least(MOST);
        let view = View { policy: &self.policy, now: self.now };
        self.pools.entry(pool).or_default().set_quota(tenant, quota, &self.books, view);
    }

    pub fn set_worker(&mut self, id: WorkerId, worker: Option<WorkerView>) {
        let view = View { policy: &self.policy, now: self.now };
        let pool = worker.as_ref().map(|worker| worker.pool);
        let before = match pool {
            Some(pool) => self.workers.insert(id, pool),
            None => self.workers.remove(&id),
        };
        if before != pool
            && let Some(pool) = before.and_then(|pool| self.pools.get_mut(&pool))
        {
            pool.set_room(id, None, &mut self.books, view);
        }
        if let Some(worker) = worker {
            let worker = WorkerView { capacity: worker.capacity.least(MOST), ..worker };
            let pool = self.pools.entry(worker.pool).or_default();
            if pool.rooms.get(id).is_none_or(|known| !known.is_of(&worker)) {
                pool.set_room(id, Some(worker), &mut self.books, view);
            }
        }
    }

    /// How a job stands; `None` once it has ended, or while it may not be started.
    pub fn set_job(&mut self, id: JobId, job: Option<PlannedJob>) {
        let job = job.map(counted);
        if self.books.jobs.get(&id) == job.as_ref() {
            return;
        }
        let view = View { policy: &self.policy, now: self.now };
        let (mut tenants, mut keys) = (Vec::new(), Vec::new());
        if let Some(before) = self.books.jobs.remove(&id) {
            let pool = self.pools.entry(before.pool).or_default();
            pool.leave(id, &before, &mut self.books, view);
            tenants.push(before.tenant);
            keys.extend(before.concurrency.map(|of| (before.tenant, of)));
        }
        if let Some(job) = job {
            let pool = self.pools.entry(job.pool).or_default();
            pool.enter(id, &job, &mut self.books, view);
            tenants.push(job.tenant);
            keys.extend(job.concurrency.clone().map(|of| (job.tenant, of)));
            self.books.jobs.insert(id, job);
        }
        tenants.dedup();
        tenants.into_iter().for_each(|tenant| self.update_full(tenant));
        keys.dedup();
        keys.into_iter().for_each(|(tenant, of)| self.settle_key(tenant, &of));
    }

    /// Keys whose jobs were started may have no place left.
    fn settle_keys_of(&mut self, commands: &[Command]) {
        let starts = commands.iter().filter(|command| matches!(command, Command::Start { .. }));
        let jobs = starts.filter_map(|command| self.books.jobs.get(&command.attempt().job));
        let keys: BTreeSet<_> =
            jobs.filter_map(|job| Some((job.tenant, job.concurrency.clone()?))).collect();
        for (tenant, of) in keys {
            self.settle_key(tenant, &of);
        }
    }

    /// Lets those of the key's jobs stand in line that may run next.
    fn settle_key(&mut self, tenant: TenantId, of: &Concurrency) {
        let moves = self.books.keys.settle(tenant, of);
        let view = View { policy: &self.policy, now: self.now };
        let places = moves.leave.iter().map(|place| (place.job, false));
        for (id, enters) in places.chain(moves.enter.iter().map(|place| (place.job, true))) {
            let Some(job) = self.books.jobs.get(&id) else { continue };
            let Some(pool) = self.pools.get_mut(&job.pool) else { continue };
            if enters {
                pool.open_account(tenant, &self.books, view);
                pool.wait(id, job, view);
            } else {
                pool.unwait(id, job, view);
            }
            pool.changed = true;
            pool.touch(tenant, view);
        }
    }

    fn update_full(&mut self, tenant: TenantId) {
        let view = View { policy: &self.policy, now: self.now };
        self.pools.values_mut().for_each(|pool| pool.update_full(tenant, &self.books, view));
    }

    pub fn learn(&mut self, facts: Facts) {
        facts.tenants.into_iter().for_each(|(id, caps)| self.set_tenant(id, caps));
        facts.prices.into_iter().for_each(|(id, prices)| self.set_prices(id, prices));
        facts.quotas.into_iter().for_each(|(id, pool, quota)| self.set_quota(id, pool, quota));
        facts.workers.into_iter().for_each(|(id, worker)| self.set_worker(id, worker));
        facts.jobs.into_iter().for_each(|(id, job)| self.set_job(id, job));
        facts.averages.into_iter().for_each(|(id, pool, share)| self.set_average(id, pool, share));
    }

    pub fn job(&self, id: JobId) -> Option<&PlannedJob> {
        self.books.jobs.get(&id)
    }

    /// In no order.
    pub fn jobs(&self) -> impl Iterator<Item = (JobId, &PlannedJob)> {
        self.books.jobs.iter().map(|(id, job)| (*id, job))
    }

    /// Each tenant's average share of each pool, to be kept for a later queue.
    pub fn averages(&self) -> impl Iterator<Item = (TenantId, PoolId, f64)> {
        self.pools.iter().flat_map(move |(pool, view)| {
            let whole = view.rooms.capacity();
            view.accounts.iter().map(move |(tenant, account)| {
                let average = account.average_at(&whole, self.policy.half_life, self.now);
                (*tenant, *pool, average)
            })
        })
    }

    pub fn set_average(&mut self, tenant: TenantId, pool: PoolId, average: f64) {
        let view = View { policy: &self.policy, now: self.now };
        let pool = self.pools.entry(pool).or_default();
        pool.open_account(tenant, &self.books, view);
        if let Some(account) = pool.accounts.get_mut(&tenant) {
            account.set_average(average.max(0.0), self.now);
        }
        pool.touch(tenant, view);
    }

    /// What is to be done now. The queue takes it as done.
    pub fn plan(&mut self, now: Timestamp) -> Plan {
        self.advance(now);
        self.begin();
        self.refresh();
        let mut commands = enforce::ended(&self.books, self.now);
        let mut left = self.policy.max_starts_per_plan;
        let view = View { policy: &self.policy, now: self.now };
        enforce::stop(&mut self.pools, &mut self.books, view, &mut commands);
        for pool in self.pools.values_mut().filter(|pool| pool.changed) {
            pool.changed = Shift::new(pool, &mut self.books, view, &mut left, &mut commands).run();
        }
        self.settle_keys_of(&commands);
        Plan { commands, more: left == 0 && self.pools.values().any(|pool| pool.changed) }
    }

    /// Lets those into line whose time has come.
    fn begin(&mut self) {
        while let Some((not_before, id)) = self.books.begins.first().copied()
            && not_before <= self.now
        {
            self.books.begins.remove(&(not_before, id));
            let Some(job) = self.books.jobs.get(&id).cloned() else { continue };
            let view = View { policy: &self.policy, now: self.now };
            self.pools.entry(job.pool).or_default().enter(id, &job, &mut self.books, view);
            if let Some(of) = &job.concurrency {
                self.settle_key(job.tenant, of);
            }
        }
    }

    fn refresh(&mut self) {
        if self.now >= self.refresh_at {
            let every = self.policy.refresh.num_seconds().max(1).unsigned_abs();
            self.refresh_at = after(self.now, every);
            let waiting = self
                .pools
                .iter()
                .flat_map(|(id, pool)| pool.waiting_tenants().map(move |tenant| (*id, tenant)));
            self.stale = waiting.collect();
        }
        let view = View { policy: &self.policy, now: self.now };
        for (pool, tenant) in self.stale.drain(..self.stale.len().min(REFRESHED_PER_PLAN)) {
            if let Some(pool) = self.pools.get_mut(&pool) {
                pool.touch(tenant, view);
            }
        }
    }

    /// When the next plan may differ from this one though nothing has been said meanwhile.
    pub fn next_time(&self) -> Option<Timestamp> {
        let begin = self.books.begins.first().map(|(at, _)| *at);
        let deadline = self.books.deadlines.first().map(|(at, _)| *at);
        begin.into_iter().chain(deadline).min()
    }
}

/// Replaces a job's phase, as a plan decides it.
pub(crate) fn change(pool: &mut Pool, books: &mut Books, view: View, id: JobId, phase: Phase) {
    let Some(before) = books.jobs.remove(&id) else { return };
    pool.leave(id, &before, books, view);
    let after = PlannedJob { phase, ..before };
    pool.enter(id, &after, books, view);
    books.jobs.insert(id, after);
}
