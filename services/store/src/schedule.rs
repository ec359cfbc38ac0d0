//! What the scheduler says about the world: how things are, and what a plan makes of them.

mod follow;
mod rows;

use std::collections::BTreeMap;

use domain::{
    JobId, PoolId, TenantId, Timestamp, WorkerId,
    job::{Cause, JobEvent, Report, RetryPolicy},
    spend::{Budget, Prices},
    wait::WaitReason,
    world::{Command, Facts, PlannedJob, Quota, TenantCaps, WorkerView},
};
use uuid::Uuid;

use crate::{
    StoreError, SystemTx, Tx, amounts,
    changes::{Change, Cursor},
    jobs::transition::{Told, transition_all},
    leader::Held,
    pools,
};

pub use follow::{News, follow};
use rows::{JobRow, WorkerRow, job_facts, worker_facts, workers_of_ended};

/// Everything, the database's time at which it was so, and from where to follow.
pub async fn load(tx: &mut SystemTx<'_>) -> Result<(Facts, Timestamp, Cursor), StoreError> {
    sqlx::query("set transaction isolation level repeatable read").execute(tx.conn()).await?;
    let now = time(tx).await?;
    let cursor = Cursor::at_present(tx).await?;
    let quotas = pools::every_quota(tx, None).await?;
    let workers = sqlx::query_as!(
        WorkerRow,
        "select id, pool_id, cpu_milli, memory_bytes, accelerators, state from worker
         where state <> 'gone'",
    )
    .fetch_all(tx.conn())
    .await?;
    let jobs = sqlx::query_as!(
        JobRow,
        "select id, tenant_id, pool_id, priority, created_at, cpu_milli, memory_bytes,
                accelerator_milli, workers, max_runtime, status, attempt, not_before, worker_id, devices,
                assigned_at, saved_at, deadline, preempted_for, blocked, rate_micro_credits,
                rate_accelerator_milli, concurrency_key, concurrency_limit
         from job where finished_at is null",
    )
    .fetch_all(tx.conn())
    .await?;
    let averages = sqlx::query!("select tenant_id, pool_id, average from usage_average")
        .fetch_all(tx.conn())
        .await?;
    let facts = Facts {
        tenants: every_tenant(tx, None).await?.into_iter().map(|(id, c)| (id, Some(c))).collect(),
        prices: pools::every_price(tx, None).await?,
        quotas: quotas.into_iter().map(|(tenant, pool, q)| (tenant, pool, Some(q))).collect(),
        workers: worker_facts(tx, &workers).await?,
        jobs: job_facts(tx, &[], &jobs).await?,
        averages: averages
            .iter()
            .map(|row| {
                (TenantId::from_uuid(row.tenant_id), PoolId::from_uuid(row.pool_id), row.average)
            })
            .collect(),
    };
    Ok((facts, now, cursor))
}

/// How the things that have changed are now.
pub async fn look(tx: &mut SystemTx<'_>, changes: &[Change]) -> Result<Facts, StoreError> {
    let rows = job_rows(tx, &jobs_of(changes)).await?;
    facts(tx, changes, &rows).await
}

fn jobs_of(changes: &[Change]) -> Vec<JobId> {
    let job = |change: &Change| match change {
        Change::Job(id) => Some(*id),
        _ => None,
    };
    changes.iter().filter_map(job).collect()
}

/// The same, where the jobs' rows are known.
async fn facts(
    tx: &mut SystemTx<'_>,
    changes: &[Change],
    rows: &[JobRow],
) -> Result<Facts, StoreError> {
    let pick = |of: fn(&Change) -> Option<Uuid>| changes.iter().filter_map(of).collect::<Vec<_>>();
    let mut workers = pick(|change| match change {
        Change::Worker(id) => Some(id.uuid()),
        _ => None,
    });
    let tenants = pick(|change| match change {
        Change::Tenant(id) => Some(id.uuid()),
        _ => None,
    });
    let quotas = pick(|change| match change {
        Change::Quota(id) => Some(id.uuid()),
        _ => None,
    });
    let pools = pick(|change| match change {
        Change::Pool(id) => Some(id.uuid()),
        _ => None,
    });
    let jobs = job_facts(tx, &jobs_of(changes), rows).await?;
    // what is left of an attempt is known no later than its end
    workers.extend(workers_of_ended(tx, rows).await?);
    Ok(Facts {
        tenants: look_at_tenants(tx, &tenants).await?,
        prices: look_at_prices(tx, &pools).await?,
        quotas: look_at_quotas(tx, &quotas).await?,
        workers: look_at_workers(tx, &workers).await?,
        jobs,
        averages: Vec::new(),
    })
}

