//! The secret of an API key: `cup_`, 32 random bytes in base64url, and six characters of checksum by
//! which a mistyped key is told from a wrong one without asking the database, and by which scanners
//! of leaked secrets can recognise ours.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Digest;

const RANDOM_BYTES: usize = 32;
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
const PREFIX_CHARS: usize = 12;

#[derive(Clone, PartialEq, Eq)]
pub struct ApiSecret(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an API key")]
pub struct NotAKey;

impl ApiSecret {
    pub const START: &'static str = "cup_";

    /// # Errors
    /// When the machine has no randomness to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes)?;
        let body = format!("{}{}", Self::START, URL_SAFE_NO_PAD.encode(bytes));
        Ok(Self(format!("{body}{}", checksum(&body))))
    }

    /// Shown once, when the key is made.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// By which people recognise a key of theirs.
    pub fn prefix(&self) -> &str {
        &self.0[..PREFIX_CHARS]
    }

    /// All that is kept of it.
    pub fn sha256(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

fn checksum(body: &str) -> String {
    let digest = Digest::of(body.as_bytes());
    let mut text = URL_SAFE_NO_PAD.encode(digest.as_bytes());
    text.truncate(CHECKSUM_CHARS);
    text
}

impl FromStr for ApiSecret {
    type Err = NotAKey;
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let body_chars = Self::START.len() + RANDOM_CHARS;
        let good = text.is_ascii()
            && text.len() == body_chars + CHECKSUM_CHARS
            && text.starts_with(Self::START)
            && text[body_chars..] == checksum(&text[..body_chars]);
        if good { Ok(Self(text.to_owned())) } else { Err(NotAKey) }
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_reads_back_and_one_wrong_character_does_not() {
        let secret = ApiSecret::generate().unwrap();
        assert_eq!(secret.reveal().parse(), Ok(secret.clone()));
        for at in 0..secret.reveal().len() {
            let mut wrong = secret.reveal().as_bytes().to_vec();
            wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(wrong.parse::<ApiSecret>(), Err(NotAKey), "{at}");
        }
    }

    #[test]
    fn a_key_does_not_show_in_logs() {
        let secret = ApiSecret::generate().unwrap();
        assert!(!format!("{secret:?}").contains(secret.reveal()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = format!("cup_{text}").parse::<ApiSecret>();
        }
    }
}
