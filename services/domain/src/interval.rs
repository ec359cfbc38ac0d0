//! How far a figure of a finite number of rows may be from the one of all that there are: intervals that
//! hold the true figure in 95 of 100 such samples.

/// The two-sided 95 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Of a share that was seen in `rows` rows: Wilson's score interval (Wilson, Journal of the American
/// Statistical Association 22, 1927, 209–212).
pub fn of_share(share: f64, rows: u64) -> Option<(f64, f64)> {
    if rows == 0 || !(0.0..=1.0).contains(&share) {
        return None;
    }
    let n = rows as f64;
    let z2 = Z * Z;
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    Some(((middle - half).max(0.0), (middle + half).min(1.0)))
}

/// Of an area under the ROC curve over so many rows of either class: Hanley and McNeil (Radiology 143, 1982,
/// 29–36). Of a perfect one it says nothing.
pub fn of_auc(auc: f64, positives: u64, negatives: u64) -> Option<(f64, f64)> {
    if positives == 0 || negatives == 0 || !(auc > 0.0 && auc < 1.0) {
        return None;
    }
    let (p, n) = (positives as f64, negatives as f64);
    let (q1, q2) = (auc / (2.0 - auc), 2.0 * auc * auc / (1.0 + auc));
    let variance =
        (auc * (1.0 - auc) + (p - 1.0) * (q1 - auc * auc) + (n - 1.0) * (q2 - auc * auc)) / (p * n);
    let half = Z * variance.max(0.0).sqrt();
    Some(((auc - half).max(0.0), (auc + half).min(1.0)))
}

/// Of the mean of so many numbers, by the normal distribution: of fewer than 30 it says nothing. Of two models'
/// differences row by row it is the paired one (Student, Biometrika 6, 1908, 1-25).
pub fn of_mean(values: &[f64]) -> Option<(f64, f64)> {
    const LEAST: usize = 30;
    if values.len() < LEAST || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = Z * (variance / n).sqrt();
    Some((mean - half, mean + half))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near((low, high): (f64, f64), expected: (f64, f64)) -> bool {
        (low - expected.0).abs() < 5e-4 && (high - expected.1).abs() < 5e-4
    }

    #[test]
    fn wilson_is_what_tables_say() {
        // statsmodels' proportion_confint(…, method="wilson")
        assert!(near(of_share(0.9, 100).unwrap(), (0.8256, 0.9448)));
        assert!(near(of_share(1.0, 10).unwrap(), (0.7225, 1.0)));
        assert!(near(of_share(0.0, 10).unwrap(), (0.0, 0.2775)));
        assert_eq!((of_share(0.5, 0), of_share(f64::NAN, 9)), (None, None));
    }

    #[test]
    fn a_mean_is_as_sure_as_its_values_agree() {
        let values: Vec<f64> = (0..100).map(|n| f64::from(n % 2)).collect();
        // half of 1.96 times a deviation of 0.5025 over ten
        assert!(near(of_mean(&values).unwrap(), (0.5 - 0.0985, 0.5 + 0.0985)));
        assert_eq!(of_mean(&[0.25; 30]), Some((0.25, 0.25)));
        assert_eq!((of_mean(&[1.0; 29]), of_mean(&[f64::NAN; 40])), (None, None));
    }

    #[test]
    fn an_area_is_surer_the_more_rows_of_either_class_there_are() {
        // the paper's example: 0.893 with 51 abnormal and 58 normal images has a standard error of 0.032
        let (low, high) = of_auc(0.893, 51, 58).unwrap();
        assert!(((high - low) / 2.0 / Z - 0.032).abs() < 1e-3, "{low} {high}");
        assert_eq!((of_auc(1.0, 5, 5), of_auc(0.9, 0, 5)), (None, None));
    }
}
