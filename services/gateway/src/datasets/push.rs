//! Pushing a file: hashed and counted while it flows to the object store, then named by its content.
//! Pushing the same bytes again finds the version that has them, so a push can safely be repeated.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    error::PayloadError,
    http::header::{HeaderMap, LOCATION},
    post,
    web::{self, Bytes, BytesMut},
};
use domain::{
    JobId, Resources, TenantId, UploadId, UserId,
    dataset::{Compression, Format},
    hint::Hint,
    name::Name,
};
use futures::{Stream, StreamExt, stream};
use registry::PutError;
use store::{
    TenantTx, datasets,
    datasets::{NewVersion, Version},
    jobs::{self, NewJob},
    tenants, uploads,
};

use super::{
    DatasetVersionView,
    announced::{Announced, START_BYTES, check_start},
    known_name, patience, settled_version,
};
use crate::{
    ApiError, App, Caller, Code, Params,
    audit::Object,
    auth::WriteDatasets,
    body::{broke_off, in_time},
    download::FileBytes,
    storage::check_room,
};

/// What a profile job occupies, and how long it may take.
const PROFILE_RESOURCES: Resources = Resources::cpu(500, 512 << 20);
const PROFILE_MAX_RUNTIME_SECS: u64 = 600;
/// Before every training job of the tenant: those wait for profiles, and profiles are short.
const PROFILE_PRIORITY: i32 = 1_000;

/// Push a file as a version of a dataset.
///
/// The body is the file itself, streamed. The same bytes again answer 200 with the version that has
/// them. With `Prefer: wait=N` (seconds, at most 30) the answer waits for the profile.
#[utoipa::path(
    operation_id = "push_dataset",
    tag = "datasets",
    params(
        ("name" = String, Path, description = "Of the dataset; made if it is not there"),
        Announced,
        ("Content-Encoding" = Option<String>, Header, description = "`gzip` or `zstd` if the file is compressed"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the profile"),
    ),
    request_body(
        description = "The file: CSV, TSV, JSON lines or text, plain, gzip or zstd; or a zip of images",
        content(
            (FileBytes = "text/csv"),
            (FileBytes = "text/tab-separated-values"),
            (FileBytes = "application/x-ndjson"),
            (FileBytes = "text/plain"),
            (FileBytes = "application/zip"),
            (FileBytes = "application/gzip"),
            (FileBytes = "application/zstd"),
            (FileBytes = "application/octet-stream"),
        ),
    ),
    responses(
        (status = 201, body = DatasetVersionView, headers(("Location" = String, description = "The version"))),
        (status = 200, body = DatasetVersionView, description = "The dataset has these bytes already"),
    ),
)]
#[post("/v1/datasets/{name}/versions")]
pub(super) async fn push(
    app: web::Data<App>,
    caller: Caller<WriteDatasets>,
    name: web::Path<String>,
    announced: Params<Announced>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let name: Name = name
        .parse()
        .map_err(|error: domain::name::NameError| ApiError::field("name", error.to_string()))?;
    let (format, compression) = announced.0.resolve(request.headers())?;
    let room = room(&app, caller.tenant()).await?;
    let stored = receive(&app, caller.tenant(), payload, (format, compression), room).await?;
    let new = NewVersion { sha256: stored.sha256, bytes: stored.bytes, format, compression };
    publish(&app, &caller, &name, &new, None, request.headers()).await
}

/// What is stored becomes a version, or is found to be one; with it ends the upload that it came by.
pub(super) async fn publish(
    app: &App,
    caller: &Caller<WriteDatasets>,
    name: &Name,
    new: &NewVersion,
    upload: Option<UploadId>,
    headers: &HeaderMap,
) -> Result<HttpResponse, ApiError> {
    let mut tx = caller.begin(app).await?;
    let (version, is_new) = datasets::add_version(&mut tx, name, new).await?;
    if let Some(upload) = upload
        && !uploads::became(&mut tx, upload, version.number).await?
    {
        return Err(ApiError::not_found("upload", upload));
    }
    let mut job = None;
    if is_new {
        check_room(&mut tx, "this file").await?;
        job = Some(queue_profile(&mut tx, caller.user(), &version).await?);
    }
    tx.done(Object::new("dataset version", format!("{name}/{}", version.number))).await?;
    if is_new {
        app.bus.publish(Hint::Queue);
    }
    answer(app, caller.tenant(), version, job, headers).await
}

