//! Sealing: each version gets its manifest, once. What goes into the manifest is read here; the
//! gateway makes and signs it.

use domain::{
    ModelId,
    name::Name,
    registry::{Base, Reference, Revision, VersionFile},
};

use super::{ModelVersion, version};
use crate::{StoreError, SystemTx, Tx, amounts};

/// A version without a manifest, and the names that its manifest mentions.
#[derive(Debug, Clone)]
pub struct Unsealed {
    pub version: ModelVersion,
    /// Publisher and name.
    pub model: String,
    pub dataset: Option<Name>,
    pub base: Option<Base>,
}

/// The oldest ones whose base is sealed, and no more than `most`.
pub async fn unsealed(tx: &mut SystemTx<'_>, most: i64) -> Result<Vec<(ModelId, u32)>, StoreError> {
    let rows = sqlx::query!(
        "select v.model_id, v.number
         from model_version v
         left join model_version b on b.model_id = v.base_model_id and b.number = v.base_number
         where v.manifest is null and (v.base_model_id is null or b.manifest is not null)
         order by v.created_at
         limit $1",
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    let ids = rows.into_iter().map(|row| {
        let model = ModelId::from_uuid(row.model_id);
        (model, row.number.unsigned_abs())
    });
    Ok(ids.collect())
}

/// What its manifest says; none if it has one.
pub async fn to_seal(
    tx: &mut SystemTx<'_>,
    model: ModelId,
    number: u32,
) -> Result<Option<Unsealed>, StoreError> {
    let found = version(tx, model, &Reference::Number(number)).await?;
    let Some(version) = found.filter(|version| version.sealed.is_none()) else { return Ok(None) };
    let names = sqlx::query!(
        r#"select t.slug || '/' || m.name as "model!", d.name as "dataset?",
                  bt.slug || '/' || bm.name as base_model, b.number as "base_number?",
                  b.revision as base_revision
           from model_version v
           join model m on m.id = v.model_id
           join tenant t on t.id = v.tenant_id
           left join dataset d on d.id = v.dataset_id
           left join model_version b on b.model_id = v.base_model_id and b.number = v.base_number
           left join model bm on bm.id = b.model_id
           left join tenant bt on bt.id = b.tenant_id
           where v.model_id = $1 and v.number = $2"#,
        model.uuid(),
        amounts::int(number),
    )
    .fetch_one(tx.conn())
    .await?;
    let dataset = names.dataset.map(|name| name.parse()).transpose();
    let revision = names.base_revision.as_deref().map(str::parse).transpose();
    let revision: Option<Revision> =
        revision.map_err(|()| StoreError::corrupt("model_version", "revision", "no digest"))?;
    let base = names.base_model.zip(names.base_number).zip(revision);
    Ok(Some(Unsealed {
        version,
        model: names.model,
        dataset: dataset.map_err(|why| StoreError::corrupt("dataset", "name", why))?,
        base: base.map(|((model, number), revision)| Base {
            model,
            version: number.unsigned_abs(),
            revision,
        }),
    }))
}

/// Seals a version; of several who do it at once, the first one's manifest stays.
pub async fn seal(
    tx: &mut SystemTx<'_>,
    (model, number): (ModelId, u32),
    files: &[VersionFile],
    (revision, manifest): (&Revision, &str),
) -> Result<(), StoreError> {
    let json = serde_json::to_value(files);
    let json = json.map_err(|why| StoreError::corrupt("model_version", "files", why))?;
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    sqlx::query!(
        "update model_version set files = $3, bytes = $4, revision = $5, manifest = $6
         where model_id = $1 and number = $2 and manifest is null",
        model.uuid(),
        amounts::int(number),
        json,
        amounts::big(bytes),
        revision.as_str(),
        manifest,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
