//! Rows of workers and jobs, and the facts that they are for the scheduler.

use std::{collections::BTreeMap, num::NonZeroU32};

use domain::{
    JobId, PoolId, Resources, TenantId, Timestamp, WorkerId,
    job::{Attempt, JobStatus},
    spend::Rate,
    world::{
        Concurrency, Devices, Live, Phase, PlannedJob, Seat, Seats, Stopping, WorkerState,
        WorkerView,
    },
};
use uuid::Uuid;

use crate::{StoreError, SystemTx, Tx, amounts};

/// With what is left on them of gangs' attempts that have ended.
pub(super) async fn worker_facts(
    tx: &mut SystemTx<'_>,
    rows: &[WorkerRow],
) -> Result<Vec<(WorkerId, Option<WorkerView>)>, StoreError> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let seats = sqlx::query!(
        "select s.worker_id, s.devices, j.cpu_milli, j.memory_bytes, j.accelerator_milli
         from seat s join job j on j.id = s.job_id
         where s.worker_id = any($1) and s.left_at is null
           and (j.attempt <> s.number or j.status not in ('starting', 'running', 'stopping'))
         order by s.job_id, s.number, s.rank",
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut leftover: BTreeMap<Uuid, Vec<(Resources, Devices)>> = BTreeMap::new();
    for seat in seats {
        let (cpu, accelerators) = (seat.cpu_milli.into(), seat.accelerator_milli.into());
        let needs = amounts::resources(cpu, seat.memory_bytes, accelerators);
        let devices = Devices(seat.devices.cast_unsigned());
        leftover.entry(seat.worker_id).or_default().push((needs, devices));
    }
    rows.iter().map(|row| row.fact(leftover.remove(&row.id).unwrap_or_default())).collect()
}

