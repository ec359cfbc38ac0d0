//! What a job leaves behind to be read: numbered events, metrics as time series, log lines.

use domain::{JobId, Timestamp};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{StoreError, TenantTx, Tx};

#[derive(Debug, Clone)]
pub struct Event {
    pub number: u64,
    pub at: Timestamp,
    pub kind: String,
    pub data: Value,
}

#[derive(Debug, Clone)]
pub struct Point {
    pub name: String,
    pub step: u64,
    pub epoch: u32,
    pub value: f64,
    pub at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct LogLine {
    pub attempt: u32,
    pub line_no: u64,
    pub at: Timestamp,
    pub line: String,
}

/// Takes the next number under the job's row lock, so that numbers become visible in order.
pub(crate) async fn append(
    conn: &mut PgConnection,
    job: JobId,
    kind: &str,
    data: Value,
) -> Result<(), StoreError> {
    sqlx::query!(
        "with next as (
             update job set last_event = last_event + 1 where id = $1
             returning id, tenant_id, last_event
         )
         insert into job_event (job_id, number, tenant_id, kind, data)
         select id, last_event, tenant_id, $2, $3 from next",
        job.uuid(),
        kind,
        data,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those after `after`, in order, at most `limit`.
pub async fn after(
    tx: &mut TenantTx<'_>,
    job: JobId,
    after: u64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query!(
        "select number, at, kind, data from job_event
         where tenant_id = $1 and job_id = $2 and number > $3
         order by number
         limit $4",
        tenant,
        job.uuid(),
        i64::try_from(after).unwrap_or(i64::MAX),
        i64::from(limit),
    )
    .fetch_all(tx.conn())
    .await?;
    let event = rows.into_iter().map(|row| Event {
        number: row.number.unsigned_abs(),
        at: row.at,
        kind: row.kind,
        data: row.data,
    });
    Ok(event.collect())
}

/// Up to 20,000 points, by name and step.
pub async fn metrics(tx: &mut TenantTx<'_>, job: JobId) -> Result<Vec<Point>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query!(
        "select name, step, epoch, value, at from job_metric
         where tenant_id = $1 and job_id = $2
         order by name, step
         limit 20000",
        tenant,
        job.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let point = rows.into_iter().map(|row| Point {
        name: row.name,
        step: row.step.unsigned_abs(),
        epoch: row.epoch.unsigned_abs(),
        value: row.value,
        at: row.at,
    });
    Ok(point.collect())
}

/// The last `limit` lines, oldest first.
pub async fn logs(
    tx: &mut TenantTx<'_>,
    job: JobId,
    limit: u32,
) -> Result<Vec<LogLine>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query!(
        "select attempt, line_no, at, line from job_log
         where tenant_id = $1 and job_id = $2
         order by attempt desc, line_no desc
         limit $3",
        tenant,
        job.uuid(),
        i64::from(limit),
    )
    .fetch_all(tx.conn())
    .await?;
    let line = rows.into_iter().rev().map(|row| LogLine {
        attempt: row.attempt.unsigned_abs(),
        line_no: row.line_no.unsigned_abs(),
        at: row.at,
        line: row.line,
    });
    Ok(line.collect())
}
