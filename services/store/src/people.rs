//! People: users, known by their e-mail address, and their membership of tenants.

use domain::{TenantId, Timestamp, UserId, access::Role};

use crate::{StoreError, SystemTx, TenantTx, Tx};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub since: Timestamp,
}

/// The user with this address, made if there is none. An existing one keeps its name.
pub async fn ensure_user(
    tx: &mut SystemTx<'_>,
    id: UserId,
    email: &str,
    name: &str,
) -> Result<UserId, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into app_user (id, email, name) values ($1, $2, $3)
         on conflict (email) do update set email = excluded.email
         returning id",
        id.uuid(),
        email,
        name,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(UserId::from_uuid(id))
}

/// `false` if the user is a member already.
pub async fn add_member(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    user: UserId,
    role: Role,
) -> Result<bool, StoreError> {
    let added = sqlx::query!(
        "insert into membership (tenant_id, user_id, role) values ($1, $2, $3)
         on conflict do nothing",
        tenant.uuid(),
        user.uuid(),
        role.as_str(),
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(added == 1)
}

/// The platform's operator; there is one from the first start on.
pub async fn ensure_operator(
    tx: &mut SystemTx<'_>,
    id: UserId,
    email: &str,
) -> Result<UserId, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into app_user (id, email, name, is_operator) values ($1, $2, 'operator', true)
         on conflict (email) do update set is_operator = true
         returning id",
        id.uuid(),
        email,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(UserId::from_uuid(id))
}

pub async fn list(tx: &mut TenantTx<'_>) -> Result<Vec<Member>, StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "select u.id, u.email, u.name, m.role, m.created_at
         from membership m join app_user u on u.id = m.user_id
         where m.tenant_id = $1
         order by u.email
         limit 1000",
        tenant,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        Ok(Member {
            id: UserId::from_uuid(row.id),
            email: row.email,
            name: row.name,
            role: row.role.parse().map_err(|why| StoreError::corrupt("membership", "role", why))?,
            since: row.created_at,
        })
    })
    .collect()
}

/// Takes a person out of the tenant and revokes their keys in it. `false` if there is no such member.
pub async fn remove_member(tx: &mut TenantTx<'_>, user: UserId) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    // one removal at a time: two owners removing each other must not both find the other still there
    sqlx::query!(
        "select user_id from membership where tenant_id = $1 order by user_id for update",
        tenant
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!(
        "update api_key set revoked_at = now()
         where tenant_id = $1 and user_id = $2 and revoked_at is null",
        tenant,
        user.uuid(),
    )
    .execute(tx.conn())
    .await?;
    let removed = sqlx::query!(
        "delete from membership where tenant_id = $1 and user_id = $2",
        tenant,
        user.uuid(),
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(removed == 1)
}
