//! Tenants and their limits: the operator's business. A tenant begins with an invitation to its first owner.

use actix_web::{HttpResponse, delete, get, http::header, patch, post, web};
use domain::{FieldErrors, TenantId, Timestamp, access::Role, hint::Hint, name::Name};
use serde::{Deserialize, Serialize};
use store::{
    tenant_keys,
    tenants::{self, Tenant, TenantLimits},
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Body, Caller, Code, Listing, Params,
    audit::Object,
    auth::{ManageTenants, ReadTenants},
    invitations::{self, IssuedInvitation},
    people::{check_email, check_label},
    quotas::tenant,
};

const MAX_JOBS: i64 = 1_000_000;
const MAX_BYTES: i64 = 1 << 60;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(create).service(get).service(change).service(close);
}

#[derive(Serialize, ToSchema)]
struct TenantView {
    id: TenantId,
    slug: String,
    name: String,
    limits: LimitsView,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From then on it submits and runs nothing.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
struct LimitsView {
    max_running_jobs: u32,
    max_queued_jobs: u32,
    /// Of datasets and models.
    max_storage_bytes: u64,
    /// Of files that are downloaded, in a month of UTC.
    max_egress_bytes: u64,
}

impl From<Tenant> for TenantView {
    fn from(Tenant { id, slug, name, limits, created_at, closed_at }: Tenant) -> Self {
        let limits = LimitsView {
            max_running_jobs: limits.max_running_jobs,
            max_queued_jobs: limits.max_queued_jobs,
            max_storage_bytes: limits.max_storage_bytes,
            max_egress_bytes: limits.max_egress_bytes,
        };
        Self { id, slug, name, limits, created_at, closed_at }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TenantDraft {
    #[schema(value_type = Name)]
    slug: String,
    /// The company's name, 1 to 100 characters.
    name: String,
    owner: OwnerDraft,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnerDraft {
    #[schema(examples("ada@example.com"))]
    email: String,
}

#[derive(Serialize, ToSchema)]
struct CreatedTenant {
    tenant: TenantView,
    /// For its first owner.
    invitation: IssuedInvitation,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TenantChange {
    limits: LimitsChange,
}

/// What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LimitsChange {
    max_running_jobs: Option<i64>,
    max_queued_jobs: Option<i64>,
    max_storage_bytes: Option<i64>,
    max_egress_bytes: Option<i64>,
}

impl LimitsChange {
    fn apply(&self, now: TenantLimits) -> Result<TenantLimits, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut pick = |field: &str, wanted: Option<i64>, most: i64, now: u64| match wanted {
            Some(value) if !(0..=most).contains(&value) => {
                errors.add(format!("limits.{field}"), format!("`{value}`: use 0 to {most}"));
                now
            }
            Some(value) => value.unsigned_abs(),
            None => now,
        };
        let (running, queued) = (now.max_running_jobs.into(), now.max_queued_jobs.into());
        let running = pick("max_running_jobs", self.max_running_jobs, MAX_JOBS, running);
        let queued = pick("max_queued_jobs", self.max_queued_jobs, MAX_JOBS, queued);
        let (storage, egress) = (now.max_storage_bytes, now.max_egress_bytes);
        let storage = pick("max_storage_bytes", self.max_storage_bytes, MAX_BYTES, storage);
        let egress = pick("max_egress_bytes", self.max_egress_bytes, MAX_BYTES, egress);
        errors.into_result(TenantLimits {
            max_running_jobs: u32::try_from(running).unwrap_or(u32::MAX),
            max_queued_jobs: u32::try_from(queued).unwrap_or(u32::MAX),
            max_storage_bytes: storage,
            max_egress_bytes: egress,
        })
    }
}

/// Every tenant.
#[utoipa::path(
    operation_id = "list_tenants", tag = "tenants",
    responses((status = 200, body = Listing<TenantView>)),
)]
#[get("/v1/tenants")]
async fn list(
    app: web::Data<App>,
    _caller: Caller<ReadTenants>,
) -> Result<web::Json<Listing<TenantView>>, ApiError> {
    let mut tx = app.store.begin().await?;
    let found = tenants::list(&mut tx).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(TenantView::from).collect())))
}

