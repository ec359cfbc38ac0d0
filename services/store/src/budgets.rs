//! What a tenant may spend, and has spent. Spending is counted where attempts end: in [`crate::jobs`].

use domain::{
    TenantId, Timestamp,
    spend::{Budget, Spend},
};

use crate::{
    StoreError, SystemTx, Tx, amounts,
    changes::{self, Change},
};

/// `None`: no limit, and nothing is counted.
pub async fn get(
    tx: &mut impl Tx,
    tenant: TenantId,
) -> Result<Option<(Budget, Timestamp)>, StoreError> {
    let row = sqlx::query!(
        "select since, granted_micro_credits, granted_accelerator_ms, spent_micro_credits,
                spent_accelerator_ms
         from budget where tenant_id = $1",
        tenant.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| {
        let budget = Budget {
            granted: amounts::granted(row.granted_micro_credits, row.granted_accelerator_ms),
            spent: amounts::spent(row.spent_micro_credits, row.spent_accelerator_ms),
        };
        (budget, row.since)
    }))
}

/// What its live attempts may still cost.
pub async fn reserved(tx: &mut impl Tx, tenant: TenantId) -> Result<Spend, StoreError> {
    let row = sqlx::query!(
        r#"select least(coalesce(sum(ceil(rate_micro_credits::numeric * max_runtime / 3600)), 0),
                        9223372036854775807)::bigint as "micro_credits!",
                  least(coalesce(sum(rate_accelerator_milli::numeric * max_runtime), 0),
                        9223372036854775807)::bigint as "accelerator_ms!"
           from job
           where tenant_id = $1 and finished_at is null and worker_id is not null"#,
        tenant.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(amounts::spent(row.micro_credits, row.accelerator_ms))
}

/// What it has spent stays counted.
pub async fn grant(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    granted: &Spend,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into budget (tenant_id, granted_micro_credits, granted_accelerator_ms)
         values ($1, $2, $3)
         on conflict (tenant_id) do update set
             granted_micro_credits = excluded.granted_micro_credits,
             granted_accelerator_ms = excluded.granted_accelerator_ms",
        tenant.uuid(),
        amounts::limit(granted.micro_credits),
        amounts::limit(granted.accelerator_ms),
    )
    .execute(tx.conn())
    .await?;
    changes::note(tx.conn(), &[Change::Tenant(tenant)]).await
}

/// No limit any more. False if there was none.
pub async fn remove(tx: &mut SystemTx<'_>, tenant: TenantId) -> Result<bool, StoreError> {
    let removed = sqlx::query!("delete from budget where tenant_id = $1", tenant.uuid())
        .execute(tx.conn())
        .await?;
    changes::note(tx.conn(), &[Change::Tenant(tenant)]).await?;
    Ok(removed.rows_affected() > 0)
}
