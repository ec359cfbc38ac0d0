//! What an operator, or a comparison, can set.

use chrono::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub order: Order,
    /// The most jobs that one plan starts: it bounds the transaction that carries the plan out.
    pub max_starts_per_plan: usize,
    /// What a tenant has used counts half as much after so long.
    pub half_life: Duration,
    /// An attempt is not stopped for another job before it has run for so long.
    pub min_runtime: Duration,
    /// How long an attempt may take from being asked to stop to having stopped.
    pub grace: Duration,
    /// Jobs of one tenant that are asked, in one plan, whether they can go before a reserved one.
    pub backfill_depth: usize,
    /// Jobs for which one plan looks for borrowers to stop.
    pub max_reclaims_per_plan: usize,
    /// Where there was nobody to stop for jobs of some size, it is looked for again after so long.
    pub reclaim_again: Duration,
    /// Decayed usage is counted anew this often; shares of live attempts always.
    pub refresh: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            order: Order::FairShare,
            max_starts_per_plan: 1_000,
            half_life: Duration::hours(1),
            min_runtime: Duration::minutes(1),
            grace: Duration::minutes(1),
            backfill_depth: 100,
            max_reclaims_per_plan: 8,
            reclaim_again: Duration::seconds(1),
            refresh: Duration::seconds(10),
        }
    }
}

/// Whose turn it is. All but the first are there to be compared with: they know no guarantee, stop
/// nobody and let nobody go before the job whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Guarantees first, then weighted dominant-resource fairness over current and decayed usage.
    FairShare,
    /// The oldest job.
    Fifo,
    /// The job with the highest priority, whosever it is; of equals the oldest.
    Priority,
    /// One job of each tenant in turn.
    RoundRobin,
}
