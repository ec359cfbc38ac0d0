//! How far predicted numbers are from the true ones. With several outputs a figure is the mean of
//! those of each output (scikit-learn's `uniform_average`).

use domain::evaluation::Quantile;

use super::Predictions;

/// Shares of the rows at which residuals are told.
const RESIDUAL_SHARES: [f64; 9] = [0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0];

/// Answer and truth of one output, row by row.
fn output<'a>(p: &Predictions<'a>, output: usize) -> impl Iterator<Item = (f64, f64)> + use<'a> {
    let pairs = p.answers.iter().zip(p.targets).skip(output).step_by(p.outputs);
    pairs.map(|(&answer, &truth)| (answer, truth))
}

/// The mean over all rows and outputs.
fn mean(p: &Predictions, error: impl Fn(f64, f64) -> f64) -> f64 {
    let sum: f64 = p.answers.iter().zip(p.targets).map(|(&a, &t)| error(a, t)).sum();
    sum / p.answers.len() as f64
}

pub(super) fn mean_squared_error(p: &Predictions) -> f64 {
    mean(p, |answer, truth| (answer - truth).powi(2))
}

pub(super) fn mean_absolute_error(p: &Predictions) -> f64 {
    mean(p, |answer, truth| (answer - truth).abs())
}

/// A share, not a number of hundredths; a truth of 0 counts as the smallest number in its place.
pub(super) fn mean_absolute_percentage_error(p: &Predictions) -> f64 {
    mean(p, |answer, truth| (answer - truth).abs() / truth.abs().max(f64::EPSILON))
}

/// The root is taken of each output by itself.
pub(super) fn root_mean_squared_error(p: &Predictions) -> f64 {
    let rows = p.rows() as f64;
    let root = |i| {
        let squares: f64 = output(p, i).map(|(answer, truth)| (answer - truth).powi(2)).sum();
        (squares / rows).sqrt()
    };
    (0..p.outputs).map(root).sum::<f64>() / p.outputs as f64
}

/// `r2_score`: the share of the target's variance that is explained; undefined for a single row.
pub(super) fn r2(p: &Predictions) -> Option<f64> {
    let total: f64 = (0..p.outputs).map(|i| r2_of(p, i)).sum();
    (p.rows() > 1).then(|| total / p.outputs as f64)
}

/// Of a target that never changes: 1 if it is met exactly and otherwise 0.
fn r2_of(p: &Predictions, index: usize) -> f64 {
    let left: f64 = output(p, index).map(|(answer, truth)| (truth - answer).powi(2)).sum();
    let first = p.targets[index];
    if output(p, index).all(|(_, truth)| truth == first) {
        return if left == 0.0 { 1.0 } else { 0.0 };
    }
    let mean = output(p, index).map(|(_, truth)| truth).sum::<f64>() / p.rows() as f64;
    let spread: f64 = output(p, index).map(|(_, truth)| (truth - mean).powi(2)).sum();
    1.0 - left / spread
}

/// Quantiles of truth minus prediction over all rows and outputs, between neighbours on a straight
/// line (NumPy's `linear`).
pub(super) fn residuals(p: &Predictions) -> Vec<Quantile> {
    let mut residuals: Vec<f64> = p.answers.iter().zip(p.targets).map(|(a, t)| t - a).collect();
    residuals.sort_unstable_by(f64::total_cmp);
    let Some(last) = residuals.len().checked_sub(1) else { return Vec::new() };
    let quantile = |share: f64| {
        let place = share * last as f64;
        let below = place.floor() as usize;
        let (low, high) = (residuals[below], residuals[(below + 1).min(last)]);
        Quantile { share, value: low + (high - low) * (place - below as f64) }
    };
    RESIDUAL_SHARES.map(quantile).to_vec()
}
