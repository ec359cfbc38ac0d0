//! All rows of a dataset asked by a job: what is too much for one request. The job and its answers are the caller's,
//! whoever has published the model; what the answers are is the engine's, as it is for one row.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, post, web};
use domain::{
    FieldErrors, Resources,
    dataset::{Format, Profile},
    inquiry::{BadRows, Inquiry},
    model::{FittedInput, ModelConfig},
};
use serde::Deserialize;
use store::{
    datasets::Version,
    jobs::NewJob,
    models::{Inquires, Model, ModelVersion},
};
use utoipa::ToSchema;

use super::{
    ASKING_CPU_MILLI, ASKING_MAX_RUNTIME_SECS, asking::not_ours, known_model, known_version,
    predict::PredictParams,
};
use crate::{
    ApiError, App, Body, Caller, Params,
    auth::SubmitJobs,
    datasets::patience,
    jobs::{DryRunView, JobView, PROFILE_PATIENCE, foresee, resolve, start},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchRequest {
    /// A dataset of the caller's own.
    dataset: String,
    /// Its version; the newest if absent.
    version: Option<u32>,
    /// Of rows that the model cannot read: `fail` ends the job at the first, `list` goes on.
    #[serde(default)]
    bad_rows: BadRows,
    /// Seconds that an attempt may run; an hour if absent.
    #[schema(minimum = 1)]
    max_runtime: Option<u64>,
}

/// Ask a model about all rows of a dataset.
///
/// Submits a job, which leaves a file of JSON lines: each with the row's number, counted from 1, and what `predict`
/// answers to it. The job shows where the file is.
#[utoipa::path(
    operation_id = "batch_predict",
    tag = "models",
    params(
        ("tenant" = String, Path), ("model" = String, Path), PredictParams,
        ("Prefer" = Option<String>, Header,
            description = "`wait=N`: wait up to N seconds for a profile that is being made; 10 if absent"),
    ),
    request_body = BatchRequest,
    responses(
        (status = 202, body = JobView),
        (status = 409, description = "The version's files are no model that can be run here, or the dataset is still being profiled"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[post("/v1/models/{tenant}/{model}/batch-predictions")]
pub(super) async fn batch(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    path: web::Path<(String, String)>,
    params: Params<PredictParams>,
    request: HttpRequest,
    asked: Body<BatchRequest>,
) -> Result<HttpResponse, ApiError> {
    let named = (path.into_inner(), params.0);
    let patience = patience(request.headers(), PROFILE_PATIENCE);
    let job = prepared(&app, &caller, named, asked.0, patience).await?;
    start(&app, &caller, &job).await
}

/// What would become of such a job, without submitting it.
#[utoipa::path(
    operation_id = "dry_run_batch_predict",
    tag = "models",
    params(
        ("tenant" = String, Path), ("model" = String, Path), PredictParams,
        ("Prefer" = Option<String>, Header,
            description = "`wait=N`: wait up to N seconds for a profile that is being made; 10 if absent"),
    ),
    request_body = BatchRequest,
    responses(
        (status = 200, body = DryRunView),
        (status = 409, description = "The version's files are no model that can be run here, or the dataset is still being profiled"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[post("/v1/models/{tenant}/{model}/batch-predictions/dry-run")]
pub(super) async fn dry_run_batch(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    path: web::Path<(String, String)>,
    params: Params<PredictParams>,
    request: HttpRequest,
    asked: Body<BatchRequest>,
) -> Result<web::Json<DryRunView>, ApiError> {
    let named = (path.into_inner(), params.0);
    let patience = patience(request.headers(), PROFILE_PATIENCE);
    let job = prepared(&app, &caller, named, asked.0, patience).await?;
    Ok(web::Json(foresee(&app, caller.tenant(), job).await?))
}

async fn prepared(
    app: &App,
    caller: &Caller<SubmitJobs>,
    ((tenant, name), params): ((String, String), PredictParams),
    asked: BatchRequest,
    patience: Duration,
) -> Result<NewJob, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let version = known_version(&mut tx, &model, params.version()).await?;
    tx.commit().await?;
    let made = version.made.as_ref().ok_or_else(not_ours)?;
    let of = (asked.dataset.as_str(), asked.version);
    let (data, profile) = resolve(app, caller.tenant(), of, "dataset", patience).await?;
    check(&made.config, &data, &profile)?;
    let max_runtime = max_runtime(app, asked.max_runtime)?;
    let resources = Resources::cpu(ASKING_CPU_MILLI, made.config.spec.resources.memory_bytes);
    Ok(NewJob {
        inquires: Some(inquires(&model, &version, Inquiry::Predict { bad_rows: asked.bad_rows })),
        ..NewJob::new(
            format!(
                "predict {}:{} on {}:{}",
                model.name, version.number, data.dataset_name, data.number
            ),
            caller.user(),
            (data.dataset, data.number),
            (resources, max_runtime),
        )
    })
}

pub(super) fn inquires(model: &Model, version: &ModelVersion, inquiry: Inquiry) -> Inquires {
    let named = format!("{}/{}", model.tenant_slug, model.name);
    Inquires { version: (version.model, version.number), named, inquiry }
}

/// Whether the dataset has the columns that the model reads.
fn check(config: &ModelConfig, data: &Version, profile: &Profile) -> Result<(), FieldErrors> {
    let (name, number) = (&data.dataset_name, data.number);
    let pictures = matches!(config.input, FittedInput::Images { .. });
    if data.format == Format::Images {
        let why = format!("`{name}:{number}` is a zip of images, which the model does not read");
        return if pictures { Ok(()) } else { Err(FieldErrors::one("dataset", why)) };
    }
    let mut errors = FieldErrors::default();
    for column in config.reads() {
        if !column.optional && profile.column(&column.name).is_none() {
            let column = column.name;
            let why = format!(
                "`{name}:{number}` has no column `{column}`, which the model reads; push a version that has it"
            );
            errors.add("dataset", why);
        }
    }
    errors.into_result(())
}

fn max_runtime(app: &App, asked: Option<u64>) -> Result<u64, ApiError> {
    let most = app.config.limits.max_runtime_secs.unsigned_abs();
    let seconds = asked.unwrap_or(ASKING_MAX_RUNTIME_SECS);
    if (1..=most).contains(&seconds) {
        return Ok(seconds);
    }
    let why = format!("{seconds} is out of range; use 1 to {most} seconds");
    Err(ApiError::field("max_runtime", why))
}
