//! What a credential stands for at this moment: whose it is, in which tenant, with which role and scopes.

use domain::{
    ApiKeyId, Digest, SessionId, TenantId, Timestamp, UserId,
    access::{Credential, Role, Scopes},
};

use uuid::Uuid;

use crate::{StoreError, SystemTx, Tx, keys};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub credential: Credential,
    pub user: UserId,
    pub email: String,
    /// None for those who run the platform.
    pub tenant: Option<(TenantId, String)>,
    pub role: Role,
    pub scopes: Scopes,
    /// Networks that it may be used from; empty: all.
    pub addresses: Vec<String>,
    pub expires_at: Option<Timestamp>,
}

impl Principal {
    /// Whether the credential may do less than whose it is.
    pub fn is_restricted(&self) -> bool {
        self.scopes != Scopes::All || !self.addresses.is_empty() || self.expires_at.is_some()
    }
}

/// By a key, or its secret's digest.
pub(crate) const OF_KEY: &str =
    "select k.id, true as is_key, k.user_id, u.email, t.id as tenant_id, t.slug,
            coalesce(m.role, u.platform_role) as role, k.scopes, k.allowed_addresses, k.expires_at,
            -- a hot key must not become a hot row
            (k.last_used_at is null or k.last_used_at < now() - interval '1 minute') as is_due
     from api_key k
     join app_user u on u.id = k.user_id
     left join tenant t on t.id = k.tenant_id
     left join membership m on m.tenant_id = k.tenant_id and m.user_id = k.user_id
     where (k.id = $1 or k.sha256 = $2)
       and k.revoked_at is null
       and (k.expires_at is null or k.expires_at > now())
       -- a key of a tenant needs a membership, one without a tenant a role in the platform
       and case when k.tenant_id is null then u.platform_role is not null
                else m.role is not null end";

/// By a session, at this moment.
pub(crate) const OF_SESSION: &str =
    "select s.id, false as is_key, s.user_id, u.email, t.id as tenant_id, t.slug,
            coalesce(m.role, u.platform_role) as role, null::text[] as scopes,
            null::text[] as allowed_addresses,
            -- a session makes itself last
            null::timestamptz as expires_at, false as is_due
     from session s
     join app_user u on u.id = s.user_id
     left join tenant t on t.id = s.tenant_id
     left join membership m on m.tenant_id = s.tenant_id and m.user_id = s.user_id
     where s.id = $1 and s.ended_at is null and s.expires_at > $2
       and case when s.tenant_id is null then u.platform_role is not null
                else m.role is not null and t.closed_at is null end";

/// What a key of a tenant may do, if it is still good: what [`OF_KEY`] says of that, for the tenant itself. `$3` is
/// the key, and `whose` tenant is there already.
pub(crate) const RIGHTS_OF_KEY: &str = "select m.role, k.scopes, k.allowed_addresses, k.expires_at,
            (k.last_used_at is null or k.last_used_at < now() - interval '1 minute') as is_due
     from api_key k
     join membership m on m.tenant_id = k.tenant_id and m.user_id = k.user_id
     where k.id = $3 and k.tenant_id = whose.tenant_id
       and k.revoked_at is null
       and (k.expires_at is null or k.expires_at > now())";

/// The same of [`OF_SESSION`]. `$3` is the session and `$4` the moment.
pub(crate) const RIGHTS_OF_SESSION: &str =
    "select m.role, null::text[] as scopes, null::text[] as allowed_addresses,
            null::timestamptz as expires_at, false as is_due
     from session s
     join tenant t on t.id = s.tenant_id
     join membership m on m.tenant_id = s.tenant_id and m.user_id = s.user_id
     where s.id = $3 and s.tenant_id = whose.tenant_id
       and s.ended_at is null and s.expires_at > $4 and t.closed_at is null";

/// Whose it is.
#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    id: Uuid,
    is_key: bool,
    user_id: Uuid,
    email: String,
    tenant_id: Option<Uuid>,
    slug: Option<String>,
    #[sqlx(flatten)]
    pub rights: Rights,
}

/// What it may do.
#[derive(sqlx::FromRow)]
pub(crate) struct Rights {
    role: String,
    scopes: Option<Vec<String>>,
    allowed_addresses: Option<Vec<String>>,
    expires_at: Option<Timestamp>,
    /// Its use is to be remembered.
    pub is_due: bool,
}

impl Principal {
    /// The same one, as it stands now.
    pub(crate) fn with(self, rights: Rights) -> Result<Self, StoreError> {
        Ok(Self {
            role: role(&rights.role)?,
            scopes: keys::scopes(rights.scopes)?,
            addresses: rights.allowed_addresses.unwrap_or_default(),
            expires_at: rights.expires_at,
            ..self
        })
    }
}

impl TryFrom<Row> for Principal {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let credential = match row.is_key {
            true => Credential::Key(ApiKeyId::from_uuid(row.id)),
            false => Credential::Session(SessionId::from_uuid(row.id)),
        };
        let Rights { role: name, scopes, allowed_addresses, expires_at, .. } = row.rights;
        Ok(Self {
            credential,
            user: UserId::from_uuid(row.user_id),
            email: row.email,
            tenant: row.tenant_id.map(TenantId::from_uuid).zip(row.slug),
            role: role(&name)?,
            scopes: keys::scopes(scopes)?,
            addresses: allowed_addresses.unwrap_or_default(),
            expires_at,
        })
    }
}

/// In a transaction that has more to do; by itself it is [`crate::Store::principal`]'s.
pub async fn by_session(
    tx: &mut SystemTx<'_>,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<Principal>, StoreError> {
    let row: Option<Row> =
        sqlx::query_as(OF_SESSION).bind(id.uuid()).bind(now).fetch_optional(tx.conn()).await?;
    row.map(Principal::try_from).transpose()
}

/// Whose a credential is or was: of one that is good for nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub credential: Credential,
    pub user: UserId,
    pub tenant: Option<TenantId>,
}

/// By the secret, or by the key that an access token was made from.
pub async fn of_old_key(
    tx: &mut SystemTx<'_>,
    id: Option<ApiKeyId>,
    sha256: Option<Digest>,
) -> Result<Option<Known>, StoreError> {
    let row = sqlx::query!(
        "select id, user_id, tenant_id from api_key where id = $1 or sha256 = $2",
        id.map(ApiKeyId::uuid),
        sha256.as_ref().map(Digest::as_bytes) as Option<&[u8; 32]>,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Known {
        credential: Credential::Key(ApiKeyId::from_uuid(row.id)),
        user: UserId::from_uuid(row.user_id),
        tenant: row.tenant_id.map(TenantId::from_uuid),
    }))
}

/// By the session that an access token was made in.
pub async fn of_old_session(
    tx: &mut SystemTx<'_>,
    id: SessionId,
) -> Result<Option<Known>, StoreError> {
    let row = sqlx::query!("select user_id, tenant_id from session where id = $1", id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|row| Known {
        credential: Credential::Session(id),
        user: UserId::from_uuid(row.user_id),
        tenant: row.tenant_id.map(TenantId::from_uuid),
    }))
}

pub(crate) fn role(text: &str) -> Result<Role, StoreError> {
    text.parse().map_err(|why| StoreError::corrupt("membership", "role", why))
}
