//! Whether the options of training are in range and fit the task and the data.

use super::{defaults, *};

const DEFAULT_SPLIT: f64 = 0.2;
const TINY: f64 = f64::MIN_POSITIVE;
const HUGE: f64 = 1e30;

pub(super) fn optimizer(draft: &TrainingDraft, input: &Input, e: &mut FieldErrors) -> Optimizer {
    let given = draft.optimizer.clone();
    let optimizer = given.unwrap_or_else(|| defaults::optimizer(input));
    check("optimizer.learning_rate", optimizer.learning_rate(), (TINY, 1_000.0), e);
    match &optimizer {
        Optimizer::Gd { .. } => {}
        Optimizer::Sgd { momentum, nesterov, .. } => {
            check("optimizer.momentum", *momentum, (0.0, 1.0), e);
            if *nesterov && *momentum == 0.0 {
                e.add("optimizer.nesterov", "Nesterov's step needs a momentum; set one, 0.9 say");
            }
        }
        Optimizer::Adagrad { initial_accumulator_value, epsilon, .. } => {
            let field = "optimizer.initial_accumulator_value";
            check(field, *initial_accumulator_value, (0.0, HUGE), e);
            check("optimizer.epsilon", *epsilon, (TINY, 1.0), e);
        }
        Optimizer::RmsProp { rho, momentum, epsilon, .. } => {
            check("optimizer.rho", *rho, (0.0, 1.0), e);
            check("optimizer.momentum", *momentum, (0.0, 1.0), e);
            check("optimizer.epsilon", *epsilon, (TINY, 1.0), e);
        }
        Optimizer::Adam { beta_1, beta_2, epsilon, .. }
        | Optimizer::AdamW { beta_1, beta_2, epsilon, .. } => {
            check("optimizer.beta_1", *beta_1, (0.0, 1.0), e);
            check("optimizer.beta_2", *beta_2, (0.0, 1.0), e);
            check("optimizer.epsilon", *epsilon, (TINY, 1.0), e);
            if let Optimizer::AdamW { weight_decay, .. } = &optimizer {
                check("optimizer.weight_decay", *weight_decay, (0.0, 1.0), e);
            }
        }
    }
    optimizer
}

fn at_least_one(field: &str, value: u32, e: &mut FieldErrors) {
    if value == 0 {
        e.add(field, "0 is out of range; use at least 1");
    }
}

pub(super) fn schedule(draft: &TrainingDraft, input: &Input, e: &mut FieldErrors) -> Schedule {
    // a curve made for the default optimizer is not for another one
    let schedule = match (&draft.schedule, &draft.optimizer) {
        (Some(schedule), _) => schedule.clone(),
        (None, None) => defaults::schedule(input),
        (None, Some(_)) => Schedule::default(),
    };
    match &schedule.curve {
        Curve::Constant | Curve::InverseSquareRoot => {}
        Curve::Step { step_size, gamma } => {
            at_least_one("schedule.curve.step_size", *step_size, e);
            check("schedule.curve.gamma", *gamma, (TINY, 1.000_001), e);
        }
        Curve::Cosine { alpha } => {
            check("schedule.curve.alpha", *alpha, (0.0, 1.000_001), e);
        }
        Curve::ReduceOnPlateau { factor, patience, min_delta, min_learning_rate } => {
            check("schedule.curve.factor", *factor, (TINY, 1.0), e);
            at_least_one("schedule.curve.patience", *patience, e);
            check("schedule.curve.min_delta", *min_delta, (0.0, HUGE), e);
            check("schedule.curve.min_learning_rate", *min_learning_rate, (0.0, 1_000.0), e);
        }
    }
    schedule
}

pub(super) fn gradient(draft: &TrainingDraft, input: &Input, e: &mut FieldErrors) -> Gradient {
    let gradient = draft.gradient.clone().unwrap_or_else(|| defaults::gradient(input));
    let limits = [
        ("gradient.clipvalue", gradient.clipvalue),
        ("gradient.clipnorm", gradient.clipnorm),
        ("gradient.global_clipnorm", gradient.global_clipnorm),
    ];
    for (field, limit) in limits {
        if let Some(limit) = limit {
            check(field, limit, (TINY, HUGE), e);
        }
    }
    if gradient.clipnorm.is_some() && gradient.global_clipnorm.is_some() {
        e.add("gradient.clipnorm", "does not go with global_clipnorm; use one of them");
    }
    at_least_one("gradient.accumulation_steps", gradient.accumulation_steps, e);
    gradient
}

pub(super) fn regularization(
    draft: &TrainingDraft,
    input: &Input,
    e: &mut FieldErrors,
) -> Regularization {
    let regularization = draft.regularization.unwrap_or_else(|| defaults::regularization(input));
    check("regularization.l1", regularization.l1, (0.0, HUGE), e);
    check("regularization.l2", regularization.l2, (0.0, HUGE), e);
    regularization
}

