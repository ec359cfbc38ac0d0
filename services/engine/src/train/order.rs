//! The order of an epoch's rows, which seed and epoch alone decide.

use std::cmp::Reverse;

use domain::{child::Member, spec::TrainingSpec};

use crate::{
    balance,
    chance::{Chance, Purpose},
    samples::Samples,
};

/// Batches whose rows are sorted together by length: of many more, batches would differ from epoch to
/// epoch too little, of fewer, they would be padded more.
const GROUPED_BATCHES: usize = 50;

pub(super) fn of_epoch(spec: &TrainingSpec, samples: &Samples, epoch: u64) -> Vec<u32> {
    let rows = samples.rows() as u32;
    let mut order = Chance::new(spec.seed, Purpose::Order, epoch, 0).permutation(rows);
    if spec.oversample
        && let Some(targets) = samples.targets()
    {
        order = balance::oversample(order, targets, spec.seed, epoch);
    }
    if spec.group_by_length {
        let batch = spec.batch_size as usize;
        group_by_length(&mut order, batch, |row| samples.length(row));
        order = shuffle_batches(&order, batch, spec.seed, epoch);
    }
    order
}

/// A member's share: of pieces of `size` rows every so many, from its own on.
pub(super) fn share(order: Vec<u32>, size: usize, member: Member) -> Vec<u32> {
    let (rank, of) = (member.rank as usize, member.of as usize);
    match member {
        Member { of: 1, .. } => order,
        _ => order.chunks(size.max(1)).skip(rank).step_by(of).flatten().copied().collect(),
    }
}

/// As the `LengthGroupedSampler` of Hugging Face's trainer: within groups of batches the longest rows
/// come first, and the longest of all is the first row, so that a run that memory does not hold ends
/// at once.
fn group_by_length(order: &mut [u32], batch: usize, length: impl Fn(u32) -> usize) {
    let batches = (order.len() / batch.saturating_mul(4).max(1)).clamp(1, GROUPED_BATCHES);
    let group = batches.saturating_mul(batch).max(1);
    order.chunks_mut(group).for_each(|rows| rows.sort_by_key(|&row| Reverse(length(row))));
    let firsts = (0..order.len()).step_by(group);
    // of equally long ones the first
    if let Some(longest) = firsts.min_by_key(|&first| Reverse(length(order[first]))) {
        order.swap(0, longest);
    }
}

/// Batches in random order, where Hugging Face's go from long to short again and again: on film reviews
/// a network learned more of an epoch so. The first batch, with the longest row, stays the first; a
/// last one that is not full stays the last.
fn shuffle_batches(order: &[u32], batch: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let others = (order.len() / batch.max(1)).saturating_sub(1) as u32;
    let mut shuffled = order[..batch.min(order.len())].to_vec();
    for place in Chance::new(seed, Purpose::Order, epoch, 2).permutation(others) {
        shuffled.extend_from_slice(&order[(place as usize + 1) * batch..][..batch]);
    }
    shuffled.extend_from_slice(&order[shuffled.len()..]);
    shuffled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths as ragged as those of reviews.
    fn length(row: u32) -> usize {
        let u = f64::from(Chance::new(1, Purpose::Split, row.into(), 0).unit());
        (20.0 - 150.0 * (1.0 - u).ln()) as usize
    }

    fn shuffled(rows: u32, epoch: u64) -> Vec<u32> {
        Chance::new(5, Purpose::Order, epoch, 0).permutation(rows)
    }

    fn grouped(rows: u32, epoch: u64, batch: usize) -> Vec<u32> {
        let mut order = shuffled(rows, epoch);
        group_by_length(&mut order, batch, length);
        shuffle_batches(&order, batch, 5, epoch)
    }

    /// The share of all places of padded batches that no row fills.
    fn padding(order: &[u32], batch: usize) -> f64 {
        let mut places = 0;
        for rows in order.chunks(batch) {
            places += rows.len() * rows.iter().map(|&row| length(row)).max().unwrap();
        }
        1.0 - order.iter().map(|&row| length(row)).sum::<usize>() as f64 / places as f64
    }

    #[test]
    fn every_row_comes_once_and_epochs_differ() {
        for (rows, batch) in [(0, 8), (1, 8), (7, 8), (33, 8), (5_003, 32), (100, 100), (9, 1)] {
            let mut order = grouped(rows, 0, batch);
            assert_eq!(order, grouped(rows, 0, batch));
            if rows > 4 * batch as u32 {
                assert_ne!(order, grouped(rows, 1, batch));
            }
            let longest = (0..rows).map(length).max();
            assert_eq!(order.first().map(|&row| length(row)), longest);
            order.sort_unstable();
            assert_eq!(order, (0..rows).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn whole_batches_are_shuffled_but_for_the_first() {
        let order: Vec<u32> = (0..23).collect();
        let shuffled = shuffle_batches(&order, 4, 1, 0);
        assert_eq!((&shuffled[..4], &shuffled[20..]), (&order[..4], &order[20..]));
        assert!(shuffled.chunks(4).all(|batch| order.chunks(4).any(|other| other == batch)));
        assert_ne!(shuffled, order);
        assert_ne!(shuffled, shuffle_batches(&order, 4, 1, 1));
    }

    #[test]
    fn each_row_is_one_members() {
        for (rows, size, of) in [(23, 4, 2), (23, 4, 3), (7, 8, 4), (24, 4, 6), (9, 1, 2)] {
            let order = shuffled(rows, 0);
            let shares: Vec<Vec<u32>> =
                (0..of).map(|rank| share(order.clone(), size, Member { rank, of })).collect();
            let whole: Vec<&[u32]> = order.chunks(size).collect();
            let mut members = shares.iter().map(|share| share.chunks(size)).collect::<Vec<_>>();
            for (i, batch) in whole.iter().enumerate() {
                assert_eq!(members[i % of as usize].next(), Some(*batch));
            }
            assert!(members.into_iter().all(|mut rest| rest.next().is_none()));
        }
        let order = shuffled(9, 1);
        assert_eq!(share(order.clone(), 2, Member::ALONE), order);
    }

    #[test]
    fn far_less_of_a_batch_is_padding() {
        let (plain, grouped) =
            (padding(&shuffled(6_000, 0), 32), padding(&grouped(6_000, 0, 32), 32));
        assert!(plain > 0.7 && grouped < 0.1, "{plain} {grouped}");
    }

    #[test]
    fn rows_are_sorted_in_groups_of_fifty_batches() {
        let grouped = |rows| {
            let mut order = shuffled(rows, 3);
            group_by_length(&mut order, 2, length);
            order
        };
        let order = grouped(1_000);
        let falls = |rows: &[u32]| rows.is_sorted_by_key(|&row| Reverse(length(row)));
        // but for the first rows of groups, one of which is now the longest of all
        assert!(order.chunks(100).all(|group| falls(&group[1..])));
        assert!(!falls(&order));
        // where rows are few there are four groups
        let order = grouped(96);
        assert!(order.chunks(24).all(|group| falls(&group[1..])) && !falls(&order));
    }
}
