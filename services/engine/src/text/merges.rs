//! Learns which pairs of symbols to join: byte-pair encoding (Sennrich et al., 2016), which WordPiece's
//! vocabulary is trained with too.
//!
//! Everything that decides is ordered (counts, then the symbols' own order), so the same texts give
//! the same tokens whatever the number of threads.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
};

use super::vocabulary::{UNKNOWN, Vocabulary};

pub(super) type Pair = (u32, u32);

/// A pair that occurs once says nothing about the next text.
const MIN_PAIRS: i64 = 2;

/// A word as symbols and how often it occurs.
pub(super) struct Counted {
    pub symbols: Vec<u32>,
    pub count: u64,
}

/// Joins the most frequent pair again and again until the vocabulary holds `size` tokens or no pair
/// occurs twice. `continuing` is what marks tokens inside a word (`##`).
pub(super) fn learn(
    mut words: Vec<Counted>,
    vocabulary: &mut Vocabulary,
    size: usize,
    continuing: &str,
) -> Vec<Pair> {
    let mut pairs = Pairs::default();
    for (i, word) in words.iter().enumerate() {
        pairs.count(word, i, 1);
    }
    let mut queue: BinaryHeap<(i64, Reverse<Pair>)> =
        pairs.counts.iter().map(|(&pair, &count)| (count, Reverse(pair))).collect();
    let mut merges = vec![];
    while vocabulary.len() < size {
        let Some((count, Reverse(pair))) = queue.pop() else { break };
        let now = pairs.counts.get(&pair).copied().unwrap_or(0);
        if now < MIN_PAIRS {
            continue;
        }
        if now != count {
            queue.push((now, Reverse(pair)));
            continue;
        }
        let second = vocabulary.token(pair.1);
        let second = second.strip_prefix(continuing).unwrap_or(second);
        let joined = vocabulary.add(&format!("{}{second}", vocabulary.token(pair.0)));
        merges.push(pair);
        for new in pairs.join(&mut words, pair, joined) {
            if let Some(&count) = pairs.counts.get(&new) {
                queue.push((count, Reverse(new)));
            }
        }
    }
    merges
}

/// How often each pair occurs, and in which words.
#[derive(Default)]
struct Pairs {
    counts: HashMap<Pair, i64>,
    places: HashMap<Pair, Vec<usize>>,
}

impl Pairs {
    /// Adds a word's pairs, or takes them away where `sign` is -1.
    fn count(&mut self, word: &Counted, place: usize, sign: i64) {
        let weight = sign.saturating_mul(word.count as i64);
        for pair in word.symbols.windows(2).map(|w| (w[0], w[1])) {
            if pair.0 == UNKNOWN || pair.1 == UNKNOWN {
                continue;
            }
            *self.counts.entry(pair).or_default() += weight;
            if sign > 0 {
                let places = self.places.entry(pair).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
    }

    /// Joins a pair wherever it occurs and tells the pairs that this made.
    fn join(&mut self, words: &mut [Counted], pair: Pair, joined: u32) -> BTreeSet<Pair> {
        let mut places = self.places.remove(&pair).unwrap_or_default();
        places.sort_unstable();
        places.dedup();
        let mut made = BTreeSet::new();
        for place in places {
            let word = &mut words[place];
            if !word.symbols.windows(2).any(|w| (w[0], w[1]) == pair) {
                continue;
            }
            self.count(word, place, -1);
            join_all(&mut word.symbols, pair, joined);
            self.count(word, place, 1);
            let neighbours = word.symbols.windows(2).map(|w| (w[0], w[1]));
            made.extend(neighbours.filter(|p| p.0 == joined || p.1 == joined));
        }
        self.counts.remove(&pair);
        made
    }
}

/// From left to right, in place.
fn join_all(symbols: &mut Vec<u32>, pair: Pair, joined: u32) {
    let (mut read, mut write) = (0, 0);
    while read < symbols.len() {
        let here = symbols.get(read + 1).is_some_and(|&next| (symbols[read], next) == pair);
        symbols[write] = if here { joined } else { symbols[read] };
        read += if here { 2 } else { 1 };
        write += 1;
    }
    symbols.truncate(write);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(words: &[(&str, u64)], size: usize) -> Vec<String> {
        let mut vocabulary = Vocabulary::new();
        let mut letters: Vec<char> = words.iter().flat_map(|(w, _)| w.chars()).collect();
        letters.sort_unstable();
        letters.iter().for_each(|c| {
            vocabulary.add(&c.to_string());
        });
        let counted = words.iter().map(|&(word, count)| Counted {
            symbols: word
                .chars()
                .map(|c| vocabulary.id(&c.to_string()).unwrap_or(UNKNOWN))
                .collect(),
            count,
        });
        let counted = counted.collect();
        learn(counted, &mut vocabulary, size, "##")
            .into_iter()
            .map(|(a, b)| format!("{}+{}", vocabulary.token(a), vocabulary.token(b)))
            .collect()
    }

    #[test]
    fn merges_are_those_of_the_paper() {
        // Sennrich et al. (2016), figure 1, without its end-of-word sign.
        let words = [("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)];
        let merges = learned(&words, 22);
        assert_eq!(merges[..4], ["e+s", "es+t", "l+o", "lo+w"]);
    }

    #[test]
    fn repeats_and_rare_pairs_end_the_loop() {
        assert_eq!(learned(&[("aaaa", 1)], 100), ["a+a"]);
        assert_eq!(learned(&[("aaaaa", 3)], 100), ["a+a", "aa+a", "aa+aaa"]);
        assert!(learned(&[("abc", 1)], 100).is_empty());
        assert!(learned(&[], 100).is_empty());
    }
}
