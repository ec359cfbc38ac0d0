//! A job's row as it begins, with its first event and the scheduler's note of it: each is written once.

use domain::{JobId, Timestamp, spec::TrainingSpec, wait::WaitReason};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{NewJob, kind::kind_str};
use crate::{StoreError, TenantTx, Tx};

/// A job's row as it begins.
#[derive(Serialize)]
pub(super) struct NewRow<'a> {
    id: Uuid,
    kind: &'static str,
    name: &'a str,
    submitted_by: Uuid,
    dataset_id: Uuid,
    dataset_version: u32,
    spec: Option<&'a TrainingSpec>,
    priority: i32,
    cpu_milli: i32,
    memory_bytes: i64,
    max_runtime: i64,
    accelerator_milli: i32,
    workers: i32,
    pool_id: Uuid,
    not_before: Option<Timestamp>,
    blocked: bool,
    wait_reason: Option<WaitReason>,
    concurrency_key: Option<&'a str>,
    concurrency_limit: Option<i32>,
    sweep_id: Option<Uuid>,
    point: Option<&'a Value>,
    reproduces_model_id: Option<Uuid>,
    reproduces_number: Option<u32>,
    base_model_id: Option<Uuid>,
    base_number: Option<u32>,
}

impl<'a> NewRow<'a> {
    /// `on`: what it waits for.
    pub(super) fn of(job: &'a NewJob, on: Vec<JobId>) -> Self {
        Self {
            id: job.id.uuid(),
            kind: kind_str(job.kind()),
            name: &job.name,
            submitted_by: job.submitted_by.uuid(),
            dataset_id: job.dataset.uuid(),
            dataset_version: job.dataset_version,
            spec: job.spec.as_ref(),
            priority: job.priority,
            cpu_milli: i32::try_from(job.resources.cpu_milli).unwrap_or(i32::MAX),
            memory_bytes: i64::try_from(job.resources.memory_bytes).unwrap_or(i64::MAX),
            max_runtime: i64::try_from(job.max_runtime).unwrap_or(i64::MAX),
            accelerator_milli: i32::try_from(job.resources.accelerator_milli).unwrap_or(i32::MAX),
            workers: i32::try_from(job.workers).unwrap_or(i32::MAX),
            pool_id: job.pool.uuid(),
            not_before: job.not_before,
            blocked: !on.is_empty(),
            wait_reason: (!on.is_empty()).then_some(WaitReason::Dependency { on }),
            concurrency_key: job.concurrency.as_ref().map(|of| of.key.as_str()),
            concurrency_limit: job
                .concurrency
                .as_ref()
                .map(|of| i32::try_from(of.limit).unwrap_or(i32::MAX)),
            sweep_id: job.point.as_ref().map(|(sweep, _)| sweep.uuid()),
            point: job.point.as_ref().map(|(_, point)| point),
            reproduces_model_id: job.reproduces.map(|(model, _)| model.uuid()),
            reproduces_number: job.reproduces.map(|(_, number)| number),
            base_model_id: job.base.map(|(model, _)| model.uuid()),
            base_number: job.base.map(|(_, number)| number),
        }
    }
}

/// In one statement, so that no row is written twice.
pub(super) async fn insert(tx: &mut TenantTx<'_>, rows: &[NewRow<'_>]) -> Result<(), StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = serde_json::to_value(rows).map_err(|why| StoreError::corrupt("job", "spec", why))?;
    sqlx::query!(
        "with new as (
             insert into job (id, tenant_id, kind, name, submitted_by, dataset_id, dataset_version,
                              spec, priority, cpu_milli, memory_bytes, max_runtime,
                              accelerator_milli, workers, pool_id, not_before, blocked, wait_reason, last_event,
                              concurrency_key, concurrency_limit, sweep_id, point,
                              reproduces_model_id, reproduces_number, base_model_id, base_number)
             select n.id, $1, n.kind, n.name, n.submitted_by, n.dataset_id, n.dataset_version,
                    n.spec, n.priority, n.cpu_milli, n.memory_bytes, n.max_runtime,
                    n.accelerator_milli, n.workers, n.pool_id, coalesce(n.not_before, now()), n.blocked,
                    n.wait_reason, 1, n.concurrency_key, n.concurrency_limit, n.sweep_id, n.point,
                    n.reproduces_model_id, n.reproduces_number, n.base_model_id, n.base_number
             from jsonb_to_recordset($2) as n (
                 id uuid, kind text, name text, submitted_by uuid, dataset_id uuid,
                 dataset_version int, spec jsonb, priority int, cpu_milli int, memory_bytes bigint,
                 max_runtime bigint, accelerator_milli int, workers int, pool_id uuid, not_before timestamptz,
                 blocked boolean, wait_reason jsonb, concurrency_key text, concurrency_limit int,
                 sweep_id uuid, point jsonb, reproduces_model_id uuid, reproduces_number int,
                 base_model_id uuid, base_number int)
             returning id, kind
         ), told as (
             insert into job_event (job_id, number, tenant_id, kind, data)
             select id, 1, $1, 'queued', jsonb_build_object('kind', kind) from new
         )
         insert into change (kind, id) select 'job', id from new",
        tenant,
        rows,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
