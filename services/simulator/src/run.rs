//! One event after another: jobs come, plans are made, attempts start, end and are stopped. Time jumps
//! to where something happens next.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Instant,
};

use domain::{
    JobId, Resources,
    world::{Command, Live, Phase, PlannedJob, TenantCaps, WorkerState, WorkerView},
};
use planner::{Order, Queue};

use crate::workload::{POOL, Setup, Workload, at, job_id, place, tenant_id, worker_id};

/// What happened. Times are milliseconds from the beginning.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    pub first_start: Vec<Option<i64>>,
    pub finished: Vec<Option<i64>>,
    /// Attempts that were stopped for another job.
    pub stops: u64,
    /// Milliseconds of work that were done twice, times the dominant share of the pool.
    pub wasted: f64,
    pub windows: Vec<Window>,
    pub window: i64,
    /// For each tenant: the longest time with jobs waiting and none starting.
    pub drought: Vec<i64>,
    /// Microseconds of real time, of each plan.
    pub plans: Vec<u32>,
    pub forecasts: Vec<Forecast>,
}

/// One of the equal parts of the time.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Of what the pool has, on average.
    pub used_cpu: f64,
    pub used_accelerators: f64,
    pub waiting: usize,
    /// Of each tenant that had jobs waiting all the time: its share over its weight.
    pub shares: BTreeMap<usize, f64>,
}

#[derive(Debug, Clone, Copy)]
pub struct Forecast {
    pub job: usize,
    pub made: i64,
    pub from: i64,
    pub until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ends { job: usize, attempt: u32 },
    Stopped { job: usize, attempt: u32 },
    Saved { job: usize, attempt: u32 },
}

/// What is known of one job while it has not ended.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// Milliseconds of work that are left.
    left: i64,
}

/// Of one tenant, up to `since`.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    used: Resources,
    waiting: usize,
    since: i64,
    /// In this window: share times milliseconds, and milliseconds with jobs waiting.
    served: f64,
    waited: i64,
    /// Since then it has had jobs waiting and none started.
    dry_since: i64,
}

struct Run<'a> {
    workload: &'a Workload,
    setup: &'a Setup,
    queue: Queue,
    whole: Resources,
    now: i64,
    events: BinaryHeap<Reverse<(i64, Event)>>,
    next: usize,
    progress: Vec<Progress>,
    tallies: Vec<Tally>,
    total: Tally,
    used_cpu: f64,
    used_accelerators: f64,
    window_ends: i64,
    /// Runtimes of ended jobs as parts of their `max_runtime`.
    ratios: Vec<f64>,
    journal: Journal,
}

/// Windows of the time in which jobs are submitted.
const WINDOWS: i64 = 100;
/// Plans ahead, at most, in a forecast.
const HORIZON: usize = 5_000;

pub fn run(workload: &Workload, setup: &Setup, order: Order) -> Journal {
    let mut run = Run::new(workload, setup, order);
    while let Some(next) = run.next_time() {
        run.pass_to(next);
        run.happen();
        run.submit();
        run.plan();
    }
    run.journal
}

impl<'a> Run<'a> {
    fn new(workload: &'a Workload, setup: &'a Setup, order: Order) -> Self {
        let mut queue = Queue::new(setup.policy(order), at(0));
        for (n, tenant) in workload.tenants.iter().enumerate() {
            queue.set_tenant(tenant_id(n), Some(TenantCaps::running(u32::MAX)));
            queue.set_quota(tenant_id(n), POOL, Some(tenant.quota.clone()));
        }
        for (n, capacity) in workload.workers.iter().enumerate() {
            let (capacity, leftover) = (*capacity, Vec::new());
            let view = WorkerView { pool: POOL, capacity, state: WorkerState::Up, leftover };
            queue.set_worker(worker_id(n), Some(view));
        }
        let last = workload.jobs.last().map_or(0, |job| job.submitted);
        let window = (last / WINDOWS).max(1_000);
        let jobs = workload.jobs.len();
        Self {
            workload,
            setup,
            whole: queue.capacity(POOL),
            queue,
            now: 0,
            events: BinaryHeap::new(),
            next: 0,
            progress: workload
                .jobs
                .iter()
                .map(|job| Progress { left: job.runtime.max(1) })
                .collect(),
            tallies: vec![Tally::default(); workload.tenants.len()],
            total: Tally::default(),
            used_cpu: 0.0,
            used_accelerators: 0.0,
            window_ends: window,
            ratios: Vec::new(),
            journal: Journal {
                first_start: vec![None; jobs],
                finished: vec![None; jobs],
                drought: vec![0; workload.tenants.len()],
                window,
                ..Journal::default()
            },
        }
    }

