//! The data of a run: read once, then prepared for each fit (of a fold, or of all rows) by what is
//! fitted on its training rows alone.

mod fit;
mod prepare;

use std::{borrow::Cow, path::Path, sync::Arc};

use domain::{
    child::DataFile,
    dataset::{Format, ReadLimits},
    spec::{Input, TrainingSpec, validation_rows},
};

/// Which part of a file that is divided by its maker.
pub(crate) use crate::images::Split as Part;
use crate::{
    corpus,
    error::EngineError,
    images::RawImages,
    ratings::RawRatings,
    series::RawSeries,
    split::{self, Split},
    table::{RawTable, Room},
    text::RawText,
};
pub(crate) use fit::{Fitted, layers_of};
pub(crate) use prepare::Prepared;

pub(crate) struct Source {
    data: Raw,
    /// What a person should know of how the file was read.
    pub notes: Vec<String>,
}

enum Raw {
    Table(RawTable),
    Text(RawText),
    Corpus(String),
    Images(Arc<RawImages>),
    Series(RawSeries),
    Ratings(RawRatings),
}

impl Source {
    pub fn read(
        file: &Path,
        data: &DataFile,
        limits: &ReadLimits,
        spec: &TrainingSpec,
        part: Part,
        room: Room,
    ) -> Result<Self, EngineError> {
        let mut notes = vec![];
        let data = match &spec.input {
            Input::Table { features, preprocess } => {
                let table = RawTable::read(file, data, limits, spec, features, preprocess, room)?;
                note(&mut notes, table.rows_without_target, "rows without a target left out");
                note(&mut notes, table.rows_dropped, "rows with a missing value left out");
                note(&mut notes, table.rows_in_file(), "rows kept in a file, not in memory");
                Raw::Table(table)
            }
            Input::Text { column, .. } => {
                let text = RawText::read(file, data, limits, spec, column)?;
                note(&mut notes, text.rows_without_target, "rows without a target left out");
                Raw::Text(text)
            }
            Input::Corpus { column, .. } => {
                Raw::Corpus(corpus::read_text(file, data, limits, column)?)
            }
            Input::Images { height, width, channels } => {
                if data.format != Format::Images {
                    return Err(EngineError::NotImages);
                }
                let size = [*height, *width, *channels];
                let images = RawImages::read(file, limits, spec, size, part)?;
                note(&mut notes, images.rows_without_target, "images without a label left out");
                Raw::Images(Arc::new(images))
            }
            Input::Series(series) => {
                let series = RawSeries::read(file, data, limits, spec, series)?;
                notes.extend(series.warnings.iter().cloned());
                note(&mut notes, series.rows_without_target, "rows without a value filled in");
                Raw::Series(series)
            }
            Input::Ratings(ratings) => {
                let ratings = RawRatings::read(file, data, limits, spec, ratings)?;
                notes.extend(ratings.warnings.iter().cloned());
                note(&mut notes, ratings.rows_without_target, "rows without a rating left out");
                Raw::Ratings(ratings)
            }
        };
        Ok(Self { data, notes })
    }

    /// How many fits a run is made of: one for each fold, then the one that is published.
    pub fn fits(&self, spec: &TrainingSpec) -> Result<usize, EngineError> {
        let rows = self.rows() as u64;
        let held_back = validation_rows(rows, spec.validation_split).min(rows);
        if held_back == rows {
            return Err(EngineError::NoRows(format!(
                "no row is left to train on: {rows} rows have a value in `{}` and {held_back} of \
                 them are held back; use a smaller validation split or add rows",
                spec.target,
            )));
        }
        Ok(1 + spec.cross_validation.map_or(0, |folds| folds.folds as usize))
    }

    /// The rows of one of the fits, counted from 0.
    pub fn split(&self, spec: &TrainingSpec, fit: usize) -> Result<Split, EngineError> {
        let rows = self.rows() as u32;
        match spec.cross_validation {
            Some(folds) if fit < folds.folds as usize => {
                let strata = if folds.stratified { self.targets()? } else { None };
                Ok(split::fold(rows, folds, fit as u32, spec.seed, strata.as_deref()))
            }
            _ => {
                let strata = if spec.stratified { self.targets()? } else { None };
                Ok(split::hold_out(rows, spec.validation_split, spec.seed, strata.as_deref()))
            }
        }
    }

    /// Units that a split is made of. A corpus and series are one: they are split by place.
    fn rows(&self) -> usize {
        match &self.data {
            Raw::Table(table) => table.rows(),
            Raw::Text(text) => text.rows(),
            Raw::Images(images) => images.rows(),
            Raw::Ratings(ratings) => ratings.rows(),
            Raw::Corpus(_) | Raw::Series(_) => 1,
        }
    }

    fn targets(&self) -> Result<Option<Cow<'_, [f64]>>, EngineError> {
        Ok(match &self.data {
            Raw::Table(table) => Some(Cow::Owned(table.targets()?)),
            Raw::Text(text) => Some(Cow::Borrowed(&text.targets)),
            Raw::Images(images) => Some(Cow::Borrowed(&images.targets)),
            Raw::Corpus(_) | Raw::Series(_) | Raw::Ratings(_) => None,
        })
    }
}

fn note(notes: &mut Vec<String>, rows: u64, what: &str) {
    if rows > 0 {
        notes.push(format!("{rows} {what}"));
    }
}
