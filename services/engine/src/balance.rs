//! What to do about classes that are rarer than others: let each of their rows count for more, or
//! show them more often.

use std::collections::BTreeMap;

use domain::spec::ClassWeight;

use crate::chance::{Chance, Purpose};

/// How much each class counts in the loss. Balanced weights are scikit-learn's
/// `compute_class_weight('balanced')`: rows / (classes * rows of the class), of the classes that the
/// training rows have, so that the mean weight of a row is 1. Classes without rows or without a given
/// weight get 1.
pub(crate) fn class_weights(weight: &ClassWeight, classes: &[String], targets: &[f64]) -> Vec<f64> {
    match weight {
        ClassWeight::Given(given) => {
            classes.iter().map(|class| given.get(class).copied().unwrap_or(1.0)).collect()
        }
        ClassWeight::Balanced => {
            let mut counts = vec![0_u64; classes.len()];
            for &target in targets {
                if let Some(count) = counts.get_mut(target as usize) {
                    *count += 1;
                }
            }
            let rows: u64 = counts.iter().sum();
            let present = counts.iter().filter(|&&count| count > 0).count() as u64;
            let weight = |&count: &u64| match count {
                0 => 1.0,
                count => rows as f64 / (present * count) as f64,
            };
            counts.iter().map(weight).collect()
        }
    }
}

/// Rows of an epoch after [`oversample`], known before the first.
pub(crate) fn oversampled_rows(targets: &[f64]) -> u64 {
    let mut counts = BTreeMap::new();
    for target in targets {
        *counts.entry(target.to_bits()).or_insert(0_u64) += 1;
    }
    counts.len() as u64 * counts.values().max().copied().unwrap_or(0)
}

/// The rows of an epoch, those of rarer classes drawn again until every class is as frequent as the
/// most frequent one, in random order. All rows of a class are drawn equally often, or once more.
/// `targets` are the classes by row number.
pub(crate) fn oversample(mut order: Vec<u32>, targets: &[f64], seed: u64, epoch: u64) -> Vec<u32> {
    let mut by_class: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for &row in &order {
        by_class.entry(targets[row as usize].to_bits()).or_default().push(row);
    }
    let most = by_class.values().map(Vec::len).max().unwrap_or(0);
    let mut chance = Chance::new(seed, Purpose::Sampling, epoch, 0);
    for rows in by_class.values_mut() {
        shuffle(rows, &mut chance);
        order.extend(rows.iter().cycle().take(most - rows.len()));
    }
    shuffle(&mut order, &mut chance);
    order
}

/// Fisher and Yates' shuffle.
fn shuffle(rows: &mut [u32], chance: &mut Chance) {
    for i in (1..rows.len()).rev() {
        rows.swap(i, chance.below(i as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(classes: &[&str]) -> Vec<String> {
        classes.iter().map(|&c| c.to_owned()).collect()
    }

    // compute_class_weight('balanced', classes=[0, 1, 2], y=[0, 0, 0, 1, 2, 2, 0]) of scikit-learn.
    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        let targets = [0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 0.0];
        let weights = class_weights(&ClassWeight::Balanced, &names(&["a", "b", "c"]), &targets);
        for (weight, expected) in weights.iter().zip([
            0.583_333_333_333_333_4,
            2.333_333_333_333_333_5,
            1.166_666_666_666_666_7,
        ]) {
            assert!((weight - expected).abs() < 1e-12, "{weights:?}");
        }
    }

    #[test]
    fn absent_and_unnamed_classes_weigh_one() {
        let classes = names(&["a", "b", "c"]);
        let balanced = class_weights(&ClassWeight::Balanced, &classes, &[0.0, 2.0, 2.0, 2.0]);
        assert_eq!(balanced, [2.0, 1.0, 4.0 / 6.0]);
        assert_eq!(class_weights(&ClassWeight::Balanced, &classes, &[]), [1.0; 3]);
        let given = ClassWeight::Given([("b".to_owned(), 5.0)].into());
        assert_eq!(class_weights(&given, &classes, &[0.0]), [1.0, 5.0, 1.0]);
    }

    proptest! {
        #[test]
        fn oversampling_makes_classes_equal(
            targets in prop::collection::vec((0_u8..4).prop_map(f64::from), 0..100),
            seed in any::<u64>(),
            epoch in 0_u64..3,
        ) {
            let order: Vec<u32> = (0..targets.len() as u32).rev().collect();
            let drawn = oversample(order.clone(), &targets, seed, epoch);
            prop_assert_eq!(&drawn, &oversample(order, &targets, seed, epoch));
            prop_assert_eq!(drawn.len() as u64, oversampled_rows(&targets));
            let mut times = vec![0_usize; targets.len()];
            drawn.iter().for_each(|&row| times[row as usize] += 1);
            let mut by_class: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            for (target, &n) in targets.iter().zip(&times) {
                by_class.entry(target.to_bits()).or_default().push(n);
            }
            let most = by_class.values().map(Vec::len).max().unwrap_or(0);
            for times in by_class.values() {
                prop_assert_eq!(times.iter().sum::<usize>(), most);
                let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
                prop_assert!(*least >= 1 && most - least <= 1);
            }
        }
    }

    #[test]
    fn epochs_draw_differently() {
        let targets: Vec<f64> = (0..50).map(|i| f64::from(i % 10 == 0)).collect();
        let draw = |epoch| oversample((0..50).collect(), &targets, 1, epoch);
        assert_ne!(draw(0), draw(1));
    }
}
