//! A run's figures, epoch by epoch. Of a cross-validation those of its first fold, which like the others
//! was judged on rows that it had not seen.

use std::collections::BTreeMap;

const FIRST_FOLD: &str = "fold_1_";

#[derive(Debug, Clone, Default)]
pub struct Curves(BTreeMap<String, Vec<f64>>);

impl Curves {
    /// Of names and values in the order of epochs; what is not finite is left out.
    pub fn new(points: impl IntoIterator<Item = (String, f64)>) -> Self {
        let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (name, value) in points.into_iter().filter(|(_, value)| value.is_finite()) {
            all.entry(name).or_default().push(value);
        }
        let fold = |(name, values): (&String, &Vec<f64>)| {
            Some((name.strip_prefix(FIRST_FOLD)?.to_owned(), values.clone()))
        };
        let of_fold: BTreeMap<_, _> = all.iter().filter_map(fold).collect();
        if of_fold.is_empty() { Self(all) } else { Self(of_fold) }
    }

    pub fn of(&self, name: &str) -> &[f64] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn last(&self, name: &str) -> Option<f64> {
        self.of(name).last().copied()
    }

    /// Epochs that have ended.
    pub fn epochs(&self) -> usize {
        self.of("loss").len()
    }

    pub fn judged(&self) -> bool {
        !self.of("val_loss").is_empty()
    }
}

/// The place and the value of the least one.
pub(crate) fn least(values: &[f64]) -> Option<(usize, f64)> {
    let values = values.iter().copied().enumerate();
    values.min_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_cross_validation_the_first_fold_is_read() {
        let points = [("loss", 9.0), ("fold_1_loss", 2.0), ("fold_2_loss", 3.0)];
        let points =
            points.into_iter().chain([("fold_1_val_loss", f64::NAN), ("fold_1_loss", 1.0)]);
        let curves = Curves::new(points.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(curves.of("loss"), [2.0, 1.0]);
        assert_eq!((curves.epochs(), curves.judged()), (2, false));
        assert_eq!(least(curves.of("loss")), Some((1, 1.0)));
    }
}
