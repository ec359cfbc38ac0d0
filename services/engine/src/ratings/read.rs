//! Reads pairs of a user and an item and makes training batches of them.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use domain::{
    child::DataFile,
    dataset::ReadLimits,
    model::FittedRatings,
    spec::{Ratings, TrainingSpec},
};

use crate::{
    chance::Chance,
    error::EngineError,
    read::{Table, is_missing},
    target::finite,
    unit::Unit,
};

/// Draws of an item that the user did not take before looking through them one by one.
const MAX_DRAWS: usize = 32;

/// Rows in the file's order; users and items in the order in which they first appear.
pub(crate) struct RawRatings {
    users: Names,
    items: Names,
    /// User, item and rating; 1 where rows only say that a user took an item.
    rows: Vec<(u32, u32, f64)>,
    implicit: bool,
    negatives: u32,
    pub rows_without_target: u64,
    /// What a user should know of the data, in words.
    pub warnings: Vec<String>,
}

#[derive(Default)]
struct Names {
    names: Vec<String>,
    index: HashMap<String, u32>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        self.index.get(name).copied().unwrap_or_else(|| {
            let number = self.names.len() as u32;
            self.names.push(name.to_owned());
            self.index.insert(name.to_owned(), number);
            number
        })
    }

    /// The place of each name's vector; 0 for those that are not among `fitted`.
    fn places(&self, fitted: &[String]) -> Vec<i32> {
        let mut places = vec![0; self.names.len()];
        for (i, name) in fitted.iter().enumerate() {
            if let Some(&number) = self.index.get(name) {
                places[number as usize] = i as i32 + 1;
            }
        }
        places
    }

    fn seen(&self, numbers: impl Iterator<Item = u32>) -> Vec<String> {
        let mut is_seen = vec![false; self.names.len()];
        numbers.for_each(|number| is_seen[number as usize] = true);
        let seen = self.names.iter().zip(is_seen).filter(|(_, seen)| *seen);
        let mut names: Vec<String> = seen.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }
}

impl RawRatings {
    pub fn read(
        file: &Path,
        data: &DataFile,
        limits: &ReadLimits,
        spec: &TrainingSpec,
        ratings: &Ratings,
    ) -> Result<Self, EngineError> {
        let mut table = Table::open(file, data, limits)?;
        let (user, item) = (table.place(&ratings.user)?, table.place(&ratings.item)?);
        let target = if ratings.implicit { None } else { Some(table.place(&spec.target)?) };
        let mut raw = Self {
            users: Names::default(),
            items: Names::default(),
            rows: vec![],
            implicit: ratings.implicit,
            negatives: ratings.negatives,
            rows_without_target: 0,
            warnings: vec![],
        };
        let mut without_pair = 0_u64;
        while let Some(record) = table.next_row()? {
            let (user, item) = (record.cell(user), record.cell(item));
            if is_missing(user) || is_missing(item) {
                without_pair += 1;
                continue;
            }
            let rating = match target.map(|i| record.cell(i)) {
                None => 1.0,
                Some(cell) if is_missing(cell) => {
                    raw.rows_without_target += 1;
                    continue;
                }
                Some(cell) => finite(cell, record.at, &spec.target)?,
            };
            raw.rows.push((raw.users.number(user), raw.items.number(item), rating));
        }
        if without_pair > 0 {
            let (user, item) = (&ratings.user, &ratings.item);
            raw.warnings
                .push(format!("{without_pair} rows without `{user}` or `{item}` are left out"));
        }
        Ok(raw)
    }

    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Users, items and the ratings' scale of the rows to train on alone.
    pub fn fit(&self, training: &[u32]) -> FittedRatings {
        let rows = || training.iter().map(|&i| self.rows[i as usize]);
        let unit = match self.implicit {
            true => Unit::ITSELF,
            false => Unit::standard(rows().map(|(_, _, rating)| rating)),
        };
        FittedRatings {
            users: self.users.seen(rows().map(|(user, ..)| user)),
            items: self.items.seen(rows().map(|(_, item, _)| item)),
            mean: unit.center,
            deviation: unit.scale,
        }
    }

    /// Every row by the places of its user's and its item's vector.
    pub fn rated(&self, fitted: &FittedRatings, training: &[u32]) -> Rated {
        let users = self.users.places(&fitted.users);
        let items = self.items.places(&fitted.items);
        let row = |&(user, item, rating): &(u32, u32, f64)| Row {
            user,
            item,
            user_place: users[user as usize],
            item_place: items[item as usize],
            rating,
        };
        let rows: Vec<Row> = self.rows.iter().map(row).collect();
        let pair = |row: &Row| (row.user, row.item_place);
        Rated {
            trained: training.iter().map(|&i| pair(&rows[i as usize])).collect(),
            taken: if self.implicit { rows.iter().map(pair).collect() } else { HashSet::new() },
            items: fitted.items.len() as u32,
            negatives: if self.implicit { self.negatives } else { 0 },
            rows,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Of all users and items, known or not.
    pub user: u32,
    pub item: u32,
    /// Where their vectors are.
    pub user_place: i32,
    pub item_place: i32,
    pub rating: f64,
}

/// The rows as a network reads them.
pub(crate) struct Rated {
    pub(super) rows: Vec<Row>,
    /// Users and the places of items that they took in the rows to train on.
    pub(super) trained: HashSet<(u32, i32)>,
    /// In all rows, where that is what is learned.
    taken: HashSet<(u32, i32)>,
    /// How many items are known; their vectors are at 1 and on.
    pub(super) items: u32,
    negatives: u32,
}

/// For which rows items are drawn that the user did not take: those drawn for training must not
/// tell what was held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draw {
    Training,
    Validation,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pairs {
    pub users: Vec<i32>,
    pub items: Vec<i32>,
    /// Ratings in their own unit; 1 for an item that was taken and 0 for one that was drawn.
    pub targets: Vec<f64>,
}

impl Pairs {
    pub fn push(&mut self, user: i32, item: i32, target: f64) {
        self.users.push(user);
        self.items.push(item);
        self.targets.push(target);
    }
}

impl Rated {
    /// How many items are known.
    pub const fn items(&self) -> u32 {
        self.items
    }

    /// The rows, and after each of an implicit dataset up to `negatives` items that its user did not
    /// take (He et al., "Neural collaborative filtering", 2017, 3.2).
    pub fn batch(&self, rows: &[u32], draw: Draw, chance: &mut Chance) -> Pairs {
        let mut pairs = Pairs::default();
        for row in rows.iter().map(|&i| self.rows[i as usize]) {
            pairs.push(row.user_place, row.item_place, row.rating);
            for _ in 0..self.negatives {
                if let Some(item) = self.not_taken(row.user, draw, chance) {
                    pairs.push(row.user_place, item, 0.0);
                }
            }
        }
        pairs
    }

    /// None if the user took every item.
    fn not_taken(&self, user: u32, draw: Draw, chance: &mut Chance) -> Option<i32> {
        let taken = if draw == Draw::Training { &self.trained } else { &self.taken };
        let is_free = |item: &i32| !taken.contains(&(user, *item));
        let mut item = || chance.below(self.items.into()) as i32 + 1;
        if self.items == 0 {
            return None;
        }
        (0..MAX_DRAWS).map(|_| item()).find(is_free).or_else(|| {
            let start = item();
            (start..=self.items as i32).chain(1..start).find(is_free)
        })
    }
}
