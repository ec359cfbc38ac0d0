//! Published models: finding them, reading a version's metrics and lineage, downloading its files,
//! and predicting with it. A tenant sees its own models and the public ones of others; everything
//! else does not exist for it.

mod aliases;
mod asking;
mod batch;
mod card;
mod change;
mod collections;
mod compare;
mod evaluate;
mod featured;
mod files;
pub(crate) mod finding;
mod fork;
mod importance;
pub(crate) mod likes;
mod lineage;
mod organizations;
mod predict;
mod read;
mod reproduce;
mod sealing;
mod telling;
mod versions;

use std::collections::BTreeMap;

use domain::{
    Digest, JobId, TenantId, Timestamp,
    evaluation::Evaluation,
    name::Name,
    registry::{Licence, Revision, VersionState, Visibility},
    spec::{Task, TrainingSpec},
};
use serde::Serialize;
use store::{
    TenantTx,
    models::{self, Found, Model, ModelVersion},
};
use utoipa::ToSchema;

pub(crate) use aliases::own_model;
pub(crate) use asking::{By, asked, meter, named, runnable, told};
pub(crate) use change::looks_like;
pub(crate) use fork::licence_to_build_upon;
pub(crate) use predict::{MAX_ROWS, PredictAnswer, PredictRequest, Question, of_one};
pub(crate) use reproduce::Reproduction;
pub(crate) use sealing::{keep_sealing_models, sealed};

use crate::{ApiError, App, Code, ServiceConfig, auth::Reader};

/// Of jobs that ask a model, whose memory is what its training had.
const ASKING_CPU_MILLI: u64 = 1_000;
const ASKING_MAX_RUNTIME_SECS: u64 = 3_600;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(read::list)
        .service(likes::like)
        .service(likes::unlike)
        .service(collections::list)
        .service(collections::get)
        .service(collections::put)
        .service(collections::remove)
        .service(featured::list)
        .service(featured::put)
        .service(featured::remove)
        .service(organizations::get)
        .service(change::create)
        .service(read::get)
        .service(change::update)
        .service(aliases::list_aliases)
        .service(aliases::set_alias)
        .service(aliases::remove_alias)
        .service(versions::list_versions)
        .service(versions::get_version)
        .service(versions::update_version)
        .service(versions::delete_version)
        .service(versions::manifest)
        .service(card::card)
        .service(lineage::lineage)
        .service(lineage::of_dataset)
        .service(compare::compare)
        .service(evaluate::evaluate)
        .service(reproduce::reproduce)
        .service(fork::fork)
        .service(sealing::manifest_keys)
        .service(files::file)
        .service(predict::predict)
        .service(batch::batch)
        .service(batch::dry_run_batch)
        .service(importance::measure)
        .service(importance::measured);
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelView {
    /// Who publishes it.
    pub tenant: String,
    pub name: String,
    pub visibility: Visibility,
    /// A line of its people.
    pub description: String,
    /// What others may do with it.
    pub licence: Option<Licence>,
    pub tags: Vec<String>,
    /// The newest one that is published; null where there is none.
    pub latest_version: Option<u32>,
    /// Of the latest version.
    pub metrics: BTreeMap<String, f64>,
    /// By others and by its own tenant; each tenant's of one day count as one.
    pub downloads: u64,
    /// Each person's is one.
    pub likes: u64,
    /// Rows that were answered.
    pub predictions: u64,
    pub url: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl ModelView {
    /// As a search has found it.
    pub fn found(model: Found) -> Self {
        Self {
            url: format!("/v1/models/{}/{}", model.tenant_slug, model.name),
            tenant: model.tenant_slug,
            name: model.name,
            visibility: model.visibility,
            description: model.description,
            licence: model.licence,
            tags: model.tags,
            latest_version: model.latest_version,
            metrics: model.metrics,
            downloads: model.tally.downloads,
            likes: model.tally.likes,
            predictions: model.tally.predictions,
            created_at: model.created_at,
        }
    }
}

impl From<Model> for ModelView {
    fn from(model: Model) -> Self {
        Self {
            downloads: model.tally.downloads,
            likes: model.tally.likes,
            predictions: model.tally.predictions,
            url: format!("/v1/models/{}/{}", model.tenant_slug, model.name),
            tenant: model.tenant_slug,
            name: model.name,
            visibility: model.visibility,
            description: model.description,
            licence: model.licence,
            tags: model.tags,
            latest_version: model.latest_version,
            metrics: model.metrics,
            created_at: model.created_at,
        }
    }
}

/// A model by itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelDetail {
    #[serde(flatten)]
    pub model: ModelView,
    /// What its people write of it, in Markdown.
    pub card: String,
    /// Tenants by name; shown to its own tenant.
    pub shared_with: Option<Vec<String>>,
}

