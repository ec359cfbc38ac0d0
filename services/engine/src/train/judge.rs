//! A network's figures on rows that it does not learn from.

use std::collections::BTreeMap;

use domain::{
    evaluation::{Evaluation, EvaluationSplit},
    spec::{Metric, Task, TrainingSpec},
};

use crate::{
    error::EngineError,
    evaluation::{self, Batch, Ledger, Predictions},
    head::Head,
    network::{Frozen, Inputs, Network},
    ratings::Rated,
    samples::Samples,
    unit::Unit,
};

/// Numbers that go through the network at once, at most.
const CHUNK_NUMBERS: usize = 1 << 20;
const MAX_CHUNK_ROWS: usize = 1_024;

pub(crate) struct Verdict {
    ledger: Ledger,
    ranking: BTreeMap<String, f64>,
}

pub(crate) fn judge(
    network: &Network,
    head: &Head,
    samples: &Samples,
    spec: &TrainingSpec,
) -> Result<Verdict, EngineError> {
    let head = head.judge();
    let network = network.clone().freeze();
    // of tokens only the loss is asked for
    let keep =
        if head.task == Task::LanguageModeling { 0 } else { spec.max_kept_outputs() as usize };
    let mut ledger = Ledger::default();
    let (all, at_once) = (samples.rows() as u32, chunk_rows(samples));
    for start in (0..all).step_by(at_once) {
        let rows: Vec<u32> = (start..all).take(at_once).collect();
        let batch = samples.batch(&rows, 0, None)?;
        let logits = network.run(batch.inputs);
        add(&mut ledger, &head, &logits, &batch.targets, batch.units.as_deref(), keep);
    }
    let ranking = match samples {
        Samples::Ratings { rated, rows, .. } => ranking(&network, spec, rated, rows),
        _ => BTreeMap::new(),
    };
    Ok(Verdict { ledger, ranking })
}

/// Of all items for each user, where the specification asks for it.
fn ranking(
    network: &Frozen,
    spec: &TrainingSpec,
    rated: &Rated,
    rows: &[u32],
) -> BTreeMap<String, f64> {
    let wanted = |metric: &Metric| matches!(metric, Metric::HitRate | Metric::Ndcg);
    if !spec.metrics.iter().any(wanted) {
        return BTreeMap::new();
    }
    let items: Vec<i32> = (1..=rated.items() as i32).collect();
    let scores =
        |user| network.run(Inputs::Pairs { users: vec![user; items.len()], items: items.clone() });
    let Some(ranking) = rated.ranking(rows, scores) else { return BTreeMap::new() };
    let value = |metric: &Metric| match metric {
        Metric::HitRate => ranking.hit_rate,
        _ => ranking.ndcg,
    };
    let wanted = spec.metrics.iter().filter(|metric| wanted(metric));
    wanted.map(|metric| (metric.as_str().to_owned(), value(metric))).collect()
}

fn chunk_rows(samples: &Samples) -> usize {
    let per_row = samples.numbers_per_row().max(1);
    (CHUNK_NUMBERS / per_row).clamp(1, MAX_CHUNK_ROWS)
}

impl Verdict {
    /// None without rows.
    pub fn loss(&self) -> Option<f64> {
        self.ledger.loss()
    }

    pub fn metrics(&self, head: &Head, spec: &TrainingSpec, prefix: &str) -> BTreeMap<String, f64> {
        let mut metrics = of_ledger(&self.ledger, head, &spec.metrics, prefix);
        let ranking = self.ranking.iter();
        metrics.extend(ranking.map(|(name, value)| (format!("{prefix}{name}"), *value)));
        metrics
    }

