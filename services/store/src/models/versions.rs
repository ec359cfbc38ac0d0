//! Versions of a model: what each is made of, and what is said of it.

use std::collections::BTreeMap;

use domain::{
    DatasetId, Digest, JobId, ModelId, TenantId, Timestamp,
    model::ModelConfig,
    registry::{Licence, Reference, Revision, SourceKind, VersionFile, VersionState},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::licence;
use crate::{
    StoreError, TenantTx, Tx, amounts,
    datasets::digest,
    page::{Page, PageRequest},
};

const TABLE: &str = "model_version";

#[derive(Debug, Clone)]
pub struct ModelVersion {
    pub model: ModelId,
    pub tenant: TenantId,
    pub number: u32,
    pub state: VersionState,
    /// Of the state, for people.
    pub reason: String,
    /// By path.
    pub files: Vec<VersionFile>,
    /// What it predicts with; none where files were sent that we cannot read.
    pub made: Option<Made>,
    /// None where no job has made it.
    pub trained: Option<Trained>,
    pub kind: SourceKind,
    /// What it was built upon.
    pub base: Option<BaseVersion>,
    /// As it was when the version was published.
    pub licence: Option<Licence>,
    pub metrics: BTreeMap<String, f64>,
    /// The name of the manifest, and the manifest in JWS; within a second of being published.
    pub sealed: Option<(Revision, String)>,
    pub created_at: Timestamp,
}

/// What a version was built upon; a job that makes a version again builds upon that one.
#[derive(Debug, Clone)]
pub struct BaseVersion {
    pub model: ModelId,
    pub number: u32,
    /// Of its weights and of its configuration, if it has such and the reader sees it.
    pub made: Option<(Digest, Digest)>,
}

/// The files that a prediction needs.
#[derive(Debug, Clone)]
pub struct Made {
    pub weights_sha256: Digest,
    pub weights_bytes: u64,
    pub config_sha256: Digest,
    pub config: ModelConfig,
}

/// Where it came from, by content.
#[derive(Debug, Clone)]
pub struct Trained {
    pub job: JobId,
    pub dataset: DatasetId,
    pub dataset_version: u32,
    pub dataset_sha256: Digest,
}

/// Its columns, as every query here asks for them.
pub(super) struct Row {
    pub model_id: Uuid,
    pub tenant_id: Uuid,
    pub number: i32,
    pub source: String,
    pub state: String,
    pub reason: String,
    pub files: Value,
    pub job_id: Option<Uuid>,
    pub weights_sha256: Option<Vec<u8>>,
    pub weights_bytes: Option<i64>,
    pub config_sha256: Option<Vec<u8>>,
    pub config: Option<Value>,
    pub metrics: Value,
    pub dataset_id: Option<Uuid>,
    pub dataset_version: Option<i32>,
    pub dataset_sha256: Option<Vec<u8>>,
    pub base_model_id: Option<Uuid>,
    pub base_number: Option<i32>,
    pub base_weights: Option<Vec<u8>>,
    pub base_config: Option<Vec<u8>>,
    pub licence: Option<String>,
    pub revision: Option<String>,
    pub manifest: Option<String>,
    pub created_at: Timestamp,
}

impl Row {
    fn made(&mut self) -> Result<Option<Made>, StoreError> {
        let row = (
            self.weights_sha256.take(),
            self.weights_bytes,
            self.config_sha256.take(),
            self.config.take(),
        );
        let (Some(weights), Some(bytes), Some(config_sha256), Some(config)) = row else {
            return Ok(None);
        };
        Ok(Some(Made {
            weights_sha256: digest(&weights, TABLE, "weights_sha256")?,
            weights_bytes: bytes.unsigned_abs(),
            config_sha256: digest(&config_sha256, TABLE, "config_sha256")?,
            config: json(config, "config")?,
        }))
    }

    fn trained(&mut self) -> Result<Option<Trained>, StoreError> {
        let row = (self.job_id, self.dataset_id, self.dataset_version, self.dataset_sha256.take());
        let (Some(job), Some(dataset), Some(version), Some(sha256)) = row else { return Ok(None) };
        Ok(Some(Trained {
            job: JobId::from_uuid(job),
            dataset: DatasetId::from_uuid(dataset),
            dataset_version: version.unsigned_abs(),
            dataset_sha256: digest(&sha256, TABLE, "dataset_sha256")?,
        }))
    }
}

impl Row {
    fn base(&mut self) -> Result<Option<BaseVersion>, StoreError> {
        let Some((model, number)) = self.base_model_id.zip(self.base_number) else {
            return Ok(None);
        };
        let made = match self.base_weights.take().zip(self.base_config.take()) {
            Some((weights, config)) => Some((
                digest(&weights, TABLE, "weights_sha256")?,
                digest(&config, TABLE, "config_sha256")?,
            )),
            None => None,
        };
        let (model, number) = (ModelId::from_uuid(model), number.unsigned_abs());
        Ok(Some(BaseVersion { model, number, made }))
    }
}

impl TryFrom<Row> for ModelVersion {
    type Error = StoreError;

    fn try_from(mut row: Row) -> Result<Self, StoreError> {
        let revision = row.revision.as_deref().map(str::parse).transpose();
        let revision =
            revision.map_err(|()| StoreError::corrupt(TABLE, "revision", "no digest"))?;
        Ok(Self {
            made: row.made()?,
            trained: row.trained()?,
            base: row.base()?,
            model: ModelId::from_uuid(row.model_id),
            tenant: TenantId::from_uuid(row.tenant_id),
            number: row.number.unsigned_abs(),
            state: row.state.parse().map_err(|why| StoreError::corrupt(TABLE, "state", why))?,
            reason: row.reason,
            files: json(row.files, "files")?,
            kind: row.source.parse().map_err(|why| StoreError::corrupt(TABLE, "source", why))?,
            licence: licence(row.licence, TABLE)?,
            metrics: json(row.metrics, "metrics")?,
            sealed: revision.zip(row.manifest),
            created_at: row.created_at,
        })
    }
}

fn json<T: DeserializeOwned>(value: Value, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|why| StoreError::corrupt(TABLE, column, why))
}

