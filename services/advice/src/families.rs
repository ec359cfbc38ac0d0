//! Which families read each kind of data, the best guess first, and why.

use domain::{
    dataset::ColumnProfile,
    spec::{Family, ModelDraft, RecommendationDraft, SeriesDraft, TrainingDraft},
};

use crate::{
    kind::Kind,
    season,
    words::{many, named},
};

/// A draft before its data has been asked.
pub(crate) struct Candidate {
    pub family: Family,
    pub reason: String,
    pub draft: TrainingDraft,
}

pub(crate) fn of(kind: &Kind<'_>, rows: u64, base: &TrainingDraft) -> Vec<Candidate> {
    let with = |family: Family, reason: String, draft: TrainingDraft| {
        let model = Some(ModelDraft { family: Some(family), ..ModelDraft::default() });
        Candidate { family, reason, draft: TrainingDraft { model, ..draft } }
    };
    let target = |name: &str| TrainingDraft { target: Some(name.to_owned()), ..base.clone() };
    match kind {
        Kind::Images => {
            let draft = TrainingDraft { target: base.target.clone(), ..base.clone() };
            vec![
                with(
                    Family::Cnn,
                    "Images: convolutions find the same shape wherever it is.".into(),
                    draft.clone(),
                ),
                with(
                    Family::Mlp,
                    "Of small images a dense network learns fast, and is the figure to beat."
                        .into(),
                    draft,
                ),
            ]
        }
        Kind::Corpus => vec![with(
            Family::Transformer,
            "A plain text: a transformer learns to go on with it, each token seeing all before it."
                .into(),
            base.clone(),
        )],
        Kind::Ratings { user, item, rating } => ratings(base, user, item, *rating)
            .map(|(family, reason, draft)| with(family, reason, draft))
            .into(),
        Kind::Series { time, series, target } => forecasts(base, time, *series, target)
            .map(|(family, reason, draft)| with(family, reason, draft))
            .into(),
        Kind::Text { column, target: wanted } => texts(column)
            .map(|(family, reason)| {
                let features = Some(vec![column.name.clone()]);
                with(family, reason, TrainingDraft { features, ..target(wanted) })
            })
            .into(),
        Kind::Table { target: wanted, text } => {
            let reasons = table(rows);
            let tables = reasons.map(|(family, reason)| with(family, reason, target(wanted)));
            let text = text.map(|column| {
                let reason = format!(
                    "{} holds texts of about {:.0} characters, which a table's model cannot read: \
                                      this one reads them, and nothing else.",
                    named(&[&column.name]),
                    length(column)
                );
                let features = Some(vec![column.name.clone()]);
                with(
                    Family::BidirectionalLstm,
                    reason,
                    TrainingDraft { features, ..target(wanted) },
                )
            });
            tables.into_iter().chain(text).collect()
        }
    }
}

fn length(column: &ColumnProfile) -> f64 {
    column.chars.map_or(0.0, |chars| chars.mean)
}

/// Whether rows are enough for the first of them is seen once the network's size is known.
fn table(rows: u64) -> [(Family, String); 2] {
    let dense = format!(
        "A table of {}: a dense network also learns what columns say together, which a linear model cannot.",
        many(rows, "row")
    );
    let linear = "One weight for each input: nothing to overfit with, and each weight can be read. The figure to beat.";
    [(Family::Mlp, dense), (Family::Linear, linear.to_owned())]
}

fn texts(column: &ColumnProfile) -> [(Family, String); 2] {
    let name = named(&[&column.name]);
    let chars = length(column);
    let lstm = format!(
        "{name} holds texts of about {chars:.0} characters: a network that reads them both ways learns from few rows."
    );
    let transformer =
        "Attention sees all words at once: faster on long texts, and better with many rows.";
    [(Family::BidirectionalLstm, lstm), (Family::Transformer, transformer.to_owned())]
}

fn ratings(
    base: &TrainingDraft,
    user: &str,
    item: &str,
    rating: Option<&str>,
) -> [(Family, String, TrainingDraft); 2] {
    let learned = rating.map_or_else(
        || format!("what {} take of {}", named(&[user]), named(&[item])),
        |rating| format!("{} that {} gives {}", named(&[rating]), named(&[user]), named(&[item])),
    );
    let recommendation = RecommendationDraft {
        user: user.to_owned(),
        item: item.to_owned(),
        implicit: rating.is_none().then_some(true),
        negatives: None,
    };
    let draft = TrainingDraft {
        target: rating.map(str::to_owned),
        recommendation: Some(recommendation),
        ..base.clone()
    };
    let factors = format!(
        "Learns {learned}: a vector for each, whose product says how well they go together."
    );
    let towers = "The same with dense layers over the vectors: learns more with many rows, and takes longer.";
    [
        (Family::MatrixFactorization, factors, draft.clone()),
        (Family::TwoTower, towers.to_owned(), draft),
    ]
}

fn forecasts(
    base: &TrainingDraft,
    time: &ColumnProfile,
    series: Option<&str>,
    target: &str,
) -> [(Family, String, TrainingDraft); 3] {
    let season = season::of(time);
    let repeats = season.as_ref().map_or_else(String::new, |season| {
        format!(
            " Its steps are {}: the pattern is thought to repeat after {}.",
            season.step, season.of
        )
    });
    let given = SeriesDraft {
        time: time.name.clone(),
        series: series.map(str::to_owned),
        season: season.map(|season| season.steps.into()),
        ..SeriesDraft::default()
    };
    let draft =
        TrainingDraft { target: Some(target.to_owned()), series: Some(given), ..base.clone() };
    let panel =
        series.map_or_else(String::new, |series| format!(", for each {}", named(&[series])));
    let dense = format!(
        "{} goes on in {}{panel}: a dense network over the last steps forecasts the next ones.{repeats}",
        named(&[target]),
        named(&[&time.name])
    );
    let linear = "A linear model of the last steps: of a short series often the best, and the figure to beat.";
    let lstm = "A recurrent network reads the steps in order; it needs a long series.";
    [
        (Family::Mlp, dense, draft.clone()),
        (Family::Linear, linear.to_owned(), draft.clone()),
        (Family::Lstm, lstm.to_owned(), draft),
    ]
}
