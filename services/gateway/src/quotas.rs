//! What a tenant may use of each pool: the operator's business.

use actix_web::{HttpResponse, delete, get, put, web};
use domain::{FieldErrors, Resources, TenantId, hint::Hint, name::Name, world::Quota};
use serde::{Deserialize, Serialize};
use store::{SystemTx, pools, tenants};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Body, Caller, Listing,
    audit::Object,
    auth::{ManageTenants, ReadTenants},
    people::check_label,
};

const MAX_WEIGHT: i64 = 1_000_000;
const MAX_JOBS: i64 = 1_000_000;
/// So that sums of quotas stay numbers that mean something.
const MOST: i64 = 1 << 53;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(quotas).service(set_quota).service(remove_quota);
}

/// What a tenant may use of a pool. Without one: nothing guaranteed, no limit, weight 1, no cohort.
#[derive(Serialize, ToSchema)]
struct QuotaView {
    pool: String,
    /// What it gets back from borrowers whenever it needs it.
    guaranteed: Resources,
    /// Guaranteed and borrowed together.
    limit: LimitView,
    weight: u32,
    cohort: Option<String>,
    /// `null`: no cap.
    max_running: Option<u32>,
    max_queued: Option<u32>,
    /// The most that one job may ask for.
    max_job: LimitView,
}

/// `null`: no limit.
#[derive(Serialize, ToSchema)]
struct LimitView {
    cpu_milli: Option<u64>,
    memory_bytes: Option<u64>,
    accelerator_milli: Option<u64>,
}

impl From<Resources> for LimitView {
    fn from(limit: Resources) -> Self {
        let some = |n: u64| (n != u64::MAX).then_some(n);
        Self {
            cpu_milli: some(limit.cpu_milli),
            memory_bytes: some(limit.memory_bytes),
            accelerator_milli: some(limit.accelerator_milli),
        }
    }
}

impl QuotaView {
    fn new(pool: String, quota: Quota) -> Self {
        let Quota { guaranteed, limit, weight, cohort, max_running, max_queued, max_job } = quota;
        let some = |n: u32| (n != u32::MAX).then_some(n);
        Self {
            pool,
            guaranteed,
            limit: limit.into(),
            weight,
            cohort,
            max_running: some(max_running),
            max_queued: some(max_queued),
            max_job: max_job.into(),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaDraft {
    /// Nothing if absent.
    guaranteed: Option<AmountDraft>,
    /// No limit where absent.
    limit: Option<AmountDraft>,
    /// Its part of what is lent, against the weights of the others; 1 if absent. Of weight 0 it gets
    /// only what nobody else wants.
    weight: Option<i64>,
    /// Tenants of one cohort lend to each other and to nobody else.
    cohort: Option<String>,
    /// Jobs that run here at once; a further one waits. No cap if absent.
    max_running: Option<i64>,
    /// Jobs that wait here; a further one is refused. No cap if absent.
    max_queued: Option<i64>,
    /// The most that one job may ask for; a larger one is refused. No limit where absent.
    max_job: Option<AmountDraft>,
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
    pub(crate) fn check(self) -> Result<Quota, FieldErrors> {
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
            check_label(&mut errors, "cohort", cohort);
        }
        let max_running = count("max_running", self.max_running, &mut errors);
        let max_queued = count("max_queued", self.max_queued, &mut errors);
        let max_job = self.max_job.unwrap_or_default().resources("max_job", u64::MAX, &mut errors);
        let weight = u32::try_from(weight).unwrap_or(1);
        let cohort = self.cohort;
        errors.into_result(Quota {
            guaranteed,
            limit,
            weight,
            cohort,
            max_running,
            max_queued,
            max_job,
        })
    }
}

/// No cap if absent.
fn count(field: &str, given: Option<i64>, errors: &mut FieldErrors) -> u32 {
    match given {
        Some(n) if !(0..=MAX_JOBS).contains(&n) => {
            errors.add(field, format!("`{n}`: use 0 to {MAX_JOBS}"));
            u32::MAX
        }
        Some(n) => u32::try_from(n).unwrap_or(u32::MAX),
        None => u32::MAX,
    }
}

pub(crate) async fn tenant(tx: &mut SystemTx<'_>, slug: &str) -> Result<TenantId, ApiError> {
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
    _caller: Caller<ReadTenants>,
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
    caller: Caller<ManageTenants>,
    path: web::Path<(String, String)>,
    Body(draft): Body<QuotaDraft>,
) -> Result<web::Json<QuotaView>, ApiError> {
    let (slug, pool) = path.into_inner();
    let quota = draft.check()?;
    let mut tx = caller.begin_system(&app).await?;
    let id = tenant(&mut tx, &slug).await?;
    if !pools::set_quota(&mut tx, id, &pool, &quota).await? {
        return Err(ApiError::not_found("pool", pool));
    }
    tx.done(Object::new("quota in pool", &pool).of(id)).await?;
    app.bus.publish(Hint::Queue);
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
    caller: Caller<ManageTenants>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (slug, pool) = path.into_inner();
    let mut tx = caller.begin_system(&app).await?;
    let id = tenant(&mut tx, &slug).await?;
    if !pools::remove_quota(&mut tx, id, &pool).await? {
        return Err(ApiError::not_found("quota in pool", pool));
    }
    tx.done(Object::new("quota in pool", &pool).of(id)).await?;
    app.bus.publish(Hint::Queue);
    Ok(HttpResponse::NoContent().finish())
}