/// The version that somebody names.
pub async fn version(
    tx: &mut impl Tx,
    model: ModelId,
    named: &Reference,
) -> Result<Option<ModelVersion>, StoreError> {
    let (number, revision, alias) = match named {
        Reference::Latest => (None, None, None),
        Reference::Number(number) => (Some(amounts::int(*number)), None, None),
        Reference::Revision(revision) => (None, Some(revision.as_str()), None),
        Reference::Alias(alias) => (None, None, Some(alias.as_str())),
    };
    sqlx::query_as!(
        Row,
        r#"select v.model_id, v.tenant_id, v.number, v.source, v.state, v.reason, v.files, v.job_id,
                  v.weights_sha256, v.weights_bytes, v.config_sha256, v.config, v.metrics, v.dataset_id,
                  v.dataset_version, v.dataset_sha256, v.base_model_id, v.base_number, v.licence,
                  v.revision, v.manifest, v.created_at,
                  b.weights_sha256 as "base_weights?", b.config_sha256 as "base_config?"
           from model_version v
           left join model_version b on b.model_id = v.base_model_id and b.number = v.base_number
           where v.model_id = $1 and v.number = case
               when $2::int is not null then $2
               when $3::text is not null then
                   (select number from model_version where model_id = $1 and revision = $3)
               when $4::text is not null then
                   (select number from model_alias where model_id = $1 and alias = $4)
               else (select max(number) from model_version
                     where model_id = $1 and state in ('published', 'deprecated')) end"#,
        model.uuid(),
        number,
        revision,
        alias,
    )
    .fetch_optional(tx.conn())
    .await?
    .map(ModelVersion::try_from)
    .transpose()
}

/// Newest first, from below the number `before`; those that are gone are left out.
pub async fn versions(
    tx: &mut impl Tx,
    model: ModelId,
    before: Option<u32>,
    limit: Option<u32>,
) -> Result<Page<ModelVersion>, StoreError> {
    let page = PageRequest::new(None, limit);
    let rows = sqlx::query_as!(
        Row,
        r#"select v.model_id, v.tenant_id, v.number, v.source, v.state, v.reason, v.files, v.job_id,
                  v.weights_sha256, v.weights_bytes, v.config_sha256, v.config, v.metrics, v.dataset_id,
                  v.dataset_version, v.dataset_sha256, v.base_model_id, v.base_number, v.licence,
                  v.revision, v.manifest, v.created_at,
                  b.weights_sha256 as "base_weights?", b.config_sha256 as "base_config?"
           from model_version v
           left join model_version b on b.model_id = v.base_model_id and b.number = v.base_number
           where v.model_id = $1 and v.state <> 'deleted' and ($2::int is null or v.number < $2)
           order by v.number desc
           limit $3"#,
        model.uuid(),
        before.map(|number| amounts::int(number)),
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let versions: Result<Vec<_>, _> = rows.into_iter().map(ModelVersion::try_from).collect();
    Ok(Page::of(versions?, page))
}

/// Says of the tenant's own version what it is good for. `false` if it is in another state than `from`
/// by now.
pub async fn set_state(
    tx: &mut TenantTx<'_>,
    (model, number): (ModelId, u32),
    from: VersionState,
    to: VersionState,
    reason: &str,
) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let changed = sqlx::query!(
        "update model_version set state = $5, reason = $6
         where tenant_id = $1 and model_id = $2 and number = $3 and state = $4",
        tenant,
        model.uuid(),
        amounts::int(number),
        from.as_str(),
        to.as_str(),
        reason,
    )
    .execute(tx.conn())
    .await?;
    Ok(changed.rows_affected() == 1)
}
