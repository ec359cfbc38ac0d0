//! Pools of workers, and each tenant's quota in them.

use domain::{PoolId, Resources, TenantId, Timestamp, name::Name, spend::Prices, world::Quota};
use uuid::Uuid;

use crate::{
    StoreError, SystemTx, TenantTx, Tx, amounts,
    changes::{self, Change},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    pub id: PoolId,
    pub name: String,
    /// The kind of accelerator that its workers have.
    pub accelerator: Option<String>,
    /// Of the workers that take new work.
    pub workers: u64,
    pub capacity: Resources,
    /// By live attempts, on all its workers.
    pub used: Resources,
    pub prices: Prices,
    pub created_at: Timestamp,
}

/// Everybody sees the pools.
pub async fn list(tx: &mut SystemTx<'_>) -> Result<Vec<Pool>, StoreError> {
    let rows = sqlx::query!(
        r#"select p.id, p.name, p.accelerator, p.created_at, p.cpu_hour_price, p.gib_hour_price,
                  p.accelerator_hour_price,
                  w.workers as "workers!", w.cpu_milli as "cpu_milli!",
                  w.memory_bytes as "memory_bytes!", w.accelerators as "accelerators!",
                  u.cpu_milli as "used_cpu_milli!", u.memory_bytes as "used_memory_bytes!",
                  u.accelerator_milli as "used_accelerator_milli!"
           from pool p
           cross join lateral (
               select count(*) as workers, coalesce(sum(cpu_milli), 0)::bigint as cpu_milli,
                      coalesce(sum(memory_bytes), 0)::bigint as memory_bytes,
                      coalesce(sum(accelerators), 0)::bigint as accelerators
               from worker where pool_id = p.id and state = 'up') w
           cross join lateral (
               select coalesce(sum(j.cpu_milli::bigint * j.workers), 0)::bigint as cpu_milli,
                      coalesce(sum(j.memory_bytes * j.workers), 0)::bigint as memory_bytes,
                      coalesce(sum(j.accelerator_milli::bigint * j.workers), 0)::bigint as accelerator_milli
               from attempt a join job j on j.id = a.job_id
               where a.ended_at is null and j.pool_id = p.id) u
           order by p.name
           limit 1000"#,
    )
    .fetch_all(tx.conn())
    .await?;
    let pool = rows.into_iter().map(|row| Pool {
        id: PoolId::from_uuid(row.id),
        name: row.name,
        accelerator: row.accelerator,
        workers: row.workers.unsigned_abs(),
        capacity: amounts::resources(row.cpu_milli, row.memory_bytes, row.accelerators * 1_000),
        used: amounts::resources(
            row.used_cpu_milli,
            row.used_memory_bytes,
            row.used_accelerator_milli,
        ),
        prices: amounts::prices(row.cpu_hour_price, row.gib_hour_price, row.accelerator_hour_price),
        created_at: row.created_at,
    });
    Ok(pool.collect())
}

