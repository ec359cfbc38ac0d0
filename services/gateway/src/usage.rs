//! What was used, what it cost, and what may still be spent: each tenant sees its own, the operator
//! anybody's.

use actix_web::{HttpResponse, delete, get, put, web};
use domain::{
    FieldErrors, TenantId, Timestamp,
    hint::Hint,
    name::Name,
    spend::{Budget, Spend},
};
use serde::{Deserialize, Serialize};
use store::{
    Tx, budgets, egress,
    predictions::{self, Predicted},
    usage::{self, PoolUsage},
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Body, Caller, Params,
    audit::Object,
    auth::{ManageTenants, ReadJobs, ReadTenants},
    money::{self, MICRO},
    quotas::tenant,
};

const MS_PER_HOUR: f64 = 3.6e6;
const DEFAULT_DAYS: i64 = 30;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(own_usage).service(usage_of).service(budget_of).service(grant).service(remove);
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Period {
    /// The first moment of the period; thirty days before its end if absent.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// The first moment after the period; now if absent.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

impl Period {
    fn bounds(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), ApiError> {
        let until = self.until.unwrap_or(now);
        let days = chrono::Duration::days(DEFAULT_DAYS);
        let from = self.from.or_else(|| until.checked_sub_signed(days)).unwrap_or(until);
        if from > until {
            let why = format!("{from} is after `until`, {until}; give an earlier one");
            return Err(ApiError::field("from", why));
        }
        Ok((from, until))
    }
}

/// Of attempts that ended in the period, also failed, stopped and lost ones.
#[derive(Serialize, ToSchema)]
struct UsageView {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    /// By pool and outcome.
    attempts: Vec<PoolUsageView>,
    /// The sum of what was paid.
    paid: SpendView,
    /// Of datasets and models, looked at once an hour.
    storage_byte_hours: u64,
    /// Of files, downloaded in the hours that begin in the period; a second may be missing.
    egress_bytes: u64,
    egress_this_month: EgressView,
    /// What was asked of models in the period; ten seconds may be missing.
    predictions: PredictionsView,
    budget: Option<BudgetView>,
}

#[derive(Serialize, ToSchema)]
struct PredictionsView {
    requests: u64,
    rows: u64,
    /// Of texts that language models have made.
    tokens: u64,
    compute_ms: u64,
}

impl From<Predicted> for PredictionsView {
    fn from(Predicted { requests, rows, tokens, micros }: Predicted) -> Self {
        Self { requests, rows, tokens, compute_ms: micros / 1_000 }
    }
}

/// What was downloaded in the month of UTC that it is, of what may be.
#[derive(Serialize, ToSchema)]
struct EgressView {
    bytes: u64,
    limit: u64,
    #[schema(value_type = String, format = DateTime)]
    resets_at: Timestamp,
}

impl From<egress::Month> for EgressView {
    fn from(egress::Month { bytes, limit, resets_at }: egress::Month) -> Self {
        Self { bytes, limit, resets_at }
    }
}

#[derive(Serialize, ToSchema)]
struct PoolUsageView {
    pool: String,
    /// `succeeded`, `failed`, `stopped` or `lost`.
    outcome: String,
    attempts: u64,
    /// What was held, times how long: the sums of the attempts' own.
    cpu_ms: u64,
    memory_mib_ms: u64,
    accelerator_ms: u64,
    /// What the tenant pays of it. Work since the last checkpoint of an attempt that was preempted or
    /// lost is the platform's, and so is time beyond `max_runtime`.
    paid: SpendView,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SpendView {
    pub credits: f64,
    pub accelerator_hours: f64,
}

impl From<Spend> for SpendView {
    fn from(spend: Spend) -> Self {
        Self {
            credits: money::credits(spend.micro_credits),
            accelerator_hours: spend.accelerator_ms as f64 / MS_PER_HOUR,
        }
    }
}

/// What a tenant may spend, in all. `null`: no limit.
#[derive(Serialize, ToSchema)]
struct BudgetView {
    /// What has ended since then is counted as spent.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    granted: SpendLimitView,
    spent: SpendView,
    /// What live attempts may still cost: a job starts only if it is within what is left beside that.
    reserved: SpendView,
    left: SpendLimitView,
}

#[derive(Serialize, ToSchema)]
struct SpendLimitView {
    credits: Option<f64>,
    accelerator_hours: Option<f64>,
}

impl From<Spend> for SpendLimitView {
    fn from(limit: Spend) -> Self {
        let SpendView { credits, accelerator_hours } = limit.into();
        Self {
            credits: (limit.micro_credits != u64::MAX).then_some(credits),
            accelerator_hours: (limit.accelerator_ms != u64::MAX).then_some(accelerator_hours),
        }
    }
}

impl From<PoolUsage> for PoolUsageView {
    fn from(usage: PoolUsage) -> Self {
        let PoolUsage { pool, outcome, attempts, cpu_ms, memory_mib_ms, accelerator_ms, paid } =
            usage;
        let paid = paid.into();
        Self { pool, outcome, attempts, cpu_ms, memory_mib_ms, accelerator_ms, paid }
    }
}

/// What the tenant has used, and its budget.
#[utoipa::path(
    operation_id = "get_usage", tag = "usage",
    params(Period),
    responses((status = 200, body = UsageView)),
)]
#[get("/v1/usage")]
async fn own_usage(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    period: Params<Period>,
) -> Result<web::Json<UsageView>, ApiError> {
    let now = app.clock.now();
    let bounds = period.0.bounds(now)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let view = usage_in(&mut tx, caller.tenant(), bounds, now).await?;
    tx.commit().await?;
    Ok(web::Json(view))
}

