//! The changes that rules make: each is one, to a draft that has everything spelt out, and says in words
//! what it was. None where there is nothing left to change in this way.

use domain::spec::{
    Augmentation, ClassWeight, EarlyStopping, Family, Input, Layer, ModelDraft, Optimizer,
    Regularization, Task, TrainingDraft, ValidationDraft,
};

use crate::{
    Run,
    words::{number, percent},
};

const RATE_FACTOR: f64 = 10.0;
const EPOCHS_FACTOR: i64 = 3;
const ROOM_FACTOR: i64 = 2;
const TIME_FACTOR: i64 = 3;
const SPLIT: f64 = 0.2;
/// What dropout begins with, what is added to it, and where it ends.
const DROPOUT: (f64, f64, f64) = (0.3, 0.2, 0.5);
const FIRST_L2: f64 = 1e-3;
const MOST_L2: f64 = 0.1;
/// More holds a network back that has learned nothing.
const STRONG_L2: f64 = 1e-3;
const MOST_UNITS: u32 = 1_024;

pub(crate) fn more_memory(_: &Run<'_>, draft: &mut TrainingDraft) -> Option<String> {
    let resources = draft.resources.as_mut()?;
    let bytes = resources.memory_bytes?.saturating_mul(ROOM_FACTOR);
    resources.memory_bytes = Some(bytes);
    Some(format!("twice the memory: {} MiB", bytes >> 20))
}

pub(crate) fn more_time(_: &Run<'_>, draft: &mut TrainingDraft) -> Option<String> {
    let seconds = draft.max_runtime?.saturating_mul(TIME_FACTOR);
    draft.max_runtime = Some(seconds);
    Some(format!("three times as long: a `max_runtime` of {seconds} seconds"))
}

pub(crate) fn smaller_steps(_: &Run<'_>, draft: &mut TrainingDraft) -> Option<String> {
    set_rate(draft, |rate| rate / RATE_FACTOR)
}

pub(crate) fn larger_steps(_: &Run<'_>, draft: &mut TrainingDraft) -> Option<String> {
    set_rate(draft, |rate| rate * RATE_FACTOR)
}

fn set_rate(draft: &mut TrainingDraft, change: impl Fn(f64) -> f64) -> Option<String> {
    let optimizer = draft.optimizer.as_mut()?;
    let before = optimizer.learning_rate();
    let (Optimizer::Gd { learning_rate }
    | Optimizer::Sgd { learning_rate, .. }
    | Optimizer::Adagrad { learning_rate, .. }
    | Optimizer::RmsProp { learning_rate, .. }
    | Optimizer::Adam { learning_rate, .. }
    | Optimizer::AdamW { learning_rate, .. }) = optimizer;
    *learning_rate = change(before);
    Some(format!("a learning rate of {}, not {}", number(*learning_rate), number(before)))
}

pub(crate) fn without(draft: &mut TrainingDraft, column: &str) -> Option<String> {
    let features = draft.features.as_mut().filter(|features| features.len() > 1)?;
    features.retain(|name| name != column);
    if let Some(preprocess) = &mut draft.preprocess {
        preprocess.columns.remove(column);
    }
    Some(format!("without the column `{column}`"))
}

pub(crate) fn hold_back(run: &Run<'_>, draft: &mut TrainingDraft) -> Option<String> {
    let stratified = (!run.spec.classes.is_empty()).then_some(true);
    draft.validation = Some(ValidationDraft { split: Some(SPLIT), folds: None, stratified });
    Some(format!("{} of the rows are held back", percent(SPLIT)))
}

pub(crate) fn balance(_: &Run<'_>, draft: &mut TrainingDraft) -> Option<String> {
    draft.class_weight = Some(ClassWeight::Balanced);
    Some("each class counts the same: `class_weight` is balanced".into())
}

/// First the best epoch is kept; then the network is held back by what its data has.
pub(crate) fn hold_it_back(run: &Run<'_>, draft: &mut TrainingDraft) -> Option<String> {
    let keeps_best = draft.early_stopping.as_ref().is_some_and(|rule| rule.restore_best_weights);
    if !keeps_best {
        let rule = draft.early_stopping.clone().unwrap_or_default();
        draft.early_stopping = Some(EarlyStopping { restore_best_weights: true, ..rule });
        return Some(
            "it stops when the validation loss no longer falls, and the best epoch is published"
                .into(),
        );
    }
    augment(&run.spec.input, draft).or_else(|| drop_more(draft)).or_else(|| penalise(draft))
}

