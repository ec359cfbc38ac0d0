//! Where bytes live, and the names they have there. A tenant's bytes are under its own prefix: equal
//! content of two tenants is stored twice, so that nobody learns what another has.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use domain::{Digest, JobId, TenantId, job::Attempt};
use futures::{TryStreamExt, stream::BoxStream};
use object_store::{
    ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path as Key, prefix::PrefixStore,
};

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("the object store does not have {0}")]
    Missing(String),
    #[error("{key} is not what it should be: its SHA-256 is {found}")]
    Damaged { key: String, found: Digest },
    #[error("OBJECT_STORE_URL `{url}` cannot be used: {why}")]
    BadUrl { url: String, why: String },
    #[error("the object store refused or did not answer: {0}")]
    Store(#[from] object_store::Error),
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
}

impl BlobError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }
}

/// A handle to the object store; cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    pub(crate) store: Arc<dyn ObjectStore>,
}

impl Blobs {
    /// A folder of this machine, made if it is not there.
    pub fn folder(path: &Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(path).map_err(BlobError::file(path))?;
        let store = LocalFileSystem::new_with_prefix(path)?.with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// `file:///folder` or `s3://bucket/prefix`; credentials and endpoint of S3 come from the
    /// environment, under the names that the AWS tools use.
    pub fn open(url: &str, environment: &[(String, String)]) -> Result<Self, BlobError> {
        let bad = |why: String| BlobError::BadUrl { url: url.to_owned(), why };
        let parsed = url::Url::parse(url).map_err(|why| bad(why.to_string()))?;
        if parsed.scheme() == "file" {
            let path =
                parsed.to_file_path().map_err(|()| bad("not a path of this machine".into()))?;
            return Self::folder(&path);
        }
        let aws = environment.iter().filter(|(name, _)| name.starts_with("AWS_"));
        let options = aws.map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        let (store, prefix) =
            object_store::parse_url_opts(&parsed, options).map_err(|why| bad(why.to_string()))?;
        Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)) })
    }

    /// Whether the store answers.
    pub async fn check(&self) -> Result<(), BlobError> {
        match self.store.head(&Key::from("ready")).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn content_key(tenant: TenantId, sha256: Digest) -> Key {
        Key::from(format!("tenants/{tenant}/blobs/{sha256}"))
    }

    /// One per attempt and step, so that a stale attempt can never overwrite a newer one's.
    pub(crate) fn checkpoint_key(tenant: TenantId, attempt: Attempt, step: u64) -> Key {
        let Attempt { job, number } = attempt;
        Key::from(format!("tenants/{tenant}/jobs/{job}/checkpoints/{number}-{step}"))
    }

    /// What a worker of an attempt brings to a round.
    pub(crate) fn round_key(tenant: TenantId, attempt: Attempt, name: &str) -> Key {
        let Attempt { job, number } = attempt;
        Key::from(format!("tenants/{tenant}/jobs/{job}/rounds/{number}/{name}"))
    }

    /// Content by its digest, as a stream.
    pub async fn read(
        &self,
        tenant: TenantId,
        sha256: Digest,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let key = Self::content_key(tenant, sha256);
        let found = self.store.get(&key).await.map_err(|error| missing(&key, error))?;
        Ok(Box::pin(found.into_stream().map_err(BlobError::from)))
    }

    /// Small content by its digest, whole and verified.
    pub async fn read_whole(&self, tenant: TenantId, sha256: Digest) -> Result<Bytes, BlobError> {
        let key = Self::content_key(tenant, sha256);
        let found = self.store.get(&key).await.map_err(|error| missing(&key, error))?;
        let bytes = found.bytes().await?;
        let digest = Digest::of(&bytes);
        if digest == sha256 {
            Ok(bytes)
        } else {
            Err(BlobError::Damaged { key: key.to_string(), found: digest })
        }
    }

    /// Forgets a checkpoint; one that is gone already is no error.
    pub async fn delete(&self, path: &str) -> Result<(), BlobError> {
        match self.store.delete(&Key::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets what a worker has brought to a round; if it is gone already, that is no error.
    pub async fn delete_round(
        &self,
        tenant: TenantId,
        attempt: Attempt,
        name: &str,
    ) -> Result<(), BlobError> {
        self.delete(Self::round_key(tenant, attempt, name).as_ref()).await
    }

    /// Forgets what a job's attempts have kept, as it has ended: checkpoints, and what its workers told
    /// each other.
    pub async fn delete_job(&self, tenant: TenantId, job: JobId) -> Result<(), BlobError> {
        self.delete_below(&format!("tenants/{tenant}/jobs/{job}")).await
    }

    /// Forgets what the workers of an attempt told each other.
    pub async fn delete_rounds(&self, tenant: TenantId, attempt: Attempt) -> Result<(), BlobError> {
        let Attempt { job, number } = attempt;
        self.delete_below(&format!("tenants/{tenant}/jobs/{job}/rounds/{number}")).await
    }

    async fn delete_below(&self, folder: &str) -> Result<(), BlobError> {
        let folder = Key::from(folder);
        let keys: Vec<_> =
            self.store.list(Some(&folder)).map_ok(|meta| meta.location).try_collect().await?;
        for key in keys {
            self.delete(key.as_ref()).await?;
        }
        Ok(())
    }
}

pub(crate) fn missing(key: &Key, error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::Missing(key.to_string()),
        error => error.into(),
    }
}

/// The `file:` URL of a folder of this machine.
pub fn folder_url(path: &Path) -> Result<String, BlobError> {
    url::Url::from_directory_path(path).map(String::from).map_err(|()| BlobError::BadUrl {
        url: path.display().to_string(),
        why: "it must be an absolute path".into(),
    })
}
