//! Published models: finding them, reading a version's metrics and lineage, downloading its files,
//! and predicting with it. A tenant sees its own models and the public ones of others; everything
//! else does not exist for it.

mod files;
mod predict;
mod read;

use std::collections::BTreeMap;

use domain::{
    Digest, JobId, TenantId, Timestamp,
    child::{CONFIG_FILE, WEIGHTS_FILE},
    name::Name,
    spec::{Task, TrainingSpec},
};
use serde::{Deserialize, Serialize};
use store::{
    TenantTx,
    models::{self, Model, ModelVersion},
};
use utoipa::ToSchema;

use crate::{ApiError, ServiceConfig, datasets::version_number};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(read::list)
        .service(read::get)
        .service(read::set_visibility)
        .service(read::list_versions)
        .service(read::get_version)
        .service(files::file)
        .service(predict::predict);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// For its own tenant alone.
    Private,
    /// For every tenant of this installation.
    Public,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelView {
    /// Who publishes it.
    pub tenant: String,
    pub name: String,
    pub visibility: Visibility,
    pub latest_version: u32,
    /// Of the latest version.
    pub metrics: BTreeMap<String, f64>,
    pub url: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<Model> for ModelView {
    fn from(model: Model) -> Self {
        Self {
            url: format!("/v1/models/{}/{}", model.tenant_slug, model.name),
            tenant: model.tenant_slug,
            name: model.name,
            visibility: if model.is_public { Visibility::Public } else { Visibility::Private },
            latest_version: model.latest_version,
            metrics: model.metrics,
            created_at: model.created_at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelVersionView {
    pub tenant: String,
    pub model: String,
    pub version: u32,
    pub task: Task,
    pub target: String,
    /// Empty for regression.
    pub classes: Vec<String>,
    pub metrics: BTreeMap<String, f64>,
    pub trained_on: TrainedOn,
    /// The job that made it; shown to its own tenant.
    pub job: Option<JobId>,
    /// As it was resolved for the job.
    pub spec: TrainingSpec,
    pub files: Vec<ModelFile>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TrainedOn {
    pub dataset: String,
    pub version: u32,
    pub sha256: Digest,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelFile {
    pub name: String,
    pub sha256: Digest,
    pub url: String,
}

impl ModelVersionView {
    fn new(model: &Model, version: ModelVersion, reader: TenantId) -> Self {
        let url = format!(
            "/v1/models/{}/{}/versions/{}/files",
            model.tenant_slug, model.name, version.number
        );
        let file = |name: &str, sha256| ModelFile {
            name: name.to_owned(),
            sha256,
            url: format!("{url}/{name}"),
        };
        let files = vec![
            file(WEIGHTS_FILE, version.weights_sha256),
            file(CONFIG_FILE, version.config_sha256),
        ];
        Self {
            tenant: model.tenant_slug.clone(),
            model: model.name.clone(),
            version: version.number,
            task: version.config.task,
            target: version.config.target,
            classes: version.config.classes,
            metrics: version.metrics,
            trained_on: TrainedOn {
                dataset: version.config.spec.dataset.name.to_string(),
                version: version.dataset_version,
                sha256: version.dataset_sha256,
            },
            job: (version.tenant == reader).then_some(version.job),
            spec: version.config.spec,
            files,
            created_at: version.created_at,
        }
    }
}

/// The model that a URL names, if the reader may see it.
async fn known_model(tx: &mut TenantTx<'_>, tenant: &str, name: &str) -> Result<Model, ApiError> {
    let unknown = || ApiError::not_found("model", format!("{tenant}/{name}"));
    let publisher: Name = tenant.parse().map_err(|_| unknown())?;
    let known: Name = name.parse().map_err(|_| unknown())?;
    models::get(tx, publisher.as_str(), known.as_str()).await?.ok_or_else(unknown)
}

/// `number` as a URL says it: a number, or `latest`.
async fn known_version(
    tx: &mut TenantTx<'_>,
    model: &Model,
    number: &str,
) -> Result<ModelVersion, ApiError> {
    let unknown = || {
        let name = format!("{}/{}/{number}", model.tenant_slug, model.name);
        ApiError::not_found("model version", name)
    };
    let wanted = version_number(number).ok_or_else(unknown)?.unwrap_or(model.latest_version);
    let found = models::versions(tx, model.id, Some(wanted)).await?;
    found.into_iter().next().ok_or_else(unknown)
}
