//! Jobs: submitting, reading and cancelling them. How a job moves from state to state is in
//! [`transition`], the only code that writes a job's status.

mod caps;
mod dependencies;
mod insert;
mod kind;
mod ledger;
mod locked;
mod room;
mod row;
pub mod sweeps;
pub(crate) mod transition;
mod write;

use std::slice;

use domain::{
    DatasetId, JobId, ModelId, PoolId, Resources, SweepId, TenantId, Timestamp, UserId, WorkerId,
    job::{Cause, JobEvent, JobKind, JobStatus, Refused, RetryPolicy},
    resources::ResourceName,
    spec::{AfterCondition, DEFAULT_POOL_ID, TrainingSpec},
    spend::Spend,
    wait::WaitReason,
    world::Concurrency,
};
use serde_json::Value;

pub use caps::refusal;
pub use room::settle as settle_queues;

use crate::models::{Evaluates, Inquired, Inquires, evaluations, inquiries};
use crate::{Page, PageRequest, StoreError, SystemTx, TenantTx, Tx, storage::Storage};

pub(crate) use kind::kind_of;
pub(crate) use row::{Row, json_column, one};

use insert::{NewRow, insert};
use kind::kind_str;
use row::select;

#[derive(Debug, Clone)]
pub struct Job {
    pub id: JobId,
    pub tenant: TenantId,
    pub kind: JobKind,
    pub name: String,
    pub dataset: DatasetId,
    pub dataset_name: String,
    pub dataset_version: u32,
    pub spec: Option<TrainingSpec>,
    pub priority: i32,
    /// Of each of its workers.
    pub resources: Resources,
    pub workers: u32,
    pub pool: String,
    pub max_runtime: u64,
    pub status: JobStatus,
    pub attempt: u32,
    pub tries: u32,
    pub worker: Option<WorkerId>,
    pub cause: Option<Cause>,
    pub wait_reason: Option<WaitReason>,
    pub concurrency: Option<Concurrency>,
    pub point: Option<(SweepId, Value)>,
    pub step: Option<u64>,
    pub total_steps: Option<u64>,
    /// The published model's name and version.
    pub published: Option<(String, u32)>,
    /// What it asks a version, of a job that does.
    pub inquired: Option<Inquired>,
    pub last_event: u64,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub struct NewJob {
    pub id: JobId,
    pub name: String,
    pub submitted_by: UserId,
    pub dataset: DatasetId,
    pub dataset_version: u32,
    pub priority: i32,
    /// Of each of its workers.
    pub resources: Resources,
    pub workers: u32,
    pub pool: PoolId,
    pub max_runtime: u64,
    /// None for a profile job.
    pub spec: Option<TrainingSpec>,
    /// Jobs that have to end first, and how.
    pub after: Vec<(JobId, AfterCondition)>,
    /// At once if absent.
    pub not_before: Option<Timestamp>,
    pub concurrency: Option<Concurrency>,
    /// Of a sweep, and which values make it that one.
    pub point: Option<(SweepId, Value)>,
    /// The version that it makes again.
    pub reproduces: Option<(ModelId, u32)>,
    /// The version whose weights it starts from.
    pub base: Option<(ModelId, u32)>,
    /// What it judges, of a job that trains nothing.
    pub evaluates: Option<Evaluates>,
    /// What it asks one version.
    pub inquires: Option<Inquires>,
}

impl NewJob {
    /// On one worker of the default pool, as soon as there is room. With neither a specification nor
    /// versions to judge or to ask it profiles its data.
    pub fn new(
        name: String,
        submitted_by: UserId,
        (dataset, version): (DatasetId, u32),
        (resources, max_runtime): (Resources, u64),
    ) -> Self {
        Self {
            id: JobId::generate(),
            name,
            submitted_by,
            dataset,
            dataset_version: version,
            priority: 0,
            resources,
            workers: 1,
            pool: DEFAULT_POOL_ID,
            max_runtime,
            spec: None,
            after: Vec::new(),
            not_before: None,
            concurrency: None,
            point: None,
            reproduces: None,
            base: None,
            evaluates: None,
            inquires: None,
        }
    }

