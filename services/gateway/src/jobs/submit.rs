//! Submitting a training: the draft meets the dataset's profile, and what comes out is the resolved
//! specification or every error at once. A repeated request with the same `Idempotency-Key` finds the
//! job that the first one made.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::header::LOCATION, post, web};
use domain::{
    Digest, FieldErrors, JobId, PoolId, TenantId, Timestamp, UserId,
    child::DataFile,
    dataset::Profile,
    hint::Hint,
    name::Name,
    spec::{
        AfterCondition, AfterDraft, DEFAULT_POOL_ID, DatasetRef, Limits, TestSet, TrainingDraft,
        TrainingSpec,
    },
};
use store::{
    TenantTx,
    datasets::{self, ProfileState, Version},
    idempotency::{self, Claim},
    jobs::{self, Job, NewJob, Submitted},
    pools,
};

use super::{
    JobView,
    dry_run::{DryRunView, foresee},
};
use crate::{
    ApiError, App, Body, Caller, Code,
    auth::SubmitJobs,
    datasets::{patience, settled_version},
};

/// How long a submission waits for the profile of a dataset that was pushed a moment ago.
const PROFILE_PATIENCE: Duration = Duration::from_secs(10);
const RETRY_NOT_READY_SECS: u32 = 5;
const RETRY_QUEUE_FULL_SECS: u32 = 30;
const MAX_NAME_CHARS: usize = 100;
const MAX_PRIORITY: i64 = 100;
const MAX_KEY_CHARS: usize = 255;
const MAX_AFTER: usize = 100;
const MAX_START_AFTER_SECS: u64 = 366 * 86_400;

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
    responses((status = 202, body = JobView, headers(
        ("Location" = String, description = "The job"),
        ("Idempotency-Replayed" = String, description = "`true` if an earlier request made the job"),
    ))),
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
    let new = prepared(&app, &caller, &request, draft.0).await?;

    let mut tx = app.store.begin_for(caller.tenant()).await?;
    // two requests with one key may have come this far together: the second finds the first one's job
    if let Some(job) = claimed(&mut tx, key.as_ref(), new.id).await? {
        return Ok(accepted(job, caller.tenant_slug(), true));
    }
    match jobs::submit(&mut tx, &new).await? {
        Submitted::Accepted => {}
        Submitted::QueueFull { limit } => return Err(queue_full(limit)),
        Submitted::UnknownDependency(id) => {
            return Err(ApiError::field("after", format!("there is no job {id} to wait for")));
        }
        Submitted::ImpossibleDependency(id, status) => {
            let why =
                format!("{id} has {} already, so that this could never start", status.as_str());
            return Err(ApiError::field("after", why));
        }
    }
    let job = jobs::get(&mut tx, new.id).await?.ok_or_else(|| super::unknown(new.id))?;
    tx.commit().await?;
    app.bus.publish(Hint::Queue).await;
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
    responses((status = 200, body = DryRunView)),
)]
#[post("/v1/jobs/dry-run")]
pub(super) async fn dry_run(
    app: web::Data<App>,
    caller: Caller<SubmitJobs>,
    request: HttpRequest,
    draft: Body<TrainingDraft>,
) -> Result<web::Json<DryRunView>, ApiError> {
    let mut job = prepared(&app, &caller, &request, draft.0).await?;
    let spec = job.spec.take().expect("a training has one");
    Ok(web::Json(foresee(&app, caller.tenant(), job, spec).await?))
}

