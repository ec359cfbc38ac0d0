//! The scheduler's decision: a [`Queue`] is the picture of pools, workers, quotas and jobs, kept up
//! to date by what has changed; [`Queue::plan`] says which jobs start where, and which attempts end.
//! No I/O, no clock and no chance: the same changes at the same times give the same plans, and the
//! simulator runs what production runs.
//!
//! A plan's order: what must end (`enforce`); jobs within what is guaranteed to their tenants, for
//! which borrowers are stopped where there is no room (`reclaim`); then what is left is lent, the
//! smallest weighted share first (`start`). The first job that finds no room gets one reserved, and
//! others go before it only if that makes it no later (`reserve`). `docs/SCHEDULING.md` has it in
//! words, with an example.
//!
//! What a plan has decided, the queue takes as done. Whoever carries it out tells the queue what
//! became of each job ([`Queue::set_job`]); if it could not be carried out at all, a new queue is
//! made from the truth.

mod account;
mod books;
mod claims;
mod cohort;
mod enforce;
mod explain;
mod forecast;
pub mod invariants;
mod keys;
mod machines;
mod policy;
mod pool;
mod queue;
mod reclaim;
mod reserve;
mod room;
mod shape;
mod start;
#[cfg(test)]
mod tests;

pub use explain::{Explanation, Share, Use};
pub use forecast::Runtimes;
pub use policy::{Order, Policy};
pub use queue::{Plan, Queue};

use chrono::Duration;
use domain::Timestamp;

/// Later by so many seconds; the end of time if there is no such time.
pub(crate) fn after(time: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).ok().and_then(Duration::try_seconds);
    seconds.and_then(|s| time.checked_add_signed(s)).unwrap_or(Timestamp::MAX_UTC)
}

/// From `earlier` to `later`; none if that is not how they lie.
pub(crate) fn seconds(earlier: Timestamp, later: Timestamp) -> f64 {
    (later - earlier).num_milliseconds().max(0) as f64 / 1_000.0
}
