//! Downloads and predictions, counted in memory and written about every second, all in one statement: a
//! request locks no row for it. A gateway that is killed loses what it has not written yet, which is no more
//! than a second's; one that is asked to stop writes it first.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::web;
use boot::ticker;
use domain::{ModelId, TenantId, Timestamp};
use store::{
    StoreError,
    models::{self, Counted},
};
use tracing::warn;

use crate::App;

const WRITE_EVERY: Duration = Duration::from_secs(1);
/// So many writes are between two times that searches are brought up to the counts.
const SETTLE_EVERY: u32 = 15;
/// Of whom it is known that they have downloaded something today: more are written once too often, which
/// counts nothing twice.
const MOST_KNOWN: usize = 100_000;

#[derive(Debug, Default)]
pub struct Counts(Mutex<Gathered>);

#[derive(Debug, Default)]
struct Gathered {
    downloads: HashSet<(ModelId, TenantId)>,
    predictions: HashMap<ModelId, u64>,
    /// Written already, on this day.
    known: HashSet<(ModelId, TenantId)>,
    day: i64,
}

impl Gathered {
    /// Whoever downloaded something yesterday counts again today.
    fn begin_day(&mut self, now: Timestamp) {
        let day = now.timestamp().div_euclid(86_400);
        if self.day != day {
            self.known.clear();
            self.day = day;
        }
    }
}

impl Counts {
    pub(crate) fn downloaded(&self, model: ModelId, by: TenantId, now: Timestamp) {
        let mut gathered = self.gathered();
        gathered.begin_day(now);
        if !gathered.known.contains(&(model, by)) {
            gathered.downloads.insert((model, by));
        }
    }

    /// `rows`: that were answered.
    pub(crate) fn predicted(&self, model: ModelId, rows: u64) {
        *self.gathered().predictions.entry(model).or_default() += rows;
    }

    fn take(&self, now: Timestamp) -> Option<Counted> {
        let mut gathered = self.gathered();
        gathered.begin_day(now);
        if gathered.known.len() > MOST_KNOWN {
            gathered.known.clear();
        }
        let downloads: Vec<_> = mem::take(&mut gathered.downloads).into_iter().collect();
        let predictions: Vec<_> = mem::take(&mut gathered.predictions).into_iter().collect();
        gathered.known.extend(&downloads);
        let nothing = downloads.is_empty() && predictions.is_empty();
        (!nothing).then_some(Counted { downloads, predictions })
    }

    /// It could not be written: once more, later.
    fn put_back(&self, counted: Counted) {
        let mut gathered = self.gathered();
        for one in counted.downloads {
            gathered.known.remove(&one);
            gathered.downloads.insert(one);
        }
        for (model, rows) in counted.predictions {
            *gathered.predictions.entry(model).or_default() += rows;
        }
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what was counted since the last time.
pub async fn write_counts(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    let Some(counted) = app.counts.take(now) else { return Ok(()) };
    let written = async {
        let mut tx = app.store.begin().await?;
        models::add(&mut tx, &counted, now).await?;
        tx.commit().await
    };
    let written = written.await;
    if written.is_err() {
        app.counts.put_back(counted);
    }
    written
}

/// Brings searches up to what was counted.
pub async fn settle_counts(app: &App) -> Result<(), StoreError> {
    let mut tx = app.store.begin().await?;
    models::settle(&mut tx, app.clock.now()).await?;
    tx.commit().await
}

pub(crate) async fn keep_counting(app: web::Data<App>) {
    let mut look = ticker(WRITE_EVERY);
    let mut looks = 0_u32;
    loop {
        look.tick().await;
        let mut done = write_counts(&app).await;
        if done.is_ok() && looks.is_multiple_of(SETTLE_EVERY) {
            done = settle_counts(&app).await;
        }
        looks = looks.wrapping_add(1);
        if let Err(error) = done {
            warn!(error = &error as &dyn std::error::Error, "could not write what was counted");
        }
    }
}
