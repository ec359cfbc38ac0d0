//! Bytes: datasets, checkpoints and models, in whatever object store the operator names. Content is
//! stored under its SHA-256 and never changes; rows in Postgres point at it and are written second, so
//! that a crash leaves at most bytes that nothing points at.

mod blobs;
mod models;
mod transfer;

pub use blobs::{BlobError, Blobs, folder_url};
pub use models::{ModelFiles, load_model, upload_model};
pub use transfer::{PutError, Stored};
