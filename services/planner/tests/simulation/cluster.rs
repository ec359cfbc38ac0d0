//! The whole: time, jobs, workers and the messages between them. A step lets time pass, delivers
//! what is due, plans, checks the plan and carries it out.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration};
use domain::{
    JobId, PoolId, Resources, TenantId, Timestamp, WorkerId,
    job::{JobEvent, JobState, JobStatus, RetryPolicy},
    wait::WaitReason,
    world::{Command, Live, Quota, Stopping, TenantCaps, WorkerState, WorkerView},
};
use planner::{
    Policy, Queue,
    invariants::{self, World},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use crate::{
    jobs::{Job, MAX_RUNTIME_SECS, timed_out},
    workers::{Child, Mood, Worker},
};

const LEASE: Duration = Duration::seconds(15);
const TENANTS: u128 = 3;
const FAR_TOO_LARGE: u64 = 64_000;

pub struct Cluster {
    rng: ChaCha8Rng,
    now: Timestamp,
    peace: bool,
    policy: Policy,
    retry: RetryPolicy,
    tenants: BTreeMap<TenantId, TenantCaps>,
    quotas: BTreeMap<(TenantId, PoolId), Quota>,
    /// Follows every change, as a leader's does.
    queue: Queue,
    jobs: BTreeMap<JobId, Job>,
    workers: BTreeMap<WorkerId, Worker>,
    /// Those that the queue was told of.
    workers_known: Vec<WorkerId>,
    /// On their way, by the time they arrive.
    messages: Vec<(Timestamp, JobEvent)>,
    ids: u128,
    pub seen: Seen,
}

/// How often each kind of event was met, to know that the simulation is a hard one.
#[derive(Debug, Default, Clone, Copy)]
pub struct Seen {
    starts: u64,
    gangs: u64,
    reclaims: u64,
    time_outs: u64,
    refused: u64,
    succeeded: u64,
    failed: u64,
    cancelled: u64,
    preempted: u64,
    too_large: u64,
    no_room: u64,
    at_limit: u64,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.starts += other.starts;
        self.gangs += other.gangs;
        self.reclaims += other.reclaims;
        self.time_outs += other.time_outs;
        self.refused += other.refused;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.preempted += other.preempted;
        self.too_large += other.too_large;
        self.no_room += other.no_room;
        self.at_limit += other.at_limit;
    }
}

impl Seen {
    pub fn assert_everything_happened(&self) {
        let counts = [
            self.starts,
            self.gangs,
            self.reclaims,
            self.time_outs,
            self.refused,
            self.succeeded,
            self.failed,
            self.cancelled,
            self.preempted,
            self.too_large,
            self.no_room,
            self.at_limit,
        ];
        assert!(counts.iter().all(|count| *count > 100), "too peaceful: {self:?}");
    }

    fn answer(&mut self, reason: &WaitReason) {
        match reason {
            WaitReason::TooLarge { .. } => self.too_large += 1,
            WaitReason::Resources { .. } | WaitReason::GangResources { .. } => self.no_room += 1,
            WaitReason::MaxRunningJobs { .. } => self.at_limit += 1,
            _ => {}
        }
    }
}

