//! The texts of a column of categories, each kept once in one piece of text.

use std::ops::Range;

use crate::hash::hash64;

const EMPTY: u32 = u32::MAX;

/// Texts by number, in the order in which they came.
#[derive(Default)]
pub(super) struct Dictionary {
    text: String,
    ends: Vec<usize>,
    /// Numbers of texts, each at the place that its hash says or after it; `EMPTY` between them. The
    /// length is a power of two, and at least twice as many as there are texts.
    places: Vec<u32>,
}

impl Dictionary {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    fn range(&self, number: usize) -> Range<usize> {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        start..self.ends[number]
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| &self.text[self.range(number)])
    }

    /// The text's number, a new one if it is new.
    pub fn number(&mut self, text: &str) -> u32 {
        if self.places.len() < 2 * (self.len() + 1) {
            self.grow();
        }
        let place = self.find(text);
        if self.places[place] == EMPTY {
            self.places[place] = self.len() as u32;
            self.text.push_str(text);
            self.ends.push(self.text.len());
        }
        self.places[place]
    }

    /// Where the text stands, or would.
    fn find(&self, text: &str) -> usize {
        let last = self.places.len() - 1;
        let mut place = hash64(text.as_bytes()) as usize & last;
        loop {
            match self.places[place] {
                EMPTY => return place,
                number if &self.text[self.range(number as usize)] == text => return place,
                _ => place = (place + 1) & last,
            }
        }
    }

    fn grow(&mut self) {
        self.places = vec![EMPTY; (self.places.len() * 2).max(16)];
        for number in 0..self.len() {
            let place = self.find(&self.text[self.range(number)]);
            self.places[place] = number as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbered_as_they_come() {
        let mut dictionary = Dictionary::default();
        let text = |i: u32| format!("{}", i * i % 1_009);
        let mut seen: Vec<String> = vec![];
        for i in 0..3_000 {
            let known = seen.iter().position(|known| *known == text(i));
            if known.is_none() {
                seen.push(text(i));
            }
            let expected = known.unwrap_or(seen.len() - 1);
            assert_eq!(dictionary.number(&text(i)) as usize, expected);
        }
        assert_eq!(dictionary.texts().collect::<Vec<_>>(), seen);
        assert_eq!(Dictionary::default().texts().count(), 0);
    }
}
