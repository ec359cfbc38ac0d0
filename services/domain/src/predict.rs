//! Predictions: raw rows in, answers out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{FieldErrors, explain::Explanation};

/// A raw row: column name to number, text, boolean or null. Columns the model does not use are ignored.
pub type Row = serde_json::Map<String, serde_json::Value>;

/// Errors of one row, or of rows from one on, at their place in the request.
pub fn moved(errors: FieldErrors, by: usize) -> FieldErrors {
    let place = |field: String| -> String {
        let Some((number, rest)) = field.strip_prefix("rows[").and_then(|f| f.split_once(']'))
        else {
            return field;
        };
        match number.parse::<usize>() {
            Ok(row) => format!("rows[{}]{rest}", row + by),
            Err(_) => field,
        }
    };
    let moved = errors.0.into_iter().map(|mut error| {
        error.field = place(error.field);
        error
    });
    FieldErrors(moved.collect())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Prediction {
    Class {
        /// The most probable class.
        class: String,
        /// Of every class; they sum to 1.
        probabilities: BTreeMap<String, f64>,
    },
    /// Where only the most probable classes are asked for.
    Top {
        /// The most probable class.
        class: String,
        /// The most probable first.
        top: Vec<ClassProbability>,
    },
    Value {
        value: f64,
    },
    /// The next steps of a series.
    Forecast {
        /// Absent where the model knows one series.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        series: Option<String>,
        /// As the training data writes them.
        times: Vec<String>,
        values: Vec<f64>,
    },
    /// The best items for a user, best first.
    Items {
        items: Vec<Scored>,
    },
    /// Any of these, where it is asked for with its reasons.
    Explained {
        #[schema(no_recursion)]
        prediction: Box<Prediction>,
        explanation: Explanation,
    },
    /// What a language model goes on with.
    Text {
        text: String,
        tokens: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Scored {
    pub item: String,
    /// The rating, or the probability of taking it.
    pub score: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ClassProbability {
    pub class: String,
    pub probability: f64,
}

impl Prediction {
    /// The `many` most probable classes, of a classifier's answer; any other one as it is. Of equals the
    /// first by name comes first.
    #[must_use]
    pub fn top(self, many: usize) -> Self {
        let (class, probabilities) = match self {
            Self::Class { class, probabilities } => (class, probabilities),
            Self::Explained { prediction, explanation } => {
                let prediction = Box::new(prediction.top(many));
                return Self::Explained { prediction, explanation };
            }
            other => return other,
        };
        let top = probabilities.into_iter();
        let mut top: Vec<_> =
            top.map(|(class, probability)| ClassProbability { class, probability }).collect();
        top.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        top.truncate(many);
        Self::Top { class, top }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_probable_classes_come_first() {
        let probabilities = [("a", 0.2), ("b", 0.5), ("c", 0.2), ("d", 0.1)];
        let of_each = probabilities.map(|(class, p)| (class.to_owned(), p)).into();
        let answer = Prediction::Class { class: "b".to_owned(), probabilities: of_each };
        let Prediction::Top { class, top } = answer.top(3) else { panic!("a classifier's") };
        let classes: Vec<_> = top.iter().map(|one| one.class.as_str()).collect();
        assert_eq!((class.as_str(), classes), ("b", vec!["b", "a", "c"]));
        assert_eq!(Prediction::Value { value: 1.0 }.top(1), Prediction::Value { value: 1.0 });
    }

    #[test]
    fn errors_keep_their_rows_where_a_request_was_cut() {
        let mut errors = FieldErrors::one("rows[3].age", "missing");
        errors.add("rows", "too many");
        let fields: Vec<_> = moved(errors, 10).0.into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["rows[13].age", "rows"]);
    }
}
