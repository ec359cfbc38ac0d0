//! Rows as records of one width, in memory while they are few and in a file once they are many.

use std::path::{Path, PathBuf};

use super::spill::Spill;
use crate::error::EngineError;

/// Memory is taken in pieces, so that it never has to be moved to grow.
const BLOCK_BYTES: usize = 256 << 10;

/// What rows may take of memory before they go to a file, and the folder that takes the file.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub bytes: u64,
    pub folder: PathBuf,
}

pub(super) struct Rows {
    width: usize,
    len: usize,
    blocks: Vec<Vec<u8>>,
    file: Option<Spill>,
    room: Room,
}

impl Rows {
    /// Records of so many bytes, at least one.
    pub fn new(width: usize, room: Room) -> Self {
        Self { width: width.max(1), len: 0, blocks: vec![], file: None, room }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn folder(&self) -> &Path {
        &self.room.folder
    }

    pub fn in_memory(&self) -> bool {
        self.file.is_none()
    }

    /// Of memory.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().map(|block| block.len() as u64).sum()
    }

    /// As many bytes as are left of the room.
    pub fn bytes_left(&self) -> u64 {
        self.room.bytes.saturating_sub(self.bytes())
    }

    fn per_block(&self) -> usize {
        (BLOCK_BYTES / self.width).max(1)
    }

    /// A record of exactly the width.
    pub fn push(&mut self, record: &[u8]) -> Result<(), EngineError> {
        assert_eq!(record.len(), self.width, "all records are of one width");
        let taken = (self.len as u64 + 1).saturating_mul(self.width as u64);
        if self.file.is_none() && taken > self.room.bytes {
            let mut file = Spill::create(&self.room.folder)?;
            for block in self.blocks.drain(..) {
                file.append(&block)?;
            }
            self.file = Some(file);
        }
        let per_block = self.per_block();
        match &mut self.file {
            Some(file) => file.append(record)?,
            None => {
                if self.len.is_multiple_of(per_block) {
                    self.blocks.push(Vec::with_capacity(per_block * self.width));
                }
                let last = self.blocks.last_mut().expect("one was just made");
                last.extend_from_slice(record);
            }
        }
        self.len += 1;
        Ok(())
    }

    /// No record comes any more.
    pub fn finish(&mut self) -> Result<(), EngineError> {
        match &mut self.file {
            Some(file) => file.finish(),
            None => Ok(()),
        }
    }

    /// Record `i` of finished rows; `buffer` may be used for it.
    pub fn record<'a>(
        &'a self,
        i: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], EngineError> {
        let Some(file) = &self.file else {
            let per_block = self.per_block();
            return Ok(&self.blocks[i / per_block][i % per_block * self.width..][..self.width]);
        };
        assert!(i < self.len, "record {i} of {}", self.len);
        buffer.resize(self.width, 0);
        file.read(i as u64 * self.width as u64, buffer)?;
        Ok(buffer)
    }

    /// The records of `rows`, in their order.
    pub fn visit(
        &self,
        rows: impl IntoIterator<Item = u32>,
        mut each: impl FnMut(&[u8]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let mut buffer = vec![];
        rows.into_iter().try_for_each(|i| each(self.record(i as usize, &mut buffer)?))
    }
}

/// A long list of row numbers, which is kept where the rows are.
pub(super) struct List(Rows);

impl List {
    pub fn beside(rows: &Rows, numbers: &[u32]) -> Result<Self, EngineError> {
        let bytes = if rows.in_memory() { u64::MAX } else { 0 };
        let mut list = Rows::new(size_of::<u32>(), Room { bytes, folder: rows.folder().into() });
        numbers.iter().try_for_each(|number| list.push(&number.to_le_bytes()))?;
        list.finish()?;
        Ok(Self(list))
    }

    pub fn get(&self, i: usize, buffer: &mut Vec<u8>) -> Result<u32, EngineError> {
        Ok(u32::from_le_bytes(number(self.0.record(i, buffer)?, 0)))
    }
}

/// The bytes of a number within a record.
pub(super) fn number<const N: usize>(record: &[u8], place: usize) -> [u8; N] {
    *record[place..].first_chunk().expect("a record is as wide as its columns")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(width: usize, n: u32, bytes: u64, folder: &Path) -> Rows {
        let mut rows = Rows::new(width, Room { bytes, folder: folder.into() });
        for i in 0..n {
            rows.push(&i.to_le_bytes().repeat(width / 4)).unwrap();
        }
        rows.finish().unwrap();
        rows
    }

    #[test]
    fn records_are_the_same_in_memory_and_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for (width, n) in [(4, 200_000), (12, 50_000), (400_000, 5)] {
            let all = u64::from(n) * width as u64;
            for (bytes, in_memory) in [(u64::MAX, true), (all, true), (all - 1, false), (0, false)]
            {
                let rows = rows(width, n, bytes, folder.path());
                assert_eq!((rows.len(), rows.in_memory()), (n as usize, in_memory));
                assert_eq!(rows.bytes(), if in_memory { all } else { 0 });
                let picked = [n - 1, 0, n / 2, n / 2 + 1, 1];
                let mut seen = vec![];
                rows.visit(picked, |record| {
                    assert_eq!(record.len(), width);
                    seen.push(u32::from_le_bytes(number(record, width - 4)));
                    Ok(())
                })
                .unwrap();
                assert_eq!(seen, picked);
                let list = List::beside(&rows, &picked).unwrap();
                let got = (0..picked.len()).map(|i| list.get(i, &mut vec![]).unwrap());
                assert_eq!(got.collect::<Vec<u32>>(), picked);
            }
        }
    }
}
