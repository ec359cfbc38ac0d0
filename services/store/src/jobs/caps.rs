//! The hard caps: what is refused at submission, and by which cap.

use std::collections::BTreeSet;

use domain::{
    PoolId, Resources,
    spend::{Budget, Prices, Spend},
};

use super::{NewJob, Refusal, room};
use crate::{StoreError, TenantTx, Tx, amounts, storage};

/// Why a training would not be taken now; `None`: it would.
pub async fn refusal(tx: &mut TenantTx<'_>, job: &NewJob) -> Result<Option<Refusal>, StoreError> {
    match room::queue_is_full(tx).await? {
        Some(limit) => Ok(Some(Refusal::QueueFull { limit })),
        None => beyond(tx, &[job]).await,
    }
}

/// The first cap that these are beyond together, besides the length of the tenant's queue.
pub(super) async fn beyond(
    tx: &mut TenantTx<'_>,
    jobs: &[&NewJob],
) -> Result<Option<Refusal>, StoreError> {
    let pools: BTreeSet<_> = jobs.iter().map(|job| job.pool).collect();
    for pool in pools {
        let caps = caps(tx, pool).await?;
        let here: Vec<_> = jobs.iter().filter(|job| job.pool == pool).collect();
        if caps.closed {
            return Ok(Some(Refusal::TenantClosed));
        }
        if caps.may_be_full {
            let storage = storage::taken(tx).await?;
            if storage.used >= storage.limit {
                return Ok(Some(Refusal::StorageFull(storage)));
            }
        }
        if let Some(limit) = caps.max_queued {
            let more = u32::try_from(here.len()).unwrap_or(u32::MAX);
            if pool_queue(tx, pool, limit).await?.saturating_add(more) > limit {
                return Ok(Some(Refusal::PoolQueueFull { limit }));
            }
        }
        if let Some(refusal) = here.iter().find_map(|job| caps.refuse(job)) {
            return Ok(Some(refusal));
        }
    }
    Ok(None)
}

impl Caps {
    fn refuse(&self, job: &NewJob) -> Option<Refusal> {
        let total = job.resources.times(job.workers);
        if let Some(resource) = total.first_beyond(&self.max_job) {
            let (asked, most) = (total.get(resource), self.max_job.get(resource));
            return Some(Refusal::TooLarge { resource, asked, most });
        }
        let cost = self.prices.rate(&total).over_secs(job.max_runtime);
        let left = self.left;
        (!cost.within(&left)).then_some(Refusal::BeyondBudget { cost, left })
    }
}

/// Its waiting jobs in one pool, counted no further than to `limit`.
async fn pool_queue(tx: &mut TenantTx<'_>, pool: PoolId, limit: u32) -> Result<u32, StoreError> {
    let tenant = tx.tenant().uuid();
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from (
               select from job
               where tenant_id = $1 and finished_at is null and status in ('queued', 'paused')
                 and kind <> 'profile' and pool_id = $2
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
    closed: bool,
    /// Its files take all that it may store, by what is known without looking at each of them: no less than they
    /// do.
    may_be_full: bool,
    max_queued: Option<u32>,
    max_job: Resources,
    prices: Prices,
    /// Of the tenant's budget, not counting what live attempts may still cost.
    left: Spend,
}

async fn caps(tx: &mut TenantTx<'_>, pool: PoolId) -> Result<Caps, StoreError> {
    let tenant = tx.tenant().uuid();
    let row = sqlx::query!(
        r#"select t.closed_at is not null as "closed!",
                  -- what was there when it was last noted, and whatever has come since that hour began
                  coalesce(n.bytes, 0)
                      + coalesce((select sum(bytes) from dataset_version
                                  where tenant_id = $1 and created_at >= n.since), 0)
                      + coalesce((select sum(bytes) from model_version
                                  where tenant_id = $1 and created_at >= n.since), 0)
                      + coalesce((select sum(bytes) from inquiry
                                  where tenant_id = $1 and found_at >= n.since), 0)
                      >= t.max_storage_bytes as "may_be_full!",
                  q.max_queued as "max_queued?", q.max_job_cpu_milli as "cpu_milli?",
                  q.max_job_memory_bytes as "memory_bytes?",
                  q.max_job_accelerator_milli as "accelerator_milli?",
                  p.cpu_hour_price, p.gib_hour_price, p.accelerator_hour_price,
                  b.granted_micro_credits as "granted_micro_credits?",
                  b.granted_accelerator_ms as "granted_accelerator_ms?",
                  coalesce(b.spent_micro_credits, 0) as "spent_micro_credits!",
                  coalesce(b.spent_accelerator_ms, 0) as "spent_accelerator_ms!"
           from pool p
           join tenant t on t.id = $1
           cross join (select max(bytes) as bytes,
                              -- a transaction that was under way then has begun before it
                              coalesce(max(hour) - interval '1 minute', '-infinity') as since
                       from (select hour, bytes from storage_usage
                             where tenant_id = $1 order by hour desc limit 1) last) n
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
        closed: row.closed,
        may_be_full: row.may_be_full,
        max_queued: row.max_queued.map(i32::unsigned_abs),
        max_job: amounts::resource_limit(row.cpu_milli, row.memory_bytes, row.accelerator_milli),
        prices: amounts::prices(row.cpu_hour_price, row.gib_hour_price, row.accelerator_hour_price),
        left: budget.left(Spend::NONE),
    })
}
