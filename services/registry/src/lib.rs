//! Bytes: datasets, checkpoints and models, in whatever object store the operator names. Content is
//! stored under its SHA-256 and never changes; rows in Postgres point at it and are written second, so
//! that a crash leaves at most bytes that nothing points at, which are cleared away. Where there is a master key, all of it is
//! encrypted ([`seal`], [`TenantKeys`]).

mod blobs;
mod checked;
mod clearing;
mod masters;
mod models;
mod parts;
mod pieces;
mod seal;
mod tenant_keys;
mod transfer;

pub use blobs::{BlobError, Blobs, folder_url};
pub use clearing::Cleared;
pub use masters::{LocalMaster, MasterError, MasterKey, Masters};
pub use models::{ModelFiles, load_model, upload_model};
pub use pieces::Piece;
pub use tenant_keys::{TenantKeys, rewrap};
pub use transfer::{PutError, Stored};
