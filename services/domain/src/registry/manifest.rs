//! What a version is, in a form that can be signed and checked without us: its files by digest, and
//! what it was made from.

use serde::{Deserialize, Serialize};

use super::{FilePath, Licence, Revision};
use crate::{Digest, Timestamp, name::Name};

pub const MANIFEST_FORMAT: u32 = 1;

/// The payload of `manifest.jws`. Its own digest names the version: [`Revision`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Manifest {
    pub format: u32,
    /// Publisher and name.
    #[schema(examples("acme/breast-cancer"))]
    pub model: String,
    pub version: u32,
    /// By path.
    pub files: Vec<VersionFile>,
    /// When it was published; what the model says later changes nothing here.
    pub licence: Option<Licence>,
    pub source: Source,
    /// What it was built upon.
    pub base: Option<Base>,
    /// The version of the platform.
    pub cupola: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VersionFile {
    pub path: FilePath,
    pub sha256: Digest,
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Source {
    /// A job of this platform made it.
    Trained(TrainedFrom),
    /// Somebody sent its files.
    Uploaded,
    /// The files of the base, taken over as they are.
    Copied,
}

/// How a version came to be, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    Trained,
    Uploaded,
    Copied,
}

impl SourceKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trained => "trained",
            Self::Uploaded => "uploaded",
            Self::Copied => "copied",
        }
    }
}

impl std::str::FromStr for SourceKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Trained, Self::Uploaded, Self::Copied]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no way to make a version"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrainedFrom {
    pub dataset: Name,
    pub dataset_version: u32,
    pub dataset_sha256: Digest,
    /// Of the resolved specification, which stands in `config.json`.
    pub spec_sha256: Digest,
    pub seed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Base {
    /// Publisher and name.
    pub model: String,
    pub version: u32,
    pub revision: Revision,
}
