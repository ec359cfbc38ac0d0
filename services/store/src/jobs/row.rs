//! A job as its row has it, with the names of what it is about.

use domain::{
    DatasetId, JobId, Resources, SweepId, TenantId, Timestamp, WorkerId, world::Concurrency,
};
use serde_json::Value;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Job, kind::kind_of};
use crate::{StoreError, models::inquiries};

const SELECT: &str =
    "select j.id, j.tenant_id, j.kind, j.name, j.dataset_id, d.name as dataset_name,
                j.dataset_version, j.spec, j.priority, j.cpu_milli, j.memory_bytes, j.accelerator_milli,
                j.workers, p.name as pool, j.max_runtime,
                j.status, j.attempt, j.tries, j.worker_id, j.cause, j.wait_reason, j.step,
                j.total_steps, j.concurrency_key, j.concurrency_limit, j.sweep_id, j.point, m.name as model_name, v.number as model_version, j.last_event,
                j.created_at, j.started_at, j.finished_at, i.named, i.number as asked_version, i.asked,
                i.finding, i.sha256 as answers_sha256, i.bytes as answers_bytes
         from job j
         join dataset d on d.id = j.dataset_id
         join pool p on p.id = j.pool_id
         left join model_version v on v.job_id = j.id
         left join model m on m.id = v.model_id
         left join inquiry i on i.job_id = j.id
         where j.tenant_id = ";

/// One, of the transaction's tenant.
pub(crate) fn one() -> String {
    format!("{SELECT} current_tenant() and j.id = $1")
}

pub(super) fn select(tenant: TenantId) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(SELECT);
    query.push_bind(tenant.uuid());
    query
}

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    id: Uuid,
    tenant_id: Uuid,
    kind: String,
    name: String,
    dataset_id: Uuid,
    dataset_name: String,
    dataset_version: i32,
    spec: Option<Value>,
    priority: i32,
    cpu_milli: i32,
    memory_bytes: i64,
    accelerator_milli: i32,
    workers: i32,
    pool: String,
    max_runtime: i64,
    status: String,
    attempt: i32,
    tries: i32,
    worker_id: Option<Uuid>,
    cause: Option<Value>,
    wait_reason: Option<Value>,
    step: Option<i64>,
    total_steps: Option<i64>,
    concurrency_key: Option<String>,
    concurrency_limit: Option<i32>,
    sweep_id: Option<Uuid>,
    point: Option<Value>,
    model_name: Option<String>,
    model_version: Option<i32>,
    last_event: i64,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    #[sqlx(flatten)]
    inquiry: inquiries::Row,
}

pub(crate) fn json_column<T: serde::de::DeserializeOwned>(
    value: Option<Value>,
    table: &'static str,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    value
        .map(serde_json::from_value)
        .transpose()
        .map_err(|why| StoreError::corrupt(table, column, why))
}

impl TryFrom<Row> for Job {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let status = row.status.parse().map_err(|why| StoreError::corrupt("job", "status", why))?;
        Ok(Self {
            id: JobId::from_uuid(row.id),
            tenant: TenantId::from_uuid(row.tenant_id),
            kind: kind_of(&row.kind),
            name: row.name,
            dataset: DatasetId::from_uuid(row.dataset_id),
            dataset_name: row.dataset_name,
            dataset_version: row.dataset_version.unsigned_abs(),
            spec: json_column(row.spec, "job", "spec")?,
            priority: row.priority,
            resources: Resources {
                cpu_milli: row.cpu_milli.unsigned_abs().into(),
                memory_bytes: row.memory_bytes.unsigned_abs(),
                accelerator_milli: row.accelerator_milli.unsigned_abs().into(),
            },
            workers: row.workers.unsigned_abs(),
            pool: row.pool,
            max_runtime: row.max_runtime.unsigned_abs(),
            status,
            attempt: row.attempt.unsigned_abs(),
            tries: row.tries.unsigned_abs(),
            worker: row.worker_id.map(WorkerId::from_uuid),
            cause: json_column(row.cause, "job", "cause")?,
            wait_reason: json_column(row.wait_reason, "job", "wait_reason")?,
            concurrency: row
                .concurrency_key
                .zip(row.concurrency_limit)
                .map(|(key, limit)| Concurrency { key, limit: limit.unsigned_abs() }),
            point: row.sweep_id.map(SweepId::from_uuid).zip(row.point),
            step: row.step.map(i64::unsigned_abs),
            total_steps: row.total_steps.map(i64::unsigned_abs),
            inquired: row.inquiry.read()?,
            published: row.model_name.zip(row.model_version.map(i32::unsigned_abs)),
            last_event: row.last_event.unsigned_abs(),
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}
