//! Made traces, by a seed: arrivals at a steady rate, tenants by Zipf's law, runtimes log-normal.

use anyhow::{Result, ensure};
use domain::{Resources, world::Quota};
use rand::{Rng, SeedableRng, distr::Distribution, distr::weighted::WeightedIndex};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Job, Tenant, Workload};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generate {
    pub seed: u64,
    pub tenants: usize,
    /// The exponent of Zipf's law over the tenants.
    pub zipf: f64,
    pub jobs: usize,
    pub workers: usize,
    /// CPUs of a worker.
    pub cpus: u64,
    /// Work that is submitted, as a part of what the workers can do in the time of the arrivals.
    pub load: f64,
    /// Seconds; the median of the runtimes.
    pub runtime: f64,
    /// The standard deviation of the runtimes' logarithm.
    pub spread: f64,
    /// A job's `max_runtime` is its runtime times something between 1 and this.
    pub overestimate: f64,
    /// Of 1: what is guaranteed to the tenants together.
    pub guaranteed: f64,
    /// Of 1: jobs of two to eight workers.
    pub gangs: f64,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            seed: 42,
            tenants: 100,
            zipf: 1.0,
            jobs: 10_000,
            workers: 20,
            cpus: 16,
            load: 1.1,
            runtime: 300.0,
            spread: 1.0,
            overestimate: 3.0,
            guaranteed: 0.5,
            gangs: 0.0,
        }
    }
}

/// CPUs that jobs need, with how many of a hundred do.
const SIZES: [(u64, u32); 5] = [(1, 50), (2, 25), (4, 15), (8, 8), (16, 2)];

impl Generate {
    pub fn workload(&self) -> Result<Workload> {
        ensure!(
            self.tenants > 0 && self.jobs > 0 && self.workers > 0,
            "`tenants`, `jobs` and `workers` are at least 1"
        );
        ensure!(self.load > 0.0 && self.runtime > 0.0, "`load` and `runtime` are above 0");
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let ranks = WeightedIndex::new((1..=self.tenants).map(|n| (n as f64).powf(-self.zipf)))?;
        let sizes = WeightedIndex::new(SIZES.map(|(_, weight)| weight))?;
        let mut jobs: Vec<_> = (0..self.jobs)
            .map(|_| {
                let (cpus, _) = SIZES[sizes.sample(&mut rng)];
                let seconds = self.runtime * (self.spread * normal(&mut rng)).exp();
                let over = 1.0 + rng.random::<f64>() * (self.overestimate - 1.0).max(0.0);
                Job {
                    submitted: 0,
                    tenant: ranks.sample(&mut rng),
                    priority: rng.random_range(0..3),
                    needs: cpu(cpus.min(self.cpus)),
                    workers: self.gang(&mut rng),
                    runtime: (seconds * 1_000.0).max(1.0) as i64,
                    max_runtime_secs: (seconds * over).ceil().max(1.0) as u64,
                }
            })
            .collect();
        let work: f64 =
            jobs.iter().map(|job| job.total().cpu_milli as f64 * job.runtime as f64).sum();
        let whole = self.workers as f64 * self.cpus as f64 * 1_000.0;
        let time = work / whole / self.load;
        for job in &mut jobs {
            job.submitted = (rng.random::<f64>() * time) as i64;
        }
        Ok(Workload { tenants: self.tenants(), workers: vec![cpu(self.cpus); self.workers], jobs })
    }

    /// As many workers as one job has. Without gangs the jobs of a seed are as they were.
    fn gang(&self, rng: &mut ChaCha8Rng) -> u32 {
        let is_gang = self.gangs > 0.0 && rng.random::<f64>() < self.gangs;
        if is_gang { rng.random_range(2..=8).min(self.workers as u32) } else { 1 }
    }

    /// The first hundred share what is guaranteed; the others borrow.
    fn tenants(&self) -> Vec<Tenant> {
        let cpus = (self.workers as u64).saturating_mul(self.cpus);
        let with = self.tenants.min(100);
        let each = (cpus as f64 * self.guaranteed / with as f64) as u64;
        let quota = |n| Quota {
            guaranteed: if n < with { cpu(each) } else { Resources::NONE },
            ..Quota::default()
        };
        (0..self.tenants)
            .map(|n| Tenant { name: format!("tenant-{}", n + 1), quota: quota(n) })
            .collect()
    }
}

fn cpu(n: u64) -> Resources {
    Resources::cpu(n.saturating_mul(1_000), n << 30)
}

/// By the method of Box and Muller.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
