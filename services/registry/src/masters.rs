//! Master keys: what tenants' data keys, and secrets in Postgres, are wrapped with. The first wraps, all
//! unwrap, so that rotating them is a matter of wrapping anew and rewrites no data.

use std::{fmt, fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand,
};
use domain::Digest;
use futures::{FutureExt, future::BoxFuture};
use store::tenant_keys::WrappedKey;

const KEY_BYTES: usize = 32;
const NAME_CHARS: usize = 16;

/// Wraps secrets, and unwraps what it has wrapped: a key of this process, or a service that never gives its
/// key away. `context` says whose secret it is; it is good for nobody else.
pub trait MasterKey: Send + Sync + fmt::Debug {
    /// By which what it has wrapped is known to be its own.
    fn name(&self) -> &str;
    fn wrap<'a>(
        &'a self,
        context: &'a str,
        secret: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, MasterError>>;
    fn unwrap<'a>(
        &'a self,
        context: &'a str,
        wrapped: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, MasterError>>;
}

#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    #[error("master key {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("master key {place}: {why}; `cupola admin new-master-key FILE` makes one")]
    NotAKey { place: String, why: String },
    #[error(
        "`{context}` was wrapped by the master key {name}, which was not given; add its file to \
         CUPOLA_MASTER_KEY_FILE, after the one in use"
    )]
    Unknown { name: String, context: String },
    #[error("what was wrapped for `{context}` has been changed, or is somebody else's")]
    Tampered { context: String },
    #[error("the machine has no randomness to give")]
    Randomness,
}

/// Several, of which the first is in use. Never empty.
#[derive(Clone, Debug)]
pub struct Masters(Arc<Vec<Arc<dyn MasterKey>>>);

impl Masters {
    /// `None` without any.
    pub fn new(masters: Vec<Arc<dyn MasterKey>>) -> Option<Self> {
        (!masters.is_empty()).then(|| Self(Arc::new(masters)))
    }

    pub fn current(&self) -> &str {
        self.0[0].name()
    }

    pub async fn wrap(&self, context: &str, secret: &[u8]) -> Result<WrappedKey, MasterError> {
        let master = &self.0[0];
        let bytes = master.wrap(context, secret).await?;
        Ok(WrappedKey { master: master.name().to_owned(), bytes })
    }

    pub async fn unwrap(
        &self,
        context: &str,
        wrapped: &WrappedKey,
    ) -> Result<Vec<u8>, MasterError> {
        let unknown =
            || MasterError::Unknown { name: wrapped.master.clone(), context: context.to_owned() };
        let master = self.0.iter().find(|one| one.name() == wrapped.master).ok_or_else(unknown)?;
        master.unwrap(context, &wrapped.bytes).await
    }
}

/// Held in this process.
pub struct LocalMaster {
    name: String,
    key: LessSafeKey,
}

impl LocalMaster {
    /// 64 hexadecimal digits, from a file that nobody else can read.
    pub fn from_file(path: &Path) -> Result<Self, MasterError> {
        let file = |source| MasterError::File { path: path.display().to_string(), source };
        let text = fs::read_to_string(path).map_err(file)?;
        Self::from_text(&text, &path.display().to_string())
    }

    /// From anywhere; `place` is what an error names.
    pub fn from_text(text: &str, place: &str) -> Result<Self, MasterError> {
        let bad = |why: &str| MasterError::NotAKey { place: place.to_owned(), why: why.to_owned() };
        let digest: Digest =
            text.trim().parse().map_err(|_| bad("it is not 64 hexadecimal digits"))?;
        let bytes = digest.as_bytes();
        let mut name = Digest::of(bytes).to_string();
        name.truncate(NAME_CHARS);
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| bad("it is not 32 bytes"))?;
        Ok(Self { name, key: LessSafeKey::new(key) })
    }

    /// A new one into a new file, readable by its owner alone.
    pub fn create(path: &Path) -> Result<(), MasterError> {
        let file = |source| MasterError::File { path: path.display().to_string(), source };
        let mut bytes = [0; KEY_BYTES];
        rand::fill(&mut bytes).map_err(|_| MasterError::Randomness)?;
        let mut opened = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(file)?;
        writeln!(opened, "{}", Digest::from_bytes(bytes)).map_err(file)?;
        opened.sync_all().map_err(file)
    }

    fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, MasterError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| MasterError::Randomness)?;
        let mut sealed = secret.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(unique, Aad::from(context.as_bytes()), &mut sealed)
            .expect("a secret is far shorter than the cipher's longest message");
        Ok([&nonce[..], &sealed].concat())
    }

    fn open(&self, context: &str, wrapped: &[u8]) -> Result<Vec<u8>, MasterError> {
        let tampered = || MasterError::Tampered { context: context.to_owned() };
        let (nonce, sealed) = wrapped.split_at_checked(NONCE_LEN).ok_or_else(tampered)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| tampered())?;
        let mut secret = sealed.to_vec();
        let aad = Aad::from(context.as_bytes());
        let opened = self.key.open_in_place(nonce, aad, &mut secret).map_err(|_| tampered())?;
        Ok(opened.to_vec())
    }
}

impl MasterKey for LocalMaster {
    fn name(&self) -> &str {
        &self.name
    }

    fn wrap<'a>(
        &'a self,
        context: &'a str,
        secret: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, MasterError>> {
        async move { self.seal(context, secret) }.boxed()
    }

    fn unwrap<'a>(
        &'a self,
        context: &'a str,
        wrapped: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, MasterError>> {
        async move { self.open(context, wrapped) }.boxed()
    }
}

impl fmt::Debug for LocalMaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalMaster({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(digit: &str) -> Arc<dyn MasterKey> {
        Arc::new(LocalMaster::from_text(&digit.repeat(64), "test").unwrap())
    }

    #[tokio::test]
    async fn what_one_has_wrapped_another_cannot_unwrap_nor_for_somebody_else() {
        let old = Masters::new(vec![master("1")]).unwrap();
        let wrapped = old.wrap("tenant a", b"secret").await.unwrap();
        assert_eq!(old.unwrap("tenant a", &wrapped).await.unwrap(), b"secret");
        let error = old.unwrap("tenant b", &wrapped).await.unwrap_err();
        assert!(matches!(error, MasterError::Tampered { .. }), "{error:?}");
        let mut cut = wrapped.clone();
        cut.bytes.truncate(5);
        assert!(old.unwrap("tenant a", &cut).await.is_err());

        let new = Masters::new(vec![master("2")]).unwrap();
        let error = new.unwrap("tenant a", &wrapped).await.unwrap_err().to_string();
        assert!(error.contains(old.current()) && error.contains("MASTER_KEY_FILE"), "{error}");
        let both = Masters::new(vec![master("2"), master("1")]).unwrap();
        assert_eq!(both.unwrap("tenant a", &wrapped).await.unwrap(), b"secret");
        assert_eq!(both.wrap("tenant a", b"x").await.unwrap().master, new.current());
    }

    #[test]
    fn a_file_is_made_once_and_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        LocalMaster::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let name = LocalMaster::from_file(&path).unwrap().name;
        assert!(matches!(LocalMaster::create(&path), Err(MasterError::File { .. })));
        assert_eq!(LocalMaster::from_file(&path).unwrap().name, name);
        assert!(!fs::read_to_string(&path).unwrap().contains(&name), "a name tells no key");
        let error = LocalMaster::from_text("abc", "CUPOLA_MASTER_KEY").unwrap_err().to_string();
        assert!(error.contains("CUPOLA_MASTER_KEY") && error.contains("64 hex"), "{error}");
    }
}