/// `is_own`: of the tenant that asks.
async fn detail(app: &App, mut model: Model, is_own: bool) -> Result<ModelDetail, ApiError> {
    let shared_with = if is_own {
        let mut tx = app.store.begin().await?;
        let with = models::shared_with(&mut tx, model.id).await?;
        tx.commit().await?;
        Some(with)
    } else {
        None
    };
    let card = std::mem::take(&mut model.card);
    Ok(ModelDetail { model: model.into(), card, shared_with })
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelVersionView {
    pub tenant: String,
    pub model: String,
    pub version: u32,
    pub state: VersionState,
    /// Why it is in this state; may be empty.
    pub reason: String,
    /// Names its content; null for less than a second after it was published.
    pub revision: Option<Revision>,
    pub licence: Option<Licence>,
    /// Null where files were sent that are no model of ours; so for all that comes of a specification.
    pub task: Option<Task>,
    pub target: Option<String>,
    /// Empty for regression.
    pub classes: Vec<String>,
    pub metrics: BTreeMap<String, f64>,
    /// Null where no job has made it.
    pub trained_on: Option<TrainedOn>,
    /// The job that made it; shown to its own tenant.
    pub job: Option<JobId>,
    /// Of a version that was made again.
    pub reproduces: Option<Reproduction>,
    /// As it was resolved for the job.
    pub spec: Option<TrainingSpec>,
    /// What it does on rows that it was not trained on, for figures; of a version that is read by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<Evaluation>,
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
    pub bytes: u64,
    pub url: String,
}

impl ModelVersionView {
    /// `reader`: none is a visitor.
    fn new(model: &Model, version: ModelVersion, reader: Option<TenantId>) -> Self {
        let url = format!(
            "/v1/models/{}/{}/versions/{}/files",
            model.tenant_slug, model.name, version.number
        );
        let reproduces = Reproduction::of(&version);
        let files = version.files.into_iter().map(|file| ModelFile {
            url: format!("{url}/{}", file.path),
            name: file.path.into(),
            sha256: file.sha256,
            bytes: file.bytes,
        });
        let job = version.trained.as_ref().map(|trained| trained.job);
        let config = version.made.map(|made| made.config);
        let trained_on = version.trained.zip(config.as_ref()).map(|(trained, config)| TrainedOn {
            dataset: config.spec.dataset.name.to_string(),
            version: trained.dataset_version,
            sha256: trained.dataset_sha256,
        });
        Self {
            tenant: model.tenant_slug.clone(),
            model: model.name.clone(),
            version: version.number,
            state: version.state,
            reason: version.reason,
            revision: version.sealed.map(|(revision, _)| revision),
            licence: version.licence,
            task: config.as_ref().map(|config| config.task),
            target: config.as_ref().map(|config| config.target.clone()),
            classes: config.as_ref().map(|config| config.classes.clone()).unwrap_or_default(),
            metrics: version.metrics,
            trained_on,
            job: job.filter(|_| Some(version.tenant) == reader),
            reproduces,
            spec: config.map(|config| config.spec),
            evaluations: Vec::new(),
            files: files.collect(),
            created_at: version.created_at,
        }
    }
}

/// The model that a URL names, if the reader may see it.
pub(crate) async fn known_model(
    tx: &mut TenantTx<'_>,
    tenant: &str,
    name: &str,
) -> Result<Model, ApiError> {
    let unknown = || ApiError::not_found("model", format!("{tenant}/{name}"));
    let publisher: Name = tenant.parse().map_err(|_| unknown())?;
    let known: Name = name.parse().map_err(|_| unknown())?;
    models::get(tx, publisher.as_str(), known.as_str()).await?.ok_or_else(unknown)
}

/// The version as a URL names it: by its number, an alias, its revision, or `latest`.
pub(crate) async fn known_version(
    tx: &mut TenantTx<'_>,
    model: &Model,
    named: &str,
) -> Result<ModelVersion, ApiError> {
    let name = format!("{}/{}/{named}", model.tenant_slug, model.name);
    let unknown = || ApiError::not_found("model version", &name);
    let reference = named.parse().map_err(|_| unknown())?;
    let found = models::version(tx, model.id, &reference).await?.ok_or_else(unknown)?;
    if found.state == VersionState::Deleted {
        let why = format!("model version `{name}` was deleted; its number is not given again");
        return Err(ApiError::new(Code::Gone, why));
    }
    Ok(found)
}

/// The same, as a reader hears of it: what it was built upon is told to a visitor only if that is public too.
async fn shown_version(
    tx: &mut TenantTx<'_>,
    reader: &Reader,
    model: &Model,
    named: &str,
) -> Result<ModelVersion, ApiError> {
    Ok(shown(reader, known_version(tx, model, named).await?))
}

fn shown(reader: &Reader, mut version: ModelVersion) -> ModelVersion {
    let is_base_seen = version.base.as_ref().is_some_and(|base| base.made.is_some());
    if matches!(reader, Reader::Visitor)
        && !is_base_seen
        && let Some(made) = &mut version.made
    {
        made.config.spec.base_model = None;
    }
    version
}