    fn next_time(&self) -> Option<i64> {
        let submission = self.workload.jobs.get(self.next).map(|job| job.submitted);
        let event = self.events.peek().map(|Reverse((at, _))| *at);
        submission.into_iter().chain(event).min()
    }

    fn pass_to(&mut self, next: i64) {
        while next >= self.window_ends {
            self.count_total(self.window_ends);
            self.close_window();
        }
        self.count_total(next);
        self.now = next;
        self.queue.advance(at(next));
    }

    /// The pool's use until `now`.
    fn count_total(&mut self, now: i64) {
        let passed = (now - self.total.since) as f64;
        self.used_cpu += self.total.used.cpu_milli as f64 * passed;
        self.used_accelerators += self.total.used.accelerator_milli as f64 * passed;
        self.total.since = now;
    }

    fn close_window(&mut self) {
        let end = self.window_ends;
        let length = self.journal.window as f64;
        let mut shares = BTreeMap::new();
        for n in 0..self.tallies.len() {
            self.count(n, end);
            let (tally, weight) = (&mut self.tallies[n], self.workload.tenants[n].quota.weight);
            if tally.waited >= self.journal.window && weight > 0 {
                shares.insert(n, tally.served / length / f64::from(weight));
            }
            (tally.served, tally.waited) = (0.0, 0);
        }
        let part =
            |used: f64, whole: u64| if whole == 0 { 0.0 } else { used / length / whole as f64 };
        self.journal.windows.push(Window {
            used_cpu: part(self.used_cpu, self.whole.cpu_milli),
            used_accelerators: part(self.used_accelerators, self.whole.accelerator_milli),
            waiting: self.total.waiting,
            shares,
        });
        (self.used_cpu, self.used_accelerators) = (0.0, 0.0);
        self.window_ends += self.journal.window;
    }

    /// Brings a tenant's tally up to `now`. Call it before anything of it changes.
    fn count(&mut self, tenant: usize, now: i64) {
        let tally = &mut self.tallies[tenant];
        let passed = now - tally.since;
        tally.served += tally.used.dominant_share(&self.whole) * passed as f64;
        if tally.waiting > 0 {
            tally.waited += passed;
        }
        tally.since = now;
    }

    fn change(&mut self, job: usize, change: impl Fn(&mut Tally, Resources)) {
        let of = &self.workload.jobs[job];
        self.count(of.tenant, self.now);
        change(&mut self.tallies[of.tenant], of.total());
        change(&mut self.total, of.total());
    }

    fn submit(&mut self) {
        while let Some(job) = self.workload.jobs.get(self.next).filter(|j| j.submitted <= self.now)
        {
            let n = self.next;
            self.next += 1;
            self.wait(n, 0);
            let made = self.setup.forecast_every;
            if made > 0 && n.is_multiple_of(made) {
                self.forecast(n, job.submitted);
            }
        }
    }

    fn wait(&mut self, n: usize, last_attempt: u32) {
        let job = &self.workload.jobs[n];
        let planned = PlannedJob {
            tenant: tenant_id(job.tenant),
            pool: POOL,
            priority: job.priority,
            created_at: at(job.submitted),
            needs: job.needs,
            workers: job.workers,
            max_runtime_secs: job.max_runtime_secs,
            concurrency: None,
            phase: Phase::Waiting { not_before: at(self.now), last_attempt },
        };
        self.queue.set_job(job_id(n), Some(planned));
        let now = self.now;
        self.change(n, |tally, _| {
            if tally.waiting == 0 {
                tally.dry_since = now;
            }
            tally.waiting += 1;
        });
    }

    fn plan(&mut self) {
        let begun = Instant::now();
        let plan = self.queue.plan(at(self.now));
        self.journal.plans.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        for command in plan.commands {
            let job = place(command.attempt().job);
            let attempt = command.attempt().number.get();
            match command {
                Command::Start { .. } => self.start(job, attempt),
                Command::Preempt { .. } => {
                    let stopped = self.now + (self.setup.stops_within * 1_000.0) as i64;
                    self.events.push(Reverse((stopped, Event::Stopped { job, attempt })));
                }
                Command::TimeOut { .. } | Command::Lose { .. } => self.end(job),
            }
        }
    }

