//! The replicas that a gateway knows, and whom of them it asks. The list is read every second; while the database is
//! away it stays as it was. A question goes to the replica that answers for its version, and once more to the next one
//! where that one does not answer. A replica that did not is left alone until it is heard again.

use std::{
    error::Error as StdError,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{Digest, replica::ranked};
use registry::{MasterError, Masters};
use serde::de::DeserializeOwned;
use store::{
    Store, StoreError,
    replicas::{self, Secret},
};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{
    MOST_BYTES, REFRESH_EVERY, SILENT_AFTER, Saying, context,
    remote::{List, Remote},
};
use crate::{
    PredictError,
    measured::{head, line},
    shelf::Key,
};

/// Between two looks: the database was away, or this process stood still.
const GAP: Duration = REFRESH_EVERY.saturating_mul(3);
/// The replica that answers for the version, and one more.
const TRIES: u32 = 2;

pub(crate) struct Fleet {
    list: watch::Sender<List>,
    masters: Option<Masters>,
    /// Questions that a replica did not answer.
    unanswered: AtomicU64,
    looks: Mutex<Looks>,
}

/// Since when the list has been read without a gap.
struct Looks {
    since: Instant,
    last: Instant,
}

impl Looks {
    /// Whether a silence is a replica's own: of a database that was away nobody could be heard.
    fn are_steady(&mut self, now: Instant) -> bool {
        if now.duration_since(self.last) > GAP {
            self.since = now;
        }
        self.last = now;
        now.duration_since(self.since) >= SILENT_AFTER
    }
}

impl Fleet {
    /// That knows nobody yet.
    pub fn new(masters: Option<Masters>) -> Self {
        let (list, now) = (watch::Sender::default(), Instant::now());
        let looks = Mutex::new(Looks { since: now, last: now });
        Self { list, masters, unanswered: AtomicU64::new(0), looks }
    }

    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// Reads who is there.
    pub async fn look(&self, store: &Store) -> Result<(), StoreError> {
        let mut tx = store.begin().await?;
        let rows = replicas::live(&mut tx, SILENT_AFTER).await?;
        tx.commit().await?;
        let before = Arc::clone(&self.list.borrow());
        let mut now = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(known) = before.iter().find(|known| known.id == row.id) {
                known.heard(row.heartbeat_at, row.leaving);
                now.push(Arc::clone(known));
                continue;
            }
            match self.met(row).await {
                Ok(replica) => now.push(replica),
                Err(error) => {
                    warn!(error = &*error as &dyn StdError, "a serving replica cannot be asked");
                }
            }
        }
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if !looks.are_steady(Instant::now()) {
            let is_missing =
                |one: &Remote| now.iter().all(|now| now.id != one.id && now.url != one.url);
            let silent: Vec<_> = before.iter().filter(|one| is_missing(one)).cloned().collect();
            now.extend(silent);
        }
        drop(looks);
        if !now.iter().map(|one| one.id).eq(before.iter().map(|one| one.id)) {
            let urls: Vec<_> = now.iter().map(|one| one.url.as_str()).collect();
            info!(replicas = ?urls, "other serving replicas than before");
            self.set(now.into());
        }
        Ok(())
    }

    pub(super) fn set(&self, list: List) {
        self.list.send_replace(list);
    }

    async fn met(
        &self,
        row: replicas::Replica,
    ) -> Result<Arc<Remote>, Box<dyn StdError + Send + Sync>> {
        let context = context(row.id);
        let bytes = match (row.secret.clone(), &self.masters) {
            (Secret::Plain(bytes), _) => bytes,
            (Secret::Wrapped(wrapped), Some(masters)) => masters.unwrap(&context, &wrapped).await?,
            (Secret::Wrapped(wrapped), None) => {
                return Err(MasterError::Unknown { name: wrapped.master, context }.into());
            }
        };
        let secret = bytes.try_into().map_err(|_| MasterError::Tampered { context })?;
        Ok(Arc::new(Remote::new(&row, Digest::from_bytes(secret))?))
    }

    /// What is answered for the version, and it may go on; none where no replica is left to ask.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        version: Key,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Option<(T, Saying)>, PredictError> {
        if body.len() > MOST_BYTES {
            return Ok(None);
        }
        let body = Bytes::from(body);
        let mut tries = 0;
        while tries < TRIES {
            let Some(replica) = self.choose(version) else { return Ok(None) };
            match replica.ask((path, &body), self.list.subscribe()).await {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => {
                    // where nobody took the question nothing was tried
                    tries += u32::from(error.was_heard());
                    self.unanswered.fetch_add(1, Ordering::Relaxed);
                    let error = &error as &dyn StdError;
                    warn!(replica.id = %replica.id, replica.url, error, "a replica did not answer");
                }
            }
        }
        Err(PredictError::Unreached)
    }

    /// Whoever answers for the version, of those that answer.
    fn choose(&self, (model, number): Key) -> Option<Arc<Remote>> {
        let list = self.list.borrow();
        let those: Vec<_> = list.iter().filter(|one| one.answers()).collect();
        let names: Vec<_> = those.iter().map(|one| one.url.as_str()).collect();
        let first = *ranked(&names, (model, number)).first()?;
        Some(Arc::clone(those[first]))
    }

    /// In Prometheus' text format.
    pub fn measured(&self, text: &mut String) {
        let list = Arc::clone(&self.list.borrow());
        head(text, "serving_replicas", "gauge", "Serving replicas that this gateway knows");
        line(text, "serving_replicas", "", &list.len());
        let unanswered = "Questions that a serving replica did not answer; each is asked once more";
        head(text, "serving_unanswered_total", "counter", unanswered);
        line(text, "serving_unanswered_total", "", &self.unanswered.load(Ordering::Relaxed));
        let asked = "Questions to a serving replica, by what came of them";
        head(text, "serving_replica_requests_total", "counter", asked);
        for replica in list.iter() {
            let counts = [("answered", &replica.answered), ("unreached", &replica.unreached)];
            for (outcome, count) in counts {
                let labels = format!("replica=\"{}\",outcome=\"{outcome}\"", replica.url);
                let count = count.load(Ordering::Relaxed);
                line(text, "serving_replica_requests_total", &labels, &count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_gap_everybody_has_time_to_speak_up() {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let mut looks = Looks { since: start, last: start };
        let steady: Vec<_> = (1..8).map(|secs| looks.are_steady(at(secs))).collect();
        assert_eq!(steady, [false, false, false, false, true, true, true]);
        assert!(looks.are_steady(at(10)), "one look was late");
        let steady: Vec<_> = (60..67).map(|secs| looks.are_steady(at(secs))).collect();
        assert_eq!(steady, [false, false, false, false, false, true, true]);
    }
}
