//! Tenants' data keys, as a master key has wrapped them. A destroyed one leaves its row, so that no other
//! takes its place.

use domain::TenantId;

use crate::{StoreError, SystemTx, Tx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The master key that has wrapped it.
    pub master: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    Key(WrappedKey),
    Destroyed,
    /// There was never one.
    None,
}

pub async fn get(tx: &mut SystemTx<'_>, tenant: TenantId) -> Result<Kept, StoreError> {
    let row =
        sqlx::query!("select master, wrapped from tenant_key where tenant_id = $1", tenant.uuid())
            .fetch_optional(tx.conn())
            .await?;
    Ok(match row {
        None => Kept::None,
        Some(row) => match row.wrapped {
            Some(bytes) => Kept::Key(WrappedKey { master: row.master, bytes }),
            None => Kept::Destroyed,
        },
    })
}

/// What is kept then: this one, unless there was one before.
pub async fn add(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    key: &WrappedKey,
) -> Result<Kept, StoreError> {
    sqlx::query!(
        "insert into tenant_key (tenant_id, master, wrapped) values ($1, $2, $3)
         on conflict do nothing",
        tenant.uuid(),
        key.master,
        key.bytes,
    )
    .execute(tx.conn())
    .await?;
    get(tx, tenant).await
}

/// One that another master key has wrapped; it stays as it is until the transaction ends.
pub async fn not_wrapped_by(
    tx: &mut SystemTx<'_>,
    master: &str,
) -> Result<Option<(TenantId, WrappedKey)>, StoreError> {
    let row = sqlx::query!(
        r#"select tenant_id, master, wrapped as "wrapped!" from tenant_key
           where master <> $1 and wrapped is not null
           order by tenant_id limit 1 for update"#,
        master,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| {
        let key = WrappedKey { master: row.master, bytes: row.wrapped };
        (TenantId::from_uuid(row.tenant_id), key)
    }))
}

pub async fn replace(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    key: &WrappedKey,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update tenant_key set master = $2, wrapped = $3 where tenant_id = $1 and wrapped is not null",
        tenant.uuid(),
        key.master,
        key.bytes,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// For good: what the tenant has stored can be read by nobody any more, backups of the store included.
pub async fn destroy(tx: &mut SystemTx<'_>, tenant: TenantId) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into tenant_key (tenant_id, master, wrapped, destroyed_at) values ($1, '', null, now())
         on conflict (tenant_id) do update
             set wrapped = null, destroyed_at = coalesce(tenant_key.destroyed_at, now())",
        tenant.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
