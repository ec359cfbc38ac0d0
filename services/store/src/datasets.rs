//! Datasets, their versions by content, and the profiles that workers make of them.

use domain::{
    DatasetId, Digest, JobId, Timestamp,
    dataset::{Compression, Format, Profile},
    job::Cause,
    name::Name,
};
use serde_json::Value;
use uuid::Uuid;

use crate::{StoreError, SystemTx, TenantTx, Tx};

#[derive(Debug, Clone)]
pub struct Dataset {
    pub id: DatasetId,
    pub name: String,
    pub created_at: Timestamp,
    pub versions: i64,
    pub bytes: i64,
}

#[derive(Debug, Clone)]
pub struct Version {
    pub dataset: DatasetId,
    pub dataset_name: String,
    pub number: u32,
    pub sha256: Digest,
    pub bytes: u64,
    pub format: Format,
    pub compression: Compression,
    pub created_at: Timestamp,
    pub profile: ProfileState,
}

#[derive(Debug, Clone)]
pub enum ProfileState {
    /// A worker has not read it yet.
    Pending,
    Ready(Box<Profile>),
    /// The file cannot be read; the bytes are kept.
    Invalid(Cause),
}

#[derive(Debug, Clone)]
pub struct NewVersion {
    pub sha256: Digest,
    pub bytes: u64,
    pub format: Format,
    pub compression: Compression,
}

struct Row {
    dataset_id: Uuid,
    name: String,
    number: i32,
    sha256: Vec<u8>,
    bytes: i64,
    format: String,
    compression: String,
    created_at: Timestamp,
    profile: Option<Value>,
    problem: Option<Value>,
}

impl TryFrom<Row> for Version {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let bad = |column| move |why: String| StoreError::corrupt("dataset_version", column, why);
        let json = |column| {
            move |why: serde_json::Error| StoreError::corrupt("dataset_version", column, why)
        };
        let profile = match (row.profile, row.problem) {
            (Some(profile), _) => {
                ProfileState::Ready(serde_json::from_value(profile).map_err(json("profile"))?)
            }
            (None, Some(problem)) => {
                ProfileState::Invalid(serde_json::from_value(problem).map_err(json("problem"))?)
            }
            (None, None) => ProfileState::Pending,
        };
        Ok(Self {
            dataset: DatasetId::from_uuid(row.dataset_id),
            dataset_name: row.name,
            number: row.number.unsigned_abs(),
            sha256: digest(&row.sha256, "dataset_version", "sha256")?,
            bytes: row.bytes.unsigned_abs(),
            format: row.format.parse().map_err(bad("format"))?,
            compression: row.compression.parse().map_err(bad("compression"))?,
            created_at: row.created_at,
            profile,
        })
    }
}

pub(crate) fn digest(
    bytes: &[u8],
    table: &'static str,
    column: &'static str,
) -> Result<Digest, StoreError> {
    Digest::try_from(bytes).map_err(|why| StoreError::corrupt(table, column, why))
}

/// Finds or makes the dataset, then finds the version with these bytes or makes the next one.
/// `true` says that it is new, and needs a profile job.
pub async fn add_version(
    tx: &mut TenantTx<'_>,
    name: &Name,
    version: &NewVersion,
) -> Result<(Version, bool), StoreError> {
    let tenant = tx.tenant().uuid();
    // one push into a dataset at a time, so that numbers have no gaps
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1::uuid::text || '/' || $2, 0))",
        tenant,
        name.as_str(),
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "insert into dataset (id, tenant_id, name) values ($1, $2, $3)
         on conflict (tenant_id, name) do nothing",
        DatasetId::generate().uuid(),
        tenant,
        name.as_str(),
    )
    .execute(tx.conn())
    .await?;
    let inserted = sqlx::query!(
        "insert into dataset_version (dataset_id, tenant_id, number, sha256, bytes, format, compression)
         select d.id, d.tenant_id,
                1 + coalesce((select max(v.number) from dataset_version v where v.dataset_id = d.id), 0),
                $3, $4, $5, $6
         from dataset d
         where d.tenant_id = $1 and d.name = $2
         on conflict (dataset_id, sha256, format) do nothing",
        tenant,
        name.as_str(),
        version.sha256.as_bytes(),
        i64::try_from(version.bytes).unwrap_or(i64::MAX),
        version.format.as_str(),
        version.compression.as_str(),
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    let row = sqlx::query_as!(
        Row,
        "select v.dataset_id, d.name, v.number, v.sha256, v.bytes, v.format, v.compression,
                v.created_at, v.profile, v.problem
         from dataset_version v join dataset d on d.id = v.dataset_id
         where d.tenant_id = $1 and d.name = $2 and v.sha256 = $3 and v.format = $4",
        tenant,
        name.as_str(),
        version.sha256.as_bytes(),
        version.format.as_str(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.try_into()?, inserted == 1))
}

