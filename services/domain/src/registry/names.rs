//! What people call a version, a file, a topic; and when two names are too alike.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// Of the newest version that is published; the second is what Hub clients say.
const LATEST: [&str; 2] = ["latest", "main"];

/// The first 40 hexadecimal digits of the SHA-256 of a version's manifest: what Hub clients know as a
/// commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[0-9a-f]{40}$")]
pub struct Revision(String);

impl Revision {
    pub const CHARS: usize = 40;

    pub fn of(manifest: &[u8]) -> Self {
        let mut text = crate::Digest::of(manifest).to_string();
        text.truncate(Self::CHARS);
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Revision {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let is_lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let good = text.len() == Self::CHARS && text.bytes().all(is_lower_hex);
        if good { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name of a version that can be moved to another one: `champion`, `staging`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", examples("champion"))]
pub struct Alias(String);

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum AliasError {
    #[error(transparent)]
    Name(#[from] crate::name::NameError),
    #[error("`{0}` is the newest published version by itself; choose another alias")]
    Latest(String),
    #[error(
        "`{0}` would be taken for a version's number or revision; choose an alias with another letter in it"
    )]
    Number(String),
}

impl Alias {
    /// Of one model.
    pub const MOST: u32 = 100;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Alias {
    type Err = AliasError;
    fn from_str(text: &str) -> Result<Self, AliasError> {
        let name: Name = text.parse()?;
        let name = String::from(name);
        if LATEST.contains(&name.as_str()) {
            return Err(AliasError::Latest(name));
        }
        if name.bytes().all(|b| b.is_ascii_digit()) || name.parse::<Revision>().is_ok() {
            return Err(AliasError::Number(name));
        }
        Ok(Self(name))
    }
}

impl TryFrom<String> for Alias {
    type Error = AliasError;
    fn try_from(text: String) -> Result<Self, AliasError> {
        text.parse()
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> Self {
        alias.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How somebody names a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The newest that is published.
    Latest,
    Number(u32),
    Revision(Revision),
    Alias(Alias),
}

impl FromStr for Reference {
    type Err = AliasError;
    fn from_str(text: &str) -> Result<Self, AliasError> {
        if LATEST.contains(&text) {
            return Ok(Self::Latest);
        }
        if let Ok(revision) = text.parse() {
            return Ok(Self::Revision(revision));
        }
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        text.parse().map(Self::Alias)
    }
}

/// A topic of a model, as people search for it.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, examples("tabular"))]
pub struct Tag(String);

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a tag; use 1 to 64 lower-case letters, digits, `-`, `_`, `.`, `:` or `/`")]
pub struct TagError(String);

impl Tag {
    /// Of one model.
    pub const MOST: usize = 50;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Tag {
    type Error = TagError;
    fn try_from(text: String) -> Result<Self, TagError> {
        let good = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.:/".contains(&b));
        if good { Ok(Self(text)) } else { Err(TagError(text.chars().take(80).collect())) }
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

/// Where a file of a version lies: a relative path that stays below its folder on every system.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, examples("model.safetensors"))]
pub struct FilePath(String);

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a path of a file here; use up to 10 parts of 1 to 120 letters, digits, spaces and `-_.+@()=,`, \
     none of them starting or ending in a space or ending in a dot, none of them `..`"
)]
pub struct FilePathError(String);

impl FilePath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a browser saves it as.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

fn is_part(part: &str) -> bool {
    let edge = |c: char| c == ' ';
    (1..=120).contains(&part.len())
        && !part.starts_with(edge)
        && !part.ends_with(|c| edge(c) || c == '.')
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+@()=, ".contains(&b))
}

impl FromStr for FilePath {
    type Err = FilePathError;
    fn from_str(text: &str) -> Result<Self, FilePathError> {
        let good = text.split('/').count() <= 10 && text.split('/').all(is_part);
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(FilePathError(text.chars().take(120).collect()))
        }
    }
}

impl TryFrom<String> for FilePath {
    type Error = FilePathError;
    fn try_from(text: String) -> Result<Self, FilePathError> {
        text.parse()
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is the same of two names that people would take for one another: separators are equal, and
/// letters and digits that look alike. The store's statements do the same.
pub fn look_alike(name: &Name) -> String {
    let fold = |c| match c {
        '_' | '.' => '-',
        '0' => 'o',
        '1' | 'i' => 'l',
        c => c,
    };
    name.as_str().chars().map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_number_a_revision_an_alias_or_the_newest() {
        let revision = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!("latest".parse(), Ok(Reference::Latest));
        assert_eq!("main".parse(), Ok(Reference::Latest));
        assert_eq!("12".parse(), Ok(Reference::Number(12)));
        assert_eq!(revision.parse(), Ok(Reference::Revision(revision.parse().unwrap())));
        assert_eq!("champion".parse(), Ok(Reference::Alias("champion".parse().unwrap())));
        assert!("Champion".parse::<Reference>().is_err());
        // beyond any number: nobody's alias either
        assert!("99999999999".parse::<Reference>().is_err());
    }

    #[test]
    fn an_alias_cannot_pass_for_something_else() {
        for refused in
            ["latest", "main", "7", "0123456789abcdef0123456789abcdef01234567", "", "a/b"]
        {
            assert!(refused.parse::<Alias>().is_err(), "{refused}");
        }
        assert!("v7".parse::<Alias>().is_ok());
    }

    #[test]
    fn a_file_stays_below_its_folder() {
        for good in ["README.md", "onnx/model.onnx", ".gitattributes", "a b/c+d.txt"] {
            assert!(good.parse::<FilePath>().is_ok(), "{good}");
        }
        let deep = ["a"; 11].join("/");
        for bad in [
            "", "/a", "a/", "a//b", "..", "a/../b", ".", "a\\b", "a\0", "C:", " a", "a ", "a.",
            "ü", &deep,
        ] {
            assert!(bad.parse::<FilePath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_that_look_alike_are_found_out() {
        let fold = |name: &str| look_alike(&name.parse().unwrap());
        assert_eq!(fold("my_model.v1"), fold("my-model-vl"));
        assert_eq!(fold("go0d"), fold("good"));
        assert_ne!(fold("cat"), fold("car"));
    }
}
