//! What kind of data the draft is about, and what a row of it becomes.

use super::{columns, *};
use crate::dataset::ColumnType;

pub(super) struct Resolved {
    pub task: Task,
    pub target: String,
    pub classes: Vec<String>,
    pub input: Input,
    /// Rows with a known target.
    pub rows: u64,
}

pub(super) fn resolve(draft: &TrainingDraft, profile: &Profile, e: &mut FieldErrors) -> Resolved {
    if let Some(series) = &draft.series {
        return series_of(draft, series, profile, e);
    }
    if let Some(ratings) = &draft.recommendation {
        return ratings_of(draft, ratings, profile, e);
    }
    match draft.task {
        Some(Task::Forecasting) => e.add("series", "a forecast needs it: name at least `time`"),
        Some(Task::Recommendation) => {
            e.add("recommendation", "a recommendation needs it: name `user` and `item`");
        }
        _ => {}
    }
    let plain = draft.target.is_none() && profile.columns.len() == 1;
    if draft.task == Some(Task::LanguageModeling) || (draft.task.is_none() && plain) {
        return corpus(draft, profile, e);
    }
    let image = profile.columns.iter().find(|c| c.kind == ColumnType::Image);
    let target = match (&draft.target, image) {
        (Some(target), _) => target.clone(),
        (None, Some(_)) => "label".to_owned(),
        (None, None) => String::new(),
    };
    let (task, classes, rows) = columns::target(draft, &target, profile, e);
    let input = match image {
        Some(image) => images(draft, image.image.unwrap_or([28, 28, 1]), e),
        None => {
            text(draft, &target, profile, e).unwrap_or_else(|| table(draft, &target, profile, e))
        }
    };
    Resolved { task, target, classes, input, rows }
}

/// The text column where the draft asks for a model that reads text, or leaves nothing else to read.
fn text(
    draft: &TrainingDraft,
    target: &str,
    profile: &Profile,
    e: &mut FieldErrors,
) -> Option<Input> {
    let dropped = draft.drop.as_deref().unwrap_or_default();
    let usable = |name: &str| name != target && !dropped.iter().any(|d| d == name);
    let texts: Vec<&str> = match draft.features.as_deref() {
        Some([one]) => vec![one.as_str()],
        Some(_) => return None,
        None => profile
            .columns
            .iter()
            .filter(|c| c.kind == ColumnType::Text && usable(&c.name))
            .map(|c| c.name.as_str())
            .collect(),
    };
    let others = profile
        .columns
        .iter()
        .any(|c| usable(&c.name) && !matches!(c.kind, ColumnType::Text | ColumnType::Empty));
    let asked = asks_for_text(draft.model.as_ref()) || draft.tokenizer.is_some();
    let alone = draft.features.is_some() || !others;
    let column = match texts[..] {
        [one] => profile.column(one)?,
        [] => return None,
        _ if asked => {
            let names = texts.join(", ");
            e.add("features", format!("which text is to be read? name one of {names}"));
            return None;
        }
        _ => return None,
    };
    let readable = matches!(column.kind, ColumnType::Text | ColumnType::Categorical);
    let read = readable && (asked || (alone && column.kind == ColumnType::Text));
    read.then(|| Input::Text {
        column: column.name.clone(),
        tokenizer: tokenizer(draft, Tokenizer::default(), e),
        max_length: within("max_length", draft.max_length, 200, 1, 100_000, e) as u32,
        keep: draft.keep.unwrap_or_default(),
    })
}

fn asks_for_text(model: Option<&ModelDraft>) -> bool {
    let Some(model) = model else { return false };
    let first = model.layers.as_ref().and_then(|layers| layers.first());
    let sequences = matches!(
        model.family,
        Some(
            Family::Lstm
                | Family::Gru
                | Family::BidirectionalLstm
                | Family::BidirectionalGru
                | Family::Transformer
        )
    );
    sequences || matches!(first, Some(Layer::Embedding { .. }))
}

fn tokenizer(draft: &TrainingDraft, default: Tokenizer, e: &mut FieldErrors) -> Tokenizer {
    let tokenizer = draft.tokenizer.clone().unwrap_or(default);
    let least = 8;
    if tokenizer.vocab_size < least || tokenizer.vocab_size > 1_000_000 {
        let n = tokenizer.vocab_size;
        let message = format!("{n} is out of range; use {least} to 1000000 tokens");
        e.add("tokenizer.vocab_size", message);
    }
    tokenizer
}

fn table(draft: &TrainingDraft, target: &str, profile: &Profile, e: &mut FieldErrors) -> Input {
    let preprocess = draft.preprocess.clone().unwrap_or_default();
    check_preprocess(&preprocess, profile, e);
    let features = columns::features(draft, target, &preprocess, profile, e);
    Input::Table { features, preprocess }
}

fn check_preprocess(preprocess: &Preprocess, profile: &Profile, e: &mut FieldErrors) {
    let most = 10_000;
    let sizes = [
        ("preprocess.max_categories", preprocess.max_categories),
        ("preprocess.hash_buckets", preprocess.hash_buckets),
        ("preprocess.min_frequency", preprocess.min_frequency),
    ];
    for (field, size) in sizes {
        within(field, Some(size.into()), 1, 1, most, e);
    }
    if !preprocess.fill_value.is_finite() {
        e.add("preprocess.fill_value", "must be a finite number");
    }
    for name in preprocess.columns.keys().filter(|name| profile.column(name).is_none()) {
        e.add(
            format!("preprocess.columns.{name}"),
            format!("no column `{name}`; the columns are {}", columns::names(profile)),
        );
    }
}

