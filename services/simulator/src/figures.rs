//! What a run shows, in numbers.

use planner::Order;

use crate::{
    run::{Journal, Window},
    workload::Workload,
};

/// Windows over which shares are compared: a share of less time says more of the jobs' sizes.
pub const SPAN: usize = 10;

#[derive(Debug, Clone, serde::Serialize)]
pub struct Figures {
    pub order: &'static str,
    pub jobs: usize,
    pub finished: usize,
    /// Seconds from the first submission to the last end.
    pub makespan: f64,
    /// Of what the pool has, while jobs were submitted.
    pub cpu: f64,
    pub accelerators: f64,
    /// Seconds from submission to the first start, of jobs that started.
    pub wait: Waits,
    /// The same, by how much work a tenant submitted: the smallest third of the tenants, and so on.
    pub wait_small: Waits,
    pub wait_medium: Waits,
    pub wait_large: Waits,
    /// Jain's index of weighted shares, of tenants that had jobs waiting throughout, averaged over
    /// tenths of the time: 1 is equal, 1/n is everything for one of n.
    pub jain: Option<f64>,
    pub stops: u64,
    /// Of the work done, the part that was done twice.
    pub wasted: f64,
    /// Seconds: the longest time in which a tenant had jobs waiting and none started.
    pub drought: f64,
    pub plans: usize,
    /// Microseconds of real time.
    pub plan_p50: u32,
    pub plan_p99: u32,
    pub plan_max: u32,
    pub forecasts: usize,
    /// Of the forecasts, those within whose interval the job started.
    pub coverage: f64,
    /// Seconds from the middle of the interval to the start, on average.
    pub forecast_error: f64,
}

#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Waits {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

pub const fn order_name(order: Order) -> &'static str {
    match order {
        Order::FairShare => "fair share",
        Order::Fifo => "FIFO",
        Order::Priority => "strict priority",
        Order::RoundRobin => "round robin",
    }
}

impl Figures {
    pub fn of(workload: &Workload, journal: &Journal, order: Order) -> Self {
        let finished = journal.finished.iter().flatten();
        let class = classes(workload);
        let waits = |wanted: Option<usize>| {
            let jobs = workload.jobs.iter().zip(&journal.first_start);
            let own = jobs.filter(|(job, _)| wanted.is_none_or(|w| class[job.tenant] == w));
            Waits::of(own.filter_map(|(job, at)| Some((at.as_ref()? - job.submitted) as f64 / 1e3)))
        };
        let last = workload.jobs.last().map_or(0, |job| job.submitted);
        let during = usize::try_from(last / journal.window).unwrap_or(0).max(1);
        let busy: Vec<_> = journal.windows.iter().take(during).collect();
        let mean = |of: fn(&Window) -> f64| {
            busy.iter().map(|w| of(w)).sum::<f64>() / busy.len().max(1) as f64
        };
        let mut plans = journal.plans.clone();
        plans.sort_unstable();
        let (coverage, forecast_error) = judged(journal);
        Self {
            order: order_name(order),
            jobs: workload.jobs.len(),
            finished: finished.clone().count(),
            makespan: finished.max().map_or(0.0, |end| *end as f64 / 1e3),
            cpu: mean(|window| window.used_cpu),
            accelerators: mean(|window| window.used_accelerators),
            wait: waits(None),
            wait_small: waits(Some(0)),
            wait_medium: waits(Some(1)),
            wait_large: waits(Some(2)),
            jain: mean_jain(journal),
            stops: journal.stops,
            wasted: wasted(workload, journal),
            drought: journal.drought.iter().max().map_or(0.0, |ms| *ms as f64 / 1e3),
            plans: plans.len(),
            plan_p50: quantile(&plans, 0.5),
            plan_p99: quantile(&plans, 0.99),
            plan_max: plans.last().copied().unwrap_or(0),
            forecasts: journal.forecasts.len(),
            coverage,
            forecast_error,
        }
    }
}

fn quantile<T: Copy + Default>(sorted: &[T], q: f64) -> T {
    let place = (sorted.len() as f64 * q) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

impl Waits {
    fn of(seconds: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<_> = seconds.collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            mean: sorted.iter().sum::<f64>() / sorted.len().max(1) as f64,
            p50: quantile(&sorted, 0.5),
            p90: quantile(&sorted, 0.9),
            p99: quantile(&sorted, 0.99),
            max: sorted.last().copied().unwrap_or(0.0),
        }
    }
}

/// For each tenant, its third by the work that it submits.
fn classes(workload: &Workload) -> Vec<usize> {
    let mut work = vec![0.0; workload.tenants.len()];
    let whole = workload.workers.iter().fold(domain::Resources::NONE, |sum, w| sum.plus(*w));
    for job in &workload.jobs {
        work[job.tenant] += job.total().dominant_share(&whole) * job.runtime as f64;
    }
    let mut order: Vec<_> = (0..work.len()).filter(|n| work[*n] > 0.0).collect();
    order.sort_by(|a, b| work[*a].total_cmp(&work[*b]));
    let mut classes = vec![0; work.len()];
    for (rank, n) in order.iter().enumerate() {
        classes[*n] = rank * 3 / order.len();
    }
    classes
}

/// Jain, Chiu and Hawe (1984): the square of the sum over n times the sum of the squares.
fn jain(shares: &[f64]) -> f64 {
    let (sum, squares) =
        shares.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    if squares == 0.0 { 1.0 } else { sum * sum / (shares.len() as f64 * squares) }
}

/// Over some windows: of the tenants that had jobs waiting in all of them. `None` if that was not more
/// than one.
pub fn jain_over(windows: &[Window]) -> Option<f64> {
    let [first, others @ ..] = windows else { return None };
    let waited = first.shares.iter().filter_map(|(tenant, share)| {
        let more: Option<Vec<_>> = others.iter().map(|w| w.shares.get(tenant)).collect();
        Some(share + more?.into_iter().sum::<f64>())
    });
    let shares: Vec<_> = waited.collect();
    (shares.len() > 1).then(|| jain(&shares))
}

fn mean_jain(journal: &Journal) -> Option<f64> {
    let spans = journal.windows.chunks(SPAN);
    let indices: Vec<_> = spans.filter_map(jain_over).collect();
    (!indices.is_empty()).then(|| indices.iter().sum::<f64>() / indices.len() as f64)
}

fn wasted(workload: &Workload, journal: &Journal) -> f64 {
    let whole = workload.workers.iter().fold(domain::Resources::NONE, |sum, w| sum.plus(*w));
    let work: f64 = workload
        .jobs
        .iter()
        .map(|job| job.total().dominant_share(&whole) * job.runtime as f64)
        .sum();
    journal.wasted / (work + journal.wasted).max(f64::MIN_POSITIVE)
}

fn judged(journal: &Journal) -> (f64, f64) {
    let judged: Vec<_> = journal
        .forecasts
        .iter()
        .filter_map(|forecast| {
            let start = journal.first_start[forecast.job]?;
            let within = (forecast.from..=forecast.until).contains(&start);
            let middle = (forecast.from + forecast.until) as f64 / 2.0;
            Some((f64::from(u8::from(within)), (start as f64 - middle).abs() / 1e3))
        })
        .collect();
    let count = judged.len().max(1) as f64;
    let (within, error) = judged.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    (within / count, error / count)
}