/// `None` if the name is taken.
pub async fn create(
    tx: &mut SystemTx<'_>,
    id: PoolId,
    name: &Name,
    accelerator: Option<&str>,
) -> Result<Option<PoolId>, StoreError> {
    let made = sqlx::query_scalar!(
        "insert into pool (id, name, accelerator) values ($1, $2, $3)
         on conflict (name) do nothing
         returning id",
        id.uuid(),
        name.as_str(),
        accelerator,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(made.map(PoolId::from_uuid))
}

/// What an attempt costs that starts from now on. False if there is no such pool.
pub async fn set_prices(
    tx: &mut SystemTx<'_>,
    name: &str,
    prices: &Prices,
) -> Result<bool, StoreError> {
    let pool = sqlx::query_scalar!(
        "update pool set cpu_hour_price = $2, gib_hour_price = $3, accelerator_hour_price = $4
         where name = $1
         returning id",
        name,
        amounts::big(prices.cpu_hour),
        amounts::big(prices.gib_hour),
        amounts::big(prices.accelerator_hour),
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(pool) = pool else { return Ok(false) };
    changes::note(tx.conn(), &[Change::Pool(PoolId::from_uuid(pool))]).await?;
    Ok(true)
}

/// Of these pools, or of all.
pub(crate) async fn every_price(
    tx: &mut SystemTx<'_>,
    pools: Option<&[Uuid]>,
) -> Result<Vec<(PoolId, Prices)>, StoreError> {
    let rows = sqlx::query!(
        "select id, cpu_hour_price, gib_hour_price, accelerator_hour_price from pool
         where $1::uuid[] is null or id = any($1)",
        pools,
    )
    .fetch_all(tx.conn())
    .await?;
    let prices = rows.into_iter().map(|row| {
        let prices =
            amounts::prices(row.cpu_hour_price, row.gib_hour_price, row.accelerator_hour_price);
        (PoolId::from_uuid(row.id), prices)
    });
    Ok(prices.collect())
}

/// The pool of that name, and the kind of its accelerators.
pub async fn by_name(
    tx: &mut TenantTx<'_>,
    name: &str,
) -> Result<Option<(PoolId, Option<String>)>, StoreError> {
    let row = sqlx::query!("select id, accelerator from pool where name = $1", name)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|row| (PoolId::from_uuid(row.id), row.accelerator)))
}

pub async fn id_of(tx: &mut SystemTx<'_>, name: &str) -> Result<Option<PoolId>, StoreError> {
    let id = sqlx::query_scalar!("select id from pool where name = $1", name)
        .fetch_optional(tx.conn())
        .await?;
    Ok(id.map(PoolId::from_uuid))
}

/// The names of all pools, for whoever named none of them.
pub async fn names(tx: &mut TenantTx<'_>) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!("select name from pool order by name limit 100")
        .fetch_all(tx.conn())
        .await?)
}

struct QuotaRow {
    tenant_id: Uuid,
    pool_id: Uuid,
    pool: String,
    guaranteed_cpu_milli: i64,
    guaranteed_memory_bytes: i64,
    guaranteed_accelerator_milli: i64,
    limit_cpu_milli: Option<i64>,
    limit_memory_bytes: Option<i64>,
    limit_accelerator_milli: Option<i64>,
    weight: i32,
    cohort: Option<String>,
    max_running: Option<i32>,
    max_queued: Option<i32>,
    max_job_cpu_milli: Option<i64>,
    max_job_memory_bytes: Option<i64>,
    max_job_accelerator_milli: Option<i64>,
}

impl From<QuotaRow> for Quota {
    fn from(row: QuotaRow) -> Self {
        Self {
            guaranteed: amounts::resources(
                row.guaranteed_cpu_milli,
                row.guaranteed_memory_bytes,
                row.guaranteed_accelerator_milli,
            ),
            limit: amounts::resource_limit(
                row.limit_cpu_milli,
                row.limit_memory_bytes,
                row.limit_accelerator_milli,
            ),
            weight: row.weight.unsigned_abs(),
            cohort: row.cohort,
            max_running: amounts::uncounted(row.max_running),
            max_queued: amounts::uncounted(row.max_queued),
            max_job: amounts::resource_limit(
                row.max_job_cpu_milli,
                row.max_job_memory_bytes,
                row.max_job_accelerator_milli,
            ),
        }
    }
}

