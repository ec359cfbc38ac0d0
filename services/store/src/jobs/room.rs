//! Room in a tenant's queue: a limit that is exact, however many submit at once, without counting what
//! waits. Submissions of a tenant pass one at a time and add to the number of its trainings that have not
//! ended. While that number is within the limit there is room for certain; whoever lets jobs start, end or
//! come back notes it (`jobs/write.rs`) without waiting for anybody, and beyond the limit the notes since the
//! last look say how many wait. "Since" is, as with [changes](crate::changes), the oldest transaction that was
//! still running.

use uuid::Uuid;

use crate::{StoreError, SystemTx, TenantTx, Tx};

/// Tenants in one transaction: their submissions wait for it.
const TOGETHER: i64 = 100;
/// Between counts of a queue that is at its limit, should the numbers be wrong.
const MINUTES_BETWEEN_COUNTS: i32 = 10;

/// Takes room for so many trainings, and lets the tenant's next submission wait for this transaction's end.
/// The tenant's limit of waiting jobs, if there is not so much room.
pub(super) async fn take(tx: &mut TenantTx<'_>, more: usize) -> Result<Option<u32>, StoreError> {
    let (tenant, more) = (tx.tenant().uuid(), i64::try_from(more).unwrap_or(i64::MAX));
    let bound = sqlx::query!(
        r#"insert into queue_bound as q (tenant_id, unfinished, horizon)
           values ($1, $2, pg_snapshot_xmin(pg_current_snapshot()))
           on conflict (tenant_id) do update set unfinished = q.unfinished + $2
           returning unfinished, horizon is not null as "known!",
                     (select max_queued_jobs from tenant where id = $1) as "limit!""#,
        tenant,
        more,
    )
    .fetch_one(tx.conn())
    .await?;
    if bound.known && bound.unfinished <= i64::from(bound.limit) {
        return Ok(None);
    }
    // in a statement of its own: it sees what those before it have committed
    let mut found = if bound.known { told(tx, tenant).await? } else { counted(tx, tenant).await? };
    if bound.known {
        found.unfinished -= more;
    }
    let full = found.waiting() + more > i64::from(bound.limit);
    if !full {
        found.unfinished += more;
    }
    set(tx, tenant, &found, !bound.known).await?;
    Ok(full.then_some(bound.limit.unsigned_abs()))
}

/// The tenant's limit of waiting jobs, if there are as many.
pub async fn queue_is_full(tx: &mut TenantTx<'_>) -> Result<Option<u32>, StoreError> {
    let tenant = tx.tenant().uuid();
    let bound = sqlx::query!(
        r#"select t.max_queued_jobs, q.horizon is not null as "known!"
           from tenant t left join queue_bound q on q.tenant_id = t.id
           where t.id = $1"#,
        tenant,
    )
    .fetch_one(tx.conn())
    .await?;
    let found = if bound.known { told(tx, tenant).await? } else { counted(tx, tenant).await? };
    let limit = bound.max_queued_jobs;
    Ok((found.waiting() >= i64::from(limit)).then_some(limit.unsigned_abs()))
}

/// A tenant's trainings, in one snapshot.
struct Found {
    unfinished: i64,
    live: i64,
    /// What of this is noted by transactions that are not behind the horizon, and is to be read again.
    ended_again: i64,
    live_again: i64,
    /// The oldest transaction that was running.
    horizon: i64,
}

impl Found {
    const fn waiting(&self) -> i64 {
        self.unfinished - self.live
    }
}

async fn told(tx: &mut impl Tx, tenant: Uuid) -> Result<Found, StoreError> {
    let found = sqlx::query_as!(
        Found,
        r#"select b.unfinished - coalesce(sum(c.ended), 0) as "unfinished!",
                  b.live + coalesce(sum(c.live), 0) as "live!",
                  coalesce(sum(c.ended) filter (where c.xid >= s.horizon), 0) as "ended_again!",
                  coalesce(sum(c.live) filter (where c.xid >= s.horizon), 0) as "live_again!",
                  s.horizon::text::bigint as "horizon!"
           from (select pg_snapshot_xmin(pg_current_snapshot()) as horizon) s
           cross join queue_bound b
           left join queue_change c on c.tenant_id = b.tenant_id and c.xid >= b.horizon
           where b.tenant_id = $1
           group by b.unfinished, b.live, s.horizon"#,
        tenant,
    );
    Ok(found.fetch_one(tx.conn()).await?)
}

async fn counted(tx: &mut impl Tx, tenant: Uuid) -> Result<Found, StoreError> {
    let found = sqlx::query_as!(
        Found,
        r#"select j.unfinished as "unfinished!", j.live as "live!",
                  c.ended as "ended_again!", c.live as "live_again!", s.horizon::text::bigint as "horizon!"
           from (select pg_snapshot_xmin(pg_current_snapshot()) as horizon) s
           cross join lateral (
               select count(*) as unfinished,
                      count(*) filter (where status in ('starting', 'running', 'stopping')) as live
               from job where tenant_id = $1 and finished_at is null and kind <> 'profile') j
           cross join lateral (
               select coalesce(sum(ended), 0) as ended, coalesce(sum(live), 0) as live
               from queue_change where tenant_id = $1 and xid >= s.horizon) c"#,
        tenant,
    );
    Ok(found.fetch_one(tx.conn()).await?)
}

/// The numbers as they were found. Their row is locked by this transaction.
async fn set(
    tx: &mut impl Tx,
    tenant: Uuid,
    found: &Found,
    counted: bool,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update queue_bound set unfinished = $2, live = $3, horizon = $4::bigint::text::xid8,
             counted_at = case when $5 then now() else counted_at end
         where tenant_id = $1",
        tenant,
        found.unfinished + found.ended_again,
        found.live - found.live_again,
        found.horizon,
        counted,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets what has been noted, once it is in the tenants' numbers. Now and then, by the leader; whether
/// there is more to do.
pub async fn settle(tx: &mut SystemTx<'_>) -> Result<bool, StoreError> {
    let tenants = sqlx::query!(
        r#"select q.tenant_id,
                  q.horizon is null or q.unfinished - q.live >= t.max_queued_jobs
                      and q.counted_at < now() - make_interval(mins => $2) as "doubtful!"
           from queue_bound q join tenant t on t.id = q.tenant_id
           where q.tenant_id in (
               select tenant_id from queue_change
               where xid < pg_snapshot_xmin(pg_current_snapshot())
               union
               select q.tenant_id from queue_bound q join tenant t on t.id = q.tenant_id
               where q.horizon is null or q.unfinished - q.live >= t.max_queued_jobs
                   and q.counted_at < now() - make_interval(mins => $2))
           order by q.tenant_id
           limit $1
           for update of q"#,
        TOGETHER,
        MINUTES_BETWEEN_COUNTS,
    )
    .fetch_all(tx.conn())
    .await?;
    for row in &tenants {
        let tenant = row.tenant_id;
        let found =
            if row.doubtful { counted(tx, tenant).await? } else { told(tx, tenant).await? };
        set(tx, tenant, &found, row.doubtful).await?;
        sqlx::query!(
            "delete from queue_change where tenant_id = $1 and xid < $2::bigint::text::xid8",
            tenant,
            found.horizon,
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(tenants.len() as i64 == TOGETHER)
}
