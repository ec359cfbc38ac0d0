//! Invitations to a tenant, or to run the platform: kept as a digest, good for one acceptance.

use domain::{Digest, InvitationId, TenantId, Timestamp, UserId, access::Role};

use uuid::Uuid;

use crate::{StoreError, SystemTx, Tx, principals::role};

#[derive(Debug, Clone)]
pub struct NewInvitation<'a> {
    pub id: InvitationId,
    /// None: to run the platform.
    pub tenant: Option<TenantId>,
    pub email: &'a str,
    pub role: Role,
    pub sha256: Digest,
    /// None: whoever runs the machine.
    pub invited_by: Option<UserId>,
    pub now: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub id: InvitationId,
    pub tenant: Option<TenantId>,
    pub email: String,
    pub role: Role,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

struct Row {
    id: Uuid,
    tenant_id: Option<Uuid>,
    email: String,
    role: String,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl TryFrom<Row> for Invitation {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: InvitationId::from_uuid(row.id),
            tenant: row.tenant_id.map(TenantId::from_uuid),
            email: row.email,
            role: role(&row.role)?,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }
}

pub async fn create(tx: &mut SystemTx<'_>, new: &NewInvitation<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into invitation
             (id, tenant_id, email, role, sha256, invited_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id.uuid(),
        new.tenant.map(TenantId::uuid),
        new.email,
        new.role.as_str(),
        new.sha256.as_bytes(),
        new.invited_by.map(UserId::uuid),
        new.now,
        new.expires_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Those of a tenant, or of the platform, that wait for an answer.
pub async fn list(
    tx: &mut SystemTx<'_>,
    tenant: Option<TenantId>,
    now: Timestamp,
) -> Result<Vec<Invitation>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "select id, tenant_id, email, role, created_at, expires_at
         from invitation
         where tenant_id is not distinct from $1
           and accepted_at is null and revoked_at is null and expires_at > $2
         order by id desc
         limit 1000",
        tenant.map(TenantId::uuid),
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Invitation::try_from).collect()
}

/// `false` if there is no such invitation, or it has been accepted.
pub async fn revoke(
    tx: &mut SystemTx<'_>,
    tenant: Option<TenantId>,
    id: InvitationId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let revoked = sqlx::query!(
        "update invitation set revoked_at = coalesce(revoked_at, $3)
         where id = $1 and tenant_id is not distinct from $2 and accepted_at is null",
        id.uuid(),
        tenant.map(TenantId::uuid),
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(revoked == 1)
}

/// The invitation of this token; `None` if there is none that is still open.
pub async fn find(
    tx: &mut SystemTx<'_>,
    sha256: Digest,
    now: Timestamp,
) -> Result<Option<Invitation>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "select id, tenant_id, email, role, created_at, expires_at
         from invitation
         where sha256 = $1 and accepted_at is null and revoked_at is null and expires_at > $2",
        sha256.as_bytes(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Invitation::try_from).transpose()
}

/// `false` if somebody else was faster, or it is not open any more.
pub async fn accept(
    tx: &mut SystemTx<'_>,
    id: InvitationId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let accepted = sqlx::query!(
        "update invitation set accepted_at = $2
         where id = $1 and accepted_at is null and revoked_at is null and expires_at > $2",
        id.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(accepted == 1)
}
