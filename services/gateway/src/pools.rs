//! Pools of workers, and what an hour in them costs: the operator's business.

use actix_web::{HttpResponse, get, http::header, patch, post, web};
use domain::{FieldErrors, PoolId, Resources, Timestamp, hint::Hint, name::Name, spend::Prices};
use serde::{Deserialize, Serialize};
use store::pools::{self, Pool};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, App, Body, Caller, Code, Listing,
    audit::Object,
    auth::{ManagePools, ReadSelf},
    money::{self, MICRO},
    people::check_label,
};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(create).service(change);
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
    prices: PricesView,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What an attempt that starts now costs, in credits for an hour of each.
#[derive(Serialize, ToSchema)]
struct PricesView {
    cpu_hour: f64,
    gib_hour: f64,
    accelerator_hour: f64,
}

impl From<Prices> for PricesView {
    fn from(prices: Prices) -> Self {
        Self {
            cpu_hour: money::credits(prices.cpu_hour),
            gib_hour: money::credits(prices.gib_hour),
            accelerator_hour: money::credits(prices.accelerator_hour),
        }
    }
}

impl From<Pool> for PoolView {
    fn from(pool: Pool) -> Self {
        let Pool { id, name, accelerator, workers, capacity, used, prices, created_at } = pool;
        let prices = prices.into();
        Self { id, name, accelerator, workers, capacity, used, prices, created_at }
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
    responses(
        (status = 201, body = CreatedPool),
        (status = 409, description = "The name is taken"),
    ),
)]
#[post("/v1/pools")]
async fn create(
    app: web::Data<App>,
    caller: Caller<ManagePools>,
    Body(draft): Body<PoolDraft>,
) -> Result<HttpResponse, ApiError> {
    let name: Name = draft
        .name
        .parse()
        .map_err(|error: domain::name::NameError| ApiError::field("name", error.to_string()))?;
    if let Some(kind) = &draft.accelerator {
        let mut errors = FieldErrors::default();
        check_label(&mut errors, "accelerator", kind);
        errors.into_result(())?;
    }
    let mut tx = caller.begin_system(&app).await?;
    let made = pools::create(&mut tx, PoolId::generate(), &name, draft.accelerator.as_deref());
    let id = made
        .await?
        .ok_or_else(|| ApiError::new(Code::Conflict, format!("name: `{name}` is taken")))?;
    tx.done(Object::new("pool", &name)).await?;
    let pool = CreatedPool { id, name, accelerator: draft.accelerator };
    Ok(HttpResponse::Created().insert_header((header::LOCATION, "/v1/pools")).json(pool))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PoolChange {
    prices: PricesDraft,
}

/// In credits for an hour of each, counted in millionths; 0 where absent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PricesDraft {
    cpu_hour: Option<f64>,
    gib_hour: Option<f64>,
    accelerator_hour: Option<f64>,
}

impl PricesDraft {
    fn check(&self) -> Result<Prices, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut pick = |field: &str, given: Option<f64>| {
            money::check(&mut errors, &format!("prices.{field}"), given.unwrap_or(0.0), MICRO)
        };
        let cpu_hour = pick("cpu_hour", self.cpu_hour);
        let gib_hour = pick("gib_hour", self.gib_hour);
        let accelerator_hour = pick("accelerator_hour", self.accelerator_hour);
        errors.into_result(Prices { cpu_hour, gib_hour, accelerator_hour })
    }
}

/// Change what an hour in a pool costs.
///
/// It holds for attempts that start from now on; what runs keeps its price.
#[utoipa::path(
    operation_id = "change_pool", tag = "pools",
    params(("pool" = Name, Path)),
    request_body = PoolChange,
    responses((status = 200, body = PricesView)),
)]
#[patch("/v1/pools/{pool}")]
async fn change(
    app: web::Data<App>,
    caller: Caller<ManagePools>,
    pool: web::Path<String>,
    Body(wanted): Body<PoolChange>,
) -> Result<web::Json<PricesView>, ApiError> {
    let prices = wanted.prices.check()?;
    let mut tx = caller.begin_system(&app).await?;
    if !pools::set_prices(&mut tx, &pool, &prices).await? {
        return Err(ApiError::not_found("pool", pool));
    }
    tx.done(Object::new("pool", &pool)).await?;
    app.bus.publish(Hint::Queue);
    Ok(web::Json(prices.into()))
}
