//! Any text as a secret: it is good for one purpose at most, and for that only with the right beginning, length
//! and checksum. So that the checksum does not hide the rest, each text is tried also with the right one.
#![no_main]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Digest;
use gateway::auth::{OfInvitation, OfKey, OfRefresh, OfReset, Secret, SecretPurpose};
use libfuzzer_sys::fuzz_target;

/// In base64url, of 32 bytes.
const RANDOM_CHARS: usize = 43;

fn is_good_for<P: SecretPurpose>(text: &str, body: &str) -> bool {
    let Ok(secret) = text.parse::<Secret<P>>() else { return false };
    assert_eq!(secret.reveal(), text);
    assert!(text.starts_with(P::START) && text.starts_with(secret.prefix()));
    assert_eq!(body.len(), P::START.len() + RANDOM_CHARS);
    assert!(!format!("{secret:?}").contains(text), "it shows in logs");
    true
}

fn try_one(text: &str, body: &str) {
    let good = [
        is_good_for::<OfKey>(text, body),
        is_good_for::<OfRefresh>(text, body),
        is_good_for::<OfInvitation>(text, body),
        is_good_for::<OfReset>(text, body),
    ];
    assert!(good.iter().filter(|good| **good).count() <= 1, "{text}: good for several purposes");
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let checksum = &URL_SAFE_NO_PAD.encode(Digest::of(input).as_bytes())[..6];
    try_one(&format!("{text}{checksum}"), text);
    // with six characters that are not it
    if let Some((body, given)) = text.split_at_checked(text.len().saturating_sub(6))
        && URL_SAFE_NO_PAD.encode(Digest::of(body.as_bytes()).as_bytes())[..6] != *given
    {
        assert!(text.parse::<Secret<OfKey>>().is_err(), "{text}: the checksum does not fit");
    }
});
