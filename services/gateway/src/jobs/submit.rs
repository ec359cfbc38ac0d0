//! Submitting a training. A repeated request with the same `Idempotency-Key` finds the job that the
//! first one made.

use actix_web::{HttpRequest, HttpResponse, http::header::LOCATION, post, web};
use domain::{Digest, FieldErrors, JobId, TenantId, hint::Hint, spec::TrainingDraft};
use store::{
    TenantTx,
    idempotency::{self, Claim},
    jobs::{self, Job, NewJob},
};

use super::{
    JobView,
    dry_run::{DryRunView, foresee},
    prepare::{PROFILE_PATIENCE, prepared},
    refusal::accepted_or,
};
use crate::{
    ApiError, App, Body, Caller, Code,
    audit::{Act, Object},
    auth::SubmitJobs,
    datasets::patience,
};

const MAX_KEY_CHARS: usize = 255;

/// Submit a training job.
///
/// Only `dataset` and `target` are needed; the answer shows the specification with every default
/// filled in.
#[utoipa::path(
    operation_id = "submit_job",
    tag = "jobs",
    params(
        ("Idempotency-Key" = Option<String>, Header,
            description = "Up to 255 characters of your choice: repeating the request with it makes no second job"),
        ("Prefer" = Option<String>, Header,
            description = "`wait=N`: wait up to N seconds for a profile that is being made; 10 if absent"),
    ),
    request_body = TrainingDraft,
    responses(
        (status = 202, body = JobView, headers(
            ("Location" = String, description = "The job"),
            ("Idempotency-Replayed" = String, description = "`true` if an earlier request made the job"),
        )),
        (status = 409, description = "The dataset is still being profiled, or the model's name looks like another's"),
    ),
)]
#[post("/v1/jobs")]
pub(super) async fn submit(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    request: HttpRequest,
    draft: Body<TrainingDraft>,
) -> Result<HttpResponse, ApiError> {
    let key = idempotency_key(&request)?.map(|key| Key::new(key, &draft.0));
    if let Some(job) = replayed(&app, caller.tenant(), key.as_ref()).await? {
        return Ok(accepted(job, caller.tenant_slug(), true));
    }
    let patience = patience(request.headers(), PROFILE_PATIENCE);
    let new = prepared(&app, (caller.tenant(), caller.user()), patience, draft.0).await?;

    let mut tx = caller.begin(&app).await?;
    // two requests with one key may have come this far together: the second finds the first one's job
    if let Some(job) = claimed(&mut tx, key.as_ref(), new.id).await? {
        return Ok(accepted(job, caller.tenant_slug(), true));
    }
    enter(&app, &caller, tx, &new).await
}

/// Submits what was prepared, under no key.
pub(crate) async fn start(
    app: &App,
    caller: &Caller<SubmitJobs>,
    new: &NewJob,
) -> Result<HttpResponse, ApiError> {
    let tx = caller.begin(app).await?;
    enter(app, caller, tx, new).await
}

/// Into the queue, with what else the transaction has done.
async fn enter(
    app: &App,
    caller: &Caller<SubmitJobs>,
    mut tx: Act<TenantTx<'_>>,
    new: &NewJob,
) -> Result<HttpResponse, ApiError> {
    accepted_or(new, jobs::submit(&mut tx, new).await?)?;
    let job = jobs::get(&mut tx, new.id).await?.ok_or_else(|| super::unknown(new.id))?;
    tx.done(Object::new("job", new.id)).await?;
    app.bus.publish(Hint::Queue);
    Ok(accepted(job, caller.tenant_slug(), false))
}

/// What would become of a job, without submitting it.
///
/// Whether it would be accepted, when it would start, what it uses at most, and what would let it start
/// sooner. Nothing is queued.
#[utoipa::path(
    operation_id = "dry_run_job",
    tag = "jobs",
    request_body = TrainingDraft,
    responses(
        (status = 200, body = DryRunView),
        (status = 409, description = "The dataset is still being profiled, or the model's name looks like another's"),
    ),
)]
#[post("/v1/jobs/dry-run")]
pub(super) async fn dry_run(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    request: HttpRequest,
    draft: Body<TrainingDraft>,
) -> Result<web::Json<DryRunView>, ApiError> {
    let patience = patience(request.headers(), PROFILE_PATIENCE);
    let job = prepared(&app, (caller.tenant(), caller.user()), patience, draft.0).await?;
    Ok(web::Json(foresee(&app, caller.tenant(), job).await?))
}

fn accepted(job: Job, tenant: &str, is_replay: bool) -> HttpResponse {
    let mut response = HttpResponse::Accepted();
    response.insert_header((LOCATION, format!("/v1/jobs/{}", job.id)));
    if is_replay {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    response.json(JobView::new(job, tenant))
}

/// A key and what it was used for.
struct Key {
    text: String,
    fingerprint: Digest,
}

impl Key {
    fn new(text: String, draft: &TrainingDraft) -> Self {
        let draft = serde_json::to_vec(draft).expect("a draft is plain data");
        let request = [b"POST /v1/jobs\n".as_slice(), &draft].concat();
        Self { text, fingerprint: Digest::of(&request) }
    }
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text.is_empty() || text.len() > MAX_KEY_CHARS {
        let why =
            format!("must be 1 to {MAX_KEY_CHARS} visible ASCII characters, a UUID for instance");
        return Err(ApiError::field("Idempotency-Key", why));
    }
    Ok(Some(text.to_owned()))
}

/// The job that an earlier request with this key made. Leaves nothing behind.
async fn replayed(app: &App, tenant: TenantId, key: Option<&Key>) -> Result<Option<Job>, ApiError> {
    if key.is_none() {
        return Ok(None);
    }
    let mut tx = app.store.begin_for(tenant).await?;
    claimed(&mut tx, key, JobId::generate()).await
}

/// Claims the key for `job`, or finds the job that has it.
async fn claimed(
    tx: &mut TenantTx<'_>,
    key: Option<&Key>,
    job: JobId,
) -> Result<Option<Job>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    match idempotency::claim(tx, &key.text, key.fingerprint, job.uuid()).await? {
        Claim::Fresh => Ok(None),
        Claim::Replay(earlier) => {
            let id = JobId::from_uuid(earlier);
            let job = jobs::get(tx, id).await?;
            job.map(Some).ok_or_else(|| super::unknown(id))
        }
        Claim::Mismatch => {
            let text: String = key.text.chars().take(80).collect();
            let why = format!("`{text}` was used for another request; use a new key for a new job");
            let errors = FieldErrors::one("Idempotency-Key", &why).0;
            Err(ApiError { errors, ..ApiError::new(Code::IdempotencyMismatch, why) })
        }
    }
}
