//! What tenants have downloaded of files, by the hour. Each gateway adds what it has counted once a second, all
//! tenants in one statement, so that no download waits for another one's row.

use domain::{TenantId, Timestamp};

use crate::{StoreError, SystemTx, Tx};

/// Of one month of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    pub bytes: u64,
    pub limit: u64,
    /// When the next one begins.
    pub resets_at: Timestamp,
}

/// Bytes that a tenant is counted for; fewer than none where a download broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub tenant: TenantId,
    /// Since 1970: when it was counted.
    pub hour: i64,
    pub bytes: i64,
}

pub async fn add(tx: &mut SystemTx<'_>, sent: &[Sent]) -> Result<(), StoreError> {
    let tenants: Vec<_> = sent.iter().map(|one| one.tenant.uuid()).collect();
    let hours: Vec<_> = sent.iter().map(|one| one.hour).collect();
    let bytes: Vec<_> = sent.iter().map(|one| one.bytes).collect();
    sqlx::query!(
        "insert into egress_usage as u (tenant_id, hour, bytes)
         select tenant_id, to_timestamp(hour * 3600), bytes
         from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as s (tenant_id, hour, bytes)
         -- in one order, so that two gateways do not wait for each other
         order by tenant_id, hour
         on conflict (tenant_id, hour) do update set bytes = u.bytes + excluded.bytes",
        &tenants,
        &hours,
        &bytes,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The month that `now` is in, so far.
pub async fn month(
    tx: &mut impl Tx,
    tenant: TenantId,
    now: Timestamp,
) -> Result<Month, StoreError> {
    let row = sqlx::query!(
        r#"select t.max_egress_bytes, m.ends as "ends!",
                  coalesce((select sum(bytes) from egress_usage
                            where tenant_id = t.id and hour >= m.begins and hour < m.ends), 0)::bigint
                      as "bytes!"
           from tenant t,
                (select date_trunc('month', $2, 'UTC') as begins,
                        (date_trunc('month', $2 at time zone 'UTC') + interval '1 month') at time zone 'UTC'
                            as ends) m
           where t.id = $1"#,
        tenant.uuid(),
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Month {
        bytes: u64::try_from(row.bytes).unwrap_or(0),
        limit: row.max_egress_bytes.unsigned_abs(),
        resets_at: row.ends,
    })
}

/// Of the hours that begin in the period.
pub async fn between(
    tx: &mut impl Tx,
    tenant: TenantId,
    (from, until): (Timestamp, Timestamp),
) -> Result<u64, StoreError> {
    let sum = sqlx::query_scalar!(
        r#"select coalesce(sum(bytes), 0)::bigint as "sum!" from egress_usage
           where tenant_id = $1 and hour >= $2 and hour < $3"#,
        tenant.uuid(),
        from,
        until,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(u64::try_from(sum).unwrap_or(0))
}
