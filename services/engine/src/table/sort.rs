//! A column in order, for medians, quartiles and modes, whatever its length: what does not fit into
//! memory is sorted in runs, which a file takes and which are merged as they are read.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    path::{Path, PathBuf},
};

use super::spill::Spill;
use crate::error::EngineError;

/// Numbers of each run that are read at once while runs are merged.
const READ_AT_ONCE: usize = 512;
const BYTES: usize = size_of::<f64>();

/// Numbers, none of them NaN, in the order of [`f64::total_cmp`].
pub(super) struct Sorter {
    /// So many are held in memory.
    limit: usize,
    held: Vec<f64>,
    len: usize,
    folder: PathBuf,
    file: Option<Spill>,
    /// Where each run starts in the file, and how many numbers it has.
    runs: Vec<(u64, usize)>,
}

impl Sorter {
    pub fn new(limit: usize, folder: &Path) -> Self {
        let limit = limit.max(1);
        let (held, folder) = (vec![], folder.to_owned());
        Self { limit, held, len: 0, folder, file: None, runs: vec![] }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn push(&mut self, x: f64) -> Result<(), EngineError> {
        if self.held.len() == self.limit {
            self.write_run()?;
        }
        self.held.push(x);
        self.len += 1;
        Ok(())
    }

    fn write_run(&mut self) -> Result<(), EngineError> {
        self.held.sort_unstable_by(f64::total_cmp);
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(Spill::create(&self.folder)?),
        };
        self.runs.push((file.len(), self.held.len()));
        self.held.iter().try_for_each(|x| file.append(&x.to_le_bytes()))?;
        self.held.clear();
        Ok(())
    }

    /// All numbers, the least first.
    pub fn for_each(&mut self, mut each: impl FnMut(f64)) -> Result<(), EngineError> {
        if self.file.is_none() {
            self.held.sort_unstable_by(f64::total_cmp);
            self.held.iter().copied().for_each(each);
            return Ok(());
        }
        if !self.held.is_empty() {
            self.write_run()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.finish()?;
        let mut runs = Vec::with_capacity(self.runs.len());
        let mut heads = BinaryHeap::with_capacity(self.runs.len());
        for &(start, left) in &self.runs {
            let mut run = Run { at: start, left, read: vec![], place: 0 };
            heads.extend(run.next(file)?.map(|x| Reverse((key(x), runs.len()))));
            runs.push(run);
        }
        while let Some(Reverse((least, run))) = heads.pop() {
            each(from_key(least));
            heads.extend(runs[run].next(file)?.map(|x| Reverse((key(x), run))));
        }
        Ok(())
    }

    /// The numbers at `places` of the order, which ascend.
    pub fn at(&mut self, places: &[usize]) -> Result<Vec<f64>, EngineError> {
        let mut found = Vec::with_capacity(places.len());
        let mut i = 0;
        self.for_each(|x| {
            while places.get(found.len()) == Some(&i) {
                found.push(x);
            }
            i += 1;
        })?;
        Ok(found)
    }

    /// The most frequent number, of equally frequent ones the least; 0 without any.
    pub fn mode(&mut self) -> Result<f64, EngineError> {
        let (mut best, mut run) = ((0.0, 0_usize), (f64::NAN, 0_usize));
        self.for_each(|x| {
            run = if x == run.0 { (run.0, run.1 + 1) } else { (x, 1) };
            if run.1 > best.1 {
                best = run;
            }
        })?;
        Ok(best.0)
    }
}

/// One run while it is read.
struct Run {
    at: u64,
    left: usize,
    read: Vec<u8>,
    place: usize,
}

impl Run {
    fn next(&mut self, file: &Spill) -> Result<Option<f64>, EngineError> {
        if self.place == self.read.len() {
            let n = self.left.min(READ_AT_ONCE);
            if n == 0 {
                return Ok(None);
            }
            self.read.resize(n * BYTES, 0);
            file.read(self.at, &mut self.read)?;
            self.at += self.read.len() as u64;
            self.left -= n;
            self.place = 0;
        }
        let x = f64::from_le_bytes(super::rows::number(&self.read, self.place));
        self.place += BYTES;
        Ok(Some(x))
    }
}

/// Whole numbers in the order of [`f64::total_cmp`].
fn key(x: f64) -> i64 {
    let bits = x.to_bits().cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

fn from_key(key: i64) -> f64 {
    f64::from_bits((key ^ ((key >> 63).cast_unsigned() >> 1).cast_signed()).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(numbers: &[f64], limit: usize) -> (Vec<u64>, f64, Vec<f64>) {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(limit, folder.path());
        numbers.iter().for_each(|&x| sorter.push(x).unwrap());
        let mut order = vec![];
        sorter.for_each(|x| order.push(x.to_bits())).unwrap();
        let mode = sorter.mode().unwrap();
        // more may come after a look
        sorter.push(0.5).unwrap();
        assert_eq!(sorter.len(), numbers.len() + 1);
        let all: Vec<usize> = (0..=numbers.len()).flat_map(|i| [i, i]).collect();
        (order, mode, sorter.at(&all).unwrap())
    }

    #[test]
    fn the_least_of_the_most_frequent_is_the_mode() {
        for limit in [1, 2, 100] {
            assert_eq!(sorted(&[5.0, 5.0, 1.0, -2.0, -2.0], limit).1, -2.0);
            assert_eq!(
                sorted(&[0.0, 3.0, -0.0, 3.0, 0.0], limit).1.to_bits(),
                (-0.0_f64).to_bits()
            );
            assert_eq!(sorted(&[], limit).1, 0.0);
        }
    }

    proptest! {
        #[test]
        fn runs_are_merged_into_the_order_of_one_sort(
            numbers in prop::collection::vec(
                prop_oneof![any::<f64>(), (-3_i8..3).prop_map(f64::from)]
                    .prop_filter("numbers", |x| !x.is_nan()),
                0..200,
            ),
            limit in 1_usize..50,
        ) {
            let (order, mode, twice) = sorted(&numbers, limit);
            let mut expected = numbers.clone();
            expected.sort_unstable_by(f64::total_cmp);
            let bits: Vec<u64> = expected.iter().map(|x| x.to_bits()).collect();
            prop_assert_eq!(order, bits);
            prop_assert_eq!(mode.to_bits(), sorted(&numbers, 1_000).1.to_bits());
            expected.push(0.5);
            expected.sort_unstable_by(f64::total_cmp);
            let expected: Vec<f64> = expected.iter().flat_map(|&x| [x, x]).collect();
            prop_assert_eq!(twice, expected);
        }
    }
}
