//! Signing what a version of a model is, and checking it without the platform: the manifest is the payload
//! of a JWS in its compact form, signed with a key that signs nothing else and is published for ever.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    Timestamp,
    registry::{Manifest, Revision},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};

use super::signer::{Signer, SignerError, published, ripe};

/// So that nothing else that a key might sign one day is taken for a manifest.
const TYPE: &str = "cupola-manifest+json";

/// Why a manifest is not to be trusted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ManifestRefused {
    #[error("it is not a signed manifest")]
    Foreign,
    #[error(
        "it was signed with the key `{0}`, which is not among the keys given; fetch them again from /.well-known/manifest-keys.json of the platform that you trust"
    )]
    UnknownKey(String),
    #[error("its signature is not that of the key it names: it was changed since it was signed")]
    Changed,
}

impl Signer {
    /// The manifest's name, and the manifest with its signature.
    pub(crate) fn seal(
        &self,
        manifest: &Manifest,
        now: Timestamp,
    ) -> Result<(Revision, String), SignerError> {
        let sealed = ripe(&self.of_manifests(), now).encode(TYPE, manifest)?;
        let payload = payload(&sealed).unwrap_or_default();
        Ok((Revision::of(&payload), sealed))
    }

    /// What others need to verify manifests.
    pub(crate) fn manifest_keys(&self) -> JwkSet {
        published(&self.of_manifests())
    }
}

/// The manifest of a JWS, if one of `keys` has signed it; and its name.
pub fn verify_manifest(
    sealed: &str,
    keys: &JwkSet,
) -> Result<(Manifest, Revision), ManifestRefused> {
    let sealed = sealed.trim();
    let foreign = |_| ManifestRefused::Foreign;
    let header = jsonwebtoken::decode_header(sealed).map_err(foreign)?;
    let (Some(kid), Some(TYPE)) = (header.kid, header.typ.as_deref()) else {
        return Err(ManifestRefused::Foreign);
    };
    let key = keys.find(&kid).ok_or(ManifestRefused::UnknownKey(kid))?;
    let key = DecodingKey::from_jwk(key).map_err(foreign)?;
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.required_spec_claims = HashSet::new();
    rules.validate_exp = false;
    rules.validate_aud = false;
    let manifest = jsonwebtoken::decode::<Manifest>(sealed, &key, &rules);
    let manifest = manifest.map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => ManifestRefused::Changed,
        _ => ManifestRefused::Foreign,
    })?;
    let payload = payload(sealed).ok_or(ManifestRefused::Foreign)?;
    Ok((manifest.claims, Revision::of(&payload)))
}

fn payload(sealed: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(sealed.split('.').nth(1)?).ok()
}
