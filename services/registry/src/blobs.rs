//! Where bytes live, and the names they have there. A tenant's bytes are under its own prefix: equal
//! content of two tenants is stored twice, so that nobody learns what another has.

use std::{ops::Range, path::Path, sync::Arc};

use bytes::{Bytes, BytesMut};
use domain::{Digest, JobId, TenantId, job::Attempt};
use futures::{
    StreamExt, TryStreamExt, future,
    stream::{self, BoxStream},
};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path as Key,
    prefix::PrefixStore,
};
use store::StoreError;

use crate::{
    checked::checked,
    masters::MasterError,
    parts::parts,
    seal::{self, DataKey, Opener, Sealer},
    tenant_keys::TenantKeys,
};

/// What an object store over HTTP answers that has no room.
const NO_ROOM: &str = "507 Insufficient Storage";

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
    /// Encrypted, and changed since by somebody without the key.
    #[error("{0} has been changed since it was stored, or is another tenant's")]
    Tampered(String),
    #[error("the key of {tenant} was destroyed, and with it what the tenant had stored")]
    KeyDestroyed { tenant: TenantId },
    #[error(transparent)]
    Master(#[from] MasterError),
    #[error(transparent)]
    Keys(#[from] StoreError),
}

impl BlobError {
    /// Whether it is that there is no room: of the object store's own disk, or as the store says.
    pub fn is_full(&self) -> bool {
        let Self::Store(error) = self else { return false };
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<std::io::Error>() {
                use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
                return matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge);
            }
            cause = error.source();
        }
        error.to_string().contains(NO_ROOM)
    }

    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }
}

/// A handle to the object store; cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Without them bytes are stored as they are.
    keys: Option<Arc<TenantKeys>>,
}

