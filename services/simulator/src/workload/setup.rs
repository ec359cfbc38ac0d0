//! The policy file: how the planner decides, who has which quota, and how a trace is replayed.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use chrono::Duration;
use domain::{Resources, world::Quota};
use planner::{Order, Policy};
use rand::{SeedableRng, distr::Distribution, distr::weighted::WeightedIndex};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Tenant, Workload};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    /// Seconds.
    pub half_life: i64,
    pub min_runtime: i64,
    pub grace: i64,
    pub backfill_depth: usize,
    /// Seconds between two checkpoints of an attempt: what it does in between is lost if it is stopped.
    pub checkpoint_every: i64,
    /// Seconds from being asked to stop to having stopped.
    pub stops_within: f64,
    /// A table's tasks are spread over so many tenants, by Zipf's law with this exponent.
    pub tenants: usize,
    pub zipf: f64,
    pub seed: u64,
    /// A table's tasks are submitted this many times as fast as they were.
    pub speed: f64,
    /// A job's `max_runtime` is its runtime times this: how well users know their jobs.
    pub overestimate: f64,
    /// By tenant's name; `default` for the others.
    pub quotas: BTreeMap<String, QuotaSetup>,
    /// Of every so-manieth job, when it starts is forecast at its submission; 0 for none.
    pub forecast_every: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            half_life: 3_600,
            min_runtime: 60,
            grace: 60,
            backfill_depth: 100,
            checkpoint_every: 300,
            stops_within: 5.0,
            tenants: 20,
            zipf: 1.0,
            seed: 42,
            speed: 1.0,
            overestimate: 2.0,
            quotas: BTreeMap::new(),
            forecast_every: 0,
        }
    }
}

/// Parts of the whole pool, so that one file fits every trace.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaSetup {
    /// Of 1, of each resource.
    pub guaranteed: f64,
    pub limit: Option<f64>,
    pub weight: Option<u32>,
    pub cohort: Option<String>,
}

impl Setup {
    pub fn policy(&self, order: Order) -> Policy {
        Policy {
            order,
            max_starts_per_plan: usize::MAX,
            half_life: Duration::seconds(self.half_life),
            min_runtime: Duration::seconds(self.min_runtime),
            grace: Duration::seconds(self.grace),
            backfill_depth: self.backfill_depth,
            ..Policy::default()
        }
    }

    pub fn check(&self) -> Result<()> {
        ensure!(self.tenants > 0, "`tenants` is 0; a trace needs at least one");
        ensure!(self.speed > 0.0, "`speed` is {}; it must be above 0", self.speed);
        ensure!(self.overestimate >= 1.0, "`overestimate` is {}; at least 1", self.overestimate);
        ensure!(self.checkpoint_every > 0, "`checkpoint_every` is {}", self.checkpoint_every);
        for (name, quota) in &self.quotas {
            let of_one = |part: f64| (0.0..=1.0).contains(&part);
            let valid = of_one(quota.guaranteed) && quota.limit.is_none_or(of_one);
            ensure!(valid, "`quotas.{name}` is not a part of 1: {quota:?}");
        }
        Ok(())
    }

    /// Tenants drawn by Zipf's law, for so many tasks of a table.
    pub(super) fn draw_tenants(&self, tasks: usize) -> Result<Vec<usize>> {
        let weights = (1..=self.tenants).map(|rank| (rank as f64).powf(-self.zipf));
        let ranks = WeightedIndex::new(weights)?;
        let rng = ChaCha8Rng::seed_from_u64(self.seed);
        Ok(ranks.sample_iter(rng).take(tasks).collect())
    }

    pub(super) fn named_tenants(&self) -> Vec<Tenant> {
        let tenant = |n| Tenant { name: format!("tenant-{n}"), quota: Quota::default() };
        (1..=self.tenants).map(tenant).collect()
    }

    /// The quotas that this file gives, in place of the trace's own.
    pub(super) fn adjust(&self, workload: &mut Workload) -> Result<()> {
        let whole = workload.workers.iter().fold(Resources::NONE, |sum, w| sum.plus(*w));
        for tenant in &mut workload.tenants {
            let given = self.quotas.get(&tenant.name).or_else(|| self.quotas.get("default"));
            let Some(given) = given else { continue };
            tenant.quota = Quota {
                guaranteed: part(&whole, given.guaranteed),
                limit: given.limit.map_or(Resources::UNLIMITED, |limit| part(&whole, limit)),
                weight: given.weight.unwrap_or(1),
                cohort: given.cohort.clone(),
                ..Quota::default()
            };
        }
        Ok(())
    }
}

fn part(whole: &Resources, of_one: f64) -> Resources {
    let of = |n: u64| (n as f64 * of_one).round() as u64;
    Resources {
        cpu_milli: of(whole.cpu_milli),
        memory_bytes: of(whole.memory_bytes),
        accelerator_milli: of(whole.accelerator_milli),
    }
}
