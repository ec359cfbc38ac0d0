//! An access token as text: made with a key, and read again with it. What is read was signed by that key, by
//! this platform and for it, and has not expired.

use chrono::TimeDelta;
use domain::{Timestamp, UserId, access::Credential};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    errors::Error,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use serde::{Deserialize, Serialize};

/// Whom a token is for: the platform itself.
const AUDIENCE: &str = "cupola";
pub(super) const LIFETIME: TimeDelta = TimeDelta::minutes(15);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub sub: UserId,
    #[serde(flatten)]
    /// What it was made from.
    pub by: Credential,
    pub iss: String,
    pub aud: String,
    pub iat: i64,
    pub exp: i64,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unread {
    #[error("it is not a token of this platform")]
    Foreign,
    #[error("it has expired; get a new one from /v1/auth/token or /v1/auth/refresh")]
    Expired,
}

/// That signs, and reads what it has signed.
pub struct Key {
    pub kid: String,
    pub(super) created_at: Timestamp,
    encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    pub(super) public: Jwk,
}

impl Key {
    /// A new key is named by its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// When it is not an Ed25519 key in PEM.
    pub fn from_pem(kid: Option<&str>, pem: &str, created_at: Timestamp) -> Result<Self, Error> {
        let encoding = EncodingKey::from_ed_pem(pem.as_bytes())?;
        let mut public = Jwk::from_encoding_key(&encoding, Algorithm::EdDSA)?;
        let kid = match kid {
            Some(kid) => kid.to_owned(),
            None => public.thumbprint(ThumbprintHash::SHA256)?,
        };
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let decoding = DecodingKey::from_jwk(&public)?;
        Ok(Self { kid, created_at, encoding, decoding, public })
    }

    /// # Errors
    /// When the key cannot sign, which loading it has ruled out.
    pub fn sign(
        &self,
        (sub, by): (UserId, Credential),
        issuer: &str,
        now: Timestamp,
    ) -> Result<String, Error> {
        let (iss, aud) = (issuer.to_owned(), AUDIENCE.to_owned());
        let (iat, exp) = (now.timestamp(), (now + LIFETIME).timestamp());
        self.encode("JWT", &Claims { sub, by, iss, aud, iat, exp })
    }

    /// Whatever is signed with it, as what it is to be read.
    pub(super) fn encode(&self, kind: &str, claims: &impl Serialize) -> Result<String, Error> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.kid.clone());
        header.typ = Some(kind.to_owned());
        jsonwebtoken::encode(&header, claims, &self.encoding)
    }

    /// # Errors
    /// When this key has not signed it, or it was not meant for us, or is over.
    pub fn read(&self, token: &str, issuer: &str, now: Timestamp) -> Result<Claims, Unread> {
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        // by our own clock, below
        rules.validate_exp = false;
        let claims: Claims = jsonwebtoken::decode(token, &self.decoding, &rules)
            .map_err(|_| Unread::Foreign)?
            .claims;
        if claims.exp <= now.timestamp() { Err(Unread::Expired) } else { Ok(claims) }
    }
}

/// The name of the key that signed it, as it says itself.
///
/// # Errors
/// When it is no token, or names none.
pub fn kid(token: &str) -> Result<String, Unread> {
    let header = jsonwebtoken::decode_header(token).ok();
    header.and_then(|header| header.kid).ok_or(Unread::Foreign)
}

#[cfg(test)]
mod tests {
    use domain::{ApiKeyId, SessionId};
    use proptest::prelude::*;

    use super::*;
    use crate::auth::signer::new_pem;

    const HERE: &str = "https://cupola.example";

    fn key() -> Key {
        Key::from_pem(None, &new_pem().unwrap(), Timestamp::UNIX_EPOCH).unwrap()
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_timestamp(secs, 0).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_was_signed_is_read_back_until_it_expires(secs in 0..4_000_000_000_i64, session: bool) {
            let by = match session {
                true => Credential::Session(SessionId::generate()),
                false => Credential::Key(ApiKeyId::generate()),
            };
            let (key, user) = (key(), UserId::generate());
            let token = key.sign((user, by), HERE, at(secs)).unwrap();
            prop_assert_eq!(kid(&token), Ok(key.kid.clone()));
            let claims = key.read(&token, HERE, at(secs)).unwrap();
            prop_assert_eq!((claims.sub, claims.by), (user, by));
            let over = at(secs) + LIFETIME;
            prop_assert_eq!(key.read(&token, HERE, over), Err(Unread::Expired));
            prop_assert_eq!(key.read(&token, "https://elsewhere.example", at(secs)), Err(Unread::Foreign));
        }

        #[test]
        fn no_other_text_is_read_and_none_panics(place: prop::sample::Index, to in "\\PC") {
            let key = key();
            let by = Credential::Key(ApiKeyId::generate());
            let token = key.sign((UserId::generate(), by), HERE, at(0)).unwrap();
            let at_char = place.index(token.len());
            let changed = format!("{}{to}{}", &token[..at_char], &token[at_char + 1..]);
            // the last character of base64 has bits that say nothing, and must be zero
            prop_assume!(changed != token);
            prop_assert_eq!(key.read(&changed, HERE, at(0)), Err(Unread::Foreign));
        }

        #[test]
        fn any_text_is_refused(text in "[A-Za-z0-9_.=-]{0,200}|\\PC{0,60}") {
            prop_assert_eq!(key().read(&text, HERE, at(0)), Err(Unread::Foreign));
            let _ = kid(&text);
        }
    }
}
