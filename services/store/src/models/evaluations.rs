//! Two versions judged again on the same rows: what is asked of a job, and what has come of it.

use domain::{
    JobId, ModelId, Timestamp,
    comparison::{Comparison, Side},
    job::JobStatus,
};
use uuid::Uuid;

use crate::{StoreError, SystemTx, TenantTx, Tx, amounts};

const TABLE: &str = "evaluation";

/// What a job evaluates; its dataset says on what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evaluates {
    pub a: (ModelId, u32),
    pub b: (ModelId, u32),
    /// On the rows that its training held back; on all of them if absent.
    pub held_back_by: Option<Side>,
}

/// One evaluation of a pair.
#[derive(Debug, Clone)]
pub struct Evaluated {
    pub job: JobId,
    pub status: JobStatus,
    pub dataset: String,
    pub dataset_version: u32,
    pub held_back_by: Option<Side>,
    /// None while there is none.
    pub result: Option<Comparison>,
    pub created_at: Timestamp,
}

pub(crate) async fn insert(
    tx: &mut TenantTx<'_>,
    job: JobId,
    asked: &Evaluates,
) -> Result<(), StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "insert into evaluation (job_id, tenant_id, a_model_id, a_number, b_model_id, b_number, held_back_by)
         values ($1, $2, $3, $4, $5, $6, $7)",
        job.uuid(),
        tenant,
        asked.a.0.uuid(),
        amounts::int(asked.a.1),
        asked.b.0.uuid(),
        amounts::int(asked.b.1),
        asked.held_back_by.map(Side::as_str),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// In the transaction that finishes the job.
pub async fn set_result(
    tx: &mut SystemTx<'_>,
    job: JobId,
    found: &Comparison,
) -> Result<(), StoreError> {
    let json =
        serde_json::to_value(found).map_err(|why| StoreError::corrupt(TABLE, "result", why))?;
    sqlx::query!("update evaluation set result = $2 where job_id = $1", job.uuid(), json)
        .execute(tx.conn())
        .await?;
    Ok(())
}

struct Row {
    job_id: Uuid,
    status: String,
    dataset: String,
    dataset_version: i32,
    held_back_by: Option<String>,
    result: Option<serde_json::Value>,
    created_at: Timestamp,
}

/// What the tenant's own jobs have found of a pair, in this order of both; the newest first, ten at most.
pub async fn of_pair(
    tx: &mut TenantTx<'_>,
    a: (ModelId, u32),
    b: (ModelId, u32),
) -> Result<Vec<Evaluated>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query_as!(
        Row,
        "select e.job_id, j.status, d.name as dataset, j.dataset_version, e.held_back_by, e.result,
                j.created_at
         from evaluation e
         join job j on j.id = e.job_id
         join dataset d on d.id = j.dataset_id
         where e.tenant_id = $1 and e.a_model_id = $2 and e.a_number = $3
           and e.b_model_id = $4 and e.b_number = $5
         order by e.job_id desc
         limit 10",
        tenant,
        a.0.uuid(),
        amounts::int(a.1),
        b.0.uuid(),
        amounts::int(b.1),
    )
    .fetch_all(tx.conn())
    .await?;
    let read = rows.into_iter().map(|row| {
        let result = row.result.map(serde_json::from_value).transpose();
        let side = row.held_back_by.map(|side| side.parse()).transpose();
        Ok(Evaluated {
            job: JobId::from_uuid(row.job_id),
            status: row.status.parse().map_err(|why| StoreError::corrupt("job", "status", why))?,
            dataset: row.dataset,
            dataset_version: row.dataset_version.unsigned_abs(),
            held_back_by: side.map_err(|why| StoreError::corrupt(TABLE, "held_back_by", why))?,
            result: result.map_err(|why| StoreError::corrupt(TABLE, "result", why))?,
            created_at: row.created_at,
        })
    });
    read.collect()
}
