//! What a loaded version has done since it was loaded.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Callers that are told apart; the others are counted as one, `other`.
const MOST_CALLERS: usize = 100;
/// Passes of one size.
const KNOWN_AFTER: u64 = 10;
pub const OTHER: &str = "other";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    pub answered: u64,
    /// Because of the rows, or because they waited too long.
    pub failed: u64,
    pub rows: u64,
}

/// How often, and how long in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    pub count: u64,
    pub total: Duration,
}

impl Times {
    fn add(&mut self, time: Duration) {
        self.count += 1;
        self.total += time;
    }
}

/// Sums over values up to each bound, and of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    pub bounds: Cow<'static, [f64]>,
    pub counts: Vec<u64>,
    pub count: u64,
    pub sum: f64,
}

const SECS: &[f64] = &[0.0001, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
const ROWS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1_024.0];

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        let counts = vec![0; bounds.len()];
        Self { bounds: bounds.into(), counts, count: 0, sum: 0.0 }
    }

    fn add(&mut self, value: f64) {
        for (count, bound) in self.counts.iter_mut().zip(self.bounds.iter()) {
            *count += u64::from(value <= *bound);
        }
        self.count += 1;
        self.sum += value;
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// By the tenant that called.
    pub callers: HashMap<String, Calls>,
    pub answered: Times,
    pub failed: Times,
    /// Of those answered, from when they came to when they were computed.
    pub waited: Times,
    /// Passes, by their rows.
    pub passes: HashMap<usize, Times>,
    /// Each request's.
    pub waiting_secs: Histogram,
    /// Each pass's.
    pub computing_secs: Histogram,
    pub batch_rows: Histogram,
}

#[derive(Debug, Default)]
pub struct Stats(Mutex<Counts>);

impl Default for Counts {
    fn default() -> Self {
        Self {
            callers: HashMap::new(),
            answered: Times::default(),
            failed: Times::default(),
            waited: Times::default(),
            passes: HashMap::new(),
            waiting_secs: Histogram::new(SECS),
            computing_secs: Histogram::new(SECS),
            batch_rows: Histogram::new(ROWS),
        }
    }
}

impl Stats {
    /// Whether passes of so many rows are known to take less time than this.
    pub fn are_quicker(&self, rows: usize, than: Duration) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passes = counts.passes.get(&rows).copied().unwrap_or_default();
        passes.count >= KNOWN_AFTER
            && passes.total < than * u32::try_from(passes.count).unwrap_or(u32::MAX)
    }

    pub fn passed(&self, rows: usize, took: Duration) {
        self.change(|counts| {
            counts.passes.entry(rows).or_default().add(took);
            counts.computing_secs.add(took.as_secs_f64());
            counts.batch_rows.add(rows as f64);
        });
    }

    pub fn answered(&self, caller: &str, rows: usize, waited: Duration, took: Duration) {
        self.change(|counts| {
            let calls = counts.of(caller);
            calls.answered += 1;
            calls.rows += rows as u64;
            counts.answered.add(waited + took);
            counts.waited.add(waited);
            counts.waiting_secs.add(waited.as_secs_f64());
        });
    }

    pub fn failed(&self, caller: &str, after: Duration) {
        self.change(|counts| {
            counts.of(caller).failed += 1;
            counts.failed.add(after);
        });
    }

    pub fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Counts {
    fn of(&mut self, caller: &str) -> &mut Calls {
        let known = self.callers.contains_key(caller) || self.callers.len() < MOST_CALLERS;
        let caller = if known { caller } else { OTHER };
        if !self.callers.contains_key(caller) {
            self.callers.insert(caller.to_owned(), Calls::default());
        }
        self.callers.get_mut(caller).expect("it was put there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_up_to_their_bounds() {
        let stats = Stats::default();
        for rows in [1, 3, 3, 5_000] {
            stats.passed(rows, Duration::from_millis(2));
        }
        let Counts { batch_rows, computing_secs, passes, .. } = stats.counts();
        assert_eq!(batch_rows.counts, [1, 1, 3, 3, 3, 3, 3, 3, 3, 3]);
        assert_eq!((batch_rows.count, batch_rows.sum), (4, 5_007.0));
        assert_eq!(computing_secs.counts[..4], [0, 0, 0, 4]);
        assert_eq!(passes[&3], Times { count: 2, total: Duration::from_millis(4) });
    }

    #[test]
    fn callers_beyond_a_hundred_are_counted_as_one() {
        let stats = Stats::default();
        for caller in 0..150 {
            stats.answered(&format!("tenant-{caller}"), 2, Duration::ZERO, Duration::ZERO);
        }
        stats.failed("tenant-7", Duration::ZERO);
        let counts = stats.counts();
        assert_eq!(counts.callers.len(), MOST_CALLERS + 1);
        assert_eq!(counts.callers["tenant-7"], Calls { answered: 1, failed: 1, rows: 2 });
        assert_eq!(counts.callers[OTHER].rows, 100);
        assert_eq!((counts.answered.count, counts.failed.count), (150, 1));
    }
}
