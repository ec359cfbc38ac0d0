//! Pushing a file in pieces, for whoever sends much over a network that breaks. The sender says what it will send, sends
//! one piece after the other to where the upload stands, and once all have come makes a version of them. Saying
//! the same again finds the upload, with how far it got: nothing has to be remembered but the file.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, delete, get, http::header::LOCATION, post, web};
use domain::{
    Digest, FieldErrors, TenantId, Timestamp, UploadId,
    dataset::{Compression, Format},
    name::Name,
};
use serde::{Deserialize, Serialize};
use store::{
    datasets::NewVersion,
    uploads::{self, MOST, NewUpload, Upload},
};
use tracing::warn;
use utoipa::ToSchema;

use super::{
    DatasetVersionView, piece,
    push::{answer, publish},
    settled_version,
};
use crate::{
    ApiError, App, Body, Caller, Code, Listing, ServiceConfig,
    audit::Object,
    auth::{ReadDatasets, WriteDatasets},
    storage::check_room,
};

const MAX_FINGERPRINT_CHARS: usize = 400;

pub(super) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(begin)
        .service(list)
        .service(look)
        .service(piece::send)
        .service(finish)
        .service(give_up);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UploadDraft {
    /// That it becomes a version of; made if it is not there.
    #[schema(value_type = Name)]
    dataset: String,
    format: Format,
    /// `none` if absent.
    compression: Option<Compression>,
    /// Of the whole file, as it is sent.
    bytes: u64,
    /// By what you know the file again, 1 to 400 characters: its name, size and time, say. The same again goes on with
    /// what has come.
    #[schema(examples("reviews.csv 104857600 1767225600"))]
    fingerprint: String,
    /// Of the whole file; nothing else becomes a version then.
    sha256: Option<Digest>,
}

impl UploadDraft {
    fn check(self) -> Result<NewUpload, FieldErrors> {
        let Self { dataset, format, compression, bytes, fingerprint, sha256 } = self;
        let mut errors = FieldErrors::default();
        let dataset = dataset.parse::<Name>().map_err(|error| error.to_string());
        if let Err(why) = &dataset {
            errors.add("dataset", why);
        }
        if bytes == 0 {
            errors.add("bytes", "the file is empty; send at least a header line and one row");
        }
        let chars = fingerprint.chars().count();
        if !(1..=MAX_FINGERPRINT_CHARS).contains(&chars) {
            let why = format!("has {chars} characters; use 1 to {MAX_FINGERPRINT_CHARS}");
            errors.add("fingerprint", why);
        }
        let compression = compression.unwrap_or(Compression::None);
        match dataset {
            Ok(dataset) => errors.into_result(NewUpload {
                dataset,
                format,
                compression,
                bytes,
                fingerprint,
                sha256,
            }),
            Err(_) => Err(errors),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct UploadView {
    id: UploadId,
    dataset: Name,
    format: Format,
    compression: Compression,
    bytes: u64,
    /// So much has come: the next piece goes on there.
    received: u64,
    fingerprint: String,
    sha256: Option<Digest>,
    /// That it has become, once it was made one.
    version: Option<u32>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// It goes if nothing more comes until then.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

pub(super) fn view(app: &App, upload: Upload) -> UploadView {
    let Upload { id, file, received, version, created_at, heard_at, .. } = upload;
    let NewUpload { dataset, format, compression, bytes, fingerprint, sha256 } = file;
    let expires_at = heard_at + app.config.clear_after;
    UploadView {
        id,
        dataset,
        format,
        compression,
        bytes,
        received,
        fingerprint,
        sha256,
        version,
        created_at,
        expires_at,
    }
}

/// Begin to push a file in pieces, or go on.
///
/// The same file of the same tenant is answered 200 with how far it has got. Its bytes count against the tenant's
/// storage from now on.
#[utoipa::path(
    operation_id = "begin_upload", tag = "datasets",
    request_body = UploadDraft,
    responses(
        (status = 201, body = UploadView, headers(("Location" = String, description = "The upload"))),
        (status = 200, body = UploadView, description = "Some of it may have come already"),
        (status = 409, description = "It was begun with another SHA-256, or too many are on their way"),
    ),
)]
#[post("/v1/uploads")]
async fn begin(
    app: web::Data<App>,
    caller: Caller<WriteDatasets>,
    Body(draft): Body<UploadDraft>,
) -> Result<HttpResponse, ApiError> {
    let file = draft.check()?;
    let most = app.config.max_upload_bytes;
    if file.bytes > most {
        let why = format!("the file has {} bytes; at most {most} are taken", file.bytes);
        return Err(ApiError::new(Code::PayloadTooLarge, why));
    }
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let (upload, is_new) = uploads::begin(&mut tx, &file, app.clock.now()).await?;
    if is_new {
        check_room(&mut tx, "this file").await?;
        if uploads::list(&mut tx).await?.len() > MOST {
            let why = format!("{MOST} files are on their way already; end or give up some of them");
            return Err(ApiError::new(Code::Conflict, why));
        }
    } else if upload.file.sha256 != file.sha256 {
        let why = format!("sha256: `{}` was begun with another; give that up first", upload.id);
        return Err(ApiError::new(Code::Conflict, why));
    }
    tx.commit().await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    let location = format!("/v1/uploads/{}", upload.id);
    Ok(response.insert_header((LOCATION, location)).json(view(&app, upload)))
}

/// List the files that are on their way, the latest first.
#[utoipa::path(
    operation_id = "list_uploads", tag = "datasets",
    responses((status = 200, body = Listing<UploadView>)),
)]
#[get("/v1/uploads")]
async fn list(
    app: web::Data<App>,
    caller: Caller<ReadDatasets>,
) -> Result<web::Json<Listing<UploadView>>, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = uploads::list(&mut tx).await?;
    tx.commit().await?;
    let items = found.into_iter().map(|upload| view(&app, upload)).collect();
    Ok(web::Json(Listing::whole(items)))
}

