//! Clearing away what no row names: what a refused push, a commit, a fork, a deleted version or a crash has
//! left behind. A content is stored before the row that names it, and somebody may store it again, or find
//! it there and rely on it, at the very moment at which it is cleared. So nothing is deleted where it lies: what
//! has lain unnamed for a while is set aside, under the moment at which that happened, and only what nobody
//! has named in as long a while again is deleted. Whoever reads a content looks there too, and the next pass
//! puts back what a row names by then.

use std::{collections::BTreeSet, time::Duration};

use domain::{Digest, TenantId, Timestamp, UploadId};
use futures::TryStreamExt;
use object_store::{
    GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path as Key,
};
use store::{Store, contents, uploads};

use crate::{BlobError, Blobs, blobs::missing};

/// Asked about in one statement.
const AT_ONCE: usize = 1_000;

/// What a pass has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleared {
    pub set_aside: u64,
    pub put_back: u64,
    pub deleted: u64,
    /// Of what was deleted, as it was stored.
    pub deleted_bytes: u64,
}

/// One tenant's bytes.
struct Pass<'a> {
    blobs: &'a Blobs,
    rows: &'a Store,
    tenant: TenantId,
    now: Timestamp,
    /// What is older has waited long enough.
    before: Timestamp,
    done: Cleared,
}

impl Blobs {
    /// Who has stored something.
    pub async fn tenants(&self) -> Result<Vec<TenantId>, BlobError> {
        let found = self.store.list_with_delimiter(Some(&Key::from("tenants"))).await?;
        Ok(found.common_prefixes.iter().filter_map(last).collect())
    }

    /// One pass over a tenant's bytes: what has been there since before `now` less `after` is looked at.
    pub async fn clear(
        &self,
        rows: &Store,
        tenant: TenantId,
        now: Timestamp,
        after: Duration,
    ) -> Result<Cleared, BlobError> {
        let (blobs, done) = (self, Cleared::default());
        let mut pass = Pass { blobs, rows, tenant, now, before: now - after, done };
        pass.delete_uploads().await?;
        pass.delete_pieces().await?;
        pass.set_aside().await?;
        // what was named while it was set aside is put back at once
        pass.settle().await?;
        Ok(pass.done)
    }

    /// An object; of a content also where it is set aside.
    pub(crate) async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult, BlobError> {
        match self.store.get_opts(key, options.clone()).await {
            Err(error @ object_store::Error::NotFound { .. }) => {
                match self.get_aside(key, options).await? {
                    Some(found) => Ok(found),
                    None => Err(missing(key, error)),
                }
            }
            found => Ok(found?),
        }
    }

    async fn get_aside(
        &self,
        key: &Key,
        options: GetOptions,
    ) -> Result<Option<GetResult>, BlobError> {
        let parts: Vec<_> = key.parts().collect();
        let [_, tenant, kind, content] = &parts[..] else { return Ok(None) };
        if kind.as_ref() != "blobs" {
            return Ok(None);
        }
        let folder = Key::from(format!("tenants/{}/aside", tenant.as_ref()));
        let moments = self.store.list_with_delimiter(Some(&folder)).await?;
        for moment in moments.common_prefixes {
            match self.store.get_opts(&moment.join(content.clone()), options.clone()).await {
                Err(object_store::Error::NotFound { .. }) => {}
                found => return Ok(Some(found?)),
            }
        }
        Ok(None)
    }
}

impl Pass<'_> {
    /// Uploads that have broken off: those that end are renamed.
    async fn delete_uploads(&mut self) -> Result<(), BlobError> {
        for upload in self.old("uploads").await? {
            self.delete(&upload).await?;
        }
        Ok(())
    }

    /// Pieces of files that nobody goes on sending. The row goes first, so that none names a piece that is not there.
    async fn delete_pieces(&mut self) -> Result<(), BlobError> {
        let mut tx = self.rows.begin().await?;
        let coming = uploads::forget(&mut tx, self.tenant, self.before).await?;
        tx.commit().await?;
        for piece in self.old("pieces").await? {
            let upload = piece.location.parts().nth(3).and_then(|part| part.as_ref().parse().ok());
            if !upload.is_some_and(|upload: UploadId| coming.contains(&upload)) {
                self.delete(&piece).await?;
            }
        }
        Ok(())
    }

    async fn set_aside(&mut self) -> Result<(), BlobError> {
        let old = self.old("blobs").await?;
        for batch in old.chunks(AT_ONCE) {
            let named = self.named(batch).await?;
            for object in batch {
                let Some(content) = last::<Digest>(&object.location) else { continue };
                if named.contains(&content) {
                    continue;
                }
                let to = format!("aside/{}/{content}", self.now.timestamp());
                if self.rename(&object.location, &self.key(&to)).await? {
                    self.done.set_aside += 1;
                }
            }
        }
        Ok(())
    }

    /// What lies aside is put back, if a row names it, or deleted when its time has come.
    async fn settle(&mut self) -> Result<(), BlobError> {
        let aside = self.list("aside").await?;
        for batch in aside.chunks(AT_ONCE) {
            let named = self.named(batch).await?;
            for object in batch {
                let Some(content) = last::<Digest>(&object.location) else { continue };
                let since =
                    object.location.parts().nth(3).and_then(|part| part.as_ref().parse().ok());
                let expired = since.is_none_or(|since: i64| since <= self.before.timestamp());
                if named.contains(&content) {
                    let place = Blobs::content_key(self.tenant, content);
                    self.done.put_back += u64::from(self.rename(&object.location, &place).await?);
                } else if expired {
                    self.delete(object).await?;
                }
            }
        }
        Ok(())
    }

    fn key(&self, below: &str) -> Key {
        Key::from(format!("tenants/{}/{below}", self.tenant))
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>, BlobError> {
        Ok(self.blobs.store.list(Some(&self.key(folder))).try_collect().await?)
    }

    async fn old(&self, folder: &str) -> Result<Vec<ObjectMeta>, BlobError> {
        let mut found = self.list(folder).await?;
        found.retain(|object| object.last_modified <= self.before);
        Ok(found)
    }

    async fn named(&self, objects: &[ObjectMeta]) -> Result<BTreeSet<Digest>, BlobError> {
        let contents: Vec<Digest> =
            objects.iter().filter_map(|object| last(&object.location)).collect();
        let mut tx = self.rows.begin().await?;
        let named = contents::named(&mut tx, self.tenant, &contents).await?;
        tx.commit().await?;
        Ok(named)
    }

    /// False if another process has moved it meanwhile.
    async fn rename(&self, from: &Key, to: &Key) -> Result<bool, BlobError> {
        match self.blobs.store.rename(from, to).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn delete(&mut self, object: &ObjectMeta) -> Result<(), BlobError> {
        self.blobs.delete(object.location.as_ref()).await?;
        self.done.deleted += 1;
        self.done.deleted_bytes += object.size;
        Ok(())
    }
}

/// What a key's last part says.
fn last<T: std::str::FromStr>(key: &Key) -> Option<T> {
    key.parts().next_back()?.as_ref().parse().ok()
}
