//! What is kept in memory, by size: those used longest ago make room. Few entries, so a scan is the simplest
//! order. Places are taken before a model is read, so that what is being read counts too.

use domain::ModelId;

/// A version.
pub type Key = (ModelId, u32);

pub struct Shelf<T> {
    budget_bytes: u64,
    /// Most recently used last.
    entries: Vec<Entry<T>>,
}

struct Entry<T> {
    key: Key,
    value: T,
    bytes: u64,
    /// Still being read: it does not make room.
    held: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// Larger than everything together may be.
    TooLarge { bytes: u64, budget_bytes: u64 },
    /// There will be once what is being read has been.
    Crowded,
}

impl<T> Shelf<T> {
    pub const fn new(budget_bytes: u64) -> Self {
        Self { budget_bytes, entries: Vec::new() }
    }

    /// It is now the one used last.
    pub fn get(&mut self, key: Key) -> Option<&T> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        let entry = self.entries.remove(at);
        self.entries.push(entry);
        self.entries.last().map(|entry| &entry.value)
    }

    /// In place of what was there under the key. What goes for it is told.
    pub fn put(
        &mut self,
        key: Key,
        (bytes, held): (u64, bool),
        value: impl FnOnce() -> T,
    ) -> Result<Vec<Key>, NoRoom> {
        let budget_bytes = self.budget_bytes;
        if bytes > budget_bytes {
            return Err(NoRoom::TooLarge { bytes, budget_bytes });
        }
        let stays = |entry: &&Entry<T>| entry.held && entry.key != key;
        let staying: u64 = self.entries.iter().filter(stays).map(|entry| entry.bytes).sum();
        if staying.saturating_add(bytes) > budget_bytes {
            return Err(NoRoom::Crowded);
        }
        self.remove(key);
        let mut gone = Vec::new();
        while self.bytes().saturating_add(bytes) > budget_bytes {
            let at = self.entries.iter().position(|entry| !entry.held);
            gone.push(self.entries.remove(at.expect("the others leave room")).key);
        }
        self.entries.push(Entry { key, value: value(), bytes, held });
        Ok(gone)
    }

    pub fn remove(&mut self, key: Key) {
        self.entries.retain(|entry| entry.key != key);
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|entry| &entry.value)
    }

    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        (ModelId::from_uuid(uuid::Uuid::nil()), number)
    }

    fn put(shelf: &mut Shelf<u32>, number: u32, bytes: u64, held: bool) -> Vec<u32> {
        let gone = shelf.put(key(number), (bytes, held), || number).unwrap();
        gone.into_iter().map(|(_, number)| number).collect()
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let mut shelf = Shelf::new(100);
        assert!(put(&mut shelf, 1, 40, false).is_empty());
        assert!(put(&mut shelf, 2, 40, false).is_empty());
        assert_eq!(shelf.get(key(1)), Some(&1));
        assert_eq!(put(&mut shelf, 3, 40, false), [2], "used longest ago");
        assert_eq!(put(&mut shelf, 4, 100, false), [1, 3]);
        assert_eq!(shelf.get(key(1)), None);
        assert_eq!(shelf.bytes(), 100);
    }

    #[test]
    fn what_is_larger_than_all_may_be_is_refused_and_nothing_goes_for_it() {
        let mut shelf = Shelf::new(100);
        put(&mut shelf, 1, 60, false);
        let refused = shelf.put(key(2), (101, false), || 2).unwrap_err();
        assert_eq!(refused, NoRoom::TooLarge { bytes: 101, budget_bytes: 100 });
        assert_eq!(shelf.get(key(1)), Some(&1));
    }

    #[test]
    fn what_is_being_read_keeps_its_place() {
        let mut shelf = Shelf::new(100);
        put(&mut shelf, 1, 50, true);
        put(&mut shelf, 2, 40, false);
        assert_eq!(shelf.put(key(3), (60, true), || 3), Err(NoRoom::Crowded));
        assert_eq!(put(&mut shelf, 3, 50, true), [2]);
        // read: it takes what it takes, in its own place
        assert!(put(&mut shelf, 1, 45, false).is_empty());
        assert_eq!(put(&mut shelf, 4, 10, false), [1], "it makes room now");
        shelf.remove(key(3));
        assert_eq!(shelf.bytes(), 10);
    }
}
