//! Options that the data or the family has no use for: better refused than quietly without effect.

use super::*;

pub(super) fn check(draft: &TrainingDraft, input: &Input, e: &mut FieldErrors) {
    let table = matches!(input, Input::Table { .. });
    let text = matches!(input, Input::Text { .. });
    let corpus = matches!(input, Input::Corpus { .. });
    let images = matches!(input, Input::Images { .. });
    let series = matches!(input, Input::Series(_));
    let mut only_for = |given: bool, fits: bool, field: &str, what: &str| {
        if given && !fits {
            e.add(field, format!("is for {what}; leave it out"));
        }
    };
    only_for(draft.preprocess.is_some(), table, "preprocess", "tables");
    only_for(draft.tokenizer.is_some(), text || corpus, "tokenizer", "text");
    only_for(draft.max_length.is_some(), text, "max_length", "rows of text");
    only_for(draft.keep.is_some(), text, "keep", "rows of text");
    let grouped = draft.group_by_length == Some(true);
    only_for(grouped, text, "group_by_length", "rows of text, whose lengths differ");
    only_for(draft.context.is_some(), corpus, "context", "language models");
    only_for(draft.image_size.is_some(), images, "image_size", "images");
    let validation = draft.validation.clone().unwrap_or_default();
    only_for(
        validation.split.is_some(),
        !series,
        "validation.split",
        "other data; of series the last `series.backtest` horizons are held back",
    );
    if let Some(a) = &draft.augmentation {
        let token = a.token_dropout > 0.0;
        let image = Augmentation { token_dropout: 0.0, ..a.clone() } != Augmentation::default();
        only_for(token, text, "augmentation.token_dropout", "rows of text");
        only_for(image, images, "augmentation", "images (all but token_dropout)");
    }
    if let Some(model) = draft.model.as_ref().filter(|model| model.layers.is_none()) {
        family(model, input, e);
    }
}

/// The options that a family has beside the others.
fn family(model: &ModelDraft, input: &Input, e: &mut FieldErrors) {
    let family = model.family.unwrap_or_else(|| super::family::default(input));
    let recurrent = matches!(
        family,
        Family::Lstm | Family::Gru | Family::BidirectionalLstm | Family::BidirectionalGru
    );
    let transformer = family == Family::Transformer;
    let (mlp, cnn) = (family == Family::Mlp, family == Family::Cnn);
    let factors = matches!(family, Family::MatrixFactorization | Family::TwoTower);
    let tower = family == Family::TwoTower;
    let text = matches!(input, Input::Text { .. } | Input::Corpus { .. });
    let options = [
        ("units", model.units.is_some(), mlp || recurrent || tower),
        ("activation", model.activation.is_some(), mlp || cnn || transformer),
        ("batch_normalization", model.batch_normalization.is_some(), mlp),
        ("dropout", model.dropout.is_some(), mlp || cnn || recurrent || transformer),
        ("recurrent_dropout", model.recurrent_dropout.is_some(), recurrent),
        ("embedding_dim", model.embedding_dim.is_some(), text || transformer || factors),
        ("num_heads", model.num_heads.is_some(), transformer),
        ("num_layers", model.num_layers.is_some(), transformer),
        ("intermediate_dim", model.intermediate_dim.is_some(), transformer),
        ("positions", model.positions.is_some(), transformer),
        ("normalize_first", model.normalize_first.is_some(), transformer),
        ("filters", model.filters.is_some(), cnn),
    ];
    for (name, given, fits) in options {
        if given && !fits {
            let family = word(&family);
            e.add(format!("model.{name}"), format!("the family {family} has none; leave it out"));
        }
    }
}
