//! What a version came from, and what came of it: along `base`, as far as the tenant may see.

use domain::{
    DatasetId, Digest, JobId, ModelId, TenantId,
    registry::{Revision, SourceKind, VersionState},
};
use uuid::Uuid;

use crate::{StoreError, TenantTx, Tx, amounts, datasets::digest};

/// So many in each direction.
pub const MOST: i64 = 1_000;
const DEEPEST: i32 = 1_000;

/// A version among those that it is related to.
#[derive(Debug, Clone)]
pub struct Relative {
    pub tenant: TenantId,
    /// Publisher and name.
    pub model: String,
    pub number: u32,
    pub state: VersionState,
    pub kind: SourceKind,
    pub revision: Option<Revision>,
    /// Whose base the tenant does not see, the manifest names it.
    pub manifest: Option<String>,
    pub job: Option<JobId>,
    /// Its name, version and content.
    pub dataset: Option<(String, u32, Digest)>,
    /// Publisher, name and number, if the tenant sees it.
    pub base: Option<(String, u32)>,
}

struct Id {
    model_id: Uuid,
    number: i32,
}

/// The version itself.
pub async fn relative(
    tx: &mut TenantTx<'_>,
    model: ModelId,
    number: u32,
) -> Result<Option<Relative>, StoreError> {
    Ok(relatives(tx, &[Id { model_id: model.uuid(), number: amounts::int(number) }]).await?.pop())
}

/// What a version was built upon, and what that was built upon, and so on.
pub async fn ancestors(
    tx: &mut TenantTx<'_>,
    model: ModelId,
    number: u32,
) -> Result<Vec<Relative>, StoreError> {
    let ids = sqlx::query_as!(
        Id,
        r#"with recursive up as (
               select base_model_id as model_id, base_number as number, 1 as depth
               from model_version where model_id = $1 and number = $2
               union all
               select v.base_model_id, v.base_number, up.depth + 1
               from up join model_version v on v.model_id = up.model_id and v.number = up.number
               where up.depth < $3
           )
           select model_id as "model_id!", number as "number!" from up
           where model_id is not null
           order by depth limit $4"#,
        model.uuid(),
        amounts::int(number),
        DEEPEST,
        MOST,
    )
    .fetch_all(tx.conn())
    .await?;
    relatives(tx, &ids).await
}

/// What was built upon a version, and what was built upon that, and so on.
pub async fn descendants(
    tx: &mut TenantTx<'_>,
    model: ModelId,
    number: u32,
) -> Result<Vec<Relative>, StoreError> {
    let ids = sqlx::query_as!(
        Id,
        r#"with recursive down as (
               select $1::uuid as model_id, $2::int as number, 0 as depth
               union all
               select v.model_id, v.number, down.depth + 1
               from down
               join model_version v on v.base_model_id = down.model_id and v.base_number = down.number
               where down.depth < $3
           )
           select model_id as "model_id!", number as "number!" from down
           where depth > 0
           order by depth, model_id, number limit $4"#,
        model.uuid(),
        amounts::int(number),
        DEEPEST,
        MOST,
    )
    .fetch_all(tx.conn())
    .await?;
    relatives(tx, &ids).await
}

/// What was trained on a version of a dataset of the tenant's own, and what was built upon that.
pub async fn of_dataset(
    tx: &mut TenantTx<'_>,
    dataset: DatasetId,
    version: u32,
) -> Result<Vec<Relative>, StoreError> {
    let tenant = tx.tenant().uuid();
    let ids = sqlx::query_as!(
        Id,
        r#"with recursive down as (
               select model_id, number, 0 as depth from model_version
               where dataset_id = $1 and dataset_version = $2 and tenant_id = $5
               union
               select v.model_id, v.number, down.depth + 1
               from down
               join model_version v on v.base_model_id = down.model_id and v.base_number = down.number
               where down.depth < $3
           ), once as (
               select model_id, number, min(depth) as depth from down group by model_id, number
           )
           select model_id as "model_id!", number as "number!" from once
           order by depth, model_id, number limit $4"#,
        dataset.uuid(),
        amounts::int(version),
        DEEPEST,
        MOST,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?;
    relatives(tx, &ids).await
}

/// In the order given, without those that the tenant does not see.
async fn relatives(tx: &mut TenantTx<'_>, ids: &[Id]) -> Result<Vec<Relative>, StoreError> {
    let models: Vec<_> = ids.iter().map(|id| id.model_id).collect();
    let numbers: Vec<_> = ids.iter().map(|id| id.number).collect();
    let rows = sqlx::query!(
        r#"select v.tenant_id, t.slug || '/' || m.name as "model!", v.number, v.state, v.source,
                  v.revision, v.manifest, v.job_id, v.dataset_version, v.dataset_sha256,
                  v.config #>> '{spec,dataset,name}' as dataset,
                  bt.slug || '/' || bm.name as base, v.base_number
           from unnest($1::uuid[], $2::int[]) with ordinality as of (model_id, number, place)
           join model_version v on v.model_id = of.model_id and v.number = of.number
           join model m on m.id = v.model_id
           join tenant t on t.id = v.tenant_id
           left join model bm on bm.id = v.base_model_id
           left join tenant bt on bt.id = bm.tenant_id
           where v.state <> 'deleted'
           order by of.place"#,
        &models,
        &numbers,
    )
    .fetch_all(tx.conn())
    .await?;
    let read = rows.into_iter().map(|row| {
        let corrupt = |column, why: String| StoreError::corrupt("model_version", column, why);
        let sha256 = row.dataset_sha256.as_deref();
        let sha256 = sha256.map(|bytes| digest(bytes, "model_version", "dataset_sha256"));
        let of = row.dataset.zip(row.dataset_version.map(i32::unsigned_abs));
        let dataset =
            of.zip(sha256.transpose()?).map(|((name, version), sha)| (name, version, sha));
        let revision = row.revision.as_deref().map(str::parse).transpose();
        Ok(Relative {
            tenant: TenantId::from_uuid(row.tenant_id),
            model: row.model,
            number: row.number.unsigned_abs(),
            state: row.state.parse().map_err(|why| corrupt("state", why))?,
            kind: row.source.parse().map_err(|why| corrupt("source", why))?,
            revision: revision.map_err(|()| corrupt("revision", "no digest".to_owned()))?,
            manifest: row.manifest,
            job: row.job_id.map(JobId::from_uuid),
            dataset,
            base: row.base.zip(row.base_number.map(i32::unsigned_abs)),
        })
    });
    read.collect()
}
