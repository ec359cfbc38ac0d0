//! Encoded rows, and batches of them.

use std::sync::Arc;

use domain::spec::Augmentation;

use crate::{
    chance::{Chance, Purpose},
    corpus::Corpus,
    error::EngineError,
    images::RawImages,
    network::{Draws, Inputs},
    ratings::{Draw, Rated},
    series::Windows,
    table::TableSamples,
    text::{Tokens, token_dropout},
    unit::Unit,
};

pub(crate) enum Samples {
    Table(TableSamples),
    Text {
        tokens: Tokens,
        targets: Vec<f64>,
        dropout: f64,
    },
    Corpus {
        corpus: Arc<Corpus>,
        seed: u64,
        /// The windows for validation instead of those for training.
        held_back: bool,
    },
    Images {
        images: Arc<RawImages>,
        rows: Vec<u32>,
        targets: Vec<f64>,
        augmentation: Augmentation,
    },
    Series(Windows),
    Ratings {
        rated: Arc<Rated>,
        rows: Vec<u32>,
        unit: Unit,
        seed: u64,
        draw: Draw,
    },
}

pub(crate) struct Batch {
    pub inputs: Inputs,
    /// What the loss compares with: classes, or numbers as they are learned.
    pub targets: Vec<f64>,
    /// Of each row, where rows differ.
    pub units: Option<Vec<Unit>>,
}

impl Samples {
    pub fn rows(&self) -> usize {
        match self {
            Self::Table(table) => table.rows(),
            Self::Text { targets, .. } | Self::Images { targets, .. } => targets.len(),
            Self::Corpus { corpus, held_back, .. } => corpus.windows(*held_back),
            Self::Series(windows) => windows.rows(),
            Self::Ratings { rows, .. } => rows.len(),
        }
    }

    /// The class or number of every row, for data that has one. Of a table too large for memory they
    /// are there if the specification weighs classes or draws rows by them.
    pub fn targets(&self) -> Option<&[f64]> {
        match self {
            Self::Table(table) => Some(table.targets()),
            Self::Text { targets, .. } | Self::Images { targets, .. } => Some(targets),
            Self::Corpus { .. } | Self::Series(_) | Self::Ratings { .. } => None,
        }
    }

    /// How many tokens a row has, where rows differ in that.
    pub fn length(&self, row: u32) -> usize {
        match self {
            Self::Text { tokens, .. } => tokens.row(row as usize).len(),
            _ => 0,
        }
    }

    /// About how many numbers a row is to the network, and what it makes of it.
    pub fn numbers_per_row(&self) -> usize {
        match self {
            Self::Table(table) => 4 * table.width(),
            Self::Text { .. } => 256 * 64,
            Self::Corpus { corpus, .. } => corpus.context() * 256,
            Self::Images { images, .. } => {
                64 * images.size.iter().map(|&side| side as usize).product::<usize>()
            }
            Self::Series(windows) => 16 * windows.window().0 * windows.window().1,
            Self::Ratings { .. } => 64,
        }
    }

    /// Whether a batch is worth a task of its own while the network is busy. One of rows that lie in
    /// memory as a network reads them is copied in a microsecond or two, and a small network's step
    /// takes so little that waking a thread would show; all other data gains or loses nothing.
    pub fn is_worth_a_task(&self) -> bool {
        !matches!(self, Self::Table(table) if table.is_encoded())
    }

    /// With `draws` the rows are augmented, without they are as they are.
    pub fn batch(
        &self,
        rows: &[u32],
        epoch: u64,
        draws: Option<Draws>,
    ) -> Result<Batch, EngineError> {
        let pick = |targets: &[f64]| rows.iter().map(|&i| targets[i as usize]).collect();
        let plain = |inputs, targets| Batch { inputs, targets, units: None };
        Ok(match self {
            Self::Table(table) => {
                let (values, targets) = table.batch(rows)?;
                plain(Inputs::Features { values, width: table.width() }, targets)
            }
            Self::Text { tokens, targets, dropout } => {
                let mut padded = tokens.batch(rows);
                if let Some(draws) = draws.filter(|_| *dropout > 0.0) {
                    let mut chance = Chance::new(draws.seed, Purpose::Augmentation, draws.step, 0);
                    token_dropout(&mut padded, *dropout, &mut chance);
                }
                let (ids, length, lengths) = (padded.ids, padded.length, padded.lengths);
                plain(Inputs::Tokens { ids, length, lengths }, pick(targets))
            }
            Self::Corpus { corpus, seed, held_back } => {
                let starts = corpus.starts(rows, *seed, epoch, *held_back);
                let (ids, next) = corpus.batch(&starts);
                let length = corpus.context();
                let lengths = vec![length; rows.len()];
                let targets = next.into_iter().map(f64::from).collect();
                plain(Inputs::Tokens { ids, length, lengths }, targets)
            }
            Self::Images { images, rows: all, targets, augmentation } => {
                let chosen: Vec<u32> = rows.iter().map(|&i| all[i as usize]).collect();
                let mut chance = |row| {
                    let Draws { seed, step } = draws.unwrap_or(Draws { seed: 0, step: 0 });
                    Chance::new(seed, Purpose::Augmentation, step, row)
                };
                let wanted = draws.is_some() && *augmentation != Augmentation::default();
                let values = images.batch(&chosen, wanted.then_some((augmentation, &mut chance)));
                let [height, width, channels] = images.size.map(|side| side as usize);
                plain(Inputs::Images { values, height, width, channels }, pick(targets))
            }
            Self::Series(windows) => {
                let (length, features) = windows.window();
                let batch = windows.batch(rows);
                Batch {
                    inputs: Inputs::Sequence { values: batch.inputs, length, features },
                    targets: batch.targets,
                    units: Some(batch.units),
                }
            }
            Self::Ratings { rated, rows: all, unit, seed, draw } => {
                let chosen: Vec<u32> = rows.iter().map(|&i| all[i as usize]).collect();
                let index = draws.map_or(u64::MAX, |draws| draws.step);
                let first = u64::from(chosen.first().copied().unwrap_or(0));
                let mut chance = Chance::new(*seed, Purpose::Sampling, index, first);
                let pairs = rated.batch(&chosen, *draw, &mut chance);
                let targets = pairs.targets.iter().map(|&rating| unit.learned(rating)).collect();
                plain(Inputs::Pairs { users: pairs.users, items: pairs.items }, targets)
            }
        })
    }
}
