//! Token ids of many rows, and batches of them.

use super::vocabulary::UNKNOWN;
use crate::chance::Chance;

/// Ragged token ids of many rows in one piece.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tokens {
    pub(super) ids: Vec<u32>,
    ends: Vec<usize>,
}

/// A batch, padded with 0 on the right to its longest row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Padded {
    /// Row by row.
    pub ids: Vec<i32>,
    pub length: usize,
    /// Each row's own length.
    pub lengths: Vec<usize>,
}

impl Tokens {
    pub fn push(&mut self, row: &[u32]) {
        self.ids.extend_from_slice(row);
        self.ends.push(self.ids.len());
    }

    pub fn append(&mut self, more: &Self) {
        let offset = self.ids.len();
        self.ids.extend_from_slice(&more.ids);
        self.ends.extend(more.ends.iter().map(|end| offset + end));
    }

    pub fn row(&self, i: usize) -> &[u32] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.ids[start..self.ends[i]]
    }

    pub fn batch(&self, rows: &[u32]) -> Padded {
        let rows: Vec<&[u32]> = rows.iter().map(|&i| self.row(i as usize)).collect();
        Padded::new(&rows)
    }
}

impl Padded {
    pub fn new(rows: &[&[u32]]) -> Self {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let length = lengths.iter().copied().max().unwrap_or(0);
        let mut ids = vec![0; length * rows.len()];
        if length > 0 {
            for (row, padded) in rows.iter().zip(ids.chunks_exact_mut(length)) {
                // Ids are below a vocabulary's limit of a million.
                row.iter().zip(padded).for_each(|(&id, slot)| *slot = id as i32);
            }
        }
        Self { ids, length, lengths }
    }
}

/// Each token becomes `[UNK]` with the chance `rate`; padding stays.
pub(crate) fn token_dropout(padded: &mut Padded, rate: f64, chance: &mut Chance) {
    if padded.length == 0 {
        return;
    }
    for (row, &length) in padded.ids.chunks_exact_mut(padded.length).zip(&padded.lengths) {
        for id in &mut row[..length] {
            if f64::from(chance.unit()) < rate {
                *id = UNKNOWN as i32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Purpose;

    fn tokens(rows: &[&[u32]]) -> Tokens {
        let mut tokens = Tokens::default();
        rows.iter().for_each(|row| tokens.push(row));
        tokens
    }

    #[test]
    fn a_batch_is_as_long_as_its_longest_row() {
        let mut all = tokens(&[&[2, 3, 4], &[5]]);
        all.append(&tokens(&[&[6, 7], &[8, 9, 10, 11]]));
        assert_eq!([0, 1, 2, 3].map(|i| all.row(i).len()), [3, 1, 2, 4]);
        assert_eq!(all.row(2), [6, 7]);
        let batch = all.batch(&[2, 1, 2]);
        assert_eq!(
            batch,
            Padded { ids: vec![6, 7, 5, 0, 6, 7], length: 2, lengths: vec![2, 1, 2] }
        );
        assert_eq!(all.batch(&[]), Padded { ids: vec![], length: 0, lengths: vec![] });
    }

    #[test]
    fn dropout_hits_the_share_that_was_asked_and_no_padding() {
        let rows: Vec<Vec<u32>> = (0..200).map(|i| vec![9; 1 + i % 100]).collect();
        let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        let whole = Padded::new(&rows);
        let dropped = |seed, rate| {
            let mut padded = whole.clone();
            token_dropout(&mut padded, rate, &mut Chance::new(seed, Purpose::Augmentation, 0, 0));
            padded
        };
        let count = |padded: &Padded, id| padded.ids.iter().filter(|&&i| i == id).count();
        let some = dropped(1, 0.2);
        assert_eq!(count(&some, 0), count(&whole, 0));
        let share = count(&some, 1) as f64 / count(&whole, 9) as f64;
        assert!((share - 0.2).abs() < 0.02, "{share}");
        assert_eq!(some, dropped(1, 0.2));
        assert_ne!(some, dropped(2, 0.2));
        assert_eq!(dropped(1, 0.0), whole);
        assert_eq!(count(&dropped(1, 1.0), 9), 0);
        let mut none = Padded::new(&[]);
        token_dropout(&mut none, 0.5, &mut Chance::new(1, Purpose::Augmentation, 0, 0));
    }
}