/// Version `number`, or the newest.
pub async fn version(
    tx: &mut TenantTx<'_>,
    name: &str,
    number: Option<u32>,
) -> Result<Option<Version>, StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query_as!(
        Row,
        "select v.dataset_id, d.name, v.number, v.sha256, v.bytes, v.format, v.compression,
                v.created_at, v.profile, v.problem
         from dataset_version v join dataset d on d.id = v.dataset_id
         where d.tenant_id = $1 and d.name = $2 and ($3::int is null or v.number = $3)
         order by v.number desc
         limit 1",
        tenant,
        name,
        number.map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Version::try_from)
    .transpose()
}

pub async fn versions(tx: &mut TenantTx<'_>, name: &str) -> Result<Vec<Version>, StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query_as!(
        Row,
        "select v.dataset_id, d.name, v.number, v.sha256, v.bytes, v.format, v.compression,
                v.created_at, v.profile, v.problem
         from dataset_version v join dataset d on d.id = v.dataset_id
         where d.tenant_id = $1 and d.name = $2
         order by v.number desc
         limit 200",
        tenant,
        name,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(Version::try_from)
    .collect()
}

pub async fn list(tx: &mut TenantTx<'_>) -> Result<Vec<Dataset>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query!(
        r#"select d.id, d.name, d.created_at, count(v.number) as "versions!",
                  coalesce(sum(v.bytes), 0)::bigint as "bytes!"
           from dataset d left join dataset_version v on v.dataset_id = d.id
           where d.tenant_id = $1
           group by d.id
           order by d.name
           limit 1000"#,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?;
    let dataset = rows.into_iter().map(|row| Dataset {
        id: DatasetId::from_uuid(row.id),
        name: row.name,
        created_at: row.created_at,
        versions: row.versions,
        bytes: row.bytes,
    });
    Ok(dataset.collect())
}

/// One, by its name, of the transaction's tenant.
pub(crate) const ONE: &str = "select d.id, d.name, d.created_at, count(v.number) as versions,
            coalesce(sum(v.bytes), 0)::bigint as bytes
     from dataset d left join dataset_version v on v.dataset_id = d.id
     where d.tenant_id = current_tenant() and d.name = $1
     group by d.id";

#[derive(sqlx::FromRow)]
pub(crate) struct DatasetRow {
    id: Uuid,
    name: String,
    created_at: Timestamp,
    versions: i64,
    bytes: i64,
}

impl From<DatasetRow> for Dataset {
    fn from(row: DatasetRow) -> Self {
        Self {
            id: DatasetId::from_uuid(row.id),
            name: row.name,
            created_at: row.created_at,
            versions: row.versions,
            bytes: row.bytes,
        }
    }
}

/// The outcome of a profile job; in the transaction that finishes the job.
pub async fn set_profile(
    tx: &mut SystemTx<'_>,
    job: JobId,
    profile: &Profile,
) -> Result<(), StoreError> {
    let profile = serde_json::to_value(profile)
        .map_err(|why| StoreError::corrupt("dataset_version", "profile", why))?;
    sqlx::query!(
        "update dataset_version v set profile = $2
         from job j
         where j.id = $1 and j.kind = 'profile'
           and v.dataset_id = j.dataset_id and v.number = j.dataset_version and v.problem is null",
        job.uuid(),
        profile,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
