//! The hard caps: what is refused at submission, and by which cap.

use domain::{
    PoolId, Resources,
    spend::{Budget, Prices, Spend},
};

use super::{NewJob, Refusal};
use crate::{StoreError, TenantTx, Tx, amounts};

/// Why a training would not be taken now; `None`: it would. Whoever inserts it takes the tenant's lock
/// first, so that counts are exact.
pub async fn refusal(tx: &mut TenantTx<'_>, job: &NewJob) -> Result<Option<Refusal>, StoreError> {
    let tenant = tx.tenant().uuid();
    let closed = sqlx::query_scalar!(
        r#"select closed_at is not null as "closed!" from tenant where id = $1"#,
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    if closed {
        return Ok(Some(Refusal::TenantClosed));
    }
    if let Some(limit) = queue_is_full(tx).await? {
        return Ok(Some(Refusal::QueueFull { limit }));
    }
    let caps = caps(tx, job.pool).await?;
    if let Some(limit) = caps.max_queued
        && pool_queue(tx, job.pool, limit).await? >= limit
    {
        return Ok(Some(Refusal::PoolQueueFull { limit }));
    }
    if let Some(resource) = job.resources.first_beyond(&caps.max_job) {
        let (asked, most) = (job.resources.get(resource), caps.max_job.get(resource));
        return Ok(Some(Refusal::TooLarge { resource, asked, most }));
    }
    let cost = caps.prices.rate(&job.resources).over_secs(job.max_runtime);
    let left = caps.left;
    Ok((!cost.within(&left)).then_some(Refusal::BeyondBudget { cost, left }))
}

/// The tenant's limit of waiting jobs, if there are as many.
async fn queue_is_full(tx: &mut TenantTx<'_>) -> Result<Option<u32>, StoreError> {
    let tenant = tx.tenant().uuid();
    let full = sqlx::query_scalar!(
        "select t.max_queued_jobs from tenant t
         where t.id = $1 and t.max_queued_jobs <= (
             select count(*) from job j
             where j.tenant_id = $1 and j.finished_at is null and j.status in ('queued', 'paused')
               and j.kind = 'train')",
        tenant,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(full.map(i32::unsigned_abs))
}

/// Its waiting jobs in one pool, counted no further than to `limit`.
async fn pool_queue(tx: &mut TenantTx<'_>, pool: PoolId, limit: u32) -> Result<u32, StoreError> {
    let tenant = tx.tenant().uuid();
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from (
               select from job
               where tenant_id = $1 and finished_at is null and status in ('queued', 'paused')
                 and kind = 'train' and pool_id = $2
               limit $3) waiting"#,
        tenant,
        pool.uuid(),
        i64::from(limit),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

struct Caps {
    max_queued: Option<u32>,
    max_job: Resources,
    prices: Prices,
    /// Of the tenant's budget, not counting what live attempts may still cost.
    left: Spend,
}

async fn caps(tx: &mut TenantTx<'_>, pool: PoolId) -> Result<Caps, StoreError> {
    let tenant = tx.tenant().uuid();
    let row = sqlx::query!(
        r#"select q.max_queued as "max_queued?", q.max_job_cpu_milli as "cpu_milli?",
                  q.max_job_memory_bytes as "memory_bytes?",
                  q.max_job_accelerator_milli as "accelerator_milli?",
                  p.cpu_hour_price, p.gib_hour_price, p.accelerator_hour_price,
                  b.granted_micro_credits as "granted_micro_credits?",
                  b.granted_accelerator_ms as "granted_accelerator_ms?",
                  coalesce(b.spent_micro_credits, 0) as "spent_micro_credits!",
                  coalesce(b.spent_accelerator_ms, 0) as "spent_accelerator_ms!"
           from pool p
           left join quota q on q.pool_id = p.id and q.tenant_id = $1
           left join budget b on b.tenant_id = $1
           where p.id = $2"#,
        tenant,
        pool.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    let budget = Budget {
        granted: amounts::granted(row.granted_micro_credits, row.granted_accelerator_ms),
        spent: amounts::spent(row.spent_micro_credits, row.spent_accelerator_ms),
    };
    Ok(Caps {
        max_queued: row.max_queued.map(i32::unsigned_abs),
        max_job: amounts::resource_limit(row.cpu_milli, row.memory_bytes, row.accelerator_milli),
        prices: amounts::prices(row.cpu_hour_price, row.gib_hour_price, row.accelerator_hour_price),
        left: budget.left(Spend::NONE),
    })
}