/// What a tenant has used, and its budget.
#[utoipa::path(
    operation_id = "get_tenant_usage", tag = "usage",
    params(("slug" = Name, Path), Period),
    responses((status = 200, body = UsageView)),
)]
#[get("/v1/tenants/{slug}/usage")]
async fn usage_of(
    app: web::Data<App>,
    _caller: Caller<ReadTenants>,
    slug: web::Path<String>,
    period: Params<Period>,
) -> Result<web::Json<UsageView>, ApiError> {
    let now = app.clock.now();
    let bounds = period.0.bounds(now)?;
    let mut tx = app.store.begin().await?;
    let id = tenant(&mut tx, &slug).await?;
    let view = usage_in(&mut tx, id, bounds, now).await?;
    tx.commit().await?;
    Ok(web::Json(view))
}

async fn usage_in(
    tx: &mut impl Tx,
    tenant: TenantId,
    (from, until): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<UsageView, ApiError> {
    let attempts = usage::of_tenant(tx, tenant, from, until).await?;
    let paid = attempts.iter().fold(Spend::NONE, |sum, usage| sum.plus(usage.paid));
    Ok(UsageView {
        from,
        until,
        attempts: attempts.into_iter().map(PoolUsageView::from).collect(),
        paid: paid.into(),
        storage_byte_hours: usage::storage(tx, tenant, from, until).await?,
        egress_bytes: egress::between(tx, tenant, (from, until)).await?,
        egress_this_month: egress::month(tx, tenant, now).await?.into(),
        predictions: predictions::between(tx, tenant, (from, until)).await?.into(),
        budget: budget(tx, tenant).await?,
    })
}

async fn budget(tx: &mut impl Tx, tenant: TenantId) -> Result<Option<BudgetView>, ApiError> {
    let Some((budget, since)) = budgets::get(tx, tenant).await? else { return Ok(None) };
    let reserved = budgets::reserved(tx, tenant).await?;
    let Budget { granted, spent } = budget;
    Ok(Some(BudgetView {
        since,
        granted: granted.into(),
        spent: spent.into(),
        reserved: reserved.into(),
        left: budget.left(reserved).into(),
    }))
}

/// What a tenant may spend.
#[utoipa::path(
    operation_id = "get_budget", tag = "usage",
    params(("slug" = Name, Path)),
    responses((status = 200, body = BudgetView)),
)]
#[get("/v1/tenants/{slug}/budget")]
async fn budget_of(
    app: web::Data<App>,
    _caller: Caller<ReadTenants>,
    slug: web::Path<String>,
) -> Result<web::Json<BudgetView>, ApiError> {
    let mut tx = app.store.begin().await?;
    let id = tenant(&mut tx, &slug).await?;
    let view = budget(&mut tx, id).await?;
    tx.commit().await?;
    view.map(web::Json).ok_or_else(|| ApiError::not_found("budget of tenant", slug))
}

/// In all, with what was spent before; no limit where absent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BudgetDraft {
    credits: Option<f64>,
    accelerator_hours: Option<f64>,
}

impl BudgetDraft {
    fn check(&self) -> Result<Spend, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut pick = |field: &str, given: Option<f64>, unit: f64| {
            given.map_or(u64::MAX, |given| money::check(&mut errors, field, given, unit))
        };
        let micro_credits = pick("credits", self.credits, MICRO);
        let accelerator_ms = pick("accelerator_hours", self.accelerator_hours, MS_PER_HOUR);
        errors.into_result(Spend { micro_credits, accelerator_ms })
    }
}

/// Set what a tenant may spend, in all, since it first had a budget.
///
/// A job starts only if the most that it may cost is within what is left, so nothing is ever spent beyond
/// it. Lowering it stops nothing that runs.
#[utoipa::path(
    operation_id = "set_budget", tag = "usage",
    params(("slug" = Name, Path)),
    request_body = BudgetDraft,
    responses((status = 200, body = BudgetView)),
)]
#[put("/v1/tenants/{slug}/budget")]
async fn grant(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    slug: web::Path<String>,
    Body(draft): Body<BudgetDraft>,
) -> Result<web::Json<BudgetView>, ApiError> {
    let granted = draft.check()?;
    let mut tx = caller.begin_system(&app).await?;
    let id = tenant(&mut tx, &slug).await?;
    budgets::grant(&mut tx, id, &granted).await?;
    let view = budget(&mut *tx, id).await?;
    tx.done(Object::new("budget of tenant", &slug).of(id)).await?;
    app.bus.publish(Hint::Queue);
    view.map(web::Json).ok_or_else(|| ApiError::not_found("budget of tenant", slug))
}

/// Let a tenant spend without a limit; what it has spent is forgotten.
#[utoipa::path(
    operation_id = "remove_budget", tag = "usage",
    params(("slug" = Name, Path)),
    responses((status = 204)),
)]
#[delete("/v1/tenants/{slug}/budget")]
async fn remove(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    slug: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = caller.begin_system(&app).await?;
    let id = tenant(&mut tx, &slug).await?;
    if !budgets::remove(&mut tx, id).await? {
        return Err(ApiError::not_found("budget of tenant", slug));
    }
    tx.done(Object::new("budget of tenant", &slug).of(id)).await?;
    app.bus.publish(Hint::Queue);
    Ok(HttpResponse::NoContent().finish())
}
