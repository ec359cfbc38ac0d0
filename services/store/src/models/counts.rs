//! What is counted of models. The gateways gather downloads and predictions in memory and add them up here,
//! all of a second in one statement; likes are people's, and come one by one. What is searched by
//! (`public_model`) is brought up to these figures from time to time: [`settle`].

use domain::{ModelId, TenantId, Timestamp, UserId};

use crate::{StoreError, SystemTx, Tx};

/// How much as many downloads a like says of what people take to.
const DOWNLOADS_A_LIKE: i32 = 5;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// A tenant's of one day are one.
    pub downloads: u64,
    pub likes: u64,
    /// Rows that were answered.
    pub predictions: u64,
    /// See `model_tally` in the migrations.
    pub trending: f64,
}

impl Tally {
    const HALF_LIFE_SECS: f64 = 604_800.0;

    /// Downloads, and likes as five of them each, of which those a week ago count half.
    pub fn trending_score(&self, now: Timestamp) -> f64 {
        (self.trending - now.timestamp_micros() as f64 / 1e6 / Self::HALF_LIFE_SECS).exp2()
    }
}

/// Of some moments.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// Of what, and who did.
    pub downloads: Vec<(ModelId, TenantId)>,
    pub predictions: Vec<(ModelId, u64)>,
}

/// Adds them up. Rows are locked in the order of their ids, so that several gateways wait for each other
/// and never in a circle.
pub async fn add(
    tx: &mut SystemTx<'_>,
    counted: &Counted,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (models, tenants): (Vec<_>, Vec<_>) =
        counted.downloads.iter().map(|(model, tenant)| (model.uuid(), tenant.uuid())).unzip();
    let (predicted, rows): (Vec<_>, Vec<_>) = counted
        .predictions
        .iter()
        .map(|(model, rows)| (model.uuid(), i64::try_from(*rows).unwrap_or(i64::MAX)))
        .unzip();
    sqlx::query!(
        "with fresh as (
             insert into model_download (day, model_id, tenant_id)
             select ($1::timestamptz at time zone 'UTC')::date, model_id, tenant_id
             from unnest($2::uuid[], $3::uuid[]) d (model_id, tenant_id)
             order by model_id, tenant_id
             on conflict do nothing
             returning model_id
         ),
         counted as (
             select model_id, sum(downloads)::bigint as downloads, sum(predictions)::bigint as predictions
             from (select model_id, 1 as downloads, 0::bigint as predictions from fresh
                   union all
                   select model_id, 0, predictions
                   from unnest($4::uuid[], $5::bigint[]) p (model_id, predictions)) each
             group by model_id
             order by model_id
         )
         insert into model_tally (model_id, downloads, predictions, trending)
         select model_id, downloads, predictions,
                case when downloads > 0
                     then half_lives($1) + ln(downloads) / ln(2::double precision) else 0 end
         from counted
         on conflict (model_id) do update set
             downloads = model_tally.downloads + excluded.downloads,
             predictions = model_tally.predictions + excluded.predictions,
             trending = case when excluded.downloads > 0
                             then log_sum(model_tally.trending, excluded.trending)
                             else model_tally.trending end,
             is_settled = false",
        now,
        models.as_slice(),
        tenants.as_slice(),
        predicted.as_slice(),
        rows.as_slice(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Somebody likes a model, or does not any more; whoever likes it twice likes it once. The likes there are
/// now.
pub async fn like(
    tx: &mut SystemTx<'_>,
    model: ModelId,
    (tenant, user): (TenantId, UserId),
    likes: bool,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let at = if likes {
        sqlx::query_scalar!(
            r#"insert into model_like (model_id, user_id, tenant_id, created_at)
               values ($1, $2, $3, $4)
               on conflict do nothing
               returning half_lives(created_at) as "at!""#,
            model.uuid(),
            user.uuid(),
            tenant.uuid(),
            now,
        )
        .fetch_optional(tx.conn())
        .await?
    } else {
        sqlx::query_scalar!(
            r#"delete from model_like where model_id = $1 and user_id = $2
               returning half_lives(created_at) as "at!""#,
            model.uuid(),
            user.uuid(),
        )
        .fetch_optional(tx.conn())
        .await?
    };
    let change: i32 = match (at, likes) {
        (None, _) => 0,
        (Some(_), true) => 1,
        (Some(_), false) => -1,
    };
    // what is taken back has never moved the model
    let counted = sqlx::query_scalar!(
        r#"insert into model_tally (model_id, likes, trending)
           values ($1, greatest($2::int, 0),
                   case when $2 > 0 then $3 + ln($4::int) / ln(2::double precision) else 0 end)
           on conflict (model_id) do update set
               likes = model_tally.likes + $2,
               trending = case
                   when $2 > 0 then log_sum(model_tally.trending, excluded.trending)
                   when $2 < 0 then log_difference(model_tally.trending,
                                                   $3 + ln($4::int) / ln(2::double precision))
                   else model_tally.trending end,
               is_settled = model_tally.is_settled and $2 = 0
           returning likes"#,
        model.uuid(),
        change,
        at.unwrap_or_default(),
        DOWNLOADS_A_LIKE,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(counted.unsigned_abs())
}

/// Brings what is searched by up to what was counted, of 2,000 models at most, and forgets who downloaded what
/// before yesterday. Whatever another gateway is settling is left to it.
pub async fn settle(tx: &mut SystemTx<'_>, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "with stale as (
             select model_id from model_tally where not is_settled
             order by model_id limit 2000 for update skip locked
         ),
         settled as (
             update model_tally t set is_settled = true from stale s where t.model_id = s.model_id
             returning t.model_id, downloads, likes, predictions, trending
         )
         update public_model p
         set downloads = s.downloads, likes = s.likes, predictions = s.predictions,
             trending = s.trending
         from settled s
         where p.id = s.model_id"
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "delete from model_download where day < ($1::timestamptz at time zone 'UTC')::date - 1",
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
