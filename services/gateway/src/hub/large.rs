//! Files that are too large for the body of a commit, by the protocol of git-lfs: the client asks where to
//! send them, sends each, and commits their digests. Where to send one is a ticket that we have signed: it
//! is good for an hour and for this content alone, and needs no other credential.

use actix_web::{HttpRequest, HttpResponse, post, put, web};
use domain::{Digest, TenantId};
use registry::PutError;
use serde::{Deserialize, Serialize};
use store::storage::{Storage, taken};
use utoipa::ToSchema;

use super::{Known, endpoint, error::HubError};
use crate::{
    ApiError, App, Code,
    auth::WriteModels,
    body::{Whole, broke_off, in_time},
    models::own_model,
    storage::check,
};

const MAX_OBJECTS: usize = 1_000;

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct LfsBatch {
    objects: Vec<LfsObject>,
}

#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
struct LfsObject {
    /// SHA-256.
    oid: Digest,
    size: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LfsAnswer {
    transfer: &'static str,
    objects: Vec<LfsAction>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LfsAction {
    #[serde(flatten)]
    object: LfsObject,
    /// None where the bytes are there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<LfsActions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<LfsError>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LfsActions {
    upload: LfsUpload,
}

#[derive(Debug, Serialize, ToSchema)]
struct LfsUpload {
    href: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct LfsError {
    code: u16,
    message: String,
}

/// Where to send large files.
#[utoipa::path(
    operation_id = "hub_lfs_batch", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path)),
    request_body(content = LfsBatch, content_type = "application/vnd.git-lfs+json"),
    responses((status = 200, body = LfsAnswer)),
)]
#[post("/hub/{tenant}/{model}.git/info/lfs/objects/batch")]
pub(super) async fn batch(
    app: web::Data<App>,
    caller: Known<WriteModels>,
    path: web::Path<(String, String)>,
    sent: Whole,
    req: HttpRequest,
) -> Result<web::Json<LfsAnswer>, HubError> {
    let (tenant, name) = path.into_inner();
    let caller = caller.0;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = own_model(&mut tx, &tenant, &name).await.map_err(HubError::of_repository)?;
    let storage = taken(&mut tx).await?;
    tx.commit().await?;
    // its media type is its own, so that this is not a body like others
    let batch: LfsBatch = serde_json::from_slice(&sent.0)
        .map_err(|why| HubError::bad(format!("the batch cannot be read: {why}")))?;
    if batch.objects.len() > MAX_OBJECTS {
        return Err(HubError::bad(format!("ask for at most {MAX_OBJECTS} objects at once")));
    }
    let endpoint = endpoint(&req);
    let mut objects = Vec::new();
    for object in batch.objects {
        objects.push(action(&app, (model.tenant, storage), object, &endpoint).await?);
    }
    Ok(web::Json(LfsAnswer { transfer: "basic", objects }))
}

async fn action(
    app: &App,
    (tenant, storage): (TenantId, Storage),
    object: LfsObject,
    endpoint: &str,
) -> Result<LfsAction, HubError> {
    let most = app.config.max_upload_bytes;
    if object.size > most {
        let message = format!("has {} bytes; at most {most} may be sent", object.size);
        let error = Some(LfsError { code: 413, message });
        return Ok(LfsAction { object, actions: None, error });
    }
    if app.blobs.has(tenant, object.oid).await? {
        return Ok(LfsAction { object, actions: None, error: None });
    }
    // so that nobody sends what the commit would not take
    let used = storage.used.saturating_add(object.size);
    if let Err(full) = check(Storage { used, ..storage }, "this file") {
        let error = Some(LfsError { code: 403, message: full.detail });
        return Ok(LfsAction { object, actions: None, error });
    }
    let ticket = app.signer.ticket(tenant, object.oid, object.size, app.clock.now());
    let ticket = ticket.map_err(|error| ApiError::internal(&error))?;
    let upload = LfsUpload { href: format!("{endpoint}/lfs/{ticket}") };
    Ok(LfsAction { object, actions: Some(LfsActions { upload }), error: None })
}

/// Send a large file: to where the batch said, and no sooner.
#[utoipa::path(
    operation_id = "hub_lfs_put", tag = "hub", security(()),
    params(("ticket" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "It is stored"),
        (status = 401, description = "The ticket is not ours, or has expired"),
    ),
)]
#[put("/hub/lfs/{ticket}")]
pub(super) async fn put(
    app: web::Data<App>,
    ticket: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, HubError> {
    let ticket = app.signer.read_ticket(&ticket, app.clock.now()).await?;
    let within = app.config.body_within;
    let stored = app.blobs.put_stream(ticket.tenant, in_time(payload, within), ticket.bytes).await;
    let stored = stored.map_err(|error| match error {
        PutError::TooLarge { limit } => {
            ApiError::new(Code::PayloadTooLarge, format!("more than the {limit} bytes announced"))
        }
        PutError::Source(error) => broke_off(&error, within),
        PutError::Store(error) => error.into(),
    })?;
    if (stored.sha256, stored.bytes) != (ticket.sha256, ticket.bytes) {
        let why = format!(
            "announced were {} bytes with the SHA-256 {}, and {} bytes with {} came",
            ticket.bytes, ticket.sha256, stored.bytes, stored.sha256
        );
        return Err(HubError::bad(why));
    }
    Ok(HttpResponse::Ok().finish())
}
