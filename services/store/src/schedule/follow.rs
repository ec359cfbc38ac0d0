//! One look of the scheduler: whether the lead is still its own, what has changed since its last look, and
//! how the jobs among it are now, in one statement. A plan begins with it, and a job that comes to an idle
//! worker waits for each question that is asked before it starts.

use std::collections::BTreeMap;

use domain::{Timestamp, world::Facts};
use sqlx::{FromRow, Row, postgres::PgRow};
use uuid::Uuid;

use super::{JobRow, facts};
use crate::{
    StoreError, SystemTx, Tx,
    changes::{Change, Cursor, Note},
    leader::{Held, LeaderLease},
};

/// What has happened since the last look, and proof that the lead is ours.
#[derive(Debug)]
pub struct News {
    pub lead: Held,
    /// Each once.
    pub changes: Vec<Change>,
    /// How they are now.
    pub facts: Facts,
}

/// Locks the lease's row for this transaction and reads what is new; `None` if the lead was lost.
pub async fn follow(
    tx: &mut SystemTx<'_>,
    lease: &LeaderLease,
    cursor: &mut Cursor,
) -> Result<Option<News>, StoreError> {
    let rows: Vec<NewsRow> = sqlx::query_as(
        "with lead as (
             select clock_timestamp() as now from leader
             where name = $1 and holder = $2 and term = $3
             for share
         )
         select l.now, pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin,
                c.number, c.xid::text::bigint as xid, c.kind, c.id as changed,
                j.id, j.tenant_id, j.pool_id, j.priority, j.created_at, j.cpu_milli, j.memory_bytes,
                j.accelerator_milli, j.workers, j.max_runtime, j.status, j.attempt, j.not_before,
                j.worker_id, j.devices, j.assigned_at, j.saved_at, j.deadline, j.preempted_for, j.blocked,
                j.rate_micro_credits, j.rate_accelerator_milli, j.concurrency_key, j.concurrency_limit
         from lead l
         left join change c on c.xid >= $4::bigint::text::xid8
             and c.number not in (select unnest($5::bigint[]))
         left join job j on c.kind = 'job' and j.id = c.id",
    )
    .bind(lease.name)
    .bind(lease.holder)
    .bind(lease.term)
    .bind(cursor.horizon())
    .bind(cursor.seen())
    .fetch_all(tx.conn())
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (lead, xmin) = (Held { now: first.now }, first.xmin);
    let (mut notes, mut jobs) = (Vec::new(), BTreeMap::new());
    for NewsRow { note: MaybeNote(note), job: MaybeJob(job), .. } in rows {
        notes.extend(note);
        jobs.extend(job.map(|job| (job.id, job)));
    }
    let changes = cursor.advance(xmin, &notes);
    let jobs: Vec<_> = jobs.into_values().collect();
    let facts = facts(tx, &changes, &jobs).await?;
    Ok(Some(News { lead, changes, facts }))
}

#[derive(FromRow)]
struct NewsRow {
    now: Timestamp,
    xmin: i64,
    #[sqlx(flatten)]
    note: MaybeNote,
    #[sqlx(flatten)]
    job: MaybeJob,
}

/// None if nothing has changed.
struct MaybeNote(Option<Note>);

impl<'r> FromRow<'r, PgRow> for MaybeNote {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let some = row.try_get::<Option<i64>, _>("number")?.is_some();
        some.then(|| Note::from_row(row)).transpose().map(Self)
    }
}

/// None if what has changed is no job.
struct MaybeJob(Option<JobRow>);

impl<'r> FromRow<'r, PgRow> for MaybeJob {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let some = row.try_get::<Option<Uuid>, _>("id")?.is_some();
        some.then(|| JobRow::from_row(row)).transpose().map(Self)
    }
}