/// Workers on which something may be left of gangs that are not live.
pub(super) async fn workers_of_ended(
    tx: &mut SystemTx<'_>,
    rows: &[JobRow],
) -> Result<Vec<Uuid>, StoreError> {
    let ended = rows.iter().filter(|row| row.workers > 1 && row.worker_id.is_none());
    let ended: Vec<_> = ended.map(|row| row.id).collect();
    if ended.is_empty() {
        return Ok(Vec::new());
    }
    let workers = sqlx::query_scalar!(
        "select distinct worker_id from seat where job_id = any($1) and left_at is null",
        &ended,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(workers)
}

/// `jobs` without a row are not there. The seats of live gangs are asked for only if there are any.
pub(super) async fn job_facts(
    tx: &mut SystemTx<'_>,
    jobs: &[JobId],
    rows: &[JobRow],
) -> Result<Vec<(JobId, Option<PlannedJob>)>, StoreError> {
    let gangs = rows.iter().filter(|row| row.workers > 1 && row.worker_id.is_some());
    let gangs: Vec<_> = gangs.map(|row| row.id).collect();
    let mut seats: BTreeMap<Uuid, Vec<Seat>> = BTreeMap::new();
    if !gangs.is_empty() {
        let rows = sqlx::query!(
            "select s.job_id, s.worker_id, s.devices
             from seat s join job j on j.id = s.job_id and j.attempt = s.number
             where s.job_id = any($1)
             order by s.job_id, s.rank",
            &gangs,
        )
        .fetch_all(tx.conn())
        .await?;
        for row in rows {
            let devices = Devices(row.devices.cast_unsigned());
            let seat = Seat { worker: WorkerId::from_uuid(row.worker_id), devices };
            seats.entry(row.job_id).or_default().push(seat);
        }
    }
    let mut facts: BTreeMap<_, _> = jobs.iter().map(|id| (*id, None)).collect();
    for row in rows {
        facts.extend([row.fact(seats.remove(&row.id).unwrap_or_default())?]);
    }
    Ok(facts.into_iter().collect())
}

pub(super) struct WorkerRow {
    pub(super) id: Uuid,
    pub(super) pool_id: Uuid,
    pub(super) cpu_milli: i32,
    pub(super) memory_bytes: i64,
    pub(super) accelerators: i32,
    pub(super) state: String,
}

impl WorkerRow {
    fn fact(
        &self,
        leftover: Vec<(Resources, Devices)>,
    ) -> Result<(WorkerId, Option<WorkerView>), StoreError> {
        let accelerators = i64::from(self.accelerators) * 1_000;
        let capacity = amounts::resources(self.cpu_milli.into(), self.memory_bytes, accelerators);
        let state = self
            .state
            .parse::<WorkerState>()
            .map_err(|why| StoreError::corrupt("worker", "state", why))?;
        let view = WorkerView { pool: PoolId::from_uuid(self.pool_id), capacity, state, leftover };
        Ok((WorkerId::from_uuid(self.id), Some(view)))
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct JobRow {
    pub(super) id: Uuid,
    pub(super) tenant_id: Uuid,
    pub(super) pool_id: Uuid,
    pub(super) priority: i32,
    pub(super) created_at: Timestamp,
    pub(super) cpu_milli: i32,
    pub(super) memory_bytes: i64,
    pub(super) accelerator_milli: i32,
    pub(super) workers: i32,
    pub(super) max_runtime: i64,
    pub(super) status: String,
    pub(super) attempt: i32,
    pub(super) not_before: Timestamp,
    pub(super) worker_id: Option<Uuid>,
    pub(super) devices: i64,
    pub(super) assigned_at: Option<Timestamp>,
    pub(super) saved_at: Option<Timestamp>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) preempted_for: Option<Uuid>,
    pub(super) blocked: bool,
    pub(super) rate_micro_credits: i64,
    pub(super) rate_accelerator_milli: i64,
    pub(super) concurrency_key: Option<String>,
    pub(super) concurrency_limit: Option<i32>,
}

impl JobRow {
    /// One that has ended, is paused, or waits for others, is not there for the scheduler. `seats` are a
    /// gang's.
    fn fact(&self, seats: Vec<Seat>) -> Result<(JobId, Option<PlannedJob>), StoreError> {
        let id = JobId::from_uuid(self.id);
        let status: JobStatus =
            self.status.parse().map_err(|why| StoreError::corrupt("job", "status", why))?;
        if self.blocked || status.is_final() || status == JobStatus::Paused {
            return Ok((id, None));
        }
        let job = PlannedJob {
            tenant: TenantId::from_uuid(self.tenant_id),
            pool: PoolId::from_uuid(self.pool_id),
            priority: self.priority,
            created_at: self.created_at,
            needs: amounts::resources(
                self.cpu_milli.into(),
                self.memory_bytes,
                self.accelerator_milli.into(),
            ),
            workers: self.workers.unsigned_abs(),
            max_runtime_secs: self.max_runtime.unsigned_abs(),
            concurrency: self
                .concurrency_key
                .clone()
                .zip(self.concurrency_limit)
                .map(|(key, limit)| Box::new(Concurrency { key, limit: limit.unsigned_abs() })),
            phase: self.phase(id, seats),
        };
        Ok((id, Some(job)))
    }

    fn phase(&self, id: JobId, seats: Vec<Seat>) -> Phase {
        let last_attempt = self.attempt.unsigned_abs();
        let live = self.worker_id.zip(self.assigned_at).zip(self.saved_at).zip(self.deadline);
        let stopping = Stopping { for_job: self.preempted_for.map(JobId::from_uuid) };
        match (live, NonZeroU32::new(last_attempt)) {
            (Some((((worker, started_at), saved_at), deadline)), Some(number)) => {
                let devices = Devices(self.devices.cast_unsigned());
                let one = || Seats::one(WorkerId::from_uuid(worker), devices);
                Phase::Live(Box::new(Live {
                    attempt: Attempt { job: id, number },
                    seats: Seats::new(seats).unwrap_or_else(one),
                    started_at,
                    deadline,
                    saved_at,
                    rate: Rate {
                        micro_credits_per_hour: self.rate_micro_credits.unsigned_abs(),
                        accelerator_milli: self.rate_accelerator_milli.unsigned_abs(),
                    },
                    stopping: (self.status == "stopping").then_some(stopping),
                }))
            }
            _ => Phase::Waiting { not_before: self.not_before, last_attempt },
        }
    }
}