impl Blobs {
    /// A folder of this machine, made if it is not there.
    pub fn folder(path: &Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(path).map_err(BlobError::file(path))?;
        let store = LocalFileSystem::new_with_prefix(path)?.with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store), keys: None })
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
        Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)), keys: None })
    }

    /// What is stored from now on is encrypted with its tenant's key. What was stored before is read as it is.
    #[must_use]
    pub fn encrypted_with(self, keys: TenantKeys) -> Self {
        Self { keys: Some(Arc::new(keys)), ..self }
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

    /// What makes sealed bytes of a tenant's plain ones, where bytes are sealed.
    pub(crate) async fn sealer(&self, tenant: TenantId) -> Result<Option<Sealer>, BlobError> {
        let Some(keys) = &self.keys else { return Ok(None) };
        let key = keys.of(tenant).await?;
        Ok(Some(Sealer::new(&key, tenant).ok_or(MasterError::Randomness)?))
    }

    /// An object's plain bytes.
    pub(crate) async fn plain(
        &self,
        tenant: TenantId,
        key: &Key,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let found = self.get(key, GetOptions::new()).await?;
        let stored = parts(found).await?;
        let Some(keys) = &self.keys else { return Ok(stored) };
        Ok(opened(stored, keys.of(tenant).await?, tenant, key.to_string()))
    }

    /// Content by its digest, as a stream that has its end only if it is what the digest says.
    pub async fn read(
        &self,
        tenant: TenantId,
        sha256: Digest,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let key = Self::content_key(tenant, sha256);
        Ok(checked(self.plain(tenant, &key).await?, sha256, key.to_string()))
    }

    /// A part of some content, which is not empty and within it.
    pub async fn read_range(
        &self,
        tenant: TenantId,
        sha256: Digest,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let key = Self::content_key(tenant, sha256);
        let part = async |range: Range<u64>| {
            let options = GetOptions::new().with_range(Some(GetRange::Bounded(range)));
            self.get(&key, options).await
        };
        if let Some(keys) = &self.keys {
            let head = part(0..seal::HEADER as u64).await?;
            let (sealed_size, header) = (head.meta.size, head.bytes().await?);
            if let Some(opener) = Opener::new(&keys.of(tenant).await?, tenant, &header) {
                let span = seal::span(&range, sealed_size);
                let stored = parts(part(span.sealed.clone()).await?).await?;
                let opener = opener.starting_at(span.first);
                let state = State::Sealed { opener, has_last: span.has_last };
                let plain = unfolded(stored, state, key.to_string());
                return Ok(trimmed(plain, span.skip, range.end - range.start));
            }
        }
        parts(part(range).await?).await
    }

    /// Whether some content is stored.
    pub async fn has(&self, tenant: TenantId, sha256: Digest) -> Result<bool, BlobError> {
        match self.store.head(&Self::content_key(tenant, sha256)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads some content and says how many bytes it has, if they are those of its digest.
    pub async fn verify(&self, tenant: TenantId, sha256: Digest) -> Result<u64, BlobError> {
        let content = self.read(tenant, sha256).await?;
        content.try_fold(0, async |bytes, chunk| Ok(bytes + chunk.len() as u64)).await
    }

    /// Small content by its digest, whole and verified.
    pub async fn read_whole(&self, tenant: TenantId, sha256: Digest) -> Result<Bytes, BlobError> {
        let key = Self::content_key(tenant, sha256);
        let bytes = self.plain(tenant, &key).await?.try_collect::<BytesMut>().await?.freeze();
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

    pub(crate) async fn delete_below(&self, folder: &str) -> Result<(), BlobError> {
        let folder = Key::from(folder);
        let keys: Vec<_> =
            self.store.list(Some(&folder)).map_ok(|meta| meta.location).try_collect().await?;
        for key in keys {
            self.delete(key.as_ref()).await?;
        }
        Ok(())
    }
}

/// Whose an object is: everything is below its tenant's folder.
pub(crate) fn owner(key: &Key) -> Result<TenantId, BlobError> {
    let tenant = key.parts().nth(1).and_then(|part| part.as_ref().parse().ok());
    tenant.ok_or_else(|| BlobError::Missing(key.to_string()))
}

type Plain = BoxStream<'static, Result<Bytes, BlobError>>;

/// How far an object has been read.
enum State {
    /// Of its header, so much.
    Header {
        bytes: Vec<u8>,
        key: DataKey,
        tenant: TenantId,
    },
    /// It was stored before there was a key.
    Plain,
    Sealed {
        opener: Opener,
        has_last: bool,
    },
    Done,
}

fn opened(stored: Plain, key: DataKey, tenant: TenantId, name: String) -> Plain {
    unfolded(stored, State::Header { bytes: Vec::new(), key, tenant }, name)
}

fn unfolded(stored: Plain, state: State, name: String) -> Plain {
    let next = |(mut stored, mut state, name): (Plain, State, String)| async move {
        let chunk = stored.next().await.transpose()?;
        let plain;
        (plain, state) = match chunk {
            Some(chunk) => state.take(chunk),
            None => state.end(),
        }
        .map_err(|seal::Tampered| BlobError::Tampered(name.clone()))?;
        let ended = plain.is_empty() && matches!(state, State::Done);
        Ok::<_, BlobError>((!ended).then_some((plain, (stored, state, name))))
    };
    stream::try_unfold((stored, state, name), next)
        .try_filter(|plain| future::ready(!plain.is_empty()))
        .boxed()
}

impl State {
    fn take(self, chunk: Bytes) -> Result<(Bytes, Self), seal::Tampered> {
        match self {
            Self::Header { mut bytes, key, tenant } => {
                bytes.extend_from_slice(&chunk);
                if bytes.len() < seal::HEADER {
                    return Ok((Bytes::new(), Self::Header { bytes, key, tenant }));
                }
                match Opener::new(&key, tenant, &bytes[..seal::HEADER]) {
                    None => Ok((bytes.into(), Self::Plain)),
                    Some(mut opener) => {
                        let plain = opener.push(&bytes[seal::HEADER..])?;
                        Ok((plain.into(), Self::Sealed { opener, has_last: true }))
                    }
                }
            }
            Self::Sealed { mut opener, has_last } => {
                let plain = opener.push(&chunk)?;
                Ok((plain.into(), Self::Sealed { opener, has_last }))
            }
            Self::Plain | Self::Done => Ok((chunk, self)),
        }
    }

    fn end(self) -> Result<(Bytes, Self), seal::Tampered> {
        let rest = match self {
            // shorter than a header: stored before there was a key
            Self::Header { bytes, .. } => bytes,
            Self::Sealed { opener, has_last } => opener.finish(has_last)?,
            Self::Plain | Self::Done => Vec::new(),
        };
        Ok((rest.into(), Self::Done))
    }
}

/// What lies before the range in its first segment, and after it in its last one, goes.
fn trimmed(plain: Plain, skip: usize, length: u64) -> Plain {
    let cut = |(skip, left): &mut (usize, u64), mut chunk: Bytes| {
        let before = chunk.split_to((*skip).min(chunk.len()));
        *skip -= before.len();
        chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= chunk.len() as u64;
        chunk
    };
    let mut state = (skip, length);
    plain.map_ok(move |chunk| cut(&mut state, chunk)).boxed()
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
