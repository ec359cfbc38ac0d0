//! What was used: by each attempt, as its row has said since it ended, and by files, hour by hour.

use domain::{JobId, Resources, TenantId, Timestamp, WorkerId, job::Cause, spend::Spend};

use crate::{StoreError, Tx, amounts, jobs::json_column};

/// One attempt, ended or live.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    pub number: u32,
    /// Of rank 0.
    pub worker: WorkerId,
    pub workers: u32,
    pub assigned_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// `succeeded`, `failed`, `stopped` or `lost`.
    pub outcome: Option<String>,
    pub cause: Option<Cause>,
    pub resumed_from_step: Option<u64>,
    pub used: Option<Used>,
}

/// What all workers of an attempt that has ended held together, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    pub resources: Resources,
    pub millis: u64,
    /// Of that, what its tenant pays for.
    pub paid_millis: u64,
    pub cost: Spend,
}

/// A job's attempts in order.
pub async fn of_job(
    tx: &mut impl Tx,
    tenant: TenantId,
    job: JobId,
) -> Result<Vec<AttemptRecord>, StoreError> {
    let rows = sqlx::query!(
        r#"select a.number, a.worker_id, a.assigned_at, a.started_at, a.ended_at, a.outcome, a.cause,
                  a.resumed_from_step, a.millis, a.paid_millis, a.micro_credits, a.accelerator_ms,
                  j.cpu_milli, j.memory_bytes, j.accelerator_milli, j.workers
           from attempt a join job j on j.id = a.job_id
           where a.job_id = $1 and j.tenant_id = $2
           order by a.number
           limit 1000"#,
        job.uuid(),
        tenant.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let record = rows.into_iter().map(|row| {
        let used = row.millis.zip(row.paid_millis).zip(row.micro_credits.zip(row.accelerator_ms));
        Ok(AttemptRecord {
            number: row.number.unsigned_abs(),
            worker: WorkerId::from_uuid(row.worker_id),
            workers: row.workers.unsigned_abs(),
            assigned_at: row.assigned_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            outcome: row.outcome,
            cause: json_column(row.cause, "attempt", "cause")?,
            resumed_from_step: row.resumed_from_step.map(i64::unsigned_abs),
            used: used.map(|((millis, paid), (credits, accelerator_ms))| Used {
                resources: amounts::resources(
                    row.cpu_milli.into(),
                    row.memory_bytes,
                    row.accelerator_milli.into(),
                )
                .times(row.workers.unsigned_abs()),
                millis: millis.unsigned_abs(),
                paid_millis: paid.unsigned_abs(),
                cost: amounts::spent(credits, accelerator_ms),
            }),
        })
    });
    record.collect()
}

/// Sums over attempts that ended in a period, in one pool with one outcome. Each attempt's share is
/// rounded down to whole units before it is added, so that the sum is that of the attempts.
#[derive(Debug, Clone)]
pub struct PoolUsage {
    pub pool: String,
    pub outcome: String,
    pub attempts: u64,
    pub cpu_ms: u64,
    pub memory_mib_ms: u64,
    pub accelerator_ms: u64,
    /// Of these, what the tenant pays for.
    pub paid: Spend,
}

/// From `from` to before `until`, by the attempts' ends.
pub async fn of_tenant(
    tx: &mut impl Tx,
    tenant: TenantId,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<PoolUsage>, StoreError> {
    // how many attempts there are in the period decides how they are best brought together with their jobs
    let settings = "set local plan_cache_mode = force_custom_plan; set local enable_hashjoin = on";
    sqlx::raw_sql(settings).execute(tx.conn()).await?;
    let rows = sqlx::query!(
        r#"select p.name as pool, a.outcome as "outcome!", count(*) as "attempts!",
                  sum(j.cpu_milli::bigint * j.workers * a.millis / 1000)::bigint as "cpu_ms!",
                  sum((j.memory_bytes >> 20) * j.workers * a.millis)::bigint as "memory_mib_ms!",
                  sum(j.accelerator_milli::bigint * j.workers * a.millis / 1000)::bigint as "accelerator_ms!",
                  sum(a.micro_credits)::bigint as "micro_credits!",
                  sum(a.accelerator_ms)::bigint as "paid_accelerator_ms!"
           from attempt a join job j on j.id = a.job_id join pool p on p.id = j.pool_id
           where a.tenant_id = $1 and j.tenant_id = $1 and a.ended_at >= $2 and a.ended_at < $3
             and a.millis is not null
           group by p.name, a.outcome
           order by p.name, a.outcome"#,
        tenant.uuid(),
        from,
        until,
    )
    .fetch_all(tx.conn())
    .await?;
    let usage = rows.into_iter().map(|row| PoolUsage {
        pool: row.pool,
        outcome: row.outcome,
        attempts: row.attempts.unsigned_abs(),
        cpu_ms: row.cpu_ms.unsigned_abs(),
        memory_mib_ms: row.memory_mib_ms.unsigned_abs(),
        accelerator_ms: row.accelerator_ms.unsigned_abs(),
        paid: amounts::spent(row.micro_credits, row.paid_accelerator_ms),
    });
    Ok(usage.collect())
}

/// Byte-hours of the tenant's files.
pub async fn storage(
    tx: &mut impl Tx,
    tenant: TenantId,
    from: Timestamp,
    until: Timestamp,
) -> Result<u64, StoreError> {
    let sum = sqlx::query_scalar!(
        r#"select coalesce(sum(bytes), 0)::bigint as "sum!" from storage_usage
           where tenant_id = $1 and hour >= $2 and hour < $3"#,
        tenant.uuid(),
        from,
        until,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(sum.unsigned_abs())
}
