//! Predictions are metered to the tenant that calls: counted in memory by version, and written every ten seconds as
//! records that are only ever added, one for each tenant and version that had some. A record that could not be
//! written goes again under the same id, so that none counts twice. A gateway that is killed loses what it has not
//! written yet; one that is asked to stop writes it first.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{ModelId, TenantId, Timestamp};
use store::{
    Store, StoreError,
    predictions::{self, Record},
};

pub use store::predictions::Predicted;

pub(crate) const WRITE_EVERY: Duration = Duration::from_secs(10);

/// Who called, the model and its version.
type Key = (TenantId, ModelId, u32);

#[derive(Debug, Default)]
pub struct Metered(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    unwritten: HashMap<Key, Predicted>,
    /// Records that are on their way, and may be in the database already.
    writing: Vec<Record>,
}

impl Metered {
    pub(crate) fn count(&self, key: Key, predicted: Predicted) {
        let mut counts = self.counts();
        let sum = counts.unwritten.entry(key).or_default();
        *sum = sum.plus(predicted);
    }

    /// What was counted since the last time.
    pub async fn write(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let records = {
            let mut counts = self.counts();
            if counts.writing.is_empty() {
                let new = mem::take(&mut counts.unwritten).into_iter();
                let record = |((tenant, model, version), predicted)| {
                    Record::new(tenant, (model, version), now, predicted)
                };
                counts.writing = new.map(record).collect();
            }
            counts.writing.clone()
        };
        if !records.is_empty() {
            let mut tx = store.begin().await?;
            predictions::add(&mut tx, &records).await?;
            tx.commit().await?;
        }
        self.counts().writing.clear();
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
