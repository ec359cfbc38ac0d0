//! An endpoint's split: which of its versions answers a call. A call with a sticky key goes where that key
//! always goes, for as long as the weights stay; when a weight grows, keys move to that version alone.

use sha2::{Digest as _, Sha256};

use crate::{EndpointId, FieldErrors};

/// Weights of the versions that answer, in their order; their sum is above 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split(Vec<u32>);

impl Split {
    pub const MOST: usize = 10;
    pub const MAX_WEIGHT: u32 = 10_000;

    /// # Errors
    /// Each weight that is too large, and that there is none above 0.
    pub fn new(weights: Vec<u32>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        if weights.is_empty() || weights.len() > Self::MOST {
            let why = format!("has {} versions; name 1 to {}", weights.len(), Self::MOST);
            errors.add("traffic", why);
        }
        for (n, weight) in weights.iter().enumerate().filter(|(_, w)| **w > Self::MAX_WEIGHT) {
            let why = format!("is {weight}; use 0 to {}", Self::MAX_WEIGHT);
            errors.add(format!("traffic[{n}].weight"), why);
        }
        if errors.is_empty() && weights.iter().all(|weight| *weight == 0) {
            errors.add("traffic", "has no weight above 0, so that nothing would answer");
        }
        errors.into_result(Self(weights))
    }

    /// The share of calls that the version at this place answers.
    pub fn share(&self, place: usize) -> f64 {
        f64::from(self.0.get(place).copied().unwrap_or(0)) / self.total() as f64
    }

    /// The place of the version that answers: `draw` is spread evenly over all numbers.
    pub fn choose(&self, draw: u64) -> usize {
        // the upper half of the product is spread evenly below the total
        let point = (u128::from(draw) * u128::from(self.total())) >> 64;
        let mut below = 0_u128;
        for (place, weight) in self.0.iter().enumerate() {
            below += u128::from(*weight);
            if point < below {
                return place;
            }
        }
        unreachable!("the point lies below the total")
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|weight| u64::from(*weight)).sum()
    }
}

/// The same for the same key of the same endpoint; of another endpoint, another.
pub fn sticky_draw(endpoint: EndpointId, key: &str) -> u64 {
    let digest = Sha256::new().chain_update(endpoint.uuid()).chain_update(key).finalize();
    digest.iter().take(8).fold(0, |draw, byte| draw << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn places(split: &Split, keys: u32) -> Vec<usize> {
        (0..keys).map(|n| split.choose(sticky_draw(EndpointId::NIL, &n.to_string()))).collect()
    }

    #[test]
    fn calls_are_shared_out_by_weight() {
        let split = Split::new(vec![90, 0, 10]).unwrap();
        let places = places(&split, 10_000);
        let canary = places.iter().filter(|place| **place == 2).count();
        assert!((900..=1_100).contains(&canary), "{canary}");
        assert!(!places.contains(&1), "what has no weight answers nothing");
        assert!((split.share(2) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn a_key_that_is_with_the_canary_stays_while_it_grows() {
        let before = places(&Split::new(vec![90, 10]).unwrap(), 1_000);
        let after = places(&Split::new(vec![50, 50]).unwrap(), 1_000);
        assert!(before.iter().zip(&after).all(|(before, after)| before <= after));
    }

    #[test]
    fn a_split_without_an_answer_is_refused() {
        let refused = |weights| Split::new(weights).unwrap_err().to_string();
        assert!(refused(vec![]).contains("name 1 to 10"));
        assert!(refused(vec![1; 11]).contains("has 11 versions"));
        assert!(refused(vec![0, 0]).contains("no weight above 0"));
        assert!(refused(vec![1, 10_001]).starts_with("traffic[1].weight: is 10001"));
    }

    proptest! {
        #[test]
        fn something_with_weight_answers_every_call(
            weights in proptest::collection::vec(0..=Split::MAX_WEIGHT, 1..=Split::MOST),
            draw: u64,
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let split = Split::new(weights.clone()).unwrap();
            prop_assert!(weights[split.choose(draw)] > 0);
            prop_assert!(weights[split.choose(u64::MAX)] > 0);
        }
    }
}