/// Read how far a file has got.
#[utoipa::path(
    operation_id = "get_upload", tag = "datasets",
    params(("upload" = UploadId, Path)),
    responses((status = 200, body = UploadView)),
)]
#[get("/v1/uploads/{upload}")]
async fn look(
    app: web::Data<App>,
    caller: Caller<ReadDatasets>,
    id: web::Path<String>,
) -> Result<web::Json<UploadView>, ApiError> {
    let upload = known(&app, caller.tenant(), &id).await?;
    Ok(web::Json(view(&app, upload)))
}

pub(super) async fn known(app: &App, tenant: TenantId, id: &str) -> Result<Upload, ApiError> {
    let unknown = || ApiError::not_found("upload", id);
    let mut tx = app.store.begin_for(tenant).await?;
    let found = uploads::get(&mut tx, id.parse().map_err(|_| unknown())?).await?;
    tx.commit().await?;
    found.ok_or_else(unknown)
}

/// Make a version of a file that has come whole.
///
/// Asked again, it answers 200 with the version. With `Prefer: wait=N` (seconds, at most 30) the answer waits for the
/// profile.
#[utoipa::path(
    operation_id = "finish_upload", tag = "datasets",
    params(
        ("upload" = UploadId, Path),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the profile"),
    ),
    responses(
        (status = 201, body = DatasetVersionView, headers(("Location" = String, description = "The version"))),
        (status = 200, body = DatasetVersionView, description = "The dataset has these bytes already"),
        (status = 409, description = "Not all of it has come"),
        (status = 422, description = "It has another SHA-256 than was said; it is forgotten"),
    ),
)]
#[post("/v1/uploads/{upload}/version")]
async fn finish(
    app: web::Data<App>,
    caller: Caller<WriteDatasets>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let tenant = caller.tenant();
    let Upload { id, file, received, pieces, version, .. } = known(&app, tenant, &id).await?;
    let NewUpload { dataset, format, compression, bytes, sha256, .. } = file;
    if let Some(number) = version {
        let found = settled_version(&app, tenant, &dataset, Some(number), Duration::ZERO).await?;
        let version = found.ok_or_else(|| ApiError::not_found("upload", id))?;
        let made = Object::new("dataset version", format!("{dataset}/{number}"));
        caller.begin(&app).await?.done(made).await?;
        return answer(&app, tenant, version, None, request.headers()).await;
    }
    if received < bytes {
        let why = format!("of {bytes} bytes {received} have come; send the rest first");
        return Err(ApiError::new(Code::WrongOffset, why));
    }
    let stored = app.blobs.join(tenant, id, &pieces).await?;
    if sha256.is_some_and(|said| said != stored.sha256) {
        let mut tx = app.store.begin_for(tenant).await?;
        uploads::give_up(&mut tx, id).await?;
        tx.commit().await?;
        forget(&app, tenant, id).await;
        let why = format!("{} has come, and not what was said; send it anew", stored.sha256);
        return Err(ApiError::field("sha256", why));
    }
    let new = NewVersion { sha256: stored.sha256, bytes: stored.bytes, format, compression };
    let made = publish(&app, &caller, &dataset, &new, Some(id), request.headers()).await?;
    forget(&app, tenant, id).await;
    Ok(made)
}

/// Its pieces, which no row names any more: what is left of them is cleared away later.
async fn forget(app: &App, tenant: TenantId, id: UploadId) {
    if let Err(error) = app.blobs.delete_pieces(tenant, id).await {
        warn!(upload.id = %id, error = &error as &dyn std::error::Error, "pieces were not deleted");
    }
}

/// Give up a file that is on its way, with what has come of it.
#[utoipa::path(
    operation_id = "give_up_upload", tag = "datasets",
    params(("upload" = UploadId, Path)),
    responses((status = 204)),
)]
#[delete("/v1/uploads/{upload}")]
async fn give_up(
    app: web::Data<App>,
    caller: Caller<WriteDatasets>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let unknown = || ApiError::not_found("upload", &id);
    let upload: UploadId = id.parse().map_err(|_| unknown())?;
    let mut tx = caller.begin(&app).await?;
    if !uploads::give_up(&mut tx, upload).await? {
        return Err(unknown());
    }
    tx.done(Object::new("upload", upload)).await?;
    forget(&app, caller.tenant(), upload).await;
    Ok(HttpResponse::NoContent().finish())
}