fn augment(input: &Input, draft: &mut TrainingDraft) -> Option<String> {
    if draft.augmentation.is_some() {
        return None;
    }
    let (augmentation, words) = match input {
        Input::Images { .. } => (
            Augmentation { random_crop: 2, random_rotation: 10.0, ..Augmentation::default() },
            "images are moved and turned a little",
        ),
        Input::Text { .. } => (
            Augmentation { token_dropout: 0.1, ..Augmentation::default() },
            "a tenth of the words are left out, others each time",
        ),
        _ => return None,
    };
    draft.augmentation = Some(augmentation);
    Some(words.into())
}

/// More of the dropout that there is, or one before the last layer.
fn drop_more(draft: &mut TrainingDraft) -> Option<String> {
    let (first, step, most) = DROPOUT;
    let layers = draft.model.as_mut()?.layers.as_mut()?;
    let mut raised = None;
    for layer in layers.iter_mut() {
        let rate = match layer {
            Layer::Dropout { rate } => rate,
            Layer::TransformerEncoder(block) | Layer::TransformerDecoder(block) => {
                &mut block.dropout
            }
            _ => continue,
        };
        if *rate < most {
            *rate = (*rate + step).min(most);
            raised = Some(*rate);
        }
    }
    if let Some(rate) = raised {
        return Some(format!("a dropout of {}", number(rate)));
    }
    let has_one = layers.iter().any(|layer| matches!(layer, Layer::Dropout { .. }));
    let is_deep = layers.len() > 1 && !matches!(layers.last(), Some(Layer::TwoTower { .. }));
    if has_one || !is_deep {
        return None;
    }
    layers.insert(layers.len() - 1, Layer::Dropout { rate: first });
    Some(format!("a dropout of {} before the last layer", number(first)))
}

fn penalise(draft: &mut TrainingDraft) -> Option<String> {
    let l2 = draft.regularization.map_or(0.0, |given| given.l2);
    let stronger = if l2 == 0.0 { FIRST_L2 } else { l2 * RATE_FACTOR };
    if stronger > MOST_L2 {
        return None;
    }
    let l1 = draft.regularization.map_or(0.0, |given| given.l1);
    draft.regularization = Some(Regularization { l1, l2: stronger });
    Some(format!("a penalty on large weights: `l2` of {}", number(stronger)))
}

pub(crate) fn more_epochs(_: &Run<'_>, draft: &mut TrainingDraft) -> Option<String> {
    let epochs = draft.epochs?.saturating_mul(EPOCHS_FACTOR);
    draft.epochs = Some(epochs);
    Some(format!("three times as many epochs: {epochs}"))
}

/// What holds it back goes first; then it gets more weights.
pub(crate) fn grow(run: &Run<'_>, draft: &mut TrainingDraft) -> Option<String> {
    let penalties = draft.regularization.unwrap_or_default();
    if penalties.l2 > STRONG_L2 || penalties.l1 > 0.0 {
        draft.regularization = Some(Regularization::default());
        return Some("no penalty on large weights".into());
    }
    let layers = draft.model.as_mut()?.layers.as_mut()?;
    let mut dropped = false;
    for layer in layers.iter_mut() {
        if let Layer::Dropout { rate } = layer
            && *rate >= DROPOUT.2
        {
            (*rate, dropped) = (*rate - DROPOUT.0, true);
        }
    }
    if dropped {
        return Some("less dropout".into());
    }
    let hidden = layers.len() - 1;
    let is_linear = layers[..hidden].iter().all(|layer| matches!(layer, Layer::Flatten {}));
    if is_linear && !matches!(run.spec.task, Task::Recommendation | Task::LanguageModeling) {
        draft.model = Some(ModelDraft { family: Some(Family::Mlp), ..ModelDraft::default() });
        return Some("a dense network in place of a linear model".into());
    }
    let grown = layers[..hidden].iter_mut().filter_map(units).filter(|units| **units < MOST_UNITS);
    let grown: Vec<_> = grown.map(|units| *units = (*units * 2).min(MOST_UNITS)).collect();
    (!grown.is_empty()).then(|| "layers twice as wide".into())
}

fn units(layer: &mut Layer) -> Option<&mut u32> {
    match layer {
        Layer::Dense { units, .. } => Some(units),
        Layer::Lstm(recurrent) | Layer::Gru(recurrent) => Some(&mut recurrent.units),
        Layer::Bidirectional { layer } => units(layer),
        Layer::Conv1D { filters, .. } | Layer::Conv2D { filters, .. } => Some(filters),
        _ => None,
    }
}
