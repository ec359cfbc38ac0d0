//! `Idempotency-Key`: the key lands in the same transaction as what the request made, so either both
//! exist or neither. A second request with the key waits for the first one's transaction.

use domain::Digest;
use uuid::Uuid;

use crate::{StoreError, TenantTx, Tx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The first use: go on and make the resource.
    Fresh,
    /// The same request made this resource earlier.
    Replay(Uuid),
    /// The key was used for another request.
    Mismatch,
}

pub async fn claim(
    tx: &mut TenantTx<'_>,
    key: &str,
    fingerprint: Digest,
    resource: Uuid,
) -> Result<Claim, StoreError> {
    let tenant = tx.tenant().uuid();
    let inserted = sqlx::query!(
        "insert into idempotency_key (tenant_id, key, fingerprint, resource_id)
         values ($1, $2, $3, $4)
         on conflict (tenant_id, key) do nothing",
        tenant,
        key,
        fingerprint.as_bytes(),
        resource,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if inserted == 1 {
        return Ok(Claim::Fresh);
    }
    let earlier = sqlx::query!(
        "select fingerprint, resource_id from idempotency_key where tenant_id = $1 and key = $2",
        tenant,
        key,
    )
    .fetch_one(tx.conn())
    .await?;
    let same = earlier.fingerprint == fingerprint.as_bytes();
    Ok(if same { Claim::Replay(earlier.resource_id) } else { Claim::Mismatch })
}