pub(super) fn augmentation(draft: &TrainingDraft, e: &mut FieldErrors) -> Augmentation {
    let a = draft.augmentation.clone().unwrap_or_default();
    if a.random_crop > 1_000 {
        let n = a.random_crop;
        e.add("augmentation.random_crop", format!("{n} is out of range; use at most 1000 pixels"));
    }
    check("augmentation.random_rotation", a.random_rotation, (0.0, 180.000_001), e);
    check("augmentation.random_scale", a.random_scale, (0.0, 1.0), e);
    check("augmentation.random_brightness", a.random_brightness, (0.0, 1.000_001), e);
    check("augmentation.gaussian_noise", a.gaussian_noise, (0.0, 1.000_001), e);
    check("augmentation.token_dropout", a.token_dropout, (0.0, 1.0), e);
    a
}

pub(super) fn early_stopping(
    draft: &TrainingDraft,
    task: Task,
    input: &Input,
    split: f64,
    e: &mut FieldErrors,
) -> Option<EarlyStopping> {
    let given = draft.early_stopping.clone();
    let stopping = given.or_else(|| defaults::early_stopping(draft, input, split))?;
    at_least_one("early_stopping.patience", stopping.patience, e);
    check("early_stopping.min_delta", stopping.min_delta, (0.0, HUGE), e);
    let monitor = &stopping.monitor;
    let name = monitor.strip_prefix("val_").unwrap_or(monitor);
    let computed = draft.metrics.clone().unwrap_or_else(|| Metric::usual(task));
    if name != "loss" && !computed.iter().any(|metric| metric.as_str() == name) {
        let known: Vec<&str> = computed.iter().map(|metric| metric.as_str()).collect();
        let message = format!(
            "`{monitor}` is not computed; use val_loss or one of `metrics`, which are {}",
            known.join(", ")
        );
        e.add("early_stopping.monitor", message);
    }
    let folds = draft.validation.as_ref().is_some_and(|validation| validation.folds.is_some());
    let held_back = split > 0.0 || folds || matches!(input, Input::Series(_));
    if monitor.starts_with("val_") && !held_back {
        let why = format!("`{monitor}` needs rows that are held back; set validation.split");
        e.add("early_stopping.monitor", why);
    }
    Some(stopping)
}

pub(super) fn label_smoothing(draft: &TrainingDraft, task: Task, e: &mut FieldErrors) -> f64 {
    let smoothing = draft.label_smoothing.unwrap_or(0.0);
    check("label_smoothing", smoothing, (0.0, 1.0), e);
    let classes = matches!(
        task,
        Task::BinaryClassification | Task::MulticlassClassification | Task::LanguageModeling
    );
    if smoothing > 0.0 && !classes {
        e.add("label_smoothing", format!("does not fit {}; it smooths classes", word(&task)));
    }
    smoothing
}

pub(super) fn class_weight(
    draft: &TrainingDraft,
    classes: &[String],
    e: &mut FieldErrors,
) -> Option<ClassWeight> {
    let weight = draft.class_weight.clone()?;
    if classes.is_empty() {
        e.add("class_weight", "this task has no classes; leave it out");
    }
    if let ClassWeight::Given(weights) = &weight {
        for (class, &weight) in weights {
            if !classes.contains(class) {
                let known = classes.join(", ");
                e.add("class_weight", format!("no class `{class}`; the classes are {known}"));
            }
            check(&format!("class_weight.{class}"), weight, (0.0, HUGE), e);
        }
    }
    Some(weight)
}

pub(super) fn oversample(draft: &TrainingDraft, classes: &[String], e: &mut FieldErrors) -> bool {
    let oversample = draft.oversample.unwrap_or(false);
    if oversample && classes.is_empty() {
        e.add("oversample", "this task has no classes; leave it out");
    }
    oversample
}