/// The present, and not the beginning of the transaction.
pub async fn time(tx: &mut SystemTx<'_>) -> Result<Timestamp, StoreError> {
    Ok(sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(tx.conn()).await?)
}

pub(crate) async fn look_at_tenants(
    tx: &mut SystemTx<'_>,
    ids: &[Uuid],
) -> Result<Vec<(TenantId, Option<TenantCaps>)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found: BTreeMap<_, _> = every_tenant(tx, Some(ids)).await?.into_iter().collect();
    let ids = ids.iter().map(|id| TenantId::from_uuid(*id));
    Ok(ids.map(|id| (id, found.get(&id).copied())).collect())
}

/// Of these tenants, or of all.
async fn every_tenant(
    tx: &mut SystemTx<'_>,
    ids: Option<&[Uuid]>,
) -> Result<Vec<(TenantId, TenantCaps)>, StoreError> {
    let rows = sqlx::query!(
        r#"select t.id as "id!",
                  case when t.closed_at is null then t.max_running_jobs else 0 end as "max_running_jobs!",
                  b.granted_micro_credits as "granted_micro_credits?",
                  b.granted_accelerator_ms as "granted_accelerator_ms?",
                  coalesce(b.spent_micro_credits, 0) as "spent_micro_credits!",
                  coalesce(b.spent_accelerator_ms, 0) as "spent_accelerator_ms!"
           from tenant t left join budget b on b.tenant_id = t.id
           where $1::uuid[] is null or t.id = any($1)"#,
        ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let caps = rows.into_iter().map(|row| {
        let budget = Budget {
            granted: amounts::granted(row.granted_micro_credits, row.granted_accelerator_ms),
            spent: amounts::spent(row.spent_micro_credits, row.spent_accelerator_ms),
        };
        let max_running = row.max_running_jobs.unsigned_abs();
        (TenantId::from_uuid(row.id), TenantCaps { max_running, budget })
    });
    Ok(caps.collect())
}

async fn look_at_prices(
    tx: &mut SystemTx<'_>,
    ids: &[Uuid],
) -> Result<Vec<(PoolId, Prices)>, StoreError> {
    if ids.is_empty() { Ok(Vec::new()) } else { pools::every_price(tx, Some(ids)).await }
}

/// The tenants' rows, and the end of those that they had: a quota without a row is the default.
async fn look_at_quotas(
    tx: &mut SystemTx<'_>,
    ids: &[Uuid],
) -> Result<Vec<(TenantId, PoolId, Option<Quota>)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let pools = sqlx::query_scalar!("select id from pool").fetch_all(tx.conn()).await?;
    let all = ids.iter().flat_map(|tenant| {
        pools.iter().map(|pool| (TenantId::from_uuid(*tenant), PoolId::from_uuid(*pool)))
    });
    let mut facts: BTreeMap<_, _> = all.map(|of| (of, None)).collect();
    let found = pools::every_quota(tx, Some(ids)).await?;
    facts.extend(found.into_iter().map(|(tenant, pool, quota)| ((tenant, pool), Some(quota))));
    Ok(facts.into_iter().map(|((tenant, pool), quota)| (tenant, pool, quota)).collect())
}

pub(crate) async fn look_at_workers(
    tx: &mut SystemTx<'_>,
    ids: &[Uuid],
) -> Result<Vec<(WorkerId, Option<WorkerView>)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as!(
        WorkerRow,
        "select id, pool_id, cpu_milli, memory_bytes, accelerators, state from worker
         where id = any($1) and state <> 'gone'",
        ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut facts: BTreeMap<_, _> = ids.iter().map(|id| (WorkerId::from_uuid(*id), None)).collect();
    facts.extend(worker_facts(tx, &rows).await?);
    Ok(facts.into_iter().collect())
}

/// How these jobs are now.
pub async fn look_at_jobs(
    tx: &mut SystemTx<'_>,
    jobs: &[JobId],
) -> Result<Vec<(JobId, Option<PlannedJob>)>, StoreError> {
    let rows = job_rows(tx, jobs).await?;
    job_facts(tx, jobs, &rows).await
}

