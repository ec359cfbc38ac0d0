//! The scheduler's two statements about the world: load a bounded picture of it, apply a plan to it.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use domain::{
    JobId, TenantId, Timestamp, WorkerId,
    job::{Attempt, Cause, JobEvent, Report, RetryPolicy},
    spec::Resources,
    world::{Command, Phase, Plan, PlannedJob, TenantShare, WaitReason, WorkerView, World},
};

use crate::{
    StoreError, SystemTx, Tx,
    jobs::transition::transition,
    leader::{self, LeaderLease},
};

/// Waiting jobs looked at per tenant and tick: more than can start at once, less than a flood.
const WAITING_PER_TENANT: i64 = 100;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub started: Vec<WorkerId>,
    /// Jobs whose followers should look.
    pub changed: Vec<JobId>,
    /// Room was freed that this plan could not yet give away: plan again at once.
    pub freed: bool,
    /// Commands whose guard no longer held: the next tick sees the truth.
    pub skipped: u32,
}

/// The world and the database's time at which it was seen.
pub async fn load_world(tx: &mut SystemTx<'_>) -> Result<(World, Timestamp), StoreError> {
    let now = sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(tx.conn()).await?;
    let jobs = load_jobs(tx).await?;
    let workers = load_workers(tx).await?;
    let tenants = load_tenants(tx).await?;
    Ok((World { tenants, jobs, workers }, now))
}

async fn load_jobs(tx: &mut SystemTx<'_>) -> Result<BTreeMap<JobId, PlannedJob>, StoreError> {
    let rows = sqlx::query!(
        r#"select j.id as "id!", j.tenant_id as "tenant_id!", j.priority as "priority!",
                  j.created_at as "created_at!", j.cpu_milli as "cpu_milli!",
                  j.memory_bytes as "memory_bytes!", j.status as "status!", j.attempt as "attempt!",
                  j.not_before as "not_before!", j.worker_id, j.lease_until, j.deadline
           from (select id, tenant_id, priority, created_at, cpu_milli, memory_bytes, status, attempt,
                        not_before, worker_id, lease_until, deadline
                 from job where status in ('starting', 'running', 'stopping')
                 union all
                 select w.* from tenant t cross join lateral (
                     select id, tenant_id, priority, created_at, cpu_milli, memory_bytes, status,
                            attempt, not_before, worker_id, lease_until, deadline
                     from job
                     where tenant_id = t.id and status = 'queued'
                     order by priority desc, created_at, id
                     limit $1) w) j"#,
        WAITING_PER_TENANT,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut jobs = BTreeMap::new();
    for row in rows {
        let id = JobId::from_uuid(row.id);
        let last_attempt = row.attempt.unsigned_abs();
        let live = (row.worker_id, row.lease_until, row.deadline, NonZeroU32::new(last_attempt));
        let phase = match live {
            (Some(worker), Some(lease_until), Some(deadline), Some(number)) => Phase::Live {
                attempt: Attempt { job: id, number },
                worker: WorkerId::from_uuid(worker),
                lease_until,
                deadline,
                stopping: row.status == "stopping",
            },
            _ => Phase::Waiting { not_before: row.not_before, last_attempt },
        };
        let job = PlannedJob {
            tenant: TenantId::from_uuid(row.tenant_id),
            priority: row.priority,
            created_at: row.created_at,
            resources: Resources {
                cpu_milli: row.cpu_milli.unsigned_abs(),
                memory_bytes: row.memory_bytes.unsigned_abs(),
            },
            phase,
        };
        jobs.insert(id, job);
    }
    Ok(jobs)
}

async fn load_workers(tx: &mut SystemTx<'_>) -> Result<BTreeMap<WorkerId, WorkerView>, StoreError> {
    let rows = sqlx::query!(
        "select id, cpu_milli, memory_bytes, state from worker w
         where state <> 'gone'
            or exists (select from job j
                       where j.worker_id = w.id and j.status in ('starting', 'running', 'stopping'))",
    )
    .fetch_all(tx.conn())
    .await?;
    let view = rows.into_iter().map(|row| {
        let capacity = Resources {
            cpu_milli: row.cpu_milli.unsigned_abs(),
            memory_bytes: row.memory_bytes.unsigned_abs(),
        };
        let view = WorkerView { capacity, accepts: row.state == "up", gone: row.state == "gone" };
        (WorkerId::from_uuid(row.id), view)
    });
    Ok(view.collect())
}

async fn load_tenants(
    tx: &mut SystemTx<'_>,
) -> Result<BTreeMap<TenantId, TenantShare>, StoreError> {
    let rows =
        sqlx::query!("select id, slug, max_running_jobs from tenant").fetch_all(tx.conn()).await?;
    let share = rows.into_iter().map(|row| {
        let max_running = row.max_running_jobs.unsigned_abs();
        (TenantId::from_uuid(row.id), TenantShare { slug: row.slug, max_running })
    });
    Ok(share.collect())
}

/// Executes the plan under guards. `None` if the lead was lost meanwhile: nothing was done.
pub async fn apply(
    tx: &mut SystemTx<'_>,
    leader: &LeaderLease,
    plan: &Plan,
    retry: &RetryPolicy,
    lease: Duration,
) -> Result<Option<Applied>, StoreError> {
    if !leader::still_held(tx, leader).await? {
        return Ok(None);
    }
    let mut applied = Applied::default();
    let mut commands: Vec<_> = plan.commands.iter().map(|c| (attempt_of(c).job, c)).collect();
    // in the order of ids, as every bulk writer does, so that none waits for another in a circle
    commands.sort_by_key(|(job, _)| *job);
    for (job, command) in commands {
        let outcome = transition(tx.conn(), job, event_of(command), retry, Some(lease)).await?;
        match (outcome, command) {
            (Err(_), _) => applied.skipped += 1,
            (Ok(_), Command::Start { worker, .. }) => {
                applied.started.push(*worker);
                applied.changed.push(job);
            }
            (Ok(_), Command::Reclaim { .. } | Command::TimeOut { .. }) => {
                applied.freed = true;
                applied.changed.push(job);
            }
        }
    }
    applied.started.sort();
    applied.started.dedup();
    set_wait_reasons(tx, &plan.waiting).await?;
    Ok(Some(applied))
}

const fn attempt_of(command: &Command) -> Attempt {
    match command {
        Command::Start { attempt, .. }
        | Command::Reclaim { attempt }
        | Command::TimeOut { attempt } => *attempt,
    }
}

fn event_of(command: &Command) -> JobEvent {
    match *command {
        Command::Start { attempt, worker } => JobEvent::Assigned { attempt, worker },
        Command::Reclaim { attempt } => JobEvent::LeaseLost { attempt },
        Command::TimeOut { attempt } => JobEvent::Reported {
            attempt,
            report: Report::Failed(Cause::fatal(
                "max_runtime_exceeded",
                "it ran longer than its `max_runtime`; raise it, or train for fewer epochs",
            )),
        },
    }
}

/// Writes only the reasons that have changed.
async fn set_wait_reasons(
    tx: &mut SystemTx<'_>,
    waiting: &BTreeMap<JobId, WaitReason>,
) -> Result<(), StoreError> {
    let ids: Vec<_> = waiting.keys().map(|id| id.uuid()).collect();
    let reasons = waiting
        .values()
        .map(serde_json::to_value)
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
