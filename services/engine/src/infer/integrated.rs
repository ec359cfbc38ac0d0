//! Integrated gradients (Sundararajan, Taly and Yan, 2017): along the straight line from a baseline `x'` to the row `x`,
//! the mean slope of the answer by each input times how far that input goes, `(x - x') ∫ ∂F(x' + a(x - x'))/∂x da`. What
//! the inputs add so is `F(x) - F(x')` in all (completeness). The integral is a sum over the middles of equal steps,
//! exact where the answer is a straight line.

use std::ops::Range;

use domain::{
    explain::{Attribution, Explain, Explanation},
    field::FieldErrors,
    model::FittedInput,
    predict::{Prediction, Row, moved},
    spec::Task,
};

use super::{Model, Reader};
use crate::{
    network::{Inputs, Point},
    ops::denormals::without_denormals,
};

/// From where to where, and what the numbers between are called.
struct Line {
    from: Point,
    to: Point,
    /// What a caller names, and which numbers are its.
    parts: Vec<(String, Range<usize>)>,
    of_tokens: bool,
}

impl Model {
    /// Predictions with what they are made of.
    pub fn explain(&self, rows: &[Row], how: Explain) -> Result<Vec<Prediction>, FieldErrors> {
        how.check(rows.len())?;
        self.can_explain()?;
        let predictions = self.predict(rows)?;
        let explained = rows.iter().zip(predictions).enumerate().map(|(i, (row, prediction))| {
            let explanation = self.explanation(row, &prediction, how.steps);
            let explanation = explanation.map_err(|errors| moved(errors, i))?;
            Ok(Prediction::Explained { prediction: Box::new(prediction), explanation })
        });
        explained.collect()
    }

    /// Or which family cannot be, and why.
    fn can_explain(&self) -> Result<(), FieldErrors> {
        let why = match &self.config.input {
            FittedInput::Table { .. } | FittedInput::Text(_) => return Ok(()),
            FittedInput::Corpus(_) => "a language model answers with a text, drawn token by token",
            FittedInput::Series { .. } => {
                "a forecaster answers with many numbers for a whole history"
            }
            FittedInput::Images { .. } => "a picture has no features that a caller names",
            FittedInput::Ratings { .. } => {
                "a recommender knows users and items by name, which change by no degrees"
            }
        };
        let why = format!("{why}; integrated gradients are for models of tables and of texts");
        Err(FieldErrors::one("explain", why))
    }

    fn explanation(
        &self,
        row: &Row,
        prediction: &Prediction,
        steps: u32,
    ) -> Result<Explanation, FieldErrors> {
        let line = self.line(row)?;
        let class = match prediction {
            Prediction::Class { class, .. } => Some(class.clone()),
            _ => None,
        };
        let place = class.as_ref().and_then(|it| self.config.classes.iter().position(|c| c == it));
        let answered = Answered { model: self, class: place.unwrap_or(0) };
        let [baseline, value] = [&line.from, &line.to].map(|at| answered.at(at));
        let by_number = answered.integrated(&line, steps);
        let mut attributions = Vec::with_capacity(line.parts.len());
        for (name, range) in line.parts {
            let attribution = by_number[range].iter().sum();
            attributions.push(match line.of_tokens {
                true => Attribution::Token { token: name, attribution },
                false => Attribution::Feature { feature: name, attribution },
            });
        }
        let sum: f64 = attributions.iter().map(Attribution::amount).sum();
        let convergence_delta = sum - (value - baseline);
        Ok(Explanation { class, baseline, value, attributions, convergence_delta })
    }

