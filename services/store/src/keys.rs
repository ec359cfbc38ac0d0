//! API keys: kept as a digest.

use domain::{
    ApiKeyId, Digest, TenantId, Timestamp, UserId,
    access::{Permission, Scopes},
};
use uuid::Uuid;

use crate::{StoreError, SystemTx, TenantTx, Tx};

#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    pub id: ApiKeyId,
    pub tenant: Option<TenantId>,
    pub user: UserId,
    pub prefix: &'a str,
    pub sha256: Digest,
    pub draft: KeyDraft,
}

/// What whoever makes a key says of it.
#[derive(Debug, Clone)]
pub struct KeyDraft {
    pub name: String,
    pub expires_at: Option<Timestamp>,
    pub scopes: Scopes,
    /// Networks that it may be used from; empty: all.
    pub addresses: Vec<String>,
}

impl KeyDraft {
    /// For everything, from everywhere, for good.
    pub fn named(name: &str) -> Self {
        let (name, addresses) = (name.to_owned(), Vec::new());
        Self { name, expires_at: None, scopes: Scopes::All, addresses }
    }
}

#[derive(Debug, Clone)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub user: UserId,
    pub prefix: String,
    pub draft: KeyDraft,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

pub async fn create(tx: &mut SystemTx<'_>, key: &NewKey<'_>) -> Result<(), StoreError> {
    let KeyDraft { name, expires_at, scopes, addresses } = &key.draft;
    let scopes = match scopes {
        Scopes::All => None,
        Scopes::Only(some) => Some(some.iter().map(|one| one.as_str().to_owned()).collect()),
    };
    sqlx::query!(
        "insert into api_key
             (id, tenant_id, user_id, name, prefix, sha256, expires_at, scopes, allowed_addresses)
         values ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9::text[], '{}'))",
        key.id.uuid(),
        key.tenant.map(TenantId::uuid),
        key.user.uuid(),
        name,
        key.prefix,
        key.sha256.as_bytes(),
        *expires_at,
        scopes as Option<Vec<String>>,
        addresses,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    id: Uuid,
    user_id: Uuid,
    name: String,
    prefix: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    scopes: Option<Vec<String>>,
    allowed_addresses: Option<Vec<String>>,
}

impl TryFrom<Row> for ApiKey {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: ApiKeyId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            prefix: row.prefix,
            draft: KeyDraft {
                name: row.name,
                expires_at: row.expires_at,
                scopes: scopes(row.scopes)?,
                addresses: row.allowed_addresses.unwrap_or_default(),
            },
            created_at: row.created_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        })
    }
}

pub(crate) fn scopes(names: Option<Vec<String>>) -> Result<Scopes, StoreError> {
    let Some(names) = names else { return Ok(Scopes::All) };
    let some = names.iter().map(|name| name.parse::<Permission>());
    some.collect::<Result<_, _>>()
        .map(Scopes::Only)
        .map_err(|why| StoreError::corrupt("api_key", "scopes", why))
}

/// People see their own keys; those who run the tenant (`of` is `None`) all of it.
pub async fn list(tx: &mut TenantTx<'_>, of: Option<UserId>) -> Result<Vec<ApiKey>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query_as!(
        Row,
        "select id, user_id, name, prefix, created_at, expires_at, revoked_at, last_used_at,
                scopes, allowed_addresses
         from api_key
         where tenant_id = $1 and ($2::uuid is null or user_id = $2)
         order by id desc
         limit 1000",
        tenant,
        of.map(UserId::uuid),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// One that still works, if it is there (and that user's, where one is given); nobody else changes it until
/// the transaction ends.
pub async fn lock(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    id: ApiKeyId,
    of: Option<UserId>,
) -> Result<Option<ApiKey>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "select id, user_id, name, prefix, created_at, expires_at, revoked_at, last_used_at,
                scopes, allowed_addresses
         from api_key
         where tenant_id = $1 and id = $2 and ($3::uuid is null or user_id = $3)
           and revoked_at is null
         for update",
        tenant.uuid(),
        id.uuid(),
        of.map(UserId::uuid),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(ApiKey::try_from).transpose()
}

/// It ends then, unless it does so earlier.
pub async fn expire(tx: &mut SystemTx<'_>, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "update api_key set expires_at = least(expires_at, $2) where id = $1",
        id.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
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

/// Remembers the use, if a minute has passed since the last one.
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
