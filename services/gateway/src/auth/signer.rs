//! Keys that sign, as they come and go in the database; a token as text is [`jwt`]'s. Access tokens are JWTs
//! signed with Ed25519, good for fifteen minutes. They say which credential they were made from and nothing
//! about rights: those are looked up when the token is used.
//!
//! A new signing key is published at once and signs only a while later, when whoever keeps the published keys
//! has had time to look again; an old one is forgotten once the last token that it signed has expired.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chrono::TimeDelta;
use domain::{Timestamp, UserId, access::Credential, audit::Entry};
use jsonwebtoken::jwk::JwkSet;
use registry::{MasterError, Masters};
use store::{
    Store, StoreError, audit,
    signing::{self, Private, Purpose, SigningKey},
};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::jwt::{self, Claims, Key, LIFETIME, Unread};

/// From when a key is published until it signs.
const RIPENS: TimeDelta = TimeDelta::minutes(5);
/// A token that names a key which is not known may be signed by a new one, or be nobody's: not every one of
/// those is worth a look into the database.
const LOOK_APART: TimeDelta = TimeDelta::seconds(10);
/// RFC 8410: what stands before the 32 bytes of an Ed25519 key in PKCS#8.
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    #[error("this machine has no randomness to give")]
    Randomness(#[from] getrandom::Error),
    #[error("a signing key in the database is not an Ed25519 key in PEM")]
    Key(#[from] jsonwebtoken::errors::Error),
    #[error(transparent)]
    Master(#[from] MasterError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum TokenRefused {
    #[error(transparent)]
    Unread(#[from] Unread),
    /// For want of the keys.
    #[error(transparent)]
    NotChecked(Box<SignerError>),
}

pub struct AccessToken {
    pub token: String,
    pub expires_in_secs: u32,
}

/// Newest first, and never empty.
type Keys = Arc<Vec<Arc<Key>>>;

/// By their purpose.
#[derive(Clone)]
struct All {
    tokens: Keys,
    manifests: Keys,
}

pub struct Signer {
    keys: RwLock<All>,
    store: Store,
    masters: Option<Masters>,
    issuer: String,
    /// For a key that was not known.
    looked_at: Mutex<Option<Timestamp>>,
}

impl Signer {
    /// The keys of the database; the first gateway makes the first ones.
    pub async fn load(
        store: &Store,
        masters: Option<Masters>,
        issuer: &str,
    ) -> Result<Self, SignerError> {
        let mut tx = store.begin().await?;
        let mut rows = signing::all(&mut tx).await?;
        for purpose in [Purpose::Token, Purpose::Manifest] {
            if rows.iter().all(|key| key.purpose != purpose) {
                let (kid, private) = new_key(masters.as_ref()).await?;
                signing::add_first(&mut tx, purpose, &kid, &private).await?;
                rows = signing::all(&mut tx).await?;
            }
        }
        tx.commit().await?;
        let keys = RwLock::new(read_all(&rows, masters.as_ref()).await?);
        let (store, issuer) = (store.clone(), issuer.to_owned());
        Ok(Self { keys, store, masters, issuer, looked_at: Mutex::new(None) })
    }

    /// # Errors
    /// When the key cannot sign, which loading it has ruled out.
    pub fn sign(
        &self,
        user: UserId,
        by: Credential,
        now: Timestamp,
    ) -> Result<AccessToken, SignerError> {
        let key = ripe(&self.of_tokens(), now);
        let token = key.sign((user, by), &self.issuer, now)?;
        Ok(AccessToken { token, expires_in_secs: LIFETIME.num_seconds() as u32 })
    }

    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenRefused> {
        let kid = jwt::kid(token)?;
        let key = self.find(&kid, now).await;
        let key = key.map_err(|error| TokenRefused::NotChecked(Box::new(error)))?;
        Ok(key.ok_or(Unread::Foreign)?.read(token, &self.issuer, now)?)
    }

    /// The key of tokens with this name; one that is not known may have been made a moment ago.
    pub(super) async fn find(
        &self,
        kid: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<Key>>, SignerError> {
        let named = |keys: Keys| keys.iter().find(|key| key.kid == kid).cloned();
        if let Some(key) = named(self.of_tokens()) {
            return Ok(Some(key));
        }
        if self.may_look(now) {
            self.reload().await?;
        }
        Ok(named(self.of_tokens()))
    }

    fn may_look(&self, now: Timestamp) -> bool {
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let may = looked_at.is_none_or(|at| now - at >= LOOK_APART || now < at);
        if may {
            *looked_at = Some(now);
        }
        may
    }

    /// Takes over what others have added, and forgets what has had its day.
    pub async fn tend(&self, now: Timestamp) -> Result<(), SignerError> {
        self.reload().await?;
        let old: Vec<_> = self
            .keys()
            .tokens
            .windows(2)
            .filter(|pair| pair[0].created_at + RIPENS + LIFETIME < now)
            .map(|pair| pair[1].kid.clone())
            .collect();
        if !old.is_empty() {
            let mut tx = self.store.begin().await?;
            signing::forget(&mut tx, &old).await?;
            tx.commit().await?;
            self.reload().await?;
        }
        Ok(())
    }

    async fn reload(&self) -> Result<(), SignerError> {
        let mut tx = self.store.begin().await?;
        let rows = signing::all(&mut tx).await?;
        tx.commit().await?;
        let keys = read_all(&rows, self.masters.as_ref()).await?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// What others need to verify our tokens.
    pub fn public_keys(&self) -> JwkSet {
        published(&self.keys().tokens)
    }

    pub(super) fn of_tokens(&self) -> Keys {
        self.keys().tokens
    }

    /// The keys that sign manifests, and those that have.
    pub(super) fn of_manifests(&self) -> Keys {
        self.keys().manifests
    }

    fn keys(&self) -> All {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A new key of this purpose beside those that there are: it signs in a few minutes.
pub async fn rotate(
    store: &Store,
    masters: Option<&Masters>,
    purpose: Purpose,
    now: Timestamp,
) -> Result<String, SignerError> {
    let (kid, private) = new_key(masters).await?;
    let mut tx = store.begin().await?;
    signing::add(&mut tx, purpose, &kid, &private, now).await?;
    let rotated = Entry::done("rotate_signing_key", "signing key", &kid);
    audit::append(&mut tx, None, &rotated).await?;
    tx.commit().await?;
    Ok(kid)
}

/// Keeps every key wrapped by the master key in use; how many were not.
pub async fn rewrap(store: &Store, masters: &Masters) -> Result<u64, SignerError> {
    let mut tx = store.begin().await?;
    let mut count = 0;
    for SigningKey { kid, private, .. } in signing::all(&mut tx).await? {
        if matches!(&private, Private::Wrapped(kept) if kept.master == masters.current()) {
            continue;
        }
        let pem = pem_of(&kid, &private, Some(masters)).await?;
        signing::keep_as(&mut tx, &kid, &kept(&kid, pem, Some(masters)).await?).await?;
        count += 1;
    }
    tx.commit().await?;
    Ok(count)
}

/// The newest key that whoever keeps the published ones has had time to see.
pub(super) fn ripe(keys: &[Arc<Key>], now: Timestamp) -> Arc<Key> {
    let ripe = keys.iter().find(|key| key.created_at + RIPENS <= now);
    ripe.or(keys.last()).cloned().expect("there is one")
}

pub(super) fn published(keys: &[Arc<Key>]) -> JwkSet {
    JwkSet { keys: keys.iter().map(|key| key.public.clone()).collect() }
}

/// The name of a new key, and the key as it is kept.
async fn new_key(masters: Option<&Masters>) -> Result<(String, Private), SignerError> {
    let pem = new_pem()?;
    let kid = Key::from_pem(None, &pem, Timestamp::MIN_UTC)?.kid;
    let private = kept(&kid, pem, masters).await?;
    Ok((kid, private))
}

fn context(kid: &str) -> String {
    format!("signing key {kid}")
}

async fn kept(kid: &str, pem: String, masters: Option<&Masters>) -> Result<Private, SignerError> {
    let Some(masters) = masters else { return Ok(Private::Pem(pem)) };
    Ok(Private::Wrapped(masters.wrap(&context(kid), pem.as_bytes()).await?))
}

async fn pem_of(
    kid: &str,
    private: &Private,
    masters: Option<&Masters>,
) -> Result<String, SignerError> {
    let wrapped = match private {
        Private::Pem(pem) => return Ok(pem.clone()),
        Private::Wrapped(wrapped) => wrapped,
    };
    let context = context(kid);
    let unknown =
        || MasterError::Unknown { name: wrapped.master.clone(), context: context.clone() };
    let pem = masters.ok_or_else(unknown)?.unwrap(&context, wrapped).await?;
    String::from_utf8(pem).map_err(|_| MasterError::Tampered { context }.into())
}

async fn read_all(rows: &[SigningKey], masters: Option<&Masters>) -> Result<All, SignerError> {
    let (mut tokens, mut manifests) = (Vec::new(), Vec::new());
    for SigningKey { kid, purpose, private, created_at } in rows {
        let pem = pem_of(kid, private, masters).await?;
        let keys = match purpose {
            Purpose::Token => &mut tokens,
            Purpose::Manifest => &mut manifests,
        };
        keys.push(Arc::new(Key::from_pem(Some(kid), &pem, *created_at)?));
    }
    Ok(All { tokens: Arc::new(tokens), manifests: Arc::new(manifests) })
}

pub(super) fn new_pem() -> Result<String, getrandom::Error> {
    let mut der = [0; 48];
    der[..16].copy_from_slice(&PKCS8_ED25519);
    getrandom::fill(&mut der[16..])?;
    let body = STANDARD.encode(der);
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
}