impl Cluster {
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let tenant = |n| TenantId::from_uuid(Uuid::from_u128(n));
        let tenants: BTreeMap<_, _> = (0..TENANTS)
            .map(|n| (tenant(n), TenantCaps::running(rng.random_range(1..4))))
            .collect();
        let guaranteed = Resources::cpu(rng.random_range(0..3) * 1_000, 9);
        let quota = Quota { guaranteed, ..Quota::default() };
        let quotas = BTreeMap::from([((tenant(0), PoolId::NIL), quota)]);
        let policy = Policy {
            max_starts_per_plan: rng.random_range(1..5),
            min_runtime: Duration::seconds(rng.random_range(0..10)),
            ..Policy::default()
        };
        let mut queue = Queue::new(policy.clone(), DateTime::UNIX_EPOCH);
        tenants.iter().for_each(|(id, caps)| queue.set_tenant(*id, Some(*caps)));
        for ((tenant, pool), quota) in &quotas {
            queue.set_quota(*tenant, *pool, Some(quota.clone()));
        }
        let retry = RetryPolicy {
            max_tries: rng.random_range(1..5),
            max_backoff: Duration::seconds(10),
            ..RetryPolicy::default()
        };
        let mut cluster = Self {
            rng,
            now: DateTime::UNIX_EPOCH,
            peace: false,
            policy,
            retry,
            tenants,
            quotas,
            queue,
            jobs: BTreeMap::new(),
            workers: BTreeMap::new(),
            workers_known: Vec::new(),
            messages: Vec::new(),
            ids: 0,
            seen: Seen::default(),
        };
        (0..3).for_each(|_| cluster.add_worker());
        (0..4).for_each(|_| cluster.submit());
        cluster
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    fn add_worker(&mut self) {
        let id = WorkerId::from_uuid(self.id());
        let cpu_milli = self.rng.random_range(2..5) * 1_000;
        let capacity = Resources::cpu(cpu_milli, self.rng.random_range(2..6));
        self.workers.insert(id, Worker::new(capacity, self.now));
    }

