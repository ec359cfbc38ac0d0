//! Which rows of a batch are still being read at which step. A group of rows is ordered from the
//! longest to the shortest, so that the rows alive at a step are the first ones, and what is kept of
//! a step lies right behind that of the step before: no work and no memory goes to padding.

use std::ops::Range;

#[derive(Debug)]
pub(super) struct Packing {
    /// Rows of the batch, and how many steps each has, the longest first.
    rows: Vec<(usize, usize)>,
    /// Where each step begins among the packed rows; the last entry is their number.
    offsets: Vec<usize>,
}

impl Packing {
    /// `lengths` are those of the rows from `first` on.
    pub fn new(first: usize, lengths: &[usize]) -> Self {
        let mut rows: Vec<(usize, usize)> =
            lengths.iter().enumerate().map(|(i, &length)| (first + i, length)).collect();
        rows.sort_by_key(|&(_, length)| std::cmp::Reverse(length));
        let steps = rows.first().map_or(0, |row| row.1);
        let mut offsets = vec![0];
        for step in 0..steps {
            let alive = rows.partition_point(|&(_, length)| length > step);
            offsets.push(offsets[step] + alive);
        }
        Self { rows, offsets }
    }

    pub fn steps(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Rows over all steps.
    pub fn packed(&self) -> usize {
        self.offsets[self.steps()]
    }

    /// Packed rows of a step.
    pub fn step(&self, step: usize) -> Range<usize> {
        self.offsets[step]..self.offsets[step + 1]
    }

    /// How many rows have at least one step.
    pub fn first_step(&self) -> usize {
        self.offsets.get(1).copied().unwrap_or(0)
    }

    /// Row of the batch and time of the `i`-th row at a step.
    pub fn place(&self, step: usize, i: usize, reverse: bool) -> (usize, usize) {
        let (row, length) = self.rows[i];
        (row, if reverse { length - 1 - step } else { step })
    }

    /// Where each row ends that has a step.
    pub fn ends(&self) -> impl Iterator<Item = End> {
        let alive = self.rows.iter().take_while(|(_, length)| *length > 0).enumerate();
        alive.map(|(place, &(row, length))| End {
            row,
            place,
            packed: self.offsets[length - 1] + place,
        })
    }
}

/// A row's last step.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    /// Of the batch.
    pub row: usize,
    /// The row's among those of its group, from the longest to the shortest.
    pub place: usize,
    pub packed: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_packed_step_by_step_from_the_longest() {
        let packing = Packing::new(8, &[2, 0, 3]);
        assert_eq!((packing.steps(), packing.packed(), packing.first_step()), (3, 5, 2));
        assert_eq!([packing.step(0), packing.step(1), packing.step(2)], [0..2, 2..4, 4..5]);
        assert_eq!((packing.place(0, 0, false), packing.place(0, 1, false)), ((10, 0), (8, 0)));
        assert_eq!((packing.place(0, 0, true), packing.place(1, 1, true)), ((10, 2), (8, 0)));
        let end = |row, place, packed| End { row, place, packed };
        assert_eq!(packing.ends().collect::<Vec<_>>(), [end(10, 0, 4), end(8, 1, 3)]);
    }

    #[test]
    fn rows_without_a_step_leave_nothing() {
        let packing = Packing::new(0, &[0, 0]);
        assert_eq!((packing.steps(), packing.packed(), packing.first_step()), (0, 0, 0));
        assert_eq!(packing.ends().count(), 0);
    }
}
