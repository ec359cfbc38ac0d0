//! Each tenant's data key: made when it is first needed, kept in Postgres wrapped by a master key, and here for
//! a moment. Without its key what a tenant has stored is noise, which is how it is erased.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use domain::TenantId;
use store::{
    Store,
    tenant_keys::{self, Kept, WrappedKey},
};

use crate::{
    BlobError,
    masters::{MasterError, Masters},
    seal::DataKey,
};

/// A key that was destroyed is used no longer than this by those who had it.
const REMEMBERED: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct TenantKeys {
    store: Store,
    masters: Masters,
    known: Mutex<HashMap<TenantId, (DataKey, Instant)>>,
}

fn context(tenant: TenantId) -> String {
    format!("data key of {tenant}")
}

impl TenantKeys {
    pub fn new(store: Store, masters: Masters) -> Self {
        Self { store, masters, known: Mutex::default() }
    }

    pub(crate) async fn of(&self, tenant: TenantId) -> Result<DataKey, BlobError> {
        if let Some(key) = self.known(tenant) {
            return Ok(key);
        }
        let wrapped = match self.kept(tenant).await? {
            Kept::Key(wrapped) => wrapped,
            Kept::Destroyed => return Err(BlobError::KeyDestroyed { tenant }),
            Kept::None => self.make(tenant).await?,
        };
        let secret = self.masters.unwrap(&context(tenant), &wrapped).await?;
        let bytes =
            secret.try_into().map_err(|_| MasterError::Tampered { context: context(tenant) })?;
        let key = DataKey(bytes);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, since)| since.elapsed() < REMEMBERED);
        known.insert(tenant, (key.clone(), Instant::now()));
        Ok(key)
    }

    fn known(&self, tenant: TenantId) -> Option<DataKey> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, since) = known.get(&tenant)?;
        (since.elapsed() < REMEMBERED).then(|| key.clone())
    }

    async fn kept(&self, tenant: TenantId) -> Result<Kept, BlobError> {
        let mut tx = self.store.begin().await?;
        let kept = tenant_keys::get(&mut tx, tenant).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Of two processes that make one at the same time, both take the one that was first.
    async fn make(&self, tenant: TenantId) -> Result<WrappedKey, BlobError> {
        let key = DataKey::generate().ok_or(MasterError::Randomness)?;
        let wrapped = self.masters.wrap(&context(tenant), &key.0).await?;
        let mut tx = self.store.begin().await?;
        let kept = tenant_keys::add(&mut tx, tenant, &wrapped).await?;
        tx.commit().await?;
        match kept {
            Kept::Key(wrapped) => Ok(wrapped),
            Kept::Destroyed | Kept::None => Err(BlobError::KeyDestroyed { tenant }),
        }
    }
}

/// Wraps anew, by the master key in use, what another one has wrapped; how many keys that were. No data is
/// rewritten.
pub async fn rewrap(store: &Store, masters: &Masters) -> Result<u64, BlobError> {
    let mut count = 0;
    loop {
        let mut tx = store.begin().await?;
        let old = tenant_keys::not_wrapped_by(&mut tx, masters.current()).await?;
        let Some((tenant, wrapped)) = old else { return Ok(count) };
        let secret = masters.unwrap(&context(tenant), &wrapped).await?;
        let wrapped = masters.wrap(&context(tenant), &secret).await?;
        tenant_keys::replace(&mut tx, tenant, &wrapped).await?;
        tx.commit().await?;
        count += 1;
    }
}
