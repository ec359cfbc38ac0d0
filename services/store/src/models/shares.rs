//! Whom a model is shared with.

use domain::{ModelId, TenantId, name::Name};

use crate::{StoreError, SystemTx, TenantTx, Tx};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shared {
    With(Vec<TenantId>),
    /// There is no such tenant, or it is closed.
    Unknown(String),
}

/// The tenants of these names. A tenant knows no others: this is asked by the system.
pub async fn tenants_named(tx: &mut SystemTx<'_>, names: &[Name]) -> Result<Shared, StoreError> {
    let slugs: Vec<String> = names.iter().map(Name::to_string).collect();
    let rows = sqlx::query!(
        "select id, slug from tenant where slug = any($1) and closed_at is null",
        slugs.as_slice(),
    )
    .fetch_all(tx.conn())
    .await?;
    let unknown = slugs.into_iter().find(|slug| rows.iter().all(|row| row.slug != *slug));
    Ok(match unknown {
        Some(slug) => Shared::Unknown(slug),
        None => Shared::With(rows.into_iter().map(|row| TenantId::from_uuid(row.id)).collect()),
    })
}

/// Shares the tenant's own model with these, and with nobody else any more.
pub async fn share_with(
    tx: &mut TenantTx<'_>,
    model: ModelId,
    with: &[TenantId],
) -> Result<(), StoreError> {
    let tenant = tx.tenant().uuid();
    let with: Vec<_> = with.iter().map(|tenant| tenant.uuid()).collect();
    sqlx::query!(
        "delete from model_share
         where model_id = $1 and tenant_id = $2 and with_tenant_id <> all($3)",
        model.uuid(),
        tenant,
        with.as_slice(),
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "insert into model_share (model_id, tenant_id, with_tenant_id)
         select $1, $2, unnest($3::uuid[])
         on conflict do nothing",
        model.uuid(),
        tenant,
        with.as_slice(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whom a model is shared with, by name.
pub async fn shared_with(tx: &mut SystemTx<'_>, model: ModelId) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query_scalar!(
        "select t.slug from model_share s join tenant t on t.id = s.with_tenant_id
         where s.model_id = $1 order by t.slug",
        model.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}
