//! What is fitted on the training rows alone.

use domain::{
    model::{FittedInput, FittedText},
    spec::{Input, Keep, Layer, Shape, Task, TrainingSpec},
};

use super::{Raw, Source};
use crate::{base::Base, corpus, error::EngineError, text::Tokenizer, unit::Unit};

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
        layers_of(spec, &self.input)
    }
}

pub(crate) fn layers_of(spec: &TrainingSpec, input: &FittedInput) -> Vec<Layer> {
    let mut layers = spec.layers.clone();
    if let (FittedInput::Corpus(text), Some(Layer::Dense { units, .. })) =
        (input, layers.last_mut())
    {
        *units = text.vocabulary;
    }
    layers
}

impl Source {
    /// As another model was: its weights mean nothing to other inputs.
    pub fn fitted_as(&self, base: &Base) -> Result<Fitted, EngineError> {
        let config = &base.config;
        if let (Raw::Series(raw), FittedInput::Series { fitted, .. }) = (&self.data, &config.input)
            && (raw.form, raw.step) != (fitted.form, fitted.step)
        {
            let (is, was) = (raw.step, fitted.step);
            let why = format!("a step of the series is {is:?}, and of the base model's {was:?}");
            return Err(EngineError::BaseDoesNotFit(why));
        }
        let tokenizer = match &config.input {
            FittedInput::Text(text) | FittedInput::Corpus(text) => Some(&text.tokenizer),
            _ => None,
        };
        let tokenizer = tokenizer.map(Tokenizer::from_json).transpose();
        Ok(Fitted {
            input: config.input.clone(),
            unit: Unit { center: config.target_center, scale: config.target_scale },
            tokenizer: tokenizer.map_err(EngineError::BaseDoesNotFit)?,
        })
    }

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