    fn line(&self, row: &Row) -> Result<Line, FieldErrors> {
        let inputs = self.inputs(std::slice::from_ref(row))?;
        match (&self.reader, inputs) {
            (Reader::Table(encoders), inputs @ Inputs::Features { width, .. }) => {
                let from = Inputs::Features { values: encoders.baseline(), width };
                let named = |(name, range): (&str, _)| (name.to_owned(), range);
                Ok(Line {
                    from: self.network.point(from),
                    to: self.network.point(inputs),
                    parts: encoders.spans().map(named).collect(),
                    of_tokens: false,
                })
            }
            (Reader::Text(tokenizer), Inputs::Tokens { ids, length, lengths }) => {
                let padding =
                    Inputs::Tokens { ids: vec![0; ids.len()], length, lengths: lengths.clone() };
                let tokens: Vec<u32> =
                    ids[..lengths[0]].iter().map(|id| id.unsigned_abs()).collect();
                let to = self.network.point(Inputs::Tokens { ids, length, lengths });
                let width = to.width();
                let named = |(place, id): (usize, &u32)| {
                    (tokenizer.decode(&[*id]), place * width..(place + 1) * width)
                };
                let parts = tokens.iter().enumerate().map(named).collect();
                Ok(Line { from: self.network.point(padding), to, parts, of_tokens: true })
            }
            _ => unreachable!("whether it can be explained was asked before"),
        }
    }
}

/// What is explained: the probability of one class, or the number that is foretold.
struct Answered<'a> {
    model: &'a Model,
    class: usize,
}

impl Answered<'_> {
    fn at(&self, point: &Point) -> f64 {
        let mut found = 0.0;
        let network = &self.model.network;
        without_denormals(|| {
            network.slopes(point, point.values.clone(), |logits| {
                found = self.value(logits);
                vec![0.0; logits.len()]
            })
        });
        found
    }

    /// Of each number: its mean slope times its way.
    fn integrated(&self, line: &Line, steps: u32) -> Vec<f64> {
        let (from, to) = (&line.from.values, &line.to.values);
        let mut sums = vec![0.0_f64; to.len()];
        let places: Vec<u32> = (0..steps).collect();
        for places in places.chunks(self.model.group_rows()) {
            let mut values = Vec::with_capacity(places.len() * to.len());
            for place in places {
                let share = (f64::from(*place) + 0.5) / f64::from(steps);
                let between = |(from, to): (&f32, &f32)| {
                    (f64::from(*from) + share * (f64::from(*to) - f64::from(*from))) as f32
                };
                values.extend(from.iter().zip(to).map(between));
            }
            let slopes = without_denormals(|| {
                self.model.network.slopes(&line.to, values, |logits| self.outer(logits))
            });
            for slopes in slopes.chunks_exact(to.len().max(1)) {
                sums.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += f64::from(*slope));
            }
        }
        let way = from.iter().zip(to).map(|(from, to)| f64::from(*to) - f64::from(*from));
        sums.iter().zip(way).map(|(sum, way)| sum / f64::from(steps) * way).collect()
    }

    fn probabilities(&self, logits: &[f32]) -> Vec<f64> {
        let mut answers = vec![];
        self.model.head.answer(logits, self.model.head.unit, &mut answers);
        match self.model.head.task {
            Task::BinaryClassification => vec![1.0 - answers[0], answers[0]],
            _ => answers,
        }
    }

    /// Of one row.
    fn value(&self, logits: &[f32]) -> f64 {
        self.probabilities(logits)[self.class]
    }

    /// The derivative of each row's value by its logits.
    fn outer(&self, logits: &[f32]) -> Vec<f32> {
        let head = &self.model.head;
        let of_row = |logits: &[f32]| -> Vec<f32> {
            match head.task {
                Task::BinaryClassification => {
                    let p = self.probabilities(logits);
                    let sign = if self.class == 1 { 1.0 } else { -1.0 };
                    vec![(sign * p[0] * p[1]) as f32]
                }
                Task::MulticlassClassification => {
                    let p = self.probabilities(logits);
                    let own = p[self.class];
                    let slope = |(i, p): (usize, &f64)| {
                        let same = if i == self.class { 1.0 } else { 0.0 };
                        (own * (same - p)) as f32
                    };
                    p.iter().enumerate().map(slope).collect()
                }
                _ => vec![head.unit.scale as f32; logits.len()],
            }
        };
        logits.chunks_exact(head.outputs).flat_map(of_row).collect()
    }
}
