//! Passwords: argon2id with the parameters that OWASP's password storage cheat sheet names first (19 MiB,
//! two passes, one lane). Checking one is meant to be slow, so that it has threads of its own, and a few at
//! a time.

use std::{sync::Arc, thread};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use domain::FieldErrors;
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::ApiError;

/// NIST SP 800-63B asks for length, and for no mixture of kinds of characters.
const MIN_CHARS: usize = 12;
/// Far more than anybody types; what is longer costs time to hash.
const MAX_BYTES: usize = 1_024;

pub struct Passwords {
    at_once: Arc<Semaphore>,
    /// Of a password that nobody has: an address that is not known takes as long to refuse.
    nobodys: String,
}

impl Passwords {
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn new() -> Result<Self, argon2::password_hash::Error> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let nobodys = Argon2::default().hash_password(b"")?.to_string();
        Ok(Self { at_once: Arc::new(Semaphore::new(threads)), nobodys })
    }

    pub async fn hash(&self, password: String) -> Result<String, ApiError> {
        self.aside(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| ApiError::internal(&error))
        })
        .await?
    }

    /// Whether it is the password that was hashed. It is nobody's that has none.
    pub async fn is(&self, password: String, hash: Option<String>) -> Result<bool, ApiError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobodys.clone());
        let same = self.aside(move || {
            let hash = PasswordHash::new(&hash);
            hash.is_ok_and(|hash| {
                Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
            })
        });
        Ok(same.await? && known)
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = self.at_once.clone().acquire_owned().await;
        let done = spawn_blocking(move || {
            // kept until the work is done, also if nobody waits for it any more
            let _permit = permit;
            work()
        });
        done.await.map_err(|error| ApiError::internal(&error))
    }
}

pub(crate) fn check_password(errors: &mut FieldErrors, field: &str, password: &str, email: &str) {
    let chars = password.chars().count();
    if chars < MIN_CHARS || password.len() > MAX_BYTES {
        let wanted = format!("use at least {MIN_CHARS} characters and at most {MAX_BYTES} bytes");
        errors.add(field, format!("{wanted}; it has {chars}"));
    } else if password.eq_ignore_ascii_case(email) {
        errors.add(field, "is the e-mail address; use something that nobody can guess");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_no_other_is() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse battery".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let is = async |password: &str, hash: Option<&str>| {
            passwords.is(password.to_owned(), hash.map(str::to_owned)).await.unwrap()
        };
        assert!(is("correct horse battery", Some(&hash)).await);
        assert!(!is("correct horse batteri", Some(&hash)).await);
        assert!(!is("", None).await, "of nobody, and the password that is hashed for them");
        assert!(!is("anything", Some("not a hash")).await);
    }

    #[test]
    fn a_password_is_long_and_not_the_address() {
        let errors = |password: &str| {
            let mut errors = FieldErrors::default();
            check_password(&mut errors, "password", password, "somebody@acme.example");
            errors.0.len()
        };
        assert_eq!(errors("eleven char"), 1);
        assert_eq!(errors("twelve chars"), 0);
        assert_eq!(errors("ééééééééétwo"), 0, "characters, not bytes");
        assert_eq!(errors(&"x".repeat(1_025)), 1);
        assert_eq!(errors("Somebody@acme.example"), 1);
    }
}
