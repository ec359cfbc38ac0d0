//! Moving bytes in and out without ever holding a whole file: hashed and counted while they flow.

use std::path::Path;

use bytes::Bytes;
use domain::{Digest, TenantId, job::Attempt};
use futures::{Stream, StreamExt};
use object_store::{ObjectStoreExt, WriteMultipart, path::Path as Key};
use sha2::Digest as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use crate::{BlobError, Blobs, blobs::owner, seal::Sealer};

const CHUNK_BYTES: usize = 5 << 20;
const PARTS_IN_FLIGHT: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub sha256: Digest,
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    #[error("more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the upload broke off")]
    Source(E),
    #[error(transparent)]
    Store(#[from] BlobError),
}

impl<E> PutError<E> {
    /// Of an upload that may have any size.
    pub(crate) fn without_limit(self, of_source: impl FnOnce(E) -> BlobError) -> BlobError {
        match self {
            Self::Store(error) => error,
            Self::Source(error) => of_source(error),
            Self::TooLarge { .. } => unreachable!("nothing is larger than u64::MAX"),
        }
    }
}

impl<E> From<object_store::Error> for PutError<E> {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Blobs {
    /// Stores what flows in under its digest. Whatever goes wrong, nothing is left under a digest
    /// that it does not have: bytes gather under a name of their own and are renamed when whole.
    pub async fn put_stream<E>(
        &self,
        tenant: TenantId,
        mut source: impl Stream<Item = Result<Bytes, E>> + Unpin,
        limit: u64,
    ) -> Result<Stored, PutError<E>> {
        let upload = Key::from(format!("tenants/{tenant}/uploads/{}", Uuid::now_v7()));
        let stored = self.gather(tenant, &upload, &mut source, limit).await?;
        self.store.rename(&upload, &Self::content_key(tenant, stored.sha256)).await?;
        Ok(stored)
    }

    /// All that flows in, under this name; it is there once it is whole.
    pub(crate) async fn gather<E>(
        &self,
        tenant: TenantId,
        key: &Key,
        source: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
        limit: u64,
    ) -> Result<Stored, PutError<E>> {
        let sealer = self.sealer(tenant).await?;
        let mut sink =
            WriteMultipart::new_with_chunk_size(self.store.put_multipart(key).await?, CHUNK_BYTES);
        let written = write_all(&mut sink, source, sealer, limit).await;
        let stored = match written {
            Ok(stored) => stored,
            Err(error) => {
                // what remains of it is the sweeper's
                let _ = sink.abort().await;
                return Err(error);
            }
        };
        sink.finish().await?;
        Ok(stored)
    }

    /// Stores a file under its digest; repeating it is harmless.
    pub async fn put_file(&self, tenant: TenantId, path: &Path) -> Result<Stored, BlobError> {
        let file = tokio::fs::File::open(path).await.map_err(BlobError::file(path))?;
        let source = Box::pin(read_chunks(file));
        let stored = self.put_stream(tenant, source, u64::MAX).await;
        stored.map_err(|error| error.without_limit(BlobError::file(path)))
    }

    /// Stores a few bytes under their digest.
    pub async fn put_bytes(&self, tenant: TenantId, bytes: Bytes) -> Result<Stored, BlobError> {
        let source = futures::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
        let stored = self.put_stream(tenant, source, u64::MAX).await;
        stored.map_err(|error| error.without_limit(|never| match never {}))
    }

    /// Stores what another tenant has, under the same digest and this one's key.
    pub async fn copy(
        &self,
        from: TenantId,
        to: TenantId,
        sha256: Digest,
    ) -> Result<(), BlobError> {
        if self.has(to, sha256).await? {
            return Ok(());
        }
        let content = self.read(from, sha256).await?;
        let stored = self.put_stream(to, content, u64::MAX).await;
        stored.map(drop).map_err(|error| error.without_limit(|error| error))
    }