    pub const fn kind(&self) -> JobKind {
        match (&self.spec, &self.evaluates, &self.inquires) {
            (Some(_), ..) => JobKind::Train,
            (None, Some(_), _) => JobKind::Evaluate,
            (None, None, Some(asks)) => asks.inquiry.kind(),
            (None, None, None) => JobKind::Profile,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    Accepted,
    Refused(Refusal),
    /// There is no such job to wait for.
    UnknownDependency(JobId),
    /// It has ended already, and not as it is waited for.
    ImpossibleDependency(JobId, JobStatus),
}

/// Which hard cap a job is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    TenantClosed,
    /// What it trains could not be stored.
    StorageFull(Storage),
    /// The tenant has as many waiting jobs as it may.
    QueueFull {
        limit: u32,
    },
    /// The same in this pool.
    PoolQueueFull {
        limit: u32,
    },
    /// Its quota in the pool allows no job that asks for so much.
    TooLarge {
        resource: ResourceName,
        asked: u64,
        most: u64,
    },
    /// It may cost more than is left of the tenant's budget, even if all that runs now cost nothing.
    BeyondBudget {
        cost: Spend,
        left: Spend,
    },
}

#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    pub status: Option<JobStatus>,
    pub kind: Option<JobKind>,
    pub sweep: Option<SweepId>,
}

/// Queues a job. A profile job is the platform's own and does not count against the queue's limit.
pub async fn submit(tx: &mut TenantTx<'_>, job: &NewJob) -> Result<Submitted, StoreError> {
    submit_all(tx, slice::from_ref(job)).await
}

/// Queues all of these jobs or, if one of them cannot be, none.
pub async fn submit_all(tx: &mut TenantTx<'_>, jobs: &[NewJob]) -> Result<Submitted, StoreError> {
    let counted: Vec<_> = jobs.iter().filter(|job| job.kind() != JobKind::Profile).collect();
    if !counted.is_empty() {
        // one submission of a tenant at a time from here on, so that counts are exact
        if let Some(limit) = room::take(tx, counted.len()).await? {
            return Ok(Submitted::Refused(Refusal::QueueFull { limit }));
        }
        if let Some(refusal) = caps::beyond(tx, &counted).await? {
            return Ok(Submitted::Refused(refusal));
        }
    }
    let mut rows = Vec::with_capacity(jobs.len());
    for job in jobs {
        match dependencies::check(tx, &job.after).await? {
            Ok(on) => rows.push(NewRow::of(job, on)),
            Err(refused) => return Ok(refused),
        }
    }
    insert(tx, &rows).await?;
    for job in jobs {
        dependencies::insert(tx, job).await?;
        if let Some(asked) = &job.evaluates {
            evaluations::insert(tx, job.id, asked).await?;
        }
        if let Some(asked) = &job.inquires {
            inquiries::insert(tx, job.id, asked).await?;
        }
    }
    Ok(Submitted::Accepted)
}

pub async fn get(tx: &mut TenantTx<'_>, id: JobId) -> Result<Option<Job>, StoreError> {
    let mut query = select(tx.tenant());
    query.push(" and j.id = ").push_bind(id.uuid());
    let row: Option<Row> = query.build_query_as().fetch_optional(tx.conn()).await?;
    row.map(Job::try_from).transpose()
}

/// Whose job it is, for those who may see every tenant's.
pub async fn tenant_of(tx: &mut SystemTx<'_>, id: JobId) -> Result<Option<TenantId>, StoreError> {
    let tenant = sqlx::query_scalar!("select tenant_id from job where id = $1", id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(tenant.map(TenantId::from_uuid))
}

pub async fn list(
    tx: &mut TenantTx<'_>,
    filter: &JobFilter,
    page: PageRequest,
) -> Result<Page<Job>, StoreError> {
    let mut query = select(tx.tenant());
    if let Some(status) = filter.status {
        query.push(" and j.status = ").push_bind(status.as_str());
        if !status.is_final() {
            // of very many, those that have not ended are few, and have an index
            query.push(" and j.finished_at is null");
        }
    }
    if let Some(kind) = filter.kind {
        query.push(" and j.kind = ").push_bind(kind_str(kind));
    }
    if let Some(sweep) = filter.sweep {
        query.push(" and j.sweep_id = ").push_bind(sweep.uuid());
    }
    if let Some(before) = page.before {
        query.push(" and j.id < ").push_bind(before);
    }
    query.push(" order by j.id desc limit ").push_bind(page.fetch());
    let rows: Vec<Row> = query.build_query_as().fetch_all(tx.conn()).await?;
    let jobs = rows.into_iter().map(Job::try_from).collect::<Result<_, _>>()?;
    Ok(Page::of(jobs, page))
}

/// Holds a job until it is resumed: a waiting one does not start, a live one stops after a checkpoint.
/// `None` if there is no such job.
pub async fn pause(
    tx: &mut TenantTx<'_>,
    id: JobId,
    retry: &RetryPolicy,
) -> Result<Option<Result<Job, Refused>>, StoreError> {
    ask(tx, id, JobEvent::PauseAsked, retry).await
}

/// Lets a paused job go on from its checkpoint.
pub async fn resume(
    tx: &mut TenantTx<'_>,
    id: JobId,
    retry: &RetryPolicy,
) -> Result<Option<Result<Job, Refused>>, StoreError> {
    ask(tx, id, JobEvent::ResumeAsked, retry).await
}

async fn ask(
    tx: &mut TenantTx<'_>,
    id: JobId,
    event: JobEvent,
    retry: &RetryPolicy,
) -> Result<Option<Result<Job, Refused>>, StoreError> {
    if get(tx, id).await?.is_none() {
        return Ok(None);
    }
    if let Err(refused) = transition::transition(tx.conn(), id, event, retry).await? {
        return Ok(Some(Err(refused)));
    }
    Ok(get(tx, id).await?.map(Ok))
}

/// Asks a job to end. `None` if there is no such job; asking again, or too late, changes nothing.
pub async fn cancel(
    tx: &mut TenantTx<'_>,
    id: JobId,
    retry: &RetryPolicy,
) -> Result<Option<Job>, StoreError> {
    if get(tx, id).await?.is_none() {
        return Ok(None);
    }
    match transition::transition(tx.conn(), id, JobEvent::CancelAsked, retry).await? {
        Ok(_) | Err(Refused::Finished | Refused::NotNow | Refused::Superseded) => {}
    }
    get(tx, id).await
}
