//! What a tenant downloads of files in a month has an end. A download is counted before its first byte, as whole
//! as it is to be, and what was not sent is taken off again when it ends. Counts are kept in the process and go to
//! the database once a second, all of them in one statement; whether there is room is asked with what is there and
//! what has not gone there yet. So one gateway lets nothing through beyond the limit, and several no more than
//! what the others have let through within the last second.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::web::Bytes;
use domain::{TenantId, Timestamp};
use futures::{Stream, TryStreamExt};
use store::{
    Store, StoreError,
    egress::{self, Month, Sent},
};

use crate::{ApiError, App, Code};

pub(crate) const WRITE_EVERY: Duration = Duration::from_secs(1);
const SECS_PER_HOUR: i64 = 3_600;

/// What this process has counted.
#[derive(Debug, Clone, Default)]
pub struct Egress(Arc<Mutex<Counts>>);

/// By tenant and hour since 1970.
type Key = (TenantId, i64);

#[derive(Debug, Default)]
struct Counts {
    unwritten: BTreeMap<Key, i64>,
    /// Counts that are on their way, and may be in the database already.
    writing: BTreeMap<Key, i64>,
}

impl Counts {
    fn of(&self, tenant: TenantId) -> i64 {
        let sum = |counts: &BTreeMap<Key, i64>| -> i64 {
            counts.range((tenant, i64::MIN)..=(tenant, i64::MAX)).map(|(_, bytes)| bytes).sum()
        };
        sum(&self.unwritten).saturating_add(sum(&self.writing))
    }
}

impl Egress {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, key: Key, bytes: i64) {
        *self.counts().unwritten.entry(key).or_default() += bytes;
    }

    /// Counts so many bytes for a tenant, if it may download them.
    pub(crate) async fn take(
        &self,
        app: &App,
        tenant: TenantId,
        bytes: u64,
    ) -> Result<Download, ApiError> {
        let now = app.clock.now();
        let left = i64::try_from(bytes).unwrap_or(i64::MAX);
        let key = (tenant, now.timestamp() / SECS_PER_HOUR);
        self.count(key, left);
        let download = Download { counted: self.clone(), key, left };
        // before the database is asked: what leaves here meanwhile is there already, and counts twice at worst
        let here = self.counts().of(tenant);
        let mut tx = app.store.begin_for(tenant).await?;
        let month = egress::month(&mut tx, tenant, now).await?;
        tx.commit().await?;
        let with_it = month.bytes.saturating_add_signed(here);
        if with_it > month.limit {
            return Err(refusal(bytes, with_it.saturating_sub(bytes), &month, now));
        }
        Ok(download)
    }

    /// What was counted since the last time. What the database did not take goes with the next.
    pub async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let sent: Vec<_> = {
            let mut counts = self.counts();
            if counts.writing.is_empty() {
                counts.writing = std::mem::take(&mut counts.unwritten);
            }
            let all = counts.writing.iter().filter(|(_, bytes)| **bytes != 0);
            all.map(|(&(tenant, hour), &bytes)| Sent { tenant, hour, bytes }).collect()
        };
        if !sent.is_empty() {
            let mut tx = store.begin().await?;
            egress::add(&mut tx, &sent).await?;
            tx.commit().await?;
        }
        self.counts().writing.clear();
        Ok(())
    }
}

fn refusal(bytes: u64, used: u64, month: &Month, now: Timestamp) -> ApiError {
    let Month { limit, resets_at, .. } = month;
    let reset = resets_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let detail = format!(
        "these {bytes} bytes, with the {used} that the tenant has downloaded this month, are more than the {limit} \
         that it may (`max_egress_bytes`); come again from {reset} on, or ask the operator for more"
    );
    let wait = (*resets_at - now).num_seconds() + 1;
    ApiError::new(Code::EgressExceeded, detail).retry_after(u32::try_from(wait).unwrap_or(u32::MAX))
}

/// One that was let through.
#[derive(Debug)]
pub(crate) struct Download {
    counted: Egress,
    key: Key,
    /// What it was counted for and has not sent; fewer than none if it has sent more.
    left: i64,
}

impl Download {
    /// The bytes on their way.
    pub fn of<E>(
        mut self,
        stream: impl Stream<Item = Result<Bytes, E>>,
    ) -> impl Stream<Item = Result<Bytes, E>> {
        stream.inspect_ok(move |chunk| self.sent(chunk.len()))
    }

    fn sent(&mut self, bytes: usize) {
        self.left -= i64::try_from(bytes).unwrap_or(i64::MAX);
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if self.left != 0 {
            self.counted.count(self.key, -self.left);
        }
    }
}
