//! A pool's queue, for those who run the platform: how its tenants stand, which jobs wait and why, and what
//! another quota would change before it is set. The planner decides, on a picture of the pool.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{get, post, web};
use domain::{
    JobId, PoolId, Resources, TenantId, Timestamp,
    name::Name,
    world::{Command, Facts, Quota},
};
use planner::{Policy, Queue};
use serde::Serialize;
use store::{SystemTx, picture, pools, tenants};
use utoipa::ToSchema;

use crate::{
    ApiError, App, Body, Caller, ServiceConfig,
    auth::{ManageTenants, ReadTenants},
    jobs::{EACH, ShareView, WaitReasonView},
    quotas::{QuotaDraft, tenant},
};

/// Of each tenant, so many of its first waiting jobs are shown, and so many of all together.
const SHOWN_OF_EACH: usize = 10;
const SHOWN: usize = 500;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show).service(what_if);
}

#[derive(Serialize, ToSchema)]
struct QueueView {
    pool: String,
    capacity: Resources,
    /// Those that use it, wait for it, or have something guaranteed there.
    tenants: Vec<StandingView>,
    /// In the order of their turns: of each tenant the first ten, and 500 in all.
    waiting: Vec<WaitingView>,
    /// What the next plan would start, and stop to make room.
    starts: Vec<PlacedView>,
    stops: Vec<PlacedView>,
}

#[derive(Serialize, ToSchema)]
struct StandingView {
    tenant: String,
    /// Of what it uses, what is not guaranteed to it.
    borrowed: Resources,
    #[serde(flatten)]
    share: ShareView,
}

#[derive(Serialize, ToSchema)]
struct WaitingView {
    job: JobId,
    tenant: String,
    reason: WaitReasonView,
    /// Jobs of its own tenant that go first, and tenants whose turn comes before its tenant's.
    own_ahead: usize,
    tenants_ahead: usize,
    priority: i32,
    /// By all of its workers.
    asks: Resources,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct PlacedView {
    job: JobId,
    tenant: String,
}

#[derive(Serialize, ToSchema)]
struct WhatIfView {
    /// As it is.
    now: QueueView,
    /// With the other quota.
    then: QueueView,
}

/// Who waits in a pool, and why.
///
/// How tenants stand, what waits with its place and its reason, and what the next plan would do.
#[utoipa::path(
    operation_id = "get_queue", tag = "pools",
    params(("pool" = Name, Path)),
    responses((status = 200, body = QueueView)),
)]
#[get("/v1/pools/{pool}/queue")]
async fn show(
    app: web::Data<App>,
    _caller: Caller<ReadTenants>,
    pool: web::Path<String>,
) -> Result<web::Json<QueueView>, ApiError> {
    let mut tx = app.store.begin().await?;
    let picture = Picture::of(&mut tx, &pool).await?;
    tx.commit().await?;
    let view = web::block(move || picture.view(None));
    Ok(web::Json(view.await.map_err(|error| ApiError::internal(&error))?))
}

/// What another quota would change, before it is set.
///
/// The pool's queue as it is, and as the next plan would leave it with this quota in place of the tenant's.
/// Nothing is changed.
#[utoipa::path(
    operation_id = "foresee_quota", tag = "pools",
    params(("slug" = Name, Path), ("pool" = Name, Path)),
    request_body = QuotaDraft,
    responses((status = 200, body = WhatIfView)),
)]
#[post("/v1/tenants/{slug}/quotas/{pool}/what-if")]
async fn what_if(
    app: web::Data<App>,
    _caller: Caller<ManageTenants>,
    path: web::Path<(String, String)>,
    Body(draft): Body<QuotaDraft>,
) -> Result<web::Json<WhatIfView>, ApiError> {
    let (slug, pool) = path.into_inner();
    let quota = draft.check()?;
    let mut tx = app.store.begin().await?;
    let tenant = tenant(&mut tx, &slug).await?;
    let picture = Picture::of(&mut tx, &pool).await?;
    tx.commit().await?;
    let view = web::block(move || WhatIfView {
        now: picture.view(None),
        then: picture.view(Some((tenant, quota))),
    });
    Ok(web::Json(view.await.map_err(|error| ApiError::internal(&error))?))
}

