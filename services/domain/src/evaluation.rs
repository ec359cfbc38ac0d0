//! What a finished model is said to do: its figures on rows that it was not trained on, and the
//! points of the plots that explain them. A figure that has no value there (an AUC of one class,
//! say) is absent, never a number that stands for something else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Evaluation {
    pub split: EvaluationSplit,
    pub rows: u64,
    /// The mean loss of a row, without penalties on weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// By the names that a specification uses.
    pub metrics: BTreeMap<String, f64>,
    /// Of a classification, in the order of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<Vec<ClassReport>>,
    /// Rows by truth, columns by prediction, both in the order of the classes; of up to 100 classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion_matrix: Option<Vec<Vec<u64>>>,
    /// Of a binary task: predicted and observed shares of the positive class. Bins without rows are
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Vec<CalibrationBin>>,
    /// Of a binary task with rows of both classes: at most 100 points from (0, 0) to (1, 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roc_curve: Option<Vec<RocPoint>>,
    /// Of a binary task with positive rows: at most 100 points from recall 0 to recall 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision_recall_curve: Option<Vec<PrecisionRecallPoint>>,
    /// Of a task that predicts numbers: truth minus prediction, in the target's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residuals: Option<Vec<Quantile>>,
}

/// The rows that a model was evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationSplit {
    /// Held back from the training data.
    Validation,
    /// A dataset version of its own.
    Test,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ClassReport {
    pub class: String,
    /// Correct ones among those predicted to be of the class; 0 if there is none.
    pub precision: f64,
    /// Correct ones among those truly of the class; 0 if there is none.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// Rows truly of the class.
    pub support: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CalibrationBin {
    /// Probabilities above this (in the first bin 0 too) ...
    pub from: f64,
    /// ... up to this.
    pub to: f64,
    pub rows: u64,
    pub mean_predicted: f64,
    pub share_positive: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RocPoint {
    pub false_positive_rate: f64,
    pub true_positive_rate: f64,
    /// Rows of at least this probability count as positive; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PrecisionRecallPoint {
    pub recall: f64,
    /// 1 where no row counts as positive.
    pub precision: f64,
    /// Rows of at least this probability count as positive; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// `share` of the values are at most `value`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Quantile {
    pub share: f64,
    pub value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undefined_is_not_written() {
        let evaluation = Evaluation {
            split: EvaluationSplit::Test,
            rows: 2,
            loss: None,
            metrics: [("mean_absolute_error".to_owned(), 0.5)].into(),
            per_class: None,
            confusion_matrix: None,
            calibration: None,
            roc_curve: None,
            precision_recall_curve: None,
            residuals: Some(vec![Quantile { share: 0.5, value: -0.25 }]),
        };
        let json = serde_json::to_string(&evaluation).unwrap();
        assert_eq!(
            json,
            r#"{"split":"test","rows":2,"metrics":{"mean_absolute_error":0.5},"residuals":[{"share":0.5,"value":-0.25}]}"#
        );
        assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), evaluation);
    }
}
