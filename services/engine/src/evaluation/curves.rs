//! How well probabilities rank positive rows above negative ones, at every threshold at once.

use domain::evaluation::{PrecisionRecallPoint, RocPoint};

use super::ratio;

const MAX_POINTS: usize = 100;

/// The rows that score at least `threshold`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cut {
    threshold: f64,
    true_positives: u64,
    false_positives: u64,
}

impl Cut {
    fn precision(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }
}

/// One for each distinct score, from the highest down.
pub(super) fn cuts(scores: &[f64], truth: &[f64]) -> Vec<Cut> {
    let mut rows: Vec<(f64, bool)> =
        scores.iter().zip(truth).map(|(&s, &t)| (s, t == 1.0)).collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut true_positives, mut false_positives) = (0, 0);
    let cut = |ties: &[(f64, bool)]| {
        let positives = ties.iter().filter(|row| row.1).count() as u64;
        true_positives += positives;
        false_positives += ties.len() as u64 - positives;
        Cut { threshold: ties[0].0, true_positives, false_positives }
    };
    rows.chunk_by(|a, b| a.0 == b.0).map(cut).collect()
}

/// All positive and all negative rows.
fn totals(cuts: &[Cut]) -> (u64, u64) {
    cuts.last().map_or((0, 0), |all| (all.true_positives, all.false_positives))
}

/// `roc_auc_score`: the chance that a positive ranks above a negative, ties counting half.
pub(super) fn auc(cuts: &[Cut]) -> Option<f64> {
    let (positives, negatives) = totals(cuts);
    let (mut above, mut negatives_above, mut wins) = (0, 0, 0.0);
    for cut in cuts {
        let tied = (cut.false_positives - negatives_above) as f64;
        wins += tied * (above + cut.true_positives) as f64 / 2.0;
        (above, negatives_above) = (cut.true_positives, cut.false_positives);
    }
    let pairs = positives as f64 * negatives as f64;
    (pairs > 0.0).then(|| wins / pairs)
}

/// `average_precision_score`: the mean of the precisions at each threshold, weighted by the recall
/// that it adds. Without a positive row there is no recall.
pub(super) fn average_precision(cuts: &[Cut]) -> Option<f64> {
    let (positives, _) = totals(cuts);
    let mut found = 0;
    let mut sum = 0.0;
    for cut in cuts {
        sum += (cut.true_positives - found) as f64 * cut.precision();
        found = cut.true_positives;
    }
    (positives > 0).then(|| sum / positives as f64)
}

pub(super) fn roc_curve(cuts: &[Cut]) -> Option<Vec<RocPoint>> {
    let (positives, negatives) = totals(cuts);
    if positives == 0 || negatives == 0 {
        return None;
    }
    let none = RocPoint { false_positive_rate: 0.0, true_positive_rate: 0.0, threshold: None };
    let points = cuts.iter().map(|cut| RocPoint {
        false_positive_rate: ratio(cut.false_positives, negatives),
        true_positive_rate: ratio(cut.true_positives, positives),
        threshold: Some(cut.threshold),
    });
    let place = |p: &RocPoint| (p.false_positive_rate, p.true_positive_rate);
    Some(thinned(std::iter::once(none).chain(points).collect(), place))
}

pub(super) fn precision_recall_curve(cuts: &[Cut]) -> Option<Vec<PrecisionRecallPoint>> {
    let (positives, _) = totals(cuts);
    if positives == 0 {
        return None;
    }
    let none = PrecisionRecallPoint { recall: 0.0, precision: 1.0, threshold: None };
    let points = cuts.iter().map(|cut| PrecisionRecallPoint {
        recall: ratio(cut.true_positives, positives),
        precision: cut.precision(),
        threshold: Some(cut.threshold),
    });
    // Past the last positive row only precision falls.
    let end = 1 + cuts.iter().take_while(|cut| cut.true_positives < positives).count();
    let points = std::iter::once(none).chain(points.take(end)).collect();
    Some(thinned(points, |p: &PrecisionRecallPoint| (p.recall, p.precision)))
}

/// At most [`MAX_POINTS`] of the points, evenly spaced along the curve's length (not by rank, which
/// would leave hardly a point where few rows decide), with the first and the last.
fn thinned<P: Copy>(points: Vec<P>, place: impl Fn(&P) -> (f64, f64)) -> Vec<P> {
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else { return points };
    if points.len() <= MAX_POINTS {
        return points;
    }
    let step = |a: &P, b: &P| {
        let ((ax, ay), (bx, by)) = (place(a), place(b));
        (bx - ax).abs() + (by - ay).abs()
    };
    let length: f64 = points.windows(2).map(|pair| step(&pair[0], &pair[1])).sum();
    let spacing = length / (MAX_POINTS - 1) as f64;
    let mut kept = vec![first];
    let mut walked = 0.0;
    for pair in points[..points.len() - 1].windows(2) {
        walked += step(&pair[0], &pair[1]);
        if walked >= spacing && kept.len() < MAX_POINTS - 1 {
            kept.push(pair[1]);
            walked = 0.0;
        }
    }
    kept.push(last);
    kept
}
