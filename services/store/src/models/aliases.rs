//! Names of versions that move.

use domain::{
    ModelId, Timestamp,
    registry::{Alias, Revision, VersionState},
};

use super::lock;
use crate::{StoreError, TenantTx, Tx, amounts};

/// A version by one of its names.
#[derive(Debug, Clone)]
pub struct Named {
    pub alias: String,
    pub number: u32,
    /// Of the version, once it has a manifest.
    pub revision: Option<Revision>,
    pub changed_at: Timestamp,
}

/// By name; there are at most [`Alias::MOST`].
pub async fn aliases(tx: &mut impl Tx, model: ModelId) -> Result<Vec<Named>, StoreError> {
    let rows = sqlx::query!(
        "select a.alias, a.number, a.changed_at, v.revision
         from model_alias a join model_version v using (model_id, number)
         where a.model_id = $1
         order by a.alias",
        model.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let named = rows.into_iter().map(|row| {
        let revision = row.revision.as_deref().map(str::parse).transpose();
        Ok(Named {
            alias: row.alias,
            number: row.number.unsigned_abs(),
            revision: revision
                .map_err(|()| StoreError::corrupt("model_version", "revision", "no digest"))?,
            changed_at: row.changed_at,
        })
    });
    named.collect()
}

/// What came of naming a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetAlias {
    Set,
    /// There is no such version, or none any more.
    NoVersion,
    /// The model has as many as it may.
    TooMany,
}

/// Names a version of the tenant's own model, in one step wherever the name was before.
pub async fn set_alias(
    tx: &mut TenantTx<'_>,
    model: ModelId,
    alias: &Alias,
    number: u32,
) -> Result<SetAlias, StoreError> {
    let tenant = tx.tenant().uuid();
    // one after the other, so that the number of aliases holds
    lock(tx, model).await?;
    let number = amounts::int(number);
    let row = sqlx::query!(
        r#"select exists (select from model_version
                          where model_id = $1 and tenant_id = $2 and number = $3
                            and state <> $5) as "version!",
                  exists (select from model_alias where model_id = $1 and alias = $4) as "known!",
                  (select count(*) from model_alias where model_id = $1) as "aliases!""#,
        model.uuid(),
        tenant,
        number,
        alias.as_str(),
        VersionState::Deleted.as_str(),
    )
    .fetch_one(tx.conn())
    .await?;
    if !row.version {
        return Ok(SetAlias::NoVersion);
    }
    if !row.known && row.aliases >= i64::from(Alias::MOST) {
        return Ok(SetAlias::TooMany);
    }
    sqlx::query!(
        "insert into model_alias (model_id, tenant_id, alias, number) values ($1, $2, $3, $4)
         on conflict (model_id, alias) do update set number = excluded.number, changed_at = now()",
        model.uuid(),
        tenant,
        alias.as_str(),
        number,
    )
    .execute(tx.conn())
    .await?;
    Ok(SetAlias::Set)
}

/// `false` if there was none.
pub async fn remove_alias(
    tx: &mut TenantTx<'_>,
    model: ModelId,
    alias: &Alias,
) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let gone = sqlx::query!(
        "delete from model_alias where model_id = $1 and tenant_id = $2 and alias = $3",
        model.uuid(),
        tenant,
        alias.as_str(),
    )
    .execute(tx.conn())
    .await?;
    Ok(gone.rows_affected() == 1)
}
