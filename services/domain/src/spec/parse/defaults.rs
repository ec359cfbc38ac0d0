//! What a short specification trains with: settings under which each kind of data reaches good
//! figures without tuning (`make bench-quality` shows them).

use super::*;

/// Epochs, where none are asked for. Of a table they are the most where rows are held back, for the best
/// one is published then; a cross-validation is not to choose what it judges.
pub(super) fn epochs(input: &Input, split: f64) -> i64 {
    match input {
        Input::Table { .. } if split > 0.0 => 50,
        Input::Table { .. } => 20,
        Input::Text { .. } => 5,
        Input::Corpus { .. } => 2,
        Input::Images { .. } => 5,
        Input::Series(_) => 100,
        Input::Ratings(_) => 20,
    }
}

pub(super) const fn batch_size(input: &Input) -> u64 {
    match input {
        Input::Table { .. } | Input::Text { .. } | Input::Series(_) => 32,
        Input::Corpus { .. } => 12,
        Input::Images { .. } => 64,
        Input::Ratings(_) => 256,
    }
}

pub(super) fn optimizer(input: &Input) -> Optimizer {
    match input {
        Input::Corpus { .. } => Optimizer::AdamW {
            learning_rate: 2.5e-3,
            beta_1: 0.9,
            beta_2: 0.99,
            epsilon: 1e-7,
            weight_decay: 0.1,
        },
        Input::Images { .. } => Optimizer::adam(4e-3),
        Input::Ratings(_) => Optimizer::adam(5e-3),
        Input::Table { .. } | Input::Text { .. } | Input::Series(_) => Optimizer::default(),
    }
}

pub(super) fn schedule(input: &Input) -> Schedule {
    match input {
        Input::Corpus { .. } => {
            Schedule { warmup_steps: 100, curve: Curve::Cosine { alpha: 0.02 } }
        }
        Input::Images { .. } => Schedule { warmup_steps: 0, curve: Curve::Cosine { alpha: 0.0 } },
        _ => Schedule::default(),
    }
}

pub(super) fn gradient(input: &Input) -> Gradient {
    match input {
        Input::Corpus { .. } => Gradient { global_clipnorm: Some(1.0), ..Gradient::default() },
        _ => Gradient::default(),
    }
}

pub(super) fn regularization(input: &Input) -> Regularization {
    match input {
        Input::Series(_) => Regularization { l1: 0.0, l2: 3e-3 },
        Input::Ratings(_) => Regularization { l1: 0.0, l2: 3e-4 },
        _ => Regularization::default(),
    }
}

/// Where the number of epochs is left open and rows are held back, the best epoch is published.
pub(super) fn early_stopping(
    draft: &TrainingDraft,
    input: &Input,
    split: f64,
) -> Option<EarlyStopping> {
    let by_epochs = matches!(input, Input::Table { .. } | Input::Text { .. } | Input::Ratings(_));
    let open = draft.epochs.is_none() && split > 0.0 && by_epochs;
    open.then(EarlyStopping::default)
}
