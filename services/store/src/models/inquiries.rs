//! What a version is asked over a dataset by a job of the caller's, and what has come of it.

use domain::{
    Digest, JobId, ModelId, Timestamp,
    inquiry::{Finding, Inquiry},
    job::JobStatus,
};
use serde_json::Value;

use crate::{StoreError, SystemTx, TenantTx, Tx, amounts, datasets::digest};

const TABLE: &str = "inquiry";

/// What a job asks; its dataset says about what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquires {
    pub version: (ModelId, u32),
    /// The model, as `tenant/name`.
    pub named: String,
    pub inquiry: Inquiry,
}

/// As its job has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inquired {
    pub named: String,
    pub version: u32,
    pub inquiry: Inquiry,
    /// Once the job has succeeded.
    pub finding: Option<Finding>,
    /// What the finding says is in a file, until it is deleted.
    pub file: Option<Answers>,
}

/// A file in the tenant's store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    pub sha256: Digest,
    pub bytes: u64,
}

/// The columns of a job's row that are its inquiry's.
#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    named: Option<String>,
    asked_version: Option<i32>,
    asked: Option<Value>,
    finding: Option<Value>,
    answers_sha256: Option<Vec<u8>>,
    answers_bytes: Option<i64>,
}

impl Row {
    /// None of a job that asks nothing.
    pub(crate) fn read(self) -> Result<Option<Inquired>, StoreError> {
        let (Some(named), Some(version), Some(asked)) =
            (self.named, self.asked_version, self.asked)
        else {
            return Ok(None);
        };
        let finding = self.finding.map(serde_json::from_value).transpose();
        let file = self.answers_sha256.zip(self.answers_bytes).map(|(sha256, bytes)| {
            let sha256 = digest(&sha256, TABLE, "sha256")?;
            Ok::<_, StoreError>(Answers { sha256, bytes: bytes.unsigned_abs() })
        });
        Ok(Some(Inquired {
            named,
            version: version.unsigned_abs(),
            inquiry: asked_of(asked)?,
            finding: finding.map_err(|why| StoreError::corrupt(TABLE, "finding", why))?,
            file: file.transpose()?,
        }))
    }
}

pub(crate) fn asked_of(asked: Value) -> Result<Inquiry, StoreError> {
    serde_json::from_value(asked).map_err(|why| StoreError::corrupt(TABLE, "asked", why))
}

pub(crate) async fn insert(
    tx: &mut TenantTx<'_>,
    job: JobId,
    asked: &Inquires,
) -> Result<(), StoreError> {
    let tenant = tx.tenant().uuid();
    let inquiry = serde_json::to_value(asked.inquiry)
        .map_err(|why| StoreError::corrupt(TABLE, "asked", why))?;
    sqlx::query!(
        "insert into inquiry (job_id, tenant_id, model_id, number, named, asked)
         values ($1, $2, $3, $4, $5, $6)",
        job.uuid(),
        tenant,
        asked.version.0.uuid(),
        amounts::int(asked.version.1),
        asked.named,
        inquiry,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// In the transaction that finishes the job. Answers are metered here, once: the record has the job's id. What
/// they took of a processor is the job's.
pub async fn set_finding(
    tx: &mut SystemTx<'_>,
    job: JobId,
    finding: &Finding,
    file: Option<Answers>,
) -> Result<(), StoreError> {
    let json =
        serde_json::to_value(finding).map_err(|why| StoreError::corrupt(TABLE, "finding", why))?;
    sqlx::query!(
        "update inquiry set finding = $2, found_at = now(), sha256 = $3, bytes = $4 where job_id = $1",
        job.uuid(),
        json,
        file.as_ref().map(|file| file.sha256.as_bytes().as_slice()),
        file.map(|file| amounts::big(file.bytes)),
    )
    .execute(tx.conn())
    .await?;
    let Finding::Predicted(predicted) = finding else { return Ok(()) };
    sqlx::query!(
        "with metered as (
             insert into prediction_usage (id, tenant_id, model_id, number, at, requests, rows, tokens, micros)
             select job_id, tenant_id, model_id, number, now(), 1, $2, $3, 0 from inquiry where job_id = $1
             on conflict (id) do nothing
         )
         insert into model_tally (model_id, predictions)
         select model_id, $2 from inquiry where job_id = $1
         on conflict (model_id) do update set
             predictions = model_tally.predictions + excluded.predictions, is_settled = false",
        job.uuid(),
        amounts::big(predicted.answered),
        amounts::big(predicted.tokens),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a version was asked by a job.
#[derive(Debug, Clone)]
pub struct OfVersion {
    pub job: JobId,
    pub status: JobStatus,
    pub dataset: String,
    pub dataset_version: u32,
    pub inquiry: Inquiry,
    /// Once the job has succeeded.
    pub finding: Option<Finding>,
    pub created_at: Timestamp,
}

/// What the tenant's own jobs have measured of a version's features; the newest first, ten at most.
pub async fn of_version(
    tx: &mut TenantTx<'_>,
    (model, number): (ModelId, u32),
) -> Result<Vec<OfVersion>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query!(
        "select i.job_id, j.status, d.name as dataset, j.dataset_version, i.asked, i.finding, j.created_at
         from inquiry i
         join job j on j.id = i.job_id
         join dataset d on d.id = j.dataset_id
         where i.tenant_id = $1 and i.model_id = $2 and i.number = $3 and j.kind = 'importance'
         order by i.job_id desc
         limit 10",
        tenant,
        model.uuid(),
        amounts::int(number),
    )
    .fetch_all(tx.conn())
    .await?;
    let read = rows.into_iter().map(|row| {
        let finding = row.finding.map(serde_json::from_value).transpose();
        Ok(OfVersion {
            job: JobId::from_uuid(row.job_id),
            status: row.status.parse().map_err(|why| StoreError::corrupt("job", "status", why))?,
            dataset: row.dataset,
            dataset_version: row.dataset_version.unsigned_abs(),
            inquiry: asked_of(row.asked)?,
            finding: finding.map_err(|why| StoreError::corrupt(TABLE, "finding", why))?,
            created_at: row.created_at,
        })
    });
    read.collect()
}

/// Deletes the file of answers; false if there is none.
pub async fn forget_answers(tx: &mut TenantTx<'_>, job: JobId) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let done = sqlx::query!(
        "update inquiry set sha256 = null, bytes = null
         where job_id = $1 and tenant_id = $2 and sha256 is not null",
        job.uuid(),
        tenant,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}
