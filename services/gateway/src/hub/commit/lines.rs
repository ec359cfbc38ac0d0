//! Reading a commit, line by line, as it comes.

use actix_web::web::{Bytes, BytesMut, Payload};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    Digest, TenantId,
    registry::{FilePath, VersionFile},
};
use futures::StreamExt;
use serde::Deserialize;

use super::{
    MAX_FILES, MAX_INLINE_BYTES,
    change::{Changes, Operation},
};
use crate::{
    ApiError, App, Code,
    body::{broke_off, in_time},
    hub::{card, error::HubError},
};

const README: &str = "README.md";
/// A file in base64, and what is said of it.
const MAX_LINE_BYTES: usize = (MAX_INLINE_BYTES as usize).div_ceil(3) * 4 + (64 << 10);

#[derive(Deserialize)]
#[serde(tag = "key", content = "value", rename_all = "camelCase")]
enum Line {
    #[serde(rename_all = "camelCase")]
    Header {
        #[serde(default)]
        parent_commit: Option<String>,
    },
    File {
        path: FilePath,
        content: String,
        #[serde(default)]
        encoding: Option<String>,
    },
    LfsFile {
        path: FilePath,
        oid: Digest,
    },
    DeletedFile {
        path: FilePath,
    },
    DeletedFolder {
        path: String,
    },
}

pub(super) async fn read(
    app: &App,
    tenant: TenantId,
    payload: Payload,
) -> Result<Changes, HubError> {
    let within = app.config.body_within;
    let mut payload = in_time(payload, within);
    let mut changes = Changes::default();
    let mut held = BytesMut::new();
    let mut total = 0_u64;
    loop {
        let chunk = payload.next().await.transpose().map_err(|error| broke_off(&error, within))?;
        let ended = chunk.is_none();
        let chunk = chunk.unwrap_or_else(|| Bytes::from_static(b"\n"));
        total += chunk.len() as u64;
        if total > app.config.max_upload_bytes {
            let why = format!("the commit has more than {} bytes", app.config.max_upload_bytes);
            return Err(ApiError::new(Code::PayloadTooLarge, why).into());
        }
        let mut searched = held.len();
        held.extend_from_slice(&chunk);
        while let Some(end) = held[searched..].iter().position(|byte| *byte == b'\n') {
            let line = held.split_to(searched + end + 1);
            searched = 0;
            take(app, tenant, &line, &mut changes).await?;
        }
        if held.len() > MAX_LINE_BYTES {
            let why = format!(
                "a file in the commit has more than {MAX_INLINE_BYTES} bytes; send it by git-lfs"
            );
            return Err(ApiError::new(Code::PayloadTooLarge, why).into());
        }
        if ended {
            return Ok(changes);
        }
    }
}

async fn take(
    app: &App,
    tenant: TenantId,
    line: &[u8],
    changes: &mut Changes,
) -> Result<(), HubError> {
    if line.trim_ascii().is_empty() {
        return Ok(());
    }
    let line = serde_json::from_slice(line)
        .map_err(|why| HubError::bad(format!("a line of the commit cannot be read: {why}")))?;
    if changes.operations.len() > MAX_FILES {
        return Err(HubError::bad(format!("a commit changes at most {MAX_FILES} files")));
    }
    let operation = match line {
        Line::Header { parent_commit } => {
            changes.parent = parent_commit;
            return Ok(());
        }
        Line::File { path, content, encoding } => {
            let bytes = decoded(&path, content, encoding.as_deref())?;
            if path.as_str() == README {
                changes.card = Some(read_card(&bytes)?);
            }
            let stored = app.blobs.put_bytes(tenant, bytes).await?;
            Operation::Put(VersionFile { path, sha256: stored.sha256, bytes: stored.bytes })
        }
        Line::LfsFile { path, oid } => {
            let bytes = app.blobs.verify(tenant, oid).await;
            let bytes = bytes.map_err(|error| not_sent(&path, oid, error))?;
            Operation::Put(VersionFile { path, sha256: oid, bytes })
        }
        Line::DeletedFile { path } => Operation::Delete(path),
        Line::DeletedFolder { path } => Operation::DeleteBelow(path.trim_matches('/').to_owned()),
    };
    changes.operations.push(operation);
    Ok(())
}

fn decoded(path: &FilePath, content: String, encoding: Option<&str>) -> Result<Bytes, HubError> {
    match encoding {
        Some("base64") => {
            let bytes = STANDARD.decode(content);
            let bytes =
                bytes.map_err(|why| HubError::bad(format!("`{path}` is not base64: {why}")))?;
            Ok(bytes.into())
        }
        None | Some("utf-8") => Ok(content.into()),
        Some(other) => {
            let other: String = other.chars().take(40).collect();
            Err(HubError::bad(format!("`{path}`: `{other}` is no encoding here; use `base64`")))
        }
    }
}

fn read_card(bytes: &[u8]) -> Result<card::Card, HubError> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| HubError::bad("README.md is not text in UTF-8"))?;
    card::read(text).map_err(HubError::bad)
}

fn not_sent(path: &FilePath, oid: Digest, error: registry::BlobError) -> HubError {
    match error {
        registry::BlobError::Missing(_) => HubError::bad(format!(
            "`{path}`: content with the SHA-256 {oid} was not sent; ask the batch of git-lfs where to"
        )),
        error => error.into(),
    }
}
