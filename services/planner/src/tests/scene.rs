//! A world told in a few words. Every plan made in it is checked against all invariants.

use std::num::NonZeroU32;

use chrono::{DateTime, Duration};
use domain::{
    JobId, PoolId, Resources, TenantId, Timestamp, WorkerId,
    job::Attempt,
    spend::{Prices, Rate},
    wait::WaitReason,
    world::{
        Command, Devices, Live, Phase, PlannedJob, Quota, Seat, Seats, TenantCaps, WorkerState,
        WorkerView,
    },
};
use uuid::Uuid;

use crate::{
    Plan, Policy, Queue,
    invariants::{self, World},
};

pub const NOW: i64 = 1_000_000;

pub fn at(seconds: i64) -> Timestamp {
    DateTime::UNIX_EPOCH + Duration::seconds(seconds)
}

pub fn job_id(n: u128) -> JobId {
    JobId::from_uuid(Uuid::from_u128(n))
}

pub fn tenant_id(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

pub fn worker_id(n: u128) -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(n))
}

pub fn pool_id(n: u128) -> PoolId {
    PoolId::from_uuid(Uuid::from_u128(n))
}

pub const POOL: u128 = 1;

pub fn attempt(job: u128, number: u32) -> Attempt {
    Attempt { job: job_id(job), number: NonZeroU32::new(number).unwrap() }
}

pub fn cpus(n: u64) -> Resources {
    Resources::cpu(n * 1_000, n << 30)
}

pub fn quota(guaranteed: u64, limit: u64, weight: u32) -> Quota {
    Quota { guaranteed: cpus(guaranteed), limit: cpus(limit), weight, ..Quota::default() }
}

