//! Jobs that wait for others to end.

use domain::{
    JobId,
    job::{Cause, JobEvent, JobStatus},
    spec::AfterCondition,
};
use sqlx::PgConnection;

use super::{NewJob, Submitted};
use crate::{
    StoreError, TenantTx, Tx,
    changes::{Change, note},
};

/// Of the jobs that have to end first, those that have not yet; or why that cannot be waited for. Their
/// rows are locked until the submission is there: one that ends meanwhile finds who waits for it.
pub(super) async fn check(
    tx: &mut TenantTx<'_>,
    after: &[(JobId, AfterCondition)],
) -> Result<Result<Vec<JobId>, Submitted>, StoreError> {
    if after.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let (tenant, ids) = (tx.tenant().uuid(), after.iter().map(|(id, _)| id.uuid()));
    let rows = sqlx::query!(
        "select id, status from job where tenant_id = $1 and id = any($2) order by id for share",
        tenant,
        &ids.collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut open = Vec::new();
    for (id, condition) in after {
        let Some(row) = rows.iter().find(|row| row.id == id.uuid()) else {
            return Ok(Err(Submitted::UnknownDependency(*id)));
        };
        let status: JobStatus =
            row.status.parse().map_err(|why| StoreError::corrupt("job", "status", why))?;
        match (status.is_final(), condition.is_met_by(status)) {
            (false, _) => open.push(*id),
            (true, true) => {}
            (true, false) => return Ok(Err(Submitted::ImpossibleDependency(*id, status))),
        }
    }
    Ok(Ok(open))
}

pub(super) async fn insert(tx: &mut TenantTx<'_>, job: &NewJob) -> Result<(), StoreError> {
    if job.after.is_empty() {
        return Ok(());
    }
    let tenant = tx.tenant().uuid();
    let on: Vec<_> = job.after.iter().map(|(id, _)| id.uuid()).collect();
    let conditions: Vec<_> = job.after.iter().map(|(_, c)| c.as_str().to_owned()).collect();
    sqlx::query!(
        "insert into job_dependency (job_id, on_job_id, tenant_id, condition)
         select $1, d.on_job_id, $2, d.condition
         from unnest($3::uuid[], $4::text[]) as d (on_job_id, condition)
         on conflict do nothing",
        job.id.uuid(),
        tenant,
        &on,
        &conditions,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets jobs that waited for these into the queue, if that was the last; what follows for those that
/// will never be ready.
pub(super) async fn settle(
    conn: &mut PgConnection,
    ended: &[JobId],
) -> Result<Vec<(JobId, JobEvent)>, StoreError> {
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    // locked first and looked at in a statement of its own: of two that end at once, the later one sees
    // the end of both
    let waiting = sqlx::query_scalar!(
        "select id from job
         where id = any (array(select job_id from job_dependency where on_job_id = any($1)))
           -- written so, it is found by its id, and not among all that have not ended
           and (finished_at is null) is true
         order by id
         for update",
        &ended.iter().map(|id| id.uuid()).collect::<Vec<_>>(),
    )
    .fetch_all(&mut *conn)
    .await?;
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"select d.job_id as "job_id!", bool_and(o.met) as "ready!", bool_or(o.ended and not o.met) as "never!",
                  (array_agg(o.id order by o.id) filter (where o.ended and not o.met))[1] as failed
           from job_dependency d
           cross join lateral (
               select j.id, j.finished_at is not null as ended,
                      j.finished_at is not null
                          and (d.condition = 'any'
                               or (d.condition = 'success') = (j.status = 'succeeded')) as met
               from job j where j.id = d.on_job_id) o
           where d.job_id = any($1)
           group by d.job_id
           order by d.job_id"#,
        &waiting,
    )
    .fetch_all(&mut *conn)
    .await?;
    let ready: Vec<_> = rows.iter().filter(|row| row.ready).map(|row| row.job_id).collect();
    if !ready.is_empty() {
        sqlx::query!(
            "update job set blocked = false, wait_reason = null where id = any($1) and blocked",
            &ready,
        )
        .execute(&mut *conn)
        .await?;
        let changes: Vec<_> = ready.iter().map(|id| Change::Job(JobId::from_uuid(*id))).collect();
        note(conn, &changes).await?;
    }
    let never = rows.iter().filter(|row| row.never).map(|row| {
        let on = row.failed.map(|id| JobId::from_uuid(id).to_string()).unwrap_or_default();
        let why = format!("{on}, which it waited for, has not ended as its `after` asks");
        let cause = Cause::fatal("dependency_never_met", why);
        (JobId::from_uuid(row.job_id), JobEvent::NeverReady { cause })
    });
    Ok(never.collect())
}
