//! Which rows train and which validate: a share held back, or folds that take turns. Seeded, and a
//! function of the seed and the number of rows (and classes) alone.

use std::{cmp::Reverse, collections::BTreeMap};

use domain::spec::{CrossValidation, validation_rows};

use crate::chance::{Chance, Purpose};

/// Row numbers of each part, in random order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Split {
    pub training: Vec<u32>,
    pub validation: Vec<u32>,
}

impl Split {
    fn of(order: &[u32], is_validation: impl Fn(u32) -> bool) -> Self {
        // of exactly the size, as there may be very many
        let held_back = order.iter().filter(|&&row| is_validation(row)).count();
        let mut training = Vec::with_capacity(order.len() - held_back);
        let mut validation = Vec::with_capacity(held_back);
        for &row in order {
            if is_validation(row) { &mut validation } else { &mut training }.push(row);
        }
        Self { training, validation }
    }
}

/// The stratum of a row, as a key: its target's bits.
fn stratum(strata: &[f64], row: u32) -> u64 {
    (strata[row as usize] + 0.0).to_bits()
}

fn shuffled(rows: u32, seed: u64, strata: Option<&[f64]>) -> Vec<u32> {
    let known = strata.map_or(rows as usize, <[f64]>::len);
    assert_eq!(known, rows as usize, "each row has a stratum");
    Chance::new(seed, Purpose::Split, 0, 0).permutation(rows)
}

/// Holds back `share` of the rows, rounded down: the last ones of the shuffle or, with strata (a
/// number for each row), the last ones of each stratum in its share. Each stratum's part is then
/// less than one row from exact, and no stratum is held back as a whole if that can be avoided.
pub(crate) fn hold_out(rows: u32, share: f64, seed: u64, strata: Option<&[f64]>) -> Split {
    let mut order = shuffled(rows, seed, strata);
    let held_back = validation_rows(u64::from(rows), share).min(u64::from(rows));
    let Some(strata) = strata else {
        let validation = order.split_off(order.len() - held_back as usize);
        return Split { training: order, validation };
    };
    let mut counts = BTreeMap::new();
    for row in 0..rows {
        *counts.entry(stratum(strata, row)).or_insert(0) += 1;
    }
    let mut quotas = quotas(&counts, u64::from(rows), held_back);
    let mut is_validation = vec![false; rows as usize];
    for &row in order.iter().rev() {
        if let Some(left) = quotas.get_mut(&stratum(strata, row)).filter(|left| **left > 0) {
            *left -= 1;
            is_validation[row as usize] = true;
        }
    }
    Split::of(&order, |row| is_validation[row as usize])
}

/// `seats` of `rows` shared among the strata by the method of largest remainders.
fn quotas(counts: &BTreeMap<u64, u64>, rows: u64, seats: u64) -> BTreeMap<u64, u64> {
    // Rows and seats are below 2^32 each.
    let whole = |count: u64| count * seats / rows;
    let mut quotas: BTreeMap<u64, u64> = counts.iter().map(|(&s, &n)| (s, whole(n))).collect();
    let left = seats - quotas.values().sum::<u64>();
    let mut next: Vec<_> = counts
        .iter()
        .map(|(&stratum, &n)| (n == whole(n) + 1, Reverse(n * seats % rows), stratum))
        .filter(|(_, Reverse(remainder), _)| *remainder > 0)
        .collect();
    next.sort_unstable();
    for (.., stratum) in next.into_iter().take(left as usize) {
        *quotas.entry(stratum).or_default() += 1;
    }
    quotas
}

