//! Names that people choose and that stand in URLs: tenants, datasets, models.

use serde::{Deserialize, Serialize};

/// Lower-case letters, digits, `-`, `_` and `.`; 1 to 64 characters; starts with a letter or digit.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", examples(json!("breast-cancer")))]
pub struct Name(String);

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a name; use 1 to 64 lower-case letters, digits, `-`, `_` or `.`, starting with a letter or digit"
)]
pub struct NameError(String);

impl Name {
    pub const MAX_CHARS: usize = 64;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        let first = text.bytes().next();
        let good = first.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && text.len() <= Self::MAX_CHARS
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
        if good { Ok(Self(text)) } else { Err(NameError(text.chars().take(80).collect())) }
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        text.to_owned().try_into()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
