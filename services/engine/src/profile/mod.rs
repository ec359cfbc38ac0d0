//! The profile of a file: one pass in bounded memory that finds what each column is, how its values
//! are spread, and what a person should look at before training.

mod column;
pub(crate) mod images;
mod warnings;

use std::path::Path;

use domain::{
    child::DataFile,
    dataset::{Format, Profile, ReadLimits},
};

use crate::{
    error::EngineError,
    hash::{combined, hash128},
    read::Table,
};
use column::Column;

/// Duplicates are looked for among so many rows: 80 MB of hashes.
const MAX_COMPARED_ROWS: usize = 5_000_000;

/// Makes the profile of `file`, or says where it cannot be read.
pub fn profile(file: &Path, data: &DataFile, limits: &ReadLimits) -> Result<Profile, EngineError> {
    if data.format == Format::Images {
        return images::profile(file, limits);
    }
    let mut table = Table::open(file, data, limits)?;
    let names = table.columns().to_vec();
    let mut columns: Vec<Column> = names.iter().map(|_| Column::new(names.len())).collect();
    let mut row_hashes = vec![];
    let mut rows = 0_u64;
    while let Some(record) = table.next_row()? {
        rows += 1;
        let mut row_hash = 0;
        for (column, cell) in columns.iter_mut().zip(record.cells()) {
            let hash = hash128(cell.as_bytes());
            column.add(cell, hash, record.at);
            row_hash = combined(row_hash, hash);
        }
        if row_hashes.len() < MAX_COMPARED_ROWS {
            row_hashes.push(row_hash);
        }
    }
    if rows == 0 {
        return Err(EngineError::NoRows(
            "the file has a header but no rows; add at least one row".into(),
        ));
    }
    let duplicate_rows = duplicates(&mut row_hashes);
    let mut warnings = warnings::of_rows(rows, duplicate_rows, row_hashes.len() as u64);
    let mut profiles = Vec::with_capacity(columns.len());
    for (name, column) in names.into_iter().zip(columns) {
        let odd_one = column.odd_one_out();
        let profile = column.into_profile(name, rows);
        warnings::of_column(&profile, odd_one.as_ref(), rows, &mut warnings);
        profiles.push(profile);
    }
    warnings::cap(&mut warnings);
    Ok(Profile { rows, columns: profiles, duplicate_rows, warnings })
}

/// Rows equal to an earlier one.
fn duplicates(hashes: &mut [u128]) -> u64 {
    hashes.sort_unstable();
    hashes.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64
}