    /// What each row adds to a metric that is the mean of that; none where not every row was kept.
    pub fn scores(&self, metric: Metric, head: &Head) -> Option<Vec<f64>> {
        let answers = answers(&self.ledger, head);
        let all = self.ledger.rows == (answers.len() / head.outputs) as u64;
        let predictions = Predictions {
            task: head.task,
            outputs: head.outputs,
            answers: &answers,
            targets: &self.ledger.targets,
        };
        all.then(|| evaluation::scores(metric, &predictions)).flatten()
    }

    pub fn evaluation(
        &self,
        split: EvaluationSplit,
        head: &Head,
        spec: &TrainingSpec,
    ) -> Evaluation {
        let answers = answers(&self.ledger, head);
        let predictions = Predictions {
            task: spec.task,
            outputs: head.outputs,
            answers: &answers,
            targets: &self.ledger.targets,
        };
        let loss = self.ledger.loss().unwrap_or(f64::NAN);
        let mut evaluation =
            evaluation::evaluate(split, loss, &spec.metrics, &spec.classes, &predictions);
        evaluation.metrics = self.metrics(head, spec, "");
        evaluation.metrics.remove("loss");
        evaluation.rows = self.ledger.rows;
        evaluation
    }
}

/// What repeating the last season would have given on the same windows.
pub(super) fn naive(samples: &Samples) -> BTreeMap<String, f64> {
    let Samples::Series(windows) = samples else { return BTreeMap::new() };
    let (answers, targets) = (windows.seasonal_naive(), windows.truth());
    let predictions = Predictions {
        task: Task::Forecasting,
        outputs: windows.horizon(),
        answers: &answers,
        targets: &targets,
    };
    let wanted = Metric::usual(Task::Forecasting);
    evaluation::metrics(&wanted, &predictions)
        .into_iter()
        .map(|(name, value)| (format!("val_seasonal_naive_{name}"), value))
        .collect()
}

/// Adds a batch, whose outputs are kept where there are fewer than `keep`; gives its mean loss and the derivative of that by each of `logits`.
pub(super) fn add(
    ledger: &mut Ledger,
    head: &Head,
    logits: &[f32],
    targets: &[f64],
    units: Option<&[Unit]>,
    keep: usize,
) -> (f64, Vec<f32>) {
    let (outputs, width) = (head.outputs, head.targets());
    let rows = logits.len() / outputs;
    let mut gradients = vec![0.0; logits.len()];
    let loss_sum = head.losses(logits, targets, &mut gradients);
    let batch = Batch {
        task: head.task,
        rows: rows as u64,
        loss_sum,
        width: outputs,
        outputs: logits,
        targets,
    };
    if head.is_probability() {
        ledger.add(&batch, keep);
    } else {
        // kept in the target's own unit, in which the metrics are
        let unit = |row: usize| units.map_or(head.unit, |units| units[row]);
        let outputs_in_unit: Vec<f32> = logits
            .iter()
            .enumerate()
            .map(|(i, &z)| unit(i / outputs).value(f64::from(z)) as f32)
            .collect();
        let targets_in_unit: Vec<f64> =
            targets.iter().enumerate().map(|(i, &t)| unit(i / width).value(t)).collect();
        let batch = Batch { outputs: &outputs_in_unit, targets: &targets_in_unit, ..batch };
        ledger.add(&batch, keep);
    }
    (loss_sum / rows as f64, gradients)
}

pub(super) fn of_ledger(
    ledger: &Ledger,
    head: &Head,
    wanted: &[Metric],
    prefix: &str,
) -> BTreeMap<String, f64> {
    let answers = answers(ledger, head);
    ledger.metrics(head.task, head.outputs, &answers, wanted, prefix)
}

fn answers(ledger: &Ledger, head: &Head) -> Vec<f64> {
    if !head.is_probability() {
        return ledger.outputs.iter().map(|&value| f64::from(value)).collect();
    }
    let mut answers = Vec::with_capacity(ledger.outputs.len());
    for logits in ledger.outputs.chunks_exact(head.outputs) {
        head.answer(logits, Unit::ITSELF, &mut answers);
    }
    answers
}
