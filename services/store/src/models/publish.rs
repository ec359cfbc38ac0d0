//! A new version: by a job's end, or of files that are stored already.

use domain::{
    ModelId,
    job::Attempt,
    registry::{SourceKind, VersionFile, VersionState},
};
use serde_json::Value;

use super::Made;
use crate::{StoreError, SystemTx, TenantTx, Tx, amounts, jobs::transition::number};

/// What an attempt has produced; its bytes are stored already.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub made: Made,
    /// All of them, also those that `made` names.
    pub files: Vec<VersionFile>,
}

/// Makes the next version of the model that the job's specification names. A job that has published
/// already is not published again: the answer is the number it has.
pub async fn publish(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    artifact: &Artifact,
) -> Result<u32, StoreError> {
    let job = attempt.job.uuid();
    let made = &artifact.made;
    let name = made.config.spec.registered_model_name.as_str();
    // locks the model's row: one new version at a time
    let model = sqlx::query!(
        "insert into model (id, tenant_id, name)
         select $1, j.tenant_id, $2 from job j where j.id = $3
         on conflict (tenant_id, name) do update set name = excluded.name
         returning id, licence",
        ModelId::generate().uuid(),
        name,
        job,
    )
    .fetch_one(tx.conn())
    .await?;
    sqlx::query!(
        "insert into model_version (model_id, number, tenant_id, job_id, attempt, weights_sha256,
             weights_bytes, config_sha256, config, metrics, dataset_id, dataset_version,
             dataset_sha256, files, bytes, licence, state, base_model_id, base_number)
         select $1, 1 + coalesce((select max(number) from model_version where model_id = $1), 0),
                j.tenant_id, j.id, $3, $4, $5, $6, $7, $8, j.dataset_id, j.dataset_version, $9, $10,
                -- what only shows that the same comes out again is nobody's next model
                $11, $12, case when j.reproduces_model_id is null then 'published' else 'draft' end,
                coalesce(j.reproduces_model_id, j.base_model_id),
                case when j.reproduces_model_id is null then j.base_number else j.reproduces_number end
         from job j where j.id = $2
         on conflict (job_id) do nothing",
        model.id,
        job,
        number(attempt),
        made.weights_sha256.as_bytes(),
        amounts::big(made.weights_bytes),
        made.config_sha256.as_bytes(),
        config(made)?,
        json(&made.config.metrics, "metrics")?,
        made.config.dataset_sha256.as_bytes(),
        json(&artifact.files, "files")?,
        amounts::big(total(&artifact.files)),
        model.licence,
    )
    .execute(tx.conn())
    .await?;
    let number = sqlx::query_scalar!("select number from model_version where job_id = $1", job)
        .fetch_one(tx.conn())
        .await?;
    Ok(number.unsigned_abs())
}

/// A version that no job has made.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Uploaded, or copied from the base.
    pub kind: SourceKind,
    pub state: VersionState,
    pub files: Vec<VersionFile>,
    pub made: Option<Made>,
    pub base: Option<(ModelId, u32)>,
}

/// Until the transaction ends, nobody else makes a version of the tenant's own model.
pub async fn lock(tx: &mut TenantTx<'_>, model: ModelId) -> Result<(), StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "select id from model where id = $1 and tenant_id = $2 for update",
        model.uuid(),
        tenant,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(())
}

/// The next version of the tenant's own model; its number.
pub async fn add_version(
    tx: &mut TenantTx<'_>,
    model: ModelId,
    new: &NewVersion,
) -> Result<u32, StoreError> {
    let tenant = tx.tenant().uuid();
    // one new version at a time
    let licence = sqlx::query_scalar!(
        "select licence from model where id = $1 and tenant_id = $2 for update",
        model.uuid(),
        tenant,
    )
    .fetch_one(tx.conn())
    .await?;
    let made = new.made.as_ref();
    let config = made.map(config).transpose()?;
    let metrics = match made {
        Some(made) => json(&made.config.metrics, "metrics")?,
        None => Value::Object(serde_json::Map::new()),
    };
    let number = sqlx::query_scalar!(
        "insert into model_version (model_id, number, tenant_id, source, state, weights_sha256,
             weights_bytes, config_sha256, config, metrics, files, bytes, base_model_id, base_number,
             licence)
         select $1, 1 + coalesce((select max(number) from model_version where model_id = $1), 0),
                $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
         returning number",
        model.uuid(),
        tenant,
        new.kind.as_str(),
        new.state.as_str(),
        made.map(|made| made.weights_sha256.as_bytes().as_slice()),
        made.map(|made| amounts::big(made.weights_bytes)),
        made.map(|made| made.config_sha256.as_bytes().as_slice()),
        config,
        metrics,
        json(&new.files, "files")?,
        amounts::big(total(&new.files)),
        new.base.map(|(model, _)| model.uuid()),
        new.base.map(|(_, number)| amounts::int(number)),
        licence,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(number.unsigned_abs())
}

/// A tokenizer, which may be megabytes, is in the file alone: the engine reads it there, and nobody else does, while a
/// version is read for each thing that is asked of it.
fn config(made: &Made) -> Result<Value, StoreError> {
    let mut config = json(&made.config, "config")?;
    if let Some(tokenizer) = config.pointer_mut("/input/tokenizer") {
        *tokenizer = Value::Null;
    }
    Ok(config)
}

fn json(value: &impl serde::Serialize, column: &'static str) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|why| StoreError::corrupt("model_version", column, why))
}

fn total(files: &[VersionFile]) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}
