//! The profile of a file: one pass in bounded memory that finds what each column is, how its values
//! are spread, and what a person should look at before training.

mod column;
pub(crate) mod images;
mod warnings;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use domain::{
    child::DataFile,
    dataset::{Format, Profile, ReadLimits},
};

use crate::{
    error::EngineError,
    read::{Record, Table},
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
        for (column, cell) in columns.iter_mut().zip(record.cells()) {
            column.add(cell, record.at);
        }
        if row_hashes.len() < MAX_COMPARED_ROWS {
            row_hashes.push(hash_row(record));
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

/// Long enough that two different values never meet in practice.
fn hash128(value: &(impl Hash + ?Sized)) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        value.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

fn hash_row(record: &Record) -> u128 {
    struct Cells<'a>(&'a Record);
    impl Hash for Cells<'_> {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.cells().for_each(|cell| cell.hash(state));
        }
    }
    hash128(&Cells(record))
}

/// Rows equal to an earlier one.
fn duplicates(hashes: &mut [u128]) -> u64 {
    hashes.sort_unstable();
    hashes.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64
}