/// Jobs need one CPU and 1 GiB for at most 100 s, and were created a second apart in the order of their
/// ids. Tenants run as many as they like.
pub struct Scene {
    pub queue: Queue,
    pub world: World,
    pub policy: Policy,
    pub now: Timestamp,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(Policy::default())
    }

    pub fn with(policy: Policy) -> Self {
        let now = at(NOW);
        let queue = Queue::new(policy.clone(), now);
        Self { queue, world: World::default(), policy, now }
    }

    pub fn tenant(mut self, n: u128, quota: Quota) -> Self {
        self.set_tenant(n, u32::MAX);
        self.set_quota(n, quota);
        self
    }

    pub fn tenants(mut self, numbers: impl IntoIterator<Item = u128>) -> Self {
        numbers.into_iter().for_each(|n| self.set_tenant(n, u32::MAX));
        self
    }

    pub fn set_tenant(&mut self, n: u128, max_running: u32) {
        self.set_caps(n, TenantCaps::running(max_running));
    }

    pub fn set_caps(&mut self, n: u128, caps: TenantCaps) {
        self.world.tenants.insert(tenant_id(n), caps);
        self.queue.set_tenant(tenant_id(n), Some(caps));
    }

    pub fn set_prices(&mut self, prices: Prices) {
        self.world.prices.insert(pool_id(POOL), prices);
        self.queue.set_prices(pool_id(POOL), prices);
    }

    pub fn set_quota(&mut self, n: u128, quota: Quota) {
        self.world.quotas.insert((tenant_id(n), pool_id(POOL)), quota.clone());
        self.queue.set_quota(tenant_id(n), pool_id(POOL), Some(quota));
    }

    pub fn worker(mut self, n: u128, capacity: Resources) -> Self {
        self.set_worker(n, capacity, WorkerState::Up);
        self
    }

    pub fn set_worker(&mut self, n: u128, capacity: Resources, state: WorkerState) {
        let (pool, leftover) = (pool_id(POOL), Vec::new());
        self.set_view(n, WorkerView { pool, capacity, state, leftover });
    }

    pub fn set_view(&mut self, n: u128, view: WorkerView) {
        self.world.workers.insert(worker_id(n), view.clone());
        self.queue.set_worker(worker_id(n), Some(view));
    }

    pub fn waiting(self, n: u128, tenant: u128, needs: Resources) -> Self {
        self.waiting_as(n, tenant, needs, |_| {})
    }

    pub fn waiting_as(
        mut self,
        n: u128,
        tenant: u128,
        needs: Resources,
        change: impl FnOnce(&mut PlannedJob),
    ) -> Self {
        let mut job = plain(n, tenant, needs);
        change(&mut job);
        self.set_job(n, Some(job));
        self
    }

    /// Live for longer than any minimum, and without a checkpoint since.
    pub fn live(self, n: u128, tenant: u128, worker: u128, needs: Resources) -> Self {
        self.live_as(n, tenant, worker, needs, |_| {})
    }

    pub fn live_as(
        mut self,
        n: u128,
        tenant: u128,
        worker: u128,
        needs: Resources,
        change: impl FnOnce(&mut Live),
    ) -> Self {
        let started_at = self.now - Duration::hours(2);
        let mut live = Live {
            attempt: attempt(n, 1),
            seats: Seats::one(worker_id(worker), Devices::default()),
            started_at,
            deadline: self.now + Duration::hours(2),
            saved_at: started_at,
            rate: Rate::FREE,
            stopping: None,
        };
        change(&mut live);
        let phase = Phase::Live(Box::new(live));
        self.set_job(n, Some(PlannedJob { phase, ..plain(n, tenant, needs) }));
        self
    }

    /// A job of several workers, each of which needs as much.
    pub fn gang(self, n: u128, tenant: u128, workers: u32, needs: Resources) -> Self {
        self.waiting_as(n, tenant, needs, |job| job.workers = workers)
    }

    /// As [`Self::live`], on several workers.
    pub fn live_gang(mut self, n: u128, tenant: u128, on: &[u128], needs: Resources) -> Self {
        self = self.live_as(n, tenant, on[0], needs, |live| live.seats = seats(on));
        let mut job = self.world.jobs[&job_id(n)].clone();
        job.workers = u32::try_from(on.len()).unwrap();
        self.set_job(n, Some(job));
        self
    }

    pub fn set_job(&mut self, n: u128, job: Option<PlannedJob>) {
        self.queue.set_job(job_id(n), job.clone());
        match job {
            Some(job) => drop(self.world.jobs.insert(job_id(n), job)),
            None => drop(self.world.jobs.remove(&job_id(n))),
        }
    }

    pub fn pass(&mut self, seconds: i64) {
        self.now += Duration::seconds(seconds);
        self.queue.advance(self.now);
    }

    pub fn plan(&mut self) -> Plan {
        let plan = self.queue.plan(self.now);
        invariants::all(&self.world, &self.policy, self.now, &plan).unwrap();
        self.world.carry_out(&plan, self.now);
        plan
    }

    pub fn commands(&mut self) -> Vec<Command> {
        self.plan().commands
    }

    /// Of the jobs that the next plan starts, the numbers in order.
    pub fn started(&mut self) -> Vec<u128> {
        let commands = self.commands();
        assert!(commands.iter().all(|c| matches!(c, Command::Start { .. })), "{commands:?}");
        commands.iter().map(number).collect()
    }

    /// Of the attempts that the next plan stops, the numbers in order.
    pub fn stopped(&mut self) -> Vec<u128> {
        let commands = self.commands();
        let stops = commands.iter().filter(|c| matches!(c, Command::Preempt { .. }));
        stops.map(number).collect()
    }

    pub fn reason(&self, n: u128) -> WaitReason {
        self.queue.explain(job_id(n)).unwrap().reason
    }
}

fn number(command: &Command) -> u128 {
    command.attempt().job.uuid().as_u128()
}

pub fn seats(on: &[u128]) -> Seats {
    let seat = |n: &u128| Seat { worker: worker_id(*n), devices: Devices::default() };
    Seats::new(on.iter().map(seat).collect()).unwrap()
}

pub fn plain(n: u128, tenant: u128, needs: Resources) -> PlannedJob {
    PlannedJob {
        tenant: tenant_id(tenant),
        pool: pool_id(POOL),
        priority: 0,
        created_at: at(n as i64),
        needs,
        workers: 1,
        max_runtime_secs: 100,
        concurrency: None,
        phase: Phase::Waiting { not_before: at(0), last_attempt: 0 },
    }
}
