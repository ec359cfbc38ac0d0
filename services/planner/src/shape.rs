//! What a job asks of a pool: so much for each of its workers, all at once.

use domain::{Resources, world::PlannedJob};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    pub each: Resources,
    pub workers: u32,
}

impl Shape {
    pub const fn of(job: &PlannedJob) -> Self {
        Self { each: job.needs, workers: job.workers }
    }

    pub fn total(&self) -> Resources {
        self.each.times(self.workers)
    }

    /// Of its workers, as an index counts.
    pub const fn count(&self) -> usize {
        self.workers as usize
    }
}