async fn job_rows(tx: &mut SystemTx<'_>, jobs: &[JobId]) -> Result<Vec<JobRow>, StoreError> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = jobs.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        JobRow,
        "select id, tenant_id, pool_id, priority, created_at, cpu_milli, memory_bytes,
                accelerator_milli, workers, max_runtime, status, attempt, not_before, worker_id, devices,
                assigned_at, saved_at, deadline, preempted_for, blocked, rate_micro_credits,
                rate_accelerator_milli, concurrency_key, concurrency_limit
         from job where id = any($1)",
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Workers that have something new to look at, as far as rank 0 of each attempt goes.
    pub workers: Vec<WorkerId>,
    /// Jobs whose followers should look.
    pub changed: Vec<JobId>,
    /// Jobs whose command's guard no longer held: their truth is to be looked at.
    pub skipped: Vec<JobId>,
    /// The commit carries the hints.
    pub told: bool,
}

/// Executes the commands under guards, as of the time at which the lead was held. The commit carries the
/// hints, if there are commands.
pub async fn apply(
    tx: &mut SystemTx<'_>,
    Held { now }: Held,
    commands: &[Command],
    retry: &RetryPolicy,
    hints: &[String],
) -> Result<Applied, StoreError> {
    let events: Vec<_> = commands.iter().map(|c| (c.attempt().job, event_of(c))).collect();
    let told = Told::ByScheduler { now, hints };
    let outcomes = transition_all(tx.conn(), events, retry, told).await?;
    let mut applied = Applied::default();
    for (job, outcome) in outcomes {
        match outcome {
            Ok(state) => {
                applied.workers.extend(state.run().map(|run| run.worker));
                applied.changed.push(job);
            }
            Err(_) => applied.skipped.push(job),
        }
    }
    applied.workers.sort_unstable();
    applied.workers.dedup();
    applied.told = !hints.is_empty() && !applied.changed.is_empty();
    Ok(applied)
}

fn event_of(command: &Command) -> JobEvent {
    match command.clone() {
        Command::Start { attempt, seats, rate } => JobEvent::Assigned { attempt, seats, rate },
        Command::Preempt { attempt, why } => {
            JobEvent::PreemptAsked { attempt, for_job: why.for_job() }
        }
        Command::Lose { attempt } => JobEvent::LeaseLost { attempt },
        Command::TimeOut { attempt } => JobEvent::Reported {
            attempt,
            report: Report::Failed(Cause::fatal(
                "max_runtime_exceeded",
                "it ran longer than its `max_runtime`; raise it, or train for fewer epochs",
            )),
        },
    }
}

/// Writes why jobs wait; a job that no longer does is left alone.
pub async fn explain(
    tx: &mut SystemTx<'_>,
    reasons: &[(JobId, WaitReason)],
) -> Result<(), StoreError> {
    let ids: Vec<_> = reasons.iter().map(|(id, _)| id.uuid()).collect();
    let reasons = reasons
        .iter()
        .map(|(_, reason)| serde_json::to_value(reason))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|why| StoreError::corrupt("job", "wait_reason", why))?;
    sqlx::query!(
        "with changed as (
             select j.id, r.reason
             from job j join unnest($1::uuid[], $2::jsonb[]) as r (id, reason) on r.id = j.id
             where j.status = 'queued' and j.wait_reason is distinct from r.reason
             order by j.id
             for update of j
         )
         update job j set wait_reason = c.reason from changed c where j.id = c.id",
        &ids,
        &reasons,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps each tenant's decayed share for the next leader.
pub async fn keep_averages(
    tx: &mut SystemTx<'_>,
    averages: &[(TenantId, PoolId, f64)],
) -> Result<(), StoreError> {
    let tenants: Vec<_> = averages.iter().map(|(tenant, ..)| tenant.uuid()).collect();
    let pools: Vec<_> = averages.iter().map(|(_, pool, _)| pool.uuid()).collect();
    let shares: Vec<_> = averages.iter().map(|(.., share)| *share).collect();
    sqlx::query!(
        "insert into usage_average (tenant_id, pool_id, average)
         select a.tenant_id, a.pool_id, a.average
         from unnest($1::uuid[], $2::uuid[], $3::float8[]) as a (tenant_id, pool_id, average)
         where exists (select from tenant t where t.id = a.tenant_id)
           and exists (select from pool p where p.id = a.pool_id)
         on conflict (tenant_id, pool_id) do update set average = excluded.average",
        &tenants,
        &pools,
        &shares,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
