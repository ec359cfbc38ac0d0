//! The idx format (LeCun, Cortes and Burges, "The MNIST database of handwritten digits"): four bytes
//! that say the type of numbers and how many dimensions there are, the dimensions, the numbers.

use super::{Size, picture::MAX_SIDE, size_len};
use crate::error::EngineError;

const UNSIGNED_BYTE: u8 = 8;

pub(super) struct Images<'a> {
    pub rows: usize,
    pub size: Size,
    pixels: &'a [u8],
}

impl<'a> Images<'a> {
    pub fn each(&self) -> impl Iterator<Item = &'a [u8]> {
        self.pixels.chunks_exact(size_len(self.size))
    }
}

pub(super) fn images<'a>(entry: &str, bytes: &'a [u8]) -> Result<Images<'a>, EngineError> {
    let ([rows, height, width], pixels) = parse(entry, bytes)?;
    for side in [height, width] {
        if !(1..=MAX_SIDE).contains(&side) {
            let why = format!(
                "its images are {height} x {width} pixels; 1 to {MAX_SIDE} a side are read"
            );
            return Err(bad(entry, why));
        }
    }
    let size = [height, width, 1];
    check_length(entry, pixels, u64::from(rows) * size_len(size) as u64)?;
    Ok(Images { rows: rows as usize, size, pixels })
}

pub(super) fn labels<'a>(entry: &str, bytes: &'a [u8]) -> Result<&'a [u8], EngineError> {
    let ([rows], labels) = parse(entry, bytes)?;
    check_length(entry, labels, rows.into())?;
    Ok(labels)
}

/// The dimensions and what follows them.
fn parse<'a, const D: usize>(
    entry: &str,
    bytes: &'a [u8],
) -> Result<([u32; D], &'a [u8]), EngineError> {
    let magic = [0, 0, UNSIGNED_BYTE, D as u8];
    let Some(mut rest) = bytes.strip_prefix(&magic) else {
        let start = &bytes[..bytes.len().min(magic.len())];
        let why = format!(
            "an idx file of bytes in {D} dimensions starts with {magic:?} and this one with \
             {start:?}; push MNIST's format"
        );
        return Err(bad(entry, why));
    };
    let mut dimensions = [0; D];
    for dimension in &mut dimensions {
        let Some((first, after)) = rest.split_first_chunk() else {
            return Err(bad(entry, "it ends within its header; push the whole file".into()));
        };
        (*dimension, rest) = (u32::from_be_bytes(*first), after);
    }
    Ok((dimensions, rest))
}

fn check_length(entry: &str, bytes: &[u8], expected: u64) -> Result<(), EngineError> {
    let got = bytes.len() as u64;
    if got == expected {
        return Ok(());
    }
    let why = format!(
        "its header says {expected} bytes and {got} follow; the file was cut or damaged, push the \
         whole one"
    );
    Err(bad(entry, why))
}

fn bad(entry: &str, why: String) -> EngineError {
    EngineError::BadImage { entry: entry.to_owned(), why }
}
