//! Chance as a function of the job's seed. Each draw has a stream of its own, named by what it is for
//! and an index, so a run that resumes at step 1,000 draws what an uninterrupted one draws there.
//! The numbers come straight from ChaCha: a new version of a random library changes no model.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Split = 1,
    Weights = 2,
    Order = 3,
    Dropout = 4,
    Augmentation = 5,
    Sampling = 6,
    Generation = 7,
    Shuffling = 8,
}

pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub fn new(seed: u64, purpose: Purpose, index: u64, sub_index: u64) -> Self {
        let mut key = [0; 32];
        let words = [seed, purpose as u64, index, sub_index];
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// At least 0 and below 1, in steps of 2^-24.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Normally distributed with mean 0 and deviation 1 (Box and Muller, 1958).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * f64::from(1.0 - self.unit()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(self.unit())).cos()) as f32
    }

    /// The numbers below `n` in random order.
    pub fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, self.below(i as u64 + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_holds_every_number_once_and_depends_on_seed_and_index() {
        let draw = |seed, index| Chance::new(seed, Purpose::Order, index, 0).permutation(100);
        let mut sorted = draw(1, 1);
        assert_eq!(sorted, draw(1, 1));
        assert_ne!(sorted, draw(1, 2));
        assert_ne!(sorted, draw(2, 1));
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn units_fill_the_interval_evenly() {
        let mut chance = Chance::new(3, Purpose::Dropout, 0, 0);
        let draws: Vec<f32> = (0..10_000).map(|_| chance.unit()).collect();
        assert!(draws.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = draws.iter().sum::<f32>() / draws.len() as f32;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
