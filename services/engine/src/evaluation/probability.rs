//! How far probabilities themselves can be believed, not only the classes that they point to.

use domain::{evaluation::CalibrationBin, spec::Task};

use super::{Predictions, ratio};

const CALIBRATION_BINS: usize = 10;

/// `log_loss`: the mean of `-ln` of the true class's probability, kept a rounding error away from 0
/// and 1.
pub(super) fn log_loss(p: &Predictions) -> f64 {
    let binary = p.task == Task::BinaryClassification;
    let rows = p.answers.chunks_exact(p.outputs).zip(p.targets);
    let sum: f64 = rows
        .map(|(answer, &target)| {
            let likelihood = match (binary, target == 1.0) {
                (true, true) => answer[0],
                (true, false) => 1.0 - answer[0],
                (false, _) => answer[target as usize],
            };
            -likelihood.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
        })
        .sum();
    sum / p.rows() as f64
}

/// `brier_score_loss`: the mean squared difference of probability and truth.
pub(super) fn brier_score(p: &Predictions) -> f64 {
    let sum: f64 = p.answers.iter().zip(p.targets).map(|(a, t)| (a - t).powi(2)).sum();
    sum / p.rows() as f64
}

/// Rows of a binary task in equal-width bins by the probability of the positive class, as
/// scikit-learn's `calibration_curve` has them; bins without rows are left out.
pub(super) fn calibration(p: &Predictions) -> Vec<CalibrationBin> {
    let edge = |i: usize| i as f64 / CALIBRATION_BINS as f64;
    let mut rows = [0_u64; CALIBRATION_BINS];
    let mut positives = [0_u64; CALIBRATION_BINS];
    let mut predicted = [0.0; CALIBRATION_BINS];
    for (&answer, &target) in p.answers.iter().zip(p.targets) {
        let bin = (1..CALIBRATION_BINS).filter(|&i| answer > edge(i)).count();
        rows[bin] += 1;
        positives[bin] += u64::from(target == 1.0);
        predicted[bin] += answer;
    }
    let bin = |i: usize| CalibrationBin {
        from: edge(i),
        to: edge(i + 1),
        rows: rows[i],
        mean_predicted: predicted[i] / rows[i] as f64,
        share_positive: ratio(positives[i], rows[i]),
    };
    (0..CALIBRATION_BINS).filter(|&i| rows[i] > 0).map(bin).collect()
}

/// The expected calibration error: the mean distance of predicted and observed share, by rows
/// ("On calibration of modern neural networks", Guo et al., 2017, equation 3).
pub(super) fn calibration_error(bins: &[CalibrationBin]) -> f64 {
    let rows: u64 = bins.iter().map(|b| b.rows).sum();
    let distance = |b: &CalibrationBin| (b.share_positive - b.mean_predicted).abs();
    bins.iter().map(|b| ratio(b.rows, rows) * distance(b)).sum()
}
