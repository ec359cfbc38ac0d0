//! Sweeps: one specification at many points, each a job of its own. What a sweep is, its jobs are: it has
//! no state beside theirs.

use std::collections::BTreeMap;

use domain::{
    JobId, SweepId, Timestamp, UserId,
    job::{JobEvent, JobStatus, RetryPolicy},
};
use serde_json::Value;
use uuid::Uuid;

use super::transition::{Told, transition_all};
use crate::{Page, PageRequest, StoreError, TenantTx, Tx};

#[derive(Debug, Clone)]
pub struct NewSweep {
    pub id: SweepId,
    pub name: String,
    pub submitted_by: UserId,
    pub parallelism: u32,
    pub metric: String,
    pub minimize: bool,
}

#[derive(Debug, Clone)]
pub struct Sweep {
    pub id: SweepId,
    pub name: String,
    pub parallelism: u32,
    pub metric: String,
    pub minimize: bool,
    /// Its jobs by their states.
    pub jobs: BTreeMap<JobStatus, u64>,
    /// Of those that succeeded.
    pub best: Option<Best>,
    pub created_at: Timestamp,
}

/// The job whose metric has reached the best value of all.
#[derive(Debug, Clone)]
pub struct Best {
    pub job: JobId,
    pub point: Value,
    pub value: f64,
}

/// Its jobs are submitted after it, in the same transaction.
pub async fn insert(tx: &mut TenantTx<'_>, sweep: &NewSweep) -> Result<(), StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "insert into sweep (id, tenant_id, name, submitted_by, parallelism, metric, minimize)
         values ($1, $2, $3, $4, $5, $6, $7)",
        sweep.id.uuid(),
        tenant,
        sweep.name,
        sweep.submitted_by.uuid(),
        i32::try_from(sweep.parallelism).unwrap_or(i32::MAX),
        sweep.metric,
        sweep.minimize,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn get(tx: &mut TenantTx<'_>, id: SweepId) -> Result<Option<Sweep>, StoreError> {
    let found = select(tx, Some(id), None, 1).await?;
    Ok(found.into_iter().next())
}

/// The newest first.
pub async fn list(tx: &mut TenantTx<'_>, page: PageRequest) -> Result<Page<Sweep>, StoreError> {
    let found = select(tx, None, page.before, page.fetch()).await?;
    Ok(Page::of(found, page))
}

async fn select(
    tx: &mut TenantTx<'_>,
    id: Option<SweepId>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Sweep>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query!(
        r#"select s.id, s.name, s.parallelism, s.metric, s.minimize, s.created_at,
                  coalesce(c.statuses, '{}') as "statuses!", coalesce(c.counts, '{}') as "counts!",
                  b.job_id as "best_job?", b.point as "best_point?", b.value as "best_value?"
           from sweep s
           left join lateral (
               select array_agg(status) as statuses, array_agg(count) as counts
               from (select status, count(*) as count from job where sweep_id = s.id
                     group by status) by_status) c on true
           left join lateral (
               select j.id as job_id, j.point, m.value
               from job j join job_metric m on m.job_id = j.id and m.name = s.metric
               where j.sweep_id = s.id and j.status = 'succeeded'
                 and m.value between -1e300 and 1e300
               order by case when s.minimize then m.value else -m.value end, j.id
               limit 1) b on true
           where s.tenant_id = $1 and ($2::uuid is null or s.id = $2)
             and ($3::uuid is null or s.id < $3)
           order by s.id desc
           limit $4"#,
        tenant,
        id.map(SweepId::uuid),
        before,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let best = row.best_job.zip(row.best_point).zip(row.best_value);
            let statuses: Vec<String> = row.statuses;
            let counts: Vec<i64> = row.counts;
            let jobs = statuses.iter().zip(&counts).map(|(status, count)| {
                let status = status.parse::<JobStatus>();
                Ok((
                    status.map_err(|why| StoreError::corrupt("job", "status", why))?,
                    count.unsigned_abs(),
                ))
            });
            Ok(Sweep {
                id: SweepId::from_uuid(row.id),
                name: row.name,
                parallelism: row.parallelism.unsigned_abs(),
                metric: row.metric,
                minimize: row.minimize,
                jobs: jobs.collect::<Result<_, StoreError>>()?,
                best: best.map(|((job, point), value)| Best {
                    job: JobId::from_uuid(job),
                    point,
                    value,
                }),
                created_at: row.created_at,
            })
        })
        .collect()
}

/// Asks all of its jobs that have not ended to be cancelled, paused or resumed. Answers with those that
/// were asked.
pub async fn ask(
    tx: &mut TenantTx<'_>,
    id: SweepId,
    event: &JobEvent,
    retry: &RetryPolicy,
) -> Result<Vec<JobId>, StoreError> {
    let tenant = tx.tenant().uuid();
    let ids = sqlx::query_scalar!(
        "select id from job where tenant_id = $1 and sweep_id = $2 and finished_at is null",
        tenant,
        id.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let events = ids.into_iter().map(|id| (JobId::from_uuid(id), event.clone())).collect();
    let outcomes = transition_all(tx.conn(), events, retry, Told::ByOthers).await?;
    Ok(outcomes.into_iter().filter(|(_, outcome)| outcome.is_ok()).map(|(id, _)| id).collect())
}