/// What decides about a pool, and its tenants' names.
struct Picture {
    pool: PoolId,
    name: String,
    facts: Facts,
    now: Timestamp,
    names: BTreeMap<TenantId, String>,
}

impl Picture {
    async fn of(tx: &mut SystemTx<'_>, name: &str) -> Result<Self, ApiError> {
        let unknown = || ApiError::not_found("pool", name);
        let known: Name = name.parse().map_err(|_| unknown())?;
        let pool = pools::id_of(tx, known.as_str()).await?.ok_or_else(unknown)?;
        let (facts, now) = picture::of_pool(tx, pool, EACH, None).await?;
        let all = tenants::list(tx).await?;
        let names = all.into_iter().map(|tenant| (tenant.id, tenant.slug)).collect();
        Ok(Self { pool, name: name.to_owned(), facts, now, names })
    }

    fn view(&self, other: Option<(TenantId, Quota)>) -> QueueView {
        let mut facts = self.facts.clone();
        if let Some((tenant, quota)) = other {
            facts.quotas.retain(|(of, _, _)| *of != tenant);
            facts.quotas.push((tenant, self.pool, Some(quota)));
        }
        let mut queue = Queue::new(Policy::default(), self.now);
        queue.learn(facts);
        let tenants = self.names.keys().filter_map(|tenant| self.standing(&queue, *tenant));
        let tenants: Vec<_> = tenants.collect();
        // what the next plan starts does not wait any more; the others know by it what is reserved
        let plan = queue.plan(self.now);
        let (mut starts, mut stops) = (BTreeSet::new(), BTreeSet::new());
        for command in &plan.commands {
            match command {
                Command::Start { attempt, .. } => starts.insert(attempt.job),
                Command::Preempt { attempt, .. } => stops.insert(attempt.job),
                _ => false,
            };
        }
        QueueView {
            pool: self.name.clone(),
            capacity: queue.capacity(self.pool),
            tenants,
            waiting: self.waiting(&queue),
            starts: self.placed(&starts),
            stops: self.placed(&stops),
        }
    }

    fn slug(&self, tenant: TenantId) -> String {
        self.names.get(&tenant).cloned().unwrap_or_default()
    }

    fn standing(&self, queue: &Queue, tenant: TenantId) -> Option<StandingView> {
        let share = queue.share(tenant, self.pool)?;
        let guaranteed = share.quota.guaranteed;
        let concerns = share.running + share.waiting > 0 || guaranteed != Resources::NONE;
        let borrowed = share.used.minus(guaranteed);
        concerns.then(|| StandingView {
            tenant: self.slug(tenant),
            borrowed,
            share: ShareView::new(self.name.clone(), share),
        })
    }

    fn waiting(&self, queue: &Queue) -> Vec<WaitingView> {
        let asked: BTreeMap<_, _> =
            self.facts.jobs.iter().filter_map(|(id, job)| Some((*id, job.as_ref()?))).collect();
        let heads = queue.waiting_tenants().into_iter();
        let heads = heads.flat_map(|tenant| queue.heads(tenant, SHOWN_OF_EACH));
        let view = |(id, reason): (JobId, domain::wait::WaitReason)| {
            let (job, explained) = (asked.get(&id)?, queue.explain(id)?);
            Some(WaitingView {
                job: id,
                tenant: self.slug(job.tenant),
                reason: reason.into(),
                own_ahead: explained.own_ahead,
                tenants_ahead: explained.tenants_ahead,
                priority: job.priority,
                asks: job.total(),
                created_at: job.created_at,
            })
        };
        let mut waiting: Vec<_> = heads.filter_map(view).collect();
        waiting.sort_by_key(|one| (one.tenants_ahead, one.own_ahead, one.job));
        waiting.truncate(SHOWN);
        waiting
    }

    fn placed(&self, jobs: &BTreeSet<JobId>) -> Vec<PlacedView> {
        let of = |id: &JobId| self.facts.jobs.iter().find(|(job, _)| job == id)?.1.as_ref();
        let view = |id: &JobId| Some(PlacedView { job: *id, tenant: self.slug(of(id)?.tenant) });
        jobs.iter().filter_map(view).collect()
    }
}
