//! A bounded picture of one pool, for whoever asks when a job starts: the scheduler's own is in its memory.

use domain::{JobId, PoolId, TenantId, Timestamp, world::Facts};

use crate::{StoreError, SystemTx, Tx, pools, schedule};

/// What decides about one pool: everything that is live there, of each tenant the first `each` jobs that
/// wait, and the job that is asked about.
pub async fn of_pool(
    tx: &mut SystemTx<'_>,
    pool: PoolId,
    each: i64,
    job: Option<JobId>,
) -> Result<(Facts, Timestamp), StoreError> {
    let now = schedule::time(tx).await?;
    let ids = sqlx::query_scalar!(
        r#"select j.id as "id!"
           from attempt a join job j on j.id = a.job_id
           where a.ended_at is null and j.pool_id = $1
           union
           select w.id from tenant t cross join lateral (
               select id from job
               where tenant_id = t.id and finished_at is null and status = 'queued' and pool_id = $1
               order by priority desc, created_at, id
               limit $2) w
           union
           select id from job where id = $3"#,
        pool.uuid(),
        each,
        job.map(JobId::uuid),
    )
    .fetch_all(tx.conn())
    .await?;
    let ids: Vec<_> = ids.into_iter().map(JobId::from_uuid).collect();
    let tenants = sqlx::query_scalar!("select id from tenant").fetch_all(tx.conn()).await?;
    let workers = sqlx::query_scalar!(
        "select id from worker where pool_id = $1 and state <> 'gone'",
        pool.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let averages = sqlx::query!(
        "select tenant_id, average from usage_average where pool_id = $1",
        pool.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let facts = Facts {
        tenants: schedule::look_at_tenants(tx, &tenants).await?,
        prices: pools::every_price(tx, Some(&[pool.uuid()])).await?,
        quotas: pools::every_quota(tx, None)
            .await?
            .into_iter()
            .filter(|(_, of, _)| *of == pool)
            .map(|(tenant, of, quota)| (tenant, of, Some(quota)))
            .collect(),
        workers: schedule::look_at_workers(tx, &workers).await?,
        jobs: schedule::look_at_jobs(tx, &ids).await?,
        averages: averages
            .iter()
            .map(|row| (TenantId::from_uuid(row.tenant_id), pool, row.average))
            .collect(),
    };
    Ok((facts, now))
}

/// What part of their `max_runtime` the last attempts that succeeded in a pool have taken: a tenth took
/// less than the first number, a tenth more than the second. `None` if there were too few to tell.
pub async fn runtime_ratios(
    tx: &mut SystemTx<'_>,
    pool: PoolId,
) -> Result<Option<(f64, f64)>, StoreError> {
    let row = sqlx::query!(
        r#"with recent as (
               select extract(epoch from a.ended_at - a.assigned_at)::float8
                          / greatest(j.max_runtime, 1) as ratio
               from attempt a join job j on j.id = a.job_id
               where a.outcome = 'succeeded' and j.pool_id = $1 and j.kind = 'train'
               order by a.job_id desc
               limit 200
           )
           select count(*) as "count!",
                  percentile_cont(0.1) within group (order by ratio) as low,
                  percentile_cont(0.9) within group (order by ratio) as high
           from recent"#,
        pool.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(row.low.zip(row.high).filter(|_| row.count >= 10))
}
