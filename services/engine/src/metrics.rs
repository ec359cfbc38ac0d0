//! The metrics of a set of predictions, with scikit-learn's definitions. Where a metric has no value
//! (an AUC of one class, say) it is absent.

/// Predictions above this count as the positive class.
const THRESHOLD: f64 = 0.5;

pub(crate) fn is_positive(probability: f64) -> bool {
    probability > THRESHOLD
}

/// Correct ones among those predicted positive; 0 if there is none.
pub(crate) fn precision(probabilities: &[f64], truth: &[f64]) -> f64 {
    let c = Counts::of(probabilities, truth);
    ratio(c.true_positive, c.true_positive + c.false_positive)
}

/// Correct ones among those truly positive; 0 if there is none.
pub(crate) fn recall(probabilities: &[f64], truth: &[f64]) -> f64 {
    let c = Counts::of(probabilities, truth);
    ratio(c.true_positive, c.true_positive + c.false_negative)
}

#[derive(Default)]
struct Counts {
    true_positive: u64,
    false_positive: u64,
    false_negative: u64,
}

impl Counts {
    fn of(probabilities: &[f64], truth: &[f64]) -> Self {
        let mut counts = Self::default();
        for (&p, &t) in probabilities.iter().zip(truth) {
            match (is_positive(p), t == 1.0) {
                (true, true) => counts.true_positive += 1,
                (true, false) => counts.false_positive += 1,
                (false, true) => counts.false_negative += 1,
                (false, false) => {}
            }
        }
        counts
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The chance that a positive ranks above a negative, ties counting half.
pub(crate) fn auc(scores: &[f64], truth: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut negatives, mut positives, mut wins) = (0_u64, 0_u64, 0.0);
    for ties in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let positive = ties.iter().filter(|&&i| truth[i] == 1.0).count() as u64;
        let negative = ties.len() as u64 - positive;
        wins += positive as f64 * (negatives as f64 + negative as f64 / 2.0);
        positives += positive;
        negatives += negative;
    }
    let pairs = positives as f64 * negatives as f64;
    (pairs > 0.0).then(|| wins / pairs)
}

pub(crate) fn mean_absolute_error(values: &[f64], truth: &[f64]) -> f64 {
    let total: f64 = values.iter().zip(truth).map(|(v, t)| (v - t).abs()).sum();
    total / values.len() as f64
}

/// The share of the target's variance that is explained.
pub(crate) fn r2(values: &[f64], truth: &[f64]) -> Option<f64> {
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let spread: f64 = truth.iter().map(|t| (t - mean).powi(2)).sum();
    let left: f64 = values.iter().zip(truth).map(|(v, t)| (t - v).powi(2)).sum();
    Some(1.0 - left / spread).filter(|r2| r2.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: [f64; 8] = [0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0];
    const SCORES: [f64; 8] = [0.1, 0.4, 0.35, 0.8, 0.8, 0.65, 0.9, 0.2];

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    // The numbers are those of sklearn.metrics on the same arrays.
    #[test]
    fn classification() {
        close(precision(&SCORES, &TRUTH), 0.75);
        close(recall(&SCORES, &TRUTH), 0.75);
        close(auc(&SCORES, &TRUTH).unwrap(), 0.781_25);
    }

    #[test]
    fn regression() {
        let (truth, values) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
        close(mean_absolute_error(&values, &truth), 0.5);
        close(r2(&values, &truth).unwrap(), 0.948_608_137_044_967_9);
    }

    #[test]
    fn one_class_or_one_value_has_no_auc_or_r2() {
        assert_eq!(auc(&[0.1, 0.9], &[1.0, 1.0]), None);
        assert_eq!(r2(&[0.1, 0.9], &[1.0, 1.0]), None);
        close(precision(&[0.1], &[1.0]), 0.0);
        close(recall(&[0.9], &[0.0]), 0.0);
    }
}
