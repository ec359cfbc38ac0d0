//! Categories to inputs. However they are encoded, one value sets at most one input of its column.

use std::{borrow::Cow, collections::HashMap};

use serde_json::Value;

use super::encode::Line;
use crate::value;

/// An input of the column, and what it is set to.
pub(super) type Set = (usize, f32);

/// What each value of a column sets.
pub(super) struct Categories {
    listed: HashMap<String, Set>,
    /// Of categories that are `true` or `false` in other letters, and that are numbers: a client may
    /// write them otherwise than the training data did (`True`, `1.0`).
    booleans: [Option<Set>; 2],
    numbers: HashMap<u64, Set>,
    /// Where values are hashed into so many inputs instead.
    buckets: Option<u32>,
    unlisted: Option<Set>,
    missing: Option<Set>,
}

impl Categories {
    pub fn one_hot(categories: &[String], infrequent: bool, fill: Option<&str>) -> Self {
        let unlisted = infrequent.then_some((categories.len(), 1.0));
        let known = Self::listed(categories, |place| (place, 1.0), unlisted);
        Self { missing: fill.and_then(|fill| known.text(fill)), ..known }
    }

    /// As scikit-learn's `OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1,
    /// encoded_missing_value=-1)`, then scaled.
    pub fn ordinal(categories: &[String], line: &Line, fill: Option<&str>) -> Self {
        let unlisted = Some((0, line.at(Some(-1.0))));
        let known = Self::listed(categories, |place| (0, line.at(Some(place as f64))), unlisted);
        Self { missing: fill.map_or(unlisted, |fill| known.text(fill)), ..known }
    }

    pub fn hashed(buckets: u32, fill: Option<&str>) -> Self {
        let known = Self { buckets: Some(buckets), ..Self::listed(&[], |_| (0, 0.0), None) };
        Self { missing: fill.and_then(|fill| known.text(fill)), ..known }
    }

    fn listed(categories: &[String], set: impl Fn(usize) -> Set, unlisted: Option<Set>) -> Self {
        let mut listed = HashMap::with_capacity(categories.len());
        let mut booleans = [None; 2];
        let mut numbers = HashMap::new();
        for (place, category) in categories.iter().enumerate() {
            let set = set(place);
            listed.entry(category.clone()).or_insert(set);
            for (word, boolean) in ["false", "true"].into_iter().zip(&mut booleans) {
                if category.eq_ignore_ascii_case(word) {
                    boolean.get_or_insert(set);
                }
            }
            if let Ok(n) = category.parse::<f64>() {
                numbers.entry(bits(n)).or_insert(set);
            }
        }
        Self { listed, booleans, numbers, buckets: None, unlisted, missing: None }
    }

    pub fn missing(&self) -> Option<Set> {
        self.missing
    }

    /// Of a value as the file holds it.
    pub fn text(&self, text: &str) -> Option<Set> {
        match self.buckets {
            Some(buckets) => Some(hash(text, buckets)),
            None => self.listed.get(text).copied().or(self.unlisted),
        }
    }

    /// Of a value as a client sends it.
    pub fn value(&self, value: &Value) -> Result<Option<Set>, String> {
        let Some(text) = value::text(value)? else { return Ok(self.missing) };
        Ok(match value {
            Value::Bool(b) => self.like(&text, self.booleans[usize::from(*b)]),
            Value::Number(n) => {
                let number = n.as_f64().and_then(|n| self.numbers.get(&bits(n)));
                self.like(&text, number.copied())
            }
            _ => self.text(&text),
        })
    }

    fn like(&self, text: &str, otherwise_written: Option<Set>) -> Option<Set> {
        match self.listed.get(text) {
            Some(set) => Some(*set),
            None => otherwise_written.or_else(|| self.text(text)),
        }
    }
}

/// Equal for equal numbers: adding 0 makes one of the two zeros.
fn bits(n: f64) -> u64 {
    (n + 0.0).to_bits()
}

/// Signed feature hashing (Weinberger et al., 2009, "Feature Hashing for Large Scale Multitask
/// Learning") with the hash, the place and the sign of scikit-learn's `FeatureHasher`. Numbers with a
/// point or an exponent and booleans are hashed in one way of writing them.
fn hash(text: &str, buckets: u32) -> Set {
    let hash = murmur3(canonical(text).as_bytes());
    let place = hash.unsigned_abs() % buckets.max(1);
    (place as usize, if hash < 0 { -1.0 } else { 1.0 })
}

