//! What the features of a version are worth to it, measured by a job and kept with the version.

use actix_web::{HttpResponse, get, post, web};
use domain::{
    FieldErrors, JobId, Resources, Timestamp,
    importance::{Importances, Shuffling},
    inquiry::{Finding, Inquiry},
    job::JobStatus,
    model::{FittedInput, ModelConfig},
    spec::{Metric, Task},
};
use serde::{Deserialize, Serialize};
use store::{
    jobs::NewJob,
    models::inquiries::{self, OfVersion},
};
use utoipa::ToSchema;

use super::{
    ASKING_CPU_MILLI, ASKING_MAX_RUNTIME_SECS, asking::not_ours, batch::inquires,
    evaluate::dataset, known_model, known_version,
};
use crate::{
    ApiError, App, Body, Caller, Listing,
    auth::{ReadModels, SubmitJobs},
    jobs::{JobView, start},
};

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ImportanceRequest {
    /// A dataset of the caller's own, with the target; if absent, what the version was trained on, if that is one.
    dataset: Option<String>,
    /// Its version; if absent, the one that it was trained on, or the newest one of a dataset that is named.
    version: Option<u32>,
    /// How often each feature is shuffled; 5 if absent.
    #[schema(minimum = 1, maximum = 100)]
    n_repeats: Option<u32>,
    /// 0 if absent.
    seed: Option<u64>,
    /// By which it is judged; if absent, as scikit-learn does, `accuracy` of classes and `r2` of numbers.
    metric: Option<Metric>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportanceView {
    job: JobId,
    status: JobStatus,
    dataset: String,
    dataset_version: u32,
    #[serde(flatten)]
    how: Shuffling,
    /// Null until the job has succeeded.
    result: Option<Importances>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Measure what the features of a version are worth to it.
///
/// Submits a job, which shuffles the values of one feature after the other and judges the version each time. On the
/// data that it was trained on, the rows are those that its training held back; on other data all rows.
#[utoipa::path(
    operation_id = "measure_importance",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    request_body = ImportanceRequest,
    responses(
        (status = 202, body = JobView),
        (status = 409, description = "The version's files are no model that can be run here"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[post("/v1/models/{tenant}/{model}/versions/{version}/importance")]
pub(super) async fn measure(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    path: web::Path<(String, String, String)>,
    asked: Body<ImportanceRequest>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let asked = asked.0;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let version = known_version(&mut tx, &model, &named).await?;
    let made = version.made.as_ref().ok_or_else(not_ours)?;
    let how = shuffling(&made.config, &asked)?;
    let data = dataset(&mut tx, (asked.dataset.as_deref(), asked.version), &version).await?;
    tx.commit().await?;
    let held_back = version.trained.as_ref().is_some_and(|by| by.dataset_sha256 == data.sha256);
    let resources = Resources::cpu(ASKING_CPU_MILLI, made.config.spec.resources.memory_bytes);
    let inquiry = Inquiry::Importance { how: Shuffling { held_back, ..how } };
    let job = NewJob {
        inquires: Some(inquires(&model, &version, inquiry)),
        ..NewJob::new(
            format!("importance of {}:{}", model.name, version.number),
            caller.user(),
            (data.dataset, data.number),
            (resources, ASKING_MAX_RUNTIME_SECS),
        )
    };
    start(&app, &caller, &job).await
}

fn shuffling(config: &ModelConfig, asked: &ImportanceRequest) -> Result<Shuffling, FieldErrors> {
    let mut errors = FieldErrors::default();
    if !matches!(config.input, FittedInput::Table { .. }) {
        let why = "it does not read a table: its input has no features to shuffle";
        errors.add("version", why);
    }
    let n_repeats = asked.n_repeats.unwrap_or(Shuffling::USUAL_REPEATS);
    let most = Shuffling::MAX_REPEATS;
    if !(1..=most).contains(&n_repeats) {
        errors.add("n_repeats", format!("is {n_repeats}; use a number from 1 to {most}"));
    }
    let usual = match config.task {
        Task::BinaryClassification | Task::MulticlassClassification => Metric::Accuracy,
        _ => Metric::R2,
    };
    let metric = asked.metric.unwrap_or(usual);
    if !metric.fits(config.task) {
        let known = Metric::ALL.into_iter().filter(|metric| metric.fits(config.task));
        let known: Vec<_> = known.map(Metric::as_str).collect();
        let why = format!(
            "`{}` is not for this model; use one of: {}",
            metric.as_str(),
            known.join(", ")
        );
        errors.add("metric", why);
    }
    let seed = asked.seed.unwrap_or(0);
    errors.into_result(Shuffling { n_repeats, seed, metric, held_back: false })
}

/// Read what the features of a version are worth to it.
///
/// As jobs of the caller's tenant have measured it, the newest first, ten at most.
#[utoipa::path(
    operation_id = "get_importance",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    responses(
        (status = 200, body = Listing<ImportanceView>),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[get("/v1/models/{tenant}/{model}/versions/{version}/importance")]
pub(super) async fn measured(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String, String)>,
) -> Result<web::Json<Listing<ImportanceView>>, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let version = known_version(&mut tx, &model, &named).await?;
    let found = inquiries::of_version(&mut tx, (version.model, version.number)).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().filter_map(view).collect())))
}

fn view(found: OfVersion) -> Option<ImportanceView> {
    let OfVersion { job, status, dataset, dataset_version, inquiry, finding, created_at } = found;
    let Inquiry::Importance { how } = inquiry else { return None };
    let result = match finding {
        Some(Finding::Importances(found)) => Some(found),
        _ => None,
    };
    Some(ImportanceView { job, status, dataset, dataset_version, how, result, created_at })
}
