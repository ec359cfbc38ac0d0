//! A trained model ready to answer: raw rows in, predictions out.

mod each;
mod generation;
mod integrated;
mod load;
mod pictures;
mod prepared;
mod recommendation;

use std::collections::BTreeMap;

use domain::{
    field::FieldErrors,
    model::{FittedInput, ModelConfig},
    predict::{Prediction, Row, moved},
    spec::{Shape, Task},
};
use serde_json::Value;

use crate::{
    head::{Head, best},
    network::{Frozen, Inputs},
    ops::denormals::without_denormals,
    series,
    table::Encoders,
    text::Tokenizer,
};
pub use load::Described;
pub use prepared::Prepared;

/// Rows of a request that are inputs at the same time.
const PART_ROWS: usize = 8_192;

/// Safe to share between threads.
pub struct Model {
    config: ModelConfig,
    head: Head,
    network: Frozen,
    reader: Reader,
    memory_bytes: u64,
}

/// From raw rows to inputs.
enum Reader {
    Table(Encoders),
    Text(Tokenizer),
    Corpus(Tokenizer),
    Images,
    Series,
    Ratings,
}

impl Model {
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// About how much memory it holds while loaded.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Predictions in the rows' order, or every error of the input, at most 100.
    ///
    /// A row names every column of the model; null is a missing value. Rows of a forecaster are the
    /// history of one or several series, and there is one forecast for each series. A row of a
    /// recommender without an item asks for the `top` best items (10 if absent). A row of a language
    /// model is a `prompt` with `max_tokens`, `temperature`, `top_k`, `top_p` and `seed`.
    pub fn predict(&self, rows: &[Row]) -> Result<Vec<Prediction>, FieldErrors> {
        let mut errors = FieldErrors::default();
        match (&self.reader, &self.config.input) {
            (Reader::Corpus(tokenizer), _) => return self.generate(tokenizer, rows),
            (Reader::Series, FittedInput::Series { series, fitted }) => {
                let target = &self.config.target;
                let asked = series::encode_request(fitted, series, target, rows, &mut errors);
                let asked = asked.ok_or(errors)?;
                return self.forecast(asked);
            }
            (Reader::Ratings, FittedInput::Ratings { ratings, .. })
                if rows.iter().all(|row| !row.contains_key(&ratings.item)) =>
            {
                return self.recommend(rows);
            }
            _ => {}
        }
        let mut predictions = Vec::with_capacity(rows.len());
        for (part, rows) in rows.chunks(PART_ROWS).enumerate() {
            let answers = self.predict_part(rows);
            predictions.extend(answers.map_err(|errors| moved(errors, part * PART_ROWS))?);
        }
        Ok(predictions)
    }

    /// Groups of rows side by side, each from its values to its answers by one thread.
    fn predict_part(&self, rows: &[Row]) -> Result<Vec<Prediction>, FieldErrors> {
        let groups = self.in_groups(rows, |inputs| self.answers(inputs))?;
        let answers = groups.into_iter().flatten().enumerate();
        answers.map(|(i, answer)| answer.ok_or_else(|| too_far(i))).collect()
    }

    /// None where the numbers leave what can be said.
    fn answers(&self, inputs: Inputs) -> Vec<Option<Prediction>> {
        let logits = self.run(inputs);
        logits.chunks_exact(self.head.outputs).map(|logits| self.answer(logits)).collect()
    }

    fn run(&self, inputs: Inputs) -> Vec<f32> {
        without_denormals(|| self.network.run(inputs))
    }

    fn answer(&self, logits: &[f32]) -> Option<Prediction> {
        if !logits.iter().all(|z| z.is_finite()) {
            return None;
        }
        let mut answers = vec![];
        self.head.answer(logits, self.head.unit, &mut answers);
        let probabilities = match self.head.task {
            Task::BinaryClassification => vec![1.0 - answers[0], answers[0]],
            Task::MulticlassClassification => answers,
            _ => return Some(Prediction::Value { value: answers[0] }),
        };
        let best = match self.head.task {
            Task::MulticlassClassification => best(logits),
            _ => usize::from(probabilities[1] > probabilities[0]),
        };
        let classes = &self.config.classes;
        Some(Prediction::Class {
            class: classes[best].clone(),
            probabilities: of_each(classes, &probabilities),
        })
    }

    fn forecast(&self, asked: series::Request) -> Result<Vec<Prediction>, FieldErrors> {
        let Shape::Sequence { length, features } = self.config.input.shape() else {
            unreachable!("series are read as sequences")
        };
        let outputs = self.run(Inputs::Sequence { values: asked.inputs, length, features });
        let windows = outputs.chunks_exact(self.head.outputs).zip(asked.origins);
        windows
            .enumerate()
            .map(|(i, (outputs, origin))| {
                if !outputs.iter().all(|z| z.is_finite()) {
                    return Err(too_far(i));
                }
                let mut values = vec![];
                self.head.answer(outputs, origin.unit, &mut values);
                Ok(Prediction::Forecast { series: origin.series, times: origin.times, values })
            })
            .collect()
    }
}

fn of_each(classes: &[String], probabilities: &[f64]) -> BTreeMap<String, f64> {
    // one by one: gathering would sort the few that there are in a place of its own first
    let mut of_each = BTreeMap::new();
    for (class, probability) in classes.iter().zip(probabilities) {
        of_each.insert(class.clone(), *probability);
    }
    of_each
}

fn too_far(row: usize) -> FieldErrors {
    let why = "its values are too far outside the training data for an answer";
    FieldErrors::one(format!("rows[{row}]"), why)
}

fn whole(row: &Row, name: &str, default: u64, min: u64, max: u64, errors: &mut FieldErrors) -> u64 {
    let value = match row.get(name) {
        None | Some(Value::Null) => Some(default),
        Some(value) => value.as_u64(),
    };
    value.filter(|n| (min..=max).contains(n)).unwrap_or_else(|| {
        errors.add(format!("rows[0].{name}"), format!("use a whole number from {min} to {max}"));
        default
    })
}
