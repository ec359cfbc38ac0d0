//! What a credential stands for at this moment: whose it is, in which tenant, with which role and scopes.

use domain::{
    ApiKeyId, Digest, SessionId, TenantId, Timestamp, UserId,
    access::{Credential, Role, Scopes},
};

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

/// By a key's secret.
pub async fn by_secret(
    tx: &mut SystemTx<'_>,
    sha256: Digest,
) -> Result<Option<Principal>, StoreError> {
    of_key(tx, None, Some(sha256)).await
}

/// By the key that an access token was made from: revoking the key ends its tokens too.
pub async fn by_key(tx: &mut SystemTx<'_>, id: ApiKeyId) -> Result<Option<Principal>, StoreError> {
    of_key(tx, Some(id), None).await
}

async fn of_key(
    tx: &mut SystemTx<'_>,
    id: Option<ApiKeyId>,
    sha256: Option<Digest>,
) -> Result<Option<Principal>, StoreError> {
    let row = sqlx::query!(
        r#"select k.id, k.user_id, u.email, t.id as "tenant_id?", t.slug as "slug?",
                  coalesce(m.role, u.platform_role) as "role!", k.scopes, k.allowed_addresses, k.expires_at
         from api_key k
         join app_user u on u.id = k.user_id
         left join tenant t on t.id = k.tenant_id
         left join membership m on m.tenant_id = k.tenant_id and m.user_id = k.user_id
         where (k.id = $1 or k.sha256 = $2)
           and k.revoked_at is null
           and (k.expires_at is null or k.expires_at > now())
           -- a key of a tenant needs a membership, one without a tenant a role in the platform
           and case when k.tenant_id is null then u.platform_role is not null
                    else m.role is not null end"#,
        id.map(ApiKeyId::uuid),
        sha256.as_ref().map(Digest::as_bytes) as Option<&[u8; 32]>,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(Principal {
            credential: Credential::Key(ApiKeyId::from_uuid(row.id)),
            user: UserId::from_uuid(row.user_id),
            email: row.email,
            tenant: row.tenant_id.map(TenantId::from_uuid).zip(row.slug),
            role: role(&row.role)?,
            scopes: keys::scopes(row.scopes)?,
            addresses: row.allowed_addresses.unwrap_or_default(),
            expires_at: row.expires_at,
        })
    })
    .transpose()
}

/// By the session that an access token was made in: ending the session ends its tokens too.
pub async fn by_session(
    tx: &mut SystemTx<'_>,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<Principal>, StoreError> {
    let row = sqlx::query!(
        r#"select s.user_id, u.email, t.id as "tenant_id?", t.slug as "slug?",
                  coalesce(m.role, u.platform_role) as "role!"
         from session s
         join app_user u on u.id = s.user_id
         left join tenant t on t.id = s.tenant_id
         left join membership m on m.tenant_id = s.tenant_id and m.user_id = s.user_id
         where s.id = $1 and s.ended_at is null and s.expires_at > $2
           and case when s.tenant_id is null then u.platform_role is not null
                    else m.role is not null and t.closed_at is null end"#,
        id.uuid(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(Principal {
            credential: Credential::Session(id),
            user: UserId::from_uuid(row.user_id),
            email: row.email,
            tenant: row.tenant_id.map(TenantId::from_uuid).zip(row.slug),
            role: role(&row.role)?,
            scopes: Scopes::All,
            addresses: Vec::new(),
            // a session makes itself last
            expires_at: None,
        })
    })
    .transpose()
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
