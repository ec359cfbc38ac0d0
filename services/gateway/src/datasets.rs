//! Datasets: pushing a file, at once or in pieces, makes a version named by its content, and a worker's
//! profile of it says what is inside. Reading never changes anything; the bytes come back as they were sent.

mod announced;
mod piece;
mod profile;
mod push;
mod read;
mod uploads;

use domain::{
    DatasetId, Digest, JobId, Timestamp,
    dataset::{Compression, Format, Profile},
    name::Name,
};
use serde::Serialize;
use store::datasets::{Dataset, ProfileState, Version};
use utoipa::ToSchema;

use crate::{ApiError, ServiceConfig, cause::CauseView};

pub(crate) use profile::{patience, settled_version};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(push::push)
        .service(read::list)
        .service(read::get)
        .service(read::list_versions)
        .service(read::get_version)
        .service(read::content);
    uploads::routes(cfg);
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DatasetView {
    pub id: DatasetId,
    pub name: String,
    pub versions: u64,
    /// What its versions occupy together.
    pub bytes: u64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<Dataset> for DatasetView {
    fn from(dataset: Dataset) -> Self {
        Self {
            id: dataset.id,
            name: dataset.name,
            versions: dataset.versions.unsigned_abs(),
            bytes: dataset.bytes.unsigned_abs(),
            created_at: dataset.created_at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DatasetVersionView {
    pub dataset: String,
    pub version: u32,
    /// Of the bytes as they were sent.
    pub sha256: Digest,
    pub bytes: u64,
    pub format: Format,
    pub compression: Compression,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    pub profile: ProfileView,
    /// The job that makes the profile; in the answer to the push that made the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_job: Option<JobId>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ProfileView {
    /// A worker has not read the file yet.
    Pending,
    Ready(Box<Profile>),
    /// The file cannot be read, and why; its bytes are kept.
    Invalid {
        cause: CauseView,
    },
}

impl From<Version> for DatasetVersionView {
    fn from(version: Version) -> Self {
        Self {
            dataset: version.dataset_name,
            version: version.number,
            sha256: version.sha256,
            bytes: version.bytes,
            format: version.format,
            compression: version.compression,
            created_at: version.created_at,
            profile: match version.profile {
                ProfileState::Pending => ProfileView::Pending,
                ProfileState::Ready(profile) => ProfileView::Ready(profile),
                ProfileState::Invalid(cause) => ProfileView::Invalid { cause: cause.into() },
            },
            profile_job: None,
        }
    }
}

/// A name in a URL that could not be one names nothing.
pub(crate) fn known_name(text: &str) -> Result<Name, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("dataset", text))
}

/// `latest` is `None` inside; anything that is neither a number nor that names no version.
pub(crate) fn version_number(text: &str) -> Option<Option<u32>> {
    if text == "latest" { Some(None) } else { text.parse().ok().map(Some) }
}