    fn start(&mut self, job: usize, attempt: u32) {
        let tenant = self.workload.jobs[job].tenant;
        let dry = self.now - self.tallies[tenant].dry_since;
        self.journal.drought[tenant] = self.journal.drought[tenant].max(dry);
        let now = self.now;
        self.change(job, |tally, needs| {
            tally.used = tally.used.plus(needs);
            tally.waiting -= 1;
            tally.dry_since = now;
        });
        self.journal.first_start[job].get_or_insert(self.now);
        let end = self.now.saturating_add(self.progress[job].left);
        self.events.push(Reverse((end, Event::Ends { job, attempt })));
        self.save_later(job, attempt);
    }

    fn save_later(&mut self, job: usize, attempt: u32) {
        let next = self.now + self.setup.checkpoint_every * 1_000;
        self.events.push(Reverse((next, Event::Saved { job, attempt })));
    }

    fn live(&self, job: usize, attempt: u32) -> Option<(PlannedJob, Live)> {
        let planned = self.queue.job(job_id(job))?;
        let live = planned.live().filter(|live| live.attempt.number.get() == attempt)?;
        Some((planned.clone(), live.clone()))
    }

    fn happen(&mut self) {
        while let Some(Reverse((when, event))) = self.events.peek().copied()
            && when <= self.now
        {
            self.events.pop();
            match event {
                Event::Ends { job, attempt } => {
                    if self.live(job, attempt).is_some() {
                        self.end(job);
                    }
                }
                Event::Stopped { job, attempt } => self.stopped(job, attempt),
                Event::Saved { job, attempt } => {
                    if let Some((planned, live)) = self.live(job, attempt) {
                        let live = Live { saved_at: at(self.now), ..live };
                        let saved = PlannedJob { phase: Phase::Live(Box::new(live)), ..planned };
                        self.queue.set_job(job_id(job), Some(saved));
                        self.save_later(job, attempt);
                    }
                }
            }
        }
    }

    fn release(&mut self, job: usize) {
        self.change(job, |tally, needs| tally.used = tally.used.minus(needs));
    }

    fn end(&mut self, job: usize) {
        self.release(job);
        self.queue.set_job(job_id(job), None);
        self.journal.finished[job] = Some(self.now);
        let of = &self.workload.jobs[job];
        self.ratios.push(of.runtime as f64 / 1_000.0 / of.max_runtime_secs.max(1) as f64);
    }

    /// What was done since the last checkpoint has to be done again.
    fn stopped(&mut self, job: usize, attempt: u32) {
        let Some((_, live)) = self.live(job, attempt) else { return };
        let kept = (live.saved_at - live.started_at).num_milliseconds();
        let lost = (at(self.now) - live.saved_at).num_milliseconds();
        self.progress[job].left -= kept;
        self.journal.stops += 1;
        let share = self.workload.jobs[job].total().dominant_share(&self.whole);
        self.journal.wasted += lost as f64 * share;
        self.release(job);
        self.wait(job, attempt);
    }

    /// From when to when the job is expected to start, as far as one can know at its submission: if
    /// attempts run as short, or as long, as nearly all have done until now.
    fn forecast(&mut self, job: usize, made: i64) {
        let (short, long) = quantiles(&self.ratios);
        let from = self.start_if(job, short);
        let until = self.start_if(job, long);
        if let (Some(from), Some(until)) = (from, until) {
            let (from, until) = (from.min(until), from.max(until));
            self.journal.forecasts.push(Forecast { job, made, from, until });
        }
    }

    fn start_if(&self, job: usize, ratio: f64) -> Option<i64> {
        let runtime = |_: JobId, planned: &PlannedJob| {
            (planned.max_runtime_secs as f64 * ratio).ceil() as u64
        };
        let wanted = BTreeSet::from([job_id(job)]);
        let starts = self.queue.forecast(&wanted, &runtime, HORIZON);
        starts.get(&job_id(job)).map(|start| start.timestamp_millis())
    }
}

/// A tenth ran for a smaller part of its `max_runtime` than the first, a tenth for more than the second.
fn quantiles(ratios: &[f64]) -> (f64, f64) {
    let recent = &ratios[ratios.len().saturating_sub(1_000)..];
    if recent.len() < 10 {
        return (0.1, 1.0);
    }
    let mut sorted = recent.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[sorted.len() / 10], sorted[sorted.len() * 9 / 10])
}
