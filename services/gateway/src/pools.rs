//! Pools of workers, and what a tenant may use of each: the operator's business.

use actix_web::{HttpResponse, delete, get, http::header, post, put, web};
use domain::{FieldErrors, PoolId, Resources, TenantId, Timestamp, name::Name, world::Quota};
use serde::{Deserialize, Serialize};
use store::{
    pools::{self, Pool},
    tenants,
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Body, Caller, Code, Listing,
    auth::{ManagePools, ManageTenants, ReadSelf},
};

const MAX_KIND_CHARS: usize = 100;
const MAX_COHORT_CHARS: usize = 100;
const MAX_WEIGHT: i64 = 1_000_000;
/// So that sums of quotas stay numbers that mean something.
const MOST: i64 = 1 << 53;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(create).service(quotas).service(set_quota).service(remove_quota);
}

#[derive(Serialize, ToSchema)]
struct PoolView {
    id: PoolId,
    name: String,
    /// The kind of accelerator that its workers have.
    accelerator: Option<String>,
    /// Workers that take new work.
    workers: u64,
    /// Of these workers together.
    capacity: Resources,
    /// By live attempts.
    used: Resources,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Pool> for PoolView {
    fn from(pool: Pool) -> Self {
        let Pool { id, name, accelerator, workers, capacity, used, created_at } = pool;
        Self { id, name, accelerator, workers, capacity, used, created_at }
    }
}

/// Every pool, with what its workers have and what is used of it.
#[utoipa::path(
    operation_id = "list_pools", tag = "pools",
    responses((status = 200, body = Listing<PoolView>)),
)]
#[get("/v1/pools")]
async fn list(
    app: web::Data<App>,
    _caller: Caller<ReadSelf>,
) -> Result<web::Json<Listing<PoolView>>, ApiError> {
    let mut tx = app.store.begin().await?;
    let found = pools::list(&mut tx).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(PoolView::from).collect())))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PoolDraft {
    #[schema(value_type = Name)]
    name: String,
    /// The kind of accelerator that its workers have, as `nvidia-h100`; absent if they have none.
    accelerator: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct CreatedPool {
    id: PoolId,
    name: Name,
    accelerator: Option<String>,
}

/// Make a pool; workers join it by its name.
#[utoipa::path(
    operation_id = "create_pool", tag = "pools",
    request_body = PoolDraft,
    responses((status = 201, body = CreatedPool)),
)]
#[post("/v1/pools")]
async fn create(
    app: web::Data<App>,
    _caller: Caller<ManagePools>,
    Body(draft): Body<PoolDraft>,
) -> Result<HttpResponse, ApiError> {
    let name: Name = draft
        .name
        .parse()
        .map_err(|error: domain::name::NameError| ApiError::field("name", error.to_string()))?;
    if let Some(kind) = &draft.accelerator {
        let length = kind.chars().count();
        if length == 0 || length > MAX_KIND_CHARS || kind.chars().any(char::is_control) {
            let why = format!("must be 1 to {MAX_KIND_CHARS} characters on one line");
            return Err(ApiError::field("accelerator", why));
        }
    }
    let mut tx = app.store.begin().await?;
    let made = pools::create(&mut tx, PoolId::generate(), &name, draft.accelerator.as_deref());
    let id = made
        .await?
        .ok_or_else(|| ApiError::new(Code::Conflict, format!("name: `{name}` is taken")))?;
    tx.commit().await?;
    let pool = CreatedPool { id, name, accelerator: draft.accelerator };
    Ok(HttpResponse::Created().insert_header((header::LOCATION, "/v1/pools")).json(pool))
}

/// What a tenant may use of a pool. Without one: nothing guaranteed, no limit, weight 1, no cohort.
#[derive(Serialize, ToSchema)]
struct QuotaView {
    pool: String,
    /// What it gets back from borrowers whenever it needs it.
    guaranteed: Resources,
    limit: LimitView,
    weight: u32,
    cohort: Option<String>,
}

/// Guaranteed and borrowed together; `null`: no limit.
#[derive(Serialize, ToSchema)]
struct LimitView {
    cpu_milli: Option<u64>,
    memory_bytes: Option<u64>,
    accelerator_milli: Option<u64>,
}