    fn submit(&mut self) {
        let id = JobId::from_uuid(self.id());
        let tenant = TenantId::from_uuid(Uuid::from_u128(self.rng.random_range(0..TENANTS)));
        let cpu_milli =
            if self.chance(5) { FAR_TOO_LARGE } else { self.rng.random_range(1..4_u64) * 500 };
        let resources = Resources::cpu(cpu_milli, self.rng.random_range(1..3));
        let priority = self.rng.random_range(-1..2);
        let workers = if self.chance(20) { self.rng.random_range(2..4) } else { 1 };
        self.jobs.insert(id, Job::new(id, tenant, priority, resources, workers, self.now));
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// What clients, networks and machines do to it.
    pub fn trouble(&mut self) {
        if self.chance(30) {
            self.submit();
        }
        if self.chance(8) {
            self.cancel_one();
        }
        for id in self.workers.keys().copied().collect::<Vec<_>>() {
            let roll = self.rng.random_range(0..100);
            let until = self.now + Duration::seconds(self.rng.random_range(2..40));
            let Some(worker) = self.workers.get_mut(&id) else { continue };
            match (worker.mood, roll) {
                (Mood::Up, 0..5) => worker.mood = Mood::Stalled { until },
                (Mood::Up, 5..7) => worker.lose_everything(Mood::Dead),
                (Mood::Up, 7..9) => worker.lose_everything(Mood::Gone),
                (Mood::Up, 9..11) => worker.mood = Mood::Draining,
                (Mood::Gone, 11..30) => {
                    self.workers.remove(&id);
                }
                _ => {}
            }
        }
        if self.workers.values().filter(|worker| worker.mood == Mood::Up).count() < 3
            && self.chance(30)
        {
            self.add_worker();
        }
    }

    fn cancel_one(&mut self) {
        let nth = self.rng.random_range(0..self.jobs.len());
        let (retry, now) = (&self.retry, self.now);
        if let Some(job) = self.jobs.values_mut().nth(nth) {
            let ended = job.ended();
            let heard = job.hear(&JobEvent::CancelAsked, retry, now);
            assert_eq!(heard.is_err(), ended, "a cancel was lost: {job:#?}");
        }
    }

    /// Nothing goes wrong from here on, and there is a worker for each job that could ever start.
    pub fn make_peace(&mut self) {
        self.peace = true;
        let large = Resources::cpu(5_000, 6);
        let id = WorkerId::from_uuid(self.id());
        self.workers.insert(id, Worker::new(large, self.now));
    }

    pub fn step(&mut self) {
        self.now += Duration::milliseconds(self.rng.random_range(200..3_000));
        self.run_workers();
        self.deliver();
        self.plan();
    }

    fn run_workers(&mut self) {
        for (id, worker) in &mut self.workers {
            if matches!(worker.mood, Mood::Stalled { until } if until <= self.now) {
                worker.mood = Mood::Up;
            }
            worker.is_buried |= worker.last_seen + LEASE < self.now;
            if !worker.is_heard() {
                continue;
            }
            let events = worker.events(self.now);
            if worker.is_buried {
                // it says what it has to say, and then hears that it was given up
                for event in events {
                    send(&mut self.messages, &mut self.rng, self.peace, event, self.now);
                }
                worker.lose_everything(Mood::Gone);
                continue;
            }
            worker.last_seen = self.now;
            let draining = worker.mood == Mood::Draining;
            for job in self.jobs.values_mut() {
                heartbeat(*id, worker, job, &mut self.rng, self.peace, self.now);
                if let (true, Some(run)) = (draining, job.state.run())
                    && run.worker == *id
                {
                    let asked = JobEvent::PreemptAsked { attempt: run.attempt, for_job: None };
                    job.hear(&asked, &self.retry, self.now)
                        .expect("its attempt is the current one");
                    self.seen.preempted += 1;
                }
            }
            // Its children are killed if nobody wants them, as the heartbeat says.
            let jobs = &self.jobs;
            worker.children.retain(|attempt, _| jobs[&attempt.job].is_current(*attempt));
            for event in events {
                send(&mut self.messages, &mut self.rng, self.peace, event, self.now);
            }
            if draining && worker.children.is_empty() {
                worker.mood = Mood::Gone;
            }
        }
    }

    fn deliver(&mut self) {
        let now = self.now;
        let (due, later) = self.messages.drain(..).partition(|(arrives, _)| *arrives <= now);
        self.messages = later;
        let due: Vec<(Timestamp, JobEvent)> = due;
        for (_, event) in due {
            let (JobEvent::Started { attempt } | JobEvent::Reported { attempt, .. }) = &event
            else {
                unreachable!("a worker says nothing else");
            };
            let job = self.jobs.get_mut(&attempt.job).expect("jobs are never removed");
            let current = job.is_current(*attempt);
            let heard = job.hear(&event, &self.retry, now);
            assert_eq!(heard.is_ok(), current, "{event:?} met {job:#?}");
            self.seen.refused += u64::from(heard.is_err());
        }
    }

    fn world(&self) -> World {
        let view = |worker: &Worker| WorkerView {
            pool: PoolId::NIL,
            capacity: worker.capacity,
            leftover: Vec::new(),
            state: match worker.mood {
                _ if worker.is_buried => WorkerState::Gone,
                Mood::Gone => WorkerState::Gone,
                Mood::Draining => WorkerState::Draining,
                Mood::Up | Mood::Stalled { .. } | Mood::Dead => WorkerState::Up,
            },
        };
        World {
            tenants: self.tenants.clone(),
            prices: BTreeMap::new(),
            quotas: self.quotas.clone(),
            jobs: self.jobs.values().filter_map(|job| Some((job.id, job.planned()?))).collect(),
            workers: self.workers.iter().map(|(id, worker)| (*id, view(worker))).collect(),
        }
    }

    fn plan(&mut self) {
        let world = self.world();
        self.queue.advance(self.now);
        for id in self.workers_known.iter().filter(|id| !world.workers.contains_key(id)) {
            self.queue.set_worker(*id, None);
        }
        self.workers_known = world.workers.keys().copied().collect();
        for (id, worker) in &world.workers {
            self.queue.set_worker(*id, Some(worker.clone()));
        }
        for id in self.jobs.keys() {
            self.queue.set_job(*id, world.jobs.get(id).cloned());
        }
        let made = self.queue.plan(self.now);
        invariants::all(&world, &self.policy, self.now, &made).expect("the plan's invariants hold");
        for command in made.commands {
            self.carry_out(&command);
        }
        for id in self.jobs.keys().copied().collect::<Vec<_>>() {
            let Some(explained) = self.queue.explain(id) else { continue };
            self.seen.answer(&explained.reason);
            let job = self.jobs.get_mut(&id).expect("jobs are never removed");
            if self.peace && matches!(explained.reason, WaitReason::TooLarge { .. }) && !job.ended()
            {
                assert_eq!(job.resources.cpu_milli, FAR_TOO_LARGE, "it would fit: {job:#?}");
                job.hear(&JobEvent::CancelAsked, &self.retry, self.now).expect("it is queued");
            }
        }
    }

    fn carry_out(&mut self, command: &Command) {
        let (attempt, event) = match command {
            Command::Start { attempt, seats, rate } => {
                self.seen.starts += 1;
                self.seen.gangs += u64::from(seats.len() > 1);
                let (attempt, seats, rate) = (*attempt, seats.clone(), *rate);
                (attempt, JobEvent::Assigned { attempt, seats, rate })
            }
            Command::Preempt { attempt, why } => {
                self.seen.preempted += 1;
                (*attempt, JobEvent::PreemptAsked { attempt: *attempt, for_job: why.for_job() })
            }
            Command::Lose { attempt } => {
                self.seen.reclaims += 1;
                (*attempt, JobEvent::LeaseLost { attempt: *attempt })
            }
            Command::TimeOut { attempt } => {
                self.seen.time_outs += 1;
                (*attempt, JobEvent::Reported { attempt: *attempt, report: timed_out() })
            }
        };
        let job = self.jobs.get_mut(&attempt.job).expect("a plan names jobs that are there");
        job.hear(&event, &self.retry, self.now)
            .expect("a command fits the state it was planned on");
        match command.clone() {
            Command::Start { attempt, seats, rate } => {
                job.live = Some(Live {
                    attempt,
                    seats,
                    started_at: self.now,
                    deadline: self.now + Duration::seconds(MAX_RUNTIME_SECS as i64),
                    saved_at: self.now,
                    rate,
                    stopping: None,
                });
            }
            Command::Preempt { why, .. } => {
                if let Some(live) = &mut job.live {
                    live.stopping = Some(Stopping { for_job: why.for_job() });
                }
            }
            Command::Lose { .. } | Command::TimeOut { .. } => {}
        }
    }

    pub fn all_ended(&mut self) -> bool {
        if !self.jobs.values().all(Job::ended) {
            return false;
        }
        for job in self.jobs.values() {
            match job.state.status() {
                JobStatus::Succeeded => self.seen.succeeded += 1,
                JobStatus::Failed => self.seen.failed += 1,
                _ => self.seen.cancelled += 1,
            }
        }
        true
    }

    pub fn unended(&self) -> Vec<&Job> {
        self.jobs.values().filter(|job| !job.ended()).collect()
    }
}

/// One worker asks after one job: it renews the lease, takes what is new to it, stops what it must.
fn heartbeat(
    id: WorkerId,
    worker: &mut Worker,
    job: &mut Job,
    rng: &mut ChaCha8Rng,
    peace: bool,
    now: Timestamp,
) {
    let Some(run) = job.state.run().filter(|run| run.worker == id).copied() else { return };
    match job.state {
        JobState::Starting { .. } => worker.begin(run.attempt, Child::chance(rng, peace, now)),
        JobState::Stopping { .. } => worker.stop(run.attempt, now),
        _ => {}
    }
}

/// In trouble a message may come late, twice, or both.
fn send(
    messages: &mut Vec<(Timestamp, JobEvent)>,
    rng: &mut ChaCha8Rng,
    peace: bool,
    event: JobEvent,
    now: Timestamp,
) {
    let copies = if !peace && rng.random_range(0..4) == 0 { 2 } else { 1 };
    for _ in 0..copies {
        let late = if peace { 0 } else { rng.random_range(0..8_000) * rng.random_range(0..2) };
        messages.push((now + Duration::milliseconds(late), event.clone()));
    }
}
