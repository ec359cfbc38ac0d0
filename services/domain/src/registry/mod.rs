//! What the registry says of a model beyond its weights: who may see it, under which licence, what its
//! versions are called and which state they are in, and the manifest that is signed.

mod licence;
mod manifest;
mod names;
mod state;

pub use licence::{Licence, LicenceError};
pub use manifest::{Base, MANIFEST_FORMAT, Manifest, Source, SourceKind, TrainedFrom, VersionFile};
pub use names::{
    Alias, AliasError, FilePath, FilePathError, Reference, Revision, Tag, TagError, look_alike,
};
pub use state::{VersionState, Visibility};
