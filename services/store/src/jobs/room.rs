//! Room in a tenant's queue: a limit that is exact, however many submit at once, without counting what
//! waits each time. A bound that is never below the number of its trainings that have not ended says when
//! there is room for certain; only where it does not are they counted, and the bound is set right.

use crate::{StoreError, TenantTx, Tx};

/// Of a tenant whose bound is not known: it has to be counted.
const UNKNOWN: i64 = 1 << 40;

/// Takes room for so many trainings, and lets the tenant's next submission wait for this transaction's end.
/// The tenant's limit of waiting jobs, if there is not so much room.
pub(super) async fn take(tx: &mut TenantTx<'_>, more: usize) -> Result<Option<u32>, StoreError> {
    let (tenant, more) = (tx.tenant().uuid(), i64::try_from(more).unwrap_or(i64::MAX));
    let bound = sqlx::query!(
        r#"insert into queue_bound as q (tenant_id, unfinished) values ($1, $2)
           on conflict (tenant_id) do update set unfinished = q.unfinished + $3
           returning unfinished, (select max_queued_jobs from tenant where id = $1) as "most!""#,
        tenant,
        UNKNOWN,
        more,
    )
    .fetch_one(tx.conn())
    .await?;
    if bound.unfinished <= i64::from(bound.most) {
        return Ok(None);
    }
    // in a statement of its own: it sees what those before it have committed
    let now = counted(tx).await?;
    let full = now.waiting + more > i64::from(now.most);
    sqlx::query!(
        "update queue_bound set unfinished = $2 where tenant_id = $1",
        tenant,
        if full { now.unfinished } else { now.unfinished + more },
    )
    .execute(tx.conn())
    .await?;
    Ok(full.then_some(now.most.unsigned_abs()))
}

/// The tenant's limit of waiting jobs, if there are as many.
pub async fn queue_is_full(tx: &mut TenantTx<'_>) -> Result<Option<u32>, StoreError> {
    let now = counted(tx).await?;
    Ok((now.waiting >= i64::from(now.most)).then_some(now.most.unsigned_abs()))
}

struct Counted {
    /// Trainings that have not ended, and those of them that wait.
    unfinished: i64,
    waiting: i64,
    /// So many may wait.
    most: i32,
}

async fn counted(tx: &mut TenantTx<'_>) -> Result<Counted, StoreError> {
    let tenant = tx.tenant().uuid();
    Ok(sqlx::query_as!(
        Counted,
        r#"select count(*) as "unfinished!",
                  count(*) filter (where status in ('queued', 'paused')) as "waiting!",
                  (select max_queued_jobs from tenant where id = $1) as "most!"
           from job
           where tenant_id = $1 and finished_at is null and kind = 'train'"#,
        tenant,
    )
    .fetch_one(tx.conn())
    .await?)
}