/// The draft against its data, and the pool that it names.
async fn prepared(
    app: &App,
    caller: &Caller<SubmitJobs>,
    request: &HttpRequest,
    draft: TrainingDraft,
) -> Result<NewJob, ApiError> {
    let patience = patience(request.headers(), PROFILE_PATIENCE);
    let of = (draft.dataset.as_str(), draft.version);
    let version = resolve(app, caller.tenant(), of, "dataset", patience).await?;
    let test = match &draft.test {
        Some(test) => {
            let of = (test.dataset.as_str(), test.version);
            let found = resolve(app, caller.tenant(), of, "test.dataset", patience).await?;
            Some(test_set(found, &draft, &version.1)?)
        }
        None => None,
    };
    let now = app.clock.now();
    let new = new_job(draft, caller.user(), version, test, &app.config.limits, now)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let pool = pool(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(NewJob { pool, ..new })
}

/// The pool that a job names, if it has what the job asks for.
async fn pool(tx: &mut TenantTx<'_>, job: &NewJob) -> Result<PoolId, ApiError> {
    let Some(spec) = &job.spec else { return Ok(DEFAULT_POOL_ID) };
    let Some((id, accelerator)) = pools::by_name(tx, spec.pool.as_str()).await? else {
        let names = pools::names(tx).await?.join(", ");
        let why = format!("there is no pool `{}`; there are: {names}", spec.pool);
        return Err(ApiError::field("resources.pool", why));
    };
    if job.resources.accelerator_milli > 0 && accelerator.is_none() {
        let why =
            format!("the workers of pool `{}` have no accelerators; name another pool", spec.pool);
        return Err(ApiError::field("resources.accelerator_milli", why));
    }
    Ok(id)
}

fn accepted(job: Job, tenant: &str, is_replay: bool) -> HttpResponse {
    let mut response = HttpResponse::Accepted();
    response.insert_header((LOCATION, format!("/v1/jobs/{}", job.id)));
    if is_replay {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    response.json(JobView::new(job, tenant))
}

pub(super) fn why_full(limit: u32) -> String {
    format!(
        "{limit} jobs wait, as many as the tenant may have waiting; submit again when some have \
         started, or cancel one"
    )
}

fn queue_full(limit: u32) -> ApiError {
    ApiError::new(Code::QueueFull, why_full(limit)).retry_after(RETRY_QUEUE_FULL_SECS)
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

/// The version that a draft's `field` names, once its profile is there.
async fn resolve(
    app: &App,
    tenant: TenantId,
    (dataset, number): (&str, Option<u32>),
    field: &'static str,
    patience: Duration,
) -> Result<(Version, Box<Profile>), ApiError> {
    let no_dataset = || {
        let name: String = dataset.chars().take(80).collect();
        let why = format!(
            "there is no dataset `{name}`; push a file to `/v1/datasets/{{name}}/versions` first"
        );
        ApiError::field(field, why)
    };
    let name: Name = dataset.parse().map_err(|_| no_dataset())?;
    let found = settled_version(app, tenant, &name, number, patience).await?;
    let Some(mut version) = found else {
        return Err(match newest(app, tenant, &name).await? {
            Some(newest) => ApiError::field(
                if field == "dataset" { "version" } else { "test.version" },
                format!("dataset `{name}` has no such version; the newest is {newest}"),
            ),
            None => no_dataset(),
        });
    };
    match std::mem::replace(&mut version.profile, ProfileState::Pending) {
        ProfileState::Ready(profile) => Ok((version, profile)),
        ProfileState::Pending => {
            let why = format!(
                "no worker has read version {} of dataset `{name}` yet; submit again in a moment",
                version.number
            );
            Err(ApiError::new(Code::DatasetNotReady, why).retry_after(RETRY_NOT_READY_SECS))
        }
        ProfileState::Invalid(cause) => {
            let why = format!(
                "version {} of dataset `{name}` cannot be read: {}",
                version.number, cause.message
            );
            let errors = FieldErrors::one(field, &why).0;
            Err(ApiError { errors, ..ApiError::new(Code::DatasetInvalid, why) })
        }
    }
}

async fn newest(app: &App, tenant: TenantId, name: &Name) -> Result<Option<u32>, ApiError> {
    let mut tx = app.store.begin_for(tenant).await?;
    let found = datasets::version(&mut tx, name.as_str(), None).await?;
    tx.commit().await?;
    Ok(found.map(|version| version.number))
}

/// The test set has the columns that the model is trained on.
fn test_set(
    (version, profile): (Version, Box<Profile>),
    draft: &TrainingDraft,
    trained_on: &Profile,
) -> Result<TestSet, ApiError> {
    let wanted = |name: &&str| !draft.drop.iter().flatten().any(|dropped| dropped == name);
    let columns = trained_on.columns.iter().map(|column| column.name.as_str());
    let missing: Vec<&str> =
        columns.filter(wanted).filter(|name| profile.column(name).is_none()).collect();
    if !missing.is_empty() {
        let why = format!("it lacks columns that are trained on: {}", missing.join(", "));
        return Err(ApiError::field("test.dataset", why));
    }
    Ok(TestSet {
        dataset: DatasetRef {
            name: version.dataset_name.parse().map_err(|error: domain::name::NameError| {
                ApiError::field("test.dataset", error.to_string())
            })?,
            version: version.number,
            sha256: version.sha256,
        },
        data: DataFile {
            format: version.format,
            compression: version.compression,
            sha256: version.sha256,
            bytes: version.bytes,
        },
    })
}

fn new_job(
    draft: TrainingDraft,
    user: UserId,
    (version, profile): (Version, Box<Profile>),
    test: Option<TestSet>,
    limits: &Limits,
    now: Timestamp,
) -> Result<NewJob, ApiError> {
    let mut errors = FieldErrors::default();
    let name = draft.name.clone().unwrap_or_else(|| format!("train {}", version.dataset_name));
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        errors.add("name", format!("must be 1 to {MAX_NAME_CHARS} characters on one line"));
    }
    let priority = draft.priority.unwrap_or(0);
    if !(-MAX_PRIORITY..=MAX_PRIORITY).contains(&priority) {
        errors.add(
            "priority",
            format!("{priority} is out of range; use -{MAX_PRIORITY} to {MAX_PRIORITY}"),
        );
    }
    let after = after(draft.after.as_deref().unwrap_or_default(), &mut errors);
    let not_before = draft.start_after;
    if not_before.is_some_and(|at| at > now + Duration::from_secs(MAX_START_AFTER_SECS)) {
        errors.add("start_after", "it is more than a year ahead");
    }
    let dataset = DatasetRef {
        name: draft.dataset.parse().map_err(|error: domain::name::NameError| {
            ApiError::field("dataset", error.to_string())
        })?,
        version: version.number,
        sha256: version.sha256,
    };
    let spec = match TrainingSpec::parse(draft, dataset, test, &profile, limits) {
        Ok(spec) => errors.into_result(spec)?,
        Err(more) => {
            errors.0.extend(more.0);
            return Err(errors.into());
        }
    };
    Ok(NewJob {
        id: JobId::generate(),
        name,
        submitted_by: user,
        dataset: version.dataset,
        dataset_version: version.number,
        priority: i32::try_from(priority).unwrap_or(0),
        resources: spec.resources,
        // looked up once a transaction is open
        pool: DEFAULT_POOL_ID,
        max_runtime: spec.max_runtime,
        spec: Some(spec),
        after,
        not_before,
    })
}

fn after(drafts: &[AfterDraft], errors: &mut FieldErrors) -> Vec<(JobId, AfterCondition)> {
    if drafts.len() > MAX_AFTER {
        errors.add("after", format!("{} jobs; wait for at most {MAX_AFTER}", drafts.len()));
    }
    let mut after = Vec::new();
    for (n, draft) in drafts.iter().take(MAX_AFTER).enumerate() {
        match draft.job.parse() {
            Ok(id) => after.push((id, draft.condition.unwrap_or_default())),
            Err(error) => {
                let error: domain::id::IdError = error;
                errors.add(format!("after[{n}].job"), error.to_string());
            }
        }
    }
    after
}
