//! A plain text file as one piece, with its line ends and blanks as they are.

use std::{io::Read, path::Path};

use domain::{child::DataFile, dataset::ReadLimits};

use super::bytes;
use crate::error::{At, EngineError};

pub(crate) fn whole_text(
    file: &Path,
    data: &DataFile,
    limits: &ReadLimits,
) -> Result<String, EngineError> {
    let mut bytes = vec![];
    bytes::open(file, data.compression, limits.max_decoded_bytes)?
        .read_to_end(&mut bytes)
        .map_err(bytes::read_error)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|b| **b == b'\n').count() as u64;
        EngineError::InvalidUtf8 { at: At { row: line, line }, column: "text".into() }
    })
}
