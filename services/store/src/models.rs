//! Published models: a name of a tenant's, its versions, and who may see it.

use std::collections::BTreeMap;

use domain::{
    DatasetId, Digest, JobId, ModelId, TenantId, Timestamp, job::Attempt, model::ModelConfig,
};
use serde_json::Value;
use uuid::Uuid;

use crate::{StoreError, SystemTx, TenantTx, Tx, datasets::digest, jobs::transition::number};

#[derive(Debug, Clone)]
pub struct Model {
    pub id: ModelId,
    pub tenant: TenantId,
    pub tenant_slug: String,
    pub name: String,
    pub is_public: bool,
    pub created_at: Timestamp,
    pub latest_version: u32,
    pub metrics: BTreeMap<String, f64>,
}

#[derive(Debug, Clone)]
pub struct ModelVersion {
    pub model: ModelId,
    pub tenant: TenantId,
    pub number: u32,
    pub job: JobId,
    pub weights_sha256: Digest,
    pub weights_bytes: u64,
    pub config_sha256: Digest,
    pub config: ModelConfig,
    pub metrics: BTreeMap<String, f64>,
    pub dataset: DatasetId,
    pub dataset_version: u32,
    pub dataset_sha256: Digest,
    pub created_at: Timestamp,
}

/// What an attempt has produced; its bytes are stored already.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub weights_sha256: Digest,
    pub weights_bytes: u64,
    pub config_sha256: Digest,
    pub config: ModelConfig,
}

/// Makes the next version of the model that the job's specification names. A job that has published
/// already is not published again: the answer is the number it has.
pub async fn publish(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    artifact: &Artifact,
) -> Result<u32, StoreError> {
    let job = attempt.job.uuid();
    let name = artifact.config.spec.registered_model_name.as_str();
    // locks the model's row: one new version at a time
    let model = sqlx::query_scalar!(
        "insert into model (id, tenant_id, name)
         select $1, j.tenant_id, $2 from job j where j.id = $3
         on conflict (tenant_id, name) do update set name = excluded.name
         returning id",
        ModelId::generate().uuid(),
        name,
        job,
    )
    .fetch_one(tx.conn())
    .await?;
    let json =
        |column| move |why: serde_json::Error| StoreError::corrupt("model_version", column, why);
    sqlx::query!(
        "insert into model_version (model_id, number, tenant_id, job_id, attempt, weights_sha256,
             weights_bytes, config_sha256, config, metrics, dataset_id, dataset_version, dataset_sha256)
         select $1, 1 + coalesce((select max(number) from model_version where model_id = $1), 0),
                j.tenant_id, j.id, $3, $4, $5, $6, $7, $8, j.dataset_id, j.dataset_version, $9
         from job j where j.id = $2
         on conflict (job_id) do nothing",
        model,
        job,
        number(attempt),
        artifact.weights_sha256.as_bytes(),
        i64::try_from(artifact.weights_bytes).unwrap_or(i64::MAX),
        artifact.config_sha256.as_bytes(),
        serde_json::to_value(&artifact.config).map_err(json("config"))?,
        serde_json::to_value(&artifact.config.metrics).map_err(json("metrics"))?,
        artifact.config.dataset_sha256.as_bytes(),
    )
    .execute(tx.conn())
    .await?;
    let number = sqlx::query_scalar!("select number from model_version where job_id = $1", job)
        .fetch_one(tx.conn())
        .await?;
    Ok(number.unsigned_abs())
}

struct Row {
    id: Uuid,
    tenant_id: Uuid,
    slug: String,
    name: String,
    visibility: String,
    created_at: Timestamp,
    latest: Option<i32>,
    metrics: Option<Value>,
}

impl TryFrom<Row> for Model {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let metrics = row.metrics.map(serde_json::from_value).transpose();
        Ok(Self {
            id: ModelId::from_uuid(row.id),
            tenant: TenantId::from_uuid(row.tenant_id),
            tenant_slug: row.slug,
            name: row.name,
            is_public: row.visibility == "public",
            created_at: row.created_at,
            latest_version: row.latest.unwrap_or(0).unsigned_abs(),
            metrics: metrics
                .map_err(|why| StoreError::corrupt("model_version", "metrics", why))?
                .unwrap_or_default(),
        })
    }
}

/// The tenant's own models, or every public one.
pub async fn list(tx: &mut TenantTx<'_>, public: bool) -> Result<Vec<Model>, StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query_as!(
        Row,
        r#"select m.id, m.tenant_id, t.slug, m.name, m.visibility, m.created_at,
                  v.number as "latest?", v.metrics as "metrics?"
           from model m
           join tenant t on t.id = m.tenant_id
           left join lateral (select number, metrics from model_version
                              where model_id = m.id order by number desc limit 1) v on true
           where case when $2 then m.visibility = 'public' else m.tenant_id = $1 end
           order by t.slug, m.name
           limit 1000"#,
        tenant,
        public,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(Model::try_from)
    .collect()
}

/// By publisher and name: the tenant's own, or a public one.
pub async fn get(
    tx: &mut TenantTx<'_>,
    publisher: &str,
    name: &str,
) -> Result<Option<Model>, StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query_as!(
        Row,
        r#"select m.id, m.tenant_id, t.slug, m.name, m.visibility, m.created_at,
                  v.number as "latest?", v.metrics as "metrics?"
           from model m
           join tenant t on t.id = m.tenant_id
           left join lateral (select number, metrics from model_version
                              where model_id = m.id order by number desc limit 1) v on true
           where t.slug = $2 and m.name = $3 and (m.tenant_id = $1 or m.visibility = 'public')"#,
        tenant,
        publisher,
        name,
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Model::try_from)
    .transpose()
}

/// `false` if it is not the tenant's own.
pub async fn set_public(
    tx: &mut TenantTx<'_>,
    model: ModelId,
    public: bool,
) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let changed = sqlx::query!(
        "update model set visibility = $3 where id = $2 and tenant_id = $1",
        tenant,
        model.uuid(),
        if public { "public" } else { "private" },
    )
    .execute(tx.conn())
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Newest first; `number` picks one.
pub async fn versions(
    tx: &mut TenantTx<'_>,
    model: ModelId,
    version: Option<u32>,
) -> Result<Vec<ModelVersion>, StoreError> {
    sqlx::query!(
        "select model_id, tenant_id, number, job_id, weights_sha256, weights_bytes, config_sha256,
                config, metrics, dataset_id, dataset_version, dataset_sha256, created_at
         from model_version
         where model_id = $1 and ($2::int is null or number = $2)
         order by number desc
         limit 200",
        model.uuid(),
        version.map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        let table = "model_version";
        let json = |column| move |why: serde_json::Error| StoreError::corrupt(table, column, why);
        Ok(ModelVersion {
            model: ModelId::from_uuid(row.model_id),
            tenant: TenantId::from_uuid(row.tenant_id),
            number: row.number.unsigned_abs(),
            job: JobId::from_uuid(row.job_id),
            weights_sha256: digest(&row.weights_sha256, table, "weights_sha256")?,
            weights_bytes: row.weights_bytes.unsigned_abs(),
            config_sha256: digest(&row.config_sha256, table, "config_sha256")?,
            config: serde_json::from_value(row.config).map_err(json("config"))?,
            metrics: serde_json::from_value(row.metrics).map_err(json("metrics"))?,
            dataset: DatasetId::from_uuid(row.dataset_id),
            dataset_version: row.dataset_version.unsigned_abs(),
            dataset_sha256: digest(&row.dataset_sha256, table, "dataset_sha256")?,
            created_at: row.created_at,
        })
    })
    .collect()
}
