//! Caps over time: attempts come and go, and after each of these moments so much is in use. Of what
//! happens at one moment, ends count first.

use super::Found;
use crate::{StoreError, SystemTx, Tx};

/// The most that a tenant has ever run at once, beside what it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peak {
    pub tenant: String,
    pub most: u64,
    pub max_running_jobs: u64,
}

/// Of every tenant that has run anything.
pub async fn peaks(tx: &mut SystemTx<'_>) -> Result<Vec<Peak>, StoreError> {
    let rows = sqlx::query!(
        r#"with moment as (
             select tenant_id, assigned_at as at, 1 as change from attempt
             union all
             select tenant_id, ended_at, -1 from attempt where ended_at is not null
           ), level as (
             select tenant_id,
                    sum(change) over (partition by tenant_id order by at, change
                                      rows unbounded preceding) as live
             from moment
           )
           select t.slug, max(l.live) as "most!", t.max_running_jobs
           from level l join tenant t on t.id = l.tenant_id
           group by t.id, t.slug, t.max_running_jobs
           order by t.slug"#,
    )
    .fetch_all(tx.conn())
    .await?;
    let peak = rows.into_iter().map(|row| Peak {
        tenant: row.slug,
        most: row.most.unsigned_abs(),
        max_running_jobs: row.max_running_jobs.unsigned_abs().into(),
    });
    Ok(peak.collect())
}

pub(super) async fn running_jobs(tx: &mut SystemTx<'_>) -> Result<Vec<Found>, StoreError> {
    let over = peaks(tx).await?.into_iter().filter(|peak| peak.most > peak.max_running_jobs);
    let found = over.map(|Peak { tenant, most, max_running_jobs }| Found {
        subject: tenant,
        detail: format!("{most} attempts at once, where {max_running_jobs} may run"),
    });
    Ok(found.collect())
}

pub(super) async fn quotas(tx: &mut SystemTx<'_>) -> Result<Vec<Found>, StoreError> {
    let rows = sqlx::query_as!(
        Found,
        r#"with moment as (
             select j.tenant_id, j.pool_id, m.at, m.change, m.change * j.workers * j.cpu_milli::bigint as cpu,
                    m.change * j.workers * j.memory_bytes as memory,
                    m.change * j.workers * j.accelerator_milli::bigint as accelerator
             from attempt a
             join job j on j.id = a.job_id
             cross join lateral (values (a.assigned_at, 1), (a.ended_at, -1)) as m (at, change)
             where m.at is not null
           ), level as (
             select tenant_id, pool_id, sum(cpu) over w as cpu, sum(memory) over w as memory,
                    sum(accelerator) over w as accelerator
             from moment
             window w as (partition by tenant_id, pool_id order by at, change
                          rows unbounded preceding)
           )
           select format('%s in %s', t.slug, p.name) as "subject!",
                  format('at most %s of %s CPU milli, %s of %s bytes, %s of %s accelerator milli',
                         max(l.cpu), q.limit_cpu_milli, max(l.memory), q.limit_memory_bytes,
                         max(l.accelerator), q.limit_accelerator_milli) as "detail!"
           from level l
           join quota q on q.tenant_id = l.tenant_id and q.pool_id = l.pool_id
           join tenant t on t.id = l.tenant_id
           join pool p on p.id = l.pool_id
           group by t.slug, p.name, q.tenant_id, q.pool_id
           having max(l.cpu) > q.limit_cpu_milli
               or max(l.memory) > q.limit_memory_bytes
               or max(l.accelerator) > q.limit_accelerator_milli
           order by 1"#,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

pub(super) async fn workers(tx: &mut SystemTx<'_>) -> Result<Vec<Found>, StoreError> {
    let rows = sqlx::query_as!(
        Found,
        r#"with held as (
             select a.job_id, a.worker_id, a.assigned_at, a.ended_at
             from attempt a join job j on j.id = a.job_id
             where j.workers = 1
             union all
             -- a gang's worker holds its room until its process and its attempt have ended
             select s.job_id, s.worker_id, a.assigned_at,
                    case when s.left_at is not null then greatest(s.left_at, a.ended_at) end
             from seat s join attempt a using (job_id, number)
           ), moment as (
             select a.worker_id, m.at, m.change, m.change * j.cpu_milli as cpu,
                    m.change * j.memory_bytes as memory,
                    m.change * j.accelerator_milli as accelerator
             from held a
             join job j on j.id = a.job_id
             cross join lateral (values (a.assigned_at, 1), (a.ended_at, -1)) as m (at, change)
             where m.at is not null
           ), level as (
             select worker_id, sum(cpu) over w as cpu, sum(memory) over w as memory,
                    sum(accelerator) over w as accelerator
             from moment
             window w as (partition by worker_id order by at, change rows unbounded preceding)
           )
           select format('%s %s', k.name, k.id) as "subject!",
                  format('at most %s of %s CPU milli, %s of %s bytes, %s of %s accelerator milli',
                         max(l.cpu), k.cpu_milli, max(l.memory), k.memory_bytes,
                         max(l.accelerator), k.accelerators * 1000) as "detail!"
           from level l join worker k on k.id = l.worker_id
           group by k.id
           having max(l.cpu) > k.cpu_milli
               or max(l.memory) > k.memory_bytes
               or max(l.accelerator) > k.accelerators * 1000
           order by 1"#,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}
