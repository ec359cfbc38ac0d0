//! The profile of a zip of images: columns `image` and `label`.

use std::{collections::HashMap, path::Path};

use domain::dataset::{
    ColumnProfile, ColumnType, MAX_COUNTED_DISTINCT, MAX_LISTED_VALUES, Profile, ReadLimits,
    ValueCount,
};

use super::{duplicates, warnings};
use crate::{
    error::EngineError,
    hash::{combined, hash128},
    images::{Archive, Picture, Size, Split},
    read::is_missing,
};

#[derive(Default)]
struct Seen {
    rows: u64,
    missing: u64,
    /// Rows of each size.
    sizes: HashMap<Size, u64>,
    first: Option<Size>,
    labels: HashMap<String, u64>,
    images: Vec<u128>,
    labelled: Vec<u128>,
}

/// Makes the profile of the training part of `file`, or says where it cannot be read.
pub(crate) fn profile(file: &Path, limits: &ReadLimits) -> Result<Profile, EngineError> {
    let mut archive = Archive::open(file, limits)?;
    let mut seen = Seen::default();
    archive.visit(Split::Training, &mut |picture| {
        seen.add(&picture);
        Ok(())
    })?;
    let Some(first) = seen.first else {
        return Err(EngineError::NoRows(
            "the zip holds no images; add at least one of each class".into(),
        ));
    };
    let repeated_images = duplicates(&mut seen.images);
    let duplicate_rows = duplicates(&mut seen.labelled);
    let mut found = warnings::of_rows(seen.rows, duplicate_rows, seen.images.len() as u64);
    if repeated_images > duplicate_rows {
        found.push(format!(
            "{} images appear again under another label; mend the labels",
            repeated_images - duplicate_rows
        ));
    }
    if let Some(text) = mixed_sizes(&seen.sizes, first) {
        found.push(text);
    }
    if archive.has_test() {
        found.push(
            "the zip has a test part of its own: it is not counted here and never trained on"
                .into(),
        );
    }
    let channels = seen.sizes.keys().map(|size| size[2]).max().unwrap_or(first[2]);
    let image = image_column(&seen, [first[0], first[1], channels], seen.rows - repeated_images);
    let (rows, label) = (seen.rows, label_column(seen));
    for column in [&image, &label] {
        warnings::of_column(column, None, rows, &mut found);
    }
    warnings::cap(&mut found);
    Ok(Profile { rows, columns: vec![image, label], duplicate_rows, warnings: found })
}

impl Seen {
    fn add(&mut self, picture: &Picture) {
        self.rows += 1;
        self.first.get_or_insert(picture.size);
        *self.sizes.entry(picture.size).or_default() += 1;
        if is_missing(picture.label) {
            self.missing += 1;
        } else if let Some(rows) = self.labels.get_mut(picture.label) {
            *rows += 1;
        } else {
            self.labels.insert(picture.label.to_owned(), 1);
        }
        if self.images.len() < super::MAX_COMPARED_ROWS {
            let size = picture.size.map(|side| side.to_le_bytes());
            let image = combined(hash128(size.as_flattened()), hash128(picture.pixels));
            self.images.push(image);
            self.labelled.push(combined(image, hash128(picture.label.as_bytes())));
        }
    }
}

fn mixed_sizes(sizes: &HashMap<Size, u64>, first: Size) -> Option<String> {
    if sizes.len() < 2 {
        return None;
    }
    let sides = |i: usize| {
        let each = || sizes.keys().map(|size| size[i]);
        (each().min().unwrap_or(0), each().max().unwrap_or(0))
    };
    let ((low, high), (narrow, wide)) = (sides(0), sides(1));
    let gray = sizes.iter().filter(|(size, _)| size[2] == 1).map(|(_, rows)| rows).sum::<u64>();
    let colors = if sizes.keys().any(|size| size[2] == 3) && gray > 0 {
        format!(", and {gray} of them are gray")
    } else {
        String::new()
    };
    Some(format!(
        "the images are not of one size ({low} to {high} pixels high, {narrow} to {wide} wide{colors}); \
         all are scaled to {} x {} unless `image_size` says otherwise",
        first[0], first[1]
    ))
}

fn column(name: &str, kind: ColumnType, missing: u64, distinct: u64) -> ColumnProfile {
    ColumnProfile {
        name: name.into(),
        kind,
        missing,
        infinite: 0,
        distinct: distinct.min(MAX_COUNTED_DISTINCT as u64),
        distinct_is_exact: distinct <= MAX_COUNTED_DISTINCT as u64,
        min: None,
        mean: None,
        max: None,
        values: None,
        chars: None,
        image: None,
    }
}

fn image_column(seen: &Seen, size: Size, distinct: u64) -> ColumnProfile {
    let exact = seen.images.len() as u64 == seen.rows;
    let mut column = column("image", ColumnType::Image, 0, distinct);
    column.distinct_is_exact &= exact;
    column.image = Some(size);
    column
}

fn label_column(seen: Seen) -> ColumnProfile {
    let kind = if seen.labels.is_empty() { ColumnType::Empty } else { ColumnType::Categorical };
    let mut column = column("label", kind, seen.missing, seen.labels.len() as u64);
    if seen.labels.len() <= MAX_LISTED_VALUES {
        let mut values: Vec<ValueCount> =
            seen.labels.into_iter().map(|(value, rows)| ValueCount { value, rows }).collect();
        values.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.value.cmp(&b.value)));
        column.values = Some(values);
    }
    column
}
