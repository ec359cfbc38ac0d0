//! Why a job waits, and how its tenant stands, from what the last plan left behind.

use std::{borrow::Cow, collections::BTreeSet};

use domain::{
    JobId, PoolId, Resources, TenantId, Timestamp,
    resources::ResourceName,
    spend::Spend,
    wait::WaitReason,
    world::{Phase, PlannedJob, Quota},
};

use crate::{
    Queue,
    account::{Account, Place},
    after,
    cohort::COMMON,
    pool::Pool,
    room::{Found, Room},
    shape::Shape,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub reason: WaitReason,
    /// Jobs of its own tenant that go first.
    pub own_ahead: usize,
    /// Tenants of its cohort whose turn comes before its tenant's.
    pub tenants_ahead: usize,
    pub share: Share,
}

/// How a tenant stands in a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    pub quota: Quota,
    pub used: Resources,
    /// Dominant shares of the pool: of what is used now, and averaged over the past.
    pub current: f64,
    pub average: f64,
    /// Both together over the weight: the smallest goes first.
    pub score: f64,
    pub waiting: usize,
    pub running: usize,
}

/// What a tenant uses of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    pub tenant: TenantId,
    /// Of what is guaranteed to it.
    pub guaranteed: Resources,
    /// Beyond that.
    pub borrowed: Resources,
}

impl Queue {
    /// `None` if it does not wait.
    pub fn explain(&self, id: JobId) -> Option<Explanation> {
        let job = self.books.jobs.get(&id)?;
        let Phase::Waiting { not_before, .. } = job.phase else { return None };
        let pool = self.pools.get(&job.pool)?;
        let account = self.account(pool, job.tenant);
        let place = Place::of(id, job, self.policy.order);
        let own_ahead = account.lines.values().map(|line| line.range(..place).count()).sum();
        let asking = &pool.cohorts[account.cohort].asking;
        let tenants_ahead = account.turn.map_or(0, |turn| asking.range(..turn).count());
        let reason = self.reason(id, job, not_before, pool, &account);
        let share = self.share(job.tenant, job.pool)?;
        Some(Explanation { reason, own_ahead, tenants_ahead, share })
    }

