//! Credits as people write them: a number with a point, kept in whole millionths.

use domain::FieldErrors;

/// Millionths in one credit.
pub(crate) const MICRO: f64 = 1e6;
/// A number of JSON is exact up to here.
const MOST: f64 = (1_u64 << 53) as f64;

pub(crate) fn credits(micro: u64) -> f64 {
    micro as f64 / MICRO
}

/// Whole ones of `unit` to one of what was given.
pub(crate) fn check(errors: &mut FieldErrors, field: &str, given: f64, unit: f64) -> u64 {
    let whole = (given * unit).round();
    if (0.0..=MOST).contains(&whole) {
        whole as u64
    } else {
        errors.add(field, format!("`{given}`: use 0 to {}", (MOST / unit).floor()));
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_kept_to_the_millionth() {
        let mut errors = FieldErrors::default();
        for (given, whole) in [(0.0, 0), (0.000_001, 1), (1.1, 1_100_000), (12.345_678, 12_345_678)]
        {
            assert_eq!(check(&mut errors, "price", given, MICRO), whole);
            assert_eq!(credits(whole), given);
        }
        assert!(errors.0.is_empty());
        for given in [-1e-6, f64::NAN, f64::INFINITY, 1e10] {
            check(&mut errors, "price", given, MICRO);
        }
        assert_eq!(errors.0.len(), 4);
    }
}