/// The share to hold back and the folds. The default split gives way to very small data: fewer than
/// five rows are all trained on.
pub(super) fn validation(
    draft: &TrainingDraft,
    input: &Input,
    rows: u64,
    e: &mut FieldErrors,
) -> (f64, Option<CrossValidation>) {
    let given = draft.validation.clone().unwrap_or_default();
    let stratified = given.stratified.unwrap_or(false);
    if let Some(folds) = given.folds {
        if given.split.is_some() {
            e.add("validation.split", "does not go with folds; use one of them");
        }
        if matches!(input, Input::Corpus { .. } | Input::Series(_)) {
            e.add("validation.folds", "this data is split by place; use series.backtest or split");
        }
        let most = (rows.min(100) as i64).max(2);
        let folds = within("validation.folds", Some(folds), 5, 2, most, e) as u32;
        return (0.0, Some(CrossValidation { folds, stratified }));
    }
    let Some(split) = given.split else {
        let none = validation_rows(rows, DEFAULT_SPLIT) == 0;
        let text = matches!(input, Input::Corpus { .. });
        return (
            if text {
                0.1
            } else if none {
                0.0
            } else {
                DEFAULT_SPLIT
            },
            None,
        );
    };
    let fits = check("validation.split", split, (0.0, 1.0), e);
    let split = if fits { split } else { DEFAULT_SPLIT };
    if matches!(input, Input::Corpus { .. }) {
        return (split, None);
    }
    let held_back = validation_rows(rows, split);
    if rows > 0 && split > 0.0 && held_back == 0 {
        e.add("validation.split", format!("{split} of {rows} rows holds none back; use more"));
    } else if rows == held_back {
        let message = format!("{split} of {rows} rows leaves none to train on; use less");
        e.add("validation.split", message);
    }
    (split, None)
}

/// Text and series go on from what was trained on: another file does not.
pub(super) fn test(draft: &TrainingDraft, input: &Input, e: &mut FieldErrors) {
    if draft.test.is_some() && matches!(input, Input::Corpus { .. } | Input::Series(_)) {
        let why = "a forecast is tested by series.backtest and a language model by \
                   validation.split; leave it out";
        e.add("test", why);
    }
}

/// The default gives way to fewer rows; a size that was asked for does not.
pub(super) fn batch_size(
    draft: &TrainingDraft,
    input: &Input,
    optimizer: &Optimizer,
    training: u64,
    limits: &Limits,
    e: &mut FieldErrors,
) -> u32 {
    if matches!(optimizer, Optimizer::Gd { .. }) {
        if draft.batch_size.is_some() {
            e.add("batch_size", "GD takes all rows at once; leave it out, or use SGD");
        }
        return training.clamp(1, u32::MAX.into()) as u32;
    }
    let usual = defaults::batch_size(input);
    let default = match input {
        Input::Corpus { .. } | Input::Series(_) => usual,
        _ => training.clamp(1, usual),
    } as i64;
    let size = within("batch_size", draft.batch_size, default, 1, limits.max_batch_size, e);
    // windows are more than rows
    let by_row = !matches!(input, Input::Corpus { .. } | Input::Series(_));
    if by_row && training > 0 && size as u64 > training {
        let message =
            format!("{size} is more than the {training} rows to train on; use at most {training}");
        e.add("batch_size", message);
    }
    size as u32
}

/// Each has something to do: of the epoch's `batches`, or with GD rows, at least one.
pub(super) fn workers(
    draft: &TrainingDraft,
    batches: u64,
    limits: &Limits,
    e: &mut FieldErrors,
) -> u32 {
    let workers = within("workers", draft.workers, 1, 1, limits.max_workers, e) as u32;
    if workers > 1 && u64::from(workers) > batches {
        let message = format!(
            "{workers} is more than the {batches} batches of an epoch; use at most {batches}, or a \
             smaller batch_size"
        );
        e.add("workers", message);
    }
    workers
}

pub(super) fn metrics(given: Option<Vec<Metric>>, task: Task, e: &mut FieldErrors) -> Vec<Metric> {
    let Some(mut list) = given else { return Metric::usual(task) };
    for (i, metric) in list.iter().enumerate().filter(|(_, m)| !m.fits(task)) {
        e.add(
            format!("metrics[{i}]"),
            format!("`{}` does not fit {}", metric.as_str(), word(&task)),
        );
    }
    let mut seen = vec![];
    list.retain(|metric| {
        !seen.contains(metric) && {
            seen.push(*metric);
            true
        }
    });
    list
}

pub(super) fn loss(given: Option<Loss>, task: Task, input: &Input, e: &mut FieldErrors) -> Loss {
    let implicit = matches!(input, Input::Ratings(r) if r.implicit);
    let fitting: &[Loss] = match task {
        Task::BinaryClassification => &[Loss::BinaryCrossentropy],
        Task::Recommendation if implicit => &[Loss::BinaryCrossentropy],
        Task::MulticlassClassification | Task::LanguageModeling => &[Loss::CategoricalCrossentropy],
        Task::Regression | Task::Forecasting | Task::Recommendation => {
            &[Loss::MeanSquaredError, Loss::MeanAbsoluteError, Loss::Huber]
        }
    };
    let loss = given.unwrap_or(fitting[0]);
    if !fitting.contains(&loss) {
        e.add(
            "loss",
            format!(
                "{} does not fit {}; use {} or leave it out",
                word(&given),
                word(&task),
                word(&fitting[0])
            ),
        );
    }
    loss
}
