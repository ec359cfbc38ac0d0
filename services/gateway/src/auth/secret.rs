//! Secrets that we hand out: a prefix that says what for, 32 random bytes in base64url, and six characters
//! of checksum, by which a mistyped one is told from a wrong one without asking the database, and by which
//! scanners of leaked secrets can recognise ours. Shown once; only the digest is kept. 256 random bits need
//! no slow hash.

use std::{fmt, marker::PhantomData, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Digest;

const RANDOM_BYTES: usize = 32;
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
const PREFIX_CHARS: usize = 12;

/// What a secret is for.
pub trait Purpose {
    const START: &'static str;
    const WHAT: &'static str;
}

macro_rules! purposes {
    ($($(#[$doc:meta])* $name:ident = $start:literal, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name;
        impl Purpose for $name {
            const START: &'static str = $start;
            const WHAT: &'static str = $what;
        }
    )*};
}

purposes! {
    OfKey = "cup_", "API key";
    OfRefresh = "cupr_", "refresh token";
    OfInvitation = "cupi_", "invitation";
    /// To choose a new password.
    OfReset = "cupp_", "reset token";
}

#[derive(Clone, PartialEq, Eq)]
pub struct Secret<P> {
    text: String,
    purpose: PhantomData<P>,
}

pub type ApiSecret = Secret<OfKey>;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the {what} is mistyped or cut off: its checksum does not fit")]
pub struct Mistyped {
    what: &'static str,
}

impl<P: Purpose> Secret<P> {
    pub const START: &'static str = P::START;

    /// # Errors
    /// When the machine has no randomness to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes)?;
        let body = format!("{}{}", P::START, URL_SAFE_NO_PAD.encode(bytes));
        let text = format!("{body}{}", checksum(&body));
        Ok(Self { text, purpose: PhantomData })
    }

    /// Shown once, when it is made.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// By which people recognise one of theirs.
    pub fn prefix(&self) -> &str {
        &self.text[..PREFIX_CHARS]
    }

    /// All that is kept of it.
    pub fn sha256(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

fn checksum(body: &str) -> String {
    let digest = Digest::of(body.as_bytes());
    let mut text = URL_SAFE_NO_PAD.encode(digest.as_bytes());
    text.truncate(CHECKSUM_CHARS);
    text
}

impl<P: Purpose> FromStr for Secret<P> {
    type Err = Mistyped;
    fn from_str(text: &str) -> Result<Self, Mistyped> {
        let body_chars = P::START.len() + RANDOM_CHARS;
        let good = text.is_ascii()
            && text.len() == body_chars + CHECKSUM_CHARS
            && text.starts_with(P::START)
            && text[body_chars..] == checksum(&text[..body_chars]);
        let purpose = PhantomData;
        if good {
            Ok(Self { text: text.to_owned(), purpose })
        } else {
            Err(Mistyped { what: P::WHAT })
        }
    }
}

impl<P: Purpose> fmt::Debug for Secret<P> {
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
            assert!(wrong.parse::<ApiSecret>().is_err(), "{at}");
        }
    }

    #[test]
    fn a_secret_is_good_for_its_purpose_alone() {
        let refresh = Secret::<OfRefresh>::generate().unwrap();
        assert!(!refresh.reveal().starts_with(ApiSecret::START));
        assert!(refresh.reveal().parse::<ApiSecret>().is_err());
        assert!(refresh.reveal().parse::<Secret<OfInvitation>>().is_err());
        assert!(refresh.reveal().parse::<Secret<OfRefresh>>().is_ok());
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
