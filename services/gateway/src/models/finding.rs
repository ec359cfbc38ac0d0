//! What is asked of a search, checked; and where the next page begins.

use std::str::FromStr;

use domain::{FieldErrors, name::Name};
use store::{
    Page,
    models::{Found, Order, Place},
};

use crate::ApiError;

const MAX_QUERY_CHARS: usize = 200;

/// `next` of a page: the order, and the last item's place in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cursor {
    pub order: char,
    pub place: Place,
}

impl Cursor {
    pub fn after(found: &Page<Found>, order: Order) -> Option<String> {
        let last = found.items.last().filter(|_| found.has_more)?;
        let Place { key, id } = last.place;
        Some(format!("{}{:x}-{}", letter(order), key.to_bits(), id))
    }

    /// Of this order, or of a list that is sorted otherwise.
    pub fn of(self, order: Order) -> Result<Place, ApiError> {
        if self.order == letter(order) {
            Ok(self.place)
        } else {
            let why = "is the `next` of a page that was sorted otherwise; keep `sort` as it was";
            Err(ApiError::field("cursor", why))
        }
    }
}

const fn letter(order: Order) -> char {
    match order {
        Order::Relevance => 'r',
        Order::Updated => 'u',
        Order::Created => 'c',
        Order::Downloads => 'd',
        Order::Likes => 'l',
        Order::Trending => 't',
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut rest = text.chars();
        let order = rest.next().filter(|order| "rucdlt".contains(*order)).ok_or(())?;
        let (key, id) = rest.as_str().split_once('-').ok_or(())?;
        let key = f64::from_bits(u64::from_str_radix(key, 16).map_err(drop)?);
        let id = id.parse().map_err(drop)?;
        if key.is_finite() { Ok(Self { order, place: Place { key, id } }) } else { Err(()) }
    }
}

/// Letters, digits and spaces of what people look for; none where there are none.
pub(crate) fn words(text: Option<&str>) -> Option<String> {
    let only = |c: char| if c.is_alphanumeric() { c } else { ' ' };
    let words: String = text?.chars().take(MAX_QUERY_CHARS).map(only).collect();
    let words = words.trim();
    (!words.is_empty()).then(|| words.to_owned())
}

/// The name of a metric, as it stands in `metrics`.
pub(crate) fn metric(name: String) -> Result<String, FieldErrors> {
    let good = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.@-".contains(&b));
    let shown: String = name.chars().take(64).collect();
    let why = || format!("`{shown}` is no metric's name; use one as `val_accuracy`");
    if good { Ok(name) } else { Err(FieldErrors::one("metric", why())) }
}

/// A tenant, by name; what cannot be one has no models.
pub(crate) fn tenant(name: &str) -> String {
    name.parse::<Name>().map(String::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain::ModelId;

    use super::*;

    #[test]
    fn a_cursor_reads_back_to_the_last_bit_and_nothing_else_is_one() {
        for key in [0.0, -1.5, 0.1 + 0.2, 1_795_000_000_123_456.0, f64::MIN_POSITIVE] {
            let place = Place { key, id: ModelId::generate() };
            let text = format!("t{:x}-{}", key.to_bits(), place.id);
            assert_eq!(text.parse(), Ok(Cursor { order: 't', place }));
        }
        let nan = format!("t{:x}-{}", f64::NAN.to_bits(), ModelId::generate());
        let other = format!("x0-{}", ModelId::generate());
        for text in ["", "t", "t-", &other, "t0-7", &nan, "é"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn of_what_people_look_for_words_stay() {
        assert_eq!(words(Some("  C++ & 'cats' \0 ")).as_deref(), Some("C      cats"));
        assert_eq!(words(Some("&|!()<->:*")), None);
        assert_eq!(words(Some(&"é".repeat(1_000))).map(|text| text.chars().count()), Some(200));
    }
}
