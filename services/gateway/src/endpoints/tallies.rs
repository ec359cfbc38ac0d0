//! What came of calls by endpoints, gathered in memory and written about every second in one statement. A
//! gateway that is killed loses what it has not written: no fact hangs on it.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use store::{
    StoreError,
    endpoints::{self, EndpointTally, TargetKey},
};

use crate::App;

pub(crate) const WRITE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<HashMap<TargetKey, EndpointTally>>);

impl Tallies {
    pub fn add(&self, key: TargetKey, more: EndpointTally) {
        let mut all = self.all();
        let tally = all.entry(key).or_default();
        tally.requests += more.requests;
        tally.errors += more.errors;
        tally.rows += more.rows;
        tally.agreed += more.agreed;
        tally.micros += more.micros;
    }

    fn all(&self) -> MutexGuard<'_, HashMap<TargetKey, EndpointTally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what was counted since the last time.
pub async fn write_tallies(app: &App) -> Result<(), StoreError> {
    let taken: Vec<_> = mem::take(&mut *app.endpoints.tallies.all()).into_iter().collect();
    if taken.is_empty() {
        return Ok(());
    }
    let written = async {
        let mut tx = app.store.begin().await?;
        endpoints::add(&mut tx, &taken).await?;
        tx.commit().await
    };
    let written = written.await;
    if written.is_err() {
        for (key, tally) in taken {
            app.endpoints.tallies.add(key, tally);
        }
    }
    written
}
