//! How good a ranking of items is: hit rate and NDCG among the ten best.
//!
//! Every known item that the user did not take in training is ranked, not a sample of a hundred as in
//! He et al. (2017): sampled metrics do not order models as full ones do (Krichene and Rendle, "On
//! sampled metrics for item recommendation", 2020).

use std::collections::BTreeMap;

use super::read::Rated;

const BEST: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ranking {
    /// The share of users for whom one of the ten best items is among those held back.
    pub hit_rate: f64,
    /// The mean of the users' normalised discounted cumulative gain (Järvelin and Kekäläinen, 2002)
    /// among the ten best, each held-back item a gain of 1.
    pub ndcg: f64,
}

impl Rated {
    /// Over the users of the rows held back; `scores` are those of the known items in order, from
    /// the item at 1, for the user at a place. None if no row is held back.
    ///
    /// A held-back item that training did not know cannot be hit and still counts.
    pub fn ranking(
        &self,
        held_back: &[u32],
        mut scores: impl FnMut(i32) -> Vec<f32>,
    ) -> Option<Ranking> {
        // Of each user the place, and of each item wanted its place.
        let mut users: BTreeMap<u32, (i32, BTreeMap<u32, i32>)> = BTreeMap::new();
        for row in held_back.iter().map(|&i| self.rows[i as usize]) {
            let entry = users.entry(row.user).or_insert((row.user_place, BTreeMap::new()));
            if row.item_place == 0 || !self.trained.contains(&(row.user, row.item_place)) {
                entry.1.insert(row.item, row.item_place);
            }
        }
        users.retain(|_, (_, wanted)| !wanted.is_empty());
        let (mut hits, mut gains) = (0_u64, 0.0);
        for (&user, (place, wanted)) in &users {
            let mut ranked: Vec<(f32, bool)> = scores(*place)
                .into_iter()
                .take(self.items as usize)
                .zip(1..)
                .filter(|&(_, item)| !self.trained.contains(&(user, item)))
                .map(|(score, item)| (score, wanted.values().any(|&w| w == item)))
                .collect();
            let (hit, gain) = judge(&mut ranked, wanted.len());
            hits += u64::from(hit);
            gains += gain;
        }
        let n = users.len() as f64;
        (n > 0.0).then(|| Ranking { hit_rate: hits as f64 / n, ndcg: gains / n })
    }
}

/// Whether one of the best is wanted, and the NDCG. Of equal scores the wanted ones come last, so
/// that a model that tells nothing apart earns nothing; a score that is not a number is the worst.
fn judge(ranked: &mut [(f32, bool)], wanted: usize) -> (bool, f64) {
    let key = |score: f32| if score.is_nan() { f32::NEG_INFINITY } else { score };
    ranked.sort_by(|a, b| key(b.0).total_cmp(&key(a.0)).then(a.1.cmp(&b.1)));
    let discount = |place: usize| 1.0 / (place as f64 + 2.0).log2();
    let best = ranked.iter().take(BEST).enumerate().filter(|(_, (_, wanted))| *wanted);
    let gain: f64 = best.map(|(place, _)| discount(place)).sum();
    let ideal: f64 = (0..wanted.min(BEST)).map(discount).sum();
    (gain > 0.0, if ideal > 0.0 { gain / ideal } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    // sklearn.metrics.ndcg_score([relevance], [scores], k=10) on the same arrays.
    #[test]
    fn ndcg_is_scikit_learns() {
        let scores: [f32; 12] = [0.9, 0.1, 0.8, 0.4, 0.7, 0.3, 0.65, 0.2, 0.6, 0.5, 0.05, 0.01];
        let judged = |wanted: &[usize]| {
            let mut ranked: Vec<(f32, bool)> =
                scores.iter().enumerate().map(|(i, &s)| (s, wanted.contains(&i))).collect();
            judge(&mut ranked, wanted.len())
        };
        let (hit, ndcg) = judged(&[2, 3, 10]);
        assert!(hit);
        close(ndcg, 0.452_508_152_973_450_76);
        close(judged(&[0]).1, 1.0);
        assert_eq!(judged(&[10, 11]), (false, 0.0));
    }

    #[test]
    fn equal_scores_and_nan_earn_nothing() {
        let mut equal: Vec<(f32, bool)> = (0..20).map(|i| (0.5, i == 0)).collect();
        assert_eq!(judge(&mut equal, 1), (false, 0.0));
        let mut nan: Vec<(f32, bool)> = (0..20).map(|i| (f32::NAN, i == 0)).collect();
        assert_eq!(judge(&mut nan, 1), (false, 0.0));
        assert_eq!(judge(&mut [], 3), (false, 0.0));
    }
}