/// Make a tenant, and an invitation to its first owner: hand them the token.
#[utoipa::path(
    operation_id = "create_tenant", tag = "tenants",
    request_body = TenantDraft,
    responses(
        (status = 201, body = CreatedTenant),
        (status = 409, description = "The slug is taken"),
    ),
)]
#[post("/v1/tenants")]
async fn create(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    Body(draft): Body<TenantDraft>,
) -> Result<HttpResponse, ApiError> {
    let slug = check(&draft)?;
    let TenantDraft { name, owner, .. } = draft;
    let mut tx = caller.begin_system(&app).await?;
    let tenant = tenants::create(&mut tx, TenantId::generate(), &slug, &name)
        .await?
        .ok_or_else(|| ApiError::new(Code::Conflict, format!("slug: `{slug}` is taken")))?;
    let first = (owner.email.as_str(), Role::Owner);
    let invitation =
        invitations::issue(&app, &mut tx, Some(tenant.id), first, caller.user()).await?;
    tx.done(Object::new("tenant", &slug).of(tenant.id)).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/v1/tenants/{slug}")))
        .json(CreatedTenant { tenant: tenant.into(), invitation }))
}

fn check(draft: &TenantDraft) -> Result<Name, FieldErrors> {
    let mut errors = FieldErrors::default();
    let slug = draft.slug.parse::<Name>();
    if let Err(error) = &slug {
        errors.add("slug", error.to_string());
    }
    check_label(&mut errors, "name", &draft.name);
    check_email(&mut errors, "owner.email", &draft.owner.email);
    match slug {
        Ok(slug) => errors.into_result(slug),
        Err(_) => Err(errors),
    }
}

/// One tenant.
#[utoipa::path(
    operation_id = "get_tenant", tag = "tenants",
    params(("slug" = Name, Path)),
    responses((status = 200, body = TenantView)),
)]
#[get("/v1/tenants/{slug}")]
async fn get(
    app: web::Data<App>,
    _caller: Caller<ReadTenants>,
    slug: web::Path<String>,
) -> Result<web::Json<TenantView>, ApiError> {
    let mut tx = app.store.begin().await?;
    let tenant = tenants::by_slug(&mut tx, &slug).await?;
    tx.commit().await?;
    let tenant = tenant.ok_or_else(|| ApiError::not_found("tenant", slug))?;
    Ok(web::Json(tenant.into()))
}

/// Change a tenant's limits.
#[utoipa::path(
    operation_id = "change_tenant", tag = "tenants",
    params(("slug" = Name, Path)),
    request_body = TenantChange,
    responses((status = 200, body = TenantView)),
)]
#[patch("/v1/tenants/{slug}")]
async fn change(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    slug: web::Path<String>,
    Body(wanted): Body<TenantChange>,
) -> Result<web::Json<TenantView>, ApiError> {
    let missing = || ApiError::not_found("tenant", &slug);
    let mut tx = caller.begin_system(&app).await?;
    let tenant = tenants::by_slug(&mut tx, &slug).await?.ok_or_else(missing)?;
    let limits = wanted.limits.apply(tenant.limits)?;
    let tenant = tenants::set_limits(&mut tx, &slug, &limits).await?.ok_or_else(missing)?;
    tx.done(Object::new("tenant", &slug).of(tenant.id)).await?;
    Ok(web::Json(tenant.into()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Closing {
    /// Destroy its key too, and by it all that it has stored.
    #[serde(default)]
    erase: bool,
}

/// Close a tenant.
///
/// Its keys stop working, its waiting jobs are cancelled and its running ones stop within moments; its
/// schedules submit nothing more. What it has stays, unless it is erased: then the key that its data is encrypted
/// with is destroyed, and nobody can read the data any more, whatever copies there are. Closing it again changes
/// nothing.
#[utoipa::path(
    operation_id = "close_tenant", tag = "tenants",
    params(("slug" = Name, Path), Closing),
    responses((status = 204)),
)]
#[delete("/v1/tenants/{slug}")]
async fn close(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    slug: web::Path<String>,
    Params(Closing { erase }): Params<Closing>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = caller.begin_system(&app).await?;
    let id = tenant(&mut tx, &slug).await?;
    let running = tenants::close(&mut tx, &slug, &app.config.retry).await?.unwrap_or_default();
    if erase {
        tenant_keys::destroy(&mut tx, id).await?;
    }
    let what = if erase { "tenant and its keys" } else { "tenant" };
    tx.done(Object::new(what, &slug).of(id)).await?;
    app.bus.publish(Hint::Queue);
    for (job, worker) in running {
        app.bus.publish(Hint::Worker(worker));
        app.bus.publish(Hint::Job(job));
    }
    Ok(HttpResponse::NoContent().finish())
}
