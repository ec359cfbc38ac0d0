//! Any text as the query of a list: a page, or a refusal. What is read as a cursor names one thing of one kind,
//! and is what would be given out for it.
#![no_main]

use std::{fmt::Display, str::FromStr};

use domain::{JobId, RecordId, SweepId};
use gateway::{PageParams, Params, after_cursor};
use libfuzzer_sys::fuzz_target;

fn is_cursor_of<T: FromStr + Display>(cursor: &str) -> bool {
    let Ok(Some(id)) = after_cursor::<T>(Some(cursor.to_owned())) else { return false };
    assert_eq!(id.to_string(), cursor.to_ascii_lowercase());
    true
}

fuzz_target!(|input: &[u8]| {
    let Ok(query) = std::str::from_utf8(input) else { return };
    let Ok(Params(page)) = Params::<PageParams>::read(query) else { return };
    let Some(cursor) = page.cursor else { return };
    let kinds = [
        is_cursor_of::<JobId>(&cursor),
        is_cursor_of::<SweepId>(&cursor),
        is_cursor_of::<RecordId>(&cursor),
    ];
    assert!(kinds.iter().filter(|is| **is).count() <= 1, "{cursor}: of several kinds");
});
