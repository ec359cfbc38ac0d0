//! What a tenant's files take: its datasets, its models and what these have answered, beside what they may. A version of a model takes what
//! its files do; what several versions have is stored once, and counts once. What is on its way counts as if it had come.

use domain::TenantId;

use crate::{StoreError, SystemTx, TenantTx, Tx};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    pub used: u64,
    pub limit: u64,
}

/// As it is at the moment, with what this transaction has added.
pub async fn taken(tx: &mut TenantTx<'_>) -> Result<Storage, StoreError> {
    let row = sqlx::query!(
        r#"select t.max_storage_bytes,
                  coalesce((select sum(bytes) from dataset_version where tenant_id = t.id), 0)::bigint
                      as "datasets!",
                  coalesce((select sum(bytes) from upload where tenant_id = t.id and version is null), 0)::bigint
                      as "uploads!",
                  coalesce((select sum(a.bytes)
                            from (select distinct sha256, bytes from inquiry
                                  where tenant_id = t.id and sha256 is not null) a), 0)::bigint
                      as "answers!",
                  coalesce((select sum(f.bytes)
                            from (select max((file ->> 'bytes')::bigint) as bytes
                                  from model_version v, jsonb_array_elements(v.files) file
                                  where v.tenant_id = t.id and v.state <> 'deleted'
                                  group by file ->> 'sha256') f), 0)::bigint as "models!"
           from tenant t where t.id = $1"#,
        tx.tenant().uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Storage {
        used: [row.datasets, row.uploads, row.models, row.answers]
            .map(i64::unsigned_abs)
            .iter()
            .sum(),
        limit: row.max_storage_bytes.unsigned_abs(),
    })
}

/// The same. Until the transaction ends nobody else gets this answer for the tenant, so that a limit which is
/// looked at after something was added is exact.
pub async fn taken_by_all(tx: &mut TenantTx<'_>) -> Result<Storage, StoreError> {
    let tenant: TenantId = tx.tenant();
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1::uuid::text, 2))",
        tenant.uuid()
    )
    .execute(tx.conn())
    .await?;
    // in a statement of its own: it sees what whoever had the lock has committed
    taken(tx).await
}

/// Writes what each tenant's files take at the moment, as this hour's. Saying it again changes nothing.
pub async fn note(tx: &mut SystemTx<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into storage_usage (tenant_id, hour, bytes)
         select f.tenant_id, date_trunc('hour', now()), sum(f.bytes)::bigint
         from (select tenant_id, bytes from dataset_version
               union all
               select v.tenant_id, max((file ->> 'bytes')::bigint)
               from model_version v, jsonb_array_elements(v.files) file
               where v.state <> 'deleted'
               group by v.tenant_id, file ->> 'sha256'
               union all
               select a.tenant_id, a.bytes
               from (select distinct tenant_id, sha256, bytes from inquiry where sha256 is not null) a) f
         group by f.tenant_id
         on conflict do nothing",
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
