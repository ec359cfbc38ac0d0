//! What tenants have asked of models: records that are only ever added. Each gateway writes those of some seconds in one
//! statement, and may write the same ones again: an id counts once.

use domain::{ModelId, TenantId, Timestamp};
use uuid::Uuid;

use crate::{StoreError, SystemTx, Tx, amounts};

/// Sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Predicted {
    pub requests: u64,
    /// That were answered.
    pub rows: u64,
    /// Of texts that language models have made.
    pub tokens: u64,
    /// Of computing; a pass that several share counts by their rows.
    pub micros: u64,
}

impl Predicted {
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            rows: self.rows.saturating_add(other.rows),
            tokens: self.tokens.saturating_add(other.tokens),
            micros: self.micros.saturating_add(other.micros),
        }
    }
}

/// Of one tenant, with one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    id: Uuid,
    pub tenant: TenantId,
    pub model: ModelId,
    pub version: u32,
    /// When it was made: all that it counts was before.
    pub at: Timestamp,
    pub predicted: Predicted,
}

impl Record {
    pub fn new(
        tenant: TenantId,
        (model, version): (ModelId, u32),
        at: Timestamp,
        predicted: Predicted,
    ) -> Self {
        Self { id: Uuid::now_v7(), tenant, model, version, at, predicted }
    }
}

/// Those that are there already are left as they are.
pub async fn add(tx: &mut SystemTx<'_>, records: &[Record]) -> Result<(), StoreError> {
    let all = records.iter();
    let ids: Vec<_> = all.clone().map(|record| record.id).collect();
    let tenants: Vec<_> = all.clone().map(|record| record.tenant.uuid()).collect();
    let models: Vec<_> = all.clone().map(|record| record.model.uuid()).collect();
    let versions: Vec<_> = all.clone().map(|record| amounts::int(record.version)).collect();
    let ats: Vec<_> = all.clone().map(|record| record.at).collect();
    let sums = |of: fn(&Predicted) -> u64| -> Vec<i64> {
        all.clone().map(|record| amounts::big(of(&record.predicted))).collect()
    };
    sqlx::query!(
        "insert into prediction_usage (id, tenant_id, model_id, number, at, requests, rows, tokens, micros)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::timestamptz[],
                              $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
         on conflict (id) do nothing",
        &ids,
        &tenants,
        &models,
        &versions,
        &ats,
        &sums(|predicted| predicted.requests),
        &sums(|predicted| predicted.rows),
        &sums(|predicted| predicted.tokens),
        &sums(|predicted| predicted.micros),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// From `from` to before `until`.
pub async fn between(
    tx: &mut impl Tx,
    tenant: TenantId,
    (from, until): (Timestamp, Timestamp),
) -> Result<Predicted, StoreError> {
    let row = sqlx::query!(
        r#"select coalesce(sum(requests), 0)::bigint as "requests!", coalesce(sum(rows), 0)::bigint as "rows!",
                  coalesce(sum(tokens), 0)::bigint as "tokens!", coalesce(sum(micros), 0)::bigint as "micros!"
           from prediction_usage where tenant_id = $1 and at >= $2 and at < $3"#,
        tenant.uuid(),
        from,
        until,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Predicted {
        requests: row.requests.unsigned_abs(),
        rows: row.rows.unsigned_abs(),
        tokens: row.tokens.unsigned_abs(),
        micros: row.micros.unsigned_abs(),
    })
}
