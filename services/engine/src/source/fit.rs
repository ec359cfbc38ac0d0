//! What is fitted on the training rows alone.

use domain::{
    model::{FittedInput, FittedText},
    spec::{Input, Keep, Layer, Shape, Task, TrainingSpec},
};

use super::{Raw, Source};
use crate::{corpus, error::EngineError, text::Tokenizer, unit::Unit};

/// What is fitted on the training rows, and what is made of it.
pub(crate) struct Fitted {
    pub input: FittedInput,
    pub unit: Unit,
    pub(super) tokenizer: Option<Tokenizer>,
}

impl Fitted {
    /// Numbers that the last layer gives for a row, or for a token.
    pub fn outputs(&self, spec: &TrainingSpec) -> usize {
        match &self.input {
            FittedInput::Corpus(text) => text.vocabulary as usize,
            FittedInput::Series { series, .. } => series.horizon as usize,
            _ if spec.task == Task::MulticlassClassification => spec.classes.len(),
            _ => 1,
        }
    }

    /// The specification's layers; a language model's last one has as many units as the vocabulary
    /// that was found.
    pub fn layers(&self, spec: &TrainingSpec) -> Vec<Layer> {
        let mut layers = spec.layers.clone();
        if let (FittedInput::Corpus(text), Some(Layer::Dense { units, .. })) =
            (&self.input, layers.last_mut())
        {
            *units = text.vocabulary;
        }
        layers
    }
}

impl Source {
    pub fn fit(&self, spec: &TrainingSpec, training: &[u32]) -> Result<Fitted, EngineError> {
        let mut tokenizer = None;
        let mut unit = Unit::ITSELF;
        let of_targets =
            |targets: &[f64]| Unit::standard(training.iter().map(|&i| targets[i as usize]));
        let input = match (&self.data, &spec.input) {
            (Raw::Table(table), Input::Table { preprocess, .. }) => {
                let (columns, of_targets) = table.fit(training, preprocess)?;
                let fitted = FittedInput::Table { columns };
                if fitted.shape() == Shape::Features(0) {
                    return Err(EngineError::NoInputs { rows: training.len() });
                }
                if spec.task == Task::Regression {
                    unit = of_targets;
                }
                fitted
            }
            (Raw::Text(text), Input::Text { column, tokenizer: wanted, max_length, keep }) => {
                let fitted = tokenizer.insert(text.fit(training, wanted)?);
                if spec.task == Task::Regression {
                    unit = of_targets(&text.targets);
                }
                FittedInput::Text(fitted_text(column, fitted, *max_length, *keep))
            }
            (Raw::Corpus(text), Input::Corpus { column, tokenizer: wanted, context }) => {
                let (part, _) = corpus::parts(text, spec.validation_split);
                let fitted = tokenizer.insert(Tokenizer::train(wanted, [part].into_iter())?);
                FittedInput::Corpus(fitted_text(column, fitted, *context, Keep::Last))
            }
            (Raw::Images(images), Input::Images { height, width, channels }) => {
                if spec.task == Task::Regression {
                    unit = of_targets(&images.targets);
                }
                FittedInput::Images { height: *height, width: *width, channels: *channels }
            }
            (Raw::Series(series), Input::Series(wanted)) => {
                FittedInput::Series { series: wanted.clone(), fitted: series.fit(wanted) }
            }
            (Raw::Ratings(ratings), Input::Ratings(wanted)) => {
                let fitted = ratings.fit(training);
                if !wanted.implicit {
                    unit = Unit { center: fitted.mean, scale: fitted.deviation };
                }
                FittedInput::Ratings { ratings: wanted.clone(), fitted }
            }
            _ => unreachable!("data is read as the specification's input"),
        };
        Ok(Fitted { input, unit, tokenizer })
    }
}

fn fitted_text(column: &str, tokenizer: &Tokenizer, max_length: u32, keep: Keep) -> FittedText {
    FittedText {
        column: column.to_owned(),
        tokenizer: tokenizer.to_json(),
        vocabulary: tokenizer.vocabulary() as u32,
        max_length,
        keep,
    }
}
