//! From predictions to figures, with scikit-learn's definitions. Where a figure has no value (no
//! rows, an AUC of one class, a prediction that is not a number) it is absent.

mod classes;
mod curves;
mod ledger;
mod probability;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;

use domain::{
    evaluation::{Evaluation, EvaluationSplit},
    spec::{Metric, Task},
};

use classes::Counts;

pub(crate) use ledger::{Batch, Ledger, kept_outputs};

/// Predictions above this count as the positive class.
const THRESHOLD: f64 = 0.5;

/// Answers of a model beside the truth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Predictions<'a> {
    pub task: Task,
    /// Numbers in a row of `answers`: one for a binary task, the classes of a multiclass one, the
    /// predicted values of any other.
    pub outputs: usize,
    /// Row by row: the probability of the positive class, that of every class, or values in the
    /// target's own unit.
    pub answers: &'a [f64],
    /// A class's index for each row, or values as in `answers`.
    pub targets: &'a [f64],
}

impl Predictions<'_> {
    fn is_classification(&self) -> bool {
        matches!(self.task, Task::BinaryClassification | Task::MulticlassClassification)
    }

    fn classes(&self) -> usize {
        if self.task == Task::BinaryClassification { 2 } else { self.outputs }
    }

    pub fn rows(&self) -> usize {
        self.answers.len().checked_div(self.outputs).unwrap_or(0)
    }

    /// Whether there are rows, all answers are numbers and each has a truth that can be.
    fn are_sound(&self) -> bool {
        let rows = self.rows();
        let width = if self.is_classification() { 1 } else { self.outputs };
        let classes = self.classes() as f64;
        let can_be = |t: &f64| match self.is_classification() {
            true => *t >= 0.0 && *t < classes && t.fract() == 0.0,
            false => t.is_finite(),
        };
        rows > 0
            && (self.task != Task::BinaryClassification || self.outputs == 1)
            && self.answers.len() == rows * self.outputs
            && self.targets.len() == rows * width
            && self.answers.iter().all(|a| a.is_finite())
            && self.targets.iter().all(can_be)
    }
}

/// One figure. Absent where it is undefined or does not fit the task. Perplexity comes from the loss
/// and ranking metrics from lists of items: neither is known here.
pub(crate) fn metric(metric: Metric, p: &Predictions) -> Option<f64> {
    if !metric.fits(p.task) || !p.are_sound() {
        return None;
    }
    let value = match metric {
        Metric::Accuracy => Some(Counts::of(p).accuracy()),
        Metric::Precision => Some(Counts::of(p).overall(p.task).precision),
        Metric::Recall => Some(Counts::of(p).overall(p.task).recall),
        Metric::F1 => Some(Counts::of(p).overall(p.task).f1),
        Metric::Auc => curves::auc(&curves::cuts(p.answers, p.targets)),
        Metric::PrAuc => curves::average_precision(&curves::cuts(p.answers, p.targets)),
        Metric::LogLoss => Some(probability::log_loss(p)),
        Metric::BrierScore => Some(probability::brier_score(p)),
        Metric::CalibrationError => {
            Some(probability::calibration_error(&probability::calibration(p)))
        }
        Metric::MeanSquaredError => Some(values::mean_squared_error(p)),
        Metric::RootMeanSquaredError => Some(values::root_mean_squared_error(p)),
        Metric::MeanAbsoluteError => Some(values::mean_absolute_error(p)),
        Metric::MeanAbsolutePercentageError => Some(values::mean_absolute_percentage_error(p)),
        Metric::R2 => values::r2(p),
        Metric::Perplexity | Metric::HitRate | Metric::Ndcg => None,
    };
    value.filter(|v| v.is_finite())
}

/// What each row adds to a figure that is the mean of it over the rows; none of any other figure.
pub(crate) fn scores(metric: Metric, p: &Predictions) -> Option<Vec<f64>> {
    if !metric.fits(p.task) || !p.are_sound() {
        return None;
    }
    let width = if p.is_classification() { 1 } else { p.outputs };
    let of_row = |(answers, targets): (&[f64], &[f64])| {
        let one = Predictions { answers, targets, ..*p };
        self::metric(metric, &one)
    };
    match metric {
        Metric::Accuracy
        | Metric::LogLoss
        | Metric::BrierScore
        | Metric::MeanSquaredError
        | Metric::MeanAbsoluteError => p
            .answers
            .chunks_exact(p.outputs)
            .zip(p.targets.chunks_exact(width))
            .map(of_row)
            .collect(),
        _ => None,
    }
}

/// Those of the wanted metrics that have a value, by name.
pub(crate) fn metrics(wanted: &[Metric], p: &Predictions) -> BTreeMap<String, f64> {
    wanted.iter().filter_map(|&m| Some((m.as_str().to_owned(), metric(m, p)?))).collect()
}

/// All that can be said of a model by its predictions. `classes` are the target's, in order.
pub(crate) fn evaluate(
    split: EvaluationSplit,
    loss: f64,
    wanted: &[Metric],
    classes: &[String],
    p: &Predictions,
) -> Evaluation {
    let mut evaluation = Evaluation {
        split,
        rows: p.rows() as u64,
        loss: Some(loss).filter(|l| l.is_finite()),
        metrics: metrics(wanted, p),
        per_class: None,
        confusion_matrix: None,
        calibration: None,
        roc_curve: None,
        precision_recall_curve: None,
        residuals: None,
    };
    if !p.are_sound() {
        return evaluation;
    }
    if p.is_classification() {
        evaluation.per_class = Some(Counts::of(p).report(classes));
        evaluation.confusion_matrix = classes::confusion_matrix(p);
    } else if p.task != Task::LanguageModeling {
        evaluation.residuals = Some(values::residuals(p));
    }
    if p.task == Task::BinaryClassification {
        let cuts = curves::cuts(p.answers, p.targets);
        evaluation.calibration = Some(probability::calibration(p));
        evaluation.roc_curve = curves::roc_curve(&cuts);
        evaluation.precision_recall_curve = curves::precision_recall_curve(&cuts);
    }
    evaluation
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
