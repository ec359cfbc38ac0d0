//! Whose silence is whose. A worker that is not heard may be gone; but if the database was away, or its
//! clock has jumped, or the leader itself stood still, then nobody could be heard. Only a leader that
//! has looked all along can tell: after a gap everybody gets a whole lease to speak up.

use std::time::Duration;

use domain::Timestamp;

#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// It has looked without a gap since then.
    since: Timestamp,
    last: Timestamp,
}

impl Watch {
    pub const fn begin(now: Timestamp) -> Self {
        Self { since: now, last: now }
    }

    /// A look at `now`, by a leader that looks every `tick` at the latest: whether one that has been
    /// silent for a `lease` has been so by itself.
    pub fn look(&mut self, now: Timestamp, lease: Duration, tick: Duration) -> bool {
        // a heartbeat comes every third of a lease; a clock that goes back has no gap that is known
        let gap = (now - self.last).to_std().unwrap_or(Duration::MAX);
        if gap > (lease * 2 / 3).max(tick * 2) {
            self.since = now;
        }
        self.last = now;
        (now - self.since).to_std().is_ok_and(|looked| looked >= lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_secs(1);
    const LEASE: Duration = Duration::from_secs(15);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + chrono::Duration::seconds(seconds)
    }

    /// What is told at each of these looks.
    fn told(looks: impl IntoIterator<Item = i64>) -> Vec<bool> {
        let mut watch = Watch::begin(at(0));
        looks.into_iter().map(|second| watch.look(at(second), LEASE, TICK)).collect()
    }

    #[test]
    fn a_leader_that_has_looked_for_a_lease_can_tell() {
        assert_eq!(told([0, 5, 14, 15, 16, 20]), [false, false, false, true, true, true]);
    }

    #[test]
    fn after_a_gap_everybody_gets_a_lease_to_speak_up() {
        // away for a minute, or a clock that went ahead: it looks the same from here
        assert_eq!(told([10, 20, 80, 90, 95]), [false, true, false, false, true]);
    }

    #[test]
    fn a_clock_that_goes_back_is_a_gap() {
        assert_eq!(told([10, 20, -3_600, -3_590, -3_585]), [false, true, false, false, true]);
    }

    #[test]
    fn a_lease_shorter_than_a_tick_is_still_kept() {
        let mut watch = Watch::begin(at(0));
        let lease = Duration::from_millis(500);
        assert!(watch.look(at(1), lease, TICK) && watch.look(at(2), lease, TICK));
    }
}
