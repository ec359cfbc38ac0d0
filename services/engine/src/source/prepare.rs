//! Rows as the samples that a network learns from and is judged on.

use std::sync::Arc;

use domain::{
    model::FittedInput,
    spec::{Keep, TrainingSpec},
};

use super::{Fitted, Raw, Source};
use crate::{
    base::Base,
    corpus::{self, Corpus},
    error::EngineError,
    ratings::{Draw, Rated},
    samples::Samples,
    split::Split,
    text::Tokenizer,
};

pub(crate) struct Prepared {
    pub fitted: Fitted,
    pub training: Samples,
    pub validation: Samples,
}

impl Source {
    /// What is fitted is the base's, where there is one.
    pub fn prepare(
        &self,
        spec: &TrainingSpec,
        split: Split,
        base: Option<&Base>,
    ) -> Result<Prepared, EngineError> {
        let fitted = match base {
            Some(base) => self.fitted_as(base)?,
            None => self.fit(spec, &split.training)?,
        };
        let (training, validation) = match (&self.data, &fitted.input) {
            (Raw::Series(raw), FittedInput::Series { series, fitted: windows }) => {
                let (training, validation) = raw.windows(windows, series);
                (Samples::Series(training), Samples::Series(validation))
            }
            (Raw::Corpus(text), FittedInput::Corpus(input)) => {
                let tokenizer = fitted.tokenizer.as_ref().expect("a corpus has its tokenizer");
                both_parts(spec, text, tokenizer, input.max_length as usize)?
            }
            (Raw::Ratings(ratings), FittedInput::Ratings { fitted: names, .. }) => {
                let rated = Arc::new(ratings.rated(names, &split.training));
                let part = |rows, draw| pairs(spec, &fitted, &rated, rows, draw);
                (part(&split.training, Draw::Training), part(&split.validation, Draw::Validation))
            }
            _ => {
                let part = |rows: Vec<u32>| self.samples(spec, &fitted, &rows);
                (part(split.training)?, part(split.validation)?)
            }
        };
        Ok(Prepared { fitted, training, validation })
    }

    /// All rows of another file, encoded as `fitted` says.
    pub fn all(&self, spec: &TrainingSpec, fitted: &Fitted) -> Result<Samples, EngineError> {
        let rows: Vec<u32> = (0..self.rows() as u32).collect();
        self.samples(spec, fitted, &rows)
    }

    fn samples(
        &self,
        spec: &TrainingSpec,
        fitted: &Fitted,
        rows: &[u32],
    ) -> Result<Samples, EngineError> {
        let learned = |targets: &[f64]| -> Vec<f64> {
            rows.iter().map(|&i| fitted.unit.learned(targets[i as usize])).collect()
        };
        Ok(match (&self.data, &fitted.input) {
            (Raw::Table(table), FittedInput::Table { columns }) => {
                let by_target = spec.oversample || spec.class_weight.is_some();
                Samples::Table(table.samples(columns, fitted.unit, rows, by_target)?)
            }
            (Raw::Text(text), FittedInput::Text(input)) => {
                let tokenizer = fitted.tokenizer.as_ref().expect("text is fitted by a tokenizer");
                Samples::Text {
                    tokens: text.encode(tokenizer, input.max_length as usize, input.keep, rows),
                    targets: learned(&text.targets),
                    dropout: spec.augmentation.token_dropout,
                }
            }
            (Raw::Images(images), FittedInput::Images { .. }) => Samples::Images {
                images: images.clone(),
                rows: rows.to_vec(),
                targets: learned(&images.targets),
                augmentation: spec.augmentation.clone(),
            },
            (Raw::Ratings(ratings), FittedInput::Ratings { fitted: names, .. }) => {
                let rated = Arc::new(ratings.rated(names, &[]));
                pairs(spec, fitted, &rated, rows, Draw::Validation)
            }
            _ => unreachable!("data is fitted as what it was read as"),
        })
    }
}

fn both_parts(
    spec: &TrainingSpec,
    text: &str,
    tokenizer: &Tokenizer,
    context: usize,
) -> Result<(Samples, Samples), EngineError> {
    let (training, validation) = corpus::parts(text, spec.validation_split);
    let ids = |text: &str| tokenizer.encode(text, usize::MAX, Keep::Last);
    let held_back = if validation.is_empty() { vec![] } else { ids(validation) };
    let corpus = Arc::new(Corpus::new(ids(training), held_back, context)?);
    let part = |held_back| Samples::Corpus { corpus: corpus.clone(), seed: spec.seed, held_back };
    Ok((part(false), part(true)))
}

fn pairs(
    spec: &TrainingSpec,
    fitted: &Fitted,
    rated: &Arc<Rated>,
    rows: &[u32],
    draw: Draw,
) -> Samples {
    let (rated, rows) = (Arc::clone(rated), rows.to_vec());
    Samples::Ratings { rated, rows, unit: fitted.unit, seed: spec.seed, draw }
}
