//! A piece of a file that is on its way. It is stored first and counted second, where the upload stands by then.

use actix_web::{
    HttpRequest,
    http::header::{CONTENT_TYPE, HeaderMap},
    patch, web,
};
use domain::{FieldErrors, TenantId, UploadId};
use futures::{StreamExt, stream};
use registry::Piece;
use store::uploads::{self, NewUpload, Upload};

use super::{
    push::{checked_start, refused},
    uploads::{UploadView, known, view},
};
use crate::{ApiError, App, Caller, Code, auth::WriteDatasets, body::in_time, download::FileBytes};

/// Of every piece but the last: what has come is a list of them.
const LEAST_PIECE_BYTES: u64 = 1 << 20;
const MOST_PIECE_BYTES: u64 = 64 << 20;
/// Where a piece goes on.
const OFFSET: &str = "upload-offset";
const PIECE: &str = "application/octet-stream";

/// Send the next piece of a file.
///
/// A piece has 1 to 64 MiB, the last one also less; one that breaks off is not kept. One that goes on elsewhere than
/// the upload stands is a 409 `wrong_offset`.
#[utoipa::path(
    operation_id = "send_piece", tag = "datasets",
    params(
        ("upload" = UploadId, Path),
        ("Upload-Offset" = u64, Header, description = "How much of the file comes before it: the upload's `received`"),
    ),
    request_body(
        description = "The piece as it is",
        content((FileBytes = "application/octet-stream")),
    ),
    responses(
        (status = 200, body = UploadView),
        (status = 409, description = "The upload stands elsewhere, or is a version already"),
    ),
)]
#[patch("/v1/uploads/{upload}")]
pub(super) async fn send(
    app: web::Data<App>,
    caller: Caller<WriteDatasets>,
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<web::Json<UploadView>, ApiError> {
    let tenant = caller.tenant();
    let upload = known(&app, tenant, &id).await?;
    let at = offset(request.headers())?;
    if upload.version.is_some() || at != upload.received {
        return Err(stands_elsewhere(&upload, at));
    }
    let piece = receive(&app, tenant, &upload, payload).await?;
    let counted = match check_piece(&upload, piece.bytes) {
        Ok(()) => count(&app, tenant, &upload, piece).await,
        Err(error) => Err(error.into()),
    };
    if counted.is_err() {
        // whatever is left of it goes with the upload
        let _ = app.blobs.delete_piece(tenant, upload.id, piece).await;
    }
    Ok(web::Json(view(&app, counted?)))
}

fn offset(headers: &HeaderMap) -> Result<u64, ApiError> {
    let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = given(CONTENT_TYPE.as_str()).unwrap_or_default();
    let offset = given(OFFSET).and_then(|offset| offset.parse().ok()).ok_or_else(|| {
        let why = "Upload-Offset: say how many bytes of the file come before this piece";
        ApiError::new(Code::BadRequest, why)
    })?;
    if !kind.trim().eq_ignore_ascii_case(PIECE) {
        let why = format!("a piece is sent as `{PIECE}`");
        return Err(ApiError::new(Code::UnsupportedMediaType, why));
    }
    Ok(offset)
}

fn stands_elsewhere(upload: &Upload, at: u64) -> ApiError {
    let why = match upload.version {
        Some(version) => format!("it is version {version} of `{}` already", upload.file.dataset),
        None => format!("{} bytes have come; go on from there, and not from {at}", upload.received),
    };
    ApiError::new(Code::WrongOffset, why)
}

async fn receive(
    app: &App,
    tenant: TenantId,
    upload: &Upload,
    payload: web::Payload,
) -> Result<Piece, ApiError> {
    let within = app.config.body_within;
    let mut payload = in_time(payload, within);
    let NewUpload { format, compression, bytes, .. } = upload.file;
    let mut start = web::Bytes::new();
    if upload.received == 0 {
        start = checked_start(&mut payload, (format, compression), within).await?;
    }
    let piece = stream::iter([Ok(start)]).chain(payload);
    let limit = MOST_PIECE_BYTES.min(bytes - upload.received);
    let stored = app.blobs.put_piece(tenant, upload.id, piece, limit).await;
    stored.map_err(|error| {
        refused(error, within, |limit| {
            format!("more than {limit} bytes, the most that this piece of the file may have")
        })
    })
}

fn check_piece(upload: &Upload, bytes: u64) -> Result<(), FieldErrors> {
    let is_last = upload.received + bytes == upload.file.bytes;
    if bytes >= LEAST_PIECE_BYTES || is_last {
        return Ok(());
    }
    let why =
        format!("has {bytes} bytes; a piece has at least {LEAST_PIECE_BYTES}, but for the last");
    Err(FieldErrors::one("body", why))
}

async fn count(
    app: &App,
    tenant: TenantId,
    upload: &Upload,
    piece: Piece,
) -> Result<Upload, ApiError> {
    let mut tx = app.store.begin_for(tenant).await?;
    let (at, piece) = (upload.received, (piece.id, piece.bytes));
    let counted = uploads::count_piece(&mut tx, upload.id, at, piece, app.clock.now()).await?;
    let now = uploads::get(&mut tx, upload.id).await?;
    let now = now.ok_or_else(|| ApiError::not_found("upload", upload.id))?;
    tx.commit().await?;
    // another has sent one for the same place meanwhile
    if counted { Ok(now) } else { Err(stands_elsewhere(&now, at)) }
}
