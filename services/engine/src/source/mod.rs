//! The data of a run: read once, then prepared for each fit (of a fold, or of all rows) by what is
//! fitted on its training rows alone.

mod fit;
mod prepare;

use std::{path::Path, rc::Rc};

use domain::{
    child::DataFile,
    dataset::{Format, ReadLimits},
    spec::{Input, TrainingSpec},
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
    table::RawTable,
    text::RawText,
};
pub(crate) use fit::Fitted;
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
    Images(Rc<RawImages>),
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
    ) -> Result<Self, EngineError> {
        let mut notes = vec![];
        let data = match &spec.input {
            Input::Table { features, preprocess } => {
                let table = RawTable::read(file, data, limits, spec, features, preprocess)?;
                note(&mut notes, table.rows_without_target, "rows without a target left out");
                note(&mut notes, table.rows_dropped, "rows with a missing value left out");
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
                Raw::Images(Rc::new(images))
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

    /// The fits of a run: those of the folds, then the one that is published.
    pub fn splits(&self, spec: &TrainingSpec) -> Result<Vec<Split>, EngineError> {
        let rows = self.rows() as u32;
        let strata = self.targets();
        let mut splits = match spec.cross_validation {
            Some(folds) => split::folds(rows, folds, spec.seed, strata),
            None => vec![],
        };
        let strata = strata.filter(|_| spec.stratified);
        let whole = split::hold_out(rows, spec.validation_split, spec.seed, strata);
        if whole.training.is_empty() {
            return Err(EngineError::NoRows(format!(
                "no row is left to train on: {rows} rows have a value in `{}` and {} of them are \
                 held back; use a smaller validation split or add rows",
                spec.target,
                whole.validation.len()
            )));
        }
        splits.push(whole);
        Ok(splits)
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

    fn targets(&self) -> Option<&[f64]> {
        match &self.data {
            Raw::Table(table) => Some(&table.targets),
            Raw::Text(text) => Some(&text.targets),
            Raw::Images(images) => Some(&images.targets),
            Raw::Corpus(_) | Raw::Series(_) | Raw::Ratings(_) => None,
        }
    }
}

fn note(notes: &mut Vec<String>, rows: u64, what: &str) {
    if rows > 0 {
        notes.push(format!("{rows} {what}"));
    }
}
