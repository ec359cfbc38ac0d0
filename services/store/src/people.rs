//! People: users, known by their e-mail address, their passwords, and their membership of tenants. Service
//! accounts are users too, of one tenant, who have keys and no password.

use domain::{Digest, TenantId, Timestamp, UserId, access::Role};

use uuid::Uuid;

use crate::{StoreError, SystemTx, TenantTx, Tx, principals::role};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub is_service: bool,
    pub since: Timestamp,
}

/// Whom an address names, for a sign-in.
#[derive(Clone)]
pub struct Known {
    pub user: UserId,
    /// As a PHC string; of somebody who has never chosen one there is none.
    pub password_hash: Option<String>,
    /// Where they may work, but for tenants that are closed.
    pub tenants: Vec<(TenantId, String)>,
    /// In the platform.
    pub platform_role: Option<Role>,
}

impl Known {
    /// Whether there is anything to come by with this account.
    pub fn is_somebody(&self) -> bool {
        self.password_hash.is_some() || !self.tenants.is_empty() || self.platform_role.is_some()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformUser {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
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

/// One who runs the platform, or looks at how it is run.
pub async fn ensure_platform(
    tx: &mut SystemTx<'_>,
    id: UserId,
    (email, name): (&str, &str),
    role: Role,
) -> Result<UserId, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into app_user (id, email, name, platform_role) values ($1, $2, $3, $4)
         on conflict (email) do update set platform_role = excluded.platform_role
         returning id",
        id.uuid(),
        email,
        name,
        role.as_str(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(UserId::from_uuid(id))
}

/// `false` if there was none to take, or there is no such user. Without the role their keys and sessions in
/// the platform are good for nothing.
pub async fn set_platform_role(
    tx: &mut SystemTx<'_>,
    user: UserId,
    role: Option<Role>,
) -> Result<bool, StoreError> {
    let set = sqlx::query!(
        "update app_user set platform_role = $2
         where id = $1 and ($2::text is not null or platform_role is not null)",
        user.uuid(),
        role.map(Role::as_str),
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    if role.is_none() {
        sqlx::query!(
            "update api_key set revoked_at = now()
             where tenant_id is null and user_id = $1 and revoked_at is null",
            user.uuid(),
        )
        .execute(tx.conn())
        .await?;
        sqlx::query!(
            "update session set ended_at = now()
             where tenant_id is null and user_id = $1 and ended_at is null",
            user.uuid(),
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(set == 1)
}

/// Operators and auditors.
pub async fn of_platform(tx: &mut SystemTx<'_>) -> Result<Vec<PlatformUser>, StoreError> {
    let rows = sqlx::query!(
        r#"select id, email, name, platform_role as "role!" from app_user
         where platform_role is not null order by email limit 1000"#,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let (id, role) = (UserId::from_uuid(row.id), role(&row.role)?);
            Ok(PlatformUser { id, email: row.email, name: row.name, role })
        })
        .collect()
}

/// `None` if the tenant has an account of this address already.
pub async fn add_service_account(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    (email, name): (&str, &str),
    role: Role,
) -> Result<Option<UserId>, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into app_user (id, email, name, service_of) values ($1, $2, $3, $4)
         on conflict (email) do nothing
         returning id",
        UserId::generate().uuid(),
        email,
        name,
        tenant.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(id) = id.map(UserId::from_uuid) else { return Ok(None) };
    add_member(tx, tenant, id, role).await?;
    Ok(Some(id))
}

pub async fn known(tx: &mut SystemTx<'_>, email: &str) -> Result<Option<Known>, StoreError> {
    let user = sqlx::query!(
        "select id, password_hash, platform_role from app_user
         where email = $1 and service_of is null",
        email,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(user) = user else { return Ok(None) };
    let tenants = sqlx::query!(
        "select t.id, t.slug from membership m join tenant t on t.id = m.tenant_id
         where m.user_id = $1 and t.closed_at is null
         order by t.slug",
        user.id,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Some(Known {
        user: UserId::from_uuid(user.id),
        password_hash: user.password_hash,
        tenants: tenants.into_iter().map(|row| (TenantId::from_uuid(row.id), row.slug)).collect(),
        platform_role: user.platform_role.as_deref().map(role).transpose()?,
    }))
}

pub async fn set_password(
    tx: &mut SystemTx<'_>,
    user: UserId,
    hash: &str,
) -> Result<(), StoreError> {
    sqlx::query!("update app_user set password_hash = $2 where id = $1", user.uuid(), hash)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Lets whoever has the token choose this person's password, once. `false` if nobody has this address.
pub async fn allow_reset(
    tx: &mut SystemTx<'_>,
    email: &str,
    sha256: Digest,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let allowed = sqlx::query!(
        "insert into password_reset (sha256, user_id, expires_at)
         select $2, id, $3 from app_user where email = $1 and service_of is null",
        email,
        sha256.as_bytes(),
        until,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(allowed == 1)
}

/// Whose password it is about; `None` if the token is not good, or not any more.
pub async fn take_reset(
    tx: &mut SystemTx<'_>,
    sha256: Digest,
    now: Timestamp,
) -> Result<Option<UserId>, StoreError> {
    let user = sqlx::query_scalar!(
        "update password_reset set used_at = $2
         where sha256 = $1 and used_at is null and expires_at > $2
         returning user_id",
        sha256.as_bytes(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(user.map(UserId::from_uuid))
}

struct Row {
    id: Uuid,
    email: String,
    name: String,
    role: String,
    is_service: bool,
    created_at: Timestamp,
}

impl TryFrom<Row> for Member {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId::from_uuid(row.id),
            email: row.email,
            name: row.name,
            role: role(&row.role)?,
            is_service: row.is_service,
            since: row.created_at,
        })
    }
}

pub async fn list(tx: &mut TenantTx<'_>) -> Result<Vec<Member>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query_as!(
        Row,
        r#"select u.id, u.email, u.name, m.role, u.service_of is not null as "is_service!", m.created_at
         from membership m join app_user u on u.id = m.user_id
         where m.tenant_id = $1
         order by u.email
         limit 1000"#,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Member::try_from).collect()
}

pub async fn member(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<Member>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"select u.id, u.email, u.name, m.role, u.service_of is not null as "is_service!", m.created_at
         from membership m join app_user u on u.id = m.user_id
         where m.tenant_id = $1 and m.user_id = $2"#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Member::try_from).transpose()
}

/// The roles of everybody in the tenant, for whoever is about to change them: one at a time, since two
/// owners who remove each other must not both find the other still there.
pub async fn lock_roles(tx: &mut TenantTx<'_>) -> Result<Vec<(UserId, Role)>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query!(
        "select user_id, role from membership where tenant_id = $1 order by user_id for update",
        tenant
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|row| Ok((UserId::from_uuid(row.user_id), role(&row.role)?))).collect()
}

pub async fn set_role(tx: &mut TenantTx<'_>, user: UserId, role: Role) -> Result<(), StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "update membership set role = $3 where tenant_id = $1 and user_id = $2",
        tenant,
        user.uuid(),
        role.as_str(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a person out of the tenant and revokes their keys in it; their sessions there are good for nothing
/// without a membership.
pub async fn remove_member(tx: &mut TenantTx<'_>, user: UserId) -> Result<(), StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "update api_key set revoked_at = now()
         where tenant_id = $1 and user_id = $2 and revoked_at is null",
        tenant,
        user.uuid(),
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "delete from membership where tenant_id = $1 and user_id = $2",
        tenant,
        user.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
