//! Models and versions as the client reads them.

use domain::{
    Timestamp,
    model::{FittedInput, ModelConfig},
    registry::{VersionFile, Visibility},
    spec::Task,
};
use serde::Serialize;
use store::models::{Found, Model, ModelVersion};
use utoipa::ToSchema;

use super::{commit_of, error::HubError};

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HubModel {
    #[serde(rename = "_id")]
    key: String,
    id: String,
    model_id: String,
    author: String,
    /// None where there is no version yet.
    sha: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_modified: Timestamp,
    private: bool,
    gated: bool,
    disabled: bool,
    #[serde(rename = "library_name")]
    library_name: Option<&'static str>,
    #[serde(rename = "pipeline_tag")]
    pipeline_tag: Option<String>,
    tags: Vec<String>,
    card_data: HubCard,
    downloads: u64,
    likes: u64,
    trending_score: f64,
    /// None in lists.
    siblings: Option<Vec<HubSibling>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct HubCard {
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<&'static str>,
    tags: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HubSibling {
    rfilename: String,
    size: u64,
    blob_id: String,
    lfs: HubLfs,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HubLfs {
    /// SHA-256, under both names that the client knows.
    oid: String,
    sha256: String,
    size: u64,
    pointer_size: u64,
}

impl HubLfs {
    pub fn of(file: &VersionFile) -> Self {
        let sha256 = file.sha256.to_string();
        // what a pointer file of git-lfs would have
        let pointer_size = 124 + file.bytes.to_string().len() as u64;
        Self { oid: sha256.clone(), sha256, size: file.bytes, pointer_size }
    }
}

/// Git's name of the content, which has as many digits.
pub(super) fn blob_id(file: &VersionFile) -> String {
    let mut text = file.sha256.to_string();
    text.truncate(40);
    text
}

impl HubModel {
    /// `version`: the one that it is asked for at, if it has one.
    pub fn new(
        model: Model,
        version: Option<&ModelVersion>,
        now: Timestamp,
    ) -> Result<Self, HubError> {
        let sha = version.map(commit_of).transpose()?.map(ToString::to_string);
        let config = version.and_then(|version| version.made.as_ref()).map(|made| &made.config);
        let pipeline = config.map(pipeline_tag);
        let mut tags = model.tags.clone();
        tags.extend(pipeline.map(str::to_owned));
        tags.extend(model.licence.map(|licence| format!("license:{licence}")));
        let siblings = version.map(|version| version.files.iter().map(sibling).collect());
        Ok(Self {
            key: model.id.to_string(),
            id: format!("{}/{}", model.tenant_slug, model.name),
            model_id: format!("{}/{}", model.tenant_slug, model.name),
            author: model.tenant_slug,
            sha,
            created_at: model.created_at,
            last_modified: version.map_or(model.created_at, |version| version.created_at),
            private: model.visibility != Visibility::Public,
            gated: false,
            disabled: false,
            library_name: config.map(|_| "cupola"),
            pipeline_tag: pipeline.map(str::to_owned),
            tags,
            card_data: HubCard {
                license: model.licence.map(domain::registry::Licence::as_str),
                tags: model.tags,
            },
            downloads: model.tally.downloads,
            likes: model.tally.likes,
            trending_score: model.tally.trending_score(now),
            siblings: Some(siblings.unwrap_or_default()),
        })
    }

    /// As a search has found it.
    pub fn listed(model: Found, now: Timestamp) -> Self {
        let id = format!("{}/{}", model.tenant_slug, model.name);
        let mut tags = model.tags.clone();
        tags.extend(model.pipeline.clone());
        tags.extend(model.licence.map(|licence| format!("license:{licence}")));
        Self {
            key: model.id.to_string(),
            model_id: id.clone(),
            id,
            author: model.tenant_slug,
            sha: None,
            created_at: model.created_at,
            last_modified: model.updated_at,
            private: model.visibility != Visibility::Public,
            gated: false,
            disabled: false,
            library_name: model.pipeline.as_ref().map(|_| "cupola"),
            pipeline_tag: model.pipeline,
            tags,
            card_data: HubCard {
                license: model.licence.map(domain::registry::Licence::as_str),
                tags: model.tags,
            },
            downloads: model.tally.downloads,
            likes: model.tally.likes,
            trending_score: model.tally.trending_score(now),
            siblings: None,
        }
    }
}

fn sibling(file: &VersionFile) -> HubSibling {
    HubSibling {
        rfilename: file.path.to_string(),
        size: file.bytes,
        blob_id: blob_id(file),
        lfs: HubLfs::of(file),
    }
}

/// The Hub's names of tasks.
pub(crate) fn pipeline_tag(config: &ModelConfig) -> &'static str {
    let is_regression = config.task == Task::Regression;
    match (&config.input, config.task) {
        (_, Task::LanguageModeling) | (FittedInput::Corpus(_), _) => "text-generation",
        (_, Task::Forecasting) | (FittedInput::Series { .. }, _) => "time-series-forecasting",
        (_, Task::Recommendation) | (FittedInput::Ratings { .. }, _) => "recommendation",
        (FittedInput::Text(_), _) => "text-classification",
        (FittedInput::Images { .. }, _) => "image-classification",
        (FittedInput::Table { .. }, _) if is_regression => "tabular-regression",
        (FittedInput::Table { .. }, _) => "tabular-classification",
    }
}