fn images(
    draft: &TrainingDraft,
    [height, width, channels]: [u32; 3],
    e: &mut FieldErrors,
) -> Input {
    let size = draft.image_size.map(|n| within("image_size", Some(n), 28, 4, 1_024, e) as u32);
    Input::Images { height: size.unwrap_or(height), width: size.unwrap_or(width), channels }
}

fn corpus(draft: &TrainingDraft, profile: &Profile, e: &mut FieldErrors) -> Resolved {
    let texts = profile
        .columns
        .iter()
        .filter(|c| matches!(c.kind, ColumnType::Text | ColumnType::Categorical));
    let column = match draft.features.as_deref() {
        Some([one]) => one.clone(),
        _ => texts.map(|c| c.name.clone()).next().unwrap_or_default(),
    };
    if profile.column(&column).is_none() {
        e.add("features", "a language model reads one column of text; name it");
    }
    let characters = Tokenizer {
        kind: TokenizerKind::Character,
        vocab_size: 1_000,
        lowercase: false,
        strip_html: false,
        normalize: false,
    };
    Resolved {
        task: Task::LanguageModeling,
        target: column.clone(),
        classes: vec![],
        input: Input::Corpus {
            column,
            tokenizer: tokenizer(draft, characters, e),
            context: within("context", draft.context, 64, 2, 4_096, e) as u32,
        },
        rows: profile.rows,
    }
}

fn known_column(field: &str, name: &str, profile: &Profile, e: &mut FieldErrors) {
    if profile.column(name).is_none() {
        let known = columns::names(profile);
        e.add(field, format!("the dataset has no column `{name}`; its columns are {known}"));
    }
}

fn series_of(
    draft: &TrainingDraft,
    given: &SeriesDraft,
    profile: &Profile,
    e: &mut FieldErrors,
) -> Resolved {
    let target = draft.target.clone().unwrap_or_default();
    let forecast = TrainingDraft { task: Some(Task::Forecasting), ..draft.clone() };
    let (task, classes, rows) = columns::target(&forecast, &target, profile, e);
    if draft.task.is_some_and(|task| task != Task::Forecasting) {
        e.add("task", "`series` is for the task forecasting");
    }
    known_column("series.time", &given.time, profile, e);
    if let Some(series) = &given.series {
        known_column("series.series", series, profile, e);
    }
    let preprocess = Preprocess::default();
    let mut known = vec![];
    for (i, name) in given.known.iter().flatten().enumerate() {
        let field = format!("series.known[{i}]");
        match profile.column(name) {
            Some(column) if *name != target => match columns::feature(column, &preprocess) {
                Ok(feature) => known.push(feature),
                Err(why) => e.add(field, why),
            },
            Some(_) => e.add(field, "is the target; a model must not see it"),
            None => known_column(&field, name, profile, e),
        }
    }
    let season = within("series.season", given.season, 1, 1, 10_000, e) as u32;
    let horizon = within("series.horizon", given.horizon, season.into(), 1, 10_000, e) as u32;
    let lookback = i64::from(2 * season).max(8);
    let input = Input::Series(Series {
        time: given.time.clone(),
        series: given.series.clone(),
        known,
        calendar: given.calendar.clone().unwrap_or_default(),
        lookback: within("series.lookback", given.lookback, lookback, 1, 10_000, e) as u32,
        horizon,
        season,
        backtest: within("series.backtest", given.backtest, 1, 1, 1_000, e) as u32,
    });
    Resolved { task, target, classes, input, rows }
}

fn ratings_of(
    draft: &TrainingDraft,
    given: &RecommendationDraft,
    profile: &Profile,
    e: &mut FieldErrors,
) -> Resolved {
    let implicit = given.implicit.unwrap_or(false);
    if draft.task.is_some_and(|task| task != Task::Recommendation) {
        e.add("task", "`recommendation` is for the task recommendation");
    }
    known_column("recommendation.user", &given.user, profile, e);
    known_column("recommendation.item", &given.item, profile, e);
    let target = draft.target.clone().unwrap_or_default();
    let rows = if implicit {
        if draft.target.is_some() {
            e.add("target", "an implicit recommendation learns no column; leave it out");
        }
        profile.rows
    } else {
        let rating = TrainingDraft { task: Some(Task::Recommendation), ..draft.clone() };
        columns::target(&rating, &target, profile, e).2
    };
    let negatives = within("recommendation.negatives", given.negatives, 4, 1, 100, e) as u32;
    let input = Input::Ratings(Ratings {
        user: given.user.clone(),
        item: given.item.clone(),
        implicit,
        negatives,
    });
    Resolved { task: Task::Recommendation, target, classes: vec![], input, rows }
}

/// Of one row, as far as the profile tells: vocabularies and one-hot widths are the most they can be.
pub(super) fn shape(input: &Input, profile: &Profile) -> Shape {
    let distinct = |name: &str| profile.column(name).map_or(1, |c| c.distinct.max(1)) as usize;
    match input {
        Input::Table { features, preprocess } => {
            Shape::Features(columns::input_width(features, preprocess, profile) as usize)
        }
        Input::Text { tokenizer, max_length, .. } => Shape::Tokens {
            length: *max_length as usize,
            vocabulary: tokenizer.vocab_size as usize,
        },
        Input::Corpus { tokenizer, context, .. } => {
            Shape::Tokens { length: *context as usize, vocabulary: tokenizer.vocab_size as usize }
        }
        Input::Images { height, width, channels } => Shape::Image {
            height: *height as usize,
            width: *width as usize,
            channels: *channels as usize,
        },
        Input::Series(series) => {
            let known = columns::input_width(&series.known, &Preprocess::default(), profile);
            Shape::Sequence {
                length: series.lookback as usize,
                features: series.channels(known as usize),
            }
        }
        Input::Ratings(r) => Shape::Pair { users: distinct(&r.user), items: distinct(&r.item) },
    }
}