impl QuotaView {
    fn new(pool: String, quota: Quota) -> Self {
        let Quota { guaranteed, limit, weight, cohort } = quota;
        let some = |n: u64| (n != u64::MAX).then_some(n);
        let limit = LimitView {
            cpu_milli: some(limit.cpu_milli),
            memory_bytes: some(limit.memory_bytes),
            accelerator_milli: some(limit.accelerator_milli),
        };
        Self { pool, guaranteed, limit, weight, cohort }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuotaDraft {
    /// Nothing if absent.
    guaranteed: Option<AmountDraft>,
    /// No limit where absent.
    limit: Option<AmountDraft>,
    /// Its part of what is lent, against the weights of the others; 1 if absent. Of weight 0 it gets
    /// only what nobody else wants.
    weight: Option<i64>,
    /// Tenants of one cohort lend to each other and to nobody else.
    cohort: Option<String>,
}

#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
struct AmountDraft {
    cpu_milli: Option<i64>,
    memory_bytes: Option<i64>,
    accelerator_milli: Option<i64>,
}

impl AmountDraft {
    fn resources(&self, field: &str, absent: u64, errors: &mut FieldErrors) -> Resources {
        let mut pick = |name: &str, given: Option<i64>| match given {
            None => absent,
            Some(n) if (0..=MOST).contains(&n) => n.unsigned_abs(),
            Some(n) => {
                errors.add(format!("{field}.{name}"), format!("`{n}`: use 0 to {MOST}"));
                absent
            }
        };
        Resources {
            cpu_milli: pick("cpu_milli", self.cpu_milli),
            memory_bytes: pick("memory_bytes", self.memory_bytes),
            accelerator_milli: pick("accelerator_milli", self.accelerator_milli),
        }
    }
}

impl QuotaDraft {
    fn check(self) -> Result<Quota, FieldErrors> {
        let mut errors = FieldErrors::default();
        let guaranteed = self.guaranteed.unwrap_or_default();
        let guaranteed = guaranteed.resources("guaranteed", 0, &mut errors);
        let limit = self.limit.unwrap_or_default().resources("limit", u64::MAX, &mut errors);
        let weight = self.weight.unwrap_or(1);
        if !(0..=MAX_WEIGHT).contains(&weight) {
            errors.add("weight", format!("`{weight}`: use 0 to {MAX_WEIGHT}"));
        }
        if let Some(name) = guaranteed.first_beyond(&limit) {
            let (guaranteed, limit) = (guaranteed.get(name), limit.get(name));
            let why = format!("{guaranteed} is more than the limit, {limit}; raise the limit");
            errors.add("guaranteed", why);
        }
        if let Some(cohort) = &self.cohort {
            let length = cohort.chars().count();
            if length == 0 || length > MAX_COHORT_CHARS || cohort.chars().any(char::is_control) {
                let why = format!("must be 1 to {MAX_COHORT_CHARS} characters on one line");
                errors.add("cohort", why);
            }
        }
        let weight = u32::try_from(weight).unwrap_or(1);
        errors.into_result(Quota { guaranteed, limit, weight, cohort: self.cohort })
    }
}

async fn tenant(tx: &mut store::SystemTx<'_>, slug: &str) -> Result<TenantId, ApiError> {
    let tenant = tenants::by_slug(tx, slug).await?;
    Ok(tenant.ok_or_else(|| ApiError::not_found("tenant", slug))?.id)
}

/// A tenant's quotas; pools where it has none are left out.
#[utoipa::path(
    operation_id = "list_quotas", tag = "pools",
    params(("slug" = Name, Path)),
    responses((status = 200, body = Listing<QuotaView>)),
)]
#[get("/v1/tenants/{slug}/quotas")]
async fn quotas(
    app: web::Data<App>,
    _caller: Caller<ManageTenants>,
    slug: web::Path<String>,
) -> Result<web::Json<Listing<QuotaView>>, ApiError> {
    let mut tx = app.store.begin().await?;
    let id = tenant(&mut tx, &slug).await?;
    let found = pools::quotas(&mut tx, id).await?;
    tx.commit().await?;
    let view = found.into_iter().map(|(pool, quota)| QuotaView::new(pool, quota));
    Ok(web::Json(Listing::whole(view.collect())))
}

/// Set what a tenant may use of a pool.
///
/// It holds from the scheduler's next plan on. What runs beyond a lowered limit is stopped after a
/// checkpoint and waits.
#[utoipa::path(
    operation_id = "set_quota", tag = "pools",
    params(("slug" = Name, Path), ("pool" = Name, Path)),
    request_body = QuotaDraft,
    responses((status = 200, body = QuotaView)),
)]
#[put("/v1/tenants/{slug}/quotas/{pool}")]
async fn set_quota(
    app: web::Data<App>,
    _caller: Caller<ManageTenants>,
    path: web::Path<(String, String)>,
    Body(draft): Body<QuotaDraft>,
) -> Result<web::Json<QuotaView>, ApiError> {
    let (slug, pool) = path.into_inner();
    let quota = draft.check()?;
    let mut tx = app.store.begin().await?;
    let id = tenant(&mut tx, &slug).await?;
    if !pools::set_quota(&mut tx, id, &pool, &quota).await? {
        return Err(ApiError::not_found("pool", pool));
    }
    tx.commit().await?;
    app.bus.publish(domain::hint::Hint::Queue).await;
    Ok(web::Json(QuotaView::new(pool, quota)))
}

/// Back to the default: nothing guaranteed, no limit, weight 1.
#[utoipa::path(
    operation_id = "remove_quota", tag = "pools",
    params(("slug" = Name, Path), ("pool" = Name, Path)),
    responses((status = 204)),
)]
#[delete("/v1/tenants/{slug}/quotas/{pool}")]
async fn remove_quota(
    app: web::Data<App>,
    _caller: Caller<ManageTenants>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (slug, pool) = path.into_inner();
    let mut tx = app.store.begin().await?;
    let id = tenant(&mut tx, &slug).await?;
    if !pools::remove_quota(&mut tx, id, &pool).await? {
        return Err(ApiError::not_found("quota in pool", pool));
    }
    tx.commit().await?;
    app.bus.publish(domain::hint::Hint::Queue).await;
    Ok(HttpResponse::NoContent().finish())
}
