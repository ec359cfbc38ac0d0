//! What each feature is worth to a version: how much worse it answers where that feature's values are dealt out anew.

use serde::{Deserialize, Serialize};

use crate::spec::Metric;

/// How it is measured, in scikit-learn's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Shuffling {
    /// How often each feature is shuffled.
    pub n_repeats: u32,
    pub seed: u64,
    /// By which it is judged.
    pub metric: Metric,
    /// On the rows that its training held back, where the dataset is the one that it was trained on; else on all.
    pub held_back: bool,
}

impl Shuffling {
    pub const MAX_REPEATS: u32 = 100;
    pub const USUAL_REPEATS: u32 = 5;
}

/// What was found, feature by feature in the order of the training's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Importances {
    pub rows: u64,
    /// With every value where it belongs.
    pub baseline_score: f64,
    pub features: Vec<Importance>,
}

/// Positive where the model answers worse without the feature: how far the metric falls or, of an error, rises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Importance {
    pub feature: String,
    pub importances_mean: f64,
    /// Of the population, as numpy's.
    pub importances_std: f64,
    /// Of each repetition.
    pub importances: Vec<f64>,
}

impl Importance {
    pub fn of(feature: String, importances: Vec<f64>) -> Self {
        let n = importances.len().max(1) as f64;
        let mean = importances.iter().sum::<f64>() / n;
        let variance = importances.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        Self { feature, importances_mean: mean, importances_std: variance.sqrt(), importances }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_are_numpys() {
        // numpy.mean([1, 2, 4]), numpy.std([1, 2, 4])
        let found = Importance::of("x".to_owned(), vec![1.0, 2.0, 4.0]);
        assert!((found.importances_mean - 2.333_333_333_333_333_5).abs() < 1e-15);
        assert!((found.importances_std - 1.247_219_128_924_647).abs() < 1e-15);
    }
}
