//! Least recently used out first, bounded by bytes. Few entries, so a scan is the simplest order.

use domain::ModelId;

type Key = (ModelId, u32);

pub struct Cache<T> {
    budget_bytes: usize,
    /// Most recently used last.
    entries: Vec<(Key, T, usize)>,
}

impl<T: Clone> Cache<T> {
    pub const fn new(budget_bytes: usize) -> Self {
        Self { budget_bytes, entries: Vec::new() }
    }

    pub fn get(&mut self, key: Key) -> Option<T> {
        let at = self.entries.iter().position(|(k, _, _)| *k == key)?;
        let entry = self.entries.remove(at);
        let value = entry.1.clone();
        self.entries.push(entry);
        Some(value)
    }

    /// Keeps at least the newest, however large.
    pub fn put(&mut self, key: Key, value: T, bytes: usize) {
        self.entries.push((key, value, bytes));
        while self.entries.len() > 1 && self.bytes() > self.budget_bytes {
            self.entries.remove(0);
        }
    }

    fn bytes(&self) -> usize {
        self.entries.iter().map(|(_, _, bytes)| bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_goes_first() {
        let key = |n| (ModelId::from_uuid(uuid::Uuid::nil()), n);
        let mut cache = Cache::new(100);
        cache.put(key(1), "one", 40);
        cache.put(key(2), "two", 40);
        assert_eq!(cache.get(key(1)), Some("one"));
        cache.put(key(3), "three", 40);
        assert_eq!(cache.get(key(2)), None, "used longest ago");
        assert_eq!(cache.get(key(1)), Some("one"));
        cache.put(key(4), "four", 1_000);
        assert_eq!(cache.get(key(4)), Some("four"), "one too large is kept alone");
        assert_eq!(cache.get(key(1)), None);
    }
}
