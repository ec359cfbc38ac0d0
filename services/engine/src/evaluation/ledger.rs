//! What is remembered of the rows of an epoch while it runs, as plain numbers: a checkpoint keeps it
//! exactly, and an epoch that is cut in two ends with the same metrics.

use std::collections::BTreeMap;

use domain::spec::{Metric, Task, TrainingSpec};

use super::{Predictions, classes::best, metric};

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ledger {
    /// Of all rows, each with its class's weight.
    pub loss_sum: f64,
    /// Rows whose class was predicted.
    pub correct: u64,
    pub rows: u64,
    /// For the metrics that need every prediction at once, row by row. Rows past the limit are left
    /// out; as rows come in random order, those kept are a fair sample.
    pub outputs: Vec<f32>,
    pub targets: Vec<f64>,
}

/// Rows that went through the network together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub task: Task,
    /// Rows, or tokens of a text, that count in the loss.
    pub rows: u64,
    /// The sum of their losses, not the mean.
    pub loss_sum: f64,
    /// Numbers in a row of `outputs`.
    pub width: usize,
    /// What the network gives before the last activation: logits, or standardised values.
    pub outputs: &'a [f32],
    /// A class's index for each row, or `width` values.
    pub targets: &'a [f64],
}

/// How many outputs of an epoch are kept for the metrics of its training rows.
pub(crate) fn kept_outputs(spec: &TrainingSpec) -> usize {
    if needs_predictions(&spec.metrics) { spec.max_kept_outputs() as usize } else { 0 }
}

/// Whether one of the metrics needs more than sums.
fn needs_predictions(wanted: &[Metric]) -> bool {
    wanted.iter().any(|m| !matches!(m, Metric::Accuracy | Metric::Perplexity))
}

impl Ledger {
    /// Adds a batch, its predictions too until there are `keep` outputs (see [`kept_outputs`]).
    pub fn add(&mut self, batch: &Batch, keep: usize) {
        self.loss_sum += batch.loss_sum;
        self.rows += batch.rows;
        self.correct += correct(batch);
        if batch.width == 0 {
            return;
        }
        let by_class =
            matches!(batch.task, Task::BinaryClassification | Task::MulticlassClassification);
        let target_width = if by_class { 1 } else { batch.width };
        let room = keep.saturating_sub(self.outputs.len()) / batch.width;
        let rows = room.min(batch.outputs.len() / batch.width);
        let rows = rows.min(batch.targets.len() / target_width);
        self.outputs.extend_from_slice(&batch.outputs[..rows * batch.width]);
        self.targets.extend_from_slice(&batch.targets[..rows * target_width]);
    }

    /// Adds another worker's rows of the same epoch, with predictions of `width` numbers, of which
    /// there are `keep` at most.
    pub fn merge(&mut self, other: &Self, width: usize, keep: usize) {
        self.loss_sum += other.loss_sum;
        self.rows += other.rows;
        self.correct += other.correct;
        let (room, width) = (keep.saturating_sub(self.outputs.len()), width.max(1));
        let has = other.outputs.len() / width;
        let rows = (room / width).min(has);
        self.outputs.extend_from_slice(&other.outputs[..rows * width]);
        let of_row = other.targets.len().checked_div(has).unwrap_or(0);
        self.targets.extend_from_slice(&other.targets[..rows * of_row]);
    }

    /// The mean of a row; absent without rows.
    pub fn loss(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.loss_sum / self.rows as f64)
    }

    /// `loss` and the wanted metrics; validation's names start with `val_`. `answers` are those that
    /// the kept outputs stand for.
    pub fn metrics(
        &self,
        task: Task,
        width: usize,
        answers: &[f64],
        wanted: &[Metric],
        prefix: &str,
    ) -> BTreeMap<String, f64> {
        let kept = Predictions { task, outputs: width, answers, targets: &self.targets };
        let value = |wanted| match wanted {
            Metric::Accuracy if wanted.fits(task) && self.rows > 0 => {
                Some(self.correct as f64 / self.rows as f64)
            }
            Metric::Accuracy => None,
            Metric::Perplexity if wanted.fits(task) => self.loss().map(f64::exp),
            wanted => metric(wanted, &kept),
        };
        let wanted = wanted.iter().map(|&m| (m.as_str(), value(m)));
        let named = wanted.chain([("loss", self.loss())]);
        named.filter_map(|(name, value)| Some((format!("{prefix}{name}"), value?))).collect()
    }
}