/// One of the folds of which each validates once, as scikit-learn's `KFold` or `StratifiedKFold` with shuffling:
/// the sizes of the folds differ by at most one row, and so do the rows of each stratum in them.
pub(crate) fn fold(
    rows: u32,
    cross_validation: CrossValidation,
    fold: u32,
    seed: u64,
    strata: Option<&[f64]>,
) -> Split {
    let order = shuffled(rows, seed, strata);
    let mut dealt = order.clone();
    if let Some(strata) = strata.filter(|_| cross_validation.stratified) {
        // The sort is stable: rows of a stratum stay shuffled.
        dealt.sort_by_key(|&row| stratum(strata, row));
    }
    let mut is_validation = vec![false; rows as usize];
    for &row in dealt.iter().skip(fold as usize).step_by(cross_validation.folds.max(1) as usize) {
        is_validation[row as usize] = true;
    }
    drop(dealt);
    Split::of(&order, |row| is_validation[row as usize])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(rows: &[u32], strata: &[f64], class: f64) -> usize {
        rows.iter().filter(|&&row| strata[row as usize] == class).count()
    }

    fn folds(rows: u32, of: CrossValidation, seed: u64, strata: Option<&[f64]>) -> Vec<Split> {
        (0..of.folds).map(|k| fold(rows, of, k, seed, strata)).collect()
    }

    fn assert_parts(split: &Split, rows: usize) {
        let mut all = [&split.training[..], &split.validation].concat();
        all.sort_unstable();
        assert_eq!(all, (0..rows as u32).collect::<Vec<u32>>());
    }

    #[test]
    fn without_strata_the_last_part_of_the_shuffle_is_held_back() {
        let order = Chance::new(7, Purpose::Split, 0, 0).permutation(103);
        let split = hold_out(103, 0.2, 7, None);
        assert_eq!([&split.training[..], &split.validation].concat(), order);
        assert_eq!(split.validation.len(), 20);
        assert_eq!(hold_out(103, 0.2, 7, Some(&[1.0; 103])), split);
    }

    #[test]
    fn extreme_shares_and_no_rows_are_splits_too() {
        for (rows, share, held_back) in
            [(0, 0.5, 0), (4, 0.0, 0), (4, 1.0, 4), (4, 7.0, 4), (4, -1.0, 0), (4, f64::NAN, 0)]
        {
            let strata = vec![f64::NAN; rows as usize];
            for strata in [None, Some(&strata[..])] {
                let split = hold_out(rows, share, 1, strata);
                assert_parts(&split, rows as usize);
                assert_eq!(split.validation.len(), held_back);
            }
        }
        let of = |folds| CrossValidation { folds, stratified: true };
        assert!(folds(3, of(0), 1, None).is_empty());
        assert_eq!(folds(0, of(2), 1, Some(&[])).len(), 2);
    }

    #[test]
    fn a_single_row_of_a_class_trains_rather_than_validates() {
        let mut strata = vec![0.0; 9];
        strata.push(1.0);
        for seed in 0..20 {
            let split = hold_out(10, 0.5, seed, Some(&strata));
            assert_eq!((split.validation.len(), count(&split.training, &strata, 1.0)), (5, 1));
        }
    }

    proptest! {
        #[test]
        fn strata_are_held_back_in_their_shares(
            classes in prop::collection::vec(0_u8..5, 1..200),
            share in 0.0_f64..1.0,
            seed in any::<u64>(),
        ) {
            let strata: Vec<f64> = classes.iter().map(|&c| f64::from(c)).collect();
            let rows = strata.len();
            let split = hold_out(rows as u32, share, seed, Some(&strata));
            assert_parts(&split, rows);
            let held_back = (rows as f64 * share).floor();
            prop_assert_eq!(split.validation.len() as f64, held_back);
            for class in 0..5 {
                let class = f64::from(class);
                let exact = strata.iter().filter(|&&s| s == class).count() as f64
                    * held_back / rows as f64;
                let held = count(&split.validation, &strata, class) as f64;
                prop_assert!((held - exact).abs() < 1.0, "{held} of {exact}");
            }
        }

        #[test]
        fn every_row_validates_once_and_folds_are_even(
            classes in prop::collection::vec(0_u8..5, 1..200),
            folds in 2_u32..8,
            stratified in any::<bool>(),
            seed in any::<u64>(),
        ) {
            let strata: Vec<f64> = classes.iter().map(|&c| f64::from(c)).collect();
            let rows = strata.len();
            let of = CrossValidation { folds, stratified };
            let splits = super::tests::folds(rows as u32, of, seed, Some(&strata));
            prop_assert_eq!(splits.len(), folds as usize);
            let mut validated: Vec<u32> = Vec::new();
            for split in &splits {
                assert_parts(split, rows);
                validated.extend(&split.validation);
            }
            validated.sort_unstable();
            prop_assert_eq!(validated, (0..rows as u32).collect::<Vec<u32>>());
            let spread = |size: &dyn Fn(&Split) -> usize| {
                let sizes: Vec<usize> = splits.iter().map(size).collect();
                sizes.iter().max().unwrap() - sizes.iter().min().unwrap()
            };
            prop_assert!(spread(&|s| s.validation.len()) <= 1);
            if stratified {
                for class in 0..5 {
                    let in_fold = |s: &Split| count(&s.validation, &strata, f64::from(class));
                    prop_assert!(spread(&in_fold) <= 1);
                }
            } else {
                prop_assert_eq!(splits, super::tests::folds(rows as u32, of, seed, None));
            }
        }
    }
}