    /// One that is not kept is as a new one.
    fn account<'a>(&self, pool: &'a Pool, tenant: TenantId) -> Cow<'a, Account> {
        let new = || Cow::Owned(Account::new(Quota::default(), COMMON, self.now));
        pool.accounts.get(&tenant).map_or_else(new, Cow::Borrowed)
    }

    fn reason(
        &self,
        id: JobId,
        job: &PlannedJob,
        not_before: Timestamp,
        pool: &Pool,
        account: &Account,
    ) -> WaitReason {
        if not_before > self.now {
            return WaitReason::BeginTime { until: not_before };
        }
        let (shape, total) = (Shape::of(job), job.total());
        if let Some(reason) = self.held_back(id, job, pool, account) {
            return reason;
        }
        if let Some((resource, needs, used, limit)) =
            beyond(&total, &account.used, &account.quota.limit)
        {
            return WaitReason::QuotaLimit { resource, needs, used, limit };
        }
        if !pool.rooms.could_ever_hold(&shape) {
            return too_large(pool, &shape);
        }
        if let Some(claim) = pool.claims.get(&id) {
            return WaitReason::Reclaiming { attempts: claim.victims.len() as u32 };
        }
        let cohort = &pool.cohorts[account.cohort];
        let used = cohort.used.plus(cohort.claimed);
        if let Some((resource, needs, used, limit)) =
            beyond(&total, &used, &pool.allowed(account.cohort))
        {
            return WaitReason::CohortLimit { resource, needs, used, limit };
        }
        let until = after(self.now, job.max_runtime_secs);
        let held = pool.held.get(&account.cohort);
        if let Some(held) = held.filter(|held| !held.allows(id, &total, until)) {
            return WaitReason::Reserved { for_job: held.job, from: held.from };
        }
        match (pool.rooms.find(id, &shape, until, pool.reserved.as_ref()), &pool.reserved) {
            (Found::At(..), _) => WaitReason::NextPlan,
            (Found::Kept, Some(reserved)) if reserved.job != id => {
                WaitReason::Reserved { for_job: reserved.job, from: reserved.from }
            }
            _ => no_room(id, &shape, pool, account),
        }
    }

    /// By counts and costs, whatever room there is.
    fn held_back(
        &self,
        id: JobId,
        job: &PlannedJob,
        pool: &Pool,
        account: &Account,
    ) -> Option<WaitReason> {
        let tenant = self.books.tenant(job.tenant);
        if self.books.is_full(job.tenant) {
            let (running, limit) = (tenant.live, tenant.caps.max_running);
            return Some(WaitReason::MaxRunningJobs { running, limit });
        }
        if account.places_left() == 0 {
            let (running, limit) = (account.live.len() as u32, account.quota.max_running);
            return Some(WaitReason::MaxRunningJobsInPool { running, limit });
        }
        if let Some(of) = &job.concurrency
            && let Some(key) = self.books.keys.get(job.tenant, of)
            && (key.is_full() || key.is_beside(&Place::of(id, job, self.policy.order)))
        {
            let (running, limit) = (key.live(), key.limit());
            return Some(WaitReason::ConcurrencyKey { key: of.key.clone(), running, limit });
        }
        let (needs, left) = (pool.cost(job), tenant.left());
        (!needs.within(&left)).then_some(WaitReason::Budget { needs, left })
    }

    pub fn share(&self, tenant: TenantId, pool: PoolId) -> Option<Share> {
        let pool = self.pools.get(&pool)?;
        let account = self.account(pool, tenant);
        let whole = pool.rooms.capacity();
        Some(Share {
            quota: account.quota.clone(),
            used: account.used,
            current: account.used.dominant_share(&whole),
            average: account.average_at(&whole, self.policy.half_life, self.now),
            score: account.score(&whole, &self.policy, self.now),
            waiting: account.waiting(),
            running: account.live.len(),
        })
    }

    /// What each pool has, and the tenants that use something of it.
    pub fn uses(&self) -> impl Iterator<Item = (PoolId, Resources, Vec<Use>)> {
        self.pools.iter().map(|(pool, view)| {
            let uses = view.accounts.iter().map(|(tenant, account)| Use {
                tenant: *tenant,
                guaranteed: account.used.least(account.quota.guaranteed),
                borrowed: account.used.minus(account.quota.guaranteed),
            });
            let uses = uses.filter(|one| one.guaranteed.plus(one.borrowed) != Resources::NONE);
            (*pool, view.rooms.capacity(), uses.collect())
        })
    }

    /// What an attempt of the job costs at most, if it starts now.
    pub fn cost(&self, job: &PlannedJob) -> Spend {
        self.pools.get(&job.pool).map_or(Spend::NONE, |pool| pool.cost(job))
    }

    pub fn capacity(&self, pool: PoolId) -> Resources {
        self.pools.get(&pool).map_or(Resources::NONE, |pool| pool.rooms.capacity())
    }

    pub fn is_waiting(&self, id: JobId) -> bool {
        self.job(id).is_some_and(|job| matches!(job.phase, Phase::Waiting { .. }))
    }

    /// Tenants with jobs that wait.
    pub fn waiting_tenants(&self) -> BTreeSet<TenantId> {
        let in_line = self.pools.values().flat_map(Pool::waiting_tenants);
        in_line.chain(self.books.keys.tenants()).collect()
    }

    /// The tenant's first jobs in line, at most `each` in each pool, with why they wait.
    pub fn heads(&self, tenant: TenantId, each: usize) -> Vec<(JobId, WaitReason)> {
        let accounts = self.pools.values().filter_map(|pool| pool.accounts.get(&tenant));
        let places = accounts.flat_map(|account| account.first_places(each));
        let jobs = places.map(|place| place.job).chain(self.books.keys.beside(tenant, each));
        jobs.filter_map(|id| Some((id, self.explain(id)?.reason))).collect()
    }
}

/// What there is too little of, with the numbers.
fn beyond(
    needs: &Resources,
    used: &Resources,
    limit: &Resources,
) -> Option<(ResourceName, u64, u64, u64)> {
    let name = used.plus(*needs).first_beyond(limit)?;
    Some((name, needs.get(name), used.get(name), limit.get(name)))
}

fn too_large(pool: &Pool, shape: &Shape) -> WaitReason {
    if pool.rooms.open().next().is_none() {
        return WaitReason::NoWorkers;
    }
    let (needs, workers) = (shape.each, shape.workers);
    match pool.rooms.could_hold(shape) {
        0 => WaitReason::TooLarge { needs, largest: largest(pool, |room| room.capacity) },
        most => WaitReason::GangTooLarge { needs, workers, most: most as u32 },
    }
}

fn no_room(id: JobId, shape: &Shape, pool: &Pool, account: &Account) -> WaitReason {
    let (needs, workers) = (shape.each, shape.workers);
    let (used, guaranteed) = (account.used, account.quota.guaranteed);
    if workers == 1 {
        let largest_free = largest(pool, |room| room.free());
        return WaitReason::Resources { needs, largest_free, used, guaranteed };
    }
    let free = pool.rooms.free_for(id, shape) as u32;
    WaitReason::GangResources { needs, workers, free, used, guaranteed }
}

fn largest(pool: &Pool, of: impl Fn(&Room) -> Resources) -> Resources {
    let rooms = pool.rooms.open().map(|(_, room)| of(room));
    rooms.max_by_key(|r| (r.accelerator_milli, r.cpu_milli, r.memory_bytes)).unwrap_or_default()
}