fn canonical(text: &str) -> Cow<'_, str> {
    let looks_like_a_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.contains(['.', 'e', 'E']);
    if looks_like_a_number {
        return match text.parse::<f64>() {
            Ok(n) if n.is_finite() => (n + 0.0).to_string().into(),
            _ => text.into(),
        };
    }
    let boolean = ["true", "false"].into_iter().find(|word| text.eq_ignore_ascii_case(word));
    boolean.unwrap_or(text).into()
}

/// MurmurHash3_x86_32 by Austin Appleby (public domain) with seed 0.
fn murmur3(bytes: &[u8]) -> i32 {
    let mix = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let word = |bytes: &[u8]| {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        u32::from_le_bytes(word)
    };
    let blocks = bytes.chunks_exact(4);
    let tail = blocks.remainder();
    let mut h = blocks.fold(0_u32, |h, block| {
        (h ^ mix(word(block))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    if !tail.is_empty() {
        h ^= mix(word(tail));
    }
    h ^= bytes.len() as u32;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    (h ^ (h >> 16)).cast_signed()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hashes_are_those_of_scikit_learn() {
        // sklearn.utils.murmurhash3_32 and FeatureHasher(32, input_type="string"), 1.9.1.
        let words = ["a", "Paris", "São Paulo", "abcd", "12345", "true", &"x".repeat(37)];
        let hashes =
            [1009084850, -820467955, 789801377, 1139631978, 329585043, 888000370, -1005983109];
        let sets = [(18, 1.0), (19, -1.0), (1, 1.0), (10, 1.0), (19, 1.0), (18, 1.0), (5, -1.0)];
        for ((word, expected), set) in words.into_iter().zip(hashes).zip(sets) {
            assert_eq!(murmur3(word.as_bytes()), expected, "{word}");
            assert_eq!(hash(word, 32), set, "{word}");
        }
        assert_eq!(murmur3(b""), 0);
    }

    #[test]
    fn a_hash_does_not_depend_on_how_a_number_is_written() {
        for (one, other) in [("1.0", "1"), ("0.10", ".1"), ("1e3", "1000.0"), ("TRUE", "true")] {
            assert_eq!(canonical(one), canonical(other));
        }
        for kept in ["01234", "12", "1.2.3", "e", "1e999", "-", "10.0.0.1"] {
            assert_eq!(canonical(kept), kept);
        }
        let hashed = Categories::hashed(1000, None);
        assert_eq!(hashed.value(&json!(1.0)).unwrap(), hashed.text("1"));
        assert_eq!(hashed.value(&json!(true)).unwrap(), hashed.text("True"));
        assert_eq!(hashed.value(&json!(null)).unwrap(), None);
    }

    #[test]
    fn booleans_and_numbers_are_known_however_they_are_written() {
        let categories = ["True", "1.50", "7", "07"].map(str::to_owned);
        let one_hot = Categories::one_hot(&categories, false, None);
        let set = |value: Value| one_hot.value(&value).unwrap().map(|(place, _)| place);
        assert_eq!(set(json!(true)), Some(0));
        assert_eq!(set(json!(false)), None);
        assert_eq!(set(json!(1.5)), Some(1));
        assert_eq!(set(json!("1.5")), None);
        assert_eq!(set(json!(7.0)), Some(2));
        assert_eq!(set(json!(" 07 ")), Some(3));
        assert!(one_hot.value(&json!([1])).unwrap_err().contains("got an array"));
    }

    #[test]
    fn unlisted_and_missing_values() {
        let categories = ["low", "high"].map(str::to_owned);
        let line = Line { fill: 0.0, center: 0.0, scale: 2.0 };
        let ordinal = Categories::ordinal(&categories, &line, None);
        assert_eq!(ordinal.text("high"), Some((0, 0.5)));
        assert_eq!((ordinal.text("?!"), ordinal.missing()), (Some((0, -0.5)), Some((0, -0.5))));
        assert_eq!(Categories::ordinal(&categories, &line, Some("high")).missing(), Some((0, 0.5)));
        let shared = Categories::one_hot(&categories, true, None);
        assert_eq!((shared.text("?!"), shared.missing()), (Some((2, 1.0)), None));
        assert_eq!(Categories::one_hot(&categories, false, Some("low")).missing(), Some((0, 1.0)));
    }
}
