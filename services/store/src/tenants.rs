//! Tenants and their limits: the operator's business.

use domain::{
    JobId, TenantId, Timestamp, WorkerId,
    job::{JobEvent, RetryPolicy},
    name::Name,
};

use crate::{
    StoreError, SystemTx, TenantTx, Tx, amounts,
    changes::{self, Change},
    jobs::transition::{Told, transition_all},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub name: String,
    pub limits: TenantLimits,
    pub created_at: Timestamp,
    /// From then on it submits and runs nothing.
    pub closed_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantLimits {
    pub max_running_jobs: u32,
    pub max_queued_jobs: u32,
    /// Of datasets and models.
    pub max_storage_bytes: u64,
    /// Of files that are downloaded, in a month of UTC.
    pub max_egress_bytes: u64,
}

struct Row {
    id: uuid::Uuid,
    slug: String,
    name: String,
    max_running_jobs: i32,
    max_queued_jobs: i32,
    max_storage_bytes: i64,
    max_egress_bytes: i64,
    created_at: Timestamp,
    closed_at: Option<Timestamp>,
}

impl From<Row> for Tenant {
    fn from(row: Row) -> Self {
        Self {
            id: TenantId::from_uuid(row.id),
            slug: row.slug,
            name: row.name,
            limits: TenantLimits {
                max_running_jobs: row.max_running_jobs.unsigned_abs(),
                max_queued_jobs: row.max_queued_jobs.unsigned_abs(),
                max_storage_bytes: row.max_storage_bytes.unsigned_abs(),
                max_egress_bytes: row.max_egress_bytes.unsigned_abs(),
            },
            created_at: row.created_at,
            closed_at: row.closed_at,
        }
    }
}

/// `None` if the slug is taken.
pub async fn create(
    tx: &mut SystemTx<'_>,
    id: TenantId,
    slug: &Name,
    name: &str,
) -> Result<Option<Tenant>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "insert into tenant (id, slug, name) values ($1, $2, $3)
         on conflict (slug) do nothing
         returning id, slug, name, max_running_jobs, max_queued_jobs, max_storage_bytes, max_egress_bytes,
                created_at, closed_at",
        id.uuid(),
        slug.as_str(),
        name,
    )
    .fetch_optional(tx.conn())
    .await?;
    noted(tx, row.map(Tenant::from)).await
}

/// The scheduler has to know of it.
async fn noted(
    tx: &mut SystemTx<'_>,
    tenant: Option<Tenant>,
) -> Result<Option<Tenant>, StoreError> {
    if let Some(tenant) = &tenant {
        changes::note(tx.conn(), &[Change::Tenant(tenant.id)]).await?;
    }
    Ok(tenant)
}

pub async fn by_id(tx: &mut SystemTx<'_>, id: TenantId) -> Result<Option<Tenant>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "select id, slug, name, max_running_jobs, max_queued_jobs, max_storage_bytes, max_egress_bytes,
                created_at, closed_at
         from tenant where id = $1",
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Tenant::from))
}

pub async fn by_slug(tx: &mut SystemTx<'_>, slug: &str) -> Result<Option<Tenant>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "select id, slug, name, max_running_jobs, max_queued_jobs, max_storage_bytes, max_egress_bytes,
                created_at, closed_at
         from tenant where slug = $1",
        slug,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Tenant::from))
}

pub async fn list(tx: &mut SystemTx<'_>) -> Result<Vec<Tenant>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "select id, slug, name, max_running_jobs, max_queued_jobs, max_storage_bytes, max_egress_bytes,
                created_at, closed_at
         from tenant order by slug limit 1000",
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Tenant::from).collect())
}

/// The tenant that the transaction works for.
pub async fn own(tx: &mut TenantTx<'_>) -> Result<Option<Tenant>, StoreError> {
    let id = tx.tenant().uuid();
    let row = sqlx::query_as!(
        Row,
        "select id, slug, name, max_running_jobs, max_queued_jobs, max_storage_bytes, max_egress_bytes,
                created_at, closed_at
         from tenant where id = $1",
        id,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Tenant::from))
}

pub async fn set_limits(
    tx: &mut SystemTx<'_>,
    slug: &str,
    limits: &TenantLimits,
) -> Result<Option<Tenant>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "update tenant
         set max_running_jobs = $2, max_queued_jobs = $3, max_storage_bytes = $4, max_egress_bytes = $5
         where slug = $1
         returning id, slug, name, max_running_jobs, max_queued_jobs, max_storage_bytes, max_egress_bytes,
                created_at, closed_at",
        slug,
        amounts::int(limits.max_running_jobs),
        amounts::int(limits.max_queued_jobs),
        amounts::big(limits.max_storage_bytes),
        amounts::big(limits.max_egress_bytes),
    )
    .fetch_optional(tx.conn())
    .await?;
    noted(tx, row.map(Tenant::from)).await
}

/// Ends all that a tenant does: its keys are revoked, its jobs are asked to end, and it submits no more.
/// What it has stays. Answers with the jobs that still run, and where; `None` if there is no such tenant.
pub async fn close(
    tx: &mut SystemTx<'_>,
    slug: &str,
    retry: &RetryPolicy,
) -> Result<Option<Vec<(JobId, WorkerId)>>, StoreError> {
    let closed = sqlx::query_scalar!(
        "update tenant set closed_at = coalesce(closed_at, now()) where slug = $1 returning id",
        slug,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(tenant) = closed else { return Ok(None) };
    // a submission that began before holds this until its job is there to be found
    sqlx::query!("select from queue_bound where tenant_id = $1 for update", tenant)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "update api_key set revoked_at = now() where tenant_id = $1 and revoked_at is null",
        tenant,
    )
    .execute(tx.conn())
    .await?;
    let open = sqlx::query_scalar!(
        "select id from job where tenant_id = $1 and finished_at is null",
        tenant,
    )
    .fetch_all(tx.conn())
    .await?;
    let events = open.into_iter().map(|id| (JobId::from_uuid(id), JobEvent::CancelAsked)).collect();
    let outcomes = transition_all(tx.conn(), events, retry, Told::ByOthers).await?;
    changes::note(tx.conn(), &[Change::Tenant(TenantId::from_uuid(tenant))]).await?;
    let running = outcomes.into_iter().filter_map(|(id, outcome)| {
        let worker = outcome.ok()?.run()?.worker;
        Some((id, worker))
    });
    Ok(Some(running.collect()))
}
