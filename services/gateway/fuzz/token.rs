//! Any text as an access token, which is refused, since nobody here has signed it; and any two lines as the header
//! and the claims of one that is signed: what is read then is for us and has not expired.
#![no_main]

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Timestamp;
use gateway::auth::jwt::{self, Key};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// The example of RFC 8410.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const HERE: &str = "https://cupola.example";
const NOW: i64 = 1_800_000_000;

static KEY: LazyLock<Key> =
    LazyLock::new(|| Key::from_pem(None, PEM, Timestamp::UNIX_EPOCH).expect("it is a key"));
static SIGNING: LazyLock<EncodingKey> =
    LazyLock::new(|| EncodingKey::from_ed_pem(PEM.as_bytes()).expect("it is a key"));

fn signed(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = format!("{header}.{claims}");
    let signature = crypto::sign(message.as_bytes(), &SIGNING, Algorithm::EdDSA);
    format!("{message}.{}", signature.expect("the key signs"))
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let now = Timestamp::from_timestamp(NOW, 0).expect("it is a time");
    let _ = jwt::kid(text);
    assert!(KEY.read(text, HERE, now).is_err(), "nobody has signed it");

    let Some((header, claims)) = text.split_once('\n') else { return };
    let token = signed(header, claims);
    let _ = jwt::kid(&token);
    let Ok(read) = KEY.read(&token, HERE, now) else { return };
    assert_eq!((read.iss.as_str(), read.aud.as_str()), (HERE, "cupola"));
    assert!(read.exp > NOW);
    let header: Value = serde_json::from_str(header).expect("it was read");
    assert_eq!(header["alg"], "EdDSA");
});
