//! What a job that asks a version has found, and the file of its answers.

use actix_web::{HttpRequest, HttpResponse, delete, get, web};
use domain::{
    Digest, JobId,
    inquiry::{BadRows, Finding, Inquiry, Predicted},
};
use serde::Serialize;
use store::{
    jobs::{self, Job},
    models::{Answers, Inquired, inquiries},
};
use utoipa::ToSchema;

use super::{known_id, unknown};
use crate::{
    ApiError, App, Caller, Code,
    audit::Object,
    auth::{ReadJobs, SubmitJobs},
    download::{File, FileBytes, send},
};

/// Of a job that asks a version about all rows of its dataset.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchView {
    /// Publisher and name.
    pub model: String,
    pub version: u32,
    pub bad_rows: BadRows,
    /// Absent until the job has succeeded.
    pub result: Option<Predicted>,
    /// Of the answers; null before there are some, and after it was deleted.
    pub file: Option<ResultFile>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ResultFile {
    pub bytes: u64,
    #[schema(value_type = String)]
    pub sha256: Digest,
    pub url: String,
}

impl BatchView {
    /// None of a job that asks something else.
    pub(super) fn of(job: JobId, inquired: Inquired) -> Option<Self> {
        let Inquired { named, version, inquiry, finding, file } = inquired;
        let Inquiry::Predict { bad_rows } = inquiry else { return None };
        let result = match finding {
            Some(Finding::Predicted(predicted)) => Some(predicted),
            _ => None,
        };
        let file = file.map(|Answers { sha256, bytes }| ResultFile {
            bytes,
            sha256,
            url: format!("/v1/jobs/{job}/result"),
        });
        Some(Self { model: named, version, bad_rows, result, file })
    }
}

/// Download what a job has answered.
///
/// JSON lines: each with the number of its row, counted from 1, and the row's prediction, or with `errors` in its
/// place. In parts (`Range`) too.
#[utoipa::path(
    operation_id = "download_job_result",
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses(
        (status = 200, description = "The answers", content((FileBytes = "application/x-ndjson"))),
        (status = 304, description = "The client has it already"),
        (status = 409, description = "There are no answers yet"),
        (status = 410, description = "The answers were deleted"),
    ),
)]
#[get("/v1/jobs/{id}/result")]
pub(super) async fn download(
    app: web::Data<App>,
    caller: Caller<ReadJobs>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = known_id(&id)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let job = jobs::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    tx.commit().await?;
    let Answers { sha256, bytes } = answers(&job)?;
    let file = File {
        owner: caller.tenant(),
        sha256,
        bytes: Some(bytes),
        name: format!("{id}.jsonl"),
        media_type: "application/x-ndjson",
    };
    send(&app, &request, caller.tenant(), file).await
}

/// Delete what a job has answered.
///
/// It frees the tenant's storage; the job and its counts stay.
#[utoipa::path(
    operation_id = "delete_job_result",
    tag = "jobs",
    params(("id" = JobId, Path)),
    responses(
        (status = 204),
        (status = 409, description = "There are no answers yet"),
        (status = 410, description = "The answers were deleted"),
    ),
)]
#[delete("/v1/jobs/{id}/result")]
pub(super) async fn remove(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = known_id(&id)?;
    let mut tx = caller.begin(&app).await?;
    let job = jobs::get(&mut tx, id).await?.ok_or_else(|| unknown(id))?;
    answers(&job)?;
    inquiries::forget_answers(&mut tx, id).await?;
    tx.done(Object::new("job", id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn answers(job: &Job) -> Result<Answers, ApiError> {
    match &job.inquired {
        Some(Inquired { file: Some(file), .. }) => Ok(*file),
        Some(Inquired { finding: Some(Finding::Predicted(_)), .. }) => {
            let why = format!("the answers of {} were deleted; submit it again", job.id);
            Err(ApiError::new(Code::Gone, why))
        }
        Some(Inquired { finding: None, .. }) => {
            let why = format!("{} is {} and has no answers", job.id, job.status.as_str());
            Err(ApiError::new(Code::Conflict, why))
        }
        Some(Inquired { finding: Some(Finding::Importances(_)), .. }) | None => {
            let why = format!("{} asks no model about rows, and has no answers", job.id);
            Err(ApiError::new(Code::Conflict, why))
        }
    }
}
