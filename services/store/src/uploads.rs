//! Files on their way: how much of each has come, and in which pieces. A piece is stored first and counted second, and
//! only where the count stands: of two that come for the same place one is counted.

use std::collections::BTreeSet;

use domain::{
    Digest, TenantId, Timestamp, UploadId,
    dataset::{Compression, Format},
    name::Name,
};
use uuid::Uuid;

use crate::{StoreError, SystemTx, TenantTx, Tx, amounts::big, datasets::digest};

/// So many of a tenant's may be on their way.
pub const MOST: usize = 100;

#[derive(Debug, Clone)]
pub struct Upload {
    pub id: UploadId,
    pub file: NewUpload,
    pub received: u64,
    /// In their order.
    pub pieces: Vec<Uuid>,
    /// That it has become.
    pub version: Option<u32>,
    pub created_at: Timestamp,
    /// When something came last.
    pub heard_at: Timestamp,
}

/// What its sender says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    pub dataset: Name,
    pub format: Format,
    pub compression: Compression,
    pub bytes: u64,
    /// By what its sender knows it again.
    pub fingerprint: String,
    pub sha256: Option<Digest>,
}

struct Row {
    id: Uuid,
    dataset: String,
    format: String,
    compression: String,
    bytes: i64,
    fingerprint: String,
    sha256: Option<Vec<u8>>,
    received: i64,
    pieces: Vec<Uuid>,
    version: Option<i32>,
    created_at: Timestamp,
    heard_at: Timestamp,
}

impl TryFrom<Row> for Upload {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let bad = |column| move |why: String| StoreError::corrupt("upload", column, why);
        let sha256 = row.sha256.map(|bytes| digest(&bytes, "upload", "sha256")).transpose()?;
        let file = NewUpload {
            dataset: row
                .dataset
                .parse()
                .map_err(|why| StoreError::corrupt("upload", "dataset", why))?,
            format: row.format.parse().map_err(bad("format"))?,
            compression: row.compression.parse().map_err(bad("compression"))?,
            bytes: row.bytes.unsigned_abs(),
            fingerprint: row.fingerprint,
            sha256,
        };
        Ok(Self {
            id: UploadId::from_uuid(row.id),
            file,
            received: row.received.unsigned_abs(),
            pieces: row.pieces,
            version: row.version.map(i32::unsigned_abs),
            created_at: row.created_at,
            heard_at: row.heard_at,
        })
    }
}

/// What has come of this file already, or nothing yet; `true` says that it is new.
pub async fn begin(
    tx: &mut TenantTx<'_>,
    file: &NewUpload,
    now: Timestamp,
) -> Result<(Upload, bool), StoreError> {
    let id = UploadId::generate();
    let row = sqlx::query_as!(
        Row,
        "insert into upload (id, tenant_id, dataset, format, compression, bytes, fingerprint, sha256,
                             created_at, heard_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
         on conflict (tenant_id, dataset, fingerprint, bytes, format, compression) where version is null
             do update set heard_at = excluded.heard_at
         returning id, dataset, format, compression, bytes, fingerprint, sha256, received, pieces, version,
                   created_at, heard_at",
        id.uuid(),
        tx.tenant().uuid(),
        file.dataset.as_str(),
        file.format.as_str(),
        file.compression.as_str(),
        big(file.bytes),
        file.fingerprint,
        file.sha256.as_ref().map(|sha256| sha256.as_bytes().as_slice()),
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    let upload = Upload::try_from(row)?;
    let is_new = upload.id == id;
    Ok((upload, is_new))
}

/// Those on their way, the latest first; one more than there may be shows that there are too many.
pub async fn list(tx: &mut TenantTx<'_>) -> Result<Vec<Upload>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "select id, dataset, format, compression, bytes, fingerprint, sha256, received, pieces, version, created_at,
                heard_at
         from upload where tenant_id = $1 and version is null
         order by id desc
         limit $2",
        tx.tenant().uuid(),
        MOST as i64 + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Upload::try_from).collect()
}

pub async fn get(tx: &mut TenantTx<'_>, id: UploadId) -> Result<Option<Upload>, StoreError> {
    sqlx::query_as!(
        Row,
        "select id, dataset, format, compression, bytes, fingerprint, sha256, received, pieces, version, created_at,
                heard_at
         from upload where tenant_id = $1 and id = $2",
        tx.tenant().uuid(),
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Upload::try_from)
    .transpose()
}

/// Counts a piece that is stored, if it goes on where the upload stands and not beyond its end.
pub async fn count_piece(
    tx: &mut TenantTx<'_>,
    id: UploadId,
    at: u64,
    (piece, bytes): (Uuid, u64),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let counted = sqlx::query!(
        "update upload set received = received + $4, pieces = pieces || $5::uuid, heard_at = $6
         where tenant_id = $1 and id = $2 and received = $3 and received + $4 <= bytes and version is null",
        tx.tenant().uuid(),
        id.uuid(),
        big(at),
        big(bytes),
        piece,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(counted.rows_affected() == 1)
}

/// All of it is a version now; its pieces are nobody's any more.
pub async fn became(tx: &mut TenantTx<'_>, id: UploadId, version: u32) -> Result<bool, StoreError> {
    let became = sqlx::query!(
        "update upload set version = $3, pieces = '{}' where tenant_id = $1 and id = $2 and received = bytes",
        tx.tenant().uuid(),
        id.uuid(),
        i32::try_from(version).unwrap_or(i32::MAX),
    )
    .execute(tx.conn())
    .await?;
    Ok(became.rows_affected() == 1)
}

/// False if there is none.
pub async fn give_up(tx: &mut TenantTx<'_>, id: UploadId) -> Result<bool, StoreError> {
    let given_up = sqlx::query!(
        "delete from upload where tenant_id = $1 and id = $2",
        tx.tenant().uuid(),
        id.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(given_up.rows_affected() == 1)
}

/// Forgets a tenant's of which nothing was heard since `before`, and says which are left.
pub async fn forget(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    before: Timestamp,
) -> Result<BTreeSet<UploadId>, StoreError> {
    sqlx::query!(
        "delete from upload where tenant_id = $1 and heard_at <= $2",
        tenant.uuid(),
        before,
    )
    .execute(tx.conn())
    .await?;
    let left = sqlx::query_scalar!("select id from upload where tenant_id = $1", tenant.uuid())
        .fetch_all(tx.conn())
        .await?;
    Ok(left.into_iter().map(UploadId::from_uuid).collect())
}
