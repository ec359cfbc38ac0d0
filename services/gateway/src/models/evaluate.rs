//! Two versions judged again on the same rows, by a job: figures that each brought from its own training were
//! taken on rows of its own.

use actix_web::{HttpResponse, post, web};
use domain::{Resources, comparison::Side, job::JobKind};
use serde::Deserialize;
use store::{
    TenantTx,
    datasets::{self, Version},
    jobs::NewJob,
    models::{Evaluates, Made, Model, ModelVersion},
};
use utoipa::ToSchema;

use super::{
    ASKING_CPU_MILLI, ASKING_MAX_RUNTIME_SECS, compare::other, known_model, known_version,
};
use crate::{
    ApiError, App, Body, Caller, Code,
    auth::SubmitJobs,
    jobs::{JobView, start},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rerun {
    /// A version of the same model, or `tenant/model:version` of another.
    with: String,
    /// A dataset of the caller's own; if absent, what the newer of the two was trained on, if that is one.
    dataset: Option<String>,
    /// Its version; if absent, the one that the newer was trained on, or the newest one of a dataset that is
    /// named.
    version: Option<u32>,
}

/// Judge a version and another on the same rows.
///
/// Submits a job. On the data that the newer of both was trained on, the rows are those that its training held
/// back; on other data all rows. What it finds is in the comparison's `evaluations`.
#[utoipa::path(
    operation_id = "evaluate_model_versions",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    request_body = Rerun,
    responses(
        (status = 202, body = JobView),
        (status = 409, description = "They do not answer the same question, or cannot be run here"),
        (status = 410, description = "One of them was deleted"),
    ),
)]
#[post("/v1/models/{tenant}/{model}/versions/{version}/compare")]
pub(super) async fn evaluate(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    path: web::Path<(String, String, String)>,
    asked: Body<Rerun>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let a = known_version(&mut tx, &model, &named).await?;
    let (with, b) = other(&mut tx, &model, &asked.0.with).await?;
    let (in_a, in_b) = (made((&model, &a))?, made((&with, &b))?);
    if (in_a.config.task, &in_a.config.classes) != (in_b.config.task, &in_b.config.classes) {
        let why = "the two versions do not answer the same question: task and classes differ";
        return Err(ApiError::new(Code::Conflict, why));
    }
    let (side, newer) = if a.created_at > b.created_at { (Side::A, &a) } else { (Side::B, &b) };
    let named = (asked.0.dataset.as_deref(), asked.0.version);
    let data = dataset(&mut tx, named, newer).await?;
    tx.commit().await?;
    let its_own = newer.trained.as_ref().is_some_and(|by| by.dataset_sha256 == data.sha256);
    let memory = |made: &Made| made.config.spec.resources.memory_bytes;
    let resources = Resources::cpu(ASKING_CPU_MILLI, memory(in_a).max(memory(in_b)));
    let job = NewJob {
        evaluates: Some(Evaluates {
            a: (a.model, a.number),
            b: (b.model, b.number),
            held_back_by: its_own.then_some(side),
        }),
        ..NewJob::new(
            format!("compare {}:{} with {}:{}", model.name, a.number, with.name, b.number),
            caller.user(),
            (data.dataset, data.number),
            (resources, ASKING_MAX_RUNTIME_SECS),
        )
    };
    debug_assert_eq!(job.kind(), JobKind::Evaluate);
    start(&app, &caller, &job).await
}

fn made<'a>((model, version): (&Model, &'a ModelVersion)) -> Result<&'a Made, ApiError> {
    version.made.as_ref().ok_or_else(|| {
        let (tenant, name, number) = (&model.tenant_slug, &model.name, version.number);
        let why = format!("`{tenant}/{name}:{number}` has no model that can be run here");
        ApiError::new(Code::Conflict, why)
    })
}

/// The one that is named, or else that a version was trained on.
pub(super) async fn dataset(
    tx: &mut TenantTx<'_>,
    (named, number): (Option<&str>, Option<u32>),
    of: &ModelVersion,
) -> Result<Version, ApiError> {
    let trained = of.trained.as_ref().zip(of.made.as_ref());
    let (name, number) = match (named, trained) {
        (Some(name), _) => (name.to_owned(), number),
        (None, Some((trained, made))) if of.tenant == tx.tenant() => {
            let name = made.config.spec.dataset.name.to_string();
            (name, Some(number.unwrap_or(trained.dataset_version)))
        }
        (None, _) => {
            let why = "the version was not trained on data of yours; name a dataset";
            return Err(ApiError::field("dataset", why));
        }
    };
    let found = datasets::version(tx, &name, number).await?;
    found.ok_or_else(|| {
        let shown: String = name.chars().take(80).collect();
        ApiError::field("dataset", format!("there is no such version of a dataset `{shown}`"))
    })
}
