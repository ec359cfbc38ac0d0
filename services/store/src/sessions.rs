//! Sessions: from a sign-in until they end. Each is kept alive by a chain of refresh tokens that are good
//! for one use, so that a stolen one shows itself.

use domain::{Digest, SessionId, TenantId, Timestamp, UserId};
use sqlx::PgConnection;

use crate::{StoreError, SystemTx, Tx};

#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    pub id: SessionId,
    /// None for those who run the platform.
    pub tenant: Option<TenantId>,
    pub user: UserId,
    pub now: Timestamp,
    pub expires_at: Timestamp,
    pub address: &'a str,
    pub user_agent: &'a str,
    /// Of its first refresh token.
    pub refresh: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub tenant: Option<String>,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    pub expires_at: Timestamp,
    pub address: String,
    pub user_agent: String,
}

/// What a refresh token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// The next one counts from now on.
    Yes { session: SessionId, user: UserId },
    /// It had been used before: somebody else has it too, and the session has ended.
    Reused { session: SessionId, user: UserId, tenant: Option<TenantId> },
    /// There is no such token, or its session has ended.
    Unknown,
}

pub async fn begin(tx: &mut SystemTx<'_>, new: &NewSession<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into session
             (id, tenant_id, user_id, created_at, last_used_at, expires_at, address, user_agent)
         values ($1, $2, $3, $4, $4, $5, $6, $7)",
        new.id.uuid(),
        new.tenant.map(TenantId::uuid),
        new.user.uuid(),
        new.now,
        new.expires_at,
        new.address,
        new.user_agent,
    )
    .execute(tx.conn())
    .await?;
    issue(tx.conn(), new.id, new.refresh, new.now).await
}

async fn issue(
    conn: &mut PgConnection,
    session: SessionId,
    sha256: Digest,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into refresh_token (sha256, session_id, issued_at) values ($1, $2, $3)",
        sha256.as_bytes(),
        session.uuid(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes `old` out of use and puts `next` in its place. The session then lasts until `idle_until`, but never
/// longer than `longest_secs` after it began.
pub async fn refresh(
    tx: &mut SystemTx<'_>,
    old: Digest,
    next: Digest,
    now: Timestamp,
    (idle_until, longest_secs): (Timestamp, f64),
) -> Result<Refreshed, StoreError> {
    // two requests with one token wait for each other here, and the second one finds it used
    let found = sqlx::query!(
        r#"select r.used_at, s.id, s.user_id, s.tenant_id, (s.ended_at is null and s.expires_at > $2) as "lives!"
         from refresh_token r join session s on s.id = r.session_id
         where r.sha256 = $1
         for update"#,
        old.as_bytes(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(found) = found.filter(|found| found.lives) else { return Ok(Refreshed::Unknown) };
    let session = SessionId::from_uuid(found.id);
    if found.used_at.is_some() {
        sqlx::query!("update session set ended_at = $2 where id = $1", found.id, now)
            .execute(tx.conn())
            .await?;
        let tenant = found.tenant_id.map(TenantId::from_uuid);
        return Ok(Refreshed::Reused { session, user: UserId::from_uuid(found.user_id), tenant });
    }
    sqlx::query!("update refresh_token set used_at = $2 where sha256 = $1", old.as_bytes(), now)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "update session set last_used_at = $2,
             expires_at = least($3, created_at + make_interval(secs => $4))
         where id = $1",
        found.id,
        now,
        idle_until,
        longest_secs,
    )
    .execute(tx.conn())
    .await?;
    issue(tx.conn(), session, next, now).await?;
    Ok(Refreshed::Yes { session, user: UserId::from_uuid(found.user_id) })
}

/// Those of a person that have not ended, in every tenant.
pub async fn list(
    tx: &mut SystemTx<'_>,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<Session>, StoreError> {
    let rows = sqlx::query!(
        r#"select s.id, t.slug as "slug?", s.created_at, s.last_used_at, s.expires_at, s.address, s.user_agent
         from session s left join tenant t on t.id = s.tenant_id
         where s.user_id = $1 and s.ended_at is null and s.expires_at > $2
         order by s.id desc
         limit 1000"#,
        user.uuid(),
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Session {
            id: SessionId::from_uuid(row.id),
            tenant: row.slug,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
            address: row.address,
            user_agent: row.user_agent,
        })
        .collect())
}

/// `false` if the person has no such session. One that has ended stays so.
pub async fn end(
    tx: &mut SystemTx<'_>,
    user: UserId,
    session: SessionId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ended = sqlx::query!(
        "update session set ended_at = coalesce(ended_at, $3) where id = $1 and user_id = $2",
        session.uuid(),
        user.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(ended == 1)
}

/// All of a person's but one.
pub async fn end_others(
    tx: &mut SystemTx<'_>,
    user: UserId,
    but: Option<SessionId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update session set ended_at = $3
         where user_id = $1 and ended_at is null and id is distinct from $2",
        user.uuid(),
        but.map(SessionId::uuid),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets those that ended before then, and their tokens.
pub async fn forget_ended(tx: &mut SystemTx<'_>, before: Timestamp) -> Result<u64, StoreError> {
    let forgotten =
        sqlx::query!("delete from session where least(ended_at, expires_at) < $1", before)
            .execute(tx.conn())
            .await?
            .rows_affected();
    Ok(forgotten)
}