/// A probability is above one half where its logit is above zero; the largest probability is that
/// of the largest logit.
fn correct(batch: &Batch) -> u64 {
    let is_correct: fn(&[f32], f64) -> bool = match batch.task {
        Task::BinaryClassification => |logits, target| (logits[0] > 0.0) == (target == 1.0),
        Task::MulticlassClassification => |logits, target| best(logits) as f64 == target,
        _ => return 0,
    };
    let rows = batch.outputs.chunks_exact(batch.width.max(1)).zip(batch.targets);
    rows.filter(|&(logits, &target)| is_correct(logits, target)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch<'a>(task: Task, width: usize, outputs: &'a [f32], targets: &'a [f64]) -> Batch<'a> {
        let rows = (outputs.len() / width) as u64;
        Batch { task, rows, loss_sum: rows as f64 * 0.5, width, outputs, targets }
    }

    #[test]
    fn an_epoch_in_pieces_is_the_whole_epoch() {
        let (outputs, targets) =
            ([1.5, -0.5, 0.25, -2.0, 0.75, 0.0], [1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        let task = Task::BinaryClassification;
        let (mut whole, mut pieces) = (Ledger::default(), Ledger::default());
        whole.add(&batch(task, 1, &outputs, &targets), 100);
        for (outputs, targets) in outputs.chunks(4).zip(targets.chunks(4)) {
            // As through a checkpoint.
            pieces = pieces.clone();
            pieces.add(&batch(task, 1, outputs, targets), 100);
        }
        assert_eq!(whole, pieces);
        assert_eq!((whole.correct, whole.rows), (4, 6));
        let answers: Vec<f64> =
            whole.outputs.iter().map(|&z| 1.0 / (1.0 + (-f64::from(z)).exp())).collect();
        let wanted = Metric::usual(task);
        let metrics = whole.metrics(task, 1, &answers, &wanted, "val_");
        let names: Vec<&str> = metrics.keys().map(String::as_str).collect();
        assert_eq!(names, ["val_accuracy", "val_auc", "val_loss", "val_precision", "val_recall"]);
        assert_eq!(metrics["val_accuracy"], 4.0 / 6.0);
        assert_eq!(metrics["val_precision"], 2.0 / 3.0);
        assert_eq!(metrics["val_loss"], 0.5);
    }

    #[test]
    fn several_outputs_are_kept_row_by_row() {
        let mut ledger = Ledger::default();
        let outputs = [1.0, 2.0, 3.0, 5.0];
        ledger.add(&batch(Task::Forecasting, 2, &outputs, &[1.0, 2.0, 3.0, 4.0]), 100);
        let answers: Vec<f64> = ledger.outputs.iter().map(|&v| f64::from(v)).collect();
        let wanted = [Metric::MeanAbsoluteError, Metric::Accuracy];
        let metrics = ledger.metrics(Task::Forecasting, 2, &answers, &wanted, "");
        assert_eq!(metrics, [("loss".into(), 0.5), ("mean_absolute_error".into(), 0.25)].into());
    }

    #[test]
    fn rows_past_the_limit_count_but_are_not_kept() {
        let mut ledger = Ledger::default();
        let width = 3;
        let keep = 100;
        let outputs: Vec<f32> = [0.0, 1.0, 0.5].repeat(keep / width / 2 + 1);
        let targets = vec![1.0; outputs.len() / width];
        for _ in 0..3 {
            ledger.add(&batch(Task::MulticlassClassification, width, &outputs, &targets), keep);
        }
        assert_eq!(ledger.rows, 3 * targets.len() as u64);
        assert_eq!(ledger.correct, ledger.rows);
        assert!(ledger.outputs.len() <= keep);
        assert!(ledger.outputs.len() > keep - width);
        assert_eq!(ledger.outputs.len(), ledger.targets.len() * width);
    }

    #[test]
    fn the_rows_of_several_workers_are_those_of_one() {
        let (outputs, targets) = ([0.1, 0.9, 0.8, 0.2, 0.3, 0.7], [1.0, 0.0, 0.0]);
        let of = |outputs: &[f32], targets: &[f64], keep| {
            let mut ledger = Ledger::default();
            ledger.add(&batch(Task::MulticlassClassification, 2, outputs, targets), keep);
            ledger
        };
        for keep in [100, 4, 2] {
            let mut merged = of(&outputs[..2], &targets[..1], keep);
            merged.merge(&of(&outputs[2..], &targets[1..], keep), 2, keep);
            assert_eq!(merged, of(&outputs, &targets, keep), "of {keep} that are kept");
        }
        let mut same = of(&outputs, &targets, 100);
        same.merge(&Ledger::default(), 2, 100);
        assert_eq!(same, of(&outputs, &targets, 100));
    }

    #[test]
    fn no_rows_have_no_loss_and_a_text_has_its_perplexity() {
        let wanted = [Metric::Accuracy, Metric::Perplexity];
        let empty = Ledger::default();
        for task in [Task::BinaryClassification, Task::LanguageModeling] {
            assert!(empty.metrics(task, 1, &[], &wanted, "").is_empty());
        }
        assert!(!needs_predictions(&wanted));
        assert!(needs_predictions(&[Metric::Auc]));
        let mut ledger = Ledger::default();
        let tokens = Batch { rows: 4, loss_sum: 8.0, ..batch(Task::LanguageModeling, 1, &[], &[]) };
        ledger.add(&tokens, 0);
        let metrics = ledger.metrics(Task::LanguageModeling, 1, &[], &wanted, "");
        assert_eq!(metrics, [("loss".into(), 2.0), ("perplexity".into(), 2.0_f64.exp())].into());
    }
}