/// With the profile, if the client would rather wait for it. It is new if it has a job for that.
pub(super) async fn answer(
    app: &App,
    tenant: TenantId,
    version: Version,
    job: Option<JobId>,
    headers: &HeaderMap,
) -> Result<HttpResponse, ApiError> {
    let name = known_name(&version.dataset_name)?;
    let patience = patience(headers, Duration::ZERO);
    let settled = settled_version(app, tenant, &name, Some(version.number), patience).await?;
    let mut view = DatasetVersionView::from(settled.unwrap_or(version));
    view.profile_job = job;
    let location = format!("/v1/datasets/{name}/versions/{}", view.version);
    let mut response = if job.is_some() { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header((LOCATION, location)).json(view))
}

/// The most bytes that this push may have.
async fn room(app: &App, tenant: TenantId) -> Result<u64, ApiError> {
    let mut tx = app.store.begin_for(tenant).await?;
    let storage = tenants::own(&mut tx).await?.map_or(0, |own| own.limits.max_storage_bytes);
    tx.commit().await?;
    // not only what is still free: a repeated push takes no room, and must find its version
    Ok(app.config.max_upload_bytes.min(storage))
}

async fn receive(
    app: &App,
    tenant: TenantId,
    payload: web::Payload,
    (format, compression): (Format, Compression),
    limit: u64,
) -> Result<registry::Stored, ApiError> {
    let within = app.config.body_within;
    let mut payload = in_time(payload, within);
    let start = checked_start(&mut payload, (format, compression), within).await?;
    let whole = stream::iter([Ok(start)]).chain(payload);
    let stored = app.blobs.put_stream(tenant, whole, limit).await;
    stored.map_err(|error| {
        refused(error, within, |limit| {
            format!(
                "the file has more than {limit} bytes, the most that is taken; split it, or \
                 compress it with gzip or zstd"
            )
        })
    })
}

/// Why what came was not stored.
pub(super) fn refused(
    error: PutError<PayloadError>,
    within: Duration,
    too_large: impl FnOnce(u64) -> String,
) -> ApiError {
    match error {
        PutError::TooLarge { limit } => ApiError::new(Code::PayloadTooLarge, too_large(limit)),
        PutError::Source(error) => broke_off(&error, within),
        PutError::Store(error) => error.into(),
    }
}

/// The beginning of a file, which is as its format and compression begin.
pub(super) async fn checked_start(
    source: &mut (impl Stream<Item = Result<Bytes, PayloadError>> + Unpin),
    (format, compression): (Format, Compression),
    within: Duration,
) -> Result<Bytes, ApiError> {
    let start = first_bytes(source).await.map_err(|error| broke_off(&error, within))?;
    check_start(&start, format, compression)?;
    Ok(start)
}

/// At least [`START_BYTES`], or all there are.
async fn first_bytes(
    source: &mut (impl Stream<Item = Result<Bytes, PayloadError>> + Unpin),
) -> Result<Bytes, PayloadError> {
    let mut start = BytesMut::new();
    while start.len() < START_BYTES {
        let Some(chunk) = source.next().await else { break };
        start.extend_from_slice(&chunk?);
    }
    Ok(start.freeze())
}

async fn queue_profile(
    tx: &mut TenantTx<'_>,
    user: UserId,
    version: &Version,
) -> Result<JobId, ApiError> {
    let job = NewJob {
        priority: PROFILE_PRIORITY,
        ..NewJob::new(
            format!("profile {} {}", version.dataset_name, version.number),
            user,
            (version.dataset, version.number),
            (PROFILE_RESOURCES, PROFILE_MAX_RUNTIME_SECS),
        )
    };
    // never refused: the queue's limit is for training jobs
    let _accepted = jobs::submit(tx, &job).await?;
    Ok(job.id)
}
