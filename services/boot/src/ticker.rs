//! Something that is done from time to time, and once in a while late: what was missed is not made up for.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// The first tick comes at once.
pub fn ticker(every: Duration) -> Interval {
    let mut ticker = interval(every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