async fn rows(
    tx: &mut SystemTx<'_>,
    tenants: Option<&[Uuid]>,
) -> Result<Vec<QuotaRow>, StoreError> {
    let rows = sqlx::query_as!(
        QuotaRow,
        "select q.tenant_id, q.pool_id, p.name as pool, guaranteed_cpu_milli,
                guaranteed_memory_bytes, guaranteed_accelerator_milli, limit_cpu_milli,
                limit_memory_bytes, limit_accelerator_milli, weight, cohort, max_running, max_queued,
                max_job_cpu_milli, max_job_memory_bytes, max_job_accelerator_milli
         from quota q join pool p on p.id = q.pool_id
         where $1::uuid[] is null or q.tenant_id = any($1)
         order by p.name",
        tenants,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// A tenant's quotas by pool; pools where it has none are left out.
pub async fn quotas(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
) -> Result<Vec<(String, Quota)>, StoreError> {
    let rows = rows(tx, Some(&[tenant.uuid()])).await?;
    Ok(rows.into_iter().map(|row| (row.pool.clone(), row.into())).collect())
}

/// Of these tenants, or of all.
pub(crate) async fn every_quota(
    tx: &mut SystemTx<'_>,
    tenants: Option<&[Uuid]>,
) -> Result<Vec<(TenantId, PoolId, Quota)>, StoreError> {
    let rows = rows(tx, tenants).await?;
    let quota = rows.into_iter().map(|row| {
        let of = (TenantId::from_uuid(row.tenant_id), PoolId::from_uuid(row.pool_id));
        (of.0, of.1, row.into())
    });
    Ok(quota.collect())
}

/// False if there is no such pool.
pub async fn set_quota(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    pool: &str,
    quota: &Quota,
) -> Result<bool, StoreError> {
    let Quota { guaranteed, limit, max_job, .. } = quota;
    let set = sqlx::query!(
        "insert into quota (tenant_id, pool_id, guaranteed_cpu_milli, guaranteed_memory_bytes,
             guaranteed_accelerator_milli, limit_cpu_milli, limit_memory_bytes,
             limit_accelerator_milli, weight, cohort, max_running, max_queued, max_job_cpu_milli,
             max_job_memory_bytes, max_job_accelerator_milli)
         select $1, id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
         from pool where name = $2
         on conflict (tenant_id, pool_id) do update set
             guaranteed_cpu_milli = excluded.guaranteed_cpu_milli,
             guaranteed_memory_bytes = excluded.guaranteed_memory_bytes,
             guaranteed_accelerator_milli = excluded.guaranteed_accelerator_milli,
             limit_cpu_milli = excluded.limit_cpu_milli,
             limit_memory_bytes = excluded.limit_memory_bytes,
             limit_accelerator_milli = excluded.limit_accelerator_milli,
             weight = excluded.weight,
             cohort = excluded.cohort,
             max_running = excluded.max_running,
             max_queued = excluded.max_queued,
             max_job_cpu_milli = excluded.max_job_cpu_milli,
             max_job_memory_bytes = excluded.max_job_memory_bytes,
             max_job_accelerator_milli = excluded.max_job_accelerator_milli",
        tenant.uuid(),
        pool,
        amounts::big(guaranteed.cpu_milli),
        amounts::big(guaranteed.memory_bytes),
        amounts::big(guaranteed.accelerator_milli),
        amounts::limit(limit.cpu_milli),
        amounts::limit(limit.memory_bytes),
        amounts::limit(limit.accelerator_milli),
        i32::try_from(quota.weight).unwrap_or(i32::MAX),
        quota.cohort,
        amounts::count_limit(quota.max_running),
        amounts::count_limit(quota.max_queued),
        amounts::limit(max_job.cpu_milli),
        amounts::limit(max_job.memory_bytes),
        amounts::limit(max_job.accelerator_milli),
    )
    .execute(tx.conn())
    .await?;
    changes::note(tx.conn(), &[Change::Quota(tenant)]).await?;
    Ok(set.rows_affected() > 0)
}

/// Back to the default: nothing guaranteed, no limit, weight 1. False if it had no other.
pub async fn remove_quota(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    pool: &str,
) -> Result<bool, StoreError> {
    let removed = sqlx::query!(
        "delete from quota q using pool p
         where p.id = q.pool_id and q.tenant_id = $1 and p.name = $2",
        tenant.uuid(),
        pool,
    )
    .execute(tx.conn())
    .await?;
    changes::note(tx.conn(), &[Change::Quota(tenant)]).await?;
    Ok(removed.rows_affected() > 0)
}
