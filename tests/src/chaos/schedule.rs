//! What is done to whom and when, from a seed: decks of every kind of trouble, shuffled, dealt evenly
//! over the jobs. Three lanes go side by side, so that troubles meet.

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// So many jobs see every kind of trouble once.
const JOBS_PER_DECK: usize = 60;
/// After this share of the jobs the last trouble begins.
const UNTIL: f64 = 0.8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkerTrouble {
    /// `kill -9`, and another starts under its name at once.
    Kill,
    /// `kill -9`, and another starts only once its lease has run out.
    Lose,
    /// It stands still past its lease, and then reports.
    Stall,
    /// It is asked to leave.
    Drain,
    /// `kill -9` of a training process.
    KillChild,
    /// A worker without room on its disk takes a job.
    FillDisk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SchedulerTrouble {
    KillLeader,
    KillFollower,
    /// The leader stands still past its lease, and wakes late.
    PauseLeader,
    /// The lead is taken to and fro, and each one wakes while the other leads.
    Fight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackingTrouble {
    KillGateway,
    KillPostgres,
    /// Every process of Postgres stands still until clients are told that it is away.
    StopPostgres,
    /// Redis is away while a job ends.
    KillRedis,
    FlushRedis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<T> {
    /// Once so many jobs have ended.
    pub after: u64,
    pub trouble: T,
    /// One of several.
    pub whom: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub workers: Vec<Step<WorkerTrouble>>,
    pub schedulers: Vec<Step<SchedulerTrouble>>,
    pub backing: Vec<Step<BackingTrouble>>,
}

impl Schedule {
    pub fn new(seed: u64, jobs: usize, workers: usize) -> Self {
        use {BackingTrouble as B, SchedulerTrouble as S, WorkerTrouble as W};
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let decks = (jobs / JOBS_PER_DECK).max(1);
        let on_workers = &[W::Kill, W::Lose, W::Stall, W::Drain, W::KillChild, W::FillDisk];
        let on_schedulers = &[S::KillLeader, S::KillFollower, S::PauseLeader, S::Fight];
        let on_backing =
            &[B::KillGateway, B::KillPostgres, B::StopPostgres, B::KillRedis, B::FlushRedis];
        Self {
            workers: deal(&mut rng, on_workers, decks, jobs, workers),
            schedulers: deal(&mut rng, on_schedulers, decks, jobs, 1),
            backing: deal(&mut rng, on_backing, decks, jobs, 1),
        }
    }
}

fn deal<T: Copy>(
    rng: &mut ChaCha8Rng,
    deck: &[T],
    decks: usize,
    jobs: usize,
    of: usize,
) -> Vec<Step<T>> {
    let mut cards = Vec::new();
    for _ in 0..decks {
        let mut deck = deck.to_vec();
        deck.shuffle(rng);
        cards.extend(deck);
    }
    let apart = jobs as f64 * UNTIL / cards.len() as f64;
    let step = |(n, trouble): (usize, T)| {
        let at = apart * (n as f64 + rng.random_range(0.0..1.0));
        Step { after: at as u64, trouble, whom: rng.random_range(0..of) }
    };
    cards.into_iter().enumerate().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_schedule_and_another_has_its_own() {
        assert_eq!(Schedule::new(1, 300, 3), Schedule::new(1, 300, 3));
        assert_ne!(Schedule::new(1, 300, 3), Schedule::new(2, 300, 3));
    }

    #[test]
    fn every_trouble_comes_in_every_deck_before_the_jobs_are_over() {
        for (jobs, decks) in [(12, 1), (59, 1), (300, 5)] {
            let schedule = Schedule::new(7, jobs, 3);
            let mut troubles: Vec<_> = schedule.workers.iter().map(|step| step.trouble).collect();
            assert_eq!(troubles.len(), 6 * decks);
            assert_eq!((schedule.schedulers.len(), schedule.backing.len()), (4 * decks, 5 * decks));
            troubles.truncate(6);
            troubles.sort_unstable();
            troubles.dedup();
            assert_eq!(troubles.len(), 6);
            assert!(schedule.workers.is_sorted_by_key(|step| step.after));
            assert!(schedule.workers.iter().all(|step| step.after < jobs as u64 && step.whom < 3));
        }
    }
}