    /// Stores a checkpoint and says where.
    pub async fn put_checkpoint(
        &self,
        tenant: TenantId,
        attempt: Attempt,
        step: u64,
        path: &Path,
    ) -> Result<String, BlobError> {
        let key = Self::checkpoint_key(tenant, attempt, step);
        self.put(&key, path).await?;
        Ok(key.to_string())
    }

    /// Stores what a worker brings to a round, under a name that all workers know.
    pub async fn put_round(
        &self,
        tenant: TenantId,
        attempt: Attempt,
        folder: &Path,
        name: &str,
    ) -> Result<(), BlobError> {
        self.put(&Self::round_key(tenant, attempt, name), &folder.join(name)).await
    }

    async fn put(&self, key: &Key, path: &Path) -> Result<(), BlobError> {
        let mut bytes = tokio::fs::read(path).await.map_err(BlobError::file(path))?;
        if let Some(mut sealer) = self.sealer(owner(key)?).await? {
            bytes = sealer.push(&bytes);
            bytes.extend(sealer.finish());
        }
        self.store.put(key, bytes.into()).await?;
        Ok(())
    }

    /// What another worker has brought to a round. It is there when it is whole.
    pub async fn fetch_round(
        &self,
        tenant: TenantId,
        attempt: Attempt,
        folder: &Path,
        name: &str,
    ) -> Result<(), BlobError> {
        let part = folder.join(format!("{name}.part"));
        self.fetch(&Self::round_key(tenant, attempt, name), &part).await?;
        let to = folder.join(name);
        tokio::fs::rename(&part, &to).await.map_err(BlobError::file(&to))
    }

    pub async fn fetch_checkpoint(&self, key: &str, to: &Path) -> Result<(), BlobError> {
        self.fetch(&Key::from(key), to).await.map(drop)
    }

    /// Content to a file, verified.
    pub async fn fetch_content(
        &self,
        tenant: TenantId,
        sha256: Digest,
        to: &Path,
    ) -> Result<(), BlobError> {
        let key = Self::content_key(tenant, sha256);
        let found = self.fetch(&key, to).await?;
        if found == sha256 {
            Ok(())
        } else {
            Err(BlobError::Damaged { key: key.to_string(), found })
        }
    }

    async fn fetch(&self, key: &Key, to: &Path) -> Result<Digest, BlobError> {
        let mut stream = self.plain(owner(key)?, key).await?;
        let mut file = tokio::fs::File::create(to).await.map_err(BlobError::file(to))?;
        let mut hash = sha2::Sha256::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(BlobError::file(to))?;
        }
        file.flush().await.map_err(BlobError::file(to))?;
        Ok(Digest::from_bytes(hash.finalize().into()))
    }
}

async fn write_all<E>(
    sink: &mut WriteMultipart,
    source: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    mut sealer: Option<Sealer>,
    limit: u64,
) -> Result<Stored, PutError<E>> {
    let mut hash = sha2::Sha256::new();
    let mut bytes = 0_u64;
    while let Some(chunk) = source.next().await {
        let chunk = chunk.map_err(PutError::Source)?;
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(PutError::TooLarge { limit });
        }
        hash.update(&chunk);
        sink.wait_for_capacity(PARTS_IN_FLIGHT).await?;
        match &mut sealer {
            Some(sealer) => sink.put(sealer.push(&chunk).into()),
            None => sink.put(chunk),
        }
    }
    if let Some(sealer) = sealer {
        sink.put(sealer.finish().into());
    }
    Ok(Stored { sha256: Digest::from_bytes(hash.finalize().into()), bytes })
}

fn read_chunks(file: tokio::fs::File) -> impl Stream<Item = std::io::Result<Bytes>> {
    futures::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; 1 << 18];
        let n = file.read(&mut chunk).await?;
        chunk.truncate(n);
        Ok((n > 0).then(|| (Bytes::from(chunk), file)))
    })
}
