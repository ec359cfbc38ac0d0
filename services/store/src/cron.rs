//! Schedules: trainings that are submitted by the clock.

use domain::{JobId, ScheduleId, TenantId, Timestamp, UserId};
use serde_json::Value;
use uuid::Uuid;

use crate::{StoreError, SystemTx, TenantTx, Tx};

#[derive(Debug, Clone)]
pub struct Schedule {
    pub id: ScheduleId,
    pub name: String,
    pub created_by: UserId,
    pub cron: String,
    /// What is submitted, as it was written.
    pub draft: Value,
    /// A run is left out while the one before has not ended.
    pub skip_overlap: bool,
    pub paused: bool,
    pub next_at: Timestamp,
    pub last_at: Option<Timestamp>,
    pub last_job: Option<JobId>,
    /// Why the last run was not submitted.
    pub problem: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct NewSchedule {
    pub id: ScheduleId,
    pub name: String,
    pub created_by: UserId,
    pub cron: String,
    pub draft: Value,
    pub skip_overlap: bool,
    pub next_at: Timestamp,
}

struct Row {
    id: Uuid,
    name: String,
    created_by: Uuid,
    cron: String,
    draft: Value,
    skip_overlap: bool,
    paused: bool,
    next_at: Timestamp,
    last_at: Option<Timestamp>,
    last_job: Option<Uuid>,
    problem: Option<String>,
    created_at: Timestamp,
}

impl From<Row> for Schedule {
    fn from(row: Row) -> Self {
        Self {
            id: ScheduleId::from_uuid(row.id),
            name: row.name,
            created_by: UserId::from_uuid(row.created_by),
            cron: row.cron,
            draft: row.draft,
            skip_overlap: row.skip_overlap,
            paused: row.paused,
            next_at: row.next_at,
            last_at: row.last_at,
            last_job: row.last_job.map(JobId::from_uuid),
            problem: row.problem,
            created_at: row.created_at,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    Inserted,
    NameTaken,
    /// The tenant has as many as it may.
    TooMany,
}

pub async fn insert(
    tx: &mut TenantTx<'_>,
    new: &NewSchedule,
    most: i64,
) -> Result<Inserted, StoreError> {
    let tenant = tx.tenant().uuid();
    // one at a time, so that the count is exact
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1::uuid::text, 2))", tenant)
        .execute(tx.conn())
        .await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from schedule where tenant_id = $1"#,
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    if count >= most {
        return Ok(Inserted::TooMany);
    }
    let made = sqlx::query!(
        "insert into schedule (id, tenant_id, name, created_by, cron, draft, skip_overlap, next_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (tenant_id, name) do nothing",
        new.id.uuid(),
        tenant,
        new.name,
        new.created_by.uuid(),
        new.cron,
        new.draft,
        new.skip_overlap,
        new.next_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(if made.rows_affected() > 0 { Inserted::Inserted } else { Inserted::NameTaken })
}

/// By name.
pub async fn list(tx: &mut TenantTx<'_>) -> Result<Vec<Schedule>, StoreError> {
    select(tx, None).await
}

pub async fn get(tx: &mut TenantTx<'_>, id: ScheduleId) -> Result<Option<Schedule>, StoreError> {
    Ok(select(tx, Some(id)).await?.pop())
}

async fn select(
    tx: &mut TenantTx<'_>,
    id: Option<ScheduleId>,
) -> Result<Vec<Schedule>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query_as!(
        Row,
        "select id, name, created_by, cron, draft, skip_overlap, paused, next_at, last_at, last_job,
                problem, created_at
         from schedule
         where tenant_id = $1 and ($2::uuid is null or id = $2)
         order by name limit 1000",
        tenant,
        id.map(ScheduleId::uuid),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Schedule::from).collect())
}

/// False if there is none of that id. One that goes on begins with the next time from now.
pub async fn set_paused(
    tx: &mut TenantTx<'_>,
    id: ScheduleId,
    paused: bool,
    next_at: Timestamp,
) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let set = sqlx::query!(
        "update schedule set paused = $3, next_at = $4 where tenant_id = $1 and id = $2",
        tenant,
        id.uuid(),
        paused,
        next_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(set.rows_affected() > 0)
}

pub async fn delete(tx: &mut TenantTx<'_>, id: ScheduleId) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let gone =
        sqlx::query!("delete from schedule where tenant_id = $1 and id = $2", tenant, id.uuid(),)
            .execute(tx.conn())
            .await?;
    Ok(gone.rows_affected() > 0)
}

/// Schedules whose time has come, the longest due first.
pub async fn due(
    tx: &mut SystemTx<'_>,
    now: Timestamp,
    most: i64,
) -> Result<Vec<(TenantId, ScheduleId)>, StoreError> {
    let rows = sqlx::query!(
        "select s.tenant_id, s.id from schedule s join tenant t on t.id = s.tenant_id
         where not s.paused and s.next_at <= $1 and t.closed_at is null
         order by s.next_at limit $2",
        now,
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    let due = rows
        .into_iter()
        .map(|row| (TenantId::from_uuid(row.tenant_id), ScheduleId::from_uuid(row.id)));
    Ok(due.collect())
}

/// Locks a schedule that is still due, and says whether its last job has ended; `None` if another process
/// has it, or has dealt with it.
pub async fn take(
    tx: &mut TenantTx<'_>,
    id: ScheduleId,
    now: Timestamp,
) -> Result<Option<bool>, StoreError> {
    let tenant = tx.tenant().uuid();
    let last_ended = sqlx::query_scalar!(
        r#"select not exists (
                      select from job j where j.id = s.last_job and j.finished_at is null) as "ended!"
           from schedule s
           where tenant_id = $1 and id = $2 and not paused and next_at <= $3
           for update of s skip locked"#,
        tenant,
        id.uuid(),
        now,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(last_ended)
}

/// What became of a run, and when the next one is.
pub async fn ran(
    tx: &mut TenantTx<'_>,
    id: ScheduleId,
    (at, next_at): (Timestamp, Timestamp),
    outcome: Result<JobId, &str>,
) -> Result<(), StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "update schedule set last_at = $3, next_at = $4, last_job = coalesce($5, last_job), problem = $6
         where tenant_id = $1 and id = $2",
        tenant,
        id.uuid(),
        at,
        next_at,
        outcome.ok().map(JobId::uuid),
        outcome.err(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
