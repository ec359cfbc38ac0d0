//! API keys: kept as a digest, and what a valid one stands for.

use domain::{ApiKeyId, Digest, TenantId, Timestamp, UserId, access::Role};
use uuid::Uuid;

use crate::{StoreError, SystemTx, TenantTx, Tx};

#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    pub id: ApiKeyId,
    pub tenant: Option<TenantId>,
    pub user: UserId,
    pub name: &'a str,
    pub prefix: &'a str,
    pub sha256: Digest,
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub user: UserId,
    pub name: String,
    pub prefix: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

/// Who speaks: what a credential stands for at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub key: ApiKeyId,
    pub user: UserId,
    pub email: String,
    /// None for operators.
    pub tenant: Option<(TenantId, String)>,
    pub role: Role,
}

pub async fn create(tx: &mut SystemTx<'_>, key: &NewKey<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into api_key (id, tenant_id, user_id, name, prefix, sha256, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        key.id.uuid(),
        key.tenant.map(TenantId::uuid),
        key.user.uuid(),
        key.name,
        key.prefix,
        key.sha256.as_bytes(),
        key.expires_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Members see their own keys; owners (`of` is `None`) see those of the whole tenant.
pub async fn list(tx: &mut TenantTx<'_>, of: Option<UserId>) -> Result<Vec<ApiKey>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query!(
        "select id, user_id, name, prefix, created_at, expires_at, revoked_at, last_used_at
         from api_key
         where tenant_id = $1 and ($2::uuid is null or user_id = $2)
         order by id desc
         limit 1000",
        tenant,
        of.map(UserId::uuid),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ApiKey {
            id: ApiKeyId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            name: row.name,
            prefix: row.prefix,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        })
        .collect())
}

/// `false` if there is no such key (of that user, where one is given).
pub async fn revoke(
    tx: &mut TenantTx<'_>,
    id: ApiKeyId,
    of: Option<UserId>,
) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let revoked = sqlx::query!(
        "update api_key set revoked_at = coalesce(revoked_at, now())
         where tenant_id = $1 and id = $2 and ($3::uuid is null or user_id = $3)",
        tenant,
        id.uuid(),
        of.map(UserId::uuid),
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(revoked == 1)
}

/// By the secret itself.
pub async fn authenticate(
    tx: &mut SystemTx<'_>,
    sha256: Digest,
) -> Result<Option<Principal>, StoreError> {
    principal(tx, None, Some(sha256)).await
}

/// By the key that an access token was made from: revoking the key ends its tokens too.
pub async fn authenticate_by_id(
    tx: &mut SystemTx<'_>,
    id: ApiKeyId,
) -> Result<Option<Principal>, StoreError> {
    principal(tx, Some(id), None).await
}

async fn principal(
    tx: &mut SystemTx<'_>,
    id: Option<ApiKeyId>,
    sha256: Option<Digest>,
) -> Result<Option<Principal>, StoreError> {
    let row = sqlx::query!(
        r#"select k.id, k.user_id, u.email, t.id as "tenant_id?", t.slug as "slug?",
                  coalesce(m.role, 'operator') as "role!"
         from api_key k
         join app_user u on u.id = k.user_id
         left join tenant t on t.id = k.tenant_id
         left join membership m on m.tenant_id = k.tenant_id and m.user_id = k.user_id
         where (k.id = $1 or k.sha256 = $2)
           and k.revoked_at is null
           and (k.expires_at is null or k.expires_at > now())
           -- a key of a tenant needs a membership, one without a tenant an operator
           and ((k.tenant_id is not null and m.role is not null)
                or (k.tenant_id is null and u.is_operator))"#,
        id.map(ApiKeyId::uuid),
        sha256.as_ref().map(Digest::as_bytes) as Option<&[u8; 32]>,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let role =
            row.role.parse().map_err(|why| StoreError::corrupt("membership", "role", why))?;
        Ok(Principal {
            key: ApiKeyId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            email: row.email,
            tenant: row.tenant_id.map(TenantId::from_uuid).zip(row.slug),
            role,
        })
    })
    .transpose()
}

/// Remembers the use, at most once a minute: a hot key must not become a hot row.
pub async fn touch(tx: &mut SystemTx<'_>, id: ApiKeyId) -> Result<(), StoreError> {
    let id: Uuid = id.uuid();
    sqlx::query!(
        "update api_key set last_used_at = now()
         where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')",
        id,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
