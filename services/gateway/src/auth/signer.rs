//! Access tokens: JWTs signed with Ed25519, good for fifteen minutes. They say whose key they were
//! made from and nothing about rights: those are looked up when the token is used.

use domain::{ApiKeyId, Timestamp, UserId};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use serde::{Deserialize, Serialize};
use store::{Store, StoreError, signing};

use base64::{Engine, engine::general_purpose::STANDARD};

const LIFETIME_SECS: i64 = 15 * 60;
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
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenRefused {
    #[error("it is not a token of this platform")]
    Foreign,
    #[error("it has expired; get a new one from /v1/auth/token")]
    Expired,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    pub sub: UserId,
    /// The API key that the token was made from.
    pub key: ApiKeyId,
    pub iss: String,
    pub iat: i64,
    pub exp: i64,
}

pub struct AccessToken {
    pub token: String,
    pub expires_in_secs: u32,
}

struct Key {
    kid: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    public: Jwk,
}

/// Never empty: the first key signs, every key verifies.
pub struct Signer {
    newest: Key,
    older: Vec<Key>,
    issuer: String,
}

impl Signer {
    /// The keys of the database; the first gateway makes the first one.
    pub async fn load(store: &Store, issuer: &str) -> Result<Self, SignerError> {
        let mut tx = store.begin().await?;
        let mut rows = signing::all(&mut tx).await?;
        if rows.is_empty() {
            let pem = new_pem()?;
            let kid = read_key(None, &pem)?.kid;
            signing::add_first(&mut tx, &kid, &pem).await?;
            rows = signing::all(&mut tx).await?;
        }
        tx.commit().await?;
        let mut keys = rows
            .iter()
            .map(|row| read_key(Some(&row.kid), &row.private_pem))
            .collect::<Result<Vec<_>, _>>()?;
        let newest = keys.remove(0);
        Ok(Self { newest, older: keys, issuer: issuer.to_owned() })
    }

    /// # Errors
    /// When the key cannot sign, which loading it has ruled out.
    pub fn sign(
        &self,
        user: UserId,
        key: ApiKeyId,
        now: Timestamp,
    ) -> Result<AccessToken, SignerError> {
        let iat = now.timestamp();
        let claims =
            Claims { sub: user, key, iss: self.issuer.clone(), iat, exp: iat + LIFETIME_SECS };
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.newest.kid.clone());
        let token = jsonwebtoken::encode(&header, &claims, &self.newest.encoding)?;
        Ok(AccessToken { token, expires_in_secs: LIFETIME_SECS as u32 })
    }

    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenRefused> {
        let foreign = |_| TokenRefused::Foreign;
        let kid = jsonwebtoken::decode_header(token).map_err(foreign)?.kid;
        let key = self.keys().find(|key| Some(&key.kid) == kid.as_ref());
        let key = key.ok_or(TokenRefused::Foreign)?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[&self.issuer]);
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        // by our own clock, below
        rules.validate_exp = false;
        let claims: Claims =
            jsonwebtoken::decode(token, &key.decoding, &rules).map_err(foreign)?.claims;
        if claims.exp <= now.timestamp() { Err(TokenRefused::Expired) } else { Ok(claims) }
    }

    /// What others need to verify our tokens.
    pub fn public_keys(&self) -> JwkSet {
        JwkSet { keys: self.keys().map(|key| key.public.clone()).collect() }
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.newest).chain(&self.older)
    }
}

fn new_pem() -> Result<String, getrandom::Error> {
    let mut der = [0; 48];
    der[..16].copy_from_slice(&PKCS8_ED25519);
    getrandom::fill(&mut der[16..])?;
    let body = STANDARD.encode(der);
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
}

/// A new key is named by its thumbprint (RFC 7638).
fn read_key(kid: Option<&str>, pem: &str) -> Result<Key, jsonwebtoken::errors::Error> {
    let encoding = EncodingKey::from_ed_pem(pem.as_bytes())?;
    let mut public = Jwk::from_encoding_key(&encoding, Algorithm::EdDSA)?;
    let kid = match kid {
        Some(kid) => kid.to_owned(),
        None => public.thumbprint(ThumbprintHash::SHA256)?,
    };
    public.common.key_id = Some(kid.clone());
    public.common.public_key_use = Some(PublicKeyUse::Signature);
    let decoding = DecodingKey::from_jwk(&public)?;
    Ok(Key { kid, encoding, decoding, public })
}
