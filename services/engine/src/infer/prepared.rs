//! Rows as numbers, before the network sees them.

use domain::{
    field::FieldErrors,
    model::{FittedInput, IMAGE},
    predict::{Row, moved},
};
use rayon::prelude::*;

use super::{Model, PART_ROWS, Reader};
use crate::{images, network::Inputs, ratings, text, value::MAX_ERRORS};

/// Rows that are read, and not yet answered: groups of them, each of which one thread answers.
#[derive(Clone)]
pub struct Prepared(Vec<Inputs>);

impl Model {
    /// What [`Self::outputs`] answers. Forecasters and language models have no rows that stand alone:
    /// they are asked by [`Self::predict`].
    pub fn prepare(&self, rows: &[Row]) -> Result<Prepared, FieldErrors> {
        if matches!(self.reader, Reader::Corpus(_) | Reader::Series) {
            let why = "a forecaster or a language model does not answer row by row";
            return Err(FieldErrors::one("rows", why));
        }
        self.in_groups(rows, |inputs| inputs).map(Prepared)
    }

    /// The answers as plain numbers, row after row: a probability for each class (of two classes, the
    /// second one's), or the number that is foretold.
    pub fn outputs(&self, prepared: Prepared) -> Vec<f64> {
        let of_group = |inputs| {
            let mut answers = vec![];
            for logits in self.run(inputs).chunks_exact(self.head.outputs) {
                self.head.answer(logits, self.head.unit, &mut answers);
            }
            answers
        };
        let answers: Vec<Vec<f64>> = prepared.0.into_par_iter().map(of_group).collect();
        answers.concat()
    }

    /// What `take` makes of each group of rows side by side, or the first errors of them all.
    pub(super) fn in_groups<T: Send>(
        &self,
        rows: &[Row],
        take: impl Fn(Inputs) -> T + Sync,
    ) -> Result<Vec<T>, FieldErrors> {
        let size = self.group_rows();
        let of_group = |(group, rows): (usize, &[Row])| {
            self.inputs(rows).map(&take).map_err(|errors| moved(errors, group * size))
        };
        // for few, another thread would have to wake up
        let groups: Vec<_> = if rows.len() <= size {
            rows.chunks(size).enumerate().map(of_group).collect()
        } else {
            rows.par_chunks(size).enumerate().map(of_group).collect()
        };
        let mut given = Vec::with_capacity(groups.len());
        let mut errors = FieldErrors::default();
        for group in groups {
            match group {
                Ok(group) => given.push(group),
                Err(more) => errors.0.extend(more.0),
            }
        }
        errors.0.truncate(MAX_ERRORS);
        errors.into_result(given)
    }

    /// Rows that one thread takes at a time: few enough for what a layer makes of them to stay in its
    /// core's cache, and for a request of a few hundred to keep all cores busy.
    pub(super) fn group_rows(&self) -> usize {
        match self.reader {
            Reader::Table(_) => 64,
            Reader::Ratings => 256,
            Reader::Text(_) | Reader::Images | Reader::Corpus(_) | Reader::Series => 16,
        }
    }

    pub(super) fn inputs(&self, rows: &[Row]) -> Result<Inputs, FieldErrors> {
        debug_assert!(rows.len() <= PART_ROWS);
        let mut errors = FieldErrors::default();
        let inputs = match (&self.reader, &self.config.input) {
            (Reader::Table(encoders), _) => {
                let values = encoders.encode(rows, &mut errors);
                Inputs::Features { values, width: encoders.width() }
            }
            (Reader::Text(tokenizer), FittedInput::Text(text)) => {
                let length = text.max_length as usize;
                let (column, keep) = (&text.column, text.keep);
                let padded = text::encode_rows(tokenizer, column, length, keep, rows, &mut errors);
                let (ids, length, lengths) = (padded.ids, padded.length, padded.lengths);
                Inputs::Tokens { ids, length, lengths }
            }
            (Reader::Images, FittedInput::Images { height, width, channels }) => {
                let size = [*height, *width, *channels];
                let mut values = vec![];
                for (i, row) in rows.iter().enumerate() {
                    match images::decode_row(row, IMAGE, size) {
                        Ok(image) => values.extend(image),
                        Err(why) => errors.add(format!("rows[{i}].{IMAGE}"), why),
                    }
                }
                let [height, width, channels] = size.map(|side| side as usize);
                Inputs::Images { values, height, width, channels }
            }
            (Reader::Ratings, FittedInput::Ratings { ratings, fitted }) => {
                let pairs = ratings::encode_request(fitted, ratings, rows, &mut errors);
                Inputs::Pairs { users: pairs.users, items: pairs.items }
            }
            _ => unreachable!("a model's reader is that of its input"),
        };
        errors.into_result(inputs)
    }
}
